//! The probe's one clock: monotonic, and the one that its deadline runs by.

pub(super) use tokio::time::Instant;

pub(super) use crate::later::after;

pub(super) fn now() -> Instant {
    Instant::now()
}
