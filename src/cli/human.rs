//! The table for people. Column widths are fixed, so that rows can be printed as they come.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    list::unit_of,
    outcome::{ResultReport, ScanOutcome, ScanReport, SceneReport},
    report::Report,
    source::Noticed,
    tally::Tally,
    terminal::{Cell, Row, Tone},
};
use greenlight::{Code, CodeCounts, Decision, Format, Scene, Severity};

const FIRST: usize = 13;
const FORMAT: usize = 8;
const PIXELS: usize = 11;
const BYTES: usize = 10;

/// Joins the names of scenes.
pub(crate) fn scene_names(scenes: &[Scene], separator: &str) -> String {
    let names: Vec<_> = scenes.iter().map(Scene::as_str).collect();
    names.join(separator)
}

pub(crate) fn check_heading() -> Row {
    image_heading("DECISION")
}

pub(crate) fn check_rows(report: &Report) -> Vec<Row> {
    let decision = report.summary.decision;
    let mut rows = vec![image_row(decision.name(), decision_tone(decision), report)];
    rows.extend(findings(report));
    rows
}

pub(crate) fn scan_heading() -> Row {
    image_heading("OUTCOME")
}

pub(crate) fn scan_rows(report: &ScanReport) -> Vec<Row> {
    let tone = match (report.outcome, report.check.summary.decision) {
        (ScanOutcome::NotSubmitted, Decision::Reject) => Tone::Faint,
        (outcome, _) => outcome_tone(outcome),
    };
    let mut rows = vec![image_row(report.outcome.name(), tone, &report.check)];
    rows.extend(scenes(&report.results));
    rows.extend(findings(&report.check));
    rows
}

pub(crate) fn result_heading() -> Row {
    let row = [
        Cell::new("STATE").left(FIRST),
        Cell::new("OUTCOME").left(FIRST),
        Cell::new("TASK"),
    ];
    row.map(|cell| cell.tone(Tone::Heading)).to_vec()
}

pub(crate) fn result_rows(report: &ResultReport) -> Vec<Row> {
    let (outcome, tone) = match report.outcome {
        Some(outcome) => (outcome.name(), outcome_tone(outcome)),
        None => ("-", Tone::Plain),
    };
    let mut rows = vec![vec![
        Cell::new(report.state).left(FIRST),
        Cell::new(outcome).left(FIRST).tone(tone),
        Cell::new(&*report.task_id),
    ]];
    rows.extend(scenes(&report.results));
    rows.extend(report.error.as_deref().map(error_row));
    rows
}

/// How many of each there were.
pub(crate) fn summary(tally: &Tally, noticed: &Noticed, is_below_lines: bool) -> Vec<Row> {
    let sources = tally.sources();
    let noun = if sources == 1 { "source" } else { "sources" };
    let mut rows = Vec::new();
    if is_below_lines {
        rows.push(Row::new());
    }
    let decisions: Vec<_> = tally
        .decisions()
        .map(|(decision, times)| format!("{times} {decision}"))
        .collect();
    rows.push(count_row(&format!("{sources} {noun}"), &decisions));
    // Some reports stand for several lines.
    let further = noticed.bad_lines().saturating_sub(noticed.bad());
    let unread = tally.bad().saturating_add(further);
    if let Some(bad) = bad_lines(unread) {
        rows.push(count_row(&bad, &[]));
    }
    if let Some(quoted) = quoted_lines(noticed.quoted_lines()) {
        rows.push(count_row(&quoted, &[]));
    }
    let outcomes: Vec<_> = tally
        .outcomes()
        .map(|(outcome, times)| format!("{times} {}", outcome.name()))
        .collect();
    if !outcomes.is_empty() {
        rows.push(count_row("outcomes", &outcomes));
    }
    rows.extend(code_rows(tally.codes(), 6));
    rows
}

/// How many lines of lists have no source.
pub(crate) fn bad_lines(count: u64) -> Option<String> {
    let noun = if count == 1 { "line" } else { "lines" };
    (count > 0).then(|| format!("{count} {noun} without a readable source"))
}

/// How many lines there are in quoted fields that seem to hold rows.
pub(crate) fn quoted_lines(count: u64) -> Option<String> {
    let noun = if count == 1 { "line" } else { "lines" };
    (count > 0).then(|| format!("{count} further {noun} within quoted fields"))
}

