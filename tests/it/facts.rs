//! Facts that are stored and evaluated again later.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use greenlight::{
    Claim, Depth, Enforcement, ImageUrl, Inspection, Inspector, Requirements, Verdict,
    download::Download,
};
use proptest::prelude::*;

use super::fixtures::images;

fn requirements() -> [Requirements; 3] {
    [
        Requirements::ASYNC,
        Requirements::SYNC.with_warnings_rejected(),
        Requirements::ASYNC
            .with_min_width(1)
            .with_min_height(1)
            .with_enforcement(greenlight::Code::ImageCorrupt, Enforcement::Warn),
    ]
}

/// Stores the facts, reads them back, and compares every verdict.
fn assert_kept(inspection: &Inspection) {
    let text = serde_json::to_string(inspection).unwrap();
    let read: Inspection = serde_json::from_str(&text).unwrap();
    assert_eq!(&read, inspection, "{text}");
    for requirements in requirements() {
        let (now, later) = (
            requirements.judge(inspection.clone()),
            requirements.judge(read.clone()),
        );
        assert_same(&now, &later);
    }
}

fn assert_same<S: PartialEq + std::fmt::Debug>(now: &Verdict<S>, later: &Verdict<S>) {
    assert_eq!(now.subject(), later.subject());
    assert_eq!(now.decision(), later.decision());
    assert_eq!(now.violations(), later.violations());
    assert_eq!(now.missing(), later.missing());
}

#[test]
fn stored_inspections_of_the_fixtures_give_equal_verdicts() {
    for ((name, bytes), &depth) in IMAGES.iter().zip(Depth::ALL.iter().cycle()) {
        let mut inspector = Inspector::new(depth);
        if let Some(claim) = Claim::from_name(name) {
            inspector.claim(claim);
        }
        let mut chunks = bytes.chunks(1 + bytes.len() / 3);
        inspector.push(chunks.next().unwrap_or_default());
        assert_kept(inspector.inspection());
        chunks.for_each(|chunk| inspector.push(chunk));
        assert_kept(&inspector.finish());
    }
}

/// Read once for all cases.
static IMAGES: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(images);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stored_inspections_of_corrupt_files_give_equal_verdicts(
        image in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
    ) {
        let (_, mut bytes) = IMAGES[image.index(IMAGES.len())].clone();
        if !bytes.is_empty() {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(1 + cut.index(bytes.len()));
        }
        assert_kept(&Inspection::at(Depth::Payload, &bytes));
    }
}

#[test]
fn unknown_facts_are_errors() {
    let text = serde_json::to_string(&Inspection::of(b"GIF89a")).unwrap();
    assert!(serde_json::from_str::<Inspection>(&text).is_ok());
    let newer = text.replace("any/truncated", "any/new-kind");
    assert_ne!(newer, text);
    let error = serde_json::from_str::<Inspection>(&newer).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("unknown defect kind `any/new-kind`"),
        "{error}"
    );
}

#[test]
fn urls_are_stored_unchanged() {
    let url: ImageUrl = "https://EXAMPLE.com/a.png?key=secret".parse().unwrap();
    let text = serde_json::to_string(&url).unwrap();
    assert_eq!(text, r#""https://EXAMPLE.com/a.png?key=secret""#);
    assert_eq!(serde_json::from_str::<ImageUrl>(&text).unwrap(), url);
    assert!(serde_json::from_str::<ImageUrl>(r#""ftp://example.com/""#).is_err());
    assert!(ImageUrl::try_from("no URL").is_err());
}

#[test]
fn a_format_is_stored_under_its_name() {
    for format in greenlight::Format::ALL {
        let stored = serde_json::to_value(format).unwrap();
        assert_eq!(stored, format.name());
        assert_eq!(
            serde_json::from_value::<greenlight::Format>(stored).unwrap(),
            format
        );
    }
}

/// Stores a download, reads it back, and compares every verdict.
pub(crate) fn assert_download_is_kept(download: &Download) {
    let text = serde_json::to_string(download).unwrap();
    let read: Download = serde_json::from_str(&text).unwrap();
    for requirements in requirements() {
        let now = requirements.judge_download(download.clone());
        let later = requirements.judge_download(read.clone());
        assert_same(&now, &later);
    }
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
}
