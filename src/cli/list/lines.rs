//! Lines of any length, in bounded memory, and line ends of any kind.

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

    /// Returns the next line, or `None` at the end. A byte order mark before the first is skipped.
    pub(crate) fn next(&mut self) -> io::Result<Option<Numbered<'_>>> {
        self.number = self.number.saturating_add(1);
        self.buffer.clear();
        // Room for the line's end.
        let room = u64::try_from(self.most)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
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
                    // Without this the rest of a long line would be read as further lines.
                    self.reader.skip_until(b'\n')?;
                }
            }
        }
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

/// Reads CR and CRLF as LF, as XML does (XML 1.0, 2.11): lines have the same numbers in every
/// format.
#[derive(Debug)]
pub(crate) struct LineEnds<R> {
    reader: R,
    /// How many of the buffered bytes are known to hold no CR.
    clear: usize,
    /// The next byte of the reader is a CR.
    at_cr: bool,
    /// The last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
}

impl<R: BufRead> LineEnds<R> {
    pub(crate) const fn new(reader: R) -> Self {
        Self {
            reader,
            clear: 0,
            at_cr: false,
            after_cr: false,
        }
    }
}

impl<R: BufRead> BufRead for LineEnds<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.after_cr {
            // Deferred to here, because after a CR at the end of an interactive input the next byte
            // may not be there yet, and the line is complete without it.
            if self.reader.fill_buf()?.first() == Some(&b'\n') {
                self.reader.consume(1);
            }
            self.after_cr = false;
        }
        // Searched once, because callers may take one byte at a time.
        if self.clear == 0 {
            let bytes = self.reader.fill_buf()?;
            let end = memchr::memchr(b'\r', bytes);
            self.at_cr = end == Some(0);
            self.clear = end.unwrap_or(bytes.len());
        }
        if self.at_cr {
            return Ok(b"\n");
        }
        let bytes = self.reader.fill_buf()?;
        Ok(bytes.get(..self.clear).unwrap_or(bytes))
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
        if amount > 0 && self.at_cr {
            self.at_cr = false;
            self.after_cr = true;
        } else {
            self.clear = self.clear.saturating_sub(amount);
        }
    }
}

impl<R: BufRead> Read for LineEnds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buffer)
    }
}

/// Reads through a reader's own buffer.
pub(super) fn read_buffered(reader: &mut impl BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let ready = reader.fill_buf()?;
    let count = ready.len().min(buffer.len());
    if let (Some(to), Some(from)) = (buffer.get_mut(..count), ready.get(..count)) {
        to.copy_from_slice(from);
    }
    reader.consume(count);
    Ok(count)
}
