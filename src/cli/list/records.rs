//! The records of CSV (RFC 4180) and TSV, which has no quotes.
//!
//! A record that is malformed costs its first line: reading continues with the next one. What was
//! read of the record is kept for that.

use std::io::{self, BufRead};

use super::{
    scan::{Scan, Step},
    text,
};

/// A longer record is malformed, most likely because its quote is never closed, in bytes.
const LONGEST_RECORD: usize = 1 << 20;

/// More lines in a record are reported, in case that a quote too many makes rows a field.
const MOST_LINES: usize = 10;

/// Lines of malformed records are read again while that is at most as much work as reading the
/// list this many times, in bytes for each byte of it.
const MOST_AGAIN: u64 = 4;

/// Reads records, and reads the lines of malformed ones again.
pub(super) struct Records<R> {
    reader: R,
    /// What is to be read again before the reader is, the last byte first.
    back: Vec<u8>,
    /// Of the byte that is read next, from 1.
    line: u64,
    pub(super) delimiter: u8,
    pub(super) has_quotes: bool,
    /// How many bytes were read, and how many were read again.
    seen: u64,
    again: u64,
}

pub(super) struct Record {
    /// The lines that it begins and ends in.
    pub(super) line: u64,
    pub(super) last: u64,
    pub(super) fields: usize,
    pub(super) fault: Option<String>,
    /// Whether its quoted fields seem to hold rows.
    pub(super) holds_rows: bool,
}

impl Record {
    const fn new(scan: &Scan, line: u64, last: u64, fault: Option<String>) -> Self {
        Self {
            line,
            last,
            fields: scan.fields,
            fault,
            holds_rows: false,
        }
    }
}

impl<R: BufRead> Records<R> {
    pub(super) const fn new(reader: R, delimiter: u8, has_quotes: bool) -> Self {
        Self {
            reader,
            back: Vec::new(),
            line: 1,
            delimiter,
            has_quotes,
            seen: 0,
            again: 0,
        }
    }

    /// The line that is read next, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Reads a record, and passes the bytes of each field to `field` with the field's index.
    pub(super) fn next(
        &mut self,
        mut field: impl FnMut(usize, &[u8]),
    ) -> io::Result<Option<Record>> {
        let mut scan = Scan::new(self.delimiter, self.has_quotes);
        let mut held = Vec::new();
        let mut first = self.line;
        loop {
            if held.len() > LONGEST_RECORD {
                return self.recover_long(first, &held, &scan).map(Some);
            }
            let Some(byte) = self.byte()? else {
                let fault = match scan.is_quoted() {
                    _ if held.is_empty() => return Ok(None),
                    true => "a quote is opened and never closed",
                    false => {
                        // The last record may have no line end (RFC 4180, 2.2).
                        scan.push(b'\n', &mut field);
                        let record = Record::new(&scan, first, self.line, None);
                        return Ok(Some(self.finish(record, &held)));
                    }
                };
                return Ok(Some(self.recover(first, &held, &scan, fault)));
            };
            if held.is_empty() && byte == b'\n' {
                first = self.line;
                continue;
            }
            held.push(byte);
            match scan.push(byte, &mut field) {
                Step::More => {}
                Step::End => {
                    let ended = u64::from(byte == b'\n');
                    let last = self.line.saturating_sub(ended);
                    let record = Record::new(&scan, first, last, None);
                    return Ok(Some(self.finish(record, &held)));
                }
                Step::Malformed => {
                    let fault = "text follows a closing quote; write a quote within quotes twice";
                    // The rest of its line belongs to the malformed record.
                    while !held.ends_with(b"\n") && held.len() <= LONGEST_RECORD {
                        let Some(byte) = self.byte()? else { break };
                        held.push(byte);
                    }
                    return Ok(Some(self.recover(first, &held, &scan, fault)));
                }
            }
        }
    }

