//! The image data decompressed into a scratch buffer, to see that it can be and that it is as long
//! as the picture's rows. No pixel is made.

use core::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{
    header::Header,
    replay::Replay,
    rows::{Rows, SHORT_ROW_BYTES},
};
use crate::format::{Dimensions, work::Work};

/// The most bytes that are decompressed by one call. Data that repeats output of an earlier call is
/// copied from the decompressor's window, which is slower than from the scratch buffer itself:
/// fewer calls, fewer such copies.
const SCRATCH: usize = 128 * 1024;

/// How much image data one call gets: the first of a picture, and the most. The larger the block,
/// the fewer calls; but the place of a wrong filter type is an estimate inside of a call if the
/// block of deflate is long, and what is wrong with all of a picture shows in its first rows.
/// Blocks are counted from the beginning of a chunk, so that the calls, and with them every position
/// and the work that is counted, are the same for any division of the file.
const FIRST_BLOCK: usize = 1024;
const BLOCK: usize = 4 * 1024;

/// Picoseconds that a decompressed byte costs, if it repeats the byte before: what else deflate
/// codes in a few bits takes as long.
const PER_BYTE: u64 = 105;

/// Picoseconds that a row costs, at least. Shorter rows than [`SHORT_ROW_BYTES`] are checked many
/// at a time.
const PER_ROW: u64 = 4_000;

/// Picoseconds that beginning a picture costs.
pub(super) const PER_PICTURE: u64 = 300_000;

/// Picoseconds that a call of the decompressor costs.
const PER_CALL: u64 = 100_000;

/// Picoseconds that a block's code tables cost: at most, and for each byte that defines them.
const TABLES: u64 = 8_000_000;
const TABLES_PER_BYTE: u64 = 350_000;

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

