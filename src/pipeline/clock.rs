//! The one place where the pipeline reads clocks.

use std::time::SystemTime;

use tokio::time::Instant;

/// The wall clock, for times that outlive the process.
#[expect(
    clippy::disallowed_methods,
    reason = "the seam where the pipeline's time enters"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// A clock that only moves forward, for waits within the process.
pub(super) fn instant() -> Instant {
    Instant::now()
}
