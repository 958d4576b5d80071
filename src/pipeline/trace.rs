//! Events of a run, behind the feature `tracing`. Never a key.

use std::time::Duration;

use crate::ledger::Reason;

/// An image that failed is tried again.
pub(super) fn retried(reason: &Reason, attempts: u32, wait: Duration) {
    #[cfg(feature = "tracing")]
    tracing::info!(
        class = reason.class,
        attempts,
        ?wait,
        "retrying: {}",
        reason.message
    );
    #[cfg(not(feature = "tracing"))]
    let _ = (reason, attempts, wait);
}

/// The service, or the store of uploads, did not do what it was asked.
pub(super) fn failed(error: &str, lasted: Duration) {
    #[cfg(feature = "tracing")]
    tracing::info!(?lasted, "waiting for the service: {error}");
    #[cfg(not(feature = "tracing"))]
    let _ = (error, lasted);
}

/// The service answered a request to submit.
pub(super) fn submitted(images: usize, tasks: usize, request_id: Option<&str>) {
    #[cfg(feature = "tracing")]
    tracing::info!(images, tasks, request_id, "submitted");
    #[cfg(not(feature = "tracing"))]
    let _ = (images, tasks, request_id);
}

/// The service answered a poll.
pub(super) fn polled(tasks: usize, decided: usize) {
    #[cfg(feature = "tracing")]
    tracing::info!(tasks, decided, "polled");
    #[cfg(not(feature = "tracing"))]
    let _ = (tasks, decided);
}

/// A request waits for its turn under a rate limit.
pub(super) fn waits(wait: Duration) {
    #[cfg(feature = "tracing")]
    tracing::debug!(?wait, "waiting for the rate limit");
    #[cfg(not(feature = "tracing"))]
    let _ = wait;
}
