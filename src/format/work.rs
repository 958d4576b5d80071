//! What the examination of a file's coded pixels may cost. It is counted and not measured, so that
//! the same bytes give the same facts on every machine.

/// Picoseconds of a machine that compares 3 GB/s by a CRC: the costs that are counted were measured
/// there, on files made to be expensive (`benches/inspect.rs`).
const NANOSECOND: u64 = 1_000;

/// What each byte of a file may cost. What is not counted costs less than a third of it.
const PER_BYTE: u64 = 40 * NANOSECOND;

/// What any file may cost, however short.
const FIXED: u64 = 80_000 * NANOSECOND;

/// The work that is left to a file; `None` once it was too little.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    left: Option<u64>,
}

impl Work {
    pub(super) const fn new() -> Self {
        Self { left: Some(FIXED) }
    }

    /// Bytes of the file are read.
    #[inline]
    pub(super) fn earn(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let more = bytes.saturating_mul(PER_BYTE);
        self.left = self.left.map(|left| left.saturating_add(more));
    }

    /// Counts picoseconds; `None` if they, or earlier ones, are too many.
    #[inline]
    pub(super) fn spend(&mut self, picoseconds: u64) -> Option<()> {
        self.left = self.left?.checked_sub(picoseconds);
        self.left.map(drop)
    }

    /// Whether work that is optional, and costs so many picoseconds, would leave the rest of the
    /// file what it needs.
    #[cfg(feature = "payload")]
    pub(super) fn affords(&self, picoseconds: u64) -> bool {
        self.left.is_some_and(|left| picoseconds <= left)
    }
}
