//! The table for people. Column widths are fixed, so that rows can be printed as they come.

use std::io;

use super::{
    outcome::{ResultReport, ScanOutcome, ScanReport, SceneReport},
    report::{Report, Tally},
    terminal::{Cell, Terminal, Tone},
};
use crate::verdict::{Decision, Severity};

const FIRST: usize = 13;
const FORMAT: usize = 8;
const PIXELS: usize = 11;
const BYTES: usize = 10;

pub(crate) fn heading(terminal: &mut Terminal) -> io::Result<()> {
    image_heading(terminal, "DECISION")
}

pub(crate) fn row(terminal: &mut Terminal, report: &Report) -> io::Result<()> {
    let decision = report.decision;
    image_row(terminal, decision.name(), tone(decision), report)?;
    findings(terminal, report)
}

pub(crate) fn scan_heading(terminal: &mut Terminal) -> io::Result<()> {
    image_heading(terminal, "OUTCOME")
}

pub(crate) fn scan_row(terminal: &mut Terminal, report: &ScanReport) -> io::Result<()> {
    let tone = match (report.outcome, report.check.decision) {
        (ScanOutcome::NotSubmitted, Decision::Reject) => Tone::Faint,
        (outcome, _) => outcome_tone(outcome),
    };
    image_row(terminal, report.outcome.name(), tone, &report.check)?;
    scenes(terminal, &report.results)?;
    findings(terminal, &report.check)
}

pub(crate) fn result_heading(terminal: &mut Terminal) -> io::Result<()> {
    let row = [
        Cell::new("STATE").left(FIRST),
        Cell::new("OUTCOME").left(FIRST),
        Cell::new("TASK"),
    ];
    terminal.row(&row.map(|cell| cell.tone(Tone::Heading)))
}

pub(crate) fn result_row(terminal: &mut Terminal, report: &ResultReport) -> io::Result<()> {
    let (outcome, tone) = match report.outcome {
        Some(outcome) => (outcome.name(), outcome_tone(outcome)),
        None => ("-", Tone::Plain),
    };
    terminal.row(&[
        Cell::new(report.state).left(FIRST),
        Cell::new(outcome).left(FIRST).tone(tone),
        Cell::new(&*report.task_id),
    ])?;
    scenes(terminal, &report.results)?;
    match &report.error {
        Some(error) => error_row(terminal, error),
        None => Ok(()),
    }
}

fn image_heading(terminal: &mut Terminal, first: &str) -> io::Result<()> {
    let row = [
        Cell::new(first).left(FIRST),
        Cell::new("FORMAT").left(FORMAT),
        Cell::new("PIXELS").right(PIXELS),
        Cell::new("BYTES").right(BYTES),
        Cell::new("SOURCE"),
    ];
    terminal.row(&row.map(|cell| cell.tone(Tone::Heading)))
}

fn image_row(terminal: &mut Terminal, first: &str, tone: Tone, report: &Report) -> io::Result<()> {
    let pixels = match (report.width, report.height) {
        (Some(width), Some(height)) => format!("{width}x{height}"),
        _ => "-".to_owned(),
    };
    let bytes = report
        .bytes
        .map_or("-".to_owned(), |bytes| bytes.to_string());
    terminal.row(&[
        Cell::new(first).left(FIRST).tone(tone),
        Cell::new(report.format.unwrap_or("-")).left(FORMAT),
        Cell::new(pixels).right(PIXELS),
        Cell::new(bytes).right(BYTES),
        Cell::new(&*report.source),
    ])
}

/// What the service found, a line each, where it is not simply a pass.
fn scenes(terminal: &mut Terminal, results: &[SceneReport]) -> io::Result<()> {
    for result in results.iter().filter(|result| result.suggestion != "pass") {
        let rate = result.rate.map(|rate| format!(" ({rate})"));
        let rate = rate.unwrap_or_default();
        let finding = format!("{}, {}{rate}", result.label, result.suggestion);
        terminal.row(&[
            Cell::new("").left(FIRST),
            Cell::new(format!("{}:", result.scene)).tone(Tone::Bad),
            Cell::new(finding),
        ])?;
    }
    Ok(())
}

/// What is wrong, a line each, below the source's own.
fn findings(terminal: &mut Terminal, report: &Report) -> io::Result<()> {
    for violation in &report.violations {
        let (label, tone) = match violation.severity() {
            Severity::Reject => (String::new(), Tone::Bad),
            Severity::Warn => ("warning: ".to_owned(), Tone::Unsure),
        };
        terminal.row(&[
            Cell::new("").left(FIRST),
            Cell::new(format!("{label}{}:", violation.code())).tone(tone),
            Cell::new(violation.message()),
        ])?;
    }
    match &report.error {
        Some(error) => error_row(terminal, error),
        None => Ok(()),
    }
}

fn error_row(terminal: &mut Terminal, error: &str) -> io::Result<()> {
    terminal.row(&[
        Cell::new("").left(FIRST),
        Cell::new("error:").tone(Tone::Unsure),
        Cell::new(error),
    ])
}

pub(crate) fn summary(terminal: &mut Terminal, tally: &Tally) -> io::Result<()> {
    let sources = tally.sources();
    if sources > 0 {
        terminal.row(&[])?;
    }
    let noun = if sources == 1 { "source" } else { "sources" };
    let decisions = tally
        .decisions()
        .map(|(decision, times)| format!("{times} {decision}"));
    count_row(terminal, &format!("{sources} {noun}"), decisions)?;
    let outcomes = tally
        .outcomes()
        .map(|(outcome, times)| format!("{times} {}", outcome.name()));
    if tally.outcomes().next().is_some() {
        count_row(terminal, "outcomes", outcomes)?;
    }
    for (code, times) in tally.violations() {
        terminal.row(&[
            Cell::new(times.to_string()).right(6),
            Cell::new(code.name()),
        ])?;
    }
    Ok(())
}

fn count_row(
    terminal: &mut Terminal,
    what: &str,
    counts: impl Iterator<Item = String>,
) -> io::Result<()> {
    let counts: Vec<_> = counts.collect();
    let row = if counts.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {}", counts.join(", "))
    };
    terminal.row(&[Cell::new(row).tone(Tone::Heading)])
}

const fn outcome_tone(outcome: ScanOutcome) -> Tone {
    match outcome {
        ScanOutcome::Pass => Tone::Good,
        ScanOutcome::Block => Tone::Bad,
        ScanOutcome::Review | ScanOutcome::Undecided | ScanOutcome::NotSubmitted => Tone::Unsure,
    }
}

const fn tone(decision: Decision) -> Tone {
    match decision {
        Decision::Accept => Tone::Good,
        Decision::Reject => Tone::Bad,
        Decision::Inconclusive => Tone::Unsure,
    }
}
