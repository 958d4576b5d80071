//! The image data decompressed into a scratch buffer, to see that it can be and that it is as long
//! as the picture's rows. No pixel is made.

use core::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{header::Header, rows::Rows};
use crate::format::Dimensions;

/// The most bytes that are decompressed by one call. Data that repeats output of an earlier call is
/// copied from the decompressor's window, which is slower than from the scratch buffer itself: fewer
/// calls, fewer such copies.
const SCRATCH: usize = 128 * 1024;

/// How much image data one call gets. Blocks are counted from the beginning of a chunk, so that the
/// calls, and with them every position and the work that is counted, are the same for any division
/// of the file.
pub(super) const BLOCK: usize = 1024;

/// How many bytes are decompressed for one byte of image data, in the long run. Deflate can reach
/// 1,032; decompressing 100 and looking for filter types in rows of two bytes takes about 40 ns.
const RATIO: u64 = 100;

/// How the decompressor names a checksum that does not match.
const WRONG_CHECKSUM: &str = "incorrect data check";

/// Bytes of the checksum (RFC 1950, 2.2).
const CHECKSUM: u64 = 4;

/// What the image data of one picture turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Complete,
    /// It cannot be decompressed.
    Invalid,
    /// A row begins with an unknown filter type.
    Filter,
    /// It ends before the last row.
    Short,
    /// It continues after the last row.
    Excess,
    /// Its checksum is wrong.
    Checksum,
    /// It ends after the last row, without its checksum.
    NoChecksum,
    /// Decompressing it would cost too much for its length.
    TooMuch,
}

/// The work that the pictures of a file have cost, and the bound on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    /// Bytes that may be decompressed.
    allowed: u64,
}

impl Work {
    /// Allows `bytes`, whatever the length of the image data.
    pub(super) const fn new(bytes: u64) -> Self {
        Self { allowed: bytes }
    }

    fn read(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.allowed = self.allowed.saturating_add(bytes.saturating_mul(RATIO));
    }

    /// Counts decompressed bytes; whether they were too many.
    const fn spend(&mut self, bytes: u64) -> bool {
        let too_many = bytes > self.allowed;
        self.allowed = self.allowed.saturating_sub(bytes);
        too_many
    }
}

/// Decompresses one picture after another, with at most 128 KB and what the decompressor takes.
pub(super) struct Payload {
    inflate: Inflate,
    scratch: Vec<u8>,
    rows: Rows,
    /// Bytes that the rows still lack.
    left: u64,
    /// The outcome, once it is known, and the file offset where it showed.
    outcome: Option<(Outcome, u64)>,
    /// The beginning of a block whose rest has not been read.
    held: Vec<u8>,
    /// The file offset just after the image data so far.
    end: u64,
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("left", &self.left)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl Payload {
    /// Begins with a picture of `size`.
    pub(super) fn new(header: &Header, size: Dimensions) -> Self {
        let mut payload = Self {
            inflate: Inflate::new(true, 15),
            scratch: Vec::new(),
            rows: Rows::new(header, size),
            left: header.unpacked(size),
            outcome: None,
            held: Vec::new(),
            end: 0,
        };
        payload.fit_scratch();
        payload
    }

    /// Begins with another picture.
    pub(super) fn restart(&mut self, header: &Header, size: Dimensions) {
        self.inflate.reset(true);
        self.rows = Rows::new(header, size);
        self.left = header.unpacked(size);
        self.outcome = None;
        self.held.clear();
        self.fit_scratch();
    }

    /// Most pictures that are small need less than all of the scratch buffer.
    fn fit_scratch(&mut self) {
        let wanted = index(self.left).clamp(1, SCRATCH);
        if self.scratch.len() < wanted {
            self.scratch.resize(wanted, 0);
        }
    }

    /// Reads a slice of a chunk's image data, of any length, which is at `offset`.
    pub(super) fn push(&mut self, mut data: &[u8], mut offset: u64, work: &mut Work) {
        if self.outcome.is_some() {
            return;
        }
        while !data.is_empty() {
            let wanted = BLOCK.saturating_sub(self.held.len());
            let (block, rest) = data.split_at(wanted.min(data.len()));
            data = rest;
            offset = offset.saturating_add(length(block));
            self.end = offset;
            if self.held.is_empty() && block.len() == BLOCK {
                self.block(block, work);
                continue;
            }
            self.held.extend_from_slice(block);
            if self.held.len() == BLOCK {
                self.flush(work);
            }
        }
    }

    /// The chunk ends, and with it the block.
    pub(super) fn flush(&mut self, work: &mut Work) {
        let mut held = core::mem::take(&mut self.held);
        if !held.is_empty() {
            self.block(&held, work);
        }
        held.clear();
        self.held = held;
    }

    /// Decompresses a block, which is before `end`.
    fn block(&mut self, mut input: &[u8], work: &mut Work) {
        work.read(input.len());
        while self.outcome.is_none() {
            // One byte more than there may be shows whether there is one.
            let room = index(self.left.max(1)).min(self.scratch.len());
            let output = self.scratch.get_mut(..room).unwrap_or_default();
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, output, InflateFlush::NoFlush);
            let read = self.inflate.total_in().saturating_sub(read);
            let written = self.inflate.total_out().saturating_sub(written);
            let start = self.end.saturating_sub(length(input));
            input = input.get(index(read)..).unwrap_or_default();
            self.outcome = self.after(status.ok(), written, start, read);
            if work.spend(written) && self.outcome.is_none() {
                let at = start.saturating_add(read);
                self.outcome = Some((Outcome::TooMuch, at));
            }
            let full = index(written) == room;
            if (input.is_empty() || read == 0) && !full {
                return;
            }
        }
    }

    /// The image data is at its end: what it was, and the file offset where that showed.
    pub(super) fn finish(&mut self) -> (Outcome, u64) {
        let outcome = if self.left > 0 {
            Outcome::Short
        } else {
            Outcome::NoChecksum
        };
        *self.outcome.get_or_insert((outcome, self.end))
    }

    /// What a call that decompressed `written` bytes from the `read` bytes at `start` came to.
    fn after(
        &mut self,
        status: Option<Status>,
        written: u64,
        start: u64,
        read: u64,
    ) -> Option<(Outcome, u64)> {
        let at = start.saturating_add(read);
        if self.left == 0 && written > 0 {
            return Some((Outcome::Excess, at));
        }
        let output = self.scratch.get(..index(written)).unwrap_or_default();
        if let Some(place) = self.rows.wrong_filter(output) {
            // Between two calls the place is estimated, as if all of the block were compressed alike.
            let share =
                read.saturating_mul(u64::try_from(place).unwrap_or_default()) / written.max(1);
            return Some((Outcome::Filter, start.saturating_add(share)));
        }
        self.left = self.left.saturating_sub(written);
        let is_checksum = self.inflate.error_message() == Some(WRONG_CHECKSUM);
        match (status, self.left) {
            (Some(Status::StreamEnd), 0) => Some((Outcome::Complete, at)),
            (Some(Status::StreamEnd), _) => Some((Outcome::Short, at)),
            (Some(_), _) => None,
            (None, 0) if is_checksum => Some((Outcome::Checksum, at.saturating_sub(CHECKSUM))),
            (None, 0) => Some((Outcome::Excess, at)),
            (None, _) if is_checksum => Some((Outcome::Short, at)),
            (None, _) => Some((Outcome::Invalid, at)),
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn index(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
