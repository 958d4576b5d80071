//! The state that the stages of a run share. The stages import this module and not each other, so
//! that adding a stage changes `run` only.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, watch},
    time::{sleep, timeout},
};

use super::{
    Pipeline, Step, clock::POLL_INTERVAL, files, outage::OutageWatch, progress::Counters, trace,
};
use crate::{
    error::Error,
    ledger::{Key, Permit, Quota, Reason},
    verdict::Verdict,
};

/// The longest wait before a permit is requested again: an outage may end sooner than expected.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The state that the stages of one run share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pipeline: Pipeline,
    pub(super) counters: Counters,
    halt: watch::Sender<bool>,
    pub(super) to_probe: Notify,
    pub(super) to_submit: Notify,
    pub(super) to_poll: Notify,
    pub(super) to_deliver: Notify,
    /// Notified when a stage has run out of work, which may be the end of the run.
    pub(super) to_settle: Notify,
    pub(super) intake_done: AtomicBool,
    pub(super) outage: OutageWatch,
    pub(super) upload_outage: OutageWatch,
    /// Operations whose outage in the ledger a success must end.
    failing: Mutex<Vec<String>>,
    /// Held while a request waits for its permit. Requests are permitted in the order of their images:
    /// one that is overtaken holds back all later outcomes, which are delivered in order.
    pub(super) submit_turn: Semaphore,
    /// Limits how many files are uploaded at a time.
    pub(super) uploads: Semaphore,
    /// Limits how many files are checked at a time: one per processor.
    readers: Semaphore,
    /// Images in requests to submit of which no response is recorded.
    pub(super) unrecorded: AtomicUsize,
    /// The first row to deliver again since the last call of `take_again`.
    again_from: AtomicI64,
}

