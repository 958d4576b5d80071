//! Lists of sources, of any length: text, CSV, TSV, JSON and Parquet. A list is read on demand, and
//! no more of a row is held than a source may have.

mod check;
mod column;
mod delimited;
mod elements;
mod encoding;
mod fields;
mod foreign;
mod head;
mod json;
mod likely;
mod lines;
mod list_format;
mod parquet;
mod place;
mod records;
mod row;
mod scan;
mod structure;
mod text;

use std::{
    collections::VecDeque,
    ffi::OsStr,
    fs::File,
    io::{self, BufRead, BufReader},
    sync::Arc,
};

use self::{
    delimited::{DelimitedRows, Dialect},
    encoding::Decoded,
    foreign::Foreign,
    json::JsonRows,
    parquet::ParquetRows,
    row::{Found, Row, Rows, Trouble},
    text::TextRows,
};
use super::exit::{Failure, reason};
use crate::pipeline::EarlierCheck;
use greenlight::DataId;

pub(crate) use check::CHECK_COLUMNS;
pub(crate) use column::Columns;
pub(crate) use likely::is_list;
pub(crate) use lines::{LineEnds, Lines};
pub(crate) use list_format::ListFormat;
pub(crate) use place::{Place, place_of, unit_of};

/// The longest accepted source, in bytes: far longer than a URL or a path can be.
const LONGEST: usize = 64 * 1024;

/// How much of a bad line is shown, in characters.
const SHOWN: usize = 80;

/// How much of a list is read at a time, in bytes.
const BUFFER: usize = 64 * 1024;

/// The files that `--from` takes, for hints.
const FILES: &str = "--from takes a list of sources: text with one per line, .csv, .tsv, .json, .jsonl, \
                     .ndjson or .parquet, or - for standard input";

/// A list of sources, read as it is needed.
pub(crate) struct List {
    name: Arc<str>,
    format: ListFormat,
    rows: Box<dyn Rows>,
    quoted_lines: u64,
    has_begun: bool,
    has_ended: bool,
    /// The format is text only by default: the first line may show another one.
    is_guess: bool,
    likely: Option<&'static str>,
    /// Lines that were read ahead to see whether another is not UTF-8.
    ahead: VecDeque<ListLine>,
    /// Lines that are not UTF-8, which are reported together.
    foreign: Option<Foreign>,
}

/// A line that names a source, or should.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListLine {
    pub(crate) place: Place,
    /// The source's text; of a malformed line as much as can be shown.
    pub(crate) text: String,
    /// The user's own name for the source.
    pub(crate) data_id: Option<DataId>,
    /// An earlier check of the source.
    pub(crate) check: Option<EarlierCheck>,
    /// What is wrong with it.
    pub(crate) fault: Option<String>,
    /// How many lines of the list it reports.
    pub(crate) lines: u64,
}

impl List {
    /// Opens a file, or standard input for `-`. The columns of a file are looked for at once, those
    /// of standard input with the first line, because that may take long to come.
    pub(crate) fn open(
        name: &OsStr,
        format: Option<ListFormat>,
        columns: Columns,
    ) -> Result<Self, Failure> {
        let is_named = format.is_some();
        let format = format.unwrap_or_else(|| ListFormat::of_name(name));
        let is_guess = format == ListFormat::Text && !is_named;
        if format == ListFormat::Text && columns != Columns::default() {
            return Err(Failure::new("a list in plain text has no columns").hint(
                "name a .csv, .tsv, .json, .jsonl, .ndjson or .parquet file, or name its format with \
                 --list-format",
            ));
        }
        if name == "-" {
            let mut list = Self::of_pipe(format, columns)?;
            list.is_guess = is_guess;
            return Ok(list);
        }
        let shown = name.to_string_lossy();
        let failure = |why: &str, hint: &str| {
            Failure::new(format!("cannot read the list `{shown}`: {why}")).hint(hint)
        };
        let file = File::open(name).and_then(|file| {
            // Unix opens a folder like a file, and only the first read fails.
            if file.metadata()?.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok(file)
        });
        let file = file.map_err(|error| failure(&reason(&error), FILES))?;
        let rows = match format {
            ListFormat::Parquet => {
                ParquetRows::new(file, &columns).map(|rows| -> Box<dyn Rows> { Box::new(rows) })
            }
            _ => Ok(rows(
                BufReader::with_capacity(BUFFER, file),
                format,
                columns,
            )),
        };
        let mut list = Self::new(&shown, format, rows.map_err(|t| failure(&t.why, &t.hint))?);
        list.is_guess = is_guess;
        list.begin().map_err(|t| failure(&t.why, &t.hint))?;
        Ok(list)
    }

    fn of_pipe(format: ListFormat, columns: Columns) -> Result<Self, Failure> {
        if format == ListFormat::Parquet {
            return Err(
                Failure::new("a Parquet list cannot be read from standard input")
                    .hint("its footer is at its end: write it to a file and name that"),
            );
        }
        let rows = rows(
            BufReader::with_capacity(BUFFER, io::stdin()),
            format,
            columns,
        );
        Ok(Self::new("stdin", format, rows))
    }

