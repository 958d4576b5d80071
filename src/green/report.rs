//! The state of a task while its outcome is awaited.

use serde::{Deserialize, Serialize};

use super::{
    ids::{DataId, TaskId},
    outcome::Outcome,
    refusal::Refusal,
    scene::Scene,
};

/// The state of a task, with its ids. It can be stored and read again.
///
/// ```
/// use greenlight::{Scene, green::{TaskReport, callback}};
///
/// let content = br#"{"code": 200, "taskId": "img-1", "results":
///     [{"scene": "porn", "label": "normal", "suggestion": "pass", "rate": 99.9}]}"#;
/// let report: TaskReport = callback::parse(content)?;
/// assert_eq!(report.task_id().as_str(), "img-1");
/// assert!(report.state().is_final());
/// let stored = serde_json::to_string(&report).expect("it is JSON");
/// assert_eq!(serde_json::from_str::<TaskReport>(&stored).expect("it was stored"), report);
/// let outcome = report.require_scenes(&[Scene::Porn]).outcome().cloned();
/// assert_eq!(outcome.expect("the task is done").decision().name(), "pass");
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    task_id: TaskId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_id: Option<DataId>,
    state: TaskState,
}

/// The state of a task.
///
/// ```
/// use greenlight::green::{TaskState, callback};
///
/// let report = callback::parse(br#"{"code": 404, "msg": "not found", "taskId": "img-1"}"#)?;
/// match report.state() {
///     TaskState::Done(outcome) => println!("{}", outcome.decision()),
///     TaskState::Failed(refusal) => assert_eq!(refusal.code(), 404),
///     TaskState::Processing => println!("poll again later"),
///     other => println!("submit the image again: {other:?}"),
/// }
/// # Ok::<(), greenlight::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Not done yet (280).
    Processing,
    /// Done.
    Done(Outcome),
    /// The service could not scan the image; or, with a temporary code (in 1.0: 500, 503, 580, 581,
    /// 585, 588, 591), cannot say yet whether it did.
    Failed(Refusal),
    /// The service no longer has the result (594 in 1.0), or it was not fetched in time.
    Expired,
}

impl TaskState {
    /// Whether another poll cannot change it.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Processing => false,
            // The outcome was paid for, and a later poll may bring it.
            Self::Failed(refusal) => !refusal.is_temporary(),
            Self::Done(_) | Self::Expired => true,
        }
    }
}

impl TaskReport {
    pub(super) const fn new(task_id: TaskId, data_id: Option<DataId>, state: TaskState) -> Self {
        Self {
            task_id,
            data_id,
            state,
        }
    }

    /// Downgrades a pass unless each of these scenes has a result: [`Outcome::require_scenes`].
    #[must_use]
    pub fn require_scenes(mut self, scenes: &[Scene]) -> Self {
        if let TaskState::Done(outcome) = self.state {
            self.state = TaskState::Done(outcome.require_scenes(scenes));
        }
        self
    }

    /// The task's id.
    pub const fn task_id(&self) -> &TaskId {
        &self.task_id
    }

    /// The task's name, as the service repeats it.
    pub const fn data_id(&self) -> Option<&DataId> {
        self.data_id.as_ref()
    }

    /// The state of the task.
    pub const fn state(&self) -> &TaskState {
        &self.state
    }

    /// The state of the task, without its ids.
    pub fn into_state(self) -> TaskState {
        self.state
    }

    /// The outcome, if the task is done.
    pub const fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            TaskState::Done(outcome) => Some(outcome),
            _ => None,
        }
    }
}
