//! A run: its stages, its end, and what it delivers.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, watch},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};

use super::{
    Line, Pipeline, Step, clock, files, intake,
    outage::{Outage, OutageWatch},
    polling, probing,
    progress::{Counters, Progress},
    submitting,
};
use crate::{
    error::{Error, ErrorKind},
    ledger::{DeliveryId, Key, Permit, Quota, Reason, Resubmit, State, Undelivered},
    verdict::Verdict,
};

/// How often a stage that found nothing looks again: another process may have put something there.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How often unanswered images are settled, and the end is looked for.
const SETTLE_EVERY: Duration = Duration::from_millis(250);

/// How many outcomes are handed out at a time.
const DELIVERY: usize = 500;

/// A pipeline at work. It gives outcomes as they come; see [`next`](Self::next).
///
/// Dropping it ends it as a crash would: nothing is lost, but what was held is held until its lease
/// ends. [`Stopper::stop`] ends it in good order.
#[derive(Debug)]
pub struct Run {
    shared: Arc<Shared>,
    stages: JoinSet<Result<(), Error>>,
    handed_out: Option<DeliveryId>,
    /// Up to which row outcomes were handed out in order.
    read_through: i64,
    failure: Option<Error>,
}

/// What the stages share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pipeline: Pipeline,
    pub(super) counters: Counters,
    halt: watch::Sender<bool>,
    pub(super) to_probe: Notify,
    pub(super) to_submit: Notify,
    pub(super) to_poll: Notify,
    pub(super) to_deliver: Notify,
    pub(super) intake_done: AtomicBool,
    pub(super) outage: OutageWatch,
    pub(super) upload_outage: OutageWatch,
    /// How many files are uploaded at a time.
    pub(super) uploads: Semaphore,
    /// How many files are judged at a time: one for each processor.
    readers: Semaphore,
}

/// Ends a run in good order, from elsewhere.
#[derive(Clone, Debug)]
pub struct Stopper {
    shared: Arc<Shared>,
}

impl Stopper {
    /// Takes up nothing more, finishes what was sent, and saves the rest: the run's
    /// [`next`](Run::next) then comes to its end.
    pub fn stop(&self) {
        self.shared.stop();
    }
}

impl Shared {
    fn stop(&self) {
        self.halt.send_replace(true);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.halt.borrow()
    }

    /// Waits until the run is to stop.
    pub(super) async fn stopped(&self) {
        let mut halt = self.halt.subscribe();
        // The sender lives as long as `self`.
        drop(halt.wait_for(|halt| *halt).await);
    }

    pub(super) fn reach(&self, step: Step) {
        self.pipeline.reach(step);
    }

    /// Waits for its turn under a rate. Says whether it came before the run was stopped.
    pub(super) async fn permit(&self, quota: Option<&Quota>, cost: u32) -> Result<bool, Error> {
        let Some(quota) = quota else {
            return Ok(!self.is_stopping());
        };
        let cost = cost.min(quota.limit.burst);
        while !self.is_stopping() {
            match self.pipeline.ledger.permit(quota.clone(), cost).await? {
                Permit::Granted => return Ok(true),
                Permit::Wait(wait) => {
                    // Woken by the end of the run, else when the time has come.
                    drop(timeout(wait, self.stopped()).await);
                }
            }
        }
        Ok(false)
    }

