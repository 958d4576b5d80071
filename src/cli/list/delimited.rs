//! CSV (RFC 4180) and TSV, which has no quotes. Of a record only the columns
//! asked for are held, and of those no more than a source may have.
//!
//! A record that is malformed costs its first line: reading continues with the next one. What was
//! read of the record is kept for that.

use std::io::{self, BufRead};

use super::{
    LONGEST,
    column::{self, Columns, DELIMITERS},
    row::{Found, Quoted, Row, Rows, Trouble, with_skipped},
    text,
};
use crate::cli::exit::reason;

/// A longer record is malformed, most likely because its quote is never closed, in bytes.
const LONGEST_RECORD: usize = 1 << 20;

/// More lines in a record are reported, in case that a quote too many makes rows a field.
const MOST_LINES: usize = 10;

/// More columns are no table.
const MOST_COLUMNS: usize = 10_000;

/// Lines of malformed records are read again while that is at most as much work as reading the
/// list this many times, in bytes for each byte of it.
const MOST_AGAIN: u64 = 4;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// What separates fields; found from the first line if it is `None`.
    pub(super) delimiter: Option<u8>,
    pub(super) has_quotes: bool,
}

/// The records of a table whose first record names the columns.
pub(super) struct DelimitedRows<R> {
    records: Records<R>,
    delimiter: Option<u8>,
    columns: Columns,
    at: column::Found,
    width: usize,
    quoted: Quoted,
}

impl<R: BufRead> DelimitedRows<R> {
    pub(super) fn new(reader: R, dialect: Dialect, columns: Columns) -> Self {
        Self {
            records: Records {
                reader,
                back: Vec::new(),
                line: 1,
                delimiter: dialect.delimiter.unwrap_or(b','),
                has_quotes: dialect.has_quotes,
                seen: 0,
                again: 0,
            },
            delimiter: dialect.delimiter,
            columns,
            at: column::Found {
                source: 0,
                data_id: None,
            },
            width: 0,
            quoted: Quoted::default(),
        }
    }

    /// Reads the columns' names; `None` if the list is empty.
    fn header(&mut self) -> Result<Option<Vec<String>>, Trouble> {
        let hint = "the first line has to name the columns";
        let cannot = |error| Trouble::new(format!("cannot read: {}", reason(&error)), hint);
        let line = self.records.peek().map_err(cannot)?;
        let line = match of_excel(&line) {
            Some(delimiter) => {
                self.delimiter.get_or_insert(delimiter);
                self.records.next(|_, _| {}).map_err(cannot)?;
                self.records.peek().map_err(cannot)?
            }
            None => line,
        };
        self.records.delimiter = match self.delimiter {
            Some(delimiter) => delimiter,
            None => self.delimiter_of(&line),
        };
        let mut names: Vec<Vec<u8>> = Vec::new();
        let record = self.records.next(|at, bytes| name(&mut names, at, bytes));
        let Some(record) = record.map_err(cannot)? else {
            return Ok(None);
        };
        if let Some(fault) = record.fault {
            return Err(Trouble::new(format!("line {}: {fault}", record.line), hint));
        }
        if record.fields > MOST_COLUMNS {
            return Err(Trouble::new(
                format!("it has more than {MOST_COLUMNS} columns"),
                hint,
            ));
        }
        Ok(Some(texts(names)))
    }

    /// What separates the names in a table's first line: what makes the columns be found, or else
    /// what is most frequent.
    fn delimiter_of(&self, line: &[u8]) -> u8 {
        let score = |delimiter: &u8| {
            let mut names = Vec::new();
            let mut scan = Scan::new(*delimiter, self.records.has_quotes);
            for byte in line {
                scan.push(*byte, &mut |at, bytes| name(&mut names, at, bytes));
            }
            let names = texts(names);
            let is_found = self.columns.find(&names).is_ok() && names.len() > 1;
            (is_found, names.len())
        };
        // Of equals the first.
        let best = DELIMITERS
            .iter()
            .rev()
            .max_by_key(|delimiter| score(delimiter));
        best.copied().unwrap_or(b',')
    }
}

