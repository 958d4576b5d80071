//! The only place that prints. Data goes to stdout as it is given, or as sanitized cells; messages go to
//! stderr, sanitized.

use std::{
    env,
    fmt::{self, Write as _},
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::exit::{Exit, Failure};
use crate::sanitize::sanitize;

/// What a text means, which a terminal shows as a colour. Everything reads without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Unsure,
    Faint,
    Heading,
}

impl Tone {
    fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::Plain => style,
            Self::Good => style.fg_color(Some(AnsiColor::Green.into())),
            Self::Bad => style.fg_color(Some(AnsiColor::Red.into())),
            Self::Unsure => style.fg_color(Some(AnsiColor::Yellow.into())),
            Self::Faint => style.dimmed(),
            Self::Heading => style.bold(),
        }
    }
}

/// A piece of a line, padded to a width if it is a column.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    width: usize,
    right: bool,
    tone: Tone,
}

/// A line of a table.
pub(crate) type Row = Vec<Cell>;

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            width: 0,
            right: false,
            tone: Tone::Plain,
        }
    }

    pub(crate) fn left(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    pub(crate) fn right(mut self, width: usize) -> Self {
        self.width = width;
        self.right = true;
        self
    }

    pub(crate) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

/// Standard output, with the progress bar that shares the screen with it.
pub(crate) struct Terminal {
    stdout: BufWriter<Stdout>,
    is_screen: bool,
    is_coloured: bool,
    progress: ProgressBar,
    gauges: Option<Gauges>,
}

/// Bars, one below the other.
struct Gauges {
    screen: MultiProgress,
    bars: Vec<ProgressBar>,
}

/// How far one step of a long run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gauge {
    pub(crate) verb: &'static str,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

impl Terminal {
    /// Takes standard output, and shows progress if standard error is a terminal.
    pub(crate) fn open(verb: &'static str) -> Self {
        Self {
            progress: progress(verb),
            ..Self::open_without_progress()
        }
    }

    /// Takes standard output, for a run whose progress is [shown](Self::show) by the caller.
    pub(crate) fn open_for_run() -> Self {
        let mut terminal = Self::open_without_progress();
        if io::stderr().is_terminal() {
            terminal.gauges = Some(Gauges {
                screen: MultiProgress::new(),
                bars: Vec::new(),
            });
        }
        terminal
    }

    /// Takes standard output, and shows nothing else.
    pub(crate) fn open_without_progress() -> Self {
        let stdout = io::stdout();
        let is_screen = stdout.is_terminal();
        Self {
            stdout: BufWriter::new(stdout),
            is_screen,
            is_coloured: is_screen && colours_are_wanted(),
            progress: ProgressBar::hidden(),
            gauges: None,
        }
    }

    /// Shows how far a run is: as bars, or as a line if standard error is no terminal.
    pub(crate) fn show(&mut self, steps: &[Gauge], pace: &str) {
        let Some(gauges) = &mut self.gauges else {
            let steps: Vec<_> = steps.iter().map(Gauge::text).collect();
            say("progress", &format!("{}{pace}", steps.join(", ")));
            return;
        };
        while gauges.bars.len() < steps.len() {
            let bar = gauges.screen.add(ProgressBar::no_length());
            bar.set_style(style("{prefix:>9} {bar:30} {pos}/{len}{msg}"));
            gauges.bars.push(bar);
        }
        for (bar, step) in gauges.bars.iter().zip(steps) {
            bar.set_prefix(step.verb);
            bar.set_length(step.total);
            bar.set_position(step.done);
        }
        if let Some(last) = gauges.bars.last() {
            last.set_message(pace.to_owned());
        }
    }

    /// Whether people look at standard output.
    pub(crate) const fn is_screen(&self) -> bool {
        self.is_screen
    }

    /// Whether progress is drawn, not written.
    pub(crate) fn has_gauges(&self) -> bool {
        self.gauges.is_some()
    }

    /// Prints rows of cells, sanitized.
    pub(crate) fn rows(&mut self, rows: &[Row]) -> io::Result<()> {
        let mut text = String::new();
        for row in rows {
            push_row(&mut text, row, self.is_coloured);
        }
        self.data(text.as_bytes())
    }

    /// Prints data as it is.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stdout = &mut self.stdout;
        let mut print = || {
            stdout.write_all(bytes)?;
            stdout.flush()
        };
        match (&self.gauges, self.is_screen) {
            (_, false) => print(),
            (Some(gauges), true) => gauges.screen.suspend(print),
            (None, true) => self.progress.suspend(print),
        }
    }

    /// Prints to the screen while progress is hidden.
    fn aside(&self, print: impl FnOnce()) {
        match &self.gauges {
            Some(gauges) => gauges.screen.suspend(print),
            None => self.progress.suspend(print),
        }
    }

    /// Prints a message to standard error: `error: …`.
    pub(crate) fn error(&self, message: &str) {
        self.aside(|| say("error", message));
    }

    /// Prints a message to standard error: `note: …`.
    pub(crate) fn note(&self, message: &str) {
        self.aside(|| say("note", message));
    }

    /// Prints a message to standard error: `hint: …`.
    pub(crate) fn hint(&self, message: &str) {
        self.aside(|| say("hint", message));
    }

    /// The bar to be moved on.
    pub(crate) fn progress(&self) -> &ProgressBar {
        &self.progress
    }

    /// Removes the progress for good. A bar that only is cleared would be drawn again by the next
    /// message, and erase it when it is dropped.
    pub(crate) fn finish(&mut self) {
        self.progress.finish_and_clear();
        self.progress = ProgressBar::hidden();
        if let Some(Gauges { screen, bars }) = self.gauges.take() {
            for bar in bars {
                bar.finish_and_clear();
            }
            // A terminal that cannot be cleared cannot show an error either.
            let _ = screen.clear();
        }
    }
}

