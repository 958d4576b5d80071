//! Text with one source a line.

use std::io::BufRead;

use super::{
    LONGEST,
    lines::Lines,
    row::{Found, Row, Rows, Trouble},
};
use crate::cli::exit::reason;

/// The lines of a text, without blank ones and comments.
pub(super) struct TextRows<R>(Lines<R>);

impl<R: BufRead> TextRows<R> {
    pub(super) fn new(reader: R) -> Self {
        Self(Lines::new(reader, LONGEST))
    }
}

impl<R: BufRead + Send> Rows for TextRows<R> {
    fn begin(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn next(&mut self) -> Option<Row> {
        loop {
            let line = match self.0.next() {
                Ok(line) => line?,
                Err(error) => {
                    return Some(Row::unreadable(self.0.number(), &reason(&error)));
                }
            };
            let start = line.bytes.trim_ascii_start();
            if start.is_empty() && !line.is_cut || start.starts_with(b"#") {
                continue;
            }
            // No URL has blanks around it, and a path may.
            let source = if is_url(start) {
                start.trim_ascii_end().to_vec()
            } else {
                line.bytes.to_vec()
            };
            let found = if line.is_cut {
                Found::too_long(source)
            } else {
                Found::source(source)
            };
            return Some(Row {
                number: line.number,
                last: line.number,
                found,
            });
        }
    }
}

pub(super) fn is_url(text: &[u8]) -> bool {
    let begins_with = |scheme: &[u8]| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    begins_with(b"http://") || begins_with(b"https://")
}
