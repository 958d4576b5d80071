//! The polling stage fetches the results of submitted tasks.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{task::JoinSet, time::sleep};

use super::{
    Pipeline, Settings, Step,
    clock::{self, POLL_INTERVAL},
    failure::{self, RequestFailure},
    shared::Shared,
    trace,
};
use crate::{
    error::Error,
    green::{TaskReport, TaskState, poll_delay},
    ids::TaskId,
    ledger::{NextStep, Poll, TaskUpdate, Update},
    spawned::joined,
};

/// How long a task that is being polled is not polled by other processes.
const HOLD: Duration = Duration::from_secs(45);

/// The ledger is not read more often for due tasks, even if their interval is shorter.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(20);

pub(super) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let max = shared.pipeline.settings.requests;
    let interval = shared.pipeline.settings.poll_interval;
    let interval = interval.clamp(SHORTEST_INTERVAL, POLL_INTERVAL);
    let mut asking: JoinSet<Result<(), Error>> = JoinSet::new();
    let mut failure = None;
    let mut is_exhausted = false;
    while !shared.is_stopping() && failure.is_none() {
        if !is_exhausted && asking.len() < max {
            let ledger = &shared.pipeline.ledger;
            let max_results = shared.pipeline.settings.max_results;
            // For all free requests if each asks for one task, because each claim is a durable
            // write.
            let wanted = max_results.max(max - asking.len());
            let mut polls = ledger.due_polls(wanted, HOLD, clock::now()).await?;
            is_exhausted = polls.len() < wanted;
            if !polls.is_empty() {
                while !polls.is_empty() {
                    let left = polls.split_off(max_results.min(polls.len()));
                    asking.spawn(ask(
                        Arc::clone(&shared),
                        std::mem::replace(&mut polls, left),
                    ));
                }
                continue;
            }
        }
        tokio::select! {
            biased;
            () = shared.stopped() => {}
            Some(asked) = asking.join_next(), if !asking.is_empty() => {
                failure = joined(asked).flatten().err();
                if asking.is_empty() {
                    shared.to_settle.notify_one();
                }
            }
            () = shared.to_poll.notified() => is_exhausted = false,
            () = sleep(interval) => is_exhausted = false,
        }
    }
    // Not aborted: fetched outcomes are recorded before the run ends.
    while let Some(asked) = asking.join_next().await {
        failure = failure.or(asked.ok().and_then(Result::err));
    }
    failure.map_or(Ok(()), Err)
}

async fn ask(shared: Arc<Shared>, polls: Vec<Poll>) -> Result<(), Error> {
    let Pipeline { api, settings, .. } = &shared.pipeline;
    let quota = settings.query_quota.as_ref();
    // The run is stopped: other processes may poll these tasks immediately.
    if !shared.permit(quota, 1).await? {
        return postpone(&shared, polls, Duration::ZERO).await;
    }
    let ids: Vec<TaskId> = polls.iter().map(|poll| poll.task_id.clone()).collect();
    match api.results(&ids).await {
        Ok(reports) => {
            // Before the results are recorded, which may take long: other processes wait for the
            // end of the outage.
            shared.succeeded(quota).await?;
            let scenes = shared.pipeline.scenes();
            let held = reports
                .into_iter()
                .map(|report| report.require_scenes(scenes));
            record(&shared, &polls, &held.collect::<Vec<_>>()).await
        }
        Err(error) => match RequestFailure::of(&error) {
            // Unlike a submission, a poll may be repeated, because it changes nothing.
            RequestFailure::Unknown => {
                shared.outage.failed(&error);
                let pause = shared.failed(quota, Duration::from_secs(1)).await?;
                postpone(&shared, polls, pause).await
            }
            RequestFailure::Later { pause, slow } => {
                shared.outage.failed(&error);
                let pause = if slow {
                    let pause = shared.outage.pause().max(pause);
                    shared.slow_down(quota, pause).await?;
                    pause
                } else {
                    shared.failed(quota, pause).await?
                };
                postpone(&shared, polls, pause).await
            }
            RequestFailure::Content { .. } | RequestFailure::Hopeless => {
                // The error ends this run; the tasks stay due for the next one.
                postpone(&shared, polls, Duration::ZERO).await?;
                Err(error)
            }
        },
    }
}

