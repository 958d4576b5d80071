//! Parquet: a row group at a time, of its columns those that are asked for, a page at a time.
//!
//! The `parquet` crate trusts what a file declares, and panics on some unexpected values. So the
//! file's structures are validated first (`bounds`), and the crate is called within [`guarded`].

mod bounds;
mod cells;
mod file;
mod thrift;

use std::{
    cell::Cell,
    fs::File,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Once},
};

use parquet::{
    errors::{ParquetError, Result as Parquet},
    file::metadata::{
        ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
        RowGroupMetaData,
    },
};

use self::cells::Cells;
use super::{
    check,
    column::{self, Columns},
    row::{Found, Row, Rows, Trouble},
};
use crate::{cli::exit::reason, pipeline::EarlierCheck};

/// Default maximum number of rows for each byte of a file. A list of distinct URLs has less than
/// one.
const ROWS_PER_BYTE: u32 = 16;

/// The maximum of text that is read for each possible row, in bytes: the length of a common URL.
const TEXT_PER_ROW: u64 = 128;

/// The rows of a Parquet file.
pub(super) struct ParquetRows {
    file: Arc<File>,
    metadata: ParquetMetaData,
    at: column::Found,
    group: Option<Group>,
    next_group: usize,
    /// How many rows were read.
    given: u64,
    /// How many bytes of text may still be read.
    text_left: u64,
    /// What follows rows without a source.
    held: Option<Row>,
}

/// What is read next.
enum Next {
    Row(Row),
    /// The row of this number holds no source.
    Absent(u64),
}

/// A row group's columns.
struct Group {
    left: u64,
    sources: Cells,
    data_ids: Option<Cells>,
    /// The columns of an earlier check, by their index.
    check: Vec<(usize, Cells)>,
}

impl ParquetRows {
    pub(super) fn new(file: File, columns: &Columns) -> Result<Self, Trouble> {
        let trouble = |why: String| Trouble::new(why, "--from reads Apache Parquet files");
        let length = file.metadata().map(|found| found.len());
        let length = length.map_err(|error| trouble(reason(&error)))?;
        let metadata = guarded(|| {
            let bytes = file::metadata(&file)?;
            let mut options = ParquetMetaDataOptions::new();
            // Statistics are not used, and hold values of any length.
            options.set_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
            ParquetMetaDataReader::decode_metadata_with_options(&bytes, Some(&options))
        });
        let metadata = metadata.map_err(trouble)?;
        let most = length.saturating_mul(columns.rows_per_byte.unwrap_or(ROWS_PER_BYTE).into());
        check_rows(&metadata, length, columns.rows_per_byte)?;
        let at = find(&metadata, columns)?;
        let is_empty = rows(&metadata) == 0;
        Ok(Self {
            file: Arc::new(file),
            at,
            group: None,
            // Without rows the types of the columns were not validated, so no column may be opened.
            next_group: if is_empty {
                metadata.num_row_groups()
            } else {
                0
            },
            metadata,
            given: 0,
            text_left: most.saturating_mul(TEXT_PER_ROW),
            held: None,
        })
    }

    fn open(&self, group: usize) -> Result<Group, String> {
        guarded(|| {
            let group = self.metadata.row_group(group);
            Ok(Group {
                left: u64::try_from(group.num_rows())?,
                sources: Cells::open(&self.file, group, self.at.source)?,
                data_ids: match self.at.data_id {
                    Some(at) => Some(Cells::open(&self.file, group, at)?),
                    None => None,
                },
                check: self.open_check(group),
            })
        })
    }

    /// Opens the columns of an earlier check that can be read.
    fn open_check(&self, group: &RowGroupMetaData) -> Vec<(usize, Cells)> {
        let columns = self.at.check.into_iter().flatten().enumerate();
        let open = |(column, at): (usize, Option<usize>)| {
            let descriptor = group.columns().get(at?)?.column_descr();
            let is_read = [cells::is_text, cells::is_number, cells::is_double];
            if !is_read.iter().any(|is_read| is_read(descriptor)) {
                return None;
            }
            Some((column, Cells::open(&self.file, group, at?).ok()?))
        };
        columns.filter_map(open).collect()
    }

    /// Skips the rest of a row group that cannot be read.
    fn pass(&mut self, rows: u64, why: &str) -> Row {
        let number = self.given.saturating_add(1);
        self.given = self.given.saturating_add(rows);
        let why = match rows {
            0 | 1 => format!("cannot be read: {why}"),
            _ => format!("up to row {} cannot be read: {why}", self.given),
        };
        let found = Found::broken("", why);
        Row {
            number,
            last: self.given,
            element: None,
            found,
        }
    }
}

