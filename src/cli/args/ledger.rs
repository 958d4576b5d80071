//! Where the ledger is, and what is done with it.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{CsvOption, Format};
use crate::{cli::ledger::LedgerLocation, image_url::masked};

/// Default name of the ledger.
const DEFAULT: &str = "greenlight.db";

/// Where the ledger is.
#[derive(Args, Clone, Debug)]
pub(crate) struct LedgerOption {
    /// The file, or the URL of the PostgreSQL database (`postgres://USER@HOST/DATABASE`), that records
    /// what was done and paid for, so that nothing is paid for twice [default: greenlight.db]
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) ledger: Option<PathBuf>,
}

impl LedgerOption {
    pub(crate) fn location(&self) -> LedgerLocation<'_> {
        LedgerLocation::of(self.ledger.as_deref().unwrap_or(Path::new(DEFAULT)))
    }

    /// The location, without a password.
    pub(crate) fn text(&self) -> String {
        match self.location() {
            LedgerLocation::File(path) => path.display().to_string(),
            LedgerLocation::Database(url) => masked(url).into_owned(),
        }
    }

    /// Returns the option that selects the same ledger: ` --ledger FILE`, or nothing for the default.
    pub(crate) fn argument(&self) -> String {
        if self.ledger.is_none() {
            return String::new();
        }
        format!(" --ledger {}", self.text())
    }
}

#[derive(Args, Debug)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    pub(crate) ledger: LedgerOption,

    /// Output format: for people, one JSON object, or CSV with a header line
    #[arg(long, default_value = "human")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) csv: CsvOption,
}

#[derive(Args, Debug)]
pub(crate) struct RetryOptions {
    /// The classes of the images that are tried again, dead and rejected ones, as status and dead
    /// print them; may be repeated, or separated by commas [default: every dead image]
    #[arg(long = "class", value_name = "CLASS", value_delimiter = ',')]
    pub(crate) classes: Vec<String>,

    #[command(flatten)]
    pub(crate) ledger: LedgerOption,
}

#[derive(Args, Debug)]
pub(crate) struct ExportOptions {
    #[command(flatten)]
    pub(crate) ledger: LedgerOption,

    /// Output format
    #[arg(long, default_value = "jsonl")]
    pub(crate) format: ExportFormat,

    #[command(flatten)]
    pub(crate) csv: CsvOption,

    /// The output file, which replaces an existing one once it is complete; - for standard output
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct DeadOptions {
    #[command(flatten)]
    pub(crate) ledger: LedgerOption,

    /// Output format: a table, one JSON object per line, or CSV with a header line
    #[arg(long, default_value = "human")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) csv: CsvOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Jsonl,
    Csv,
    Parquet,
}
