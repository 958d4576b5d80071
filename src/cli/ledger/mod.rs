//! The commands that keep a ledger, or read one.

mod dead;
mod export;
mod lines;
mod lock;
mod progress;
mod retry;
mod row;
mod run;
mod setup;
mod status;

use crate::{
    cli::{args::LedgerOption, exit::Failure},
    error::Error,
    ledger::SqliteLedger,
};

pub(crate) use self::{
    dead::run as dead,
    export::{page, run as export},
    lines::Lines,
    retry::run as retry,
    run::{resume, scan},
    status::run as status,
};

/// Opens a ledger that exists, to read it: another process may be writing.
pub(crate) fn open_to_read(option: &LedgerOption) -> Result<SqliteLedger, Failure> {
    let options = SqliteLedger::options().read_only();
    options
        .open_existing(option.path())
        .map_err(|error| unopened(error, option))
}

/// Opens a ledger that exists, whatever its scope.
fn open_to_write(option: &LedgerOption) -> Result<SqliteLedger, Failure> {
    SqliteLedger::open_existing(option.path()).map_err(|error| unopened(error, option))
}

fn unopened(error: Error, option: &LedgerOption) -> Failure {
    let failure = Failure::from(error);
    if option.path().exists() {
        return failure;
    }
    failure.hint("`greenlight scan` begins a ledger; --ledger FILE names one")
}
