//! A run: its stages, its end, and what it delivers.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};

use super::{
    Line, Pipeline, Step, clock, intake,
    outage::Outage,
    polling, probing,
    progress::Progress,
    shared::{LOOK_AGAIN, Shared},
    submitting,
};
use crate::{
    error::Error,
    ledger::{DeliveryId, Resubmit, State, Undelivered},
    spawned::joined,
};

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

impl Run {
    pub(super) fn start(
        pipeline: Pipeline,
        lines: Option<Box<dyn Iterator<Item = Line> + Send>>,
    ) -> Self {
        let shared = Arc::new(Shared::new(pipeline, lines.is_none()));
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
            self.read_through = self.read_through.min(self.shared.take_again());
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

    /// Waits for the end of the run and delivers nothing: outcomes stay in the ledger, for a run that
    /// prints them. Cancel safe.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub async fn finish(&mut self) -> Result<(), Error> {
        while !self.stages.is_empty() {
            self.wait().await;
        }
        self.failure.take().map_or(Ok(()), Err)
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
        let Some(Err(failure)) = ended.map(|ended| joined(ended).flatten()) else {
            return;
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
