//! What walking the coded data of one file may cost, counted in blocks that are visited.
//!
//! Few bytes can mean many blocks: a bit is enough for a block, and a refinement passes thousands of
//! blocks that have nothing to refine. A visit takes less than 20 ns.

/// What any file may cost, however short: the blocks of 134 million gray pixels, visited once.
const FIXED: u64 = 1 << 21;

/// What each byte of coded data may cost on top. Photographs need less than one.
const PER_BYTE: u64 = 3;

/// Making a look-up table of a Huffman code takes as long as visiting so many blocks.
pub(super) const TABLE: u64 = 128;

/// Making a look-up table of runs takes as long as visiting so many blocks.
pub(super) const RUNS: u64 = 2048;

/// Making a page of masks takes as long as visiting so many blocks.
pub(super) const PAGE_MADE: u64 = 32;

/// The work that is left to a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    left: u64,
}

impl Work {
    pub(super) const fn new() -> Self {
        Self { left: FIXED }
    }

    /// Coded data is read.
    pub(super) fn earn(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.left = self.left.saturating_add(bytes.saturating_mul(PER_BYTE));
    }

    /// Counts `blocks` visits; `None` if they are too many.
    #[inline]
    pub(super) fn spend(&mut self, blocks: u64) -> Option<()> {
        self.left = self.left.checked_sub(blocks)?;
        Some(())
    }
}
