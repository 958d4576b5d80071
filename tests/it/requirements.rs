//! Evaluation of requirements: which facts violate which rule.

use std::{fs, path::Path};

use greenlight::{
    Claim, Code, Decision, DefectKind, Depth, Enforcement, Format, Inspection, Inspector, Measure,
    Missing, Requirements, Severity, Violation,
};

/// An uncompressed 24-bit BMP, the one format that needs no coder.
pub(crate) fn bmp(width: u32, height: u32) -> Vec<u8> {
    let mut file = bmp_header(width, height);
    let row = (u64::from(width) * 3).next_multiple_of(4);
    let end = 54 + row * u64::from(height);
    file.resize(usize::try_from(end).expect("it is small"), 0x7f);
    file
}

fn bmp_header(width: u32, height: u32) -> Vec<u8> {
    let row = (u64::from(width) * 3).next_multiple_of(4);
    let pixels = row * u64::from(height);
    let mut file = b"BM".to_vec();
    file.extend(u32::try_from(54 + pixels).unwrap_or(0).to_le_bytes());
    file.extend([0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0]);
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend([1, 0, 24, 0, 0, 0, 0, 0]);
    file.extend(u32::try_from(pixels).unwrap_or(0).to_le_bytes());
    file.extend([0; 16]);
    file
}

/// The header and screen of a GIF, without frames.
fn gif_header(width: u16, height: u16) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend([0, 0, 0]);
    file
}

/// The facts of a file whose end is not reached yet.
fn so_far(bytes: &[u8]) -> Inspection {
    let mut inspector = Inspector::new(Depth::Structure);
    inspector.push(bytes);
    inspector.inspection().clone()
}

fn codes(requirements: &Requirements, inspection: &Inspection) -> Vec<(Code, Severity)> {
    let verdict = requirements.judge(inspection.clone());
    verdict
        .violations()
        .iter()
        .map(|violation| (violation.code(), violation.severity()))
        .collect()
}

#[test]
fn dimensions_are_compared_with_the_documented_limits() {
    let rejected = |code| vec![(code, Severity::Reject)];
    let long = || {
        vec![
            (Code::ImageSideTooLong, Severity::Reject),
            (Code::ImageFramesUnseen, Severity::Warn),
        ]
    };
    let cases = [
        (bmp_header(256, 256), vec![]),
        (bmp_header(255, 256), rejected(Code::ImageTooSmall)),
        (bmp_header(256, 255), rejected(Code::ImageTooSmall)),
        (
            bmp_header(30_000, 300),
            vec![(Code::ImageFramesUnseen, Severity::Warn)],
        ),
        (bmp_header(30_001, 300), long()),
        (bmp_header(300, 30_001), long()),
        (bmp_header(25_000, 10_000), vec![]),
        (
            bmp_header(25_000, 10_001),
            rejected(Code::ImageTooManyPixels),
        ),
        (gif_header(2_048, 2_048), vec![]),
        (gif_header(2_049, 2_048), rejected(Code::ImageTooManyPixels)),
    ];
    for (bytes, expected) in cases {
        let inspection = so_far(&bytes);
        assert_eq!(
            codes(&Requirements::ASYNC, &inspection),
            expected,
            "{inspection:?}"
        );
    }
}

#[test]
fn a_violation_has_measure_limit_and_remedy() {
    let verdict = Requirements::ASYNC.judge(so_far(&bmp_header(120, 80)));
    let violation: &Violation = &verdict.violations()[0];
    assert_eq!(
        violation.measured(),
        Some(&Measure::Text("120x80".to_owned()))
    );
    assert_eq!(
        violation.limit(),
        Some(&Measure::Text("256x256".to_owned()))
    );
    assert_eq!(
        violation.to_string(),
        "120x80 pixels, at least 256x256: send a larger version"
    );
}

