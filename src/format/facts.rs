//! What parsers state.

use std::num::{NonZeroU8, NonZeroU64};

use super::{Defect, DefectKind, Defects, Dimensions, Glance};

/// How a pixel's colour is stored.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum ColorType {
    /// One channel.
    Gray,
    /// One channel and transparency.
    GrayAlpha,
    /// Indices into a palette.
    Palette,
    /// Three channels of light (BMP's BGR too).
    Rgb,
    /// Three channels of light and transparency.
    Rgba,
    /// Luma and two differences, the usual JPEG.
    YCbCr,
    /// Four inks.
    Cmyk,
    /// Four inks as luma, two differences and black.
    Ycck,
}

/// The EXIF orientation tag, 1 to 8 (Exif 2.3, table 5): reported, never applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "u16")
)]
pub struct Orientation(NonZeroU8);

impl Orientation {
    /// The tag's value, if it is one of the eight that have a meaning.
    pub fn new(tag: u16) -> Option<Self> {
        let tag = u8::try_from(tag).ok().filter(|tag| *tag <= 8)?;
        NonZeroU8::new(tag).map(Self)
    }

    /// 1 to 8.
    pub const fn tag(self) -> u8 {
        self.0.get()
    }

    /// Whether a viewer that obeys the tag swaps width and height.
    pub const fn swaps_sides(self) -> bool {
        self.0.get() >= 5
    }
}

#[cfg(feature = "serde")]
impl TryFrom<u16> for Orientation {
    type Error = &'static str;

    fn try_from(tag: u16) -> Result<Self, Self::Error> {
        Self::new(tag).ok_or("an orientation is a number from 1 to 8")
    }
}

/// The facts that a parser has stated so far. A fact once stated is not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Facts {
    pub(crate) dimensions: Option<Dimensions>,
    /// Whole frames counted so far; 1 for a still image once it is known to be one.
    pub(crate) frames: u32,
    /// Whether `frames` will not grow any more.
    pub(crate) frames_final: bool,
    /// Bits per channel, or per index of a palette.
    pub(crate) bit_depth: Option<u8>,
    pub(crate) color: Option<ColorType>,
    pub(crate) orientation: Option<Orientation>,
    /// Offset just after the last byte that belongs to the image; what follows is trailing.
    end: Option<NonZeroU64>,
    pub(crate) defects: Defects,
    /// What decoding it costs, as far as only the parser can know.
    #[cfg(feature = "decode")]
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) effort: Effort,
}

/// What decoding costs that width, height and color do not determine. Counted at decode depth, for
/// JPEG only.
#[cfg(feature = "decode")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Effort {
    /// Bytes of working buffers.
    pub(crate) memory: u64,
    /// Blocks of 64 samples that are visited, once per scan.
    pub(crate) blocks: u64,
    /// Scans of a progressive image.
    pub(crate) scans: u32,
}

#[cfg(feature = "decode")]
impl Effort {
    pub(crate) const NONE: Self = Self {
        memory: 0,
        blocks: 0,
        scans: 0,
    };
}

impl Facts {
    pub(crate) const fn new() -> Self {
        Self {
            dimensions: None,
            frames: 0,
            frames_final: false,
            bit_depth: None,
            color: None,
            orientation: None,
            end: None,
            defects: Defects::new(),
            #[cfg(feature = "decode")]
            effort: Effort::NONE,
        }
    }

    /// What a glance says.
    #[inline]
    pub(crate) const fn glanced(glance: &Glance) -> Self {
        Self {
            dimensions: Some(glance.dimensions),
            frames: if glance.is_still() { 1 } else { 0 },
            frames_final: glance.is_still(),
            bit_depth: match glance.bit_depth {
                Some(bits) => Some(bits.get()),
                None => None,
            },
            color: glance.color,
            orientation: glance.orientation,
            end: None,
            defects: Defects::new(),
            #[cfg(feature = "decode")]
            effort: Effort::NONE,
        }
    }

    /// States where the image ends: the offset just after its last byte.
    pub(crate) const fn ends_at(&mut self, offset: u64) {
        self.end = NonZeroU64::new(offset);
    }

    /// Where the image ends, once that is known.
    pub(crate) fn end(&self) -> Option<u64> {
        self.end.map(NonZeroU64::get)
    }

    /// States a defect; only the first of a kind is kept.
    pub(crate) fn defect(&mut self, kind: DefectKind, offset: u64) {
        self.defects.add(Defect::new(kind, offset));
    }
}
