//! Tables whose first record names the columns: CSV and TSV. Of a record only the columns asked for
//! are held, and of those no more than a source may have.

use std::io::BufRead;

use super::{
    LONGEST, check,
    column::{self, Columns, DELIMITERS},
    records::Records,
    row::{Found, Row, Rows, Trouble, with_skipped},
    scan::Scan,
};
use crate::cli::exit::reason;

/// Maximum number of columns.
const MOST_COLUMNS: usize = 10_000;

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
    quoted_rows: Option<(u64, u64)>,
}

impl<R: BufRead> DelimitedRows<R> {
    pub(super) fn new(reader: R, dialect: Dialect, columns: Columns) -> Self {
        Self {
            records: Records::new(
                reader,
                dialect.delimiter.unwrap_or(b','),
                dialect.has_quotes,
            ),
            delimiter: dialect.delimiter,
            columns,
            at: column::Found::default(),
            width: 0,
            quoted_rows: None,
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
                // Excel's line is not the header: skip it.
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
            // A single name fits every delimiter, and shows none.
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
    // A byte order mark may be there twice, or within quotes.
    let is_around = |c: char| c.is_whitespace() || c == '\u{FEFF}';
    let text = |name: Vec<u8>| {
        String::from_utf8_lossy(&name)
            .trim_matches(is_around)
            .to_owned()
    };
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
        self.at = self.columns.find_in_line(&names).map_err(|trouble| {
            let is_quoted =
                |name: &String| name.len() > 1 && name.starts_with('"') && name.ends_with('"');
            if self.records.has_quotes || !names.iter().any(is_quoted) {
                return trouble;
            }
            Trouble::new(
                trouble.why,
                "quotes are characters in TSV; if they surround the fields, read the list with \
                 --list-format csv",
            )
        })?;
        self.width = names.len();
        Ok(())
    }

    fn next(&mut self) -> Option<Row> {
        let (mut source, mut data_id) = (Vec::new(), Vec::new());
        let wanted = self.at;
        let mut check = wanted.check.map(|at| (at, check::Cells::default()));
        let record = self.records.next(|at, bytes| {
            if at == wanted.source {
                append(&mut source, bytes);
            }
            if wanted.data_id == Some(at) {
                append(&mut data_id, bytes);
            }
            if let Some((columns, cells)) = &mut check
                && let Some(column) = columns.iter().position(|column| *column == Some(at))
            {
                cells.push(column, bytes);
            }
        });
        let record = match record {
            Ok(record) => record?,
            Err(error) => return Some(Row::unreadable(self.records.line(), &reason(&error))),
        };
        let found = match record.fault {
            Some(fault) => Found::broken(source, fault),
            // RFC 4180, 2.4: each record has the same number of fields. One more or less usually is
            // an unquoted delimiter, and the source would be taken from another column.
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
                check: check.and_then(|(_, cells)| cells.parse()),
            },
        };
        if record.holds_rows && matches!(found, Found::Source { .. }) {
            self.quoted_rows.get_or_insert((record.line, record.last));
        }
        Some(Row {
            number: record.line,
            last: record.last,
            element: None,
            found,
        })
    }

    fn quoted_rows(&self) -> Option<(u64, u64)> {
        self.quoted_rows
    }
}

/// Appends up to one byte more than is allowed, which shows that the value is too long.
fn append(held: &mut Vec<u8>, bytes: &[u8]) {
    let room = LONGEST.saturating_add(1).saturating_sub(held.len());
    held.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}
