//! Text with one source per line.

use std::io::{self, BufRead};

use super::{
    LONGEST,
    lines::Lines,
    row::{Found, Row, Rows, Trouble, with_skipped},
    structure::Structure,
};
use crate::cli::exit::reason;

/// The lines of a text, without blank ones and comments.
pub(super) struct TextRows<R> {
    lines: Lines<R>,
    /// A line that was read to see whether it continues JSON.
    ahead: Option<Held>,
}

struct Held {
    number: u64,
    bytes: Vec<u8>,
    is_cut: bool,
}

impl<R: BufRead> TextRows<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            lines: Lines::new(reader, LONGEST),
            ahead: None,
        }
    }

    /// The next line that is neither blank nor a comment.
    fn line(&mut self) -> io::Result<Option<Held>> {
        if let Some(held) = self.ahead.take() {
            return Ok(Some(held));
        }
        while let Some(line) = self.lines.next()? {
            let start = line.bytes.trim_ascii_start();
            // A truncated line of blanks may have a source after them, so it is reported.
            if !(start.is_empty() && !line.is_cut || start.starts_with(b"#")) {
                return Ok(Some(Held {
                    number: line.number,
                    bytes: line.bytes.to_vec(),
                    is_cut: line.is_cut,
                }));
            }
        }
        Ok(None)
    }

    /// Reads the lines of JSON that follow each other, which are one error.
    fn of_json(&mut self, first: Held) -> Row {
        let mut structure = Structure::default();
        let mut last = first.number;
        let mut is_open = structure.push_line(&first.bytes).is_ok() && structure.is_open();
        // An error is returned again by the next call.
        while let Ok(Some(next)) = self.line() {
            let continues = is_open && structure.push_line(&next.bytes).is_ok();
            if !continues {
                if !is_json(&next.bytes) {
                    self.ahead = Some(next);
                    break;
                }
                structure = Structure::default();
                let _ = structure.push_line(&next.bytes);
            }
            is_open = structure.is_open();
            last = next.number;
        }
        let why = "JSON, not a source: read the list with --list-format jsonl".to_owned();
        Row {
            number: first.number,
            last,
            element: None,
            found: Found::broken(first.bytes, with_skipped(why, first.number, last)),
        }
    }
}

impl<R: BufRead + Send> Rows for TextRows<R> {
    fn begin(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn next(&mut self) -> Option<Row> {
        let line = match self.line() {
            Ok(line) => line?,
            Err(error) => {
                return Some(Row::unreadable(self.lines.number(), &reason(&error)));
            }
        };
        if is_json(&line.bytes) && !line.is_cut {
            return Some(self.of_json(line));
        }
        let Held {
            number,
            bytes,
            is_cut,
        } = line;
        let found = if is_cut {
            Found::too_long(without_blanks(bytes))
        } else {
            Found::source(bytes)
        };
        Some(Row {
            number,
            last: number,
            element: None,
            found,
        })
    }
}

/// Whether a line begins with a JSON object or array. A name of a file may begin with a bracket,
/// too.
pub(super) fn is_json(line: &[u8]) -> bool {
    let (wanted, rest) = match line.trim_ascii() {
        [b'{', rest @ ..] => (&b"\"}"[..], rest),
        [b'[', rest @ ..] => (&b"\"{[]"[..], rest),
        _ => return false,
    };
    let next = rest.trim_ascii_start().first();
    next.is_none_or(|next| wanted.contains(next))
}

/// Removes the blanks around a URL, which has none. A path may have them.
pub(super) fn without_blanks(source: Vec<u8>) -> Vec<u8> {
    let trimmed = source.trim_ascii();
    if is_url(trimmed) && trimmed.len() < source.len() {
        return trimmed.to_vec();
    }
    source
}

pub(super) fn is_url(text: &[u8]) -> bool {
    let begins_with = |scheme: &[u8]| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    begins_with(b"http://") || begins_with(b"https://")
}
