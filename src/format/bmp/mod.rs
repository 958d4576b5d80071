//! Windows and OS/2 bitmaps: `BITMAPCOREHEADER`, OS/2 2.x, `BITMAPINFOHEADER` and its
//! extensions to version 5 (Microsoft Win32 documentation, "Bitmap Header Types"; IBM OS/2
//! toolkit, `BITMAPINFOHEADER2`).

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod header;
mod rle;

use super::{
    DefectKind, Depth, Facts, Parser, Progress,
    bytes::{Cursor, Gather},
};
use header::{FILE_HEADER, Header, MASKS, Masks};

pub(crate) use header::glance;
use rle::{Rle, Walked};

/// The longest field that is gathered at once: the image header after width and height.
const FIELD: usize = 28;

#[derive(Debug)]
pub(crate) struct Bmp {
    depth: Depth,
    state: State,
    gather: Gather<FIELD>,
    header: Header,
}

/// A parser is held for every stream that is inspected.
const _: () = assert!(size_of::<Bmp>() <= 150);

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before the file header and the image header's size.
    Start,
    /// Before width and height.
    Sides,
    /// Before the image header's other fields.
    Fields,
    /// Before the channel masks.
    Masks,
    /// In a palette or pixels, which are not examined.
    Body,
    /// In run lengths, from `start` on.
    Runs { rle: Rle, start: u64 },
    /// Terminal state.
    Over(Progress),
}

impl Bmp {
    pub(crate) fn new(depth: Depth) -> Self {
        Self {
            depth,
            state: State::Start,
            gather: Gather::new(),
            header: Header::default(),
        }
    }

    fn start(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        let Some(field) = self.gather.fill(cursor, 18) else {
            return;
        };
        self.header = Header::new(&field);
        if !self.header.size_is_known() {
            // Read on as `BITMAPINFOHEADER`: the sides of most unknown versions are at its offsets.
            facts.defect(DefectKind::BmpHeaderSize, FILE_HEADER);
        }
        self.state = State::Sides;
    }

    fn sides(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        let Some(field) = self.gather.fill(cursor, self.header.sides_len()) else {
            return;
        };
        self.header.read_sides(&field);
        self.header.state_sides(facts);
        self.state = State::Fields;
    }

    fn fields(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        let Some(field) = self.gather.fill(cursor, self.header.fields_len()) else {
            return;
        };
        self.header.read_fields(&field);
        self.header.state_fields(facts);
        self.state = if self.depth == Depth::Header {
            State::Over(Progress::Done)
        } else if self.header.masks_len() > 0 {
            State::Masks
        } else {
            State::Body
        };
        self.state_end(facts);
    }

    fn masks(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        let len = self.header.masks_len();
        let Some(field) = self.gather.fill(cursor, len) else {
            return;
        };
        let masks = Masks::new(&field, self.header.bits());
        if let Err(kind) = masks.check() {
            facts.defect(kind, MASKS);
        }
        self.state = State::Body;
        self.state_end(facts);
    }

    /// States where the image ends, once all fields are read, and whether the pixels are walked.
    fn state_end(&mut self, facts: &mut Facts) {
        if !matches!(self.state, State::Body) {
            return;
        }
        if let Some(end) = self.header.pixels_end() {
            facts.ends_at(end);
            return;
        }
        // Only the runs themselves show where they end.
        match self.header.runs() {
            Some(rle) if facts.dimensions.is_some() => {
                let start = self.header.pixels_start();
                self.state = State::Runs { rle, start };
            }
            _ if self.depth >= Depth::Payload => {
                facts.defect(DefectKind::NotWalked, self.header.pixels_start());
            }
            _ => {}
        }
    }

    fn walk_runs(&mut self, mut rle: Rle, start: u64, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        cursor.take(start.saturating_sub(cursor.offset()));
        let walked = rle.walk(cursor, |at| facts.defect(DefectKind::BmpRleOverrun, at));
        self.state = match walked {
            Walked::More => State::Runs { rle, start },
            Walked::End => {
                facts.ends_at(cursor.offset());
                State::Over(Progress::Done)
            }
            Walked::Excess => {
                facts.defect(DefectKind::BmpRleExcess, cursor.offset().saturating_sub(1));
                State::Over(Progress::Done)
            }
            Walked::Wrong(kind) => {
                facts.defect(kind, cursor.offset().saturating_sub(1));
                State::Over(Progress::Failed)
            }
        };
    }

    fn skip_body(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        cursor.take(u64::MAX);
        if facts.end().is_some_and(|end| cursor.offset() >= end) {
            self.state = State::Over(Progress::Done);
        }
    }
}

impl Parser for Bmp {
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        let mut cursor = Cursor::new(input, offset);
        loop {
            match self.state {
                State::Over(progress) => return progress,
                _ if cursor.rest().is_empty() => return Progress::More,
                State::Start => self.start(&mut cursor, facts),
                State::Sides => self.sides(&mut cursor, facts),
                State::Fields => self.fields(&mut cursor, facts),
                State::Masks => self.masks(&mut cursor, facts),
                State::Body => self.skip_body(&mut cursor, facts),
                State::Runs { rle, start } => self.walk_runs(rle, start, &mut cursor, facts),
            }
        }
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        let whole = match self.state {
            State::Over(_) => true,
            // Of a coding that is not walked, only the presence of pixels is known.
            State::Body => self.header.pixels_end().is_none() && len > self.header.pixels_start(),
            State::Runs { rle, .. } => {
                if rle.is_whole() {
                    facts.defect(DefectKind::BmpRleNoEnd, len);
                }
                rle.is_whole()
            }
            State::Start | State::Sides | State::Fields | State::Masks => false,
        };
        if !whole {
            facts.defect(DefectKind::Truncated, len);
        }
    }
}
