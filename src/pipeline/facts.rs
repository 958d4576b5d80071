//! The facts of a verdict that the ledger stores as JSON: the fields to display, and the parameters
//! of the task, because an `Accepted` does not outlive the process.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{EarlierCheck, Settings, clock};
use crate::{
    format::Dimensions,
    frames::{self, Coverage, Frames},
    green::Task,
    ids::DataId,
    image_url::ImageUrl,
    inspect::Claim,
    ledger::{Key, Location, Row},
    requirements::{Provenance, Requirements},
    verdict::{Accepted, Code, Decision, Enforcement, Severity, Summary, Verdict, Violation},
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

/// Returns the facts of a verdict as JSON, with at most `frame_cap` frames to scan.
pub(super) fn of<S>(verdict: &Verdict<S>, settings: &Settings, frame_cap: u32) -> String {
    let plan = frames(verdict).map_or_else(FramePlan::default, |frames| {
        FramePlan::new(frames, frame_cap)
    });
    // Cloned, because making one serializes the requirements, which is slow for every image.
    let provenance = settings.provenance.clone().with_time(clock::now());
    json(&verdict.summary(), provenance, &plan)
}

/// Returns the facts of an earlier check, as [`of`] does those of a check of this run; `None` if
/// the image has to be checked again.
pub(super) fn of_earlier(check: EarlierCheck, settings: &Settings) -> Option<String> {
    let stored = Stored {
        summary: Summary {
            decision: Decision::Accept,
            format: Some(check.format),
            width: Some(check.width),
            height: Some(check.height),
            bytes: Some(check.bytes),
            frames: check.frames,
            ..Summary::unseen()
        },
        provenance: Provenance {
            version: check.version,
            requirements: check.requirements,
            // Those of an equal fingerprint.
            settings: settings.provenance.settings.clone(),
            checked_at: check.checked_at,
        },
    };
    if !stored.is_valid(settings) {
        return None;
    }
    let plan = FramePlan::new(stored.frames(), settings.frame_cap);
    Some(json(&stored.summary, stored.provenance, &plan))
}

fn json(summary: &Summary, provenance: Provenance, plan: &FramePlan) -> String {
    let facts = Facts {
        summary,
        provenance,
        interval: plan.interval,
        max_frames: plan.max_frames,
    };
    serde_json::to_string(&facts).unwrap_or_default()
}

/// Returns the facts of a row's image, and what depends on the source's name alone: files with the same
/// content are one image, but each name may claim another format. `None` if the image was not checked.
///
/// ```
/// use greenlight::{
///     Code,
///     ledger::{Key, Location, Row, Source, State},
///     pipeline,
/// };
///
/// let location = Location::File("photo.png".into());
/// let mut row = Row::new(1, Source::default(), Key::from_bytes([0; 32]), location, State::Decided);
/// row.facts = Some(r#"{"decision":"accept","format":"jpeg","bytes":9000,"violations":[]}"#.to_owned());
/// let violations = pipeline::summary(&row).unwrap().violations;
/// assert_eq!(violations[0].code(), Code::ImageTypeMismatch);
/// ```
pub fn summary(row: &Row) -> Option<Summary> {
    let facts = row.facts.as_deref()?;
    let mut summary: Summary = serde_json::from_str(facts).ok()?;
    // A URL is an image of its own, so the stored verdict is about its name already.
    if matches!(row.location, Location::File(_)) {
        judge_name(&mut summary, &row.text(), facts);
    }
    Some(summary)
}

/// Replaces the warning about the name that the image was checked by with that about `name`.
fn judge_name(summary: &mut Summary, name: &str, facts: &str) {
    let has = |code: Code, severity: Severity| {
        let mut found = summary.violations.iter();
        found.any(|found| found.code_and_severity() == (code, severity))
    };
    // Such an image has only sources whose names claim the same format.
    if has(Code::ImageTypeMismatch, Severity::Reject) {
        return;
    }
    // The format of an image that was rejected for another reason may be unknown.
    let is_known = summary.format.is_some()
        || has(Code::ImageNotAnImage, Severity::Reject)
        || (summary.decision != Decision::Reject && summary.bytes > Some(0));
    let is_other = |violation: &Violation| violation.code() != Code::ImageTypeMismatch;
    summary.violations.retain(is_other);
    let claim = Claim::from_name(name);
    let claim = claim.filter(|claim| is_known && Some(claim.format) != summary.format);
    let Some(claim) = claim else {
        return;
    };
    let provenance = serde_json::from_str::<Provenance>(facts).ok();
    let asked = provenance.and_then(|provenance| provenance.read_settings().ok());
    let asked = asked.unwrap_or(Requirements::ASYNC);
    // The image was submitted under its content, so a rule that rejects now did not apply to it.
    let enforcement = asked
        .enforcement(Code::ImageTypeMismatch)
        .min(Enforcement::Warn);
    let asked = asked.with_enforcement(Code::ImageTypeMismatch, enforcement);
    let found = asked.judge_claim(claim, summary.format);
    summary.violations.extend(found);
}

/// Returns the maximum number of images billed per scene for an image that an earlier check
/// accepted; `None` if it has to be checked again.
pub(super) fn billed_by_earlier(facts: &str, settings: &Settings) -> Option<u32> {
    // Facts of this run are not read.
    settings.checked_within?;
    let stored: Stored = serde_json::from_str(facts).ok()?;
    let plan = FramePlan::new(stored.frames(), settings.frame_cap);
    stored.is_valid(settings).then(|| plan.billed())
}

/// The stored facts of a check.
#[derive(Deserialize)]
struct Stored {
    #[serde(flatten)]
    summary: Summary,
    #[serde(flatten)]
    provenance: Provenance,
}

impl Stored {
    /// Whether the image is accepted without another check. A check in the future is not valid: its
    /// clock was wrong.
    fn is_valid(&self, settings: &Settings) -> bool {
        let age = Duration::from_millis(self.provenance.checked_at);
        let age = UNIX_EPOCH
            .checked_add(age)
            .and_then(|at| clock::now().duration_since(at).ok());
        self.summary.decision == Decision::Accept
            // Another version may find other defects in the same bytes.
            && self.provenance.version == env!("CARGO_PKG_VERSION")
            && self.provenance.requirements == settings.provenance.requirements
            && settings
                .checked_within
                .is_some_and(|within| age.is_some_and(|age| age <= within))
    }

    fn frames(&self) -> Frames {
        let Summary {
            format,
            width,
            height,
            frames,
            ..
        } = self.summary;
        let dimensions = width.zip(height);
        let dimensions = dimensions.map(|(width, height)| Dimensions { width, height });
        let may_be_animated = format.is_some_and(frames::holds_animations);
        Frames::of_facts(dimensions, frames, may_be_animated)
    }
}

/// Returns the maximum number of images billed per scene: 0 if the image is not submitted.
pub(super) fn billed<S>(verdict: &Verdict<S>, frame_cap: u32) -> u32 {
    let frames = frames(verdict);
    frames.map_or(0, |frames| FramePlan::new(frames, frame_cap).billed())
}

/// The parameters of a task that select the frames to scan, and their coverage.
#[derive(Default)]
struct FramePlan {
    interval: Option<u32>,
    max_frames: Option<u32>,
    coverage: Option<Coverage>,
}

impl FramePlan {
    fn new(frames: Frames, frame_cap: u32) -> Self {
        let (interval, max_frames) = frames.spread(frame_cap).unzip();
        Self {
            interval,
            max_frames,
            coverage: frames.coverage(interval, max_frames),
        }
    }

    fn billed(&self) -> u32 {
        self.coverage.map_or(1, |coverage| coverage.seen().max(1))
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
    // The key is the data id that the service repeats, so responses and callbacks find the row.
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