/// Decompresses one picture after another, with at most 144 KB, what the decompressor takes,
/// and the block of deflate that is read, if it has at most 192 KB.
pub(super) struct Payload {
    inflate: Inflate,
    scratch: Vec<u8>,
    rows: Rows,
    replay: Replay,
    /// Bytes that the rows still lack.
    left: u64,
    /// The outcome, once it is known, and the file offset where it showed.
    outcome: Option<(Outcome, u64)>,
    /// The beginning of a block whose rest has not been read.
    held: Vec<u8>,
    /// The length of the block, if the chunk does not end before.
    wanted: usize,
    /// The file offset just after the image data so far.
    end: u64,
    /// Whether the next call of the decompressor may begin with code tables.
    before_tables: bool,
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
            replay: Replay::default(),
            left: header.unpacked(size),
            outcome: None,
            held: Vec::new(),
            wanted: FIRST_BLOCK,
            end: 0,
            before_tables: true,
        };
        payload.fit_scratch();
        payload
    }

    /// Begins with another picture.
    pub(super) fn restart(&mut self, header: &Header, size: Dimensions) {
        // The window and the scratch buffer serve all frames: allocating them again for each would
        // make many small frames expensive.
        self.inflate.reset(true);
        self.rows = Rows::new(header, size);
        self.replay.restart();
        self.left = header.unpacked(size);
        self.outcome = None;
        self.held.clear();
        self.wanted = FIRST_BLOCK;
        self.before_tables = true;
        self.fit_scratch();
    }

    /// Most pictures that are small need less than all of the scratch buffer.
    fn fit_scratch(&mut self) {
        // At least one byte, because data after the last row shows only if it can be written.
        let wanted = index(self.left).clamp(1, SCRATCH);
        if self.scratch.len() < wanted {
            self.scratch.resize(wanted, 0);
        }
    }

    /// Reads a slice of a chunk's image data, of any length, which is at `offset`.
    pub(super) fn push(&mut self, mut data: &[u8], mut offset: u64, work: &mut Work) {
        while !data.is_empty() {
            if let Some((outcome, at)) = &mut self.outcome {
                if *outcome == Outcome::Complete {
                    (*outcome, *at) = (Outcome::Excess, offset);
                }
                return;
            }
            let wanted = self.wanted.saturating_sub(self.held.len());
            let (block, rest) = data.split_at(wanted.min(data.len()));
            data = rest;
            offset = offset.saturating_add(length(block));
            self.end = offset;
            if self.held.is_empty() && block.len() == self.wanted {
                self.block(block, work);
                continue;
            }
            self.held.extend_from_slice(block);
            if self.held.len() == self.wanted {
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

    /// Decompresses a block of input, which is before `end`.
    fn block(&mut self, mut input: &[u8], work: &mut Work) {
        work.earn(input.len());
        self.wanted = self.wanted.saturating_mul(2).min(BLOCK);
        while self.outcome.is_none() {
            // One byte more than there may be shows whether there is one.
            let room = index(self.left.max(1)).min(self.scratch.len());
            let output = self.scratch.get_mut(..room).unwrap_or_default();
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let may_read_tables = self.before_tables && begins_with_tables(read, input);
            // A call ends with a block of deflate, so that its code tables are counted.
            let status = self.inflate.decompress(input, output, InflateFlush::Block);
            let read = self.inflate.total_in().saturating_sub(read);
            let written = self.inflate.total_out().saturating_sub(written);
            let start = self.end.saturating_sub(length(input));
            let (data, rest) = input.split_at_checked(index(read)).unwrap_or_default();
            input = rest;
            self.replay.read(data, written);
            let full = index(written) == room;
            // A call that ran out of room continues inside a block of deflate, past its tables.
            self.before_tables = !full;
            let mut cost = self.cost_of(written);
            if may_read_tables {
                cost = cost.saturating_add(cost_of_tables(read));
            }
            self.outcome = self.after(status.ok(), written, start, read, work);
            if !full && !input.is_empty() {
                self.replay.begin_block(data);
            }
            if !input.is_empty() && matches!(self.outcome, Some((Outcome::Complete, _))) {
                self.outcome = Some((Outcome::Excess, start.saturating_add(read)));
            }
            if work.spend(cost).is_none() && self.outcome.is_none() {
                let at = start.saturating_add(read);
                self.outcome = Some((Outcome::TooMuch, at));
            }
            // A full buffer may leave output that needs no more input. Otherwise a call without
            // progress waits for the next block.
            if (input.is_empty() || (read == 0 && written == 0)) && !full {
                return;
            }
        }
    }

    /// What a call costs that decompresses so many bytes.
    fn cost_of(&self, written: u64) -> u64 {
        let row = self.rows.present_row().max(SHORT_ROW_BYTES);
        let rows = written.saturating_mul(PER_ROW) / row;
        cost_of_call(written).saturating_add(rows)
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
        work: &mut Work,
    ) -> Option<(Outcome, u64)> {
        let at = start.saturating_add(read);
        if self.left == 0 && written > 0 {
            return Some((Outcome::Excess, at));
        }
        let output = self.scratch.get(..index(written)).unwrap_or_default();
        if let Some(place) = self.rows.wrong_filter(output) {
            let place = u64::try_from(place).unwrap_or_default();
            let from = written.saturating_sub(place);
            let after = self.replay.read_after(from, &mut self.scratch, work);
            let share = match after.and_then(|after| u64::try_from(after).ok()) {
                Some(after) => read.saturating_sub(after.saturating_add(1)),
                // As if all that the call has read were compressed alike.
                None => read.saturating_mul(place) / written.max(1),
            };
            return Some((Outcome::Filter, start.saturating_add(share)));
        }
        self.left = self.left.saturating_sub(written);
        // The decompressor reports a wrong Adler-32 as an error, when all output is written.
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

/// What a call costs that decompresses so many bytes and looks at no row.
pub(super) fn cost_of_call(written: u64) -> u64 {
    PER_CALL.saturating_add(written.saturating_mul(PER_BYTE))
}

/// What code tables in so many bytes cost, at most.
pub(super) fn cost_of_tables(read: u64) -> u64 {
    read.saturating_mul(TABLES_PER_BYTE).min(TABLES)
}

/// Whether a call that gets `input` after `before` bytes of the stream can meet code tables. The
/// first block's kind is known: it follows the header (RFC 1950, 2.2; RFC 1951, 3.2.3).
fn begins_with_tables(before: u64, input: &[u8]) -> bool {
    match (before, input.first()) {
        (0 | 1, _) => false,
        (2, Some(first)) => first >> 1 & 3 == 2,
        _ => true,
    }
}

pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

pub(super) fn index(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
