//! The fast path for header depth of a complete file, without a parser.
//!
//! It handles only files whose header has nothing unusual, and returns what the parser would
//! return, or nothing: then the parser reads the file and records what is wrong.

use std::num::NonZeroU8;

use super::{ColorType, Dimensions, Format, Orientation};

/// What header depth states of a file without a defect.
///
/// It fits in two registers, and must: written to memory field by field and read back as a whole,
/// it would take longer to hand over than to find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    pub(crate) format: Format,
    pub(crate) dimensions: Dimensions,
    pub(crate) bit_depth: Option<NonZeroU8>,
    pub(crate) color: Option<ColorType>,
    pub(crate) orientation: Option<Orientation>,
}

const _: () = assert!(size_of::<Option<Glance>>() <= 16);

impl Glance {
    /// Whether the format holds one picture only.
    pub(crate) const fn is_still(&self) -> bool {
        matches!(self.format, Format::Jpeg | Format::Bmp)
    }
}
