//! The settings of a pipeline, their defaults and setters.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use super::{Pipeline, Step, quotas};
use crate::{
    green::{Callback, Terms},
    later::FAR,
    ledger::{Quota, Resubmit},
    requirements::{Provenance, Requirements},
};

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) requirements: Requirements,
    /// That of a verdict by these requirements, at any time.
    pub(super) provenance: Provenance,
    pub(super) checked_within: Option<Duration>,
    pub(super) probes: usize,
    pub(super) requests: usize,
    pub(super) uploads: usize,
    pub(super) batch: usize,
    pub(super) fill_wait: Duration,
    pub(super) lease: Duration,
    pub(super) send_limit: Duration,
    pub(super) settle_after: Duration,
    pub(super) resubmit: Resubmit,
    pub(super) probe_attempts: u32,
    pub(super) submit_attempts: u32,
    pub(super) poll_interval: Duration,
    pub(super) max_poll_interval: Duration,
    pub(super) retention: Duration,
    pub(super) missing_for: Duration,
    pub(super) max_results: usize,
    pub(super) frame_cap: u32,
    pub(super) callback: Option<Callback>,
    pub(super) submit_quota: Option<Quota>,
    pub(super) query_quota: Option<Quota>,
    pub(super) deliver_again: bool,
    pub(super) upload_fallback: bool,
}

impl Settings {
    /// The defaults for an API of these terms.
    pub(super) fn of(terms: &Terms) -> Self {
        let rate = quotas::nine_tenths(terms);
        Self {
            requirements: Requirements::ASYNC,
            provenance: Provenance::new(&Requirements::ASYNC, UNIX_EPOCH),
            checked_within: None,
            probes: 128,
            requests: terms.in_flight,
            uploads: 8,
            batch: terms.max_tasks,
            fill_wait: Duration::from_millis(500),
            lease: Duration::from_secs(60),
            send_limit: Duration::from_secs(60),
            // A minute more than a request may take, for its callback to arrive.
            settle_after: Duration::from_secs(120),
            resubmit: Resubmit::WhenSettled,
            probe_attempts: 3,
            submit_attempts: 3,
            poll_interval: terms.poll_interval,
            max_poll_interval: terms.max_poll_interval,
            retention: terms.retention,
            missing_for: terms.missing_for,
            max_results: terms.max_results,
            frame_cap: terms.frame_cap,
            callback: None,
            submit_quota: Some(quotas::quota("submit", rate, terms)),
            query_quota: Some(quotas::quota("query", rate, terms)),
            deliver_again: false,
            upload_fallback: false,
        }
    }

    /// Returns how long after its request an image without a known response may be submitted again:
    /// always after the request has ended.
    pub(super) fn settle_after(&self) -> Duration {
        // The difference is the time in which a begun batch may be sent: with none, nothing is.
        let least = self.send_limit.saturating_add(Duration::from_millis(500));
        self.settle_after.max(least)
    }
}

impl Pipeline {
    /// Sets the requirements. Default: [`Requirements::ASYNC`].
    #[must_use]
    pub fn requirements(mut self, requirements: Requirements) -> Self {
        self.settings.provenance = Provenance::new(&requirements, UNIX_EPOCH);
        self.settings.requirements = requirements;
        self
    }

    /// Sets how old an [`EarlierCheck`](super::EarlierCheck) may be to replace a probe. It must not be of the future,
    /// and have the version and requirements of this run. A URL with an address that the probe
    /// refuses is rejected all the same. The author of the list must be trusted, because every submission is billed.
    /// Default: none is used.
    #[must_use]
    pub const fn checked_within(mut self, age: Option<Duration>) -> Self {
        self.settings.checked_within = age;
        self
    }

    /// Sets how many images are claimed for probing at a time. The probe's own limits apply
    /// additionally. Default: 128.
    #[must_use]
    pub fn probes(mut self, images: usize) -> Self {
        self.settings.probes = images.max(1);
        self
    }

    /// Sets how many submissions, and how many polls, are in flight at a time. Default: 8, and 64
    /// in 2.0, whose requests have one image each.
    #[must_use]
    pub fn requests(mut self, requests: usize) -> Self {
        self.settings.requests = requests.max(1);
        self
    }

    /// Sets how many files are uploaded at a time. Default: 8.
    #[must_use]
    pub fn uploads(mut self, files: usize) -> Self {
        self.settings.uploads = files.max(1);
        self
    }

    /// Sets the maximum number of images per request. Default, and upper limit:
    /// [`Terms::max_tasks`](crate::green::Terms::max_tasks).
    #[must_use]
    pub fn batch(mut self, images: usize) -> Self {
        self.settings.batch = images.clamp(1, self.api.terms().max_tasks);
        self
    }

