//! Lines of tables: cells, their colors, and line breaks.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::sanitize::sanitize;

/// The meaning of a text, which a terminal shows as a color. No information is in the color alone.
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
    pub(super) fn style(self) -> Style {
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

/// A part of a line, padded to a width if it is a column.
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

    /// The text as a column of its width.
    fn padded(&self, text: &str) -> String {
        let pad = " ".repeat(self.width.saturating_sub(text.width()));
        if self.right {
            pad + text
        } else {
            text.to_owned() + &pad
        }
    }
}

/// The fewest columns of a screen in which text is aligned below its column.
const MIN_COLUMN: usize = 24;

/// The indent of continuation lines that are not aligned.
const INDENT: usize = 2;

/// The layout of rows as lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) is_colored: bool,
    /// The width of the screen; none breaks no line.
    pub(super) width: Option<usize>,
}

impl Layout {
    /// Appends the row's lines. A row that is too long is wrapped between words; a word that is
    /// longer than the screen is left to the terminal, so that it can be copied.
    pub(super) fn push(self, out: &mut String, row: &[Cell]) {
        let columns = row.iter().take_while(|cell| cell.width > 0).count();
        let (columns, texts) = row.split_at(columns);
        let head: usize = columns.iter().map(|cell| cell.width + 2).sum();
        let longest = |cells: &[Cell]| {
            let words = cells.iter().flat_map(|cell| cell.text.split(' '));
            words.map(|word| sanitize(word).width()).max().unwrap_or(0)
        };
        let tail: usize = texts
            .iter()
            .map(|cell| sanitize(&cell.text).width() + 1)
            .sum();
        let width = self.width.unwrap_or(usize::MAX);
        let mut lines = Lines::new(out, self);
        if head >= width {
            // Not even the columns fit.
            lines.indent = INDENT;
            for cell in row {
                lines.words(cell, "  ");
            }
        } else {
            for cell in columns {
                lines.column(cell);
            }
            let room = width.saturating_sub(head);
            let is_aligned =
                tail.saturating_sub(1) <= room || room >= MIN_COLUMN && longest(texts) <= room;
            lines.indent = if is_aligned { head } else { INDENT };
            for cell in texts {
                lines.words(cell, " ");
            }
        }
        lines.end();
    }
}

/// The lines of one row, as they are written.
struct Lines<'a> {
    out: &'a mut String,
    layout: Layout,
    indent: usize,
    /// The columns that the line takes so far.
    at: usize,
    /// Blanks that are written before the next word, not at a line's end.
    blanks: usize,
}

impl<'a> Lines<'a> {
    fn new(out: &'a mut String, layout: Layout) -> Self {
        Self {
            out,
            layout,
            indent: INDENT,
            at: 0,
            blanks: 0,
        }
    }

    fn column(&mut self, cell: &Cell) {
        let text = cell.padded(&sanitize(&cell.text));
        let trimmed = text.trim_end();
        let word = trimmed.trim_start();
        self.blanks += trimmed.width() - word.width();
        let width = text.width() - (trimmed.width() - word.width());
        if word.is_empty() {
            self.blanks += width;
        } else {
            self.blank();
            self.write(word, cell.tone);
            self.blanks = width - word.width();
        }
        self.blanks += 2;
    }

    fn words(&mut self, cell: &Cell, gap: &str) {
        let text = sanitize(&cell.text);
        for (index, word) in text.split(' ').enumerate() {
            if index == 0 && self.at > 0 && self.blanks == 0 {
                self.blanks = gap.len();
            } else if index > 0 {
                self.blanks += 1;
            }
            let end = self
                .at
                .saturating_add(self.blanks)
                .saturating_add(word.width());
            let is_full = self.layout.width.is_some_and(|width| end > width);
            if is_full && self.at > self.indent {
                self.out.push('\n');
                self.at = 0;
                self.blanks = self.indent;
            }
            if !word.is_empty() {
                self.blank();
                self.write(word, cell.tone);
            }
        }
    }

    fn blank(&mut self) {
        self.out.push_str(&" ".repeat(self.blanks));
        self.at += self.blanks;
        self.blanks = 0;
    }

    fn write(&mut self, word: &str, tone: Tone) {
        if self.layout.is_colored && tone != Tone::Plain {
            let style = tone.style();
            let _ = write!(self.out, "{style}{word}{style:#}");
        } else {
            self.out.push_str(word);
        }
        self.at += word.width();
    }

    fn end(self) {
        self.out.push('\n');
    }
}
