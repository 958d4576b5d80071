//! The three ways to print results.

use std::io;

use serde::Serialize;

use super::{
    args::{CsvOption, Format, Kind, OnlyOption, PrintOptions},
    exit::{Exit, Failure},
    human,
    outcome::{ResultReport, ScanOutcome, ScanReport},
    report::Report,
    source::Noticed,
    tally::Tally,
    terminal::{self, Row, Terminal},
};
use crate::sanitize::{is_harmful, sanitize, sanitize_json};

/// The printed form of one source, in each format. JSON is its serialization.
pub(crate) trait PrintedLine: Serialize {
    /// The table's head, if it is one.
    fn heading() -> Option<Row>;
    fn rows(&self) -> Vec<Row>;
    fn columns() -> Vec<&'static str>;
    fn fields(&self) -> Vec<String>;

    /// The kinds of result that it is, for `--only`.
    fn kinds(&self) -> Vec<Kind> {
        Vec::new()
    }
}

impl PrintedLine for Report {
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

    fn kinds(&self) -> Vec<Kind> {
        vec![self.kind()]
    }
}

impl PrintedLine for ScanReport {
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

    fn kinds(&self) -> Vec<Kind> {
        vec![self.check.kind(), self.outcome.kind()]
    }
}

impl PrintedLine for ResultReport {
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

    fn kinds(&self) -> Vec<Kind> {
        vec![self.outcome.map_or(Kind::Undecided, ScanOutcome::kind)]
    }
}

/// Prints each result as it comes.
pub(crate) struct Printer {
    terminal: Terminal,
    format: Format,
    only: OnlyOption,
    escaping: Escaping,
    /// The header of CSV, until it is written.
    header: Option<Vec<&'static str>>,
    printed: u64,
}

/// The escaping of untrusted text, which depends on the reader of the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaping {
    /// A terminal would act on control characters.
    is_screen: bool,
    /// A spreadsheet would run a formula.
    is_csv_raw: bool,
}

impl Printer {
    /// Prints lines of type `L`.
    pub(crate) fn new<L: PrintedLine>(options: &PrintOptions) -> Result<Self, Failure> {
        Self::of_some::<L>(options, &OnlyOption::default())
    }

    /// Prints only some of the lines of type `L`.
    pub(crate) fn of_some<L: PrintedLine>(
        options: &PrintOptions,
        only: &OnlyOption,
    ) -> Result<Self, Failure> {
        let terminal = Terminal::open(&options.to.output)?;
        Ok(Self {
            escaping: Escaping::new(terminal.is_screen(), options.to.csv),
            terminal,
            format: options.format,
            only: only.clone(),
            header: (options.format == Format::Csv).then(L::columns),
            printed: 0,
        })
    }

    /// Reports a line of a list without a source, where the line that is printed for it is meant
    /// for programs.
    pub(crate) fn complain(&self, is_bad_line: bool, report: &Report) {
        if let (true, Some(error)) = (is_bad_line, &report.error)
            && self.format != Format::Human
        {
            terminal::error(error);
        }
    }

    /// Prints one source's line.
    pub(crate) fn print<L: PrintedLine>(&mut self, line: &L) -> io::Result<()> {
        self.begin()?;
        if !self.only.lets_through(&line.kinds()) {
            return Ok(());
        }
        let is_first = self.printed == 0;
        self.printed = self.printed.saturating_add(1);
        match self.format {
            Format::Human => {
                let heading = is_first.then(L::heading).flatten();
                let rows: Vec<_> = heading.into_iter().chain(line.rows()).collect();
                self.terminal.rows(&rows)
            }
            Format::Jsonl => self.terminal.data(&self.escaping.json(line)?),
            Format::Csv => self.terminal.data(&self.escaping.csv(line)?),
        }
    }

    /// Writes the header of CSV, unless it is written: it is there even if no line follows.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        match self.header.take() {
            Some(columns) => self.terminal.data(&csv_record(&columns)?),
            None => Ok(()),
        }
    }

    /// Ends the lines, and prints the totals for people.
    pub(crate) fn summarize(&mut self, tally: &Tally, noticed: &Noticed) -> io::Result<()> {
        // An interrupted run is not finished, and may have printed no line.
        self.begin()?;
        if self.format == Format::Human {
            let is_below_lines = self.printed > 0;
            self.terminal
                .rows(&human::summary(tally, noticed, is_below_lines))?;
        }
        noticed.hints().for_each(terminal::hint);
        Ok(())
    }

    /// Moves the written file into its place. Without this it is discarded.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.terminal.finish()
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
    pub(crate) fn json<L: PrintedLine>(self, line: &L) -> io::Result<Vec<u8>> {
        let text = serde_json::to_string(line)?;
        let text = if self.is_screen {
            sanitize_json(&text).into_owned()
        } else {
            text
        };
        Ok((text + "\n").into_bytes())
    }

    /// A record of CSV.
    pub(crate) fn csv<L: PrintedLine>(self, line: &L) -> io::Result<Vec<u8>> {
        csv_record(line.fields().into_iter().map(|cell| self.cell(cell)))
    }

    /// A cell that no spreadsheet takes for a formula (OWASP, CSV Injection).
    fn cell(self, cell: String) -> String {
        let cell = if self.is_csv_raw {
            cell
        } else {
            without_formulas(&cell)
        };
        if self.is_screen {
            sanitize(&cell).into_owned()
        } else {
            cell
        }
    }
}

/// A record of cells that are written as they are, as in the header.
pub(crate) fn csv_record(cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> io::Result<Vec<u8>> {
    let mut text = csv::Writer::from_writer(Vec::new());
    text.write_record(cells)?;
    text.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// Prefixes each formula with `'`. A spreadsheet whose delimiter is not a comma, as in many
/// locales, splits a cell at `;` or a tab, and does not see the quotes of a cell that follows a
/// comma, so that a line end in it begins a row.
fn without_formulas(cell: &str) -> String {
    let mut safe = String::with_capacity(cell.len().saturating_add(1));
    for part in cell.split_inclusive([';', '\t', '\r', '\n']) {
        // Spreadsheets skip spaces, quotes and invisible characters before a formula, and some read
        // the full-width forms of its first character.
        let visible =
            part.trim_start_matches(|c: char| c == '"' || c.is_whitespace() || is_harmful(c));
        let is_formula = visible.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
        let is_start = safe.is_empty() && part.starts_with(['\t', '\r', '\n']);
        if is_formula || is_start {
            safe.push('\'');
        }
        safe.push_str(part);
    }
    safe
}

/// The end of the command after printing. A closed pipe is not a failure (`head`): then what was
/// printed decides.
pub(crate) fn ended(
    printed: io::Result<Exit>,
    so_far: impl FnOnce() -> Exit,
) -> Result<Exit, Failure> {
    match printed {
        Ok(exit) => Ok(exit),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(so_far()),
        Err(error) => Err(Failure::new(error.to_string())),
    }
}
