//! The columns, and a row group of their values.

use std::io::Write;

use parquet::{
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::Result,
    file::writer::{SerializedColumnWriter, SerializedFileWriter},
};

use crate::cli::outcome::ScanReport;
use greenlight::{DownloadSummary, Format, Severity};

/// Lists are written in the three levels that the format's page on logical types asks for. Numbers
/// are signed, because some readers know no others.
pub(super) const SCHEMA: &str = "
message scan {
    required binary source (UTF8);
    required binary decision (UTF8);
    optional binary format (UTF8);
    optional int64 width;
    optional int64 height;
    optional int64 bytes;
    optional int64 frames;
    required group rejecting (LIST) { repeated group list { required binary element (UTF8); } }
    required group warnings (LIST) { repeated group list { required binary element (UTF8); } }
    optional int64 download_status;
    optional int64 download_hops;
    optional int64 download_elapsed_ms;
    optional int64 download_bytes;
    optional binary error (UTF8);
    optional binary data_id (UTF8);
    optional binary task_id (UTF8);
    required binary outcome (UTF8);
    required group results (LIST) {
        repeated group list {
            required group element {
                required binary scene (UTF8);
                required binary label (UTF8);
                required binary suggestion (UTF8);
                optional double rate;
            }
        }
    }
}";

/// The values of a row group, by column.
#[derive(Default)]
pub(super) struct Columns {
    rows: usize,
    bytes: usize,
    source: Texts,
    decision: Texts,
    format: Texts,
    width: Numbers,
    height: Numbers,
    bytes_of_image: Numbers,
    frames: Numbers,
    rejecting: Texts,
    warnings: Texts,
    download_status: Numbers,
    download_hops: Numbers,
    download_elapsed_ms: Numbers,
    download_bytes: Numbers,
    error: Texts,
    data_id: Texts,
    task_id: Texts,
    outcome: Texts,
    scene: Texts,
    label: Texts,
    suggestion: Texts,
    rate: Leaf<DoubleType>,
}

type Texts = Leaf<ByteArrayType>;
type Numbers = Leaf<Int64Type>;

impl Columns {
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// How many bytes its texts have.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, report: &ScanReport) {
        self.rows = self.rows.saturating_add(1);
        self.push_check(report);
        let mut text = |texts: &mut Texts, text: Option<&str>| {
            self.bytes = self.bytes.saturating_add(text.map_or(0, str::len));
            texts.push(text.map(ByteArray::from));
        };
        text(&mut self.data_id, report.data_id.as_deref());
        text(&mut self.task_id, report.task_id.as_deref());
        text(&mut self.outcome, Some(report.outcome.name()));
        let results = &report.results;
        let texts = |of: fn(&crate::cli::outcome::SceneReport) -> &str| {
            results
                .iter()
                .map(move |result| Some(ByteArray::from(of(result))))
        };
        self.scene.push_list(texts(|result| &result.scene));
        self.label.push_list(texts(|result| &result.label));
        self.suggestion
            .push_list(texts(|result| &result.suggestion));
        self.rate
            .push_list(results.iter().map(|result| result.rate));
        for result in results {
            let length = result.scene.len() + result.label.len() + result.suggestion.len();
            self.bytes = self.bytes.saturating_add(length);
        }
    }

    fn push_check(&mut self, report: &ScanReport) {
        let check = &report.check;
        let summary = &check.summary;
        let mut text = |texts: &mut Texts, text: Option<&str>| {
            self.bytes = self.bytes.saturating_add(text.map_or(0, str::len));
            texts.push(text.map(ByteArray::from));
        };
        text(&mut self.source, Some(&check.source));
        text(&mut self.decision, Some(summary.decision.name()));
        text(&mut self.format, summary.format.map(Format::name));
        text(&mut self.error, check.error.as_deref());
        self.width.push(summary.width.map(i64::from));
        self.height.push(summary.height.map(i64::from));
        self.bytes_of_image.push(summary.bytes.map(whole));
        self.frames.push(summary.frames.map(i64::from));
        let codes = |severity| {
            let codes = summary.codes(severity);
            codes.map(|code| Some(ByteArray::from(code.name())))
        };
        self.rejecting.push_list(codes(Severity::Reject));
        self.warnings.push_list(codes(Severity::Warn));
        let download = summary.download;
        let of_download = |of: fn(DownloadSummary) -> u64| download.map(|found| whole(of(found)));
        let status = download.and_then(|download| download.status);
        self.download_status.push(status.map(i64::from));
        let hops = download.and_then(|download| i64::try_from(download.hops).ok());
        self.download_hops.push(hops);
        self.download_elapsed_ms
            .push(of_download(|found| found.elapsed_ms));
        self.download_bytes.push(of_download(|found| found.bytes));
    }

    /// Writes them as a row group.
    pub(super) fn write<W: Write + Send>(self, file: &mut SerializedFileWriter<W>) -> Result<()> {
        let mut group = file.next_row_group()?;
        // In the order of the schema.
        let leaves: [&dyn Column; 21] = [
            &self.source,
            &self.decision,
            &self.format,
            &self.width,
            &self.height,
            &self.bytes_of_image,
            &self.frames,
            &self.rejecting,
            &self.warnings,
            &self.download_status,
            &self.download_hops,
            &self.download_elapsed_ms,
            &self.download_bytes,
            &self.error,
            &self.data_id,
            &self.task_id,
            &self.outcome,
            &self.scene,
            &self.label,
            &self.suggestion,
            &self.rate,
        ];
        for leaf in leaves {
            let Some(mut column) = group.next_column()? else {
                break;
            };
            leaf.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

/// A column's values with their levels: whether they are there, and which begin a list.
struct Leaf<T: DataType> {
    values: Vec<T::T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

impl<T: DataType> Default for Leaf<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            definitions: Vec::new(),
            repetitions: Vec::new(),
        }
    }
}

impl<T: DataType> Leaf<T> {
    /// The value of a row. Where there must be one the levels are not looked at.
    fn push(&mut self, value: Option<T::T>) {
        self.definitions.push(i16::from(value.is_some()));
        self.repetitions.push(0);
        self.values.extend(value);
    }

    /// The values of a row's list, each of which may be absent if the column says so.
    fn push_list(&mut self, values: impl Iterator<Item = Option<T::T>>) {
        let mut is_empty = true;
        for value in values {
            let has_value = i16::from(value.is_some());
            self.definitions.push(1 + has_value);
            self.repetitions.push(i16::from(!is_empty));
            self.values.extend(value);
            is_empty = false;
        }
        if is_empty {
            self.definitions.push(0);
            self.repetitions.push(0);
        }
    }
}

trait Column {
    fn write(&self, to: &mut SerializedColumnWriter<'_>) -> Result<()>;
}

impl<T: DataType> Column for Leaf<T> {
    fn write(&self, to: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let writer = to.typed::<T>();
        let most = writer.get_descriptor().max_def_level();
        // What must be there in a list has one level less.
        let definitions: Vec<i16> = self
            .definitions
            .iter()
            .map(|level| *level.min(&most))
            .collect();
        writer.write_batch(&self.values, Some(&definitions), Some(&self.repetitions))?;
        Ok(())
    }
}

/// A count as a signed number.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
