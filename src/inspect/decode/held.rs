//! Files that are held until they are decoded.

use super::budget::{Budget, Share};

/// The longest file that is held, in bytes.
pub(in crate::inspect) const MAX_FILE: usize = 64 << 20;

/// What all inspectors of the process hold. It is apart from what decodes take: a decode that waits
/// for bytes that other waiting decodes hold would wait for ever.
static BUDGET: Budget = Budget::new(256 << 20);

/// No less is reserved at a time.
const MIN_SHARE: usize = 64 << 10;

/// The beginning of a file, whose memory is part of the budget.
#[derive(Debug, Default)]
pub(in crate::inspect) struct Held {
    bytes: Vec<u8>,
    shares: Vec<Share>,
}

impl Held {
    pub(in crate::inspect) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            shares: Vec::new(),
        }
    }

    pub(in crate::inspect) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Holds the next bytes. Returns `None` if the file is too long, or the budget is spent.
    pub(in crate::inspect) fn extend(&mut self, chunk: &[u8]) -> Option<()> {
        let len = self.bytes.len().saturating_add(chunk.len());
        if len > MAX_FILE {
            return None;
        }
        let capacity = self.bytes.capacity();
        if len > capacity {
            let wanted = len
                // Doubling, as `Vec` grows, so that few shares are reserved and the copies stay
                // linear.
                .max(capacity.saturating_mul(2))
                .clamp(MIN_SHARE, MAX_FILE);
            let more = u64::try_from(wanted.saturating_sub(capacity)).ok()?;
            // Reserved before it is allocated, so the budget is never exceeded.
            self.shares.push(BUDGET.take(more)?);
            let additional = wanted.saturating_sub(self.bytes.len());
            self.bytes.try_reserve_exact(additional).ok()?;
        }
        self.bytes.extend_from_slice(chunk);
        Some(())
    }
}
