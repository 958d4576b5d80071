//! The pictures of a file, unpacked one after another at payload depth.

use super::{
    header::Header,
    payload::{Outcome, Payload},
};
use crate::format::{DefectKind, Dimensions, Facts};

/// The most bytes that are unpacked of one file: those of 250 million pixels of the deepest kind,
/// and some more.
const MOST_UNPACKED: u64 = 1 << 31;

#[derive(Debug, Default)]
pub(super) struct Pictures {
    payload: Option<Box<Payload>>,
    /// Offset of the present picture's first chunk, while it is unpacked.
    present: Option<u64>,
    /// Bytes that all pictures so far unpack to.
    unpacked: u64,
}

impl Pictures {
    /// Image data of `size` comes next.
    pub(super) fn begin(
        &mut self,
        header: &Header,
        size: Dimensions,
        start: u64,
        facts: &mut Facts,
    ) {
        self.unpacked = self.unpacked.saturating_add(header.unpacked(size));
        if self.unpacked > MOST_UNPACKED {
            facts.defect(DefectKind::NotWalked, start);
            return;
        }
        match &mut self.payload {
            Some(payload) => payload.restart(header, size),
            None => self.payload = Some(Box::new(Payload::new(header, size))),
        }
        self.present = Some(start);
    }

    /// Unpacks a piece of the present picture's image data.
    pub(super) fn push(&mut self, data: &[u8]) {
        if let (Some(payload), Some(_)) = (&mut self.payload, self.present) {
            payload.push(data);
        }
    }

    /// The image data of the present picture is behind. Of an animation, the still image is not
    /// harmed by what is wrong with the other frames.
    pub(super) fn end(&mut self, is_moving: bool, facts: &mut Facts) {
        let (Some(payload), Some(start)) = (&mut self.payload, self.present.take()) else {
            return;
        };
        let kind = match payload.finish() {
            Outcome::Whole => return,
            _ if is_moving => DefectKind::PngAnimation,
            Outcome::Invalid => DefectKind::PngImageData,
            Outcome::Filter => DefectKind::PngFilter,
            Outcome::Short => DefectKind::PngShortImageData,
            Outcome::Beyond => DefectKind::PngImageDataEnd,
        };
        facts.defect(kind, start);
    }
}
