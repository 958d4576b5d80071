//! A list's text as UTF-8: UTF-16 is decoded, in either order, with or without a byte order mark.

use std::io::{self, BufRead, Read};

use super::{
    head::{self, Encoding, Order, is_enough},
    lines::read_buffered,
};

/// How much is decoded at a time, in bytes of UTF-8 at least.
const CHUNK: usize = 16 * 1024;

/// Reads UTF-8 from UTF-8 or UTF-16. A byte order mark is skipped. What is not valid
/// UTF-8 is left as it is, for the line that holds it to be reported.
pub(super) struct Decoded<R> {
    reader: R,
    encoding: Option<Encoding>,
    /// Bytes that were decoded, or read to decide on the encoding, and are not consumed.
    ready: Vec<u8>,
    at: usize,
    /// The first byte of a code unit, and the first unit of a pair.
    odd: Option<u8>,
    high: Option<u16>,
}

impl<R: BufRead> Decoded<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self {
            reader,
            encoding: None,
            ready: Vec::new(),
            at: 0,
            odd: None,
            high: None,
        }
    }

    fn begin(&mut self) -> io::Result<Encoding> {
        if let Some(encoding) = self.encoding {
            return Ok(encoding);
        }
        while !is_enough(&self.ready) {
            // One byte at a time: a pipe may have no more than the first line yet, and more is not
            // waited for.
            match self.reader.by_ref().take(1).read_to_end(&mut self.ready) {
                Ok(0) => break,
                Ok(_) => {}
                // What was read before the error is given first; it will come again.
                Err(error) if self.ready.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        let (encoding, mark) = head::encoding(&self.ready)?;
        self.encoding = Some(encoding);
        let head: Vec<u8> = self.ready.drain(..).skip(mark).collect();
        match encoding {
            Encoding::Utf8 => self.ready = head,
            Encoding::Utf16(order) => self.decode(&head, order),
        }
        Ok(encoding)
    }

    fn decode(&mut self, bytes: &[u8], order: Order) {
        for byte in bytes {
            let Some(first) = self.odd.take() else {
                self.odd = Some(*byte);
                continue;
            };
            self.push(match order {
                Order::Little => u16::from_le_bytes([first, *byte]),
                Order::Big => u16::from_be_bytes([first, *byte]),
            });
        }
    }

    fn push(&mut self, unit: u16) {
        match (self.high.take(), unit) {
            (Some(high), 0xDC00..=0xDFFF) => {
                for c in char::decode_utf16([high, unit]) {
                    self.extend(c.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                return;
            }
            (Some(_), _) => self.extend(char::REPLACEMENT_CHARACTER),
            (None, _) => {}
        }
        if matches!(unit, 0xD800..=0xDBFF) {
            self.high = Some(unit);
        } else {
            let c = char::from_u32(unit.into());
            self.extend(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }

    fn extend(&mut self, c: char) {
        self.ready
            .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Decodes until there is output or the input ends.
    fn fill(&mut self, order: Order) -> io::Result<()> {
        if self.at < self.ready.len() {
            return Ok(());
        }
        self.ready.clear();
        self.at = 0;
        while self.ready.is_empty() {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                // The last unit's second half is missing.
                if self.odd.take().is_some() || self.high.take().is_some() {
                    self.extend(char::REPLACEMENT_CHARACTER);
                }
                return Ok(());
            }
            let taken = bytes.len().min(CHUNK);
            // Copied, because the reader has to be released before `self` can decode.
            let bytes = bytes.get(..taken).unwrap_or_default().to_vec();
            self.reader.consume(taken);
            self.decode(&bytes, order);
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for Decoded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.begin()? {
            Encoding::Utf8 if self.at >= self.ready.len() => self.reader.fill_buf(),
            Encoding::Utf8 => Ok(self.ready.get(self.at..).unwrap_or_default()),
            Encoding::Utf16(order) => {
                self.fill(order)?;
                Ok(self.ready.get(self.at..).unwrap_or_default())
            }
        }
    }

    fn consume(&mut self, amount: usize) {
        if self.at < self.ready.len() {
            self.at = self.at.saturating_add(amount);
        } else {
            self.reader.consume(amount);
        }
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buffer)
    }
}
