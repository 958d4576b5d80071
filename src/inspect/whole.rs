//! Inspecting a whole file at once: a slice, or what a reader gives.

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
    /// What `bytes`, a whole file, are: at [`Depth::Structure`].
    pub fn of(bytes: &[u8]) -> Self {
        Self::at(Depth::Structure, bytes)
    }

    /// What `bytes`, a whole file, are: at `depth`.
    pub fn at(depth: Depth, bytes: &[u8]) -> Self {
        if depth > Depth::Header {
            return Self::in_full(depth, bytes);
        }
        match bytes.first() {
            Some(0x89) => Self::at_a_glance(png::glance, bytes),
            Some(0xFF) => Self::at_a_glance(jpeg::glance, bytes),
            Some(b'G') => Self::at_a_glance(gif::glance, bytes),
            Some(b'B') => Self::at_a_glance(bmp::glance, bytes),
            _ => Self::in_full(depth, bytes),
        }
    }

    /// What a glance says of a whole file, or else a parser. One function for each format, none of
    /// which keeps room for another.
    #[inline(never)]
    fn at_a_glance(glance: impl Fn(&[u8]) -> Option<Glance>, bytes: &[u8]) -> Self {
        match glance(bytes) {
            Some(glance) => Self::glanced(&glance, length(bytes)),
            None => Self::in_full(Depth::Header, bytes),
        }
    }

    /// What a parser says of a whole file.
    #[inline(never)]
    fn in_full(depth: Depth, bytes: &[u8]) -> Self {
        match sniff(bytes) {
            Sniffed::Is(Format::Png) => Self::whole(depth, Format::Png, Png::new(depth), bytes),
            Sniffed::Is(Format::Jpeg) => Self::whole(depth, Format::Jpeg, Jpeg::new(depth), bytes),
            Sniffed::Is(Format::Gif) => Self::whole(depth, Format::Gif, Gif::new(depth), bytes),
            Sniffed::Is(Format::Bmp) => Self::whole(depth, Format::Bmp, Bmp::new(depth), bytes),
            Sniffed::Is(Format::Webp) => Self::whole(depth, Format::Webp, Webp::new(depth), bytes),
            _ => {
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
            // The bound of a stream holds for a slice too: both say the same.
            let held = Some(bytes.len()).filter(|len| *len <= super::decode::MAX_FILE);
            let facts = &mut inspection.facts;
            if let Some(task) = super::decode::Task::plan(format, held, facts) {
                task.run(bytes, facts);
            }
        }
        inspection
    }

    /// What a reader's bytes are, to its end: at `depth`, 64 KB held at a time.
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
/// then, as long as the reader fills the buffer, more, up to `max`. Returns whether the reader ended.
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
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
