//! `greenlight scan`: records the sources in a ledger, submits the accepted images and prints their
//! outcomes. Without a ledger of the user's own it keeps one in a temporary folder.

mod place;

use super::{
    args::ScanOptions,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    ledger,
};

pub(crate) use place::LedgerPlace;

/// The hint for a service that refuses every request.
pub(crate) const HINT: &str =
    "check the endpoint, the key and its rights; nothing that was refused is billed";

/// Scans all sources and prints a line for each.
pub(crate) async fn run(options: ScanOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    // The list first: to find it missing takes neither an account nor a ledger.
    let Some(sources) = options.input.sources(&mut interrupt).await? else {
        return Ok(Exit::Interrupted);
    };
    let place = LedgerPlace::of(&options).await?;
    Box::pin(ledger::scan(options, sources, place, interrupt)).await
}