fn name(names: &mut Vec<Vec<u8>>, at: usize, bytes: &[u8]) {
    if at >= names.len() && at < MOST_COLUMNS {
        names.resize(at.saturating_add(1), Vec::new());
    }
    if let Some(name) = names.get_mut(at) {
        name.extend_from_slice(bytes);
    }
}

fn texts(names: Vec<Vec<u8>>) -> Vec<String> {
    let text = |name: Vec<u8>| String::from_utf8_lossy(&name).trim().to_owned();
    names.into_iter().map(text).collect()
}

/// Whether a column's name is text. One in another encoding is: sources are ASCII.
fn is_text(name: &str) -> bool {
    !name.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))
}

/// The delimiter that Excel notes in a line of its own, `sep=;`.
fn of_excel(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii_end();
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let line = line.strip_suffix(b"\"").unwrap_or(line);
    let (name, rest) = line.split_at_checked(4)?;
    match rest {
        _ if !name.eq_ignore_ascii_case(b"sep=") => None,
        [delimiter] => Some(*delimiter),
        // The tab was trimmed.
        [] => Some(b'\t'),
        _ => None,
    }
}

impl<R: BufRead + Send> Rows for DelimitedRows<R> {
    fn begin(&mut self) -> Result<(), Trouble> {
        let Some(names) = self.header()? else {
            return Ok(());
        };
        if names.iter().any(|name| !is_text(name)) {
            return Err(Trouble::new(
                "its first line is not text that names columns",
                "save the list as CSV or TSV in UTF-8, with line ends",
            ));
        }
        self.at = self.columns.find_in_line(&names)?;
        self.width = names.len();
        Ok(())
    }

    fn next(&mut self) -> Option<Row> {
        let (mut source, mut data_id) = (Vec::new(), Vec::new());
        let wanted = self.at;
        let record = self.records.next(|at, bytes| {
            if at == wanted.source {
                append(&mut source, bytes);
            }
            if wanted.data_id == Some(at) {
                append(&mut data_id, bytes);
            }
        });
        let record = match record {
            Ok(record) => record?,
            Err(error) => return Some(Row::unreadable(self.records.line, &reason(&error))),
        };
        let found = match record.fault {
            Some(fault) => Found::broken(source, fault),
            None if record.fields != self.width => Found::broken(
                source,
                with_skipped(
                    format!(
                        "fields: {}, where the first line has {}",
                        record.fields, self.width
                    ),
                    record.line,
                    record.last,
                ),
            ),
            None if source.is_empty() => Found::broken("", "no source in this line"),
            None => Found::Source {
                source,
                data_id: (!data_id.is_empty()).then_some(data_id),
            },
        };
        if record.holds_rows && matches!(found, Found::Source { .. }) {
            self.quoted.add(record.line, record.last);
        }
        Some(Row {
            number: record.line,
            last: record.last,
            found,
        })
    }

    fn quoted(&self) -> Quoted {
        self.quoted
    }
}

/// Whether the quoted fields of a record seem to hold rows: a later line has a URL at its beginning or
/// after a delimiter, or there are more lines than a description usually has.
fn holds_rows(record: &[u8], delimiter: u8) -> bool {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    let lines = || record.split(|byte| *byte == b'\n').skip(1);
    let has_url = |line: &[u8]| line.split(|byte| *byte == delimiter).any(text::is_url);
    lines().count() > MOST_LINES || lines().any(has_url)
}

/// Holds one byte more than is allowed, which shows that there are more.
fn append(held: &mut Vec<u8>, bytes: &[u8]) {
    let room = LONGEST.saturating_add(1).saturating_sub(held.len());
    held.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}

struct Records<R> {
    reader: R,
    /// What is to be read again before the reader is, the last byte first.
    back: Vec<u8>,
    /// Of the byte that is read next, from 1.
    line: u64,
    delimiter: u8,
    has_quotes: bool,
    /// How many bytes were read, and how many were read again.
    seen: u64,
    again: u64,
}

