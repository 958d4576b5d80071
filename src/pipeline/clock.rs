//! The one place where the pipeline reads clocks.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::later::FAR;

/// The wall clock, for times that outlive the process.
#[expect(
    clippy::disallowed_methods,
    reason = "the seam where the pipeline's time enters"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// The time `wait` after another; any wait is a good one.
pub(super) fn after(time: SystemTime, wait: Duration) -> SystemTime {
    time.checked_add(wait.min(FAR)).unwrap_or(time)
}

/// A clock that only moves forward, for waits within the process.
pub(super) fn instant() -> Instant {
    Instant::now()
}