#[test]
fn megabytes_are_binary_to_reject_and_decimal_to_warn() {
    let sized = |len: u64| {
        let mut inspector = Inspector::new(Depth::Header);
        inspector.push(&bmp_header(300, 300));
        inspector.announce_len(len);
        inspector.inspection().clone()
    };
    let cases = [
        (Requirements::ASYNC, 20_000_000, vec![]),
        (
            Requirements::ASYNC,
            20_000_001,
            vec![(Code::ImageTooLarge, Severity::Warn)],
        ),
        (
            Requirements::ASYNC,
            20 << 20,
            vec![(Code::ImageTooLarge, Severity::Warn)],
        ),
        (
            Requirements::ASYNC,
            (20 << 20) + 1,
            vec![(Code::ImageTooLarge, Severity::Reject)],
        ),
        (Requirements::SYNC, 5_000_000, vec![]),
        (
            Requirements::SYNC,
            5_000_001,
            vec![(Code::ImageTooLarge, Severity::Warn)],
        ),
        (
            Requirements::SYNC,
            (5 << 20) + 1,
            vec![(Code::ImageTooLarge, Severity::Reject)],
        ),
    ];
    for (requirements, len, expected) in cases {
        assert_eq!(codes(&requirements, &sized(len)), expected, "{len} bytes");
    }
}

#[test]
fn a_stream_without_end_is_inconclusive_and_never_accepted() {
    let verdict = Requirements::ASYNC.judge(so_far(&bmp_header(300, 300)));
    assert_eq!(verdict.decision(), Decision::Inconclusive);
    assert_eq!(verdict.missing(), [Missing::Size, Missing::Rest]);
    assert!(verdict.into_result().is_err());
}

#[test]
fn a_complete_image_is_accepted() {
    let verdict = Requirements::ASYNC.judge(Inspection::of(&bmp(300, 300)));
    assert_eq!(
        (verdict.decision(), verdict.violations()),
        (Decision::Accept, &[][..])
    );
}

#[test]
fn every_rule_can_be_made_a_warning_or_switched_off() {
    let image = Inspection::of(&bmp(100, 100));
    let warn = Requirements::ASYNC.with_enforcement(Code::ImageTooSmall, Enforcement::Warn);
    assert_eq!(
        codes(&warn, &image),
        [(Code::ImageTooSmall, Severity::Warn)]
    );
    let off = Requirements::ASYNC.with_enforcement(Code::ImageTooSmall, Enforcement::Off);
    assert_eq!(codes(&off, &image), []);
    let smaller = Requirements::ASYNC.with_min_width(100).with_min_height(100);
    assert_eq!(codes(&smaller, &image), []);
}

#[test]
fn the_severity_of_a_defect_can_be_set() {
    let mut bytes = bmp(300, 300);
    bytes.extend(b"and more");
    let trailing = Inspection::of(&bytes);
    assert_eq!(
        codes(&Requirements::ASYNC, &trailing),
        [(Code::ImageTrailingBytes, Severity::Warn)]
    );
    let strict =
        Requirements::ASYNC.with_enforcement(DefectKind::TrailingBytes, Enforcement::Reject);
    assert_eq!(
        codes(&strict, &trailing),
        [(Code::ImageTrailingBytes, Severity::Reject)]
    );
    let off = Requirements::ASYNC.with_enforcement(Code::ImageTrailingBytes, Enforcement::Off);
    assert_eq!(codes(&off, &trailing), []);
}

#[test]
fn formats_are_allowed_and_rejected_by_name() {
    let image = Inspection::of(&bmp(300, 300));
    let without = Requirements::ASYNC.without_format(Format::Bmp);
    assert_eq!(
        codes(&without, &image),
        [(Code::ImageFormatUnsupported, Severity::Reject)]
    );
    assert_eq!(codes(&without.with_format(Format::Bmp), &image), []);
    let page =
        Inspection::of(b"<!DOCTYPE html><html><head><title>404</title></head><body></body></html>");
    assert_eq!(
        codes(&Requirements::ASYNC, &page),
        [(Code::ImageFormatUnsupported, Severity::Reject)]
    );
    let text = Inspection::of(&[b'x'; 100]);
    assert_eq!(
        codes(&Requirements::ASYNC, &text),
        [(Code::ImageNotAnImage, Severity::Reject)]
    );
}

