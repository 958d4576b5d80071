//! What a decoder needs for a JPEG: the buffers and the passes of zune-jpeg 0.5, which the `image`
//! crate uses. The sums are upper bounds.

use super::{
    frame::{Frame, Kind},
    scan_header::Scan,
};
use crate::format::facts::Effort;

/// Building the look-up tables of one Huffman code takes about as long as visiting this many
/// blocks.
const BLOCKS_PER_TABLE: u64 = 32;

impl Effort {
    /// A Huffman table is defined.
    pub(super) const fn table(&mut self) {
        self.blocks = self.blocks.saturating_add(BLOCKS_PER_TABLE);
    }

    /// A scan begins.
    pub(super) fn scan(&mut self, frame: &Frame, scan: &Scan) {
        let progressive = frame.process.kind == Kind::Progressive;
        if progressive {
            self.scans = self.scans.saturating_add(1);
        }
        for (place, _) in scan.components() {
            let (across, down) = blocks(frame, place);
            self.blocks = self.blocks.saturating_add(across.saturating_mul(down));
        }
        // A decoder holds every coefficient until the last scan, unless the first scan has them
        // all.
        let keeps = progressive || scan.count < frame.count;
        self.memory = self.memory.max(buffers(frame, keeps));
    }
}

/// Blocks of a component across and down, up to whole MCUs.
fn blocks(frame: &Frame, place: u8) -> (u64, u64) {
    let (most_across, most_down) = frame.max_sampling();
    let component = super::mcu::component(frame, place);
    let side = |pixels: u16, factor: u8, most: u8| {
        let mcus = u64::from(pixels).div_ceil(u64::from(most.max(1)).saturating_mul(8));
        mcus.saturating_mul(u64::from(factor))
    };
    (
        side(frame.width, component.across, most_across),
        side(frame.height, component.down, most_down),
    )
}

/// Bytes of the decoder's own buffers, all of 16-bit samples.
fn buffers(frame: &Frame, keeps_coefficients: bool) -> u64 {
    let (most_across, most_down) = frame.max_sampling();
    let ratio = u64::from(most_across).saturating_mul(u64::from(most_down));
    let mut samples = 0_u64;
    let mut widest = 0;
    for (place, component) in (0..).zip(frame.components()) {
        let (across, down) = blocks(frame, place);
        if keeps_coefficients {
            samples = samples.saturating_add(across.saturating_mul(down).saturating_mul(64));
        }
        let (stride, rows) = (across.saturating_mul(8), u64::from(component.down));
        // One row of MCUs, and for upsampling two rows, the first row and twice 8 output rows.
        let upsampled = if ratio > 1 {
            rows.saturating_mul(2)
                .saturating_add(rows.saturating_mul(ratio))
                .saturating_add(ratio.saturating_mul(16))
        } else {
            0
        };
        let per_column = rows.saturating_mul(8).saturating_add(upsampled);
        samples = samples.saturating_add(stride.saturating_mul(per_column));
        widest = stride.max(widest);
    }
    // The upsampler's scratch space.
    samples = samples.saturating_add(u64::saturating_mul(widest, 8));
    samples.saturating_mul(2)
}
