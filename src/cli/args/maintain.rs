//! The commands that create, upgrade, check and copy ledgers.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};

use super::{LedgerOption, examples};

#[derive(Args, Debug)]
pub(crate) struct LedgerOptions {
    #[command(subcommand)]
    pub(crate) task: LedgerTask,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerTask {
    /// Create an empty ledger; the first scan binds it to an account
    #[command(after_help = examples::LEDGER_INIT)]
    Init(PlaceOption),

    /// Upgrade a ledger that an older greenlight created
    #[command(after_help = examples::LEDGER_UPGRADE)]
    Upgrade(PlaceOption),

    /// Count inconsistent rows and print how to fix them
    #[command(after_help = examples::LEDGER_CHECK)]
    Check(PlaceOption),

    /// Copy a ledger between a file and a database; continues an interrupted copy
    #[command(after_help = examples::LEDGER_COPY)]
    Copy(CopyOptions),
}

#[derive(Args, Debug)]
pub(crate) struct PlaceOption {
    /// File or postgres:// URL
    #[arg(value_name = "LOCATION", value_hint = ValueHint::FilePath)]
    pub(crate) location: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct CopyOptions {
    /// File or postgres:// URL of a ledger that no run uses
    #[arg(value_name = "FROM", value_hint = ValueHint::FilePath)]
    pub(crate) from: PathBuf,

    /// File or postgres:// URL without a ledger
    #[arg(value_name = "TO", value_hint = ValueHint::FilePath)]
    pub(crate) to: PathBuf,
}

impl LedgerOption {
    pub(crate) fn at(location: &Path) -> Self {
        Self {
            ledger: Some(location.to_owned()),
        }
    }
}
