//! What comes back: of a submission, and of a scan.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    ids::{DataId, RequestId, TaskId},
    retry::{Class, Effect},
    scene::{Scene, Suggestion},
    task::Batch,
    wire::{Envelope, Object},
};
use crate::{
    error::{Retry, harmless},
    image_url::ImageUrl,
};

/// The service's no to one task, apart from the answer to the whole request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    code: u16,
    message: String,
}

impl Refusal {
    pub(super) fn of(element: &Object) -> Self {
        Self {
            code: element.code().unwrap_or(0),
            message: harmless(
                element
                    .text("msg")
                    .or_else(|| element.text("message"))
                    .unwrap_or_default(),
                400,
            ),
        }
    }

    pub(super) fn unanswered(what: &str) -> Self {
        Self {
            code: 0,
            message: what.to_owned(),
        }
    }

    /// The service's code: 480, 588 and so on; 0 when the answer holds nothing about the task.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The service's words, made harmless to print.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same image may be submitted again: [`Retry::Ambiguous`] when the answer does not
    /// say whether the task was taken.
    pub fn retry(&self) -> Retry {
        match self.code {
            0 => Retry::Ambiguous,
            code => Class::of_service_code(code).verdict(Effect::Paid),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.message.as_str()) {
            (0, message) => f.write_str(message),
            (code, "") => write!(f, "{code}"),
            (code, message) => write!(f, "{code} {message}"),
        }
    }
}

/// The service's answer to a batch.
#[derive(Clone, Debug)]
pub struct Submission {
    request_id: Option<RequestId>,
    entries: Vec<Submitted>,
    strays: Vec<TaskId>,
}

/// What became of one task of a batch.
#[derive(Clone, Debug)]
pub struct Submitted {
    data_id: DataId,
    url: ImageUrl,
    result: Result<TaskId, Refusal>,
}

impl Submission {
    /// Joins the answer to the batch by dataId, or by URL where the answer names none; never by
    /// position, because the order of the answer is not documented.
    pub(super) fn join(batch: &Batch, envelope: &Envelope) -> Self {
        let mut found: HashMap<&str, Result<TaskId, Refusal>> = HashMap::new();
        let mut strays = Vec::new();
        for element in &envelope.data {
            let task_id = element.text("taskId").and_then(|id| TaskId::parse(id).ok());
            let entry = name_of(batch, element).filter(|name| !found.contains_key(name));
            match (entry, task_id) {
                (Some(name), Some(id)) => {
                    found.insert(name, Ok(id));
                }
                (Some(name), None) => {
                    found.insert(name, Err(refusal_of(element)));
                }
                (None, Some(id)) => strays.push(id),
                (None, None) => {}
            }
        }
        let entries = batch
            .tasks()
            .map(|(data_id, task)| Submitted {
                data_id: data_id.clone(),
                url: task.url().clone(),
                result: found.remove(data_id.as_str()).unwrap_or_else(|| {
                    Err(Refusal::unanswered(
                        "the answer holds nothing about this task; it may have been taken",
                    ))
                }),
            })
            .collect();
        Self {
            request_id: envelope.request_id.clone(),
            entries,
            strays,
        }
    }

    /// The service's id of the request.
    pub const fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }

    /// What became of each task, in the order of the batch.
    pub fn entries(&self) -> &[Submitted] {
        &self.entries
    }

    /// The ids of the tasks that were taken.
    pub fn task_ids(&self) -> impl Iterator<Item = &TaskId> {
        self.entries.iter().filter_map(Submitted::task_id)
    }

    /// Ids in the answer that belong to no task of the batch: a wrong dataId, or a second id for
    /// one task. They were billed, so they are not dropped.
    pub fn strays(&self) -> &[TaskId] {
        &self.strays
    }
}

impl Submitted {
    /// The task's name.
    pub const fn data_id(&self) -> &DataId {
        &self.data_id
    }

    /// Where the image is.
    pub const fn url(&self) -> &ImageUrl {
        &self.url
    }

    /// The id to ask for results by, or why the service did not take the task.
    ///
    /// # Errors
    ///
    /// The service's refusal of this task.
    pub const fn result(&self) -> Result<&TaskId, &Refusal> {
        self.result.as_ref()
    }

    /// The id to ask for results by, if the task was taken.
    pub fn task_id(&self) -> Option<&TaskId> {
        self.result.as_ref().ok()
    }
}

/// The name in the batch that an element of the answer is about.
fn name_of<'a>(batch: &'a Batch, element: &Object) -> Option<&'a str> {
    if let Some(data_id) = element.text("dataId") {
        return batch
            .tasks()
            .map(|(name, _)| name.as_str())
            .find(|name| *name == data_id);
    }
    let url = element.text("url")?;
    let mut of_url = batch.tasks().filter(|(_, task)| task.url().as_str() == url);
    let (name, _) = of_url.next()?;
    // Two tasks of one URL cannot be told apart.
    of_url.next().is_none().then(|| name.as_str())
}

