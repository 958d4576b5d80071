//! `greenlight scan`: records the sources in a ledger, submits the accepted images and prints their
//! outcomes. Without a ledger of the user's own it keeps one in a temporary folder.

use super::{
    args::ScanOptions,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    ledger::{self, LedgerPlace},
};

/// Scans all sources and prints a line for each.
pub(crate) async fn run(
    mut options: ScanOptions,
    mut interrupt: Interrupt,
) -> Result<Exit, Failure> {
    // The list first: to find it missing takes neither an account nor a ledger.
    options.input.with_checks = options.settings.checked_within.is_some();
    let Some(sources) = options.input.sources(&mut interrupt).await? else {
        return Ok(Exit::Interrupted);
    };
    let place =
        LedgerPlace::new(&options.settings.ledger, options.sandbox, options.no_ledger).await?;
    Box::pin(ledger::scan(options, sources, place, interrupt)).await
}
