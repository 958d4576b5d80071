//! The logical screen of a whole file.

use std::num::NonZeroU8;

use super::{HEADER, screen::Screen};
use crate::format::{ColorType, Format, Glance};

/// A screen with pixels. Without one it takes the first frame to tell a size.
#[inline]
pub(crate) fn glance(file: &[u8]) -> Option<Glance> {
    let header: &[u8; HEADER] = file.first_chunk()?;
    let screen = Screen::new(header);
    let is_sound =
        matches!(header, [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..]) && !screen.is_zero();
    is_sound.then_some(Glance {
        format: Format::Gif,
        dimensions: screen.dimensions(),
        bit_depth: screen.bit_depth().and_then(NonZeroU8::new),
        color: Some(ColorType::Palette),
        orientation: None,
    })
}
