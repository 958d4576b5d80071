//! The one place where the client reads clocks.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime},
};

use jiff::{
    SignedDuration, Timestamp,
    fmt::rfc2822::{DateTimeParser, DateTimePrinter},
};
use tokio::time::Instant;

pub(crate) use crate::later::after;

/// The wall clock of this machine, corrected by the service's `Date`.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Seconds that the service is ahead.
    skew: AtomicI64,
    /// The same as the last response stated it, whether it was used or not. `i64::MIN` before one.
    observed: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            skew: AtomicI64::new(0),
            observed: AtomicI64::new(i64::MIN),
        }
    }
}

impl Clock {
    /// Largest plausible skew; larger values are ignored.
    const MAX_SKEW: i64 = 366 * 24 * 60 * 60;

    pub(crate) fn now(&self) -> Timestamp {
        let skew = SignedDuration::from_secs(self.skew.load(Ordering::Relaxed));
        let local = local_now();
        local.checked_add(skew).unwrap_or(local)
    }

    /// Learns the service's time from the `Date` of a response that arrived just now and took
    /// `elapsed`. Returns whether that moved the clock by more than a network's delay.
    pub(crate) fn learn(&self, date: &str, elapsed: Duration) -> bool {
        let Some(skew) = skew(date, elapsed) else {
            return false;
        };
        if skew.abs() > Self::MAX_SKEW {
            return false;
        }
        let before = self.skew.swap(skew, Ordering::Relaxed);
        // Only a real change is worth another attempt: `Date` has whole seconds, and the service
        // accepts a skew of minutes.
        skew.abs_diff(before) > 30
    }

    /// Records the service's time without using it.
    pub(crate) fn observe(&self, date: &str, elapsed: Duration) {
        if let Some(skew) = skew(date, elapsed) {
            self.observed.store(skew, Ordering::Relaxed);
        }
    }

    /// Seconds that the service was ahead in its last response.
    pub(crate) fn observed_seconds(&self) -> Option<i64> {
        let seconds = self.observed.load(Ordering::Relaxed);
        (seconds != i64::MIN).then_some(seconds)
    }

    /// Seconds that the service is ahead, as far as is known.
    pub(crate) fn skew_seconds(&self) -> i64 {
        self.skew.load(Ordering::Relaxed)
    }
}

/// Seconds that the service is ahead, by the `Date` of a response that took `elapsed`.
fn skew(date: &str, elapsed: Duration) -> Option<i64> {
    let theirs = parse_http_date(date)?;
    // As in NTP: the response was dated about half a round trip ago.
    let half = i64::try_from(elapsed.as_secs() / 2).unwrap_or(0);
    let ours = local_now().as_second().saturating_sub(half);
    Some(theirs.as_second().saturating_sub(ours))
}

/// A time that only moves forward, for deadlines.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// `Tue, 17 Jan 2017 10:16:36 GMT` (RFC 9110, 5.6.7), whatever the machine's language.
pub(crate) fn http_date(time: Timestamp) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .expect("the years of `Timestamp` end at 9999, as RFC 9110's do")
}

/// Reads what [`http_date`] writes.
pub(crate) fn parse_http_date(date: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(date.trim()).ok()
}

/// `2017-01-17T10:16:36Z` (RFC 3339, without fractions).
pub(crate) fn iso_date(time: Timestamp) -> String {
    format!("{time:.0}")
}

/// The time of the local host.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clocks"
)]
pub(crate) fn local_now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}
