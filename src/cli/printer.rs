//! The three ways to print results.

use std::io;

use serde::Serialize;

use super::{
    args::Format,
    checker::Checked,
    exit::{Exit, Failure, reason},
    human,
    outcome::{ResultReport, ScanReport},
    report::{Report, Tally},
    terminal::{Row, Terminal},
};

/// What is printed of one source, in each way. As JSON it is serialised.
pub(crate) trait Line: Serialize {
    fn heading() -> Row;
    fn rows(&self) -> Vec<Row>;
    fn columns() -> Vec<&'static str>;
    fn fields(&self) -> Vec<String>;
}

impl Line for Report {
    fn heading() -> Row {
        human::check_heading()
    }

    fn rows(&self) -> Vec<Row> {
        human::check_rows(self)
    }

    fn columns() -> Vec<&'static str> {
        Self::COLUMNS.to_vec()
    }

    fn fields(&self) -> Vec<String> {
        self.values().to_vec()
    }
}

impl Line for ScanReport {
    fn heading() -> Row {
        human::scan_heading()
    }

    fn rows(&self) -> Vec<Row> {
        human::scan_rows(self)
    }

    fn columns() -> Vec<&'static str> {
        [&Report::COLUMNS[..], &Self::OWN_COLUMNS].concat()
    }

    fn fields(&self) -> Vec<String> {
        [&self.check.values()[..], &self.own_values()].concat()
    }
}

impl Line for ResultReport {
    fn heading() -> Row {
        human::result_heading()
    }

    fn rows(&self) -> Vec<Row> {
        human::result_rows(self)
    }

    fn columns() -> Vec<&'static str> {
        Self::COLUMNS.to_vec()
    }

    fn fields(&self) -> Vec<String> {
        self.values().to_vec()
    }
}

/// Prints each result as it comes.
pub(crate) struct Printer {
    terminal: Terminal,
    format: Format,
    printed: u64,
}

impl Printer {
    pub(crate) fn new(format: Format, verb: &'static str) -> Self {
        Self {
            terminal: Terminal::open(verb),
            format,
            printed: 0,
        }
    }

    /// Tells of a list's line that is no source, where the line that is printed for it is meant for
    /// programs.
    pub(crate) fn complain(&self, checked: &Checked) {
        if let (true, Some(error)) = (checked.is_bad_line, &checked.report.error)
            && self.format != Format::Human
        {
            self.terminal.error(error);
        }
    }

    pub(crate) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Prints one source's line.
    pub(crate) fn print<L: Line>(&mut self, line: &L) -> io::Result<()> {
        let is_first = self.printed == 0;
        self.printed = self.printed.saturating_add(1);
        self.terminal.progress().inc(1);
        match self.format {
            Format::Human => {
                let mut rows = line.rows();
                if is_first {
                    rows.insert(0, L::heading());
                }
                self.terminal.rows(&rows)
            }
            Format::Jsonl => {
                let mut text = serde_json::to_vec(line)?;
                text.push(b'\n');
                self.terminal.data(&text)
            }
            Format::Csv => {
                let mut text = csv::Writer::from_writer(Vec::new());
                if is_first {
                    text.write_record(L::columns())?;
                }
                text.write_record(line.fields())?;
                let text = text.into_inner().map_err(csv::IntoInnerError::into_error)?;
                self.terminal.data(&text)
            }
        }
    }

    /// Prints what all of it comes to, for people.
    pub(crate) fn finish(&mut self, tally: &Tally) -> io::Result<()> {
        self.terminal.finish();
        match self.format {
            Format::Human => self.terminal.rows(&human::summary(tally)),
            Format::Jsonl | Format::Csv => Ok(()),
        }
    }
}

/// How the command ends when printing ended so. That nobody reads on is no failure (`head`): then
/// what was printed decides.
pub(crate) fn ended(
    printed: io::Result<Exit>,
    so_far: impl FnOnce() -> Exit,
) -> Result<Exit, Failure> {
    match printed {
        Ok(exit) => Ok(exit),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(so_far()),
        Err(error) => {
            let message = format!("cannot write to standard output: {}", reason(&error));
            Err(Failure::new(message))
        }
    }
}
