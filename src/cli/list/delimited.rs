//! CSV and TSV (RFC 4180, with any line end), field by field: of a record only the columns asked
//! for are held, and of those no more than a source may have.

use std::io::{self, BufRead};

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use super::{
    LONGEST,
    column::{self, Columns},
    row::{Found, Row, Rows, Trouble},
};
use crate::cli::exit::reason;

/// A longer record is given up, because its quote is most likely never closed, in bytes.
const LONGEST_RECORD: u64 = 1 << 20;

/// More columns are no table.
const MOST_COLUMNS: usize = 10_000;

/// The records of a table whose first record names the columns.
pub(super) struct DelimitedRows<R> {
    records: Records<R>,
    columns: Columns,
    at: column::Found,
    width: usize,
}

impl<R: BufRead> DelimitedRows<R> {
    pub(super) fn new(reader: R, delimiter: u8, columns: Columns) -> Self {
        Self {
            records: Records::new(reader, delimiter),
            columns,
            at: column::Found {
                source: 0,
                data_id: None,
            },
            width: 0,
        }
    }

    fn header(&mut self) -> Result<Vec<String>, Trouble> {
        let hint = "the first line has to name the columns";
        let mut names: Vec<Vec<u8>> = Vec::new();
        let record = self.records.next(|at, bytes| {
            if at >= names.len() && at < MOST_COLUMNS {
                names.resize(at.saturating_add(1), Vec::new());
            }
            if let Some(name) = names.get_mut(at) {
                name.extend_from_slice(bytes);
            }
        });
        let record = record
            .map_err(|error| Trouble::new(format!("cannot read: {}", reason(&error)), hint))?
            .ok_or_else(|| Trouble::new("it is empty", hint))?;
        if let Some(fault) = record.fault {
            return Err(Trouble::new(format!("line {}: {fault}", record.line), hint));
        }
        if record.fields > MOST_COLUMNS {
            return Err(Trouble::new(
                format!("it has more than {MOST_COLUMNS} columns"),
                hint,
            ));
        }
        let name = |name: Vec<u8>| String::from_utf8_lossy(&name).trim().to_owned();
        Ok(names.into_iter().map(name).collect())
    }
}

impl<R: BufRead + Send> Rows for DelimitedRows<R> {
    fn begin(&mut self) -> Result<(), Trouble> {
        let names = self.header()?;
        self.at = self.columns.find(&names)?;
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
                format!(
                    "fields: {}, where the first line has {}",
                    record.fields, self.width
                ),
            ),
            None if source.is_empty() => Found::broken("", "no source in this line"),
            None => Found::Source {
                source,
                data_id: (!data_id.is_empty()).then_some(data_id),
            },
        };
        Some(Row {
            number: record.line,
            found,
        })
    }
}

/// Holds one byte more than is allowed, which tells that there are more.
fn append(held: &mut Vec<u8>, bytes: &[u8]) {
    let room = LONGEST.saturating_add(1).saturating_sub(held.len());
    held.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}

struct Records<R> {
    reader: R,
    parser: Reader,
    /// Of the byte that is read next, from 1.
    line: u64,
    scratch: Box<[u8]>,
}

struct Record {
    /// Where it begins.
    line: u64,
    fields: usize,
    fault: Option<String>,
}

impl<R: BufRead> Records<R> {
    fn new(reader: R, delimiter: u8) -> Self {
        Self {
            reader,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            line: 1,
            scratch: vec![0; 4096].into(),
        }
    }

    /// Reads a record, and gives the pieces of each of its fields with the field's number, from 0.
    fn next(&mut self, mut piece: impl FnMut(usize, &[u8])) -> io::Result<Option<Record>> {
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let mut record = Record {
            line: self.line,
            fields: 0,
            fault: None,
        };
        let mut length = 0_u64;
        loop {
            let input = fill(&mut self.reader)?;
            // A record that is whole ends with a line end that is not there; one whose quote is open
            // does not.
            let (is_end, input) = match input {
                [] => (true, b"\n".as_slice()),
                input => (false, input),
            };
            let (result, read, written) = self.parser.read_field(input, &mut self.scratch);
            let lines = count_lines(input.get(..read).unwrap_or_default());
            if !is_end {
                piece(
                    record.fields,
                    self.scratch.get(..written).unwrap_or_default(),
                );
                self.reader.consume(read);
                self.line = self.line.saturating_add(lines);
                length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            }
            match result {
                ReadFieldResult::Field { record_end } => {
                    record.fields = record.fields.saturating_add(1);
                    if record_end {
                        return Ok(Some(record));
                    }
                }
                ReadFieldResult::InputEmpty if is_end => {
                    record.fault = Some("a quote is opened and never closed".to_owned());
                    return Ok(Some(record));
                }
                ReadFieldResult::End => return Ok(None),
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            }
            if length > LONGEST_RECORD {
                record.fault = Some(self.give_up()?);
                return Ok(Some(record));
            }
        }
    }

    /// Goes on behind the line that was reached, as if nothing had been opened.
    fn give_up(&mut self) -> io::Result<String> {
        self.reader.skip_until(b'\n')?;
        self.parser.reset();
        let fault = format!(
            "a record of more than {LONGEST_RECORD} bytes, perhaps with a quote that is never closed: \
             what follows up to line {} is passed over",
            self.line
        );
        self.line = self.line.saturating_add(1);
        Ok(fault)
    }

    /// Goes to where a record begins; `false` if there is none.
    fn skip_line_ends(&mut self) -> io::Result<bool> {
        loop {
            let input = fill(&mut self.reader)?;
            if input.is_empty() {
                return Ok(false);
            }
            let is_line_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
            let ends = input
                .iter()
                .position(|byte| !is_line_end(byte))
                .unwrap_or(input.len());
            let is_found = ends < input.len();
            let lines = count_lines(input.get(..ends).unwrap_or_default());
            self.line = self.line.saturating_add(lines);
            self.reader.consume(ends);
            if is_found {
                return Ok(true);
            }
        }
    }
}

fn fill(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    // Asked twice, because a loop would borrow for too long.
    while let Err(error) = reader.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    reader.fill_buf()
}

fn count_lines(bytes: &[u8]) -> u64 {
    u64::try_from(memchr::memchr_iter(b'\n', bytes).count()).unwrap_or(u64::MAX)
}
