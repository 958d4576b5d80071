//! The second opinion: the `image` crate decodes the first picture, under limits.

use std::{
    io::Cursor,
    panic::{self, AssertUnwindSafe},
};

use image::{ImageError, ImageFormat, ImageReader, Limits};

use crate::format::{DefectKind, Facts, Format};

/// The longest file that is held for it, in bytes.
pub(super) const MOST_HELD: usize = 64 * 1024 * 1024;

/// The most memory that the decoder may take, in bytes.
const MOST_ALLOCATED: u64 = 512 * 1024 * 1024;

/// Decodes the first picture of a whole file, if nothing that was found refuses it anyway, and
/// states a refusal.
pub(super) fn second_opinion(file: Option<&[u8]>, format: Format, facts: &mut Facts) {
    let refused = facts.defects.iter().any(|(kind, _)| !kind.is_tolerated());
    let Some(format) = known(format).filter(|_| !refused) else {
        return;
    };
    // A decoder that panics refuses; none of what it leaves behind is looked at.
    let opinion = file.map(|file| panic::catch_unwind(AssertUnwindSafe(|| decode(file, format))));
    let kind = match opinion {
        Some(Ok(Ok(()))) => return,
        None | Some(Ok(Err(ImageError::Limits(_) | ImageError::Unsupported(_)))) => {
            DefectKind::NotDecoded
        }
        Some(_) => DefectKind::DecoderRefused,
    };
    facts.defect(kind, 0);
}

fn decode(file: &[u8], format: ImageFormat) -> Result<(), ImageError> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_ALLOCATED);
    reader.limits(limits);
    reader.decode().map(drop)
}

const fn known(format: Format) -> Option<ImageFormat> {
    match format {
        Format::Png => Some(ImageFormat::Png),
        Format::Jpeg => Some(ImageFormat::Jpeg),
        Format::Gif => Some(ImageFormat::Gif),
        Format::Bmp => Some(ImageFormat::Bmp),
        _ => None,
    }
}
