//! The three ways to print results.

use std::io;

use serde::Serialize;

use super::{
    args::Format,
    check::Checked,
    exit::{Exit, Failure, reason},
    human,
    outcome::{ResultReport, ScanReport},
    report::{Report, Tally},
    terminal::Terminal,
};

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

    pub(crate) fn print(&mut self, report: &Report) -> io::Result<()> {
        let is_first = self.count();
        match self.format {
            Format::Human => {
                if is_first {
                    human::heading(&mut self.terminal)?;
                }
                human::row(&mut self.terminal, report)
            }
            Format::Jsonl => self.json(report),
            Format::Csv => self.csv(is_first.then(Report::columns), report.fields()),
        }
    }

    pub(crate) fn print_scan(&mut self, report: &ScanReport) -> io::Result<()> {
        let is_first = self.count();
        match self.format {
            Format::Human => {
                if is_first {
                    human::scan_heading(&mut self.terminal)?;
                }
                human::scan_row(&mut self.terminal, report)
            }
            Format::Jsonl => self.json(report),
            Format::Csv => {
                let columns = || {
                    Report::columns()
                        .into_iter()
                        .chain(ScanReport::own_columns())
                };
                let fields = report.check.fields().into_iter().chain(report.own_fields());
                self.csv(is_first.then(columns), fields)
            }
        }
    }

    pub(crate) fn print_result(&mut self, report: &ResultReport) -> io::Result<()> {
        let is_first = self.count();
        match self.format {
            Format::Human => {
                if is_first {
                    human::result_heading(&mut self.terminal)?;
                }
                human::result_row(&mut self.terminal, report)
            }
            Format::Jsonl => self.json(report),
            Format::Csv => self.csv(is_first.then(ResultReport::columns), report.fields()),
        }
    }

    /// Counts a line; whether it is the first.
    fn count(&mut self) -> bool {
        let is_first = self.printed == 0;
        self.printed = self.printed.saturating_add(1);
        self.terminal.progress().inc(1);
        is_first
    }

    fn json(&mut self, report: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(report)?;
        line.push(b'\n');
        self.terminal.data(&line)
    }

    fn csv(
        &mut self,
        columns: Option<impl IntoIterator<Item = &'static str>>,
        fields: impl IntoIterator<Item = String>,
    ) -> io::Result<()> {
        let mut lines = csv::Writer::from_writer(Vec::new());
        if let Some(columns) = columns {
            lines.write_record(columns)?;
        }
        lines.write_record(fields)?;
        let lines = lines
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        self.terminal.data(&lines)
    }

    /// Prints what all of it comes to, for people.
    pub(crate) fn finish(&mut self, tally: &Tally) -> io::Result<()> {
        self.terminal.finish();
        match self.format {
            Format::Human => human::summary(&mut self.terminal, tally),
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
