//! One frame: its place, and whether its data can be so many pixels.

use crate::format::{DefectKind, Dimensions, Facts, bytes::le16};

/// The most pixels that one code can stand for: a string of the longest chain that 4,096 entries
/// make.
const PIXELS_PER_CODE: u64 = 4096;

#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) dimensions: Dimensions,
    pub(super) flags: u8,
    pub(super) code_size: u8,
    /// Offset of its first sub-block.
    pub(super) start: u64,
    left: u32,
    top: u32,
}

impl Default for Frame {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Frame {
    /// Reads an image descriptor (clause 20) without its first byte.
    pub(super) fn new(descriptor: &[u8]) -> Self {
        let side = |at| u32::from(le16(descriptor, at));
        Self {
            left: side(0),
            top: side(2),
            dimensions: Dimensions::new(side(4), side(6)),
            flags: descriptor.get(8).copied().unwrap_or_default(),
            code_size: 0,
            start: 0,
        }
    }

    pub(super) const fn is_within(&self, screen: Dimensions) -> bool {
        let Dimensions { width, height } = self.dimensions;
        self.left.saturating_add(width) <= screen.width
            && self.top.saturating_add(height) <= screen.height
    }

    /// Compares the length of the frame's data, which ended before `end`, with its pixels.
    pub(super) fn check(&self, end: u64, facts: &mut Facts) {
        // Lengths of sub-blocks and the terminator are counted too: the bound is generous.
        let bytes = end.saturating_sub(self.start);
        if bytes <= 1 {
            facts.defect(DefectKind::GifNoImageData, self.start);
            return;
        }
        let bits_per_code = u64::from(self.code_size).saturating_add(1);
        let codes = bytes.saturating_mul(8).div_ceil(bits_per_code);
        if codes.saturating_mul(PIXELS_PER_CODE) < self.dimensions.pixels() {
            facts.defect(DefectKind::GifShortImageData, end.saturating_sub(1));
        }
    }
}
