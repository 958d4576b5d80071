//! Lines of `scan` as a Parquet file with typed columns.

mod columns;

use std::{
    io::{self, Write},
    sync::Arc,
};

use parquet::{
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::parser::parse_message_type,
};

use self::columns::{Columns, SCHEMA};
use super::outcome::ScanReport;

/// A row group is written when it has so many rows, or so many bytes of text.
const MOST_ROWS: usize = 100_000;
const MOST_BYTES: usize = 16 << 20;

/// Writes lines to a Parquet file. At most a row group of them is held.
pub(crate) struct ParquetOut<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Columns,
}

impl<W: Write + Send> ParquetOut<W> {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// Those of `to`, here and below.
    pub(crate) fn new(to: W) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_created_by(concat!("greenlight version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .build();
        let schema = parse_message_type(SCHEMA).map_err(io_error)?;
        let file = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            file: file.map_err(io_error)?,
            columns: Columns::default(),
        })
    }

    /// Adds a line.
    pub(crate) fn write(&mut self, report: &ScanReport) -> io::Result<()> {
        self.columns.push(report);
        if self.columns.rows() >= MOST_ROWS || self.columns.bytes() >= MOST_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is held and the file's directory, without which it is none.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if self.columns.rows() > 0 {
            self.flush()?;
        }
        self.file.into_inner().map_err(io_error)
    }

    fn flush(&mut self) -> io::Result<()> {
        let columns = std::mem::take(&mut self.columns);
        columns.write(&mut self.file).map_err(io_error)
    }
}

/// The error of whatever is written to, or else of the library.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(cause) => io::Error::other(cause),
        },
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests;
