//! The pictures of a file: the still one, and the frames of an animation (PNG 11.3.6).

use crate::format::{DefectKind, Dimensions, Facts, bytes::be32};

/// Counts pictures and follows the animation's sequence numbers.
///
/// A still image that is not the animation's first frame is a picture too: it is what is seen where
/// animations are not played.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Animation {
    /// How many frames acTL declares.
    declared: Option<u32>,
    /// How many fcTL chunks came.
    frames: u32,
    sequence: u32,
    /// The size of the frame whose data comes next.
    frame: Option<Dimensions>,
    /// Whether the picture that is open has data.
    has_data: bool,
    /// Whether it is a frame other than the still image.
    moving: bool,
}

impl Animation {
    /// acTL: how many frames there are.
    pub(super) fn control(&mut self, body: &[u8], offset: u64, facts: &mut Facts) {
        let declared = be32(body, 0);
        if body.len() != 8 || declared == 0 || self.declared.is_some() {
            facts.defect(DefectKind::PngAnimation, offset);
        }
        self.declared = Some(declared);
    }

    /// fcTL: a frame begins, of this size if it is within the canvas. The first is the still image
    /// if it precedes IDAT, and then it covers the canvas.
    pub(super) fn frame(
        &mut self,
        body: &[u8],
        place: FramePlace,
        facts: &mut Facts,
    ) -> Option<Dimensions> {
        let FramePlace {
            canvas,
            before_image,
            offset,
        } = place;
        self.sequence(body, offset, facts);
        if self.frame.is_some() && !self.has_data {
            facts.defect(DefectKind::PngAnimation, offset);
        }
        self.close(facts);
        let size = Dimensions::new(be32(body, 4), be32(body, 8));
        let (x, y) = (be32(body, 12), be32(body, 16));
        let within = x.checked_add(size.width).is_some_and(|x| x <= canvas.width)
            && y.checked_add(size.height)
                .is_some_and(|y| y <= canvas.height);
        let fits = if before_image {
            size == canvas && (x, y) == (0, 0)
        } else {
            size.pixels() != 0 && within
        };
        if body.len() != 26 || !fits {
            facts.defect(DefectKind::PngAnimation, offset);
        }
        self.frames = self.frames.saturating_add(1);
        self.frame = Some(size);
        self.moving = !before_image;
        // Data of a frame with an illegal size has no length that it could be compared with.
        fits.then_some(size)
    }

    /// IDAT: the open picture has data.
    pub(super) const fn image_data(&mut self) {
        self.has_data = true;
    }

    /// fdAT: so has the open frame.
    pub(super) fn frame_data(&mut self, body: &[u8], offset: u64, facts: &mut Facts) {
        self.sequence(body, offset, facts);
        if self.frame.is_none() || self.declared.is_none() {
            facts.defect(DefectKind::PngAnimation, offset);
        } else if body.len() == 4 {
            self.has_data = true;
        }
    }

    /// The number that fcTL and fdAT begin with, one more than the last.
    fn sequence(&mut self, body: &[u8], offset: u64, facts: &mut Facts) {
        let number = be32(body, 0);
        if body.len() < 4 || number != self.sequence {
            facts.defect(DefectKind::PngAnimation, offset);
        }
        self.sequence = number.saturating_add(1);
    }

    /// Whether the last picture is a frame other than the still image.
    pub(super) const fn is_moving(&self) -> bool {
        self.moving
    }

    /// The open picture is whole.
    pub(super) fn close(&mut self, facts: &mut Facts) {
        if core::mem::take(&mut self.has_data) {
            facts.frames = facts.frames.saturating_add(1);
            self.frame = None;
        }
    }

    /// The file is at its end.
    pub(super) fn finish(&mut self, offset: u64, facts: &mut Facts) {
        let hangs = self.frame.is_some() && !self.has_data;
        self.close(facts);
        let miscounted = self.declared.unwrap_or_default() != self.frames;
        if hangs || miscounted {
            facts.defect(DefectKind::PngAnimation, offset);
        }
        facts.frames_final = true;
    }
}

/// The position of an fcTL.
#[derive(Clone, Copy, Debug)]
pub(super) struct FramePlace {
    pub(super) canvas: Dimensions,
    pub(super) before_image: bool,
    pub(super) offset: u64,
}
