//! The local clock, which is compared with the database's clock.

use std::time::SystemTime;

use tokio::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "the only place where the ledger reads the clock"
)]
pub(super) fn system() -> SystemTime {
    SystemTime::now()
}

pub(super) fn instant() -> Instant {
    Instant::now()
}
