//! The probe's one clock: monotonic, and the one that its deadline runs by.

use std::time::Duration;

pub(super) use tokio::time::Instant;

/// Later than anybody waits.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

pub(super) fn now() -> Instant {
    Instant::now()
}

/// The instant `wait` after another; any wait is a good one.
pub(super) fn after(instant: Instant, wait: Duration) -> Instant {
    instant.checked_add(wait).unwrap_or_else(|| instant + FAR)
}
