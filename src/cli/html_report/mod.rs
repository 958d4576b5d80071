//! `greenlight report`: the results of a run as one self-contained HTML page.

mod counts;
mod entry;
mod figures;
mod made;
mod page;
mod plots;
mod rows;
mod table;
mod tally;
mod words;

use std::{
    io::{self, BufRead},
    time::SystemTime,
};

use jiff::Timestamp;

use self::{
    entry::{NOT_CHECKED, ReportEntry},
    tally::Tally,
};
use super::{
    list::{LineEnds, Lines},
    outcome::ScanReport,
};

pub(crate) use rows::Thumbnails;

/// Longest line of a run, in bytes. A longer one is skipped and never held.
const MAX_LINE: usize = 1 << 20;

/// A run, counted. Memory is bounded, however many images there are.
#[derive(Debug)]
pub(crate) struct Drawing(Tally);

/// Where the results of a page come from.
#[derive(Debug)]
pub(crate) struct Provenance {
    written: String,
    /// The name of the input.
    input: String,
    /// What else is known, each with its name.
    facts: Vec<(&'static str, String)>,
}

impl Provenance {
    pub(crate) fn new(written: SystemTime, input: String) -> Self {
        let written = Timestamp::try_from(written).unwrap_or_default();
        Self {
            written: written.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            input,
            facts: Vec::new(),
        }
    }

    /// Adds a fact that is not empty.
    pub(crate) fn add(&mut self, name: &'static str, value: String) {
        if !value.is_empty() {
            self.facts.push((name, value));
        }
    }
}

/// The page and a message about lines that could not be read.
pub(crate) struct Report {
    pub(crate) page: String,
    pub(crate) complaint: Option<String>,
}

impl Drawing {
    pub(crate) fn new(thumbnails: Thumbnails) -> Self {
        Self(Tally::new(thumbnails))
    }

    /// Adds lines as `check` or `scan --format jsonl` prints them. Other lines are counted, and the
    /// first one is reported.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub(crate) fn add_lines(&mut self, lines: impl BufRead) -> io::Result<()> {
        let mut lines = Lines::new(LineEnds::new(lines), MAX_LINE);
        while let Some(line) = lines.next()? {
            if line.is_cut {
                let why = format!("longer than {MAX_LINE} bytes");
                self.0.add_unreadable(line.number, why);
            } else if !line.bytes.trim_ascii().is_empty() {
                match serde_json::from_slice::<ReportEntry>(line.bytes) {
                    Ok(entry) if entry.is_waiting() => self.0.add_pending(entry),
                    Ok(entry) => self.0.add(&entry),
                    Err(error) => self.0.add_unreadable(line.number, error.to_string()),
                }
            }
        }
        Ok(())
    }

    /// Adds a source of a ledger that is done.
    pub(crate) fn add(&mut self, report: &ScanReport) {
        self.0.add(&ReportEntry::from(report));
    }

    /// Adds a source of a ledger that is not done: it is counted, but not listed.
    pub(crate) fn add_pending(&mut self, report: &ScanReport, is_checked: bool) {
        let mut entry = ReportEntry::from(report);
        if !is_checked {
            NOT_CHECKED.clone_into(&mut entry.decision);
        }
        self.0.add_pending(entry);
    }

    /// Whether there is not a single result.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.total == 0
    }

    /// Returns what was read instead of results, if anything was.
    pub(crate) fn no_result(&self) -> Option<String> {
        let (line, reason) = self.0.first_unreadable.as_ref()?;
        let lines = self.0.unreadable;
        Some(format!(
            "none of {lines} lines is a result, line {line}: {reason}"
        ))
    }

    /// Draws the page.
    pub(crate) fn draw(&self, provenance: &Provenance) -> Report {
        Report {
            page: page::page(&self.0, provenance),
            complaint: self.0.complaint(),
        }
    }
}
