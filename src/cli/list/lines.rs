//! Lines of any length, in bounded memory.

use std::io::{self, BufRead, Read};

/// Reads lines, numbers them and holds no more of each than allowed.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    most: usize,
    number: u64,
    buffer: Vec<u8>,
}

/// A line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbered<'a> {
    /// From 1.
    pub(crate) number: u64,
    /// The line, or its start if it is longer than allowed.
    pub(crate) bytes: &'a [u8],
    pub(crate) is_cut: bool,
}

impl<R: BufRead> Lines<R> {
    /// Lines of at most `most` bytes; longer ones are cut.
    pub(crate) fn new(reader: R, most: usize) -> Self {
        Self {
            reader,
            most,
            number: 0,
            buffer: Vec::new(),
        }
    }

    /// How many lines were begun.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The next line, or `None` at the end. A byte order mark before the first is passed over.
    pub(crate) fn next(&mut self) -> io::Result<Option<Numbered<'_>>> {
        self.number = self.number.saturating_add(1);
        self.buffer.clear();
        // Room for the line's end.
        let room = u64::try_from(self.most)
            .unwrap_or(u64::MAX)
            .saturating_add(2);
        let read = self
            .reader
            .by_ref()
            .take(room)
            .read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        let mut bytes = self.buffer.as_slice();
        match bytes.strip_suffix(b"\n") {
            Some(line) => bytes = line,
            None => {
                if u64::try_from(read).is_ok_and(|read| read == room) {
                    self.reader.skip_until(b'\n')?;
                }
            }
        }
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if self.number == 1 {
            bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        }
        let is_cut = bytes.len() > self.most;
        Ok(Some(Numbered {
            number: self.number,
            bytes: bytes.get(..self.most).unwrap_or(bytes),
            is_cut,
        }))
    }
}