/// A row for each code, the most frequent first: those that reject, then the warnings.
pub(crate) fn code_rows(codes: &CodeCounts, width: usize) -> impl Iterator<Item = Row> {
    let rejecting = by_count(codes.rejecting());
    let rejecting = rejecting.map(|(code, count)| (count, Cell::new(code.name())));
    let warnings = by_count(codes.warnings());
    let warnings = warnings.map(|(code, count)| (count, Cell::new(format!("warning: {code}"))));
    let rows = rejecting.chain(warnings);
    rows.map(move |(count, code)| vec![Cell::new(count.to_string()).right(width), code])
}

fn by_count(counts: &BTreeMap<Code, u64>) -> impl Iterator<Item = (Code, u64)> + use<> {
    let mut counts: Vec<_> = counts.iter().map(|(code, count)| (*code, *count)).collect();
    counts.sort_by_key(|(code, count)| (Reverse(*count), *code));
    counts.into_iter()
}

/// The counts of codes as one value of CSV: `image/corrupt:3 image/too-small:1`.
pub(crate) fn flat_codes(counts: &BTreeMap<Code, u64>) -> String {
    let counts: Vec<_> = counts
        .iter()
        .map(|(code, count)| format!("{code}:{count}"))
        .collect();
    counts.join(" ")
}

fn image_heading(first: &str) -> Row {
    let row = [
        Cell::new(first).left(FIRST),
        Cell::new("FORMAT").left(FORMAT),
        Cell::new("PIXELS").right(PIXELS),
        Cell::new("BYTES").right(BYTES),
        Cell::new("SOURCE"),
    ];
    row.map(|cell| cell.tone(Tone::Heading)).to_vec()
}

fn image_row(first: &str, tone: Tone, report: &Report) -> Row {
    let pixels = match (report.summary.width, report.summary.height) {
        (Some(width), Some(height)) => format!("{width}x{height}"),
        _ => "-".to_owned(),
    };
    let bytes = report
        .summary
        .bytes
        .map_or("-".to_owned(), |bytes| bytes.to_string());
    vec![
        Cell::new(first).left(FIRST).tone(tone),
        Cell::new(report.summary.format.map_or("-", Format::name)).left(FORMAT),
        Cell::new(pixels).right(PIXELS),
        Cell::new(bytes).right(BYTES),
        Cell::new(&*report.source),
    ]
}

/// What the service found, where it is not simply a pass.
fn scenes(results: &[SceneReport]) -> impl Iterator<Item = Row> {
    let findings = results.iter().filter(|result| result.suggestion != "pass");
    findings.map(|result| {
        let rate = result.rate.map(|rate| format!(" ({rate})"));
        let rate = rate.unwrap_or_default();
        let found = format!("{}, {}{rate}", result.label, result.suggestion);
        let scene = Cell::new(format!("{}:", result.scene)).tone(Tone::Bad);
        vec![Cell::new("").left(FIRST), scene, Cell::new(found)]
    })
}

/// What is wrong, a row each, below the source's own.
fn findings(report: &Report) -> impl Iterator<Item = Row> {
    let violations = report.summary.violations.iter().map(|violation| {
        let code = violation.code();
        let label = match violation.severity() {
            Severity::Reject => Cell::new(format!("{code}:")).tone(Tone::Bad),
            Severity::Warn => Cell::new(format!("warning: {code}:")).tone(Tone::Unsure),
        };
        let unit = report.list.as_deref().map_or("line", unit_of);
        let line = report.line.map(|line| format!("{unit} {line}: "));
        let mut message = line.unwrap_or_default() + violation.message();
        if code == Code::UrlPrivateAddress && message.contains("allow entry") {
            message.push_str(" (--allow-address)");
        }
        let message = Cell::new(message);
        vec![Cell::new("").left(FIRST), label, message]
    });
    violations.chain(report.error.as_deref().map(error_row))
}

fn error_row(error: &str) -> Row {
    let label = Cell::new("error:").tone(Tone::Unsure);
    vec![Cell::new("").left(FIRST), label, Cell::new(error)]
}

fn count_row(what: &str, counts: &[String]) -> Row {
    let text = if counts.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {}", counts.join(", "))
    };
    vec![Cell::new(text).tone(Tone::Heading)]
}

const fn outcome_tone(outcome: ScanOutcome) -> Tone {
    match outcome {
        ScanOutcome::Pass => Tone::Good,
        ScanOutcome::Block => Tone::Bad,
        ScanOutcome::Review | ScanOutcome::Undecided | ScanOutcome::NotSubmitted => Tone::Unsure,
    }
}

const fn decision_tone(decision: Decision) -> Tone {
    match decision {
        Decision::Accept => Tone::Good,
        Decision::Reject => Tone::Bad,
        Decision::Inconclusive => Tone::Unsure,
    }
}
