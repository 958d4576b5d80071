//! The only place of the server that reads the time.

use std::time::SystemTime;

use governor::clock::MonotonicClock;
use tokio::time::Instant;

/// The time of a verdict.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// The time that durations are measured from.
pub(super) fn instant() -> Instant {
    Instant::now()
}

/// The clock of the tokens' rates.
pub(super) fn of_rates() -> MonotonicClock {
    MonotonicClock
}
