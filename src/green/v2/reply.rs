//! The responses of 2.0.
//!
//! Samples print the names inside `Data` with small or capital letters, so they are looked up
//! whatever their capitals. `Frame` is a string of JSON.

use tokio::time::Instant;

use super::{
    ServiceCode,
    codes::{CODES, PROCESSING, UNKNOWN},
};
use crate::green::{
    detail::Details,
    ids::{DataId, RequestId, TaskId},
    object::Object,
    outcome::{Label, Outcome, OutcomeDecision, SceneResult},
    refusal::Refusal,
    report::{TaskReport, TaskState},
    scene::{RiskLevel, Scene, Suggestion},
    submission::{Scanned, Submission, Submitted},
    task::Task,
    wire::Envelope,
};

/// The label of an image in which nothing was found. `nonLabel_lib` is a hit of the account's
/// exemption library.
const NO_LABEL: &str = "nonLabel";

/// Reads the answer to a submission of one image.
pub(super) fn submission(
    data_id: &DataId,
    task: &Task,
    service: Scene,
    envelope: &Envelope,
    taken: Instant,
) -> Submission {
    let mut ids = envelope.data.iter().filter_map(Object::task_id);
    let result = ids.next().ok_or_else(|| {
        Refusal::unanswered("the answer holds no id for this image; it may have been taken")
    });
    Submission {
        request_id: envelope.request_id.as_deref().map(RequestId::new),
        entries: vec![Submitted {
            data_id: data_id.clone(),
            url: task.url().clone(),
            result,
        }],
        strays: ids.collect(),
        scenes: vec![service],
        taken,
    }
}

/// Reads the answer to a poll. `None` if the service does not know the task, because it was polled
/// too early or too late.
pub(super) fn polled(task_id: &TaskId, envelope: &Envelope) -> Option<TaskReport> {
    let data = envelope.data.first();
    let data_id = data.and_then(data_id);
    let state = match (envelope.code, data) {
        (UNKNOWN, _) => return None,
        (PROCESSING, _) => TaskState::Processing,
        (200 | Envelope::NO_CODE, Some(data)) => TaskState::Done(outcome(data, None)),
        // Final but without a result: undecided, never a pass.
        (200 | Envelope::NO_CODE, None) => TaskState::Done(nothing()),
        (code, _) => TaskState::Failed(Refusal::new(code, &envelope.message, &CODES)),
    };
    Some(TaskReport::new(task_id.clone(), data_id, state))
}

/// Reads the content of a callback: the data of a result.
pub(in crate::green) fn callback(data: &Object<'_>) -> Option<TaskReport> {
    let state = match data.code() {
        Some(200) | None => TaskState::Done(outcome(data, None)),
        Some(PROCESSING) => TaskState::Processing,
        Some(_) => TaskState::Failed(Refusal::of(data, &CODES)),
    };
    Some(TaskReport::new(data.task_id()?, data_id(data), state))
}

/// Reads the answer to a synchronous scan with these services.
pub(super) fn scanned(
    data_id: &DataId,
    task: &Task,
    services: &[ServiceCode],
    envelope: &Envelope,
) -> Scanned {
    let scenes: Vec<Scene> = services.iter().map(ServiceCode::to_scene).collect();
    let only = match scenes.as_slice() {
        [scene] => Some(scene),
        _ => None,
    };
    let data = envelope.data.first();
    let outcome = data.map_or_else(nothing, |data| outcome(data, only));
    let id = envelope.request_id.as_deref();
    Scanned {
        data_id: data_id.clone(),
        url: task.url().clone(),
        task_id: id.and_then(|id| TaskId::parse(id.trim()).ok()),
        result: Ok(outcome.require_scenes(&scenes)),
    }
}

fn data_id(data: &Object<'_>) -> Option<DataId> {
    data.word("dataId").and_then(|id| DataId::parse(&id).ok())
}

/// The outcome of an answer without data.
const fn nothing() -> Outcome {
    Outcome {
        decision: OutcomeDecision::Undecided,
        results: Vec::new(),
        stored_url: None,
        hit_libraries: Vec::new(),
        extras: None,
    }
}

