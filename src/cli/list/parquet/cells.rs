//! One column's values, a batch at a time.

use std::{
    fs::File,
    sync::{Arc, Mutex},
};

use parquet::{
    basic::{Compression, ConvertedType, LogicalType, Type},
    column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader},
    data_type::{ByteArray, DataType},
    errors::Result,
    file::{metadata::RowGroupMetaData, serialized_reader::SerializedPageReader},
    schema::types::ColumnDescriptor,
};

use super::{
    bounds::{Guarded, error},
    file::Chunk,
};
use crate::cli::list::LONGEST;

/// Length to which a text that is longer than a source may be is truncated, in bytes: more than is
/// shown.
const CUT: usize = 1024;

/// How many rows are decoded at a time.
const BATCH: usize = 1024;

/// A column of a row group, whose values come one after the other.
pub(super) struct Cells {
    column: Column,
    /// The definition level of a value that is present.
    full: i16,
    levels: Vec<i16>,
    /// How many of the batch's levels and values were given.
    given: usize,
    taken: usize,
}

enum Column {
    Text(
        ColumnReaderImpl<parquet::data_type::ByteArrayType>,
        Vec<ByteArray>,
    ),
    Int(
        ColumnReaderImpl<parquet::data_type::Int32Type>,
        Vec<i32>,
        Signs,
    ),
    Long(
        ColumnReaderImpl<parquet::data_type::Int64Type>,
        Vec<i64>,
        Signs,
    ),
    Double(ColumnReaderImpl<parquet::data_type::DoubleType>, Vec<f64>),
}

/// Whether numbers below zero are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signs {
    Signed,
    Unsigned,
}

impl Signs {
    fn of(column: &ColumnDescriptor) -> Self {
        let is_unsigned = match column.logical_type_ref() {
            Some(LogicalType::Integer(int)) => !int.is_signed,
            _ => matches!(
                column.converted_type(),
                ConvertedType::UINT_8
                    | ConvertedType::UINT_16
                    | ConvertedType::UINT_32
                    | ConvertedType::UINT_64
            ),
        };
        if is_unsigned {
            Self::Unsigned
        } else {
            Self::Signed
        }
    }
}

/// Whether the column holds text, one value per row.
pub(super) fn is_text(column: &ColumnDescriptor) -> bool {
    column.max_rep_level() == 0 && column.physical_type() == Type::BYTE_ARRAY
}

pub(super) fn is_number(column: &ColumnDescriptor) -> bool {
    let is_whole = match column.logical_type_ref() {
        Some(logical) => matches!(logical, LogicalType::Integer(_)),
        None => !matches!(
            column.converted_type(),
            ConvertedType::DECIMAL
                | ConvertedType::DATE
                | ConvertedType::TIMESTAMP_MILLIS
                | ConvertedType::TIMESTAMP_MICROS
                | ConvertedType::TIME_MILLIS
                | ConvertedType::TIME_MICROS
        ),
    };
    column.max_rep_level() == 0
        && is_whole
        && matches!(column.physical_type(), Type::INT32 | Type::INT64)
}

/// Whether values of the column are floating-point numbers, as pandas writes whole numbers if some
/// are absent.
pub(super) fn is_double(column: &ColumnDescriptor) -> bool {
    column.max_rep_level() == 0 && column.physical_type() == Type::DOUBLE
}

