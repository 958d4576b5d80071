//! The block of lines at the end of the screen in which progress is drawn.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    time::Instant,
};

use terminal_size::{Height, Width};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns that are left blank, so that a terminal can echo `^C` without a line break.
pub(super) const MARGIN: usize = 4;

/// Columns and lines of the screen.
pub(super) fn size() -> (usize, usize) {
    let found = terminal_size::terminal_size_of(io::stderr());
    let (Width(width), Height(height)) = found.unwrap_or((Width(80), Height(24)));
    (usize::from(width), usize::from(height))
}

/// The lines of progress at the end of the screen. The cursor is after the last one.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) lines: Vec<String>,
    is_drawn: bool,
    /// When a line was last written where there are no bars.
    pub(super) written: Option<Instant>,
}

impl Block {
    pub(super) const fn new() -> Self {
        Self {
            lines: Vec::new(),
            is_drawn: false,
            written: None,
        }
    }

    pub(super) fn draw(&mut self, lines: Vec<String>, width: usize) {
        let lines: Vec<_> = lines
            .into_iter()
            .map(|line| truncated(&line, width.saturating_sub(MARGIN)))
            .collect();
        if self.is_drawn && lines == self.lines {
            return;
        }
        let mut text = self.erasing();
        self.lines = lines;
        text.push_str(&self.text());
        self.is_drawn = !self.lines.is_empty();
        print(&text);
    }

    /// Removes the lines from the screen until [`redraw`](Self::redraw).
    pub(super) fn erase(&mut self) {
        let text = self.erasing();
        self.is_drawn = false;
        print(&text);
    }

    pub(super) fn redraw(&mut self) {
        print(&self.text());
        self.is_drawn = !self.lines.is_empty();
    }

    fn text(&self) -> String {
        self.lines.join("\r\n")
    }

    /// Moves the cursor to the first line and clears all below (ECMA-48: CUU, ED). A screen that
    /// became narrower shows a line in several.
    fn erasing(&self) -> String {
        let mut text = String::new();
        if self.is_drawn {
            let width = size().0.max(1);
            let rows = self.lines.iter().map(|line| line.width().div_ceil(width));
            let rows: usize = rows.map(|rows| rows.max(1)).sum();
            text.push('\r');
            if rows > 1 {
                let _ = write!(text, "\x1b[{}A", rows - 1);
            }
            text.push_str("\x1b[J");
        }
        text
    }
}

fn print(text: &str) {
    if !text.is_empty() {
        let mut stderr = anstream::AutoStream::always(io::stderr());
        // A terminal that cannot be written cannot show an error either.
        let _ = stderr.write_all(text.as_bytes());
        let _ = stderr.flush();
    }
}

/// The part of the line that fits.
fn truncated(line: &str, width: usize) -> String {
    let mut left = width;
    let fits = |c: &char| {
        let needed = c.width().unwrap_or(0);
        let fits = needed <= left;
        left = left.saturating_sub(needed);
        fits
    };
    line.chars().take_while(fits).collect()
}
