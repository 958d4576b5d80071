//! The sandbox's clock, which a test may set.

use std::{sync::Mutex, time::Duration};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};

/// The time as the sandbox has it: the machine's, put forward or back.
#[derive(Debug, Default)]
pub(super) struct Clock {
    offset: Mutex<SignedDuration>,
}

impl Clock {
    pub(super) fn now(&self) -> Timestamp {
        let offset = *self.offset.lock().expect("no holder panics");
        let now = Timestamp::now();
        now.saturating_add(offset).unwrap_or(now)
    }

    /// Sets the time, from which the clock continues.
    pub(super) fn set(&self, to: Timestamp) {
        let mut offset = self.offset.lock().expect("no holder panics");
        *offset = to.duration_since(Timestamp::now());
    }

    pub(super) fn forward(&self, by: Duration) {
        self.shift(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX));
    }

    pub(super) fn back(&self, by: Duration) {
        self.shift(SignedDuration::try_from(by).map_or(SignedDuration::MIN, |by| -by));
    }

    fn shift(&self, by: SignedDuration) {
        let mut offset = self.offset.lock().expect("no holder panics");
        *offset = offset.saturating_add(by);
    }
}

/// A time as HTTP's `Date` has it: `Tue, 17 Jan 2017 10:16:36 GMT`.
pub(super) fn http_date(time: Timestamp) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .unwrap_or_default()
}

/// Reads such a time; any other way to write it is refused.
pub(super) fn parse_http_date(text: &str) -> Option<Timestamp> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    // The parser is lenient; the gateway is not, and a client must notice.
    (http_date(time) == text).then_some(time)
}
