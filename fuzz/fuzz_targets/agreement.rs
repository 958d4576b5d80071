//! If no defect is found and the `image` crate reads the header too, both report the same format
//! and size.

#![no_main]

use std::io::Cursor;

use greenlight::{DefectKind, Format, Inspection};
use image::{ImageFormat, ImageReader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let inspection = Inspection::of(bytes);
    let (Some(format), Some(dimensions)) = (inspection.format(), inspection.dimensions()) else {
        return;
    };
    let known = match format {
        Format::Png => ImageFormat::Png,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Gif => ImageFormat::Gif,
        Format::Bmp => ImageFormat::Bmp,
        _ => return,
    };
    let refused = inspection
        .defects()
        .iter()
        .any(|(kind, _)| !kind.is_tolerated());
    // Readers differ on the size of a screen without pixels, and on where a segment begins after junk.
    let choices = [DefectKind::GifZeroScreen, DefectKind::JpegJunk];
    if refused
        || choices
            .iter()
            .any(|kind| inspection.defects().contains(*kind))
    {
        return;
    }
    let guessed = image::guess_format(bytes).ok();
    assert!(
        guessed.is_none_or(|guessed| guessed == known),
        "{guessed:?}"
    );
    let reader = ImageReader::with_format(Cursor::new(bytes), known);
    if let Ok(theirs) = reader.into_dimensions() {
        assert_eq!((dimensions.width, dimensions.height), theirs);
    }
});
