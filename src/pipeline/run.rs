//! A run: starts the stages, delivers outcomes and detects the end.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinSet},
    time::sleep,
};

use super::{
    Line, Pipeline, Step,
    clock::{self, POLL_INTERVAL},
    intake,
    outage::Outage,
    polling, probing,
    progress::Progress,
    shared::Shared,
    submitting,
};
use crate::{
    error::Error,
    ledger::{DeliveryId, Ordered, Resubmit, State, Undelivered},
    spawned::joined,
};

/// Interval of settling images without a response and of checking whether the run is complete.
const SETTLE_EVERY: Duration = Duration::from_millis(250);

/// Maximum number of outcomes per delivery.
const DELIVERY: usize = 500;

/// A running pipeline. [`next`](Self::next) returns outcomes as they become available.
///
/// Dropping it has the effect of a crash: nothing is lost, but claimed images stay claimed until
/// their leases end. [`Stopper::stop`] shuts it down gracefully.
///
/// ```
/// # #[cfg(feature = "ledger")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, green::{Client, Credentials, Secret}, ledger::*, probe::Probe};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let key = Credentials::new("LTAIexample", Secret::new("example"));
/// # let client = Client::builder().endpoint("http://127.0.0.1:1").credentials(key).build()?;
/// # let pipeline = Pipeline::new(client, Probe::new(), std::sync::Arc::new(ledger), scope);
/// use greenlight::{ledger::Source, pipeline::{Line, Pipeline, Subject}};
///
/// let line = Line {
///     subject: Subject::File("fixtures/images/png/empty.png".into()),
///     source: Source::default(),
/// };
/// let mut run = pipeline.start([line]);
/// while let Some(outcomes) = run.next().await? {
///     for outcome in &outcomes {
///         println!("{} {}", outcome.row.state, outcome.row.text());
///     }
///     run.acknowledge(&outcomes).await?;
/// }
/// assert_eq!(run.progress().rejected, 1); // an empty file is not submitted
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "ledger"))]
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Run {
    pub(super) shared: Arc<Shared>,
    stages: JoinSet<Result<(), Error>>,
    handed_out: Option<DeliveryId>,
    /// The last row that was read in order.
    read_through: i64,
    failure: Option<Error>,
    outbox: Reading<Vec<Undelivered>>,
    ordered: Reading<Ordered>,
}

/// A read of the outbox, and whether every stage had ended before it. It outlives a call that is
/// dropped, and the next call awaits it: a caller that does something else at intervals would
/// otherwise begin a slow read each time, and end none.
type Reading<T> = JoinSet<(bool, Result<T, Error>)>;

/// A handle that stops a run from another task or thread.
///
/// ```
/// # #[cfg(feature = "ledger")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, green::{Client, Credentials, Secret}, ledger::*, pipeline::*, probe::Probe};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let key = Credentials::new("LTAIexample", Secret::new("example"));
/// # let client = Client::builder().endpoint("http://127.0.0.1:1").credentials(key).build()?;
/// # let pipeline = Pipeline::new(client, Probe::new(), std::sync::Arc::new(ledger), scope);
/// let mut run = pipeline.open(); // it ends only when it is stopped
/// let stopper = run.stopper();
/// tokio::spawn(async move {
///     // Here a server awaits `tokio::signal::ctrl_c()`.
///     stopper.stop(); // images in flight are recorded first
/// });
/// while let Some(outcomes) = run.next().await? {
///     run.acknowledge(&outcomes).await?;
/// }
/// assert_eq!(run.progress().sent, 0);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "ledger"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Stopper {
    shared: Arc<Shared>,
}

impl Stopper {
    /// Shuts the run down: it claims no more images, awaits and records requests in flight, and
    /// releases other claims. [`Run::next`] then returns the remaining outcomes and `None`.
    pub fn stop(&self) {
        // The other stages record their requests in flight and end.
        self.shared.stop();
    }

