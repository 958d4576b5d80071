//! Addition of durations to instants without overflow: a limit that exceeds the range of the clock
//! means no limit.

use std::time::Duration;

use tokio::time::Instant;

/// Ten years: the cap of every wait.
pub(crate) const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Returns `instant + wait`, or `instant + FAR` if that overflows.
pub(crate) fn after(instant: Instant, wait: Duration) -> Instant {
    instant.checked_add(wait).unwrap_or_else(|| instant + FAR)
}