impl Gauge {
    fn text(&self) -> String {
        let Self { verb, done, total } = self;
        format!("{done} of {total} {verb}")
    }
}

/// Prints a message about the arguments before the work begins: `warning: …`.
pub(crate) fn warning(message: &str) {
    say("warning", message);
}

/// Prints why the command could not do its work.
pub(crate) fn failure(failure: &Failure) {
    say("error", &failure.to_string());
    if let Some(hint) = failure.advice() {
        say("hint", hint);
    }
}

/// Prints help, the version, or what is wrong with the arguments.
pub(crate) fn answer(answer: &clap::Error) -> Exit {
    // A closed pipe means that no one reads the rest.
    let _ = answer.print();
    if answer.use_stderr() {
        Exit::Failed
    } else {
        Exit::Success
    }
}

fn say(label: &str, message: &str) {
    let mut stderr = io::stderr();
    let label = if stderr.is_terminal() && colours_are_wanted() {
        let tone = if label == "error" {
            Tone::Bad
        } else {
            Tone::Heading
        };
        let style = tone.style().bold();
        format!("{style}{label}{style:#}")
    } else {
        label.to_owned()
    };
    let _ = writeln!(stderr, "{label}: {}", sanitize(message));
}

/// <https://no-color.org>: any value but an empty one switches colours off.
fn colours_are_wanted() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

fn push_row(text: &mut String, row: &Row, is_coloured: bool) {
    let mut line = String::new();
    let mut gap = "";
    for cell in row {
        line.push_str(gap);
        push_cell(&mut line, cell, is_coloured);
        gap = if cell.width > 0 { "  " } else { " " };
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn push_cell(line: &mut String, cell: &Cell, is_coloured: bool) {
    let text = sanitize(&cell.text);
    let padding = cell.width.saturating_sub(text.chars().count());
    let pad = " ".repeat(padding);
    if cell.right {
        line.push_str(&pad);
    }
    if is_coloured && cell.tone != Tone::Plain {
        let style = cell.tone.style();
        let _ = write!(line, "{style}{text}{style:#}");
    } else {
        line.push_str(&text);
    }
    if !cell.right {
        line.push_str(&pad);
    }
}

fn progress(verb: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length().with_message(verb);
    bar.set_style(style("{spinner} {pos} {msg}, {rate}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Turns the spinner into a bar, once it is known how many there are.
pub(crate) fn set_total(bar: &ProgressBar, total: u64) {
    bar.set_length(total);
    bar.set_style(style("{bar:30} {pos}/{len} {msg}, {rate}, {eta} left"));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        })
}