/// An animated WebP with only a canvas and one frame header.
fn webp(side: u8) -> Vec<u8> {
    let mut file = b"RIFF\x36\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0".to_vec();
    file.extend([side - 1, 0, 0, side - 1, 0, 0]);
    file.extend(b"ANMF\x18\0\0\0");
    file.extend([0; 24]);
    file
}

/// Requirements with every rule at `enforcement` and without limits.
fn softened(enforcement: Enforcement) -> Requirements {
    let open = Requirements::ASYNC
        .with_min_width(0)
        .with_min_height(0)
        .with_max_side(u32::MAX)
        .with_max_pixels(u64::MAX)
        .with_max_gif_pixels(u64::MAX);
    Code::ALL
        .iter()
        .fold(open, |open, code| open.with_enforcement(*code, enforcement))
}

#[test]
fn unknown_facts_are_never_accepted() {
    let truncated: &[Code] = &[Code::ImageTruncated];
    let cases: &[(&[u8], &[Code])] = &[
        (b"\x89PNG\r\n\x1a\n", truncated),
        (b"GIF89a", truncated),
        (b"\xff\xd8\xff", truncated),
        (b"\xff\xd8\xff\xd9", &[Code::ImageCorrupt]),
        (
            b"II*\0\x08\0\0\0",
            &[Code::ImageFormatUnsupported, Code::ImageTruncated],
        ),
        (
            b"<!DOCTYPE html><html><head><title>404</title></head></html>",
            &[Code::ImageFormatUnsupported],
        ),
        (b"", &[Code::ImageEmpty]),
        (b"a text of some words, no image", &[Code::ImageNotAnImage]),
    ];
    for (bytes, broken) in cases {
        let inspection = Inspection::of(bytes);
        let strict = Requirements::ASYNC.judge(inspection.clone());
        assert_eq!(strict.decision(), Decision::Reject, "{inspection:?}");
        assert!(strict.missing().is_empty(), "{strict:?}");
        for soft in [Enforcement::Warn, Enforcement::Off] {
            let one = broken.iter().fold(Requirements::ASYNC, |asked, code| {
                asked.with_enforcement(*code, soft)
            });
            for asked in [one, softened(soft)] {
                let verdict = asked.judge(inspection.clone());
                assert_eq!(verdict.decision(), Decision::Inconclusive, "{verdict:?}");
                let missing = if bytes.is_empty() {
                    Missing::Format
                } else {
                    Missing::Dimensions
                };
                assert_eq!(verdict.missing(), [missing]);
            }
        }
    }
}

#[test]
fn a_format_with_a_warning_must_meet_the_other_rules() {
    let soft =
        Requirements::ASYNC.with_enforcement(Code::ImageFormatUnsupported, Enforcement::Warn);
    let warning = (Code::ImageFormatUnsupported, Severity::Warn);
    let small = Inspection::of(&webp(100));
    assert_eq!(
        codes(&soft, &small),
        [warning, (Code::ImageTooSmall, Severity::Reject)]
    );
    let enough = soft.clone().with_min_width(100).with_min_height(100);
    assert_eq!(codes(&enough, &small), [warning]);
    assert!(enough.judge(small.clone()).is_accepted());
    let mut cut = webp(100);
    cut.truncate(50);
    assert_eq!(
        codes(&enough, &Inspection::of(&cut)),
        [warning, (Code::ImageTruncated, Severity::Reject)]
    );
    assert_eq!(
        codes(&Requirements::ASYNC, &small),
        [(Code::ImageFormatUnsupported, Severity::Reject)],
        "a format that is refused is converted first"
    );
}

