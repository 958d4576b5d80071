//! A finding of the doctor, and its printed form.

use serde::Serialize;

use crate::cli::{
    printer::PrintedLine,
    terminal::{Cell, Row, Tone},
};

/// The result of one test.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) state: State,
    pub(super) detail: String,
    pub(super) advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Ok,
    Warning,
    Failed,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl Finding {
    pub(super) fn ok(check: &'static str, detail: &str) -> Self {
        Self {
            check,
            state: State::Ok,
            detail: detail.to_owned(),
            advice: None,
        }
    }

    pub(super) fn failed(check: &'static str, detail: &str, advice: Option<&str>) -> Self {
        Self {
            check,
            state: State::Failed,
            detail: detail.to_owned(),
            advice: advice.map(str::to_owned),
        }
    }
}

impl PrintedLine for Finding {
    fn heading() -> Option<Row> {
        None
    }

    fn rows(&self) -> Vec<Row> {
        let tone = match self.state {
            State::Ok => Tone::Good,
            State::Warning => Tone::Unsure,
            State::Failed => Tone::Bad,
        };
        let mut text = self.detail.clone();
        if let Some(advice) = &self.advice {
            text.push_str(": ");
            text.push_str(advice);
        }
        vec![vec![
            Cell::new(self.state.name()).left(7).tone(tone),
            Cell::new(self.check).left(10),
            Cell::new(text),
        ]]
    }

    fn columns() -> Vec<&'static str> {
        vec!["check", "state", "detail", "advice"]
    }

    fn fields(&self) -> Vec<String> {
        vec![
            self.check.to_owned(),
            self.state.name().to_owned(),
            self.detail.clone(),
            self.advice.clone().unwrap_or_default(),
        ]
    }
}
