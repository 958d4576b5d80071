//! Parquet: a row group at a time, of its columns those that are asked for, a page at a time.
//!
//! The library trusts what a file declares, and panics on some of what it does not expect. So the
//! file's structures are looked at before it is (`bounds`), and it works within [`guarded`].

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
    },
};

use self::cells::Cells;
use super::{
    column::{self, Columns},
    row::{Found, Row, Rows, Trouble},
};

/// The rows of a Parquet file.
pub(super) struct ParquetRows {
    file: Arc<File>,
    metadata: ParquetMetaData,
    at: column::Found,
    group: Option<Group>,
    next_group: usize,
    /// How many rows were given.
    given: u64,
}

/// A row group's columns.
struct Group {
    left: u64,
    sources: Cells,
    data_ids: Option<Cells>,
}

impl ParquetRows {
    pub(super) fn new(file: File, columns: &Columns) -> Result<Self, Trouble> {
        let trouble = |why: String| Trouble::new(why, "--from reads Apache Parquet files");
        let metadata = guarded(|| {
            let bytes = file::metadata(&file)?;
            let mut options = ParquetMetaDataOptions::new();
            options.set_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
            ParquetMetaDataReader::decode_metadata_with_options(&bytes, Some(&options))
        });
        let metadata = metadata.map_err(trouble)?;
        let at = find(&metadata, columns)?;
        Ok(Self {
            file: Arc::new(file),
            metadata,
            at,
            group: None,
            next_group: 0,
            given: 0,
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
            })
        })
    }

    /// Passes over the rest of a row group that cannot be read.
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
            found,
        }
    }
}

impl Rows for ParquetRows {
    /// The columns were found when the file was opened.
    fn begin(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn next(&mut self) -> Option<Row> {
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
                        return Some(self.pass(u64::try_from(rows).unwrap_or(0), &why));
                    }
                }
                continue;
            };
            match group.next() {
                Ok(found) => {
                    group.left = group.left.saturating_sub(1);
                    self.given = self.given.saturating_add(1);
                    let number = self.given;
                    return Some(Row {
                        number,
                        last: number,
                        found,
                    });
                }
                Err(why) => {
                    let left = group.left;
                    self.group = None;
                    return Some(self.pass(left, &why));
                }
            }
        }
    }
}

impl Group {
    fn next(&mut self) -> Result<Found, String> {
        for cells in [Some(&mut self.sources), self.data_ids.as_mut()] {
            if let Some(cells) = cells.filter(|cells| cells.is_empty()) {
                guarded(|| cells.fill())?;
            }
        }
        let source = self.sources.next().filter(|source| !source.is_empty());
        let data_id = self.data_ids.as_mut().and_then(Cells::next);
        Ok(match source {
            Some(source) => Found::Source {
                source,
                data_id: data_id.filter(|data_id| !data_id.is_empty()),
            },
            None => Found::broken("", "no source in this row"),
        })
    }
}

/// Finds the columns among the schema's leaves, which are named by their path.
fn find(metadata: &ParquetMetaData, columns: &Columns) -> Result<column::Found, Trouble> {
    let leaves = metadata.file_metadata().schema_descr().columns();
    let names: Vec<String> = leaves.iter().map(|leaf| leaf.path().string()).collect();
    let at = columns.find(&names)?;
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

/// Runs the library; what it panics on is an error of the file, and nothing is printed of it.
fn guarded<T>(work: impl FnOnce() -> Parquet<T>) -> Result<T, String> {
    thread_local! {
        static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
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
        Err(_) => Err("the file is damaged".to_owned()),
    }
}

#[cfg(test)]
mod tests;
