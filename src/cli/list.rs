//! Lists of sources, one a line, of any length.

use std::{
    ffi::OsStr,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    sync::Arc,
};

use super::exit::{Failure, reason};
use crate::green::DataId;

/// The longest line that is read as a source, in bytes: far more than a URL or a path may have.
const LONGEST_LINE: usize = 64 * 1024;

/// How much of a bad line is shown, in characters.
const SHOWN: usize = 80;

/// A list of sources, read as it is needed.
pub(crate) struct List {
    name: Arc<str>,
    reader: Box<dyn BufRead + Send>,
    line: u64,
    buffer: Vec<u8>,
    failed: bool,
}

/// A place in a list. `Display`: `urls.txt line 3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The list's name as it was given, `stdin` for standard input.
    pub(crate) list: Arc<str>,
    /// The line's number, from 1.
    pub(crate) line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.list, self.line)
    }
}

/// A line that names a source, or should.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) place: Place,
    /// What it says; for a bad line as much as can be shown.
    pub(crate) text: String,
    /// The user's own name for the source.
    pub(crate) data_id: Option<DataId>,
    /// What is wrong with it.
    pub(crate) fault: Option<String>,
}

impl List {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(name: &OsStr) -> Result<Self, Failure> {
        if name == "-" {
            return Ok(Self::new("stdin", BufReader::new(io::stdin())));
        }
        let shown = name.to_string_lossy();
        let file = File::open(name).and_then(|file| {
            if file.metadata()?.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok(file)
        });
        match file {
            Ok(file) => Ok(Self::new(&shown, BufReader::new(file))),
            Err(error) => Err(Failure::new(format!(
                "cannot read the list `{shown}`: {}",
                reason(&error)
            ))
            .hint("--from takes a text file with one source a line, or - for standard input")),
        }
    }

    /// Its name as it was given, `stdin` for standard input.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn new(name: &str, reader: impl BufRead + Send + 'static) -> Self {
        Self {
            name: name.into(),
            reader: Box::new(reader),
            line: 0,
            buffer: Vec::new(),
            failed: false,
        }
    }

    /// Reads the next line into the buffer, at most one byte more than allowed; `false` at the end.
    fn read_line(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let most = u64::try_from(LONGEST_LINE)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let read = self
            .reader
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(false);
        }
        if self.buffer.len() > LONGEST_LINE && !self.buffer.ends_with(b"\n") {
            self.reader.skip_until(b'\n')?;
        }
        Ok(true)
    }

    fn line(&self, text: &[u8], fault: Option<String>) -> Line {
        let mut shown = String::from_utf8_lossy(text);
        if fault.is_some()
            && let Some((cut, _)) = shown.char_indices().nth(SHOWN)
        {
            let mut start = shown.into_owned();
            start.truncate(cut);
            start.push('\u{2026}');
            shown = start.into();
        }
        Line {
            place: Place {
                list: Arc::clone(&self.name),
                line: self.line,
            },
            text: shown.into_owned(),
            data_id: None,
            fault,
        }
    }
}

impl Iterator for List {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        while !self.failed {
            self.line = self.line.saturating_add(1);
            match self.read_line() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.failed = true;
                    return Some(
                        self.line(b"", Some(format!("cannot read on: {}", reason(&error)))),
                    );
                }
            }
            let mut text = self.buffer.as_slice();
            if self.line == 1 {
                text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
            }
            text = text.strip_suffix(b"\n").unwrap_or(text);
            text = text.strip_suffix(b"\r").unwrap_or(text);
            let start = text.trim_ascii_start();
            if start.is_empty() || start.starts_with(b"#") {
                continue;
            }
            let fault = if text.len() > LONGEST_LINE {
                Some(format!("longer than {LONGEST_LINE} bytes"))
            } else if std::str::from_utf8(text).is_err() {
                Some("not UTF-8".to_owned())
            } else {
                None
            };
            return Some(self.line(text, fault));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(String, String, Option<String>)> {
        let list = List::new("list", io::Cursor::new(bytes.to_vec()));
        list.map(|line| (line.place.to_string(), line.text, line.fault))
            .collect()
    }

    fn good(line: u64, text: &str) -> (String, String, Option<String>) {
        (format!("list line {line}"), text.to_owned(), None)
    }

    #[test]
    fn blank_lines_and_comments_are_counted_and_skipped() {
        let text = b"\xEF\xBB\xBFa.png\r\n\n  \t\n# note\n  # note\n b c.png \nlast";
        let lines = [good(1, "a.png"), good(6, " b c.png "), good(7, "last")];
        assert_eq!(read(text), lines);
        assert_eq!(read(b""), []);
        assert_eq!(read(b"\n\n"), []);
    }

    #[test]
    fn a_bad_line_is_told_by_its_number_and_the_rest_goes_on() {
        let mut text = b"a\n\xff\xfe\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * LONGEST_LINE));
        text.extend(b"\nb\n");
        let lines = read(&text);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0], good(1, "a"));
        let fault = Some("not UTF-8".to_owned());
        assert_eq!(
            lines[1],
            (
                "list line 2".to_owned(),
                "\u{fffd}\u{fffd}".to_owned(),
                fault
            )
        );
        assert_eq!(lines[2].0, "list line 3");
        assert_eq!(lines[2].1.chars().count(), SHOWN + 1);
        assert_eq!(lines[2].2.as_deref(), Some("longer than 65536 bytes"));
        assert_eq!(lines[3], good(4, "b"));
    }

    #[test]
    fn the_longest_line_is_taken() {
        let longest = "y".repeat(LONGEST_LINE);
        assert_eq!(
            read(format!("{longest}\nz").as_bytes()),
            [good(1, &longest), good(2, "z")]
        );
        assert_eq!(read(longest.as_bytes()), [good(1, &longest)]);
    }

    #[test]
    fn a_list_that_cannot_be_read_on_says_where() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::TimedOut.into())
            }
        }
        let reader = BufReader::new(io::Cursor::new(b"a\n").chain(Broken));
        let lines: Vec<_> = List::new("list", reader).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].place.to_string(), "list line 2");
        assert_eq!(lines[1].fault.as_deref(), Some("cannot read on: timed out"));
    }
}
