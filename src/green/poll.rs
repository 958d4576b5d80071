//! Waiting for outcomes.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{
    api::Api,
    clock,
    ids::TaskId,
    refusal::Refusal,
    report::{TaskReport, TaskState},
    scene::Scene,
    submission::Submission,
    terms::{PollConfig, poll_delay},
};
use crate::error::{Error, Retry};

/// Polls tasks and returns their results one by one as they arrive.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{ImageUrl, green::{Batch, Client, Credentials, Secret, Task}};
/// # let sandbox = greenlight::sandbox::Sandbox::start().await?;
/// # let key = sandbox.credentials();
/// # let key = Credentials::new(key.id(), Secret::new(key.secret()));
/// # let client = Client::builder().endpoint(&sandbox.endpoint()).credentials(key);
/// # let client = client.poll_interval(std::time::Duration::from_millis(20)).build()?;
/// # let task = Task::unchecked(ImageUrl::parse("https://images.example/a.png")?);
/// # let submission = client.submit(Batch::new([task])?, &[Scene::Porn]).await?;
/// use greenlight::{Scene, TaskId, green::{OutcomeDecision, TaskState}};
///
/// let stored: Vec<TaskId> = submission.task_ids().cloned().collect(); // in a database
/// let mut watch = client.watch(stored.clone()).with_scenes(&[Scene::Porn]);
/// let mut passed = Vec::new();
/// while let Some(report) = watch.next().await? {
///     match report.state() {
///         TaskState::Done(outcome) if outcome.decision() == OutcomeDecision::Pass => {
///             passed.push(report.task_id().clone());
///         }
///         state => println!("{}: {state:?}", report.task_id()),
///     }
/// }
/// assert_eq!(passed, stored);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Watch {
    api: Arc<dyn Api>,
    config: PollConfig,
    /// The requested scenes; empty if unknown.
    scenes: Vec<Scene>,
    /// Tasks that are not final, in polling order.
    open: VecDeque<TaskId>,
    /// The last temporary refusals of tasks in `open`.
    refused: HashMap<TaskId, Refusal>,
    /// The number of `open` tasks that are not polled yet in this round.
    left_in_round: usize,
    /// Final reports that were not returned yet.
    ready: VecDeque<TaskReport>,
    next_round: Instant,
    /// Since when the service knows the tasks, as far as it is known.
    taken: Instant,
    end: Instant,
    /// Since when polls fail.
    failing_since: Option<Instant>,
}

impl Watch {
    pub(super) fn new(
        api: Arc<dyn Api>,
        config: &PollConfig,
        tasks: impl IntoIterator<Item = TaskId>,
        taken: Instant,
    ) -> Self {
        // A repeated id would count twice in a request with at most 100, and be returned once.
        let mut seen = HashSet::new();
        let open: VecDeque<_> = tasks
            .into_iter()
            .filter(|id| seen.insert(id.clone()))
            .collect();
        Self {
            api,
            scenes: Vec::new(),
            left_in_round: open.len(),
            open,
            refused: HashMap::new(),
            ready: VecDeque::new(),
            next_round: clock::after(taken, config.interval),
            taken,
            end: clock::after(taken, config.limit),
            failing_since: None,
            config: config.clone(),
        }
    }

    /// Watches the accepted tasks of a submission through either API, at the intervals of its
    /// [`Terms`](super::Terms).
    pub fn from_submission(api: Arc<dyn Api>, submission: &Submission) -> Self {
        let config = PollConfig::of(&api.terms());
        let tasks = submission.task_ids().cloned();
        Self::new(api, &config, tasks, submission.taken()).with_scenes(submission.scenes())
    }

    /// Sets the delay before the first poll, and the shortest between polls.
    #[must_use]
    pub fn with_poll_interval(mut self, time: Duration) -> Self {
        self.config.interval = time;
        self.next_round = clock::after(self.taken, time);
        self
    }

