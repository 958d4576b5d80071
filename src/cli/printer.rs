//! The three ways to print results.

use std::io;

use serde::Serialize;

use super::{
    args::{CsvOption, Format},
    exit::{Exit, Failure, reason},
    human,
    outcome::{ResultReport, ScanReport},
    report::{Report, Tally},
    source::Noticed,
    terminal::{Row, Terminal},
};
use crate::sanitize::{sanitize, sanitize_json};

/// What is printed of one source, in each way. As JSON it is serialised.
pub(crate) trait Line: Serialize {
    /// The table's head, if it is one.
    fn heading() -> Option<Row>;
    fn rows(&self) -> Vec<Row>;
    fn columns() -> Vec<&'static str>;
    fn fields(&self) -> Vec<String>;
}

impl Line for Report {
    fn heading() -> Option<Row> {
        Some(human::check_heading())
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
    fn heading() -> Option<Row> {
        Some(human::scan_heading())
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
    fn heading() -> Option<Row> {
        Some(human::result_heading())
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
    escaping: Escaping,
    printed: u64,
}

/// What is escaped of text from outside, for what reads the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaping {
    /// A terminal would act on control characters.
    is_screen: bool,
    /// A spreadsheet would run a formula.
    is_csv_raw: bool,
}

impl Printer {
    pub(crate) fn new(format: Format, csv: CsvOption, verb: &'static str) -> Self {
        Self::on(Terminal::open(verb), format, csv)
    }

    /// For a run that shows its progress itself.
    pub(crate) fn for_run(format: Format, csv: CsvOption) -> Self {
        Self::on(Terminal::open_for_run(), format, csv)
    }

    /// For what is quickly read.
    pub(crate) fn without_progress(format: Format, csv: CsvOption) -> Self {
        Self::on(Terminal::open_without_progress(), format, csv)
    }

    fn on(terminal: Terminal, format: Format, csv: CsvOption) -> Self {
        Self {
            escaping: Escaping::new(terminal.is_screen(), csv),
            terminal,
            format,
            printed: 0,
        }
    }

    /// Tells of a list's line that is no source, where the line that is printed for it is meant for
    /// programs.
    pub(crate) fn complain(&self, is_bad_line: bool, report: &Report) {
        if let (true, Some(error)) = (is_bad_line, &report.error)
            && self.format != Format::Human
        {
            self.terminal.error(error);
        }
    }

    pub(crate) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    pub(crate) fn terminal_mut(&mut self) -> &mut Terminal {
        &mut self.terminal
    }

    /// Prints one source's line.
    pub(crate) fn print<L: Line>(&mut self, line: &L) -> io::Result<()> {
        let is_first = self.printed == 0;
        self.printed = self.printed.saturating_add(1);
        self.terminal.progress().inc(1);
        match self.format {
            Format::Human => {
                let heading = is_first.then(L::heading).flatten();
                let rows: Vec<_> = heading.into_iter().chain(line.rows()).collect();
                self.terminal.rows(&rows)
            }
            Format::Jsonl => self.terminal.data(&self.escaping.json(line)?),
            Format::Csv => self.terminal.data(&self.escaping.csv(line, is_first)?),
        }
    }

    /// Prints what all of it comes to, for people.
    pub(crate) fn finish(&mut self, tally: &Tally, noticed: &Noticed) -> io::Result<()> {
        self.terminal.finish();
        if self.format == Format::Human {
            self.terminal.rows(&human::summary(tally, noticed))?;
        }
        self.hint(noticed);
        Ok(())
    }

    /// Says once what to do if lines that were refused were meant as files.
    pub(crate) fn hint(&self, noticed: &Noticed) {
        if let Some(hint) = noticed.hint() {
            self.terminal.hint(&hint);
        }
    }
}

impl Escaping {
    pub(crate) const fn new(is_screen: bool, csv: CsvOption) -> Self {
        Self {
            is_screen,
            is_csv_raw: csv.csv_raw,
        }
    }

    /// A line of JSON.
    pub(crate) fn json<L: Line>(self, line: &L) -> io::Result<Vec<u8>> {
        let text = serde_json::to_string(line)?;
        let text = if self.is_screen {
            sanitize_json(&text).into_owned()
        } else {
            text
        };
        Ok((text + "\n").into_bytes())
    }

    /// A record of CSV, with the header before it if it is the first.
    pub(crate) fn csv<L: Line>(self, line: &L, is_first: bool) -> io::Result<Vec<u8>> {
        let mut text = csv::Writer::from_writer(Vec::new());
        if is_first {
            text.write_record(L::columns())?;
        }
        text.write_record(line.fields().into_iter().map(|cell| self.cell(cell)))?;
        text.into_inner().map_err(csv::IntoInnerError::into_error)
    }

    /// A cell that no spreadsheet takes for a formula (OWASP, CSV Injection).
    fn cell(self, mut cell: String) -> String {
        if !self.is_csv_raw && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            cell.insert(0, '\'');
        }
        if self.is_screen {
            sanitize(&cell).into_owned()
        } else {
            cell
        }
    }
}

/// Returns the exit code after printing. A closed pipe (`head`) is not a failure: then the printed
/// results decide.
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