impl Cells {
    /// The column at `at` of a row group.
    pub(super) fn open(file: &Arc<File>, group: &RowGroupMetaData, at: usize) -> Result<Self> {
        let found = group.columns().get(at);
        let chunk = found.ok_or_else(|| error("a row group without the column"))?;
        let is_gzip = match chunk.compression() {
            Compression::UNCOMPRESSED
            | Compression::SNAPPY
            | Compression::ZSTD(_)
            | Compression::LZ4_RAW => false,
            Compression::GZIP(_) => true,
            other => {
                return Err(error(format!(
                    "compressed with {other}, which is not read: use zstd, snappy, gzip or lz4_raw"
                )));
            }
        };
        let column = chunk.column_descr_ptr();
        let full = column.max_def_level();
        let reader = Arc::new(Chunk {
            file: Arc::clone(file),
            is_gzip,
            head: Mutex::new(None),
        });
        let rows = usize::try_from(group.num_rows())?;
        let pages = Guarded {
            pages: SerializedPageReader::new(reader, chunk, rows, None)?,
            value_size: match column.physical_type() {
                Type::INT64 | Type::DOUBLE => 8,
                _ => 4,
            },
            has_levels: full > 0,
        };
        let signs = Signs::of(&column);
        let column = match get_column_reader(column, Box::new(pages)) {
            ColumnReader::ByteArrayColumnReader(reader) => Column::Text(reader, Vec::new()),
            ColumnReader::Int32ColumnReader(reader) => Column::Int(reader, Vec::new(), signs),
            ColumnReader::Int64ColumnReader(reader) => Column::Long(reader, Vec::new(), signs),
            ColumnReader::DoubleColumnReader(reader) => Column::Double(reader, Vec::new()),
            _ => return Err(error("a column of another type than in the schema")),
        };
        Ok(Self {
            column,
            full,
            levels: Vec::new(),
            given: 0,
            taken: 0,
        })
    }

    /// Whether the next value is in no batch yet, so that [`fill`](Self::fill) is to be called.
    pub(super) fn is_empty(&self) -> bool {
        self.given == self.levels.len()
    }

    /// Decodes the next batch.
    pub(super) fn fill(&mut self) -> Result<()> {
        let Self {
            column,
            full,
            levels,
            given,
            taken,
        } = self;
        (*given, *taken) = (0, 0);
        levels.clear();
        match column {
            Column::Text(reader, values) => read(reader, *full, levels, values)?,
            Column::Int(reader, values, _) => read(reader, *full, levels, values)?,
            Column::Long(reader, values, _) => read(reader, *full, levels, values)?,
            Column::Double(reader, values) => read(reader, *full, levels, values)?,
        }
        if levels.is_empty() {
            return Err(error(
                "a column with fewer values than the row group has rows",
            ));
        }
        Ok(())
    }

    /// The next value of the batch; `None` for none in this row. No more is copied of a long text
    /// than is shown: a dictionary repeats one for a few bits a row.
    pub(super) fn next(&mut self) -> Option<Cell> {
        let level = self.levels.get(self.given).copied();
        self.given = self.given.saturating_add(1);
        if level != Some(self.full) {
            return None;
        }
        let at = self.taken;
        self.taken = self.taken.saturating_add(1);
        match &self.column {
            Column::Text(_, values) => values.get(at).map(|value| Cell::of(value.data())),
            Column::Int(_, values, signs) => values.get(at).map(|value| match signs {
                Signs::Signed => Cell::number(value),
                Signs::Unsigned => Cell::number(&value.cast_unsigned()),
            }),
            Column::Double(_, values) => values.get(at).map(Cell::number),
            Column::Long(_, values, signs) => values.get(at).map(|value| match signs {
                Signs::Signed => Cell::number(value),
                Signs::Unsigned => Cell::number(&value.cast_unsigned()),
            }),
        }
    }
}

/// A row's value.
pub(super) struct Cell {
    /// The text, or its start if it is longer than a source may be.
    pub(super) text: Vec<u8>,
    pub(super) is_cut: bool,
}

impl Cell {
    fn of(value: &[u8]) -> Self {
        let is_cut = value.len() > LONGEST;
        let start = value.get(..CUT).filter(|_| is_cut);
        Self {
            text: start.unwrap_or(value).to_vec(),
            is_cut,
        }
    }

    fn number(value: &impl ToString) -> Self {
        Self {
            text: value.to_string().into_bytes(),
            is_cut: false,
        }
    }
}

fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    full: i16,
    levels: &mut Vec<i16>,
    values: &mut Vec<T::T>,
) -> Result<()> {
    values.clear();
    let (rows, _, _) = reader.read_records(BATCH, Some(levels), None, values)?;
    if full == 0 {
        levels.resize(rows, 0); // Where nothing can be absent no levels are written.
    }
    Ok(())
}
