//! The one place where the command reads clocks.

use std::time::{Instant, SystemTime};

#[expect(
    clippy::disallowed_methods,
    reason = "the seam where the command's time enters"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// A clock that only moves forward.
#[expect(
    clippy::disallowed_methods,
    reason = "the seam where the command's time enters"
)]
pub(super) fn instant() -> Instant {
    Instant::now()
}
