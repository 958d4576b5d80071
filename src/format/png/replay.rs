//! Where in the image data a byte of a picture is coded.
//!
//! The decompressor reports how much it has read at the end of a call only. The image data since a
//! block of deflate began is kept, and is decompressed once more, up to the byte, when it matters.

use zlib_rs::{Inflate, InflateFlush};

use super::payload::{cost_of_call, cost_of_tables, index, length};
use crate::format::work::Work;

/// The most image data that is kept. With zlib's usual settings a block has less than 48 KB, with
/// libdeflate's it codes at most 300,000 bytes. Fast compressors may write one for all of a picture.
const KEPT: usize = 192 * 1024;

/// What a block may repeat (RFC 1951, 2). Zeros serve: what is repeated does not change where it is
/// coded.
static WINDOW: [u8; 32 * 1024] = [0; 32 * 1024];

/// How many bytes the decompressor may have read of a code that is not complete.
const INCOMPLETE: usize = 16;

/// Bits, the first one lowest, and their number.
type Bits = (u64, u32);

/// Blocks of fixed codes (RFC 1951, 3.2.6): an empty one, and one with the literal 255, which has
/// an odd number of bits.
const EMPTY: Bits = (0b010, 10);
const LITERAL: Bits = (0b010 | 0x1ff << 3, 19);

#[derive(Debug, Default)]
pub(super) struct Replay {
    /// From the byte in which, or after which, a block begins. Empty if it was too long.
    data: Vec<u8>,
    /// How many bytes were decompressed from the block.
    written: u64,
}

impl Replay {
    pub(super) fn restart(&mut self) {
        self.data.clear();
    }

    /// A call of the decompressor has read `data` and written so many bytes.
    pub(super) fn read(&mut self, data: &[u8], written: u64) {
        if self.data.len().saturating_add(data.len()) > KEPT {
            self.data.clear();
        }
        if !self.data.is_empty() {
            self.data.extend_from_slice(data);
            self.written = self.written.saturating_add(written);
        }
    }

    /// The call that has read `data` ended where a block begins.
    pub(super) fn begin_block(&mut self, data: &[u8]) {
        let last = data.last().or(self.data.last()).copied();
        self.data.clear();
        self.data.extend(last);
        self.written = 0;
    }

    /// How many bytes were read after those that code a byte, which is the first of the last `len`
    /// that were written. `None` if the block is too long or finding it costs too much.
    pub(super) fn read_after(
        &self,
        len: u64,
        scratch: &mut [u8],
        work: &mut Work,
    ) -> Option<usize> {
        let before = self.written.checked_sub(len)?;
        // The bit in which the block begins is unknown. Data that is read from another one cannot be
        // decompressed, or has another length.
        for used in 1..=8 {
            if !work.affords(cost(length(&self.data), self.written)) {
                return None;
            }
            let mut again = Again::new(&self.data, used)?;
            let found = again.read_after(before, self.written, scratch);
            work.spend(cost(again.inflate.total_in(), again.inflate.total_out()));
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

fn cost(read: u64, written: u64) -> u64 {
    cost_of_tables(read).saturating_add(cost_of_call(written))
}

/// Kept data that is decompressed once more.
struct Again {
    inflate: Inflate,
    data: Vec<u8>,
    /// How many bytes are decompressed before those of the block.
    extra: u64,
}

impl Again {
    /// Replaces the bits of the first byte that belong to the block before, so that the others keep
    /// their places in their bytes: a block that is stored begins with a byte.
    fn new(kept: &[u8], used: u32) -> Option<Self> {
        let ((bits, len), extra) = filler(used);
        let whole = usize::try_from(len.div_ceil(8)).ok()?;
        let mut data = bits.to_le_bytes().get(..whole)?.to_vec();
        let (first, rest) = kept.split_first()?;
        if let (1..8, Some(last)) = (used, data.last_mut()) {
            *last |= first & (u8::MAX << used);
        }
        data.extend_from_slice(rest);
        let mut inflate = Inflate::new(false, 15);
        inflate.set_dictionary(&WINDOW).ok()?;
        Some(Self {
            inflate,
            data,
            extra,
        })
    }

    /// As [`Replay::read_after`], for the byte after the first `before` of `written`. `None` if the
    /// data does not decompress to `written` bytes.
    fn read_after(&mut self, before: u64, written: u64, scratch: &mut [u8]) -> Option<usize> {
        let found = self.rest_at(before.saturating_add(1), scratch)?;
        let rest = self.rest_at(written, scratch)?;
        (rest <= INCOMPLETE).then_some(found)
    }

    /// Decompresses until so many bytes of the block are written. Returns how many are not read.
    fn rest_at(&mut self, written: u64, scratch: &mut [u8]) -> Option<usize> {
        let wanted = written.saturating_add(self.extra);
        loop {
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let data = self.data.get(index(read)..)?;
            let missing = wanted.checked_sub(written)?;
            if missing == 0 {
                return Some(data.len());
            }
            let room = index(missing).min(scratch.len());
            let output = scratch.get_mut(..room)?;
            let decompressed = self.inflate.decompress(data, output, InflateFlush::NoFlush);
            decompressed.ok()?;
            if (read, written) == (self.inflate.total_in(), self.inflate.total_out()) {
                return None;
            }
        }
    }
}

/// Blocks that end after `used` bits of a byte, and how many bytes they decompress to.
fn filler(used: u32) -> (Bits, u64) {
    let (mut filler, extra) = if used.is_multiple_of(2) {
        ((0, 0), 0)
    } else {
        (LITERAL, 1)
    };
    while filler.1 % 8 != used % 8 {
        filler = (filler.0 | EMPTY.0 << filler.1, filler.1 + EMPTY.1);
    }
    (filler, extra)
}
