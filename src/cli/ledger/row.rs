//! A row of the ledger in the shape of a line of `scan`.

use crate::{
    cli::{
        outcome::{ScanOutcome, ScanReport},
        report::Report,
    },
    green::{Outcome, TaskState},
    image_url::ImageUrl,
    ledger::{Row, State},
    requirements::Requirements,
    verdict::{Code, Decision, Measure, Severity, Summary, Verdict, Violation},
};

impl ScanReport {
    /// What is known of a source, final or not.
    pub(crate) fn of_row(row: &Row) -> Self {
        let source = row.source.text.as_ref().unwrap_or(&row.url);
        let mut report = Self::unsubmitted(Report {
            source: source.clone(),
            summary: summary(row),
            error: None,
        });
        report.task_id.clone_from(&row.task_id);
        report.data_id = row.source.data_id.clone().or_else(|| {
            // What it was submitted as.
            row.task_id.is_some().then(|| row.key.to_string())
        });
        report.note_state(row);
        report
    }

    fn note_state(&mut self, row: &Row) {
        let waits = |why: &str| Some(format!("not done yet: {why}"));
        match row.state {
            State::Decided | State::Delivered => {
                let outcome = row.outcome.as_deref().unwrap_or_default();
                match serde_json::from_str::<Outcome>(outcome) {
                    Ok(outcome) => self.note(&TaskState::Done(outcome)),
                    Err(_) => {
                        self.outcome = ScanOutcome::Undecided;
                        self.check.error = Some("the ledger's outcome cannot be read".to_owned());
                    }
                }
            }
            State::Rejected => {
                if self.check.summary.decision != Decision::Reject {
                    self.check.error = row.reason.as_ref().map(|reason| reason.message.clone());
                }
            }
            State::Dead => self.note_death(row),
            State::Sending | State::Uncertain | State::Submitted | State::Expired => {
                self.outcome = ScanOutcome::Undecided;
                self.check.error = waits("it was sent and has no result");
            }
            State::Probed => self.check.error = waits("it is checked and not submitted"),
            State::Received | State::Checked => self.check.error = waits("it is not checked"),
            State::Unreachable => {
                self.check.error = waits("it could not be read and is tried again");
            }
        }
    }

    /// Why it was given up. What a check found wrong is in its violations already.
    fn note_death(&mut self, row: &Row) {
        let Some(reason) = &row.reason else {
            self.check.error = Some("given up".to_owned());
            return;
        };
        let message = &reason.message;
        let (stage, _) = reason.class.split_once('/').unwrap_or_default();
        self.check.error = match stage {
            "submit" => Some(format!("the service did not take it: {message}")),
            "task" => {
                self.outcome = ScanOutcome::Undecided;
                Some(format!("the service could not scan it: {message}"))
            }
            "probe" => Some(format!("not decidable, {message}")),
            _ if self.check.summary.decision == Decision::Reject => None,
            _ => Some(message.clone()),
        };
    }
}

/// What the check found. Of a URL that was refused for its text nothing is kept but the text, which
/// is judged again.
fn summary(row: &Row) -> Summary {
    let kept = row.facts.as_deref();
    if let Some(summary) = kept.and_then(|facts| serde_json::from_str(facts).ok()) {
        return summary;
    }
    let code = row.reason.as_ref().map(|reason| reason.class.as_str());
    let Some(code) = code.and_then(Code::from_name) else {
        return Summary::unseen();
    };
    let judged = judge_text(&row.url);
    if judged.violations.iter().any(|found| found.code() == code) {
        return judged;
    }
    // Under rules of another version.
    let message = row.reason.as_ref().map(|reason| reason.message.clone());
    let violation = Violation::new(
        code,
        Severity::Reject,
        message.unwrap_or_default(),
        Measure::None,
        Measure::None,
    );
    Summary {
        decision: Decision::Reject,
        violations: vec![violation],
        ..Summary::unseen()
    }
}

fn judge_text(text: &str) -> Summary {
    match ImageUrl::parse(text) {
        Ok(url) => Requirements::ASYNC.judge_url(url).summary(),
        Err(error) => Verdict::of_text(String::new(), &error).summary(),
    }
}
