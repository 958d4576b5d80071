//! Times that are a wait away, whatever the wait: who sets a limit that no clock can hold means that
//! there is none.

use std::time::Duration;

use tokio::time::Instant;

/// Later than anybody waits.
pub(crate) const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The instant `wait` after another; any wait is a good one.
pub(crate) fn after(instant: Instant, wait: Duration) -> Instant {
    instant.checked_add(wait).unwrap_or_else(|| instant + FAR)
}
