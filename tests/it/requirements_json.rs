//! Requirements as JSON: `docs/requirements.md`.

use std::time::{Duration, UNIX_EPOCH};

use greenlight::{Code, DefectKind, Enforcement, Format, Provenance, Requirements, Rule};
use proptest::prelude::*;

#[test]
fn the_documented_example_is_parsed() {
    let page = include_str!("../../docs/requirements.md");
    let (_, rest) = page.split_once("```json\n").expect("it has an example");
    let (example, _) = rest.split_once("```").expect("the example ends");
    let expected = Requirements::ASYNC
        .with_format(Format::Webp)
        .with_max_bytes(20_000_000)
        .with_min_width(300)
        .with_min_height(300)
        .with_max_side(12_000)
        .with_max_pixels(50_000_000)
        .with_download_time(Duration::from_secs(2))
        .with_enforcement(Code::ImageTypeMismatch, Enforcement::Reject)
        .with_enforcement(Code::ImageTrailingBytes, Enforcement::Off)
        .with_enforcement(DefectKind::PngAncillaryCrc, Enforcement::Reject);
    assert_eq!(Requirements::from_json(example).unwrap(), expected);
    for setting in [
        "preset",
        "formats",
        "max_bytes",
        "warn_bytes",
        "min_width",
        "min_height",
        "max_side",
        "max_pixels",
        "max_gif_pixels",
        "max_url_chars",
        "download_time_ms",
        "frame_cap",
        "reject_warnings",
        "enforce",
    ] {
        assert!(page.contains(&format!("`{setting}`")), "{setting}");
    }
}