#[test]
fn webp_frames_need_an_image() {
    let asked = Requirements::ASYNC.with_format(Format::Webp);
    let lone = *b"RIFF\x0c\0\0\0WEBPANMF\0\0\0\0";
    let mut unflagged = webp(100);
    unflagged[20] = 0;
    let mut empty = webp(100)[..30].to_vec();
    empty[4] = 30;
    empty.extend(b"ANMF\0\0\0\0");
    for bytes in [&lone[..], &unflagged, &empty] {
        for depth in [Depth::Header, Depth::Structure, Depth::Payload] {
            let inspection = Inspection::at(depth, bytes);
            let verdict = asked.judge(inspection.clone());
            assert_ne!(verdict.decision(), Decision::Accept, "{depth:?} {bytes:?}");
            if depth != Depth::Header || inspection.dimensions().is_none() {
                assert!(
                    inspection.defects().contains(DefectKind::WebpNoImage),
                    "{depth:?} {bytes:?} {inspection:?}"
                );
            }
        }
    }
}

#[test]
fn a_rejection_is_final() {
    let image = bmp(255, 300);
    let mut inspector = Inspector::new(Depth::Structure);
    let mut rejected = false;
    for byte in &image {
        inspector.push(&[*byte]);
        let now = Requirements::ASYNC
            .judge(inspector.inspection().clone())
            .decision()
            == Decision::Reject;
        assert!(
            now || !rejected,
            "taken back after {} bytes",
            inspector.inspection().bytes_seen()
        );
        rejected = now;
    }
    assert!(rejected);
}

#[test]
fn claims_are_compared_with_the_content() {
    let mut inspector = Inspector::new(Depth::Structure);
    inspector.claim(Claim::from_name("photo.PNG").expect("an extension claims"));
    inspector.push(&bmp(300, 300));
    let verdict = Requirements::ASYNC.judge(inspector.finish());
    assert_eq!(verdict.decision(), Decision::Accept);
    let violation = &verdict.violations()[0];
    assert_eq!(violation.code(), Code::ImageTypeMismatch);
    assert_eq!(violation.measured(), Some(&Measure::Text("bmp".to_owned())));
    assert_eq!(violation.limit(), Some(&Measure::Text("png".to_owned())));
    assert!(Claim::from_name("photo").is_none() && Claim::from_name("photo.dat").is_none());
    assert!(Claim::from_content_type("application/octet-stream").is_none());
}

#[cfg(feature = "serde")]
#[test]
fn a_verdict_serializes_to_the_keys_of_the_command() {
    let verdict = Requirements::ASYNC.judge(Inspection::of(&bmp(300, 200)));
    let json = serde_json::to_string(&verdict).expect("it serializes");
    assert_eq!(
        json,
        concat!(
            r#"{"decision":"reject","format":"bmp","width":300,"height":200,"bytes":180054,"#,
            r#""frames":1,"violations":[{"code":"image/too-small","severity":"reject","#,
            r#""message":"300x200 pixels, at least 256x256: send a larger version","#,
            r#""measured":"300x200","limit":"256x256"}],"download":null}"#
        )
    );
}

#[test]
fn not_walked_is_a_separate_warning() {
    // Run lengths of OS/2 (Huffman) are not walked.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images/bmp/v5.bmp");
    let mut file = fs::read(path).expect("the fixture is committed");
    file[14..18].copy_from_slice(&64_u32.to_le_bytes());
    file[28..30].copy_from_slice(&1_u16.to_le_bytes());
    file[30..34].copy_from_slice(&3_u32.to_le_bytes());
    let asked = Requirements::ASYNC;
    let verdict = asked.judge(Inspection::at(Depth::Payload, &file));
    let found = verdict
        .violations()
        .iter()
        .find(|violation| violation.code() == Code::ImageNotExamined)
        .unwrap_or_else(|| panic!("{verdict:?}"));
    assert_eq!(found.severity(), Severity::Warn);
    assert!(
        found.message().ends_with("nothing wrong was found"),
        "{found:?}"
    );
    // The code sets both kinds.
    let strict = asked
        .clone()
        .with_enforcement(Code::ImageNotExamined, Enforcement::Reject);
    for kind in [DefectKind::NotWalked, DefectKind::NotDecoded] {
        assert_eq!(strict.enforcement(kind), Enforcement::Reject);
    }
    assert_eq!(
        strict.enforcement(DefectKind::PngEndCrc),
        asked.enforcement(DefectKind::PngEndCrc)
    );
}

