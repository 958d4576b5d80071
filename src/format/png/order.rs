//! The order of ancillary chunks (PNG 5.6, tables 7 and 8).

/// The allowed position of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before PLTE and IDAT.
    BeforePalette,
    /// Before IDAT, and after PLTE if there is one.
    AfterPalette,
    BeforeImage,
    Anywhere,
}

/// The ancillary chunks that are allowed only once, and their positions.
const ONCE: [(&[u8; 4], Place); 14] = [
    (b"cHRM", Place::BeforePalette),
    (b"cICP", Place::BeforePalette),
    (b"gAMA", Place::BeforePalette),
    (b"iCCP", Place::BeforePalette),
    (b"mDCV", Place::BeforePalette),
    (b"cLLI", Place::BeforePalette),
    (b"sBIT", Place::BeforePalette),
    (b"sRGB", Place::BeforePalette),
    (b"bKGD", Place::AfterPalette),
    (b"hIST", Place::AfterPalette),
    (b"tRNS", Place::AfterPalette),
    (b"pHYs", Place::BeforeImage),
    // Many writers put it after the image, as the extension allowed before it was standardized.
    (b"eXIf", Place::Anywhere),
    (b"tIME", Place::Anywhere),
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
        name != *b"sPLT" || self.is_at(Place::BeforeImage)
    }

    /// Records PLTE and returns whether no chunk that must follow it precedes it.
    pub(super) fn allows_palette(&mut self) -> bool {
        let mut bit = 1_u32;
        for (_, place) in ONCE {
            if place == Place::AfterPalette && self.ancillary & bit != 0 {
                return false;
            }
            bit = bit.wrapping_shl(1);
        }
        true
    }

    const fn is_at(self, place: Place) -> bool {
        match place {
            Place::BeforePalette => !self.palette && !self.image,
            Place::AfterPalette | Place::BeforeImage => !self.image,
            Place::Anywhere => true,
        }
    }
}
