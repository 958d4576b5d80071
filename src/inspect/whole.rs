//! Inspecting a complete file at once: a slice, or the bytes of a reader.

use std::io::{self, Read};

use super::{Identity, Inspection, Inspector, READ_BUFFER, length};
use crate::format::{
    Depth, Format, Glance, Parser, Progress, Sniffed,
    bmp::{self, Bmp},
    gif::{self, Gif},
    jpeg::{self, Jpeg},
    png::{self, Png},
    sniff,
    webp::Webp,
};

impl Inspection {
    /// Inspects `bytes`, a complete file, at [`Depth::Structure`].
    pub fn of(bytes: &[u8]) -> Self {
        Self::at(Depth::Structure, bytes)
    }

    /// Inspects `bytes`, a complete file, at `depth`.
    pub fn at(depth: Depth, bytes: &[u8]) -> Self {
        if depth > Depth::Header {
            return Self::in_full(depth, bytes);
        }
        match bytes.first() {
            // One byte selects the fast path, which checks the rest of the signature itself.
            Some(0x89) => Self::at_a_glance(png::glance, bytes),
            Some(0xFF) => Self::at_a_glance(jpeg::glance, bytes),
            Some(b'G') => Self::at_a_glance(gif::glance, bytes),
            Some(b'B') => Self::at_a_glance(bmp::glance, bytes),
            _ => Self::in_full(depth, bytes),
        }
    }

    /// Inspects a complete file by the fast path, or else by a parser. One function for each
    /// format, none of which keeps room for another.
    #[inline(never)]
    fn at_a_glance(glance: impl Fn(&[u8]) -> Option<Glance>, bytes: &[u8]) -> Self {
        match glance(bytes) {
            Some(glance) => Self::glanced(&glance, length(bytes)),
            None => Self::in_full(Depth::Header, bytes),
        }
    }

    /// Inspects a complete file by a parser.
    #[inline(never)]
    fn in_full(depth: Depth, bytes: &[u8]) -> Self {
        match sniff(bytes) {
            Sniffed::Is(Format::Png) => Self::whole(depth, Format::Png, Png::new(depth), bytes),
            Sniffed::Is(Format::Jpeg) => Self::whole(depth, Format::Jpeg, Jpeg::new(depth), bytes),
            Sniffed::Is(Format::Gif) => Self::whole(depth, Format::Gif, Gif::new(depth), bytes),
            Sniffed::Is(Format::Bmp) => Self::whole(depth, Format::Bmp, Bmp::new(depth), bytes),
            Sniffed::Is(Format::Webp) => Self::whole(depth, Format::Webp, Webp::new(depth), bytes),
            _ => {
                // Formats that need more than their first bytes to be named: the state machine
                // handles them all.
                let mut inspector = Inspector::new(depth);
                inspector.read(bytes);
                inspector.end();
                inspector.inspection
            }
        }
    }

    /// Reads a whole file, with no state but the parser's.
    fn whole<P: Parser>(depth: Depth, format: Format, mut parser: P, bytes: &[u8]) -> Self {
        let mut inspection = Self::new(depth);
        inspection.identity = Identity::Format(format);
        inspection.bytes_seen = length(bytes);
        inspection.ended = true;
        match parser.push(bytes, 0, &mut inspection.facts) {
            Progress::More => parser.finish(inspection.bytes_seen, &mut inspection.facts),
            Progress::Done => inspection.walked = true,
            Progress::Failed => {}
        }
        inspection.note_trailing();
        #[cfg(feature = "decode")]
        if depth == Depth::Decode {
            // The limit of a stream applies to a slice too, so that both have the same result.
            let held = Some(bytes.len()).filter(|len| *len <= super::decode::MAX_FILE);
            let facts = &mut inspection.facts;
            if let Some(task) = super::decode::Task::plan(format, held, facts) {
                task.run(bytes, facts);
            }
        }
        inspection
    }

    /// Inspects a reader's bytes to its end, at `depth`, holding 64 KB at a time.
    ///
    /// # Errors
    ///
    /// Returns the reader's error. What is wrong with the bytes is never an error.
    pub fn read(depth: Depth, reader: impl Read) -> io::Result<Self> {
        let mut inspector = Inspector::new(depth);
        read_chunks(reader, READ_BUFFER, READ_BUFFER, |chunk| {
            inspector.push(chunk);
            true
        })?;
        Ok(inspector.finish())
    }
}

/// Passes a reader's bytes to `take` until it returns `false`: first up to `first` bytes at a time,
/// then, as long as the reader fills the buffer, more, up to `max`. Returns whether the reader
/// ended.
pub(crate) fn read_chunks(
    mut reader: impl Read,
    first: usize,
    max: usize,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<bool> {
    let mut buffer = vec![0; first];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(read) => {
                if !take(buffer.get(..read).unwrap_or_default()) {
                    return Ok(false);
                }
                if read == buffer.len() {
                    buffer.resize(read.saturating_mul(4).clamp(first, max), 0);
                }
            }
            // `Read` allows a retry after a signal, and nothing was read.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