    fn finish(&self, record: Record, held: &[u8]) -> Record {
        Record {
            holds_rows: record.last > record.line && holds_rows(held, self.delimiter),
            ..record
        }
    }

    /// The line that is read next, without its end; the first of it if it is long.
    pub(super) fn peek(&mut self) -> io::Result<Vec<u8>> {
        let mut held = Vec::new();
        while held.len() <= LONGEST_RECORD {
            match self.byte()? {
                None => break,
                Some(b'\n') if held.is_empty() => {}
                Some(byte) => {
                    held.push(byte);
                    if byte == b'\n' {
                        break;
                    }
                }
            }
        }
        self.put_back(&held);
        if let Some(b'\n') = held.last() {
            held.pop();
        }
        Ok(held)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = if let Some(byte) = self.back.pop() {
            byte
        } else {
            let Some(byte) = fill(&mut self.reader)?.first().copied() else {
                return Ok(None);
            };
            self.reader.consume(1);
            self.seen = self.seen.saturating_add(1);
            byte
        };
        self.line = self.line.saturating_add(u64::from(byte == b'\n'));
        Ok(Some(byte))
    }

    fn put_back(&mut self, bytes: &[u8]) {
        let lines = memchr::memchr_iter(b'\n', bytes).count();
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        self.line = self.line.saturating_sub(lines);
        self.back.extend(bytes.iter().rev());
    }

    /// Continues with the line after the first of a malformed record, as if nothing was opened; or
    /// after the record, if too much was read twice.
    fn recover(&mut self, first: u64, held: &[u8], scan: &Scan, fault: &str) -> Record {
        if self.rewind(held) {
            return Record::new(scan, first, first, Some(fault.to_owned()));
        }
        let last = self.line.saturating_sub(u64::from(held.ends_with(b"\n")));
        let fault = format!("{fault}: the lines up to {last} are skipped");
        Record::new(scan, first, last, Some(fault))
    }

    /// Goes back to the second line of what is held. Returns `false` if there was too much of that.
    fn rewind(&mut self, held: &[u8]) -> bool {
        let end = held.iter().position(|byte| *byte == b'\n');
        let rest = end.and_then(|end| held.get(end.saturating_add(1)..));
        let rest = rest.unwrap_or_default();
        let length = u64::try_from(rest.len()).unwrap_or(u64::MAX);
        let again = self.again.saturating_add(length);
        // Four records of the longest size are allowed in any case, because little was read at the
        // start of a list.
        let most = self.seen.saturating_mul(MOST_AGAIN).saturating_add(1 << 22);
        if again <= most {
            self.again = again;
            self.put_back(rest);
        }
        again <= most
    }

    /// The same for what is too long to be a record.
    fn recover_long(&mut self, first: u64, held: &[u8], scan: &Scan) -> io::Result<Record> {
        if held.contains(&b'\n') && self.rewind(held) {
            let fault = "a quote is opened, and not closed within 1048576 bytes";
            return Ok(Record::new(scan, first, first, Some(fault.to_owned())));
        }
        let mut last = self.line;
        while let Some(byte) = self.byte()? {
            if byte == b'\n' {
                break;
            }
            last = self.line;
        }
        let fault = format!(
            "a record of more than {LONGEST_RECORD} bytes, perhaps with a quote that is never \
             closed: the lines up to {last} are skipped"
        );
        Ok(Record::new(scan, first, last, Some(fault)))
    }
}

/// Whether the quoted fields of a record seem to hold rows: a later line has a URL at its beginning
/// or after a delimiter, or there are more lines than a description usually has.
fn holds_rows(record: &[u8], delimiter: u8) -> bool {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    let lines = || record.split(|byte| *byte == b'\n').skip(1);
    let has_url = |line: &[u8]| line.split(|byte| *byte == delimiter).any(text::is_url);
    lines().count() > MOST_LINES || lines().any(has_url)
}

fn fill(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    // Called twice, because a loop would borrow for too long.
    while let Err(error) = reader.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    reader.fill_buf()
}
