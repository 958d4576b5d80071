//! The answer to a batch, joined to its tasks.

use std::collections::HashMap;

use tokio::time::Instant;

use super::{
    ids::{DataId, RequestId, TaskId},
    object::Object,
    outcome::Outcome,
    refusal::Refusal,
    scene::Scene,
    task::Batch,
    wire::Envelope,
};
use crate::image_url::ImageUrl;

/// The service's answer to a batch.
#[derive(Clone, Debug)]
pub struct Submission {
    request_id: Option<RequestId>,
    entries: Vec<Submitted>,
    strays: Vec<TaskId>,
    scenes: Vec<Scene>,
    taken: Instant,
}

/// The result of submitting one task of a batch.
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

    /// When the tasks were accepted: the service keeps their results for an hour.
    pub(super) const fn taken(&self) -> Instant {
        self.taken
    }

    /// The service's id of the request.
    pub const fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }

    /// The requested scenes.
    pub fn scenes(&self) -> &[Scene] {
        &self.scenes
    }

    /// The result for each task, in the order of the batch.
    pub fn entries(&self) -> &[Submitted] {
        &self.entries
    }

    /// The ids of the accepted tasks. Tasks without an id are among the
    /// [`entries`](Self::entries) only.
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
    /// The task's data id.
    pub const fn data_id(&self) -> &DataId {
        &self.data_id
    }

    /// The URL of the image.
    pub const fn url(&self) -> &ImageUrl {
        &self.url
    }

    /// The id to ask for results by, or why there is none.
    ///
    /// # Errors
    ///
    /// The service's refusal of this task, or that the answer does not say whether it was taken:
    /// see [`Refusal::is_ambiguous`].
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
    elements: Vec<Option<&'a Object<'static>>>,
    /// Those that belong to no task, or to one that has its element already.
    others: Vec<&'a Object<'static>>,
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

/// The one task of this URL; two of one URL cannot be distinguished.
fn of_url(batch: &Batch, url: &str) -> Option<usize> {
    let mut of_url = batch
        .tasks()
        .enumerate()
        .filter(|(_, (_, task))| task.url().as_str() == url);
    let (at, _) = of_url.next()?;
    of_url.next().is_none().then_some(at)
}

fn refusal_of(element: &Object<'_>) -> Refusal {
    match element.code() {
        Some(200) | None => {
            Refusal::unanswered("the answer holds no id for this task; it may have been taken")
        }
        Some(_) => Refusal::of(element),
    }
}

/// The result of a synchronous scan of one image.
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
                        Some(200) => Ok(Outcome::of(element).require_scenes(scenes)),
                        _ => Err(Refusal::of(element)),
                    },
                },
            })
            .collect()
    }

    /// The task's data id.
    pub const fn data_id(&self) -> &DataId {
        &self.data_id
    }

    /// The URL of the image.
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