    /// Judges the bytes of a file, as long as they are those of the image of this key.
    pub(super) async fn judge_file(
        &self,
        path: PathBuf,
        key: Key,
    ) -> Result<(Verdict, [u8; 32]), Reason> {
        let _turn = self.readers.acquire().await.expect("it is never closed");
        let pipeline = &self.pipeline;
        let (depth, requirements) = (pipeline.probe.depth(), pipeline.settings.requirements);
        let look = move || files::look(&path, depth, &requirements);
        let looked = match tokio::task::spawn_blocking(look).await {
            Ok(looked) => looked?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        match looked.sha256 {
            Some(sha256) if Key::of_content(&pipeline.scope, &sha256) == key => {
                Ok((looked.verdict, sha256))
            }
            _ => Err(files::changed()),
        }
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

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Run {
    pub(super) fn start(
        pipeline: Pipeline,
        lines: Option<Box<dyn Iterator<Item = Line> + Send>>,
    ) -> Self {
        let uploads = pipeline.settings.uploads;
        let shared = Arc::new(Shared {
            pipeline,
            counters: Counters::default(),
            halt: watch::Sender::new(false),
            to_probe: Notify::new(),
            to_submit: Notify::new(),
            to_poll: Notify::new(),
            to_deliver: Notify::new(),
            intake_done: AtomicBool::new(lines.is_none()),
            outage: OutageWatch::default(),
            upload_outage: OutageWatch::default(),
            uploads: Semaphore::new(uploads),
            readers: Semaphore::new(processors()),
        });
        let mut stages = JoinSet::new();
        if let Some(lines) = lines {
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
        }
    }

    /// Waits for outcomes, one for each source, rejections and failures included; `None` when
    /// everything is done, or as much as there was when the run was stopped.
    ///
    /// They come once in a run, and again in the next unless they are
    /// [acknowledged](Self::acknowledge). If the future is dropped, nothing is lost.
    ///
    /// # Errors
    ///
    /// When the run cannot go on: the ledger fails, or the service refuses everything. It is given
    /// once all that was sent is recorded.
    pub async fn next(&mut self) -> Result<Option<Vec<Undelivered>>, Error> {
        loop {
            // Asked first: what the stages did before their end is then in the outbox.
            let is_done = self.stages.is_empty();
            let ledger = &self.shared.pipeline.ledger;
            let outcomes = ledger.undelivered(self.handed_out, DELIVERY).await?;
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

    /// As [`next`](Self::next), in the order of the sources: an outcome waits for those of all
    /// sources before it, in the ledger and not in memory. Of one that was acknowledged before the
    /// run nothing comes. When the run was stopped, what stands behind an image that is not done
    /// stays for the next run.
    ///
    /// Not to be mixed with [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub async fn next_in_order(&mut self) -> Result<Option<Vec<Undelivered>>, Error> {
        loop {
            // Asked first: what the stages did before their end is then in the ledger.
            let is_done = self.stages.is_empty();
            let ledger = &self.shared.pipeline.ledger;
            let read = ledger.ordered(self.read_through, DELIVERY).await?;
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

    /// Waits until there may be something new.
    async fn wait(&mut self) {
        tokio::select! {
            ended = self.stages.join_next() => self.note(ended),
            () = self.shared.to_deliver.notified() => {}
            () = sleep(LOOK_AGAIN) => {}
        }
    }

    fn note(&mut self, ended: Option<Result<Result<(), Error>, JoinError>>) {
        let failure = match ended {
            None | Some(Ok(Ok(()))) => return,
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => match error.try_into_panic() {
                Ok(panicked) => std::panic::resume_unwind(panicked),
                Err(_cancelled) => Error::new(ErrorKind::Io, "the runtime is shutting down"),
            },
        };
        // Others that fail after it mostly fail for the same reason.
        self.failure.get_or_insert(failure);
        self.shared.stop();
    }

    /// Says that the consumer has these outcomes safely.
    ///
    /// # Errors
    ///
    /// When the ledger fails; they come again then.
    pub async fn acknowledge(&self, outcomes: &[Undelivered]) -> Result<(), Error> {
        let ids = outcomes.iter().map(|outcome| outcome.id).collect();
        self.shared.reach(Step::BeforeAcknowledge);
        let ledger = &self.shared.pipeline.ledger;
        ledger.acknowledge(ids, clock::now()).await?;
        self.shared.reach(Step::AfterAcknowledge);
        self.shared.counters.delivered.add(outcomes.len());
        Ok(())
    }

    /// What the run has done so far.
    pub fn progress(&self) -> Progress {
        self.shared.counters.read()
    }

    /// What keeps the service from doing what it is asked, if its last answer was no success: of
    /// submitting and asking for results, else of uploading.
    pub fn outage(&self) -> Option<Outage> {
        let shared = &self.shared;
        shared.outage.read().or_else(|| shared.upload_outage.read())
    }

    /// Whether every line of the list is noted. If not, the next run must be given the list again,
    /// and finds what is noted already.
    pub fn has_read_all(&self) -> bool {
        self.shared.intake_done.load(Ordering::Acquire)
    }

    /// What ends it in good order.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// Settles what nobody answered for, and ends the run when nothing is left to do.
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
        // Asked first: what the intake noted before its end is then in the backlog.
        let intake_done = shared.intake_done.load(Ordering::Acquire);
        let waits = |state: State| state != State::Uncertain || resubmit == Resubmit::WhenSettled;
        let backlog = ledger.backlog().await?;
        if intake_done && !backlog.due.iter().any(|&(state, _)| waits(state)) {
            shared.stop();
        }
        drop(timeout(SETTLE_EVERY, shared.stopped()).await);
    }
    Ok(())
}