/// Reads the result of one service, or of each (`Results`, of several services).
fn outcome(data: &Object<'_>, service: Option<&Scene>) -> Outcome {
    let parts = data.objects("results");
    let mut results: Vec<SceneResult> = parts
        .iter()
        .map(|part| {
            let name = Scene::from_word(part.text("service").unwrap_or_default());
            service_result(part, name)
        })
        .collect();
    if parts.is_empty() {
        let name = service.cloned();
        let name = name.unwrap_or_else(|| Scene::Other(String::new()));
        results.push(service_result(data, name));
    }
    // The level of the whole image, in addition to those of its services.
    let whole = data.text("riskLevel").map_or(Suggestion::Pass, |level| {
        suggestion_of(&RiskLevel::from_word(level))
    });
    let is_readable = parts.len() == data.count("results");
    let decision = match (OutcomeDecision::of(&results), whole) {
        // The level of the whole image may be more severe than those of its parts.
        (_, Suggestion::Block) => OutcomeDecision::Block,
        (OutcomeDecision::Pass, Suggestion::Pass) if is_readable => OutcomeDecision::Pass,
        (OutcomeDecision::Pass, _) => OutcomeDecision::Review,
        (decision, _) => decision,
    };
    Outcome {
        decision,
        results,
        extras: data.json("ext"),
        ..nothing()
    }
}

/// Reads the labels and levels of one service. The most severe level counts: that of the image, of
/// a label or of a frame. What cannot be read counts as review.
fn service_result(part: &Object<'_>, service: Scene) -> SceneResult {
    let risk_level = RiskLevel::from_word(part.text("riskLevel").unwrap_or_default());
    let mut labels: Vec<Label> = part.objects("result").iter().map(label).collect();
    let mut suggestion = suggestion_of(&risk_level);
    if labels.len() < part.count("result") {
        // A label that cannot be read may be the one that blocks.
        suggestion = severest(suggestion, Suggestion::Review);
    }
    let (of_frames, frames) = frames(part);
    suggestion = severest(suggestion, of_frames);
    for label in &labels {
        if let Some(level) = &label.risk_level {
            suggestion = severest(suggestion, suggestion_of(level));
        }
    }
    for frame in frames {
        if !labels.iter().any(|label| label.name == frame.name) {
            labels.push(frame);
        }
    }
    let confidence = |label: &&Label| label.confidence.unwrap_or(0.0);
    let first = labels
        .iter()
        .max_by(|one, other| confidence(one).total_cmp(&confidence(other)));
    SceneResult {
        scene: service,
        label: first.map_or_else(|| NO_LABEL.to_owned(), |label| label.name.clone()),
        suggestion,
        rate: first.and_then(|label| label.confidence),
        risk_level: Some(risk_level),
        labels,
        details: Details::default(),
    }
}

fn label(result: &Object<'_>) -> Label {
    Label {
        name: result.text("label").unwrap_or_default().to_owned(),
        confidence: result.number("confidence"),
        description: result.text("description").map(str::to_owned),
        risk_level: result.text("riskLevel").map(RiskLevel::from_word),
    }
}

/// Reads the frames of an animation: what they suggest, and their labels. A label of a frame need
/// not be among those of the image, so one without a level is a review.
fn frames(part: &Object<'_>) -> (Suggestion, Vec<Label>) {
    let Some(text) = part
        .text("frame")
        .map(str::trim)
        .filter(|text| !text.is_empty())
    else {
        return (Suggestion::Pass, Vec::new());
    };
    // Wrapped, because only objects are read.
    let Some(frames) = Object::parse(format!("{{\"frames\":{text}}}").as_bytes()) else {
        return (Suggestion::Review, Vec::new());
    };
    let mut suggestion = Suggestion::Pass;
    let mut labels = Vec::new();
    for frame in frames.objects("frames") {
        if let Some(level) = frame.text("riskLevel") {
            suggestion = severest(suggestion, suggestion_of(&RiskLevel::from_word(level)));
        }
        for label in frame.objects("result").iter().map(label) {
            let suggested = match &label.risk_level {
                Some(level) => suggestion_of(level),
                None if label.name.starts_with(NO_LABEL) => Suggestion::Pass,
                None => Suggestion::Review,
            };
            suggestion = severest(suggestion, suggested);
            labels.push(label);
        }
    }
    (suggestion, labels)
}

/// What the vendor's own bridge makes of a level (`GreenEnhancedResult.Suggestion` of its media
/// services); a level that is not known there is a review.
fn suggestion_of(level: &RiskLevel) -> Suggestion {
    match level {
        RiskLevel::High => Suggestion::Block,
        RiskLevel::None => Suggestion::Pass,
        RiskLevel::Medium | RiskLevel::Low | RiskLevel::Other(_) => Suggestion::Review,
    }
}

fn severest(one: Suggestion, other: Suggestion) -> Suggestion {
    let rank = |suggestion: &Suggestion| match suggestion {
        Suggestion::Pass => 0,
        Suggestion::Review | Suggestion::Other(_) => 1,
        Suggestion::Block => 2,
    };
    if rank(&other) > rank(&one) {
        other
    } else {
        one
    }
}
