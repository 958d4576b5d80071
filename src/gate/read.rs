//! The gate over a blocking reader.

use std::io::{self, Read};

use super::Gated;
use crate::verdict::Rejected;

/// [`io::ErrorKind::InvalidData`], with the [`Rejected`] inside.
impl From<Rejected> for io::Error {
    fn from(rejected: Rejected) -> Self {
        Self::new(io::ErrorKind::InvalidData, rejected)
    }
}

/// Reads the source's bytes into the caller's buffer. A rejection is an error of kind
/// [`InvalidData`](io::ErrorKind::InvalidData) with the [`Rejected`] inside; the bytes that caused
/// it are not passed on.
impl<R: Read> Read for Gated<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Reading into an empty buffer returns 0 without the source being at its end.
        if buf.is_empty() {
            return Ok(0);
        }
        if self.is_done() {
            return self.read_on().map(|()| 0);
        }
        let read = match self.source.read(buf) {
            Ok(read) => read,
            Err(error) => {
                self.fail_unless_transient(&error);
                return Err(error);
            }
        };
        match buf.get(..read) {
            Some([]) | None => self.end()?,
            Some(new) => self.pass(new)?,
        }
        Ok(read)
    }
}