impl Rows for ParquetRows {
    /// The columns were found when the file was opened.
    fn begin(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    /// Rows without a source that follow each other are one row that names the last of them.
    fn next(&mut self) -> Option<Row> {
        let next = self.held.take().map(Next::Row).or_else(|| self.step())?;
        let first = match next {
            Next::Row(row) => return Some(row),
            Next::Absent(number) => number,
        };
        let mut last = first;
        while let Some(next) = self.step() {
            match next {
                Next::Absent(number) => last = number,
                Next::Row(row) => {
                    self.held = Some(row);
                    break;
                }
            }
        }
        let why = if first == last {
            "no source in this row".to_owned()
        } else {
            format!("no source in the rows up to {last}")
        };
        Some(Row {
            number: first,
            last,
            element: None,
            found: Found::broken("", why),
        })
    }
}

impl ParquetRows {
    fn step(&mut self) -> Option<Next> {
        loop {
            let Some(group) = self.group.as_mut().filter(|group| group.left > 0) else {
                let number = self.next_group;
                if number >= self.metadata.num_row_groups() {
                    return None;
                }
                self.next_group = number.saturating_add(1);
                match self.open(number) {
                    Ok(group) => self.group = Some(group),
                    Err(why) => {
                        self.group = None;
                        let rows = self.metadata.row_group(number).num_rows();
                        let row = self.pass(u64::try_from(rows).unwrap_or(0), &why);
                        return Some(Next::Row(row));
                    }
                }
                continue;
            };
            match group.next() {
                Ok(Some(found)) if found.text_length() > self.text_left => {
                    self.group = None;
                    // A dictionary repeats a long text for a few bits per row, so a small file
                    // could produce text without end.
                    self.next_group = self.metadata.num_row_groups();
                    let left = rows(&self.metadata).saturating_sub(self.given);
                    let why = "they repeat more text than a list of this size has; if that is meant, \
                               raise the bound with --rows-per-byte";
                    return Some(Next::Row(self.pass(left, why)));
                }
                Ok(found) => {
                    let length = found.as_ref().map_or(0, Found::text_length);
                    self.text_left = self.text_left.saturating_sub(length);
                    group.left = group.left.saturating_sub(1);
                    self.given = self.given.saturating_add(1);
                    let number = self.given;
                    let row = |found| Row {
                        number,
                        last: number,
                        element: None,
                        found,
                    };
                    return Some(found.map_or(Next::Absent(number), |found| Next::Row(row(found))));
                }
                Err(why) => {
                    let left = group.left;
                    self.group = None;
                    return Some(Next::Row(self.pass(left, &why)));
                }
            }
        }
    }
}

impl Group {
    /// The next row's source, if it has one.
    fn next(&mut self) -> Result<Option<Found>, String> {
        for cells in [Some(&mut self.sources), self.data_ids.as_mut()] {
            if let Some(cells) = cells.filter(|cells| cells.is_empty()) {
                guarded(|| cells.fill())?;
            }
        }
        let check = self.check();
        let source = self.sources.next().filter(|cell| !cell.text.is_empty());
        // One that was cut is longer than a data id may be, too.
        let data_id = self.data_ids.as_mut().and_then(Cells::next);
        let data_id = data_id.map(|cell| cell.text).filter(|id| !id.is_empty());
        Ok(source.map(|cell| {
            if cell.is_cut {
                return Found::too_long(cell.text);
            }
            Found::Source {
                source: cell.text,
                data_id,
                check,
            }
        }))
    }

    /// The next row's earlier check. If a column of it cannot be read, the rest of the group has
    /// none.
    fn check(&mut self) -> Option<EarlierCheck> {
        let mut values = check::Cells::default();
        for (column, cells) in &mut self.check {
            if cells.is_empty() && guarded(|| cells.fill()).is_err() {
                self.check.clear();
                return None;
            }
            if let Some(cell) = cells.next() {
                values.push(*column, &cell.text);
            }
        }
        values.parse()
    }
}

/// Rejects a file that declares far more rows than a list of that length has: repeated values and
/// absent ones take almost no space.
fn check_rows(
    metadata: &ParquetMetaData,
    length: u64,
    rows_per_byte: Option<u32>,
) -> Result<(), Trouble> {
    let per_byte = rows_per_byte.unwrap_or(ROWS_PER_BYTE);
    let most = length.saturating_mul(per_byte.into());
    let rows = rows(metadata);
    if rows <= most {
        return Ok(());
    }
    Err(Trouble::new(
        format!("it declares {rows} rows in {length} bytes, at most {per_byte} a byte are read"),
        "if that is meant, raise the bound with --rows-per-byte",
    ))
}

/// How many rows the file declares.
fn rows(metadata: &ParquetMetaData) -> u64 {
    let groups = metadata.row_groups().iter();
    groups.fold(0_u64, |rows, group| {
        rows.saturating_add(u64::try_from(group.num_rows()).unwrap_or(0))
    })
}

/// Finds the columns among the schema's leaves, which are named by their path.
fn find(metadata: &ParquetMetaData, columns: &Columns) -> Result<column::Found, Trouble> {
    let leaves = metadata.file_metadata().schema_descr().columns();
    let names: Vec<String> = leaves.iter().map(|leaf| leaf.path().string()).collect();
    let at = columns.find(&names)?;
    if rows(metadata) == 0 {
        return Ok(at); // A writer that sees no values does not know their type.
    }
    let check = |at: usize, may_be_number: bool| {
        let Some(leaf) = leaves.get(at) else {
            return Ok(());
        };
        if cells::is_text(leaf) || may_be_number && cells::is_number(leaf) {
            return Ok(());
        }
        let what = if leaf.max_rep_level() > 0 {
            "a list".to_owned()
        } else {
            format!("of type {}", leaf.physical_type())
        };
        let name = leaf.path().string();
        Err(Trouble::new(
            format!("the column `{name}` is {what}, not text"),
            format!("there are: {}", column::listed(&names)),
        ))
    };
    check(at.source, false)?;
    at.data_id.map_or(Ok(()), |at| check(at, true))?;
    Ok(at)
}

/// Calls the `parquet` crate. A panic of it is an error of the file, and is not printed.
fn guarded<T>(work: impl FnOnce() -> Parquet<T>) -> Result<T, String> {
    thread_local! {
        static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        // The hook is the process's: it stays quiet only for the thread that is within the crate.
        panic::set_hook(Box::new(move |panicked| {
            if !IS_QUIET.get() {
                others(panicked);
            }
        }));
    });
    IS_QUIET.set(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(false);
    match done {
        Ok(done) => done.map_err(|error| match error {
            ParquetError::General(why) => why,
            error => error.to_string(),
        }),
        Err(_) => Err("the file is corrupt".to_owned()),
    }
}

#[cfg(test)]
mod tests;
