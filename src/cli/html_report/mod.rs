//! `greenlight report`: a run for people who would rather look than read, as one self-contained page.

mod entry;
mod figures;
mod page;
mod plots;
mod tables;
mod tally;
mod words;

use std::{
    error::Error,
    io::{self, BufRead},
};

use self::{
    entry::Entry,
    tally::{NOT_CHECKED, Tally},
};
use super::{
    list::{LineEnds, Lines},
    outcome::ScanReport,
};

pub(crate) use page::Thumbnails;

/// Longest line of a run, in bytes. A longer one is skipped and never held.
const MAX_LINE: usize = 1 << 20;

/// A run, counted. Memory is bounded, however many images there are.
#[derive(Debug, Default)]
pub(crate) struct Drawing(Tally);

/// The page, and the error to print with it.
pub(crate) struct Report {
    pub(crate) page: String,
    /// Which lines could not be read, if any.
    pub(crate) complaint: Option<String>,
}

impl Drawing {
    /// Adds lines as `check` or `scan --format jsonl` prints them. One that cannot be read is counted
    /// and named.
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
                match serde_json::from_slice(line.bytes) {
                    Ok(entry) => self.0.add(&entry),
                    Err(error) => self.0.add_unreadable(line.number, error.to_string()),
                }
            }
        }
        Ok(())
    }

    /// Adds what a ledger says of a source that is done.
    pub(crate) fn add(&mut self, report: &ScanReport) {
        self.0.add(&Entry::from(report));
    }

    /// Adds a source that is still to be worked on: what is known of it is counted, and it is not
    /// listed as one to look at.
    pub(crate) fn add_pending(&mut self, report: &ScanReport, is_checked: bool) {
        let mut entry = Entry::from(report);
        if !is_checked {
            NOT_CHECKED.clone_into(&mut entry.decision);
        }
        self.0.add_pending(&entry);
    }

    /// Draws the page.
    ///
    /// # Errors
    ///
    /// Those of the library that draws.
    pub(crate) fn draw(&self, thumbnails: Thumbnails) -> Result<Report, Box<dyn Error>> {
        Ok(Report {
            page: page::page(&self.0, thumbnails)?,
            complaint: self.0.complaint(),
        })
    }
}
