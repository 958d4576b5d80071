//! The arguments of `report`.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

/// What to draw, and where to.
#[derive(Args, Debug)]
pub(crate) struct ReportOptions {
    /// The page's file, which replaces an existing one; - for standard output
    #[arg(long, value_name = "FILE|-")]
    pub(crate) html: PathBuf,

    /// The lines of a run, as check or scan print them with --format jsonl; - is standard input
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    pub(crate) from: OsString,

    /// Render the current state of a ledger instead, during a scan too
    #[arg(long, value_name = "FILE|URL", conflicts_with = "from")]
    pub(crate) ledger: Option<PathBuf>,

    /// Show the listed images, loaded from their URLs, blurred until clicked
    #[arg(long)]
    pub(crate) thumbnails: bool,
}
