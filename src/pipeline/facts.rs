//! What the ledger keeps of a verdict: the fields that the command prints, and what the task is to
//! be told, because the receipt itself does not outlive the process.

use serde::{Deserialize, Serialize};

use crate::{
    green::{DataId, Task},
    image_url::ImageUrl,
    ledger::Key,
    verdict::{Summary, Verdict},
};

#[derive(Serialize)]
struct Facts<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_frames: Option<u32>,
}

/// The facts of a verdict, as JSON, and what would be submitted of it.
pub(super) fn of(verdict: Verdict<ImageUrl>) -> (String, Option<Task>) {
    let mut summary = verdict.summary();
    let task = verdict.into_result().ok().map(Task::new);
    summary
        .violations
        .extend(task.as_ref().and_then(Task::warning));
    let facts = Facts {
        summary: &summary,
        interval: task.as_ref().and_then(Task::interval),
        max_frames: task.as_ref().and_then(Task::max_frames),
    };
    let json = serde_json::to_string(&facts).unwrap_or_default();
    (json, task)
}

#[derive(Default, Deserialize)]
struct Frames {
    interval: Option<u32>,
    max_frames: Option<u32>,
}

/// The task of an image that the ledger holds as accepted: the row is the receipt. `None` if its
/// URL is not one.
pub(super) fn task(key: Key, url: &str, facts: Option<&str>) -> Option<Task> {
    let frames: Frames = facts
        .and_then(|facts| serde_json::from_str(facts).ok())
        .unwrap_or_default();
    let data_id = DataId::parse(&key.to_string()).ok()?;
    let mut task = Task::unchecked(ImageUrl::parse(url).ok()?).with_data_id(data_id);
    if let Some(interval) = frames.interval {
        task = task.with_interval(interval);
    }
    if let Some(max_frames) = frames.max_frames {
        task = task.with_max_frames(max_frames);
    }
    Some(task)
}