#[test]
fn the_presets_of_2_0_have_limits_of_their_own() {
    let broken = |asked: &Requirements, width, height, code| {
        let verdict = asked.judge(Inspection::of(&bmp_header(width, height)));
        let found = verdict
            .violations()
            .iter()
            .find(|found| found.code() == code);
        found.map(Violation::severity)
    };
    for asked in [Requirements::V2, Requirements::V2_MAINLAND] {
        assert_eq!(broken(&asked, 200, 200, Code::ImageTooSmall), None);
        let advised = broken(&asked, 199, 200, Code::ImageTooSmall);
        assert_eq!(advised, Some(Severity::Warn));
        assert!(asked.allows(Format::Webp) && !asked.allows(Format::Tiff));
        let animated = asked.judge(Inspection::of(&fs::read(ANIMATED).unwrap()));
        let unseen = animated.violations().iter();
        let mut unseen = unseen.filter(|found| found.code() == Code::ImageFramesUnseen);
        assert_eq!(unseen.next().unwrap().measured(), Some(&Measure::Number(1)));
    }
    for (asked, side, pixels) in [
        (Requirements::V2, 30_000, (25_000, 10_000)),
        (Requirements::V2_MAINLAND, 16_384, (16_700, 10_000)),
    ] {
        let (long, many) = (Code::ImageSideTooLong, Code::ImageTooManyPixels);
        assert_eq!(broken(&asked, side, 256, long), None);
        assert_eq!(broken(&asked, side + 1, 256, long), Some(Severity::Reject));
        assert_eq!(broken(&asked, pixels.0, pixels.1, many), None);
        assert_eq!(
            broken(&asked, pixels.0, pixels.1 + 1, many),
            Some(Severity::Reject)
        );
    }
}

const ANIMATED: &str = "fixtures/images/gif/animated.gif";

fn message(requirements: &Requirements, bytes: &[u8]) -> String {
    let verdict = requirements.judge(Inspection::of(bytes));
    let violation = verdict.violations().first().expect("it is not accepted");
    violation.message().to_owned()
}

#[test]
fn a_format_that_is_forbidden_is_not_called_unscanned() {
    let png_only = Requirements::ASYNC
        .without_format(Format::Jpeg)
        .without_format(Format::Gif)
        .without_format(Format::Bmp);
    assert_eq!(
        message(&png_only, &gif_header(300, 300)),
        "GIF is not allowed by the requirements: convert it to PNG"
    );
    assert_eq!(
        message(&png_only, b"qoif\0\0\x01\0\0\0\x01\0\x03\0"),
        "QOI is not scanned: convert it to PNG"
    );
}

/// The reason for the warning of a preset is not that of a site's own.
#[test]
fn a_warning_about_the_size_is_true_for_any_limit() {
    let site = Requirements::ASYNC.with_warn_bytes(1_000);
    assert_eq!(
        message(&site, &bmp(300, 300)),
        "270054 bytes is over 1000, the largest size without a warning: compress or scale it down"
    );
}

#[test]
fn a_negative_width_is_not_called_zero_alone() {
    let mut file = bmp(300, 300);
    file[18..22].copy_from_slice(&(-320_i32).to_le_bytes());
    assert_eq!(
        message(&Requirements::ASYNC, &file),
        "width or height is zero or negative at byte 18: save the image again"
    );
}

#[test]
fn parts_of_a_long_image_are_not_called_frames() {
    let message = message(&Requirements::V2, &bmp(256, 256 * 4));
    assert_eq!(
        message,
        "the service looks at 1 of 4 parts of the long image: a pass says nothing of the others"
    );
}
