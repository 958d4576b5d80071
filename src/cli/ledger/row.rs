//! Converts a ledger's row to the report that `scan` prints.

use super::lines::{ARGUMENTS, UNREADABLE, located};
use crate::{
    cli::{
        name,
        outcome::{NO_RESULT_YET, ScanReport},
        report::Report,
    },
    green::Outcome,
    ledger::{Location, Reason, Row, State},
    pipeline,
};
use greenlight::{Decision, Summary};

impl From<Row> for ScanReport {
    fn from(row: Row) -> Self {
        let summary = pipeline::summary(&row).unwrap_or_else(Summary::unseen);
        let is_rejected = summary.decision == Decision::Reject;
        let source = row.source.text.unwrap_or_else(|| match &row.location {
            Location::File(path) => name::shown(path),
            other => other.text().into_owned(),
        });
        let is_listed = row.source.origin != ARGUMENTS;
        let (list, number) = (row.source.origin, row.source.line);
        let reason = row.reason.map(|mut reason| {
            if reason.class == UNREADABLE {
                reason.message = located(reason.message, &list, number);
            }
            reason
        });
        let mut report = Self::unsubmitted(Report {
            source,
            source_base64: match &row.location {
                Location::File(path) => name::encoded(path),
                _ => None,
            },
            list: is_listed.then(|| list.clone()),
            line: is_listed.then_some(number),
            summary,
            error: None,
            provenance: row
                .facts
                .as_deref()
                .and_then(|facts| serde_json::from_str(facts).ok()),
        });
        // Without a data ID of the user's own, the service has the image's key.
        let sent = row.task_id.is_some().then(|| row.key.to_string());
        report.data_id = row.source.data_id.or(sent);
        report.task_id = row.task_id.map(|id| id.to_string());
        match row.state {
            State::Decided | State::Delivered => decide(&mut report, row.outcome.as_deref()),
            // What was found wrong is in the violations, a download that failed every time too.
            State::Rejected | State::Dead if is_rejected => {}
            State::Rejected => report.check.error = reason.map(|reason| reason.message),
            State::Dead => give_up(&mut report, reason.unwrap_or_else(unknown)),
            state => wait(&mut report, state),
        }
        report
    }
}

fn decide(report: &mut ScanReport, outcome: Option<&str>) {
    let outcome = outcome.and_then(|outcome| serde_json::from_str::<Outcome>(outcome).ok());
    match outcome {
        Some(outcome) => report.decide(&outcome),
        None => report.leave_open("the ledger's outcome cannot be read".to_owned()),
    }
}

/// Returns why an image was abandoned, by the stage that its class begins with.
fn give_up(report: &mut ScanReport, Reason { class, message }: Reason) {
    match class.split_once('/') {
        Some(("task", "expired")) => {
            report.leave_open("the result was no longer kept, twice: submit it again".to_owned());
        }
        Some(("task", _)) => {
            report.leave_open(format!("the service could not scan it: {message}"));
        }
        Some(("submit", _)) => {
            report.check.error = Some(format!("the service did not take it: {message}"));
        }
        Some(("probe", _)) => report.check.error = Some(format!("not decidable, {message}")),
        _ => report.check.error = Some(message),
    }
}

fn wait(report: &mut ScanReport, state: State) {
    match state {
        State::Sending | State::Uncertain => {
            report.leave_open("sent, and no answer is known yet".to_owned());
        }
        State::Submitted => report.leave_open(NO_RESULT_YET.to_owned()),
        State::Expired => report
            .leave_open("the result was no longer kept: it will be submitted again".to_owned()),
        state => report.check.error = Some(format!("not submitted yet: {state}")),
    }
}

fn unknown() -> Reason {
    Reason {
        class: "unknown".to_owned(),
        message: "the ledger does not say why".to_owned(),
    }
}
