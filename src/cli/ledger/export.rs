//! `greenlight export`: a row for each source, in the shape of a line of `scan`.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    cli::{
        args::{ExportFormat, ExportOptions},
        exit::{Exit, Failure, reason},
        interrupt::Interrupt,
        outcome::ScanReport,
        printer,
        terminal::Terminal,
    },
    error::Error,
    ledger::{Ledger, Row, Rows, SqliteLedger, State},
};

/// How many rows are held at a time.
const PAGE: usize = 1000;

/// The next rows after `after`, which moves on; `None` at the end.
pub(super) async fn page(
    ledger: &SqliteLedger,
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
    let ledger = super::open_to_read(&options.ledger)?;
    let mut sink = Sink::open(&options)?;
    let mut after = 0;
    let written = loop {
        let rows = tokio::select! {
            biased;
            () = interrupt.wait() => return Ok(Exit::Interrupted),
            rows = page(&ledger, &mut after, None) => rows?,
        };
        let Some(rows) = rows else {
            break sink.finish();
        };
        if let Err(error) = sink.write(rows) {
            break Err(error);
        }
    };
    match written {
        Err(error) if options.output.as_os_str() != "-" => {
            let path = options.output.display();
            Err(Failure::new(format!(
                "cannot write {path}: {}",
                reason(&error)
            )))
        }
        written => printer::ended(written.map(|()| Exit::Success), || Exit::Success),
    }
}

/// Where rows go, and how they are written.
struct Sink {
    format: ExportFormat,
    is_begun: bool,
    place: Place,
}

enum Place {
    Stdout(Terminal),
    /// Beside its place until it is whole.
    File {
        writer: BufWriter<File>,
        part: Part,
        path: PathBuf,
    },
}

/// A file that is removed unless it is [kept](Self::keep).
struct Part(Option<PathBuf>);

impl Part {
    fn keep(mut self, path: &Path) -> io::Result<()> {
        self.0.take().map_or(Ok(()), |part| fs::rename(part, path))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(part) = &self.0 {
            // It stays behind then, and its name says what it is.
            let _ = fs::remove_file(part);
        }
    }
}

impl Sink {
    fn open(options: &ExportOptions) -> Result<Self, Failure> {
        if options.format == ExportFormat::Parquet {
            return Err(Failure::new("this greenlight was built without Parquet")
                .hint("build it with the feature `parquet`, or write jsonl or csv"));
        }
        let place = if options.output.as_os_str() == "-" {
            Place::Stdout(Terminal::open_without_progress())
        } else {
            let mut part = OsString::from(&options.output);
            part.push(".part");
            let part = PathBuf::from(part);
            let file = File::create(&part).map_err(|error| {
                let path = options.output.display();
                Failure::new(format!("cannot write {path}: {}", reason(&error)))
            })?;
            Place::File {
                writer: BufWriter::new(file),
                part: Part(Some(part)),
                path: options.output.clone(),
            }
        };
        Ok(Self {
            format: options.format,
            is_begun: false,
            place,
        })
    }

    fn write(&mut self, rows: Vec<Row>) -> io::Result<()> {
        let mut text = Vec::new();
        for row in rows {
            let report = ScanReport::from(row);
            let is_first = !std::mem::replace(&mut self.is_begun, true);
            text.extend(match self.format {
                ExportFormat::Csv => printer::csv(&report, is_first)?,
                ExportFormat::Jsonl | ExportFormat::Parquet => printer::json(&report)?,
            });
        }
        match &mut self.place {
            Place::Stdout(terminal) => terminal.data(&text),
            Place::File { writer, .. } => writer.write_all(&text),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self.place {
            Place::Stdout(_) => Ok(()),
            Place::File { writer, part, path } => {
                let file = writer
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)?;
                file.sync_all()?;
                part.keep(&path)
            }
        }
    }
}
