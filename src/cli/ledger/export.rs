//! `greenlight export`: a row for each source, in the shape of a line of `scan`.

use std::io::{self, BufWriter, Write};

use crate::{
    cli::{
        args::{ExportFormat, ExportOptions},
        exit::{Exit, Failure, reason},
        interrupt::Interrupt,
        out_file::OutFile,
        outcome::ScanReport,
        parquet_out::ParquetOut,
        printer::{self, Escaping},
        terminal::Terminal,
    },
    error::Error,
    ledger::{Ledger, Row, Rows, State},
};

/// How many rows are held at a time.
const PAGE: usize = 1000;

/// How much is written at a time, in bytes.
const BUFFER: usize = 64 * 1024;

/// The next rows after `after`, which moves on; `None` at the end.
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
    match written {
        Err(error) if options.output.as_os_str() != "-" => {
            let path = options.output.display();
            let message = format!("cannot write {path}: {}", reason(&error));
            Err(Failure::new(message))
        }
        written => printer::ended(written.map(|()| Exit::Success), || Exit::Success),
    }
}

/// How rows are written, and where to.
struct Sink {
    writer: Writer,
    escaping: Escaping,
}

enum Writer {
    Jsonl(BufWriter<Out>),
    Csv { out: BufWriter<Out>, is_begun: bool },
    Parquet(Box<ParquetOut<BufWriter<Out>>>),
}

/// Standard output or a file.
enum Out {
    Stdout(Terminal),
    File(OutFile),
}

impl Out {
    fn is_screen(&self) -> bool {
        match self {
            Self::Stdout(terminal) => terminal.is_screen(),
            Self::File(file) => file.is_screen(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(terminal) => terminal.data(bytes).map(|()| bytes.len()),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn open(options: &ExportOptions) -> Result<Self, Failure> {
        let out = if options.output.as_os_str() == "-" {
            let terminal = Terminal::open_without_progress();
            if options.format == ExportFormat::Parquet && terminal.is_screen() {
                return Err(Failure::new("Parquet is nothing to look at")
                    .hint("--output FILE writes it to a file"));
            }
            Out::Stdout(terminal)
        } else {
            Out::File(OutFile::create(&options.output)?)
        };
        let escaping = Escaping::new(out.is_screen(), options.csv);
        let writer = Writer::begin(options.format, BufWriter::with_capacity(BUFFER, out));
        let writer = writer
            .map_err(|error| Failure::new(format!("cannot begin to write: {}", reason(&error))))?;
        Ok(Self { writer, escaping })
    }

    fn write(&mut self, row: Row) -> io::Result<()> {
        let report = ScanReport::from(row);
        match &mut self.writer {
            Writer::Jsonl(out) => out.write_all(&self.escaping.json(&report)?),
            Writer::Csv { out, is_begun } => {
                let is_first = !std::mem::replace(is_begun, true);
                out.write_all(&self.escaping.csv(&report, is_first)?)
            }
            Writer::Parquet(file) => file.write(&report),
        }
    }

    fn finish(self) -> io::Result<()> {
        let out = match self.writer {
            Writer::Jsonl(out) | Writer::Csv { out, .. } => out,
            Writer::Parquet(file) => file.finish()?,
        };
        let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        match out {
            Out::Stdout(_) => Ok(()),
            Out::File(file) => file.finish(),
        }
    }
}

impl Writer {
    fn begin(format: ExportFormat, out: BufWriter<Out>) -> io::Result<Self> {
        Ok(match format {
            ExportFormat::Jsonl => Self::Jsonl(out),
            ExportFormat::Csv => Self::Csv {
                out,
                is_begun: false,
            },
            ExportFormat::Parquet => Self::Parquet(Box::new(ParquetOut::new(out)?)),
        })
    }
}
