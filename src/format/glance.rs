//! The short way to what header depth asks of a whole file, without a parser.
//!
//! A glance takes only a file in whose header nothing is out of the ordinary. It says what the
//! parser would say, or nothing: then the parser reads, and states what is wrong.

use std::num::NonZeroU8;

use super::{ColorType, Dimensions, Format, Orientation};

/// What header depth states of a file without a defect.
///
/// It fits in two registers, and must: written to memory field by field and read back as a whole, it
/// would take longer to hand over than to find.
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