    /// Returns how many images are in requests to submit of which no response is recorded. A run
    /// that is dropped now would submit them again later, and they may be billed twice.
    pub fn unrecorded(&self) -> usize {
        self.shared.unrecorded.load(Ordering::Acquire)
    }
}

/// What a run enqueues.
pub(super) enum Input {
    Nothing,
    Lines(Box<dyn Iterator<Item = Line> + Send>),
    /// What a [`Queue`](super::Queue) adds, without an end.
    Queue,
}

impl Run {
    pub(super) fn start(pipeline: Pipeline, input: Input) -> Self {
        // Never true of a queue, so that such a run ends only when it is stopped.
        let intake_done = matches!(input, Input::Nothing);
        let shared = Arc::new(Shared::new(pipeline, intake_done));
        let mut stages = JoinSet::new();
        if let Input::Lines(lines) = input {
            stages.spawn(intake::run(Arc::clone(&shared), lines));
        }
        stages.spawn(probing::run(Arc::clone(&shared)));
        stages.spawn(submitting::run(Arc::clone(&shared)));
        stages.spawn(polling::run(Arc::clone(&shared)));
        stages.spawn(settle(Arc::clone(&shared)));
        Self {
            shared,
            stages,
            handed_out: None,
            read_through: 0,
            failure: None,
            outbox: JoinSet::new(),
            ordered: JoinSet::new(),
        }
    }

    /// Waits for outcomes and returns them, one per source, including rejections and failures.
    /// Returns `None` when all work is done or the run was stopped.
    ///
    /// An outcome is returned once per run, and again in the next run unless it is
    /// [acknowledged](Self::acknowledge). Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns an error if the run cannot continue, because the ledger fails or the service rejects
    /// every request. It is returned after the results of all requests in flight are recorded.
    pub async fn next(&mut self) -> Result<Option<Vec<Undelivered>>, Error> {
        loop {
            let begin = || {
                // Read before the outbox, which then contains everything that the stages recorded.
                let is_done = self.stages.is_empty();
                let ledger = Arc::clone(&self.shared.pipeline.ledger);
                let after = self.handed_out;
                async move { (is_done, ledger.undelivered(after, DELIVERY).await) }
            };
            let (is_done, outcomes) = continue_read(&mut self.outbox, begin).await?;
            // Delivery ids grow, so those after the last one were not returned yet.
            if let Some(last) = outcomes.last() {
                self.handed_out = Some(last.id);
                return Ok(Some(outcomes));
            }
            if is_done {
                return self.failure.take().map_or(Ok(None), Err);
            }
            self.wait().await;
        }
    }

    /// Like [`next`](Self::next), but in the order of the sources: an outcome is returned after
    /// those of all earlier sources. It waits in the ledger, not in memory. Outcomes that were
    /// acknowledged before the run are omitted. If the run is stopped, outcomes after an unfinished
    /// image are left for the next run.
    ///
    /// Do not call both methods on one run.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`next`](Self::next).
    pub async fn next_in_order(&mut self) -> Result<Option<Vec<Undelivered>>, Error> {
        loop {
            let begin = || {
                // Read before the ledger, which then contains everything that the stages recorded.
                let is_done = self.stages.is_empty();
                let ledger = Arc::clone(&self.shared.pipeline.ledger);
                // A line that is delivered again has an earlier row number than those already read.
                self.read_through = self.read_through.min(self.shared.take_again());
                let after = self.read_through;
                async move { (is_done, ledger.ordered(after, DELIVERY).await) }
            };
            let (is_done, read) = continue_read(&mut self.ordered, begin).await?;
            let has_moved = read.through > self.read_through;
            self.read_through = read.through;
            if !read.outcomes.is_empty() {
                return Ok(Some(read.outcomes));
            }
            if has_moved {
                continue;
            }
            if is_done {
                return self.failure.take().map_or(Ok(None), Err);
            }
            self.wait().await;
        }
    }