    /// Its name as it was given, `stdin` for standard input.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The format that the list seems to have, as its first line shows. `None` if that is the one
    /// that it is read in, or if the user named one.
    pub(crate) const fn likely_format(&self) -> Option<&'static str> {
        self.likely
    }

    /// The lines of the first quoted field that seems to hold rows.
    pub(crate) fn quoted_rows(&self) -> Option<(u64, u64)> {
        self.rows.quoted_rows()
    }

    /// How many lines so far are within quoted fields and have no source of their own.
    pub(crate) const fn quoted_lines(&self) -> u64 {
        self.quoted_lines
    }

    fn new(name: &str, format: ListFormat, rows: Box<dyn Rows>) -> Self {
        Self {
            name: name.into(),
            format,
            rows,
            quoted_lines: 0,
            has_begun: false,
            has_ended: false,
            is_guess: false,
            likely: None,
            ahead: VecDeque::new(),
            foreign: None,
        }
    }

    fn begin(&mut self) -> Result<(), Trouble> {
        self.has_begun = true;
        self.rows.begin()
    }

    fn row(&mut self) -> Option<Row> {
        if !self.has_begun
            && let Err(Trouble { why, hint }) = self.begin()
        {
            let found = Found::Unreadable(format!("{why}: {hint}"));
            return Some(Row {
                number: 1,
                last: 1,
                element: None,
                found,
            });
        }
        self.rows.next()
    }

    fn line(&self, row: Row) -> ListLine {
        let Row {
            number,
            last,
            element,
            found,
        } = row;
        let line = |text, data_id, check, fault| ListLine {
            place: Place {
                list: Arc::clone(&self.name),
                line: number,
                unit: self.format.unit(),
                element,
            },
            text,
            data_id,
            check,
            fault,
            lines: last.saturating_sub(number).saturating_add(1),
        };
        let bad = |text: &[u8], fault| line(shown(text), None, None, Some(fault));
        match found {
            Found::Broken { text, why } => bad(&text, why),
            Found::Unreadable(why) => bad(b"", why),
            Found::Source {
                source,
                data_id,
                check,
            } => {
                let source = text::without_blanks(source);
                if source.len() > LONGEST {
                    // A long `data:` URI becomes a short source, which is rejected by its scheme.
                    let found = Found::too_long(source);
                    return self.line(Row {
                        number,
                        last,
                        element,
                        found,
                    });
                }
                if data_id.as_deref().is_some_and(foreign::is_foreign) {
                    return bad(&source, foreign::FAULT.to_owned());
                }
                let data_id = match data_id.as_deref().map(parse_data_id).transpose() {
                    Ok(data_id) => data_id,
                    Err(fault) => return bad(&source, fault),
                };
                match String::from_utf8(source) {
                    Ok(text) => line(text, data_id, check, None),
                    Err(error) => bad(error.as_bytes(), foreign::FAULT.to_owned()),
                }
            }
        }
    }
}

impl Iterator for List {
    type Item = ListLine;

    fn next(&mut self) -> Option<ListLine> {
        loop {
            let Some(line) = self.ahead.pop_front().or_else(|| self.read()) else {
                return self.foreign.take().map(Foreign::report);
            };
            if !foreign::is_reported(&line) {
                return Some(line);
            }
            if let Some(foreign) = &mut self.foreign {
                foreign.add(&line);
            } else if self.another_follows() {
                // Two near each other: the list is in another encoding, so they become one message.
                self.foreign = Some(Foreign::begin(line));
            } else {
                return Some(line);
            }
        }
    }
}

impl List {
    /// Whether another of the next lines is not UTF-8. They are given out afterwards.
    fn another_follows(&mut self) -> bool {
        while !self.ahead.iter().any(foreign::is_reported) && self.ahead.len() < foreign::NEAR {
            match self.read() {
                Some(line) => self.ahead.push_back(line),
                None => break,
            }
        }
        self.ahead.iter().any(foreign::is_reported)
    }

    fn read(&mut self) -> Option<ListLine> {
        if self.has_ended {
            return None;
        }
        let row = self.row();
        // A reader that failed could fail at every further call.
        self.has_ended = row
            .as_ref()
            .is_none_or(|row| matches!(row.found, Found::Unreadable(_)));
        let line = self.line(row?);
        if line.fault.is_none() && self.format.has_cells() {
            let further = line.lines.saturating_sub(1);
            self.quoted_lines = self.quoted_lines.saturating_add(further);
        }
        if std::mem::take(&mut self.is_guess) {
            self.likely = likely::format_of(&line.text);
        }
        Some(line)
    }
}

fn rows(
    reader: impl BufRead + Send + 'static,
    format: ListFormat,
    columns: Columns,
) -> Box<dyn Rows> {
    let reader = LineEnds::new(Decoded::new(reader));
    let delimiter = columns.delimiter;
    match format {
        ListFormat::Csv => {
            let dialect = Dialect {
                delimiter,
                has_quotes: true,
            };
            Box::new(DelimitedRows::new(reader, dialect, columns))
        }
        ListFormat::Tsv => {
            let dialect = Dialect {
                delimiter: delimiter.or(Some(b'\t')),
                has_quotes: false,
            };
            Box::new(DelimitedRows::new(reader, dialect, columns))
        }
        ListFormat::Jsonl => Box::new(JsonRows::new(reader, columns)),
        ListFormat::Text | ListFormat::Parquet => Box::new(TextRows::new(reader)),
    }
}

fn parse_data_id(bytes: &[u8]) -> Result<DataId, String> {
    DataId::parse(&String::from_utf8_lossy(bytes)).map_err(|error| error.to_string())
}

/// Returns as much of a bad line as is shown; of several lines the first.
fn shown(text: &[u8]) -> String {
    let line = text.split(|byte| *byte == b'\n').next();
    let text = line.unwrap_or(text);
    // Each character takes four bytes at most.
    let start = text.get(..SHOWN.saturating_mul(4)).unwrap_or(text);
    let start = String::from_utf8_lossy(start);
    match start.char_indices().nth(SHOWN) {
        Some(_) => start
            .chars()
            .take(SHOWN)
            .chain(['\u{2026}'])
            .collect::<String>(),
        None => start.into_owned(),
    }
}

#[cfg(test)]
mod tests;