/// Makes these tasks due again after `pause`.
async fn postpone(shared: &Shared, polls: Vec<Poll>, pause: Duration) -> Result<(), Error> {
    let now = clock::now();
    let poll_at = clock::after(now, pause);
    let updates = polls.into_iter().map(|poll| TaskUpdate {
        task_id: poll.task_id,
        // The ledger has the task id. Only a callback may be about a task whose id was lost.
        key: None,
        update: Update::Processing { poll_at },
    });
    let ledger = &shared.pipeline.ledger;
    ledger
        .record_outcomes(updates.collect(), now)
        .await
        .map(drop)
}

async fn record(shared: &Shared, polls: &[Poll], reports: &[TaskReport]) -> Result<(), Error> {
    let reports: HashMap<&str, &TaskReport> = reports
        .iter()
        .map(|report| (report.task_id().as_str(), report))
        .collect();
    let settings = &shared.pipeline.settings;
    let updates: Vec<TaskUpdate> = polls
        .iter()
        .map(|poll| TaskUpdate {
            task_id: poll.task_id.clone(),
            key: None,
            update: update(settings, poll, reports.get(poll.task_id.as_str()).copied()),
        })
        .collect();
    let count = |which: fn(&Update) -> bool| {
        updates
            .iter()
            .filter(|update| which(&update.update))
            .count()
    };
    let decided = count(|update| matches!(update, Update::Decided(_)));
    let expired = count(|update| matches!(update, Update::Expired));
    trace::polled(polls.len(), decided);
    shared.reach(Step::BeforeOutcomes);
    let ledger = &shared.pipeline.ledger;
    ledger.record_outcomes(updates, clock::now()).await?;
    shared.reach(Step::AfterOutcomes);
    shared.counters.decided.add(decided);
    shared.counters.expired.add(expired);
    // A failed task may be due again, and submitting may have waited for these results.
    shared.to_submit.notify_one();
    shared.to_deliver.notify_one();
    Ok(())
}

fn update(settings: &Settings, poll: &Poll, report: Option<&TaskReport>) -> Update {
    let now = clock::now();
    let known = report.and_then(|report| news(settings, report, poll.attempts));
    match (known, report) {
        (Some(update), _) => update,
        // A response that omits a task decides nothing until the result has expired.
        (None, None) if now > missing_until(settings, poll) => Update::Expired,
        (None, _) => Update::Processing {
            poll_at: clock::after(now, delay(settings, poll, now)),
        },
    }
}

/// Returns the delay before the next poll of a task. If the clock was set back, it is the shortest.
fn delay(settings: &Settings, poll: &Poll, now: SystemTime) -> Duration {
    let age = now.duration_since(poll.submitted_at).unwrap_or_default();
    poll_delay(age, settings.poll_interval, settings.max_poll_interval)
}

/// Returns when a task that is still missing from the results counts as expired.
fn missing_until(settings: &Settings, poll: &Poll) -> SystemTime {
    let missing = clock::after(poll.submitted_at, settings.missing_for);
    poll.expires_at.min(missing)
}

/// Returns the update of a callback; `None` if the task is still running.
pub(super) fn update_of(settings: &Settings, report: &TaskReport) -> Option<Update> {
    news(settings, report, 0)
}

fn news(settings: &Settings, report: &TaskReport, attempts: u32) -> Option<Update> {
    match report.state() {
        TaskState::Processing => None,
        TaskState::Expired => Some(Update::Expired),
        TaskState::Done(outcome) => {
            let outcome = serde_json::to_string(outcome).unwrap_or_default();
            Some(Update::Decided(outcome))
        }
        TaskState::Failed(refusal) => {
            match failure::of_refusal(settings, refusal, "task", attempts) {
                // The task is not final: it stays submitted and is polled again.
                None | Some(NextStep::Again { .. }) => None,
                Some(next) => Some(Update::Failed(next)),
            }
        }
    }
}
