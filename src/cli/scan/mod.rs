//! `greenlight scan`: checks, submits what passes, and waits for the outcomes.

mod direct;
mod queue;
mod submitter;

use super::{
    args::ScanOptions,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    ledger,
};

/// What to do when the service refuses everything.
pub(crate) const HINT: &str =
    "check the endpoint, the key and its rights; nothing that was refused is billed";

/// Scans all sources and prints a line for each.
pub(crate) async fn run(options: ScanOptions, interrupt: Interrupt) -> Result<Exit, Failure> {
    if options.sandbox || options.no_ledger {
        return direct::run(options, interrupt).await;
    }
    ledger::scan(options.input, options.settings, interrupt).await
}
