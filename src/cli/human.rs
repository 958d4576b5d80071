//! The table for people. Column widths are fixed, so that rows can be printed as they come.

use std::io;

use super::{
    report::{Report, Tally},
    terminal::{Cell, Terminal, Tone},
};
use crate::verdict::{Decision, Severity};

const DECISION: usize = 12;
const FORMAT: usize = 8;
const PIXELS: usize = 11;
const BYTES: usize = 10;

pub(crate) fn heading(terminal: &mut Terminal) -> io::Result<()> {
    let row = [
        Cell::new("DECISION").left(DECISION),
        Cell::new("FORMAT").left(FORMAT),
        Cell::new("PIXELS").right(PIXELS),
        Cell::new("BYTES").right(BYTES),
        Cell::new("SOURCE"),
    ];
    terminal.row(&row.map(|cell| cell.tone(Tone::Heading)))
}

pub(crate) fn row(terminal: &mut Terminal, report: &Report) -> io::Result<()> {
    let pixels = match (report.width, report.height) {
        (Some(width), Some(height)) => format!("{width}x{height}"),
        _ => "-".to_owned(),
    };
    let bytes = report
        .bytes
        .map_or("-".to_owned(), |bytes| bytes.to_string());
    terminal.row(&[
        Cell::new(report.decision.name())
            .left(DECISION)
            .tone(tone(report.decision)),
        Cell::new(report.format.unwrap_or("-")).left(FORMAT),
        Cell::new(pixels).right(PIXELS),
        Cell::new(bytes).right(BYTES),
        Cell::new(&*report.source),
    ])?;
    findings(terminal, report)
}

/// What is wrong, a line each, below the source's own.
fn findings(terminal: &mut Terminal, report: &Report) -> io::Result<()> {
    for violation in &report.violations {
        let (label, tone) = match violation.severity() {
            Severity::Reject => (String::new(), Tone::Bad),
            Severity::Warn => ("warning: ".to_owned(), Tone::Unsure),
        };
        terminal.row(&[
            Cell::new("").left(DECISION),
            Cell::new(format!("{label}{}:", violation.code())).tone(tone),
            Cell::new(violation.message()),
        ])?;
    }
    if let Some(error) = &report.error {
        terminal.row(&[
            Cell::new("").left(DECISION),
            Cell::new("error:").tone(Tone::Unsure),
            Cell::new(&**error),
        ])?;
    }
    Ok(())
}

pub(crate) fn summary(terminal: &mut Terminal, tally: &Tally) -> io::Result<()> {
    let sources = tally.sources();
    if sources > 0 {
        terminal.row(&[])?;
    }
    let counts: Vec<_> = tally
        .decisions()
        .map(|(decision, times)| format!("{times} {decision}"))
        .collect();
    let noun = if sources == 1 { "source" } else { "sources" };
    let total = if counts.is_empty() {
        format!("{sources} {noun}")
    } else {
        format!("{sources} {noun}: {}", counts.join(", "))
    };
    terminal.row(&[Cell::new(total).tone(Tone::Heading)])?;
    for (code, times) in tally.violations() {
        terminal.row(&[
            Cell::new(times.to_string()).right(6),
            Cell::new(code.name()),
        ])?;
    }
    Ok(())
}

const fn tone(decision: Decision) -> Tone {
    match decision {
        Decision::Accept => Tone::Good,
        Decision::Reject => Tone::Bad,
        Decision::Inconclusive => Tone::Unsure,
    }
}
