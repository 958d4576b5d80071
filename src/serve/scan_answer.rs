//! What is asked of a scan, and what is answered.

use std::time::Duration;

use axum::http::Uri;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    check::Answer, on_outage::OnOutage, refusal::Refusal, scan_id::ScanId, schema, wanted::Wanted,
};
use crate::{
    green::{Outcome, OutcomeDecision, SceneResult},
    ids::DataId,
    ledger::{Row, State as ImageState},
};

/// The longest time that a request waits for an outcome, in seconds.
const MAX_WAIT: u64 = 30;

/// What is asked of a scan.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ScanWanted {
    /// How long to wait for the outcome, in seconds.
    #[param(value_type = Option<u64>, maximum = 30)]
    pub(super) wait: Duration,
    /// An id of the application for the image, which the answer has: letters, digits, `_`, `-` and
    /// `.`, at most 128.
    #[param(rename = "dataId", value_type = Option<String>, max_length = 128, pattern = "^[A-Za-z0-9_.-]{1,128}$")]
    pub(super) data_id: Option<DataId>,
    /// What is advised if there is no outcome in time: `deny`, `hold` or `allow`, at most as permissive
    /// as the server's.
    #[param(rename = "onOutage", value_type = Option<String>)]
    pub(super) on_outage: OnOutage,
}