impl Shared {
    pub(super) fn new(pipeline: Pipeline, intake_done: bool) -> Self {
        let uploads = pipeline.settings.uploads;
        let readers = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            pipeline,
            counters: Counters::default(),
            halt: watch::Sender::new(false),
            to_probe: Notify::new(),
            to_submit: Notify::new(),
            to_poll: Notify::new(),
            to_deliver: Notify::new(),
            to_settle: Notify::new(),
            intake_done: AtomicBool::new(intake_done),
            outage: OutageWatch::default(),
            upload_outage: OutageWatch::default(),
            failing: Mutex::default(),
            submit_turn: Semaphore::new(1),
            uploads: Semaphore::new(uploads),
            readers: Semaphore::new(readers),
            unrecorded: AtomicUsize::new(0),
            again_from: AtomicI64::new(i64::MAX),
        }
    }

    /// Counts images as sent, until the guard is dropped.
    pub(super) fn sending(&self, images: usize) -> Sending<'_> {
        self.unrecorded.fetch_add(images, Ordering::AcqRel);
        Sending {
            shared: self,
            images,
        }
    }

    /// Records that the row with this number must be delivered again.
    pub(super) fn deliver_again(&self, number: i64) {
        self.again_from.fetch_min(number, Ordering::AcqRel);
    }

    /// Returns the row before the first one to deliver again, and resets it.
    pub(super) fn take_again(&self) -> i64 {
        let first = self.again_from.swap(i64::MAX, Ordering::AcqRel);
        first.saturating_sub(1)
    }

    pub(super) fn stop(&self) {
        // `send` would fail, and change nothing, while no stage waits.
        self.halt.send_replace(true);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.halt.borrow()
    }

    /// Waits until the run is stopped.
    pub(super) async fn stopped(&self) {
        let mut halt = self.halt.subscribe();
        // The sender lives as long as `self`.
        drop(halt.wait_for(|halt| *halt).await);
    }

    pub(super) fn reach(&self, step: Step) {
        self.pipeline.reach(step);
    }

    /// Waits for a permit. Returns `false` if the run is stopped first.
    pub(super) async fn permit(&self, quota: Option<&Quota>, cost: u32) -> Result<bool, Error> {
        let Some(quota) = quota else {
            return Ok(!self.is_stopping());
        };
        // A batch that bills more than the burst could never be granted.
        let cost = cost.min(quota.limit.burst);
        while !self.is_stopping() {
            match self.pipeline.ledger.permit(quota.clone(), cost).await? {
                Permit::Granted => return Ok(true),
                // In an outage one process tries at a time; its success ends the outage for all.
                Permit::Trial => {
                    self.is_failing(quota, true);
                    return Ok(true);
                }
                Permit::Wait(wait) => {
                    trace::waits(wait);
                    // Ends early if the run is stopped.
                    drop(timeout(wait.min(MAX_WAIT), self.stopped()).await);
                }
            }
        }
        Ok(false)
    }

    /// Checks a file, if its bytes still have this key. Returns the hash of the bytes too.
    pub(super) async fn judge_file(
        &self,
        path: PathBuf,
        key: Key,
    ) -> Result<(Verdict, [u8; 32]), Reason> {
        let _turn = self.readers.acquire().await.expect("it is never closed");
        let pipeline = &self.pipeline;
        let requirements = &pipeline.settings.requirements;
        let (depth, asked) = (pipeline.probe.depth(), requirements.clone());
        // Without the allowed folders: whatever the path leads to by now, only the bytes that were
        // read below them have this key.
        let check = move || files::check(&path, None, (depth, depth), &asked);
        let checked = match tokio::task::spawn_blocking(check).await {
            Ok(checked) => checked.map_err(|error| files::unreadable(&error))?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let judged = checked.judged_as(key, &pipeline.scope, requirements);
        judged.ok_or_else(files::changed)
    }

    /// Records a request that failed because of an outage, for all users of the ledger. Returns the
    /// backoff.
    pub(super) async fn failed(
        &self,
        quota: Option<&Quota>,
        pause: Duration,
    ) -> Result<Duration, Error> {
        let pause = self.outage.pause().max(pause);
        let Some(quota) = quota else {
            return Ok(pause);
        };
        let was_failing = self.is_failing(quota, true);
        // A single failure is not an outage.
        if !was_failing && self.outage.lasted() < POLL_INTERVAL {
            self.is_failing(quota, false);
            return Ok(pause);
        }
        self.pipeline.ledger.fail(quota.clone(), pause).await
    }

    /// Records a request that succeeded.
    pub(super) async fn succeeded(&self, quota: Option<&Quota>) -> Result<(), Error> {
        self.outage.ended();
        self.unused(quota).await
    }

    /// Gives back a permit whose request is not made, because its images belong to others now. The only permits
    /// during an outage are trials, and none of another process is granted before the result of this one is known or
    /// its time is over, which is a minute: without a result the outage ends.
    pub(super) async fn unused(&self, quota: Option<&Quota>) -> Result<(), Error> {
        match quota {
            Some(quota) if self.is_failing(quota, false) => {
                self.pipeline.ledger.end_outage(quota.clone()).await
            }
            _ => Ok(()),
        }
    }

    /// Sets whether an operation fails. Returns whether it did.
    fn is_failing(&self, quota: &Quota, fails: bool) -> bool {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failing.len();
        failing.retain(|operation| *operation != quota.operation);
        let failed = failing.len() < count;
        if fails {
            failing.push(quota.operation.clone());
        }
        failed
    }

    pub(super) async fn slow_down(
        &self,
        quota: Option<&Quota>,
        pause: Duration,
    ) -> Result<(), Error> {
        if let Some(quota) = quota {
            return self.pipeline.ledger.slow_down(quota.clone(), pause).await;
        }
        sleep(pause).await;
        Ok(())
    }
}

/// Images that were sent, until the response is recorded.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    shared: &'a Shared,
    images: usize,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        let unrecorded = &self.shared.unrecorded;
        unrecorded.fetch_sub(self.images, Ordering::AcqRel);
    }
}