    /// Waits for the end of the run without returning outcomes; they stay in the ledger for a later
    /// run. Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`next`](Self::next).
    pub async fn finish(&mut self) -> Result<(), Error> {
        while !self.stages.is_empty() {
            self.wait().await;
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Waits until there may be new outcomes or a stage has ended.
    async fn wait(&mut self) {
        tokio::select! {
            ended = self.stages.join_next() => self.note(ended),
            // Notifications are hints. Another process may add outcomes without one, hence the
            // interval.
            () = self.shared.to_deliver.notified() => {}
            () = sleep(POLL_INTERVAL) => {}
        }
    }

    fn note(&mut self, ended: Option<Result<Result<(), Error>, JoinError>>) {
        let Some(Err(failure)) = ended.map(|ended| joined(ended).flatten()) else {
            return;
        };
        // Later failures usually have the same cause.
        self.failure.get_or_insert(failure);
        self.shared.stop();
    }

    /// Records that the consumer has stored these outcomes.
    ///
    /// # Errors
    ///
    /// Returns an error if the ledger fails; the next run returns the outcomes again then.
    pub async fn acknowledge(&self, outcomes: &[Undelivered]) -> Result<(), Error> {
        let ids = outcomes.iter().map(|outcome| outcome.id).collect();
        self.shared.reach(Step::BeforeAcknowledge);
        let ledger = &self.shared.pipeline.ledger;
        ledger.acknowledge(ids, clock::now()).await?;
        self.shared.reach(Step::AfterAcknowledge);
        self.shared.counters.delivered.add(outcomes.len());
        Ok(())
    }

    /// Returns the counts of the run so far.
    pub fn progress(&self) -> Progress {
        self.shared.counters.read()
    }

    /// Returns the current outage of submissions and polls or else of uploads; `None` if the last
    /// requests succeeded.
    pub fn outage(&self) -> Option<Outage> {
        let shared = &self.shared;
        shared.outage.read().or_else(|| shared.upload_outage.read())
    }

    /// Returns whether every line of the list is in the ledger. If not, pass the list to the next
    /// run again; it skips lines that are recorded already.
    pub fn has_read_all(&self) -> bool {
        self.shared.intake_done.load(Ordering::Acquire)
    }

    /// Returns a handle that stops the run.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// Awaits the read that a dropped call has begun, or else begins one.
async fn continue_read<T, F>(
    reading: &mut Reading<T>,
    mut begin: impl FnMut() -> F,
) -> Result<(bool, T), Error>
where
    T: Send + 'static,
    F: Future<Output = (bool, Result<T, Error>)> + Send + 'static,
{
    loop {
        // `None` if there is none.
        if let Some(ended) = reading.join_next().await {
            let (is_done, found) = joined(ended)?;
            return Ok((is_done, found?));
        }
        reading.spawn(begin());
    }
}

/// Settles images without a response, and ends the run when no work is left.
async fn settle(shared: Arc<Shared>) -> Result<(), Error> {
    let ledger = &shared.pipeline.ledger;
    let resubmit = shared.pipeline.settings.resubmit;
    while !shared.is_stopping() {
        let recovered = ledger.recover(resubmit, clock::now()).await?;
        let resubmitted = usize::try_from(recovered.resubmitted).unwrap_or(usize::MAX);
        if resubmitted > 0 {
            shared.counters.resubmitted.add(resubmitted);
            shared.to_submit.notify_one();
        }
        // Read before the backlog, which then contains everything that the intake enqueued.
        let intake_done = shared.intake_done.load(Ordering::Acquire);
        // Without a new submission only a callback decides an uncertain image, and it may never
        // arrive: the run does not wait for it.
        let waits = |state: State| state != State::Uncertain || resubmit == Resubmit::WhenSettled;
        let backlog = ledger.backlog().await?;
        if intake_done && !backlog.due.iter().any(|&(state, _)| waits(state)) {
            shared.stop();
        }
        tokio::select! {
            () = shared.stopped() => {}
            () = shared.to_settle.notified() => {}
            () = sleep(SETTLE_EVERY) => {}
        }
    }
    Ok(())
}
