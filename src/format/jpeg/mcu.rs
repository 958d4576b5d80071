//! Minimum coded units: how many a scan has, and of how many blocks (T.81 A.2).

use super::{
    frame::{Component, Frame},
    scan_header::Scan,
};

pub(super) fn component(frame: &Frame, place: u8) -> Component {
    frame
        .components
        .get(usize::from(place))
        .copied()
        .unwrap_or_default()
}

/// Blocks in an MCU of an interleaved scan.
pub(super) fn blocks_in_mcu(frame: &Frame, scan: &Scan) -> u16 {
    scan.components()
        .map(|(place, _)| component(frame, place))
        .map(|component| u16::from(component.across).saturating_mul(u16::from(component.down)))
        .sum()
}

/// At least as many MCUs as there are in a scan of blocks: as if each were one block of the frame.
pub(super) fn most_mcus(frame: &Frame) -> u64 {
    let side = |pixels: u16| u64::from(pixels.div_ceil(8));
    side(frame.width).saturating_mul(side(frame.height))
}

/// MCUs in the scan (T.81 A.2).
pub(super) fn mcus(frame: &Frame, scan: &Scan) -> u64 {
    let unit = if frame.process.has_blocks() { 8 } else { 1 };
    let (most_across, most_down) = frame.max_sampling();
    let side = |pixels: u16, factor: u8, most: u8| {
        let (pixels, factor, most) = (u64::from(pixels), u64::from(factor), u64::from(most));
        if scan.count == 1 {
            // Not interleaved: the component's own blocks (A.2.2).
            pixels
                .saturating_mul(factor)
                .div_ceil(most.max(1))
                .div_ceil(unit)
        } else {
            pixels.div_ceil(most.max(1).saturating_mul(unit))
        }
    };
    let first = scan
        .components()
        .next()
        .map(|(place, _)| component(frame, place))
        .unwrap_or_default();
    side(frame.width, first.across, most_across).saturating_mul(side(
        frame.height,
        first.down,
        most_down,
    ))
}
