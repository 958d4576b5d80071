//! The responses of 1.0.

use std::collections::HashMap;

use tokio::time::Instant;

use super::codes::CODES;
use crate::green::{
    detail::{Details, LibraryHit},
    ids::{DataId, RequestId},
    object::Object,
    outcome::{Outcome, OutcomeDecision, SceneResult},
    refusal::Refusal,
    report::{TaskReport, TaskState},
    scene::{Scene, Suggestion},
    submission::{Scanned, Submission, Submitted},
    task::Batch,
    wire::Envelope,
};

/// Reads an element of a results answer; `None` for one without a usable id.
pub(in crate::green) fn report(element: &Object<'_>) -> Option<TaskReport> {
    let task_id = element.task_id()?;
    let data_id = element
        .word("dataId")
        .and_then(|id| DataId::parse(&id).ok());
    let state = match element.code() {
        Some(280) => TaskState::Processing,
        Some(594) => TaskState::Expired,
        Some(200) => TaskState::Done(outcome(element)),
        // Samples of callbacks have results and no code.
        None if !element.objects("results").is_empty() => TaskState::Done(outcome(element)),
        _ => TaskState::Failed(Refusal::of(element, &CODES)),
    };
    Some(TaskReport::new(task_id, data_id, state))
}

fn outcome(element: &Object<'_>) -> Outcome {
    let results: Vec<_> = element
        .objects("results")
        .iter()
        .map(scene_result)
        .collect();
    let is_named = |result: &SceneResult| !result.scene.as_str().is_empty();
    let decision = match OutcomeDecision::of(&results) {
        // The result that cannot be read may have been a block.
        OutcomeDecision::Pass
            if results.len() < element.count("results") || !results.iter().all(is_named) =>
        {
            OutcomeDecision::Undecided
        }
        decision => decision,
    };
    Outcome {
        decision,
        results,
        stored_url: element
            // Copies of the service's documentation disagree about this name.
            .text("storedUrl")
            .or_else(|| element.text("storeUrl"))
            .map(str::to_owned),
        hit_libraries: element
            .objects("extras")
            .iter()
            .flat_map(LibraryHit::all)
            .collect(),
        extras: element.json("extras"),
    }
}

fn scene_result(result: &Object<'_>) -> SceneResult {
    let text = |name| result.text(name).unwrap_or_default();
    SceneResult {
        scene: Scene::from_word(text("scene")),
        label: text("label").to_owned(),
        suggestion: Suggestion::from_word(text("suggestion")),
        rate: result.number("rate"),
        risk_level: None,
        labels: Vec::new(),
        details: Details::of(result),
    }
}

/// Joins the answer to a batch to its tasks.
pub(super) fn submission(
    batch: &Batch,
    scenes: &[Scene],
    envelope: &Envelope,
    taken: Instant,
) -> Submission {
    let Joined { elements, others } = Joined::of(batch, envelope);
    let entries = batch.tasks().zip(elements).map(|((data_id, task), found)| {
        let result = match found {
            None => Err(Refusal::unanswered(
                "the answer holds nothing about this task; it may have been taken",
            )),
            // An id counts whatever the code next to it is: the task exists and is billed.
            Some(element) => element.task_id().ok_or_else(|| refusal_of(element)),
        };
        Submitted {
            data_id: data_id.clone(),
            url: task.url().clone(),
            result,
        }
    });
    Submission {
        request_id: envelope.request_id.as_deref().map(RequestId::new),
        entries: entries.collect(),
        strays: others.into_iter().filter_map(Object::task_id).collect(),
        scenes: scenes.to_vec(),
        taken,
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
                // A second id for one task was paid for as well.
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
        Some(_) => Refusal::of(element, &CODES),
    }
}

/// Joins the answer to a synchronous scan to its tasks.
pub(super) fn scanned(batch: &Batch, scenes: &[Scene], envelope: &Envelope) -> Vec<Scanned> {
    let joined = Joined::of(batch, envelope);
    let entries = batch.tasks().zip(joined.elements);
    entries
        .map(|((data_id, task), found)| Scanned {
            data_id: data_id.clone(),
            url: task.url().clone(),
            task_id: found.and_then(Object::task_id),
            result: match found {
                None => Err(Refusal::unanswered(
                    "the answer holds nothing about this task; it may have been billed",
                )),
                Some(element) => match element.code() {
                    Some(200) => Ok(outcome(element).require_scenes(scenes)),
                    _ => Err(Refusal::of(element, &CODES)),
                },
            },
        })
        .collect()
}
