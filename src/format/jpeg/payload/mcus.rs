//! The MCUs of a restart interval: how many are left, and what reading them costs.

use super::bits::{Bits, MOST_OF_MCU, READY};
use crate::format::work::Work;

/// Picoseconds that visiting a block costs, if it is coded in a few bits: longer ones are counted by
/// their bytes.
const BLOCK: u64 = 10_000;

/// Why a scan's data cannot be walked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The next bits are no code.
    Code,
    /// There is more work than the data is worth.
    TooMuch,
}

/// The MCUs of a restart interval, as they are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mcus {
    pub(super) left: u64,
    /// Whether the bytes at hand are the interval's last.
    pub(super) to_end: bool,
    /// How many bits were left after the first block with more coefficients than its band.
    pub(super) overrun: Option<i64>,
    pub(super) work: Work,
}

impl Mcus {
    /// Counts visits to blocks.
    #[inline]
    pub(super) fn visit(&mut self, blocks: u64) -> Result<(), Broken> {
        let cost = blocks.saturating_mul(BLOCK);
        self.work.spend(cost).ok_or(Broken::TooMuch)
    }

    #[inline]
    pub(super) const fn note_overrun(&mut self, overrun: bool, bits: &Bits<'_>) {
        if overrun && self.overrun.is_none() {
            self.overrun = Some(bits.left());
        }
    }

    /// Whether another MCU is to come and surely at hand.
    #[inline]
    pub(super) const fn go_on(&self, bits: &Bits<'_>) -> bool {
        self.left > 0 && (bits.bytes_left() >= MOST_OF_MCU || (self.to_end && bits.left() >= 0))
    }

    /// Reads over MCUs of one bit for each block, as many as are at hand, and counts one visit.
    pub(super) fn pass(&mut self, bits: &mut Bits<'_>, blocks: u32) -> Result<(), Broken> {
        self.visit(1)?;
        let held = if self.to_end {
            u64::try_from(bits.left()).unwrap_or_default()
        } else {
            // A refill reads eight bytes.
            let bytes = bits.bytes_left().saturating_sub(8);
            u64::try_from(bytes.saturating_mul(8)).unwrap_or_default()
        };
        let mcus = held
            .checked_div(blocks.into())
            .unwrap_or_default()
            .min(self.left);
        let Ok(count @ 1..) = u32::try_from(mcus) else {
            // Beyond the last byte.
            bits.skip_long(blocks);
            self.count_one(bits);
            return Ok(());
        };
        bits.skip_long(count.saturating_mul(blocks));
        self.left = self.left.wrapping_sub(mcus);
        Ok(())
    }

    /// Reads over MCUs of `len` bits that are all zeros, and counts one visit. Returns whether there
    /// were any.
    #[inline]
    pub(super) fn pass_zeros(&mut self, bits: &mut Bits<'_>, len: u32) -> bool {
        bits.refill();
        let zeros = bits.peek().leading_zeros().min(bits.ready());
        let mcus = zeros.min(READY).checked_div(len).unwrap_or_default();
        let mcus = u64::from(mcus).min(self.left);
        let count = u32::try_from(mcus).unwrap_or_default();
        let is_held = i64::from(READY) <= bits.left();
        if count < 2 || !is_held || self.visit(1).is_err() {
            return false;
        }
        bits.skip(count.wrapping_mul(len));
        self.left = self.left.wrapping_sub(mcus);
        true
    }

    /// An MCU was read: it counts if it did not end beyond the last byte.
    #[inline]
    pub(super) const fn count_one(&mut self, bits: &Bits<'_>) {
        if !self.to_end || bits.left() >= 0 {
            self.left = self.left.wrapping_sub(1);
        }
    }
}
