//! The arguments of `report`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueHint};

/// What to render, and the destination.
#[derive(Args, Debug)]
pub(crate) struct ReportOptions {
    /// Write the page to a file, which is replaced once all is written; - is standard output
    #[arg(long, value_name = "FILE|-", help_heading = "Output", value_hint = ValueHint::FilePath)]
    pub(crate) html: PathBuf,

    /// Lines of a run, as check or scan print them with --format jsonl; - is standard input
    #[arg(
        long,
        value_name = "FILE|-",
        default_value = "-",
        help_heading = "Input",
        value_hint = ValueHint::FilePath
    )]
    pub(crate) from: OsString,

    /// Render the current state of a ledger instead, also while scan uses it
    #[arg(
        long,
        value_name = "FILE|URL",
        conflicts_with = "from",
        help_heading = "Input",
        value_hint = ValueHint::FilePath
    )]
    pub(crate) ledger: Option<PathBuf>,

    /// Show the listed images, loaded from their URLs, blurred until clicked
    #[arg(long, help_heading = "Output")]
    pub(crate) thumbnails: bool,
}
