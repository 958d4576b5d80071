//! The only module of the pipeline that reads clocks.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::later::FAR;

/// How often an idle stage checks for work that another process may have added.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Returns the wall-clock time, for times that outlive the process.
#[expect(
    clippy::disallowed_methods,
    reason = "the only place where the pipeline reads the wall clock"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns `time + wait`, capped instead of overflowing.
pub(super) fn after(time: SystemTime, wait: Duration) -> SystemTime {
    // The addition of a time panics on overflow, and some of these follow a billed submission.
    time.checked_add(wait.min(FAR)).unwrap_or(time)
}

/// Returns the monotonic time, for waits within the process.
pub(super) fn instant() -> Instant {
    Instant::now()
}