struct Record {
    /// The lines that it begins and ends in.
    line: u64,
    last: u64,
    fields: usize,
    fault: Option<String>,
    holds_rows: bool,
}

impl<R: BufRead> Records<R> {
    /// Reads a record, and gives the bytes of each of its fields with the field's number, from 0.
    fn next(&mut self, mut field: impl FnMut(usize, &[u8])) -> io::Result<Option<Record>> {
        let mut scan = Scan::new(self.delimiter, self.has_quotes);
        let mut held = Vec::new();
        let mut first = self.line;
        loop {
            if held.len() > LONGEST_RECORD {
                return self.recover_long(first, &held, &scan).map(Some);
            }
            let Some(byte) = self.byte()? else {
                let fault = match scan.state {
                    _ if held.is_empty() => return Ok(None),
                    State::Quoted => "a quote is opened and never closed",
                    _ => {
                        scan.push(b'\n', &mut field);
                        let record = scan.record(first, self.line, None);
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
                    let record = scan.record(first, last, None);
                    return Ok(Some(self.finish(record, &held)));
                }
                Step::Malformed => {
                    let fault = "text follows a closing quote; write a quote within quotes twice";
                    // The rest of its line is of no more use.
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
    fn peek(&mut self) -> io::Result<Vec<u8>> {
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
            return scan.record(first, first, Some(fault.to_owned()));
        }
        let last = self.line.saturating_sub(u64::from(held.ends_with(b"\n")));
        let fault = format!("{fault}: the lines up to {last} are skipped");
        scan.record(first, last, Some(fault))
    }

    /// Goes back to the second line of what is held. Returns `false` if there was too much of that.
    fn rewind(&mut self, held: &[u8]) -> bool {
        let end = held.iter().position(|byte| *byte == b'\n');
        let rest = end.and_then(|end| held.get(end.saturating_add(1)..));
        let rest = rest.unwrap_or_default();
        let length = u64::try_from(rest.len()).unwrap_or(u64::MAX);
        let again = self.again.saturating_add(length);
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
            return Ok(scan.record(first, first, Some(fault.to_owned())));
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
        Ok(scan.record(first, last, Some(fault)))
    }
}

/// Finds the fields of one record.
struct Scan {
    delimiter: u8,
    has_quotes: bool,
    state: State,
    fields: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of a field.
    Start,
    Plain,
    Quoted,
    /// After a quote within quotes, which closes them or is the first of two.
    Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    More,
    /// The byte ends the record.
    End,
    Malformed,
}

impl Scan {
    const fn new(delimiter: u8, has_quotes: bool) -> Self {
        Self {
            delimiter,
            has_quotes,
            state: State::Start,
            fields: 0,
        }
    }

    fn push(&mut self, byte: u8, field: &mut impl FnMut(usize, &[u8])) -> Step {
        if self.state == State::Quoted {
            if byte == b'"' {
                self.state = State::Closing;
            } else {
                field(self.fields, &[byte]);
            }
            return Step::More;
        }
        let is_line_end = byte == b'\n';
        if byte == self.delimiter || is_line_end {
            field(self.fields, b"");
            self.fields = self.fields.saturating_add(1);
            self.state = State::Start;
            return if is_line_end { Step::End } else { Step::More };
        }
        self.state = match (self.state, byte) {
            (State::Start, b'"') if self.has_quotes => {
                self.state = State::Quoted;
                return Step::More;
            }
            (State::Closing, b'"') => State::Quoted,
            (State::Closing, _) => return Step::Malformed,
            _ => State::Plain,
        };
        field(self.fields, &[byte]);
        Step::More
    }

    fn record(&self, line: u64, last: u64, fault: Option<String>) -> Record {
        Record {
            line,
            last,
            fields: self.fields,
            fault,
            holds_rows: false,
        }
    }
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
