//! The facts of a verdict that the ledger stores as JSON: the fields to display, and the parameters
//! of the task, because an `Accepted` does not outlive the process.

use serde::{Deserialize, Serialize};

use super::clock;
use crate::{
    frames::{Coverage, Frames},
    green::Task,
    ids::DataId,
    image_url::ImageUrl,
    ledger::Key,
    requirements::{Provenance, Requirements},
    verdict::{Accepted, Summary, Verdict},
};

#[derive(Serialize)]
struct Facts<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    #[serde(flatten)]
    provenance: Provenance,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_frames: Option<u32>,
}

/// Returns the facts of a verdict by these requirements as JSON, with at most `frame_cap` frames to scan.
pub(super) fn of<S>(verdict: &Verdict<S>, requirements: &Requirements, frame_cap: u32) -> String {
    let plan = FramePlan::of(verdict, frame_cap);
    let summary = verdict.summary();
    let facts = Facts {
        summary: &summary,
        provenance: Provenance::new(requirements, clock::now()),
        interval: plan.interval,
        max_frames: plan.max_frames,
    };
    serde_json::to_string(&facts).unwrap_or_default()
}

/// Returns the maximum number of images billed per scene: 0 if the image is not submitted.
pub(super) fn billed<S>(verdict: &Verdict<S>, frame_cap: u32) -> u32 {
    if frames(verdict).is_none() {
        return 0;
    }
    let coverage = FramePlan::of(verdict, frame_cap).coverage;
    coverage.map_or(1, |coverage| coverage.seen().max(1))
}

/// The parameters of a task that select the frames to scan, and their coverage.
#[derive(Default)]
struct FramePlan {
    interval: Option<u32>,
    max_frames: Option<u32>,
    coverage: Option<Coverage>,
}

impl FramePlan {
    /// Returns the default for an image that is not submitted.
    fn of<S>(verdict: &Verdict<S>, frame_cap: u32) -> Self {
        let Some(frames) = frames(verdict) else {
            return Self::default();
        };
        let (interval, max_frames) = frames.spread(frame_cap).unzip();
        Self {
            interval,
            max_frames,
            coverage: frames.coverage(interval, max_frames),
        }
    }
}

/// Returns the frames of an image that will be submitted.
fn frames<S>(verdict: &Verdict<S>) -> Option<Frames> {
    let inspection = verdict.inspection()?;
    verdict.is_accepted().then(|| Frames::of(inspection))
}

#[derive(Default, Deserialize)]
struct Frequency {
    interval: Option<u32>,
    max_frames: Option<u32>,
}

/// Returns the task of an image that the ledger recorded as accepted. This is the only place where
/// an `Accepted` is restored from a stored row.
pub(super) fn task(key: Key, url: ImageUrl, facts: Option<&str>) -> Option<Task> {
    let frequency: Frequency = facts
        .and_then(|facts| serde_json::from_str(facts).ok())
        .unwrap_or_default();
    let data_id = DataId::parse(&key.to_string()).ok()?;
    let mut task = Task::new(Accepted::restored(url)).with_data_id(data_id);
    if let Some(interval) = frequency.interval {
        task = task.with_interval(interval);
    }
    if let Some(max_frames) = frequency.max_frames {
        task = task.with_max_frames(max_frames);
    }
    Some(task)
}
