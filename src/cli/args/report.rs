//! The arguments of `report`.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

/// What to draw, and where to.
#[derive(Args, Debug)]
pub(crate) struct ReportOptions {
    /// Where the page is written; a file that is there is replaced; - is standard output
    #[arg(long, value_name = "FILE|-")]
    pub(crate) html: PathBuf,

    /// The lines of a run, as check or scan print them with --format jsonl; - is standard input
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    pub(crate) from: OsString,

    /// Draws what a ledger holds instead, as far as it is: scan may be working on it
    #[arg(long, value_name = "FILE|URL", conflicts_with = "from")]
    pub(crate) ledger: Option<PathBuf>,

    /// Shows the images of what is listed, loaded from their URLs, blurred until clicked
    #[arg(long)]
    pub(crate) thumbnails: bool,
}
