//! `greenlight export`: a row for each source, in the shape of a line of `scan`.

use std::io::{self, BufWriter, Write as _};

use crate::{
    cli::{
        args::{ExportFormat, ExportOptions, OnlyOption},
        exit::{Exit, Failure},
        interrupt::Interrupt,
        outcome::ScanReport,
        parquet_out::ParquetOut,
        printer::{self, Escaping, PrintedLine as _},
        terminal::Terminal,
    },
    error::Error,
    ledger::{Ledger, Row, Rows, State},
};

/// How many rows are held at a time.
const PAGE: usize = 1000;

/// How much is written at a time, in bytes.
const BUFFER: usize = 64 * 1024;

/// Returns the next rows after `after`, and advances it; `None` at the end.
pub(crate) async fn page(
    ledger: &dyn Ledger,
    after: &mut i64,
    state: Option<State>,
) -> Result<Option<Vec<Row>>, Error> {
    let rows = ledger.rows(Rows {
        after: *after,
        limit: PAGE,
        state,
    });
    let rows = rows.await?;
    Ok(rows.last().map(|row| row.number).map(|last| {
        *after = last;
        rows
    }))
}

/// Writes all rows.
pub(crate) async fn run(options: ExportOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let ledger = super::open_to_read(&options.ledger).await?;
    let mut sink = Sink::open(&options)?;
    let mut after = 0;
    let written = loop {
        let rows = tokio::select! {
            biased;
            () = interrupt.wait() => return Ok(Exit::Interrupted),
            rows = page(&*ledger, &mut after, None) => rows?,
        };
        let Some(rows) = rows else {
            break sink.finish();
        };
        if let Err(error) = rows.into_iter().try_for_each(|row| sink.write(row)) {
            break Err(error);
        }
    };
    printer::ended(written.map(|()| Exit::Success), || Exit::Success)
}

/// The format of the rows and their destination.
struct Sink {
    writer: Writer,
    escaping: Escaping,
    only: OnlyOption,
}

enum Writer {
    Jsonl(BufWriter<Terminal>),
    Csv(BufWriter<Terminal>),
    Parquet(Box<ParquetOut<BufWriter<Terminal>>>),
}

impl Sink {
    fn open(options: &ExportOptions) -> Result<Self, Failure> {
        let out = Terminal::open(&options.to.output)?;
        if options.format == ExportFormat::Parquet && out.is_screen() {
            return Err(Failure::new("refusing to write Parquet to a terminal")
                .hint("--output FILE writes it to a file"));
        }
        let escaping = Escaping::new(out.is_screen(), options.to.csv);
        let writer = Writer::begin(options.format, BufWriter::with_capacity(BUFFER, out));
        let writer = writer.map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self {
            writer,
            escaping,
            only: options.only.clone(),
        })
    }

    fn write(&mut self, row: Row) -> io::Result<()> {
        let report = ScanReport::from(row);
        if !self.only.lets_through(&report.kinds()) {
            return Ok(());
        }
        match &mut self.writer {
            Writer::Jsonl(out) => out.write_all(&self.escaping.json(&report)?),
            Writer::Csv(out) => out.write_all(&self.escaping.csv(&report)?),
            Writer::Parquet(file) => file.write(&report),
        }
    }

    fn finish(self) -> io::Result<()> {
        let out = match self.writer {
            Writer::Jsonl(out) | Writer::Csv(out) => out,
            Writer::Parquet(file) => file.finish()?,
        };
        out.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .finish()
    }
}

impl Writer {
    fn begin(format: ExportFormat, mut out: BufWriter<Terminal>) -> io::Result<Self> {
        Ok(match format {
            ExportFormat::Jsonl => Self::Jsonl(out),
            ExportFormat::Csv => {
                out.write_all(&printer::csv_record(ScanReport::columns())?)?;
                Self::Csv(out)
            }
            ExportFormat::Parquet => Self::Parquet(Box::new(ParquetOut::new(out)?)),
        })
    }
}
