//! Waiting for outcomes.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{
    client::Client,
    clock,
    ids::TaskId,
    refusal::Refusal,
    report::{TaskReport, TaskState},
    scene::Scene,
    submission::Submission,
};
use crate::error::{Error, Retry};

/// When results are asked for.
#[derive(Clone, Debug)]
pub(super) struct Rhythm {
    /// Before the first request and between requests.
    pub(super) interval: Duration,
    /// How long is waited in all.
    pub(super) limit: Duration,
}

impl Rhythm {
    /// How long the service keeps results (asynchronous moderation page, 2026-03).
    pub(super) const KEPT: Duration = Duration::from_secs(60 * 60);
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            limit: Self::KEPT,
        }
    }
}

/// Tasks whose outcomes are waited for, and given one by one as they arrive.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    /// What the tasks were submitted for; empty if that is not known.
    scenes: Vec<Scene>,
    /// Those not yet final, in the order in which they are asked for.
    open: VecDeque<TaskId>,
    /// The last refusals of those in `open` that the service could not speak of yet.
    refused: HashMap<TaskId, Refusal>,
    /// How many of `open` are still to be asked for in this round.
    left_in_round: usize,
    /// Those that arrived and were not given yet.
    ready: VecDeque<TaskReport>,
    next_round: Instant,
    end: Instant,
    /// Since when the service cannot be asked.
    failing_since: Option<Instant>,
}

impl Client {
    /// Waits for the outcome of every task of a submission that was taken.
    ///
    /// There is no report of a task that was refused, or that the answer to the submission left
    /// out: look at [`Submission::entries`] for those, or they are missed in silence.
    ///
    /// The first question comes five seconds after the submission, the next each five seconds later
    /// ([`poll_interval`](super::ClientBuilder::poll_interval)), a hundred tasks in one request. A task
    /// that is not final in time is reported as it is known: as still processing, with its
    /// last refusal if that was one that passes, or as expired once the service no longer keeps
    /// results.
    ///
    /// # Errors
    ///
    /// When the service could not be asked any more, even after repetitions. The outcomes fetched
    /// so far are lost to the caller; [`watch`](Self::watch) gives each as it arrives.
    pub async fn wait(&self, submission: &Submission) -> Result<Vec<TaskReport>, Error> {
        let mut watch = self
            .watch_since(submission.task_ids().cloned(), submission.taken())
            .for_scenes(submission.scenes());
        let mut reports = Vec::with_capacity(watch.open.len());
        while let Some(report) = watch.next().await? {
            reports.push(report);
        }
        Ok(reports)
    }

    /// Watches tasks. The time they are kept for is counted from now.
    pub fn watch(&self, tasks: impl IntoIterator<Item = TaskId>) -> Watch {
        self.watch_since(tasks, clock::instant())
    }

    fn watch_since(&self, tasks: impl IntoIterator<Item = TaskId>, taken: Instant) -> Watch {
        let mut seen = HashSet::new();
        let open: VecDeque<_> = tasks
            .into_iter()
            .filter(|id| seen.insert(id.clone()))
            .collect();
        Watch {
            client: self.clone(),
            scenes: Vec::new(),
            left_in_round: open.len(),
            open,
            refused: HashMap::new(),
            ready: VecDeque::new(),
            next_round: clock::after(taken, self.rhythm().interval),
            end: clock::after(taken, self.rhythm().limit),
            failing_since: None,
        }
    }
}

impl Watch {
    /// How long an outage is borne, since the results are kept meanwhile.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// Says what the tasks were submitted for: an outcome that lacks one of these scenes is not a
    /// pass.
    #[must_use]
    pub fn for_scenes(mut self, scenes: &[Scene]) -> Self {
        self.scenes = scenes.to_vec();
        self
    }

    /// Waits for the next task to be final, or for the end of the time for waiting; `None` when
    /// every task was given.
    ///
    /// If the future is dropped, nothing is lost: the next call goes on.
    ///
    /// # Errors
    ///
    /// When the service could not be asked, and asking again will not help. Tasks not yet given
    /// stay watched.
    pub async fn next(&mut self) -> Result<Option<TaskReport>, Error> {
        loop {
            if let Some(report) = self.ready.pop_front() {
                return Ok(Some(report));
            }
            if self.open.is_empty() {
                return Ok(None);
            }
            if self.left_in_round == 0 {
                self.left_in_round = self.open.len();
                self.next_round = clock::after(clock::instant(), self.client.rhythm().interval);
            }
            if self.next_round >= self.end {
                sleep_until(self.end.min(self.next_round)).await;
                self.give_up();
                continue;
            }
            sleep_until(self.next_round).await;
            self.ask().await?;
        }
    }

    /// Asks for one request's worth of tasks.
    async fn ask(&mut self) -> Result<(), Error> {
        let count = self.left_in_round.min(Client::MAX_RESULTS);
        let ids: Vec<TaskId> = self.open.iter().take(count).cloned().collect();
        let reports = match self.client.results(&ids).await {
            Ok(reports) => {
                self.failing_since = None;
                reports
            }
            Err(error) => {
                let now = clock::instant();
                let since = *self.failing_since.get_or_insert(now);
                let passing = matches!(error.retry(), Retry::After(_))
                    && now.duration_since(since) < Self::PATIENCE;
                if !passing {
                    self.failing_since = None;
                    self.next_round = clock::after(now, self.client.rhythm().interval);
                    return Err(error);
                }
                Vec::new()
            }
        };
        self.left_in_round = self.left_in_round.saturating_sub(count);
        let mut answered: HashSet<TaskId> = HashSet::with_capacity(reports.len());
        for report in reports {
            match report.state() {
                TaskState::Failed(refusal) if refusal.is_temporary() => {
                    self.refused
                        .insert(report.task_id().clone(), refusal.clone());
                }
                _ => {
                    self.refused.remove(report.task_id());
                }
            }
            if report.state().is_final() && answered.insert(report.task_id().clone()) {
                self.ready.push_back(report.held_against(&self.scenes));
            }
        }
        // Those that stay open go to the end: they are asked for in the next round.
        for id in self.open.drain(..count).collect::<Vec<_>>() {
            if !answered.contains(&id) {
                self.open.push_back(id);
            }
        }
        Ok(())
    }

    fn give_up(&mut self) {
        let expired = self.client.rhythm().limit >= Rhythm::KEPT;
        for id in self.open.drain(..) {
            let state = match self.refused.remove(&id) {
                Some(refusal) => TaskState::Failed(refusal),
                None if expired => TaskState::Expired,
                None => TaskState::Processing,
            };
            self.ready.push_back(TaskReport::new(id, None, state));
        }
    }
}
