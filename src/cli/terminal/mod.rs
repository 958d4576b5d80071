//! The only place that prints. Data goes to standard output, or to a file that is named, as it is
//! or as sanitized cells; messages go to standard error, sanitized.

mod block;
mod cells;
mod progress;
mod screen;

use std::{
    io::{self, BufWriter, IsTerminal as _, Stdout, Write},
    path::Path,
};

use anstream::{AutoStream, ColorChoice};
use terminal_size::Width;

use self::cells::Layout;
pub(crate) use self::{
    cells::{Cell, Row, Tone},
    progress::{Counter, Gauge, Progress},
    screen::{
        MessageOptions, When, abandon_progress, error, has_bars, hint, log, note, set_up,
        shows_progress, warning,
    },
};
use super::{
    exit::{Exit, Failure, reason},
    out_file::OutFile,
};

/// The name of standard output where a file is expected.
pub(crate) const STDOUT: &str = "-";

/// The destination of data.
pub(crate) struct Terminal {
    out: Out,
    is_screen: bool,
    layout: Layout,
}

enum Out {
    Stdout(BufWriter<Stdout>),
    /// A file, and its name for messages.
    File(BufWriter<OutFile>, String),
}

impl Terminal {
    /// Opens a file to be written, or standard output for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == STDOUT {
            return Ok(Self::stdout());
        }
        let file = OutFile::create(path)?;
        Ok(Self {
            is_screen: file.is_screen(),
            layout: Layout {
                is_colored: ColorChoice::global() == ColorChoice::Always,
                width: None,
            },
            out: Out::File(BufWriter::new(file), path.display().to_string()),
        })
    }

    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        let is_screen = stdout.is_terminal();
        let width = terminal_size::terminal_size_of(&stdout);
        Self {
            is_screen,
            layout: Layout {
                is_colored: AutoStream::choice(&stdout) != ColorChoice::Never,
                width: width.map(|(Width(width), _)| usize::from(width)),
            },
            out: Out::Stdout(BufWriter::new(stdout)),
        }
    }

    /// Whether the data is printed to a terminal.
    pub(crate) const fn is_screen(&self) -> bool {
        self.is_screen
    }

    /// Prints rows of cells, sanitized.
    pub(crate) fn rows(&mut self, rows: &[Row]) -> io::Result<()> {
        let mut text = String::new();
        for row in rows {
            self.layout.push(&mut text, row);
        }
        self.data(text.as_bytes())
    }

    /// Prints data unchanged. Standard output is flushed when this returns.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stdout = match &mut self.out {
            Out::Stdout(stdout) => stdout,
            Out::File(file, name) => {
                return file
                    .write_all(bytes)
                    .map_err(|error| unwritable(name, &error));
            }
        };
        let mut print = || {
            stdout.write_all(bytes)?;
            stdout.flush()
        };
        let printed = if self.is_screen {
            screen::aside(print)
        } else {
            print()
        };
        printed.map_err(|error| unwritable("standard output", &error))
    }

    /// Moves the written file into its place. Without this it is discarded.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let stdout = Out::Stdout(BufWriter::new(io::stdout()));
        match std::mem::replace(&mut self.out, stdout) {
            Out::Stdout(_) => Ok(()),
            Out::File(file, name) => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error);
                let finished = file.and_then(OutFile::finish);
                finished.map_err(|error| unwritable(&name, &error))
            }
        }
    }
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.data(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same kind of error, complete for users.
fn unwritable(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot write to {name}: {}", reason(error)),
    )
}

/// Prints why the command could not do its work.
pub(crate) fn failure(failure: &Failure) {
    error(&failure.to_string());
    if let Some(advice) = failure.advice() {
        hint(advice);
    }
}

/// Prints help, the version, or what is wrong with the arguments.
pub(crate) fn answer(answer: &clap::Error) -> Exit {
    // A closed pipe, as that of `--help | head`, is not an error.
    let _ = answer.print();
    if answer.use_stderr() {
        Exit::Failed
    } else {
        Exit::Success
    }
}
