//! Decode depth.

use greenlight::{Code, DefectKind, Depth, Inspection, Inspector, Requirements};

use crate::fixtures::image;

#[test]
fn the_decoder_accepts_valid_pictures() {
    for name in [
        "png/rgb.png",
        "gif/animated.gif",
        "jpeg/progressive.jpg",
        "bmp/v5.bmp",
    ] {
        let file = image(name);
        let inspection = Inspection::at(Depth::Decode, &file);
        assert!(inspection.defects().is_empty(), "{name}: {inspection:?}");
        let mut inspector = Inspector::new(Depth::Decode);
        for chunk in file.chunks(500) {
            inspector.push(chunk);
        }
        assert_eq!(inspector.finish(), inspection, "{name} in chunks");
    }
}

#[test]
fn rejection_by_a_strict_decoder_is_a_warning() {
    // The decoder does not support run lengths stored from the top down.
    let mut file = image("bmp/rle-8.bmp");
    let height = i32::from_le_bytes([file[22], file[23], file[24], file[25]]);
    file[22..26].copy_from_slice(&(-height).to_le_bytes());
    let payload = Inspection::at(Depth::Payload, &file);
    let decode = Inspection::at(Depth::Decode, &file);
    let kinds = |inspection: &Inspection| -> Vec<_> {
        inspection.defects().iter().map(|(kind, _)| kind).collect()
    };
    assert_eq!(kinds(&payload), [DefectKind::BmpTopDownRle]);
    let strict = [DefectKind::BmpTopDownRle, DefectKind::DecoderStrict];
    assert_eq!(kinds(&decode), strict);
    assert!(strict.iter().all(|kind| kind.is_tolerated()));
}

#[test]
fn unexamined_parts_are_not_reported_as_corrupt() {
    let mut gif = image("gif/89a.gif");
    gif[6..10].fill(0xff);
    let verdict = Requirements::ASYNC.judge(Inspection::at(Depth::Decode, &gif));
    let codes: Vec<_> = verdict
        .violations()
        .iter()
        .map(greenlight::Violation::code)
        .collect();
    assert!(codes.contains(&Code::ImageNotExamined), "{codes:?}");
    assert!(!codes.contains(&Code::ImageCorrupt), "{codes:?}");
}

#[test]
fn a_picture_too_large_for_a_decoder_is_not_decoded() {
    let mut gif = image("gif/89a.gif");
    // The size of the screen, not of the frame, determines the decoder's memory.
    gif[6..10].fill(0xff);
    let inspection = Inspection::at(Depth::Decode, &gif);
    assert!(inspection.defects().contains(DefectKind::NotDecoded));
    assert!(!inspection.defects().contains(DefectKind::DecoderRefused));
    let mut defects = inspection.defects().iter();
    assert!(
        defects.any(|defect| defect == (DefectKind::NotDecoded, None)),
        "it is about no byte"
    );
    let verdict = Requirements::ASYNC
        .with_max_gif_pixels(u64::MAX)
        .judge(inspection.clone());
    let messages = verdict
        .violations()
        .iter()
        .map(greenlight::Violation::message);
    let found: Vec<_> = messages
        .filter(|message| message.contains("was not decoded"))
        .collect();
    assert_eq!(found.len(), 1);
    assert!(!found[0].contains("at byte"), "{found:?}");
}

#[test]
fn rejected_images_are_not_decoded() {
    let inspection = Inspection::at(Depth::Decode, &image("png/wrong-crc.png"));
    assert!(inspection.defects().contains(DefectKind::PngCriticalCrc));
    assert!(!inspection.defects().contains(DefectKind::DecoderRefused));
}
