//! The facts that parsers record.

use std::num::NonZeroU64;

use super::{ColorType, DefectKind, Defects, Dimensions, Glance, Orientation};

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

    /// The facts that the fast path found.
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
        self.defects.add(kind, offset);
    }
}
