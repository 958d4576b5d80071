//! What `scan` and `results` say of a task, in the shape that is printed.

use serde::Serialize;

use super::{
    args::Kind,
    exit::Exit,
    report::{Report, text},
};
use crate::green::{Label, Outcome, OutcomeDecision, RiskLevel, TaskReport, TaskState};
use greenlight::Decision;

/// One source's line of `scan`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ScanReport {
    #[serde(flatten)]
    pub(crate) check: Report,
    pub(crate) data_id: Option<String>,
    pub(crate) task_id: Option<String>,
    pub(crate) outcome: ScanOutcome,
    pub(crate) results: Vec<SceneReport>,
}

/// The outcome of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ScanOutcome {
    Pass,
    Review,
    Block,
    /// There is a task, or may be one, and no result.
    Undecided,
    /// There is no task: nothing was paid.
    NotSubmitted,
}

/// Why an image that was submitted has no outcome, while its result is waited for.
pub(crate) const NO_RESULT_YET: &str = "no result yet";

/// The result of one scene.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SceneReport {
    pub(crate) scene: String,
    pub(crate) label: String,
    pub(crate) suggestion: String,
    pub(crate) rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) risk_level: Option<RiskLevel>,
    /// All labels, in 2.0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) labels: Vec<Label>,
}

impl ScanReport {
    /// A source that has not been submitted.
    pub(crate) fn unsubmitted(check: Report) -> Self {
        Self {
            check,
            data_id: None,
            task_id: None,
            outcome: ScanOutcome::NotSubmitted,
            results: Vec::new(),
        }
    }

    /// Adds the outcome.
    pub(crate) fn decide(&mut self, outcome: &Outcome) {
        self.outcome = outcome.decision().into();
        self.results = SceneReport::all(outcome);
        if self.outcome == ScanOutcome::Undecided {
            self.check.error = Some("a scene has no result, or one that cannot be read".to_owned());
        }
    }

    /// Adds that there is a task, or may be one, and why it has no outcome.
    pub(crate) fn leave_open(&mut self, why: String) {
        self.outcome = ScanOutcome::Undecided;
        self.check.error = Some(why);
    }

    pub(crate) fn exit(&self) -> Exit {
        match (self.outcome, self.check.summary.decision) {
            _ if self.check.error.is_some() => Exit::Failed,
            (ScanOutcome::Pass, _) => Exit::Success,
            (ScanOutcome::Review | ScanOutcome::Block, _)
            | (ScanOutcome::NotSubmitted, Decision::Reject) => Exit::Rejected,
            (ScanOutcome::Undecided | ScanOutcome::NotSubmitted, _) => Exit::Failed,
        }
    }

    /// The names of [`own_values`](Self::own_values).
    pub(crate) const OWN_COLUMNS: [&'static str; 4] = ["data_id", "task_id", "outcome", "results"];

    /// What the line has beyond its check, flat.
    pub(crate) fn own_values(&self) -> [String; 4] {
        [
            text(self.data_id.as_ref()),
            text(self.task_id.as_ref()),
            self.outcome.name().to_owned(),
            SceneReport::flat(&self.results),
        ]
    }
}

impl ScanOutcome {
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Pass => Kind::Pass,
            Self::Review => Kind::Review,
            Self::Block => Kind::Block,
            Self::Undecided => Kind::Undecided,
            Self::NotSubmitted => Kind::NotSubmitted,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Review => "review",
            Self::Block => "block",
            Self::Undecided => "undecided",
            Self::NotSubmitted => "not-submitted",
        }
    }
}

impl From<OutcomeDecision> for ScanOutcome {
    fn from(decision: OutcomeDecision) -> Self {
        match decision {
            OutcomeDecision::Pass => Self::Pass,
            OutcomeDecision::Review => Self::Review,
            OutcomeDecision::Block => Self::Block,
            // A decision that this command does not know is never taken for a pass.
            _ => Self::Undecided,
        }
    }
}

