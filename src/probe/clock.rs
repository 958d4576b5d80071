//! The probe's one clock: monotonic, and the one that its deadline runs by.

pub(super) use tokio::time::Instant;

pub(super) fn now() -> Instant {
    Instant::now()
}