impl ScanWanted {
    /// Reads the query of a URL.
    pub(super) fn read(
        uri: &Uri,
        server: OnOutage,
        wait: Duration,
    ) -> Result<(Self, Wanted), Refusal> {
        let mut scan = Self {
            wait,
            data_id: None,
            on_outage: server,
        };
        let wanted = Wanted::read_with::<Self>(uri, |name, value| {
            let wrong =
                |what: String| Refusal::bad_request("request/query", format!("{name}: {what}"));
            match name {
                "wait" => {
                    let seconds = value.strip_suffix('s').unwrap_or(value).parse().ok();
                    let seconds = seconds.filter(|seconds| *seconds <= MAX_WAIT);
                    let limit = || wrong(format!("write seconds, at most {MAX_WAIT}"));
                    scan.wait = Duration::from_secs(seconds.ok_or_else(limit)?);
                }
                "dataId" => {
                    let id = DataId::parse(value).map_err(|error| wrong(error.to_string()))?;
                    scan.data_id = Some(id);
                }
                "onOutage" => {
                    let policy: OnOutage = value
                        .parse()
                        .map_err(|error: crate::UnknownName| wrong(error.to_string()))?;
                    // A request may only be stricter than the operator.
                    if policy > server {
                        return Err(wrong(format!("the server allows at most {server}")));
                    }
                    scan.on_outage = policy;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok((scan, wanted))
    }
}

/// A scan, as it is now.
#[derive(Serialize, ToSchema)]
pub(super) struct ScanAnswer {
    /// The id of the scan, unless the image was rejected before it was submitted.
    #[schema(required)]
    id: Option<String>,
    /// The outcome: `pass`, `review`, `block` or `undecided`; `rejected` if the image cannot be
    /// scanned; `not-inspected` as long as there is none, which is never a pass.
    #[schema(value_type = String)]
    pub(super) decision: &'static str,
    /// What the server advises: `allow`, `hold` or `deny`.
    #[schema(value_type = String)]
    pub(super) action: &'static str,
    /// Whether the scan is over.
    pub(super) is_final: bool,
    /// The application's id.
    #[schema(required)]
    data_id: Option<String>,
    /// The service's id, once the image is submitted.
    #[schema(required)]
    task_id: Option<String>,
    /// The results of the service.
    #[schema(value_type = Vec<Object>)]
    results: Vec<SceneResult>,
    /// Why there is no outcome.
    #[schema(required)]
    reason: Option<Why>,
    /// The verdict, if the image was rejected before it was submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Verdict>, nullable = false)]
    verdict: Option<Answer>,
}

/// Why an image has no outcome.
#[derive(Serialize, ToSchema)]
struct Why {
    /// The stable class.
    class: String,
    /// The reason in words. Not stable.
    message: String,
}

impl ScanAnswer {
    /// Whether the image cannot be scanned. The requirements of a request may allow more than the service
    /// scans.
    pub(super) fn is_rejected(&self) -> bool {
        self.decision == "rejected"
    }

    /// Returns the problem of an image that cannot be scanned.
    pub(super) fn refusal(&self) -> Refusal {
        let why = self
            .reason
            .as_ref()
            .map_or("it was rejected", |why| &*why.message);
        Refusal::new(
            422,
            "scan/rejected",
            format!("the image cannot be scanned: {why}"),
        )
    }

    pub(super) fn of(id: ScanId, row: Row, policy: OnOutage) -> Self {
        let outcome = outcome(&row);
        let (decision, action) = decide(&row, outcome.as_ref(), policy);
        Self {
            id: Some(id.to_string()),
            decision,
            action: action.name(),
            is_final: row.state.is_final(),
            data_id: row.source.data_id,
            task_id: row.task_id.map(|id| id.to_string()),
            results: outcome.map_or_else(Vec::new, |outcome| outcome.results().to_vec()),
            reason: row.reason.map(|reason| Why {
                class: reason.class,
                message: reason.message,
            }),
            verdict: None,
        }
    }

    pub(super) fn rejected(answer: Answer, data_id: Option<&DataId>) -> Self {
        Self {
            id: None,
            decision: "rejected",
            action: OnOutage::Deny.name(),
            is_final: true,
            data_id: data_id.map(ToString::to_string),
            task_id: None,
            results: Vec::new(),
            reason: None,
            verdict: Some(answer),
        }
    }
}

/// Returns the name of the decision on an image.
pub(super) fn decision(row: &Row) -> &'static str {
    decide(row, outcome(row).as_ref(), OnOutage::Hold).0
}

fn outcome(row: &Row) -> Option<Outcome> {
    let text = row.outcome.as_deref()?;
    serde_json::from_str(text).ok()
}

/// The name of the decision, and what is advised.
fn decide(row: &Row, outcome: Option<&Outcome>, policy: OnOutage) -> (&'static str, OnOutage) {
    match (outcome, row.state) {
        (Some(outcome), _) => of_outcome(outcome.decision()),
        (None, ImageState::Rejected) => ("rejected", OnOutage::Deny),
        // An outcome that cannot be read is never a pass.
        (None, ImageState::Decided | ImageState::Delivered) => ("undecided", OnOutage::Hold),
        (None, _) => ("not-inspected", policy),
    }
}

const fn of_outcome(decision: OutcomeDecision) -> (&'static str, OnOutage) {
    let action = match decision {
        OutcomeDecision::Pass => OnOutage::Allow,
        OutcomeDecision::Block => OnOutage::Deny,
        OutcomeDecision::Review | OutcomeDecision::Undecided => OnOutage::Hold,
    };
    (decision.name(), action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Key, Location, Reason, Source};

    /// Every state of an image, and every outcome.
    #[test]
    fn only_a_pass_is_called_a_pass() {
        let outcome = |decision: &str| format!(r#"{{"decision":"{decision}","results":[]}}"#);
        for (word, action) in [
            ("pass", "allow"),
            ("review", "hold"),
            ("block", "deny"),
            ("undecided", "hold"),
        ] {
            let scan = answer(ImageState::Delivered, Some(outcome(word)));
            assert_eq!(
                (scan.decision, scan.action, scan.is_final),
                (word, action, true)
            );
        }
        for state in ImageState::ALL {
            let scan = answer(*state, None);
            let decision = match state {
                ImageState::Rejected => "rejected",
                ImageState::Decided | ImageState::Delivered => "undecided",
                _ => "not-inspected",
            };
            assert_eq!(scan.decision, decision, "{state}");
            if decision == "not-inspected" {
                assert_eq!(scan.action, "allow", "{state}: the policy decides");
            } else {
                assert_ne!(scan.action, "allow", "{state}");
            }
        }
        let scan = answer(ImageState::Decided, Some("{}".to_owned()));
        assert_eq!((scan.decision, scan.action), ("undecided", "hold"));
    }

    fn answer(state: ImageState, outcome: Option<String>) -> ScanAnswer {
        let key = Key::from_bytes([7; 32]);
        let location = Location::Url("https://example.com/a.png".to_owned());
        let mut row = Row::new(1, Source::default(), key, location, state);
        row.outcome = outcome;
        row.reason = Some(Reason {
            class: "submit/590".to_owned(),
            message: "refused".to_owned(),
        });
        ScanAnswer::of(ScanId::new(1, &key), row, OnOutage::Allow)
    }
}
