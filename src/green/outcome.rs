//! What comes back: of a submission, and of a scan.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    detail::{Details, LibraryHit},
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
            message: harmless(element.message(), 400),
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

    /// Whether the service may say otherwise of the same task later.
    pub(super) const fn is_temporary(&self) -> bool {
        matches!(
            Class::of_service_code(self.code),
            Class::Throttled(_) | Class::Temporary
        )
    }

    pub(super) fn is_throttling(&self) -> bool {
        matches!(Class::of_service_code(self.code), Class::Throttled(_))
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
    scenes: Vec<Scene>,
    taken: Instant,
}

/// What became of one task of a batch.
#[derive(Clone, Debug)]
pub struct Submitted {
    data_id: DataId,
    url: ImageUrl,
    result: Result<TaskId, Refusal>,
}

impl Submission {
    pub(super) fn join(
        batch: &Batch,
        scenes: &[Scene],
        envelope: &Envelope,
        taken: Instant,
    ) -> Self {
        let Joined { elements, others } = Joined::of(batch, envelope);
        let entries = batch.tasks().zip(elements).map(|((data_id, task), found)| {
            let result = match found {
                None => Err(Refusal::unanswered(
                    "the answer holds nothing about this task; it may have been taken",
                )),
                Some(element) => element.task_id().ok_or_else(|| refusal_of(element)),
            };
            Submitted {
                data_id: data_id.clone(),
                url: task.url().clone(),
                result,
            }
        });
        Self {
            request_id: envelope.request_id.as_deref().map(RequestId::new),
            entries: entries.collect(),
            strays: others.into_iter().filter_map(Object::task_id).collect(),
            scenes: scenes.to_vec(),
            taken,
        }
    }

    /// When the tasks were taken: their results are kept for an hour from then.
    pub(super) const fn taken(&self) -> Instant {
        self.taken
    }

    /// The service's id of the request.
    pub const fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }

    /// What the images are looked at for.
    pub fn scenes(&self) -> &[Scene] {
        &self.scenes
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

/// The elements of an answer, joined to the tasks of its batch by dataId, or by URL where an
/// element names none; never by position, because the order of the answer is not documented.
struct Joined<'a> {
    /// One for each task, in the order of the batch.
    elements: Vec<Option<&'a Object>>,
    /// Those that belong to no task, or to one that has its element already.
    others: Vec<&'a Object>,
}

impl<'a> Joined<'a> {
    fn of(batch: &Batch, envelope: &'a Envelope) -> Self {
        let names: HashMap<&str, usize> = batch
            .tasks()
            .enumerate()
            .map(|(at, (data_id, _))| (data_id.as_str(), at))
            .collect();
        let mut elements = vec![None; batch.len()];
        let mut others = Vec::new();
        for element in &envelope.data {
            let at = match element.word("dataId") {
                Some(data_id) => names.get(data_id.as_str()).copied(),
                None => element.text("url").and_then(|url| of_url(batch, url)),
            };
            match at.and_then(|at| elements.get_mut(at)) {
                Some(slot @ None) => *slot = Some(element),
                _ => others.push(element),
            }
        }
        Self { elements, others }
    }
}

/// The one task of this URL; two of one URL cannot be told apart.
fn of_url(batch: &Batch, url: &str) -> Option<usize> {
    let mut of_url = batch
        .tasks()
        .enumerate()
        .filter(|(_, (_, task))| task.url().as_str() == url);
    let (at, _) = of_url.next()?;
    of_url.next().is_none().then_some(at)
}

fn refusal_of(element: &Object) -> Refusal {
    match element.code() {
        Some(200) | None => {
            Refusal::unanswered("the answer holds no id for this task; it may have been taken")
        }
        Some(_) => Refusal::of(element),
    }
}

/// What a synchronous scan says of one task.
#[derive(Clone, Debug)]
pub struct Scanned {
    data_id: DataId,
    url: ImageUrl,
    task_id: Option<TaskId>,
    result: Result<Outcome, Refusal>,
}

impl Scanned {
    pub(super) fn join(batch: &Batch, scenes: &[Scene], envelope: &Envelope) -> Vec<Self> {
        let joined = Joined::of(batch, envelope);
        let entries = batch.tasks().zip(joined.elements);
        entries
            .map(|((data_id, task), found)| Self {
                data_id: data_id.clone(),
                url: task.url().clone(),
                task_id: found.and_then(Object::task_id),
                result: match found {
                    None => Err(Refusal::unanswered(
                        "the answer holds nothing about this task; it may have been billed",
                    )),
                    Some(element) => match element.code() {
                        Some(200) => Ok(Outcome::of(element).held_against(scenes)),
                        _ => Err(Refusal::of(element)),
                    },
                },
            })
            .collect()
    }

    /// The task's name.
    pub const fn data_id(&self) -> &DataId {
        &self.data_id
    }

    /// Where the image is.
    pub const fn url(&self) -> &ImageUrl {
        &self.url
    }