impl SceneReport {
    fn all(outcome: &Outcome) -> Vec<Self> {
        let scenes = outcome.results().iter().map(|result| Self {
            scene: result.scene().to_string(),
            label: result.label().to_owned(),
            suggestion: result.suggestion().to_string(),
            rate: result.rate(),
            risk_level: result.risk_level().cloned(),
            labels: match result.risk_level() {
                Some(_) => result.labels(),
                None => Vec::new(),
            },
        });
        scenes.collect()
    }

    /// `porn:normal:pass:99.9 terrorism:…`.
    fn flat(results: &[Self]) -> String {
        let results: Vec<_> = results
            .iter()
            .map(|result| {
                let rate = text(result.rate);
                format!(
                    "{}:{}:{}:{rate}",
                    result.scene, result.label, result.suggestion
                )
            })
            .collect();
        results.join(" ")
    }
}

/// The service gives one answer for an id that it never issued and for one whose result it deleted
/// (results page: code 404), so a mistyped id must not read as advice to pay again.
const UNKNOWN: &str =
    "unknown or expired: check the id; results are kept for an hour, in 2.0 for three days";

/// A task's outcome, or in words why there is none.
enum OutcomeOrReason<'a> {
    Outcome(&'a Outcome),
    None(String),
}

impl<'a> OutcomeOrReason<'a> {
    fn of(state: &'a TaskState) -> Self {
        Self::None(match state {
            TaskState::Done(outcome) => return Self::Outcome(outcome),
            TaskState::Processing => "no result in time: ask for it later".to_owned(),
            TaskState::Failed(refusal) => format!("the service could not scan it: {refusal}"),
            TaskState::Expired => UNKNOWN.to_owned(),
            _ => "the service returned a state that this command does not know".to_owned(),
        })
    }
}

/// One task's line of `results`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ResultReport {
    pub(crate) task_id: String,
    pub(crate) data_id: Option<String>,
    pub(crate) state: &'static str,
    pub(crate) outcome: Option<ScanOutcome>,
    pub(crate) results: Vec<SceneReport>,
    pub(crate) error: Option<String>,
}

impl ResultReport {
    pub(crate) fn of(report: &TaskReport) -> Self {
        let state = report.state();
        let (outcome, results, error) = match OutcomeOrReason::of(state) {
            OutcomeOrReason::Outcome(outcome) => (
                Some(outcome.decision().into()),
                SceneReport::all(outcome),
                None,
            ),
            OutcomeOrReason::None(why) => (None, Vec::new(), Some(why)),
        };
        Self {
            task_id: report.task_id().to_string(),
            data_id: report.data_id().map(ToString::to_string),
            state: match state {
                TaskState::Processing => "processing",
                TaskState::Done(_) => "done",
                TaskState::Failed(_) => "failed",
                TaskState::Expired => "expired",
                _ => "unknown",
            },
            outcome,
            results,
            error,
        }
    }

    /// A task that the service's answer does not name.
    pub(crate) fn unknown(task_id: String) -> Self {
        Self {
            task_id,
            data_id: None,
            state: "unknown",
            outcome: None,
            results: Vec::new(),
            error: Some(UNKNOWN.to_owned()),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self.outcome {
            Some(ScanOutcome::Pass) => Exit::Success,
            Some(ScanOutcome::Review | ScanOutcome::Block) => Exit::Rejected,
            _ => Exit::Failed,
        }
    }

    /// The names of [`values`](Self::values).
    pub(crate) const COLUMNS: [&'static str; 6] =
        ["task_id", "data_id", "state", "outcome", "results", "error"];

    pub(crate) fn values(&self) -> [String; 6] {
        [
            self.task_id.clone(),
            text(self.data_id.as_ref()),
            self.state.to_owned(),
            text(self.outcome.map(ScanOutcome::name)),
            SceneReport::flat(&self.results),
            text(self.error.as_ref()),
        ]
    }
}
