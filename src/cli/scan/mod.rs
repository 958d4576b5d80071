//! `greenlight scan`: records the sources in a ledger, submits the accepted images and prints their
//! outcomes. Without a ledger of the user's own it keeps one in a temporary folder.

mod place;

use super::{
    args::ScanOptions,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    ledger,
};

use crate::error::Error;

pub(crate) use place::LedgerPlace;

/// The hint for a service that refuses every request.
const HINT: &str = "check the endpoint, the key and its rights; nothing that was refused is billed";

/// The code of 1.0 for an account that has not opened it (returned-results page, 53414).
pub(crate) const NOT_OPENED: &str = "596";

/// The hint for [`NOT_OPENED`].
const NOT_OPENED_HINT: &str = "the account has not opened 1.0, which needs a verified enterprise in mainland China; it may have \
     opened 2.0: --api 2.0 --service CODE";

/// The hint for an error of the service.
pub(crate) fn hint(error: &Error) -> &'static str {
    match error.service_code() {
        Some(NOT_OPENED) => NOT_OPENED_HINT,
        _ => HINT,
    }
}

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
    let place = LedgerPlace::of(&options).await?;
    Box::pin(ledger::scan(options, sources, place, interrupt)).await
}
