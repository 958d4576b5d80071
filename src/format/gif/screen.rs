//! The logical screen and the color tables (clauses 18 to 21).

use super::HEADER;
use crate::format::{ColorType, Dimensions, Facts, bytes::le16};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Screen {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) flags: u8,
}

impl Screen {
    /// Reads the logical screen descriptor (clause 18).
    #[inline]
    pub(super) fn new(header: &[u8; HEADER]) -> Self {
        Self {
            width: le16(header, 6),
            height: le16(header, 8),
            flags: header[10],
        }
    }

    pub(super) const fn has_table(self) -> bool {
        self.flags & 0x80 != 0
    }

    pub(super) fn bit_depth(self) -> Option<u8> {
        self.has_table().then_some(table_bits(self.flags))
    }

    pub(super) const fn is_zero(self) -> bool {
        self.width == 0 || self.height == 0
    }

    pub(super) fn dimensions(self) -> Dimensions {
        Dimensions::new(self.width.into(), self.height.into())
    }
}

/// Records the fields of the logical screen descriptor.
pub(super) fn state_screen(screen: Screen, facts: &mut Facts) {
    facts.color = Some(ColorType::Palette);
    facts.bit_depth = screen.bit_depth();
    if !screen.is_zero() {
        facts.dimensions = Some(screen.dimensions());
    }
}

/// Bits of an index into a color table.
pub(super) const fn table_bits(flags: u8) -> u8 {
    (flags & 7).saturating_add(1)
}

/// How long a color table is, in bytes: three for each of 2 to 256 colors.
pub(super) fn table_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3_usize << table_bits(flags)
    }
}
