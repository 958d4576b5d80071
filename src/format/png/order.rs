//! The order of ancillary chunks (PNG 5.6, tables 7 and 8).

/// The allowed position of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// Before PLTE and IDAT.
    BeforePalette,
    /// Before IDAT, and after PLTE if there is one.
    AfterPalette,
    BeforeImage,
    Anywhere,
}

/// The ancillary chunks that are allowed only once, and their positions.
const ONCE: [(&[u8; 4], Position); 14] = [
    (b"cHRM", Position::BeforePalette),
    (b"cICP", Position::BeforePalette),
    (b"gAMA", Position::BeforePalette),
    (b"iCCP", Position::BeforePalette),
    (b"mDCV", Position::BeforePalette),
    (b"cLLI", Position::BeforePalette),
    (b"sBIT", Position::BeforePalette),
    (b"sRGB", Position::BeforePalette),
    (b"bKGD", Position::AfterPalette),
    (b"hIST", Position::AfterPalette),
    (b"tRNS", Position::AfterPalette),
    (b"pHYs", Position::BeforeImage),
    // Many writers put it after the image, as the extension allowed before it was standardized.
    (b"eXIf", Position::Anywhere),
    (b"tIME", Position::Anywhere),
];

/// Which chunks were seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    pub(super) palette: bool,
    pub(super) image: bool,
    /// Whether the last chunk was one of the image data.
    pub(super) image_open: bool,
    ancillary: u32,
}

impl Order {
    /// Records an ancillary chunk and returns whether it is allowed here.
    pub(super) fn allows(&mut self, name: [u8; 4]) -> bool {
        let mut bit = 1_u32;
        for (known, place) in ONCE {
            if *known == name {
                let again = self.ancillary & bit != 0;
                self.ancillary |= bit;
                return !again && self.is_at(place);
            }
            bit = bit.wrapping_shl(1);
        }
        // The only chunk that has a position and may be repeated. Unknown ancillary chunks may be
        // anywhere.
        name != *b"sPLT" || self.is_at(Position::BeforeImage)
    }

    /// Records PLTE and returns whether no chunk that must follow it precedes it.
    pub(super) fn allows_palette(&mut self) -> bool {
        let mut bit = 1_u32;
        for (_, place) in ONCE {
            if place == Position::AfterPalette && self.ancillary & bit != 0 {
                return false;
            }
            bit = bit.wrapping_shl(1);
        }
        true
    }

    const fn is_at(self, place: Position) -> bool {
        match place {
            Position::BeforePalette => !self.palette && !self.image,
            Position::AfterPalette | Position::BeforeImage => !self.image,
            Position::Anywhere => true,
        }
    }
}
