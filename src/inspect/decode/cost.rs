//! The cost of decoding a picture, by arithmetic on its facts, before a decoder is called.
//!
//! The sums follow the sources of image 0.25, png 0.18, gif 0.14 and zune-jpeg 0.5, and are upper
//! bounds.

use crate::format::{ColorType, Dimensions, Facts, Format};

/// The most memory that one decode may take, in bytes; all decodes of a process together take no
/// more.
pub(super) const MAX_MEMORY: u64 = 512 << 20;

/// The most work that one decode may take, in blocks of 64 samples that are read, written or
/// converted: 2^24 blocks are 1 Gi samples. A row counts as a block too.
pub(super) const MAX_BLOCKS: u64 = 1 << 24;

/// More scans of a progressive JPEG zune-jpeg does not read.
const MAX_SCANS: u32 = 100;

/// What PNG's metadata (an unpacked color profile, text) may take.
const PNG_SIDE_BYTES: u64 = 4 << 20;

/// What a GIF frame may take that is larger than the screen.
const GIF_FRAME_BYTES: u64 = 4 << 20;

/// Buffers of fixed size, tables, the stack of the thread.
const FIXED: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// Bytes of memory in all.
    pub(super) memory: u64,
    /// Bytes of the decoded picture.
    pub(super) output: u64,
    /// Bytes that the decoder may allocate in addition to the output, if it counts them.
    pub(super) side: u64,
    /// Blocks of 64 samples.
    blocks: u64,
}

impl Cost {
    /// The cost of decoding a file of `len` bytes, or `None` when it is unknown.
    pub(super) fn of(format: Format, len: u64, facts: &Facts) -> Option<Self> {
        let size = facts.dimensions?;
        match format {
            Format::Jpeg => Some(jpeg(size, len, facts)),
            Format::Png => png(size, len, facts),
            Format::Gif => Some(gif(size)),
            Format::Bmp => Some(bmp(size)),
            _ => None,
        }
    }

    /// Whether both bounds hold.
    pub(super) const fn is_bounded(&self) -> bool {
        self.memory <= MAX_MEMORY && self.blocks <= MAX_BLOCKS
    }
}

fn pixels(size: Dimensions) -> u64 {
    u64::from(size.width).saturating_mul(u64::from(size.height))
}

/// The decoder copies the file and once more its metadata, decodes into working buffers and
/// converts to gray or RGB.
fn jpeg(size: Dimensions, len: u64, facts: &Facts) -> Cost {
    let effort = facts.effort;
    let samples = match facts.color {
        Some(ColorType::Gray) => 1,
        _ => 3,
    };
    let output = pixels(size).saturating_mul(samples);
    let side = len
        .saturating_mul(3)
        .saturating_add(effort.memory)
        .saturating_add(FIXED);
    // zune-jpeg's refusal would look like a defect of the file.
    let blocks = if effort.scans > MAX_SCANS {
        u64::MAX
    } else {
        // The inverse transform and the conversion, and the bytes to read.
        effort
            .blocks
            .saturating_add(pixels(size).saturating_mul(2 * samples).div_ceil(64))
            .saturating_add(len.div_ceil(64))
    };
    Cost {
        memory: output.saturating_add(side),
        output,
        side,
        blocks,
    }
}

/// Palettes and fewer than 8 bits are expanded, and transparency becomes a channel. A few rows, and
/// what the inflater looks back on, are held beside the output.
fn png(size: Dimensions, len: u64, facts: &Facts) -> Option<Cost> {
    let channels = match facts.color? {
        ColorType::Gray | ColorType::GrayAlpha => 2,
        _ => 4,
    };
    let bytes = if facts.bit_depth? > 8 { 2 } else { 1 };
    let row = u64::from(size.width).saturating_mul(channels * bytes);
    let output = row.saturating_mul(u64::from(size.height));
    let rows = row.saturating_mul(6).min(output.saturating_mul(6));
    let side = PNG_SIDE_BYTES.saturating_add(len);
    // Each row is visited at most twice, as Adam7 has up to two passes over it, and 8 per 8 rows.
    let blocks = output
        .div_ceil(64)
        .saturating_add(u64::from(size.height).saturating_mul(2))
        .saturating_add(len.div_ceil(64));
    Some(Cost {
        memory: output
            .saturating_add(rows)
            .saturating_add(side.saturating_mul(2))
            .saturating_add(FIXED),
        output,
        side: side.saturating_add(row.saturating_mul(2)),
        blocks,
    })
}

/// The first frame on its screen, both as RGBA. A frame that does not span the screen is decoded
/// apart.
fn gif(size: Dimensions) -> Cost {
    let output = pixels(size).saturating_mul(4);
    let side = output.max(GIF_FRAME_BYTES);
    Cost {
        memory: output.saturating_add(side).saturating_add(FIXED),
        output,
        side,
        blocks: output
            .saturating_add(side)
            .div_ceil(64)
            .saturating_add(u64::from(size.height)),
    }
}

/// RGB or RGBA, and one row.
fn bmp(size: Dimensions) -> Cost {
    let output = pixels(size).saturating_mul(4);
    let side = u64::from(size.width).saturating_mul(4);
    Cost {
        memory: output.saturating_add(side).saturating_add(FIXED),
        output,
        side,
        blocks: output.div_ceil(64).saturating_add(u64::from(size.height)),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use allocation_counter::measure;

    use super::Cost;
    use crate::{
        Depth, Inspection,
        inspect::decode::{self, Task},
    };

    /// The fixtures are of every color, depth, sampling, process and interlacing that is read.
    #[test]
    fn a_decoder_takes_no_more_than_was_computed() {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images");
        let mut decoded = 0;
        for folder in ["png", "jpeg", "gif", "bmp"] {
            for entry in fs::read_dir(images.join(folder)).expect("it is committed") {
                let path = entry.expect("an entry").path();
                let file = fs::read(&path).expect("a file");
                let mut facts = Inspection::at(Depth::Decode, &file).facts;
                let Some(format) = Inspection::of(&file).format() else {
                    continue;
                };
                let Some(task) = Task::plan(format, Some(file.len()), &mut facts) else {
                    continue;
                };
                let Cost { memory, .. } = task.cost;
                let taken = measure(|| {
                    let _ = decode::opinion(task, &file);
                });
                assert!(
                    taken.bytes_max <= memory,
                    "{}: {} bytes, computed {memory}",
                    path.display(),
                    taken.bytes_max
                );
                decoded += 1;
            }
        }
        assert!(decoded > 40, "{decoded} decoded");
    }
}
