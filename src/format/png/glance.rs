//! Signature and IHDR of a whole file.

use std::num::NonZeroU8;

use super::header::{self, Header};
use crate::format::{Format, Glance};

/// A signature and an IHDR without a fault.
#[inline]
pub(crate) fn glance(file: &[u8]) -> Option<Glance> {
    let (start, rest) = file.split_first_chunk::<16>()?;
    let (fields, rest) = rest.split_first_chunk::<13>()?;
    let header = Header::new(fields);
    let dimensions = header.dimensions();
    let is_sound = start == b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
        && header.is_legal()
        && header.width != 0
        && header.height != 0
        && header::legal_checksum(fields) == u32::from_be_bytes(*rest.first_chunk()?);
    is_sound.then_some(Glance {
        format: Format::Png,
        dimensions,
        bit_depth: NonZeroU8::new(header.bit_depth),
        color: header.color_type(),
        orientation: None,
    })
}
