//! The local clock, compared with the database's.

use std::time::SystemTime;

use tokio::time::Instant;

#[expect(clippy::disallowed_methods, reason = "the one place for it")]
pub(super) fn system() -> SystemTime {
    SystemTime::now()
}

pub(super) fn instant() -> Instant {
    Instant::now()
}
