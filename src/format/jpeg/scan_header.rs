//! The parameters of a scan (T.81 B.2.3).

use std::num::NonZeroU64;

use super::frame::{COMPONENTS, Kind};

/// The scan that is being read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// The offset of its marker.
    pub(super) at: u64,
    /// The offset of its first coded byte.
    pub(super) start: u64,
    pub(super) count: u8,
    /// Its components, by their place in the frame.
    pub(super) components: [u8; COMPONENTS],
    /// The tables' numbers: DC in the upper half, AC in the lower.
    pub(super) tables: [u8; COMPONENTS],
    /// First and last coefficient of the band.
    pub(super) band: (u8, u8),
    /// Point transform: high (of the scan before), low.
    pub(super) approximation: (u8, u8),
    /// Restart markers so far.
    pub(super) restarts: u32,
    /// The offset and the number of a restart marker that the end may follow.
    pub(super) held: Option<NonZeroU64>,
    pub(super) held_number: u8,
}

impl Scan {
    /// Its components by their place in the frame, with their tables.
    pub(super) fn components(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        self.components
            .iter()
            .copied()
            .zip(self.tables.iter().copied())
            .take(usize::from(self.count))
    }

    pub(super) const fn band(&self) -> (u8, u8) {
        self.band
    }

    /// The coefficients that it codes to their last bit, a bit for each.
    pub(super) fn coded(&self, kind: Kind) -> u64 {
        let (first, last) = self.band;
        match kind {
            // Lower bits follow in a refinement.
            Kind::Progressive if self.approximation.1 > 0 => 0,
            Kind::Progressive => {
                let up_to = |last: u8| u64::MAX >> 63_u8.saturating_sub(last).min(63);
                up_to(last) & (u64::MAX << first.min(63))
            }
            _ => u64::MAX,
        }
    }

    pub(super) const fn starts_with_dc(&self) -> bool {
        self.band.0 == 0
    }

    /// Whether it adds a bit to coefficients that an earlier scan coded.
    pub(super) const fn refines(&self) -> bool {
        self.approximation.0 > 0
    }

    /// Whether it codes DC coefficients for the first time.
    pub(super) fn needs_dc(&self, kind: Kind) -> bool {
        match kind {
            Kind::Baseline | Kind::Extended | Kind::Lossless => true,
            // A refinement has one plain bit for each DC coefficient (T.81 G.1.2.1).
            Kind::Progressive => self.band.0 == 0 && self.approximation.0 == 0,
            Kind::Ls => false,
        }
    }

    pub(super) fn needs_ac(&self, kind: Kind) -> bool {
        match kind {
            Kind::Baseline | Kind::Extended => true,
            Kind::Progressive => self.band.1 > 0,
            Kind::Lossless | Kind::Ls => false,
        }
    }
}