    /// Sets how long an incomplete batch waits for more images. It does not wait if the whole list
    /// is read and checked. Default: 500 ms.
    #[must_use]
    pub const fn fill_wait(mut self, wait: Duration) -> Self {
        self.settings.fill_wait = wait;
        self
    }

    /// Sets the duration of a lease: other processes can claim the images of a dead process after
    /// it. Default: one minute.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Sets the deadline of a submission, including all attempts and the time for which it waits for the
    /// client's own limit ([`images_per_second`](crate::green::ClientBuilder::images_per_second)): set
    /// that above the [`image_rate`](Self::image_rate), or images count as sent that were not. Default:
    /// one minute.
    #[must_use]
    pub fn send_limit(mut self, limit: Duration) -> Self {
        // `settle_after` must stay greater than this, so neither may be unlimited.
        self.settings.send_limit = limit.min(FAR);
        self
    }

    /// Sets how long after the start of its request an image without a known response may be
    /// submitted again: at least 500 ms more than the [`send_limit`](Self::send_limit). Leave time
    /// for callbacks to arrive. Default: two minutes.
    #[must_use]
    pub fn settle_after(mut self, wait: Duration) -> Self {
        // Twice the cap of `send_limit`, so that the longest one leaves time to send in too.
        self.settings.settle_after = wait.min(FAR * 2);
        self
    }

    /// Sets what happens to images without a known response after
    /// [`settle_after`](Self::settle_after). Default: [`Resubmit::WhenSettled`].
    #[must_use]
    pub const fn resubmit(mut self, resubmit: Resubmit) -> Self {
        self.settings.resubmit = resubmit;
        self
    }

    /// Sets after how many attempts to probe an image it is abandoned. Default: 3.
    #[must_use]
    pub const fn probe_attempts(mut self, attempts: u32) -> Self {
        self.settings.probe_attempts = attempts;
        self
    }

    /// Sets after how many attempts to submit an image it is abandoned. Default: 3.
    #[must_use]
    pub const fn submit_attempts(mut self, attempts: u32) -> Self {
        self.settings.submit_attempts = attempts;
        self
    }

    /// Sets the interval between a submission and its first poll, and the shortest between polls: it grows
    /// with the age of a task, up to [`Terms::max_poll_interval`](crate::green::Terms::max_poll_interval).
    /// Default: 5 seconds.
    #[must_use]
    pub const fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// Sets how long the service keeps results. Default: [`Terms::retention`](crate::green::Terms::retention).
    #[must_use]
    pub const fn retention(mut self, retention: Duration) -> Self {
        self.settings.retention = retention;
        self
    }

    /// Requests callbacks to a URL in addition to polling. Pass each verified callback to
    /// [`record_callback`](Self::record_callback). A lost response then costs nothing if the
    /// callback arrives before its images are [settled](Self::settle_after). Default: none.
    #[must_use]
    pub fn callback(mut self, callback: Callback) -> Self {
        self.settings.callback = Some(callback);
        self
    }

    /// Sets how many images are submitted per second by all processes that share the ledger; `None`
    /// leaves the limit to the client. Default: nine tenths of
    /// [`Terms::per_second`](crate::green::Terms::per_second).
    #[must_use]
    pub fn image_rate(mut self, images: Option<u32>) -> Self {
        let terms = self.api.terms();
        self.settings.submit_quota = images.map(|rate| quotas::quota("submit", rate, &terms));
        self
    }

    /// Sets how many requests for results are made per second by all processes that share the
    /// ledger; `None` leaves the limit to the client. Default: nine tenths of
    /// [`Terms::per_second`](crate::green::Terms::per_second).
    #[must_use]
    pub fn query_rate(mut self, requests: Option<u32>) -> Self {
        let terms = self.api.terms();
        self.settings.query_quota = requests.map(|rate| quotas::quota("query", rate, &terms));
        self
    }

    /// Sets whether a line that an earlier run delivered is delivered again if it is passed to
    /// [`start`](Self::start) again. The image is submitted once either way. Default: false.
    #[must_use]
    pub const fn deliver_again(mut self, again: bool) -> Self {
        self.settings.deliver_again = again;
        self
    }

    /// Sets whether an image that the service reports as not downloadable, although the probe read it,
    /// is uploaded and submitted again, once: see [`NextStep::Upload`](crate::ledger::NextStep::Upload).
    /// The second submission is made, and billed, only after the first has definitely failed. An image
    /// for which a ledger has recorded this step is uploaded by every later run. At most 32 MB are
    /// uploaded. Default: false.
    #[must_use]
    pub const fn upload_fallback(mut self, uploads: bool) -> Self {
        self.settings.upload_fallback = uploads;
        self
    }

    /// Sets a function to call between the durable steps. For tests: it may end the process.
    #[must_use]
    pub fn checkpoint(mut self, checkpoint: impl Fn(Step) + Send + Sync + 'static) -> Self {
        self.checkpoint = Some(Arc::new(checkpoint));
        self
    }
}