fn refusal_of(element: &Object) -> Refusal {
    match element.code() {
        Some(200) | None => {
            Refusal::unanswered("the answer holds no id for this task; it may have been taken")
        }
        Some(_) => Refusal::of(element),
    }
}

/// What is known of a task.
#[derive(Clone, Debug)]
pub struct TaskReport {
    task_id: TaskId,
    data_id: Option<DataId>,
    state: TaskState,
}

/// How far a task is.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum TaskState {
    /// Not done yet (280).
    Processing,
    /// Done.
    Done(Outcome),
    /// The service could not scan the image.
    Failed(Refusal),
    /// The results are gone (594), or were not fetched within the hour that they are kept.
    Expired,
}

impl TaskState {
    /// Whether asking again cannot change it.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Processing)
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

    /// Reads an element of a results answer; `None` for one without a usable id.
    pub(super) fn of(element: &Object) -> Option<Self> {
        let task_id = TaskId::parse(element.text("taskId")?).ok()?;
        let data_id = element.text("dataId").and_then(|id| DataId::parse(id).ok());
        let state = match element.code() {
            Some(280) => TaskState::Processing,
            Some(594) => TaskState::Expired,
            Some(200) => TaskState::Done(Outcome::of(element)),
            None if !element.objects("results").is_empty() => TaskState::Done(Outcome::of(element)),
            _ => TaskState::Failed(Refusal::of(element)),
        };
        Some(Self::new(task_id, data_id, state))
    }

    /// The task's id.
    pub const fn task_id(&self) -> &TaskId {
        &self.task_id
    }

    /// The task's name, as the service repeats it.
    pub const fn data_id(&self) -> Option<&DataId> {
        self.data_id.as_ref()
    }

    /// How far the task is.
    pub const fn state(&self) -> &TaskState {
        &self.state
    }

    /// How far the task is, without the names.
    pub fn into_state(self) -> TaskState {
        self.state
    }

    /// What was found, if the task is done.
    pub const fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            TaskState::Done(outcome) => Some(outcome),
            _ => None,
        }
    }
}

/// All scenes' suggestions in one: the severest counts.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeDecision {
    /// Every scene says pass.
    Pass,
    /// A scene says review, and none block.
    Review,
    /// A scene says block.
    Block,
    /// There is no result, or one that is not understood, and none says review or block.
    Undecided,
}

impl OutcomeDecision {
    /// `pass`, `review`, `block`, `undecided`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Review => "review",
            Self::Block => "block",
            Self::Undecided => "undecided",
        }
    }

    fn of(results: &[SceneResult]) -> Self {
        let says = |suggestion: &Suggestion| results.iter().any(|r| r.suggestion == *suggestion);
        if says(&Suggestion::Block) {
            Self::Block
        } else if says(&Suggestion::Review) {
            Self::Review
        } else if !results.is_empty() && results.iter().all(|r| r.suggestion == Suggestion::Pass) {
            Self::Pass
        } else {
            Self::Undecided
        }
    }
}

impl std::fmt::Display for OutcomeDecision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the service found in an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    decision: OutcomeDecision,
    results: Vec<SceneResult>,
}

impl Outcome {
    pub(super) fn of(element: &Object) -> Self {
        let results: Vec<_> = element
            .objects("results")
            .iter()
            .map(SceneResult::of)
            .collect();
        Self {
            decision: OutcomeDecision::of(&results),
            results,
        }
    }

    /// All scenes' suggestions in one.
    pub const fn decision(&self) -> OutcomeDecision {
        self.decision
    }

    /// What was found, scene by scene.
    pub fn results(&self) -> &[SceneResult] {
        &self.results
    }
}

/// What the service found in an image for one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneResult {
    scene: Scene,
    label: String,
    suggestion: Suggestion,
    rate: Option<f64>,
}

impl SceneResult {
    fn of(result: &Object) -> Self {
        let text = |name| result.text(name).unwrap_or_default();
        Self {
            scene: Scene::from_word(text("scene")),
            label: text("label").to_owned(),
            suggestion: Suggestion::from_word(text("suggestion")),
            rate: result.number("rate"),
        }
    }

    /// What the image was looked at for.
    pub const fn scene(&self) -> &Scene {
        &self.scene
    }

    /// What it was found to be: `normal`, `sexy`, `bloody` and so on. An open set.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What the service advises.
    pub const fn suggestion(&self) -> &Suggestion {
        &self.suggestion
    }

    /// How sure the service is, 0 to 100. Its pages say not to decide by it.
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }
}
