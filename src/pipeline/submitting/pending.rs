//! The batch that is being filled with claimed images.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::super::{
    clock::{self, POLL_INTERVAL},
    shared::Shared,
};
use crate::{
    error::Error,
    later::FAR,
    ledger::{Backlog, Claimed, Hold, State, Work},
};

/// A batch that is being filled.
#[derive(Default)]
pub(super) struct PendingBatch {
    images: Vec<Claimed>,
    since: Option<Instant>,
    /// When the leases were last obtained or extended.
    held_since: Option<Instant>,
    /// Whether the last claim found fewer images than requested.
    pub(super) is_exhausted: bool,
    /// Whether no image was being checked at the last claim, so that waiting cannot fill the batch.
    is_last: bool,
}

impl PendingBatch {
    /// Claims images for `requests` requests if each holds one, and else for one request: each
    /// claim is one durable write.
    pub(super) async fn claim(&mut self, shared: &Shared, requests: usize) -> Result<(), Error> {
        let settings = &shared.pipeline.settings;
        let wanted = settings.batch.max(requests);
        let free = wanted.saturating_sub(self.images.len());
        if self.is_exhausted || free == 0 {
            return Ok(());
        }
        // Read before the backlog, which then contains everything that the intake enqueued.
        let intake_done = shared.intake_done.load(Ordering::Acquire);
        let ledger = &shared.pipeline.ledger;
        let backlog = ledger.backlog().await?;
        // A result that expires was paid for and is lost. Submitting waits, polling does not.
        if polling_lags(shared, &backlog) {
            return Ok(());
        }
        let is_checked =
            |&(state, _): &(State, _)| !matches!(state, State::Received | State::Checked);
        self.is_last = intake_done && backlog.due.iter().all(is_checked);
        let claims = ledger.claim(Work::Submit, free, settings.lease, clock::now());
        let claimed = claims.await?;
        self.is_exhausted = claimed.len() < free;
        if self.images.is_empty() && !claimed.is_empty() {
            // Since the first image: later ones do not prolong the wait of an incomplete batch.
            self.since = Some(clock::instant());
            self.held_since = self.since;
        }
        // If a lease ended while this process was suspended, it may have claimed the image again.
        let is_again = |hold: Hold| claimed.iter().any(|image| image.hold.key == hold.key);
        self.images.retain(|image| !is_again(image.hold));
        self.images.extend(claimed);
        Ok(())
    }

    /// Extends the leases while the maximum number of requests is in flight.
    pub(super) async fn keep(&mut self, shared: &Shared) -> Result<(), Error> {
        let lease = shared.pipeline.settings.lease;
        if self
            .held_since
            .is_none_or(|since| since.elapsed() < lease / 3)
        {
            return Ok(());
        }
        self.held_since = Some(clock::instant());
        let holds = self.images.iter().map(|image| image.hold).collect();
        let ledger = &shared.pipeline.ledger;
        ledger.extend(holds, lease, clock::now()).await.map(drop)
    }

    pub(super) fn is_ready(&self, full: usize, wait: Duration) -> bool {
        let waited = self.is_last || self.since.is_some_and(|since| since.elapsed() >= wait);
        self.images.len() >= full || (waited && !self.images.is_empty())
    }

    /// Returns how long to sleep until the batch may be ready.
    pub(super) fn wait(&self, wait: Duration) -> Duration {
        let left = self.since.map(|since| wait.saturating_sub(since.elapsed()));
        left.map_or(POLL_INTERVAL, |left| left.min(POLL_INTERVAL))
    }

    /// Removes at most `max` images, in order.
    pub(super) fn take(&mut self, max: usize) -> Vec<Claimed> {
        let left = self.images.split_off(max.min(self.images.len()));
        if left.is_empty() {
            self.since = None;
            self.held_since = None;
        }
        std::mem::replace(&mut self.images, left)
    }
}

/// Returns whether pending results are so close to their expiry that they must be fetched before
/// more images are submitted.
fn polling_lags(shared: &Shared, backlog: &Backlog) -> bool {
    let margin = shared.pipeline.settings.retention.min(FAR) / 3;
    backlog
        .first_expiry
        .is_some_and(|expiry| expiry < clock::after(clock::now(), margin))
}
