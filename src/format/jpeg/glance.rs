//! Reads a complete file from its start to the frame's header: segments are skipped by their
//! length, and only what affects the result is kept.

use std::num::NonZeroU8;

use super::{AppSegments, exif, frame};
use crate::format::{Format, Glance};

/// Reads the segments before the frame, and the frame, if every decoder supports its process. Any
/// unusual marker is left to the parser.
#[inline]
pub(crate) fn glance(file: &[u8]) -> Option<Glance> {
    let mut rest = file.strip_prefix(b"\xFF\xD8")?;
    let mut app = AppSegments::default();
    let mut orientation = None;
    while let [0xFF, code, high, low, after @ ..] = rest {
        let length = u16::from_be_bytes([*high, *low]).checked_sub(2)?;
        let (body, behind) = after.split_at_checked(length.into())?;
        match code {
            0xC0..=0xC2 => {
                let (dimensions, color) = frame::glance(body, app)?;
                return Some(Glance {
                    format: Format::Jpeg,
                    dimensions,
                    bit_depth: NonZeroU8::new(8),
                    color,
                    orientation,
                });
            }
            0xE0 => app.take_app0(body),
            0xE1 => orientation = orientation.or_else(|| exif::orientation(body)),
            // A shorter one is a defect, which the parser records.
            0xEE if body.len() >= 12 => app.take_adobe(body),
            // Tables, other application data, a comment.
            0xC4 | 0xDB | 0xDD | 0xE2..=0xED | 0xEF | 0xFE => {}
            _ => return None,
        }
        rest = behind;
    }
    None
}