    /// Waits for every accepted task of a submission.
    pub(super) async fn wait(
        api: Arc<dyn Api>,
        config: &PollConfig,
        submission: &Submission,
    ) -> Result<Vec<TaskReport>, Error> {
        let tasks = submission.task_ids().cloned();
        let mut watch =
            Self::new(api, config, tasks, submission.taken()).with_scenes(submission.scenes());
        let mut reports = Vec::with_capacity(watch.open.len());
        while let Some(report) = watch.next().await? {
            reports.push(report);
        }
        Ok(reports)
    }

    /// The time for which polling errors are tolerated; the service keeps results meanwhile.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// Sets the requested scenes: an outcome that lacks one of them is not a pass.
    #[must_use]
    pub fn with_scenes(mut self, scenes: &[Scene]) -> Self {
        self.scenes = scenes.to_vec();
        self
    }

    /// Waits for the next task to be final, or for the time limit; `None` when every task was
    /// returned.
    ///
    /// Cancel safe: if the future is dropped, the next call continues.
    ///
    /// # Errors
    ///
    /// When polling failed and another attempt will not help. Tasks that were not returned stay
    /// watched.
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
                self.next_round = self.after_a_delay(clock::instant());
            }
            // No further round fits: the tasks get their last state at the end, not earlier.
            if self.next_round >= self.end {
                sleep_until(self.end.min(self.next_round)).await;
                self.give_up();
                continue;
            }
            sleep_until(self.next_round).await;
            self.ask().await?;
        }
    }

    /// Polls as many tasks as one request may have.
    async fn ask(&mut self) -> Result<(), Error> {
        let count = self.left_in_round.min(self.api.terms().max_results);
        let ids: Vec<TaskId> = self.open.iter().take(count).cloned().collect();
        let reports = match self.api.results(&ids).await {
            Ok(reports) => {
                self.failing_since = None;
                reports
            }
            Err(error) => {
                let now = clock::instant();
                let since = *self.failing_since.get_or_insert(now);
                let passing = matches!(error.retry(), Retry::After(_))
                    && now.duration_since(since) < Self::PATIENCE;
                // The state is complete before the error is returned, so the caller may call `next`
                // again.
                if !passing {
                    self.failing_since = None;
                    self.next_round = self.after_a_delay(now);
                    return Err(error);
                }
                Vec::new()
            }
        };
        // A failed poll does not show which tasks the service knows.
        let was_answered = self.failing_since.is_none();
        // After a tolerated failure too: the next request is about the tasks that were not polled.
        self.left_in_round = self.left_in_round.saturating_sub(count);
        let mut answered: HashSet<TaskId> = HashSet::with_capacity(reports.len());
        let known: HashSet<TaskId> = reports.iter().map(|one| one.task_id().clone()).collect();
        for report in reports {
            match report.state() {
                // Kept for `give_up`: it explains more than "still processing".
                TaskState::Failed(refusal) if refusal.is_temporary() => {
                    self.refused
                        .insert(report.task_id().clone(), refusal.clone());
                }
                _ => {
                    self.refused.remove(report.task_id());
                }
            }
            if report.state().is_final() && answered.insert(report.task_id().clone()) {
                self.ready.push_back(report.require_scenes(&self.scenes));
            }
        }
        let lost_at = clock::after(self.taken, self.config.missing_for);
        // 2.0 reports a task that it does not know yet like one that it forgot, so age decides.
        let is_lost = was_answered && clock::instant() >= lost_at;
        // Open tasks move to the end: they are polled in the next round.
        for id in self.open.drain(..count).collect::<Vec<_>>() {
            if answered.contains(&id) {
                continue;
            }
            if is_lost && !known.contains(&id) {
                let lost = TaskReport::new(id, None, TaskState::Expired);
                self.ready.push_back(lost);
            } else {
                self.open.push_back(id);
            }
        }
        Ok(())
    }

    fn after_a_delay(&self, now: Instant) -> Instant {
        let age = now.duration_since(self.taken);
        let PollConfig {
            interval,
            max_interval,
            ..
        } = self.config;
        clock::after(now, poll_delay(age, interval, max_interval))
    }

    fn give_up(&mut self) {
        // With a shorter limit the service still has the results.
        let expired = self.config.limit >= self.config.kept;
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
