//! The pictures of a file, decompressed one after another at payload depth.

use super::{
    header::Header,
    payload::{Outcome, PER_PICTURE, Payload},
};
use crate::format::{DefectKind, Dimensions, Facts, work::Work};

/// What a file costs is in proportion to its length. What exceeds that is `any/not-walked`.
#[derive(Debug)]
pub(super) struct Pictures {
    payload: Option<Box<Payload>>,
    /// Whether a picture's image data is being read.
    is_open: bool,
    /// Whether it is a frame other than the still image.
    is_moving: bool,
    work: Work,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            payload: None,
            is_open: false,
            is_moving: false,
            work: Work::new(),
        }
    }
}

impl Pictures {
    /// Bytes of the file other than image data are read.
    pub(super) fn earn(&mut self, bytes: usize) {
        self.work.earn(bytes);
    }

    /// Image data of `size` comes next, from `start` on.
    pub(super) fn begin(
        &mut self,
        header: &Header,
        size: Dimensions,
        start: u64,
        is_moving: bool,
        facts: &mut Facts,
    ) {
        if self.work.spend(PER_PICTURE).is_none() {
            facts.defect(DefectKind::NotWalked, start);
            return;
        }
        self.is_moving = is_moving;
        match &mut self.payload {
            Some(payload) => payload.restart(header, size),
            None => self.payload = Some(Box::new(Payload::new(header, size))),
        }
        self.is_open = true;
    }

    /// Reads a slice of the open picture's image data, which is at `offset`.
    pub(super) fn push(&mut self, data: &[u8], offset: u64) {
        if let (Some(payload), true) = (&mut self.payload, self.is_open) {
            payload.push(data, offset, &mut self.work);
        }
    }

    /// A chunk of the open picture's image data ends.
    pub(super) fn end_chunk(&mut self) {
        if let (Some(payload), true) = (&mut self.payload, self.is_open) {
            payload.flush(&mut self.work);
        }
    }

    /// The image data of the open picture is complete. The still image is not affected by what is
    /// wrong with the other frames. Returns whether every row is known to be there.
    pub(super) fn end(&mut self, facts: &mut Facts) -> bool {
        let is_open = core::mem::take(&mut self.is_open);
        let (Some(payload), true) = (&mut self.payload, is_open) else {
            return false;
        };
        let (outcome, offset) = payload.finish();
        let kind = match outcome {
            Outcome::Complete => return true,
            Outcome::TooMuch => DefectKind::NotWalked,
            _ if self.is_moving => DefectKind::PngAnimation,
            Outcome::Invalid => DefectKind::PngImageData,
            Outcome::Filter => DefectKind::PngFilter,
            Outcome::Short => DefectKind::PngShortImageData,
            Outcome::Excess => DefectKind::PngImageDataEnd,
            Outcome::Checksum => DefectKind::PngImageDataChecksum,
            Outcome::NoChecksum => DefectKind::PngNoImageDataChecksum,
        };
        facts.defect(kind, offset);
        matches!(outcome, Outcome::Excess)
    }
}
