//! `greenlight report`: a run for people who would rather look than read, as one self-contained page.

mod entry;
mod page;
mod plots;
mod tally;

use std::{
    error::Error,
    io::{self, BufRead},
};

use tally::Tally;

pub(crate) use page::Thumbnails;

/// A longer line is no result of ours; it is passed over without being held.
const MAX_LINE: usize = 1 << 20;

/// The page, and what is to be said besides.
pub(crate) struct Report {
    pub(crate) page: String,
    /// Which lines could not be read, if any.
    pub(crate) complaint: Option<String>,
}

/// Makes the page of a run's lines, as `check` or `scan --format jsonl` prints them. Memory is
/// bounded, however many lines there are. A line that cannot be read is counted and named.
///
/// # Errors
///
/// Returns an error of the reader, or of the library that draws.
pub(crate) fn draw(lines: impl BufRead, thumbnails: Thumbnails) -> Result<Report, Box<dyn Error>> {
    let tally = read(lines)?;
    Ok(Report {
        page: page::page(&tally, thumbnails)?,
        complaint: tally.complaint(),
    })
}

fn read(mut lines: impl BufRead) -> Result<Tally, Box<dyn Error>> {
    let mut tally = Tally::default();
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let long = read_line(&mut lines, &mut line)?;
        number = number.saturating_add(1);
        if line.is_empty() && !long {
            return Ok(tally);
        }
        if long {
            tally.add_unreadable(number, format!("longer than {MAX_LINE} bytes"));
        } else if !line.trim_ascii().is_empty() {
            match serde_json::from_slice(&line) {
                Ok(entry) => tally.add(&entry),
                Err(error) => tally.add_unreadable(number, error.to_string()),
            }
        }
    }
}

/// Reads up to and with the next line feed; says whether the line was too long to hold.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    let mut long = false;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(long);
        }
        let end = memchr::memchr(b'\n', buffer);
        let used = end.map_or(buffer.len(), |at| at.saturating_add(1));
        if line.len().saturating_add(used) > MAX_LINE {
            long = true;
            line.clear();
        }
        if !long {
            line.extend_from_slice(buffer.get(..used).unwrap_or_default());
        }
        reader.consume(used);
        if end.is_some() {
            return Ok(long);
        }
    }
}
