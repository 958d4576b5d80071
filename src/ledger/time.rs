//! The representation of times in a store: milliseconds since 1970, UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) fn to_millis(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, span_to_millis)
}

pub(super) fn from_millis(millis: i64) -> SystemTime {
    u64::try_from(millis)
        .ok()
        .and_then(|millis| UNIX_EPOCH.checked_add(Duration::from_millis(millis)))
        .unwrap_or(UNIX_EPOCH)
}

pub(super) fn span_to_millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
