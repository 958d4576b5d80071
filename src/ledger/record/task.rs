//! Tasks of the service, and images without a known one.

use std::{ops::Range, time::SystemTime};

use super::claim::NextStep;
use crate::{ids::TaskId, ledger::key::Key};

/// A task that is due to be polled.
///
/// ```
/// # use std::time::Duration;
/// # use greenlight::ledger::Key;
/// use std::time::SystemTime;
/// use greenlight::{TaskId, ledger::Poll};
///
/// /// Returns the tasks whose results the service still has.
/// fn task_ids(due: &[Poll], now: SystemTime) -> Vec<TaskId> {
///     due.iter().filter(|poll| now < poll.expires_at).map(|poll| poll.task_id.clone()).collect()
/// }
///
/// # let key = Key::from_bytes([1; 32]);
/// let (task, now) = (TaskId::parse("img-1")?, SystemTime::now());
/// let due = [Poll::new(key, task.clone(), now..now + Duration::from_secs(3_600))];
/// assert_eq!(task_ids(&due, now), [task]);
/// assert!(task_ids(&due, now + Duration::from_secs(3_600)).is_empty());
/// # Ok::<(), greenlight::InvalidId>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The key of the image.
    pub key: Key,
    /// The id of the task.
    pub task_id: TaskId,
    /// Failed attempts since the image was accepted.
    pub attempts: u32,
    /// When the image was submitted.
    pub submitted_at: SystemTime,
    /// When the service discards the result.
    pub expires_at: SystemTime,
}

impl Poll {
    /// Returns a task without failed attempts. `lifetime` is the time from its submission to the
    /// expiry of its result.
    pub const fn new(key: Key, task_id: TaskId, lifetime: Range<SystemTime>) -> Self {
        Self {
            key,
            task_id,
            attempts: 0,
            submitted_at: lifetime.start,
            expires_at: lifetime.end,
        }
    }
}

/// The state of a task according to a poll or a callback.
///
/// ```
/// # #[cfg(feature = "client")]
/// # fn main() -> Result<(), greenlight::Error> {
/// use greenlight::{green::{TaskReport, callback}, ledger::{Key, TaskUpdate, Update}};
///
/// /// Converts a callback. A `dataId` that is the image's key identifies the image even if the
/// /// response with its task id was lost.
/// fn update(report: &TaskReport) -> Option<TaskUpdate> {
///     let outcome = serde_json::to_string(report.outcome()?).ok()?;
///     let key = report.data_id().and_then(|id| Key::parse(id.as_str()));
///     let update = Update::Decided(outcome);
///     Some(TaskUpdate { task_id: report.task_id().clone(), key, update })
/// }
///
/// let key = Key::from_bytes([7; 32]);
/// let content = format!(
///     r#"{{"code": 200, "taskId": "img-1", "dataId": "{key}",
///         "results": [{{"scene": "porn", "suggestion": "pass"}}]}}"#
/// );
/// let update = update(&callback::parse(content.as_bytes())?).expect("the task is done");
/// assert_eq!((update.task_id.as_str(), update.key), ("img-1", Some(key)));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "client"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskUpdate {
    /// The id of the task.
    pub task_id: TaskId,
    /// The key of the image, if the message contains it. It identifies the image even if the
    /// response with the task id was lost.
    pub key: Option<Key>,
    /// The new state of the task.
    pub update: Update,
}

/// The new state of a task.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use greenlight::{green::TaskState, ledger::{NextStep, Reason, Update}};
///
/// /// Converts the result of a poll.
/// fn update(state: &TaskState, now: SystemTime) -> Update {
///     match state {
///         TaskState::Done(outcome) => {
///             Update::Decided(serde_json::to_string(outcome).expect("an outcome has text keys"))
///         }
///         TaskState::Failed(refusal) => Update::Failed(NextStep::Dead(Reason {
///             class: format!("task/{}", refusal.code()),
///             message: refusal.message().to_owned(),
///         })),
///         TaskState::Expired => Update::Expired,
///         _ => Update::Processing { poll_at: now + Duration::from_secs(5) },
///     }
/// }
///
/// assert_eq!(update(&TaskState::Expired, SystemTime::UNIX_EPOCH), Update::Expired);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The task is still running.
    Processing {
        /// When to poll again.
        poll_at: SystemTime,
    },
    /// The task completed with this outcome, as JSON text.
    Decided(String),
    /// The task failed. Scanning the image again is billed again.
    Failed(NextStep),
    /// The service no longer has the result. The image is submitted once more; if its result
    /// expires again, it is dead with the class [`EXPIRED_CLASS`].
    Expired,
}

/// The class of images whose results expired twice.
pub const EXPIRED_CLASS: &str = "task/expired";

/// The counts of [`Ledger::recover`](crate::ledger::Ledger::recover).
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::SystemTime;
/// use greenlight::{Scene, ledger::{Ledger, Recovered, Resubmit, Scope, SqliteLedger}};
///
/// let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&[Scene::Porn]);
/// let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// // At the start, and then every minute.
/// let recovered = ledger.recover(Resubmit::WhenSettled, SystemTime::now()).await?;
/// assert_eq!(recovered, Recovered::default()); // no request was without a response
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Images that became uncertain.
    pub uncertain: u64,
    /// Uncertain images that are due to be submitted again.
    pub resubmitted: u64,
}