#[test]
fn absent_settings_are_those_of_the_preset() {
    let read = |text| Requirements::from_json(text).unwrap();
    assert_eq!(read("{}"), Requirements::ASYNC);
    assert_eq!(read("\u{feff}{}\n"), Requirements::ASYNC);
    assert_eq!(read(r#"{"preset":"sync"}"#), Requirements::SYNC);
    let warned = read(r#"{"warn_bytes":"1MiB"}"#);
    assert_eq!(
        (warned.warn_bytes(), warned.max_bytes()),
        (1 << 20, 20 << 20)
    );
    let strict = read(r#"{"reject_warnings":true,"enforce":{"image/type-mismatch":"warn"}}"#);
    assert_eq!(strict.max_bytes(), 20_000_000);
    assert_eq!(
        strict.enforcement(Code::ImageTypeMismatch),
        Enforcement::Warn
    );
    assert_eq!(
        strict.enforcement(DefectKind::TrailingBytes),
        Enforcement::Reject
    );
}

#[test]
fn a_kind_overrides_its_code_in_any_order() {
    for text in [
        r#"{"enforce":{"image/corrupt":"off","png/filter":"warn"}}"#,
        r#"{"enforce":{"png/filter":"warn","image/corrupt":"off"}}"#,
    ] {
        let requirements = Requirements::from_json(text).unwrap();
        assert_eq!(
            requirements.enforcement(DefectKind::PngFilter),
            Enforcement::Warn
        );
        assert_eq!(
            requirements.enforcement(DefectKind::PngApple),
            Enforcement::Off
        );
    }
}

#[test]
fn errors_name_the_place_and_the_remedy() {
    for (text, expected) in [
        (
            "",
            "requirements: EOF while parsing a value at line 1 column 0",
        ),
        (
            "[]",
            "requirements: invalid type: sequence, expected an object of settings",
        ),
        (
            r#"{"max_byte":1}"#,
            "requirements: unknown field `max_byte`, expected one of",
        ),
        (
            r#"{"max_bytes":"20 M"}"#,
            "requirements: expected a whole number of bytes, or one with a unit: 20971520, 20MB, 5MiB at line 1 column",
        ),
        (
            r#"{"max_bytes":-1}"#,
            r#"requirements: invalid type: integer `-1`, expected a number of bytes, or a text such as "20MB" or "5MiB" at line 1"#,
        ),
        (
            r#"{"min_width":"wide"}"#,
            "requirements: invalid type: string \"wide\", expected u32",
        ),
        (
            r#"{"formats":["jpg"]}"#,
            "requirements: unknown variant `jpg`, expected one of",
        ),
        (
            r#"{"enforce":{"image/corupt":"off"}}"#,
            "requirements: unknown code or defect kind `image/corupt`: did you mean `image/corrupt`?",
        ),
        (
            r#"{"enforce":{"ancillary-crc":"off"}}"#,
            "requirements: unknown code or defect kind `ancillary-crc`: did you mean `png/ancillary-crc`?",
        ),
        (
            r#"{"enforce":{"image/corrupt":"of"}}"#,
            "requirements: unknown enforcement `of`: did you mean `off`?",
        ),
        (
            r#"{"max_bytes":5,"warn_bytes":6}"#,
            "requirements: `warn_bytes` of 6 exceeds the largest file of 5 bytes",
        ),
        (
            r#"{"enforce":{"image/corrupt":"off","image/corrupt":"warn"}}"#,
            "requirements: `image/corrupt` is set twice at line 1 column",
        ),
        (
            r#"{"formats":[]}"#,
            "requirements: `formats` names no format: no image meets it",
        ),
        (
            r#"{"formats":["png","qoi"]}"#,
            "requirements: `formats` names qoi, which is not measured, so that no image of it is accepted: allowed are png, jpeg, gif, bmp, webp",
        ),
        (
            r#"{"formats":["html"]}"#,
            "requirements: `formats` names html, which is not measured",
        ),
        (
            r#"{"frame_cap":0}"#,
            "requirements: `frame_cap` is 0: at least one frame is scanned",
        ),
        (
            r#"{"max_bytes":"0MB"}"#,
            "requirements: `max_bytes` is 0: no image meets it",
        ),
        (
            r#"{"download_time_ms":0}"#,
            "requirements: `download_time_ms` is 0: no image meets it",
        ),
        (
            r#"{"max_side":200}"#,
            "requirements: `max_side` of 200 is below `min_width` of 256: no image meets both",
        ),
        (
            r#"{"max_pixels":65535}"#,
            "requirements: `max_pixels` of 65535 is below `min_width` x `min_height` of 65536: no image meets both",
        ),
    ] {
        let error = Requirements::from_json(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn an_unknown_name_far_from_every_other_has_no_suggestion() {
    let error = "x".repeat(1_000_000).parse::<Rule>().unwrap_err();
    assert_eq!(error.nearest(), None);
    assert!(error.to_string().len() < 100, "{error}");
}

fn any_requirements() -> impl Strategy<Value = Requirements> {
    let limits = (
        any::<(u64, u64)>(),
        any::<[u32; 3]>(),
        any::<(u64, u64)>(),
        any::<usize>(),
    );
    let rules: Vec<_> = Rule::all().collect();
    let enforcement = prop::sample::select(Enforcement::ALL);
    let enforce = prop::collection::vec((prop::sample::select(rules), enforcement), 0..8);
    let formats = prop::collection::vec(prop::sample::select(Format::ALL.to_vec()), 0..6);
    (limits, any::<u32>(), enforce, formats).prop_map(|(limits, millis, enforce, formats)| {
        let ((max, warn), [width, height, side], (pixels, gif_pixels), chars) = limits;
        let mut requirements = Requirements::SYNC
            .with_max_bytes(max)
            .with_warn_bytes(warn)
            .with_min_width(width)
            .with_min_height(height)
            .with_max_side(side)
            .with_max_pixels(pixels)
            .with_max_gif_pixels(gif_pixels)
            .with_max_url_chars(chars)
            .with_download_time(Duration::from_millis(millis.into()));
        for format in formats {
            requirements = if requirements.allows(format) {
                requirements.without_format(format)
            } else {
                requirements.with_format(format)
            };
        }
        for (rule, enforcement) in enforce {
            requirements = requirements.with_enforcement(rule, enforcement);
        }
        requirements
    })
}

proptest! {
    #[test]
    fn requirements_round_trip_through_json(requirements in any_requirements()) {
        let text = serde_json::to_string(&requirements).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Requirements>(&text).unwrap(), &requirements, "{}", text);
        // Only requirements that no image can meet are refused.
        prop_assert_eq!(Requirements::from_json(&text).is_ok(), requirements.validate().is_ok());
    }
}

#[test]
fn stored_settings_restore_the_requirements() {
    let codes = Requirements::SYNC
        .with_enforcement(Code::ImageTypeMismatch, Enforcement::Reject)
        .with_warnings_rejected();
    for requirements in [
        Requirements::ASYNC,
        Requirements::SYNC,
        Requirements::ASYNC.with_max_bytes(1_000),
        Requirements::ASYNC.with_max_bytes(30_000_000),
        Requirements::SYNC
            .with_format(Format::Webp)
            .with_max_side(9),
        codes,
    ] {
        let stored = Provenance::new(&requirements, UNIX_EPOCH + Duration::from_millis(1_500));
        let text = serde_json::to_string(&stored).unwrap();
        let read: Provenance = serde_json::from_str(&text).unwrap();
        assert_eq!(read, stored, "{text}");
        assert_eq!(read.read_settings().unwrap(), requirements, "{text}");
        assert_eq!(
            (read.checked_at, read.requirements),
            (1_500, requirements.fingerprint())
        );
        assert_eq!(
            text.contains("settings"),
            requirements != Requirements::ASYNC
        );
    }
}

#[test]
fn every_preset_is_written_and_read() {
    for (name, preset) in [
        ("async", Requirements::ASYNC),
        ("v1-async", Requirements::ASYNC),
        ("sync", Requirements::SYNC),
        ("v1-sync", Requirements::SYNC),
        ("v2", Requirements::V2),
        ("v2-mainland", Requirements::V2_MAINLAND),
    ] {
        let named = format!("{{\"preset\":\"{name}\"}}");
        assert_eq!(Requirements::from_json(&named).unwrap(), preset, "{name}");
        let written = serde_json::to_string(&preset).unwrap();
        assert_eq!(Requirements::from_json(&written).unwrap(), preset, "{name}");
    }
}