    /// The service's id of the task, for [`feedback`](super::Client::feedback).
    pub const fn task_id(&self) -> Option<&TaskId> {
        self.task_id.as_ref()
    }

    /// What was found, or why the image was not scanned.
    ///
    /// # Errors
    ///
    /// The service's refusal of this image.
    pub const fn result(&self) -> Result<&Outcome, &Refusal> {
        self.result.as_ref()
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
    /// The service could not scan the image; or, with a code that passes (500, 503, 580, 581, 585,
    /// 588, 591), cannot say yet whether it did.
    Failed(Refusal),
    /// The results are gone (594), or were not fetched within the hour that they are kept.
    Expired,
}

impl TaskState {
    /// Whether asking again cannot change it.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Processing => false,
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

    /// Reads an element of a results answer; `None` for one without a usable id.
    pub(super) fn of(element: &Object) -> Option<Self> {
        let task_id = element.task_id()?;
        let data_id = element
            .word("dataId")
            .and_then(|id| DataId::parse(&id).ok());
        let state = match element.code() {
            Some(280) => TaskState::Processing,
            Some(594) => TaskState::Expired,
            Some(200) => TaskState::Done(Outcome::of(element)),
            None if !element.objects("results").is_empty() => TaskState::Done(Outcome::of(element)),
            _ => TaskState::Failed(Refusal::of(element)),
        };
        Some(Self::new(task_id, data_id, state))
    }

    /// The report with its outcome [held against](Outcome::held_against) the scenes that were asked.
    #[must_use]
    pub fn held_against(mut self, scenes: &[Scene]) -> Self {
        if let TaskState::Done(outcome) = self.state {
            self.state = TaskState::Done(outcome.held_against(scenes));
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
    /// Every scene says pass: every one that was asked, where it is known which were.
    Pass,
    /// A scene says review, and none block.
    Review,
    /// A scene says block.
    Block,
    /// There is no result, a scene that was asked has none, or one is not understood; and none says
    /// review or block.
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
        } else if !results.is_empty() && results.iter().all(SceneResult::is_pass) {
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored_url: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    library_hits: Vec<LibraryHit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extras: Option<String>,
}

impl Outcome {
    pub(super) fn of(element: &Object) -> Self {
        let results: Vec<_> = element
            .objects("results")
            .iter()
            .map(SceneResult::of)
            .collect();
        let decision = match OutcomeDecision::of(&results) {
            // Nobody knows what stood in the place of a result that cannot be read.
            OutcomeDecision::Pass if results.len() < element.count("results") => {
                OutcomeDecision::Undecided
            }
            decision => decision,
        };
        Self {
            decision,
            results,
            stored_url: element
                .text("storedUrl")
                .or_else(|| element.text("storeUrl"))
                .map(str::to_owned),
            library_hits: element
                .objects("extras")
                .iter()
                .flat_map(LibraryHit::all)
                .collect(),
            extras: element.json("extras"),
        }
    }

    /// Holds the outcome against the scenes that were asked: a pass without a result for each of
    /// them is [`Undecided`](OutcomeDecision::Undecided).
    #[must_use]
    pub fn held_against(mut self, scenes: &[Scene]) -> Self {
        let has = |scene: &Scene| self.results.iter().any(|result| result.is_of(scene));
        if self.decision == OutcomeDecision::Pass && !scenes.iter().all(has) {
            self.decision = OutcomeDecision::Undecided;
        }
        self
    }

    /// All scenes' suggestions in one.
    pub const fn decision(&self) -> OutcomeDecision {
        self.decision
    }

    /// What was found, scene by scene.
    pub fn results(&self) -> &[SceneResult] {
        &self.results
    }

    /// Where the image is kept as evidence, for accounts that keep it.
    pub fn stored_url(&self) -> Option<&str> {
        self.stored_url.as_deref()
    }

    /// Libraries of the account's own that were hit.
    pub fn library_hits(&self) -> &[LibraryHit] {
        &self.library_hits
    }

    /// What the service adds in `extras`, as JSON.
    pub fn extras(&self) -> Option<&str> {
        self.extras.as_deref()
    }
}

/// What the service found in an image for one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneResult {
    scene: Scene,
    label: String,
    suggestion: Suggestion,
    rate: Option<f64>,
    #[serde(flatten)]
    details: Details,
}

impl SceneResult {
    fn of(result: &Object) -> Self {
        let text = |name| result.text(name).unwrap_or_default();
        Self {
            scene: Scene::from_word(text("scene")),
            label: text("label").to_owned(),
            suggestion: Suggestion::from_word(text("suggestion")),
            rate: result.number("rate"),
            details: Details::of(result),
        }
    }

    /// Whether it passes a scene that it names.
    fn is_pass(&self) -> bool {
        self.suggestion == Suggestion::Pass && !self.scene.as_str().is_empty()
    }

    fn is_of(&self, scene: &Scene) -> bool {
        self.scene.as_str().eq_ignore_ascii_case(scene.as_str())
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

    /// What was found besides.
    pub const fn details(&self) -> &Details {
        &self.details
    }
}
