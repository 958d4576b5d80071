//! Where ancillary chunks may stand (PNG 5.6, tables 7 and 8).

/// Where a chunk may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before PLTE and IDAT.
    BeforePalette,
    /// Before IDAT, and after PLTE if there is one.
    AfterPalette,
    BeforeImage,
    Anywhere,
}

/// The ancillary chunks that may stand only once, and their places.
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
    // Written behind the image by many, as the extension allowed before it was taken up.
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
    /// Notes an ancillary chunk; whether it may stand here.
    pub(super) fn allows(&mut self, name: [u8; 4]) -> bool {
        let mut bit = 1_u32;
        for (known, place) in ONCE {
            if *known == name {
                let again = self.ancillary & bit != 0;
                self.ancillary |= bit;
                return !again && self.stands(place);
            }
            bit = bit.wrapping_shl(1);
        }
        name != *b"sPLT" || self.stands(Place::BeforeImage)
    }

    /// Notes PLTE; whether no chunk that has to follow it came before.
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

    const fn stands(self, place: Place) -> bool {
        match place {
            Place::BeforePalette => !self.palette && !self.image,
            Place::AfterPalette | Place::BeforeImage => !self.image,
            Place::Anywhere => true,
        }
    }
}
