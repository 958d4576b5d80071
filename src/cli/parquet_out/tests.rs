use std::{collections::BTreeMap, io::Cursor};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};

use super::*;
use crate::cli::{
    outcome::{ScanOutcome, SceneReport},
    report::Report,
};

fn bare(source: &str) -> ScanReport {
    ScanReport::unsubmitted(Report::failed(source, "no".to_owned()))
}

fn full() -> ScanReport {
    let violation = |code: &str, severity: &str| {
        serde_json::json!({
            "code": code, "severity": severity, "message": "", "measured": null, "limit": null,
        })
    };
    let summary = serde_json::json!({
        "decision": "accept",
        "format": "png",
        "width": u32::MAX,
        "height": 3,
        "bytes": 700,
        "frames": 1,
        "violations": [
            violation("image/trailing-bytes", "reject"),
            violation("image/type-mismatch", "warn"),
            violation("image/trailing-bytes", "warn"),
        ],
        "download": { "status": 200, "hops": 2, "elapsed_ms": 41, "bytes": 700 },
    });
    let result = |scene: &str, rate| SceneReport {
        scene: scene.to_owned(),
        label: "normal".to_owned(),
        suggestion: "pass".to_owned(),
        rate,
        risk_level: None,
        labels: Vec::new(),
    };
    ScanReport {
        check: Report {
            source_base64: None,
            source: "http://\u{e9}/".to_owned(),
            list: None,
            line: None,
            summary: serde_json::from_value(summary).unwrap(),
            error: None,
            provenance: None,
        },
        data_id: Some("mine".to_owned()),
        task_id: Some("img-1".to_owned()),
        outcome: ScanOutcome::Pass,
        results: vec![result("porn", Some(99.5)), result("terrorism", None)],
    }
}

fn read(bytes: Vec<u8>) -> Vec<BTreeMap<String, String>> {
    let file = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    let rows = file.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let text = |field: &Field| match field {
            Field::Str(text) => text.clone(),
            field => field.to_string(),
        };
        row.get_column_iter()
            .map(|(name, field)| (name.clone(), text(field)))
            .collect()
    })
    .collect()
}

#[test]
fn every_field_comes_back() {
    let mut out = ParquetOut::new(Vec::new()).unwrap();
    for report in [full(), bare("a"), full()] {
        out.write(&report).unwrap();
    }
    let rows = read(out.finish().unwrap());
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0], rows[2]);
    for (name, full, bare) in [
        ("source", "http://\u{e9}/", "a"),
        ("decision", "accept", "inconclusive"),
        ("format", "png", "null"),
        ("width", "4294967295", "null"),
        ("height", "3", "null"),
        ("bytes", "700", "null"),
        ("frames", "1", "null"),
        ("rejecting", "[\"image/trailing-bytes\"]", "[]"),
        ("warnings", "[\"image/type-mismatch\"]", "[]"),
        ("download_status", "200", "null"),
        ("download_hops", "2", "null"),
        ("download_elapsed_ms", "41", "null"),
        ("download_bytes", "700", "null"),
        ("error", "null", "no"),
        ("data_id", "mine", "null"),
        ("task_id", "img-1", "null"),
        ("outcome", "pass", "not-submitted"),
        (
            "results",
            "[{scene: \"porn\", label: \"normal\", suggestion: \"pass\", rate: 99.5}, \
             {scene: \"terrorism\", label: \"normal\", suggestion: \"pass\", rate: null}]",
            "[]",
        ),
    ] {
        assert_eq!(rows[0][name], full, "{name}");
        assert_eq!(rows[1][name], bare, "{name}");
    }
    assert_eq!(rows[0].len(), 18);
}

#[test]
fn a_long_run_is_written_in_row_groups_and_an_empty_one_is_a_file_too() {
    let mut out = ParquetOut::new(Vec::new()).unwrap();
    let long = bare(&"x".repeat(1 << 20));
    for _ in 0..40 {
        out.write(&long).unwrap();
        assert!(out.columns.bytes() < MOST_BYTES);
    }
    let bytes = out.finish().unwrap();
    let file = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    assert_eq!(file.num_row_groups(), 3);
    assert_eq!(file.metadata().file_metadata().num_rows(), 40);
    let empty = ParquetOut::new(Vec::new()).unwrap().finish().unwrap();
    assert_eq!(read(empty), []);
}

#[test]
fn what_is_written_to_says_what_went_wrong() {
    let mut room = [0; 100];
    let mut out = ParquetOut::new(Cursor::new(room.as_mut_slice())).unwrap();
    out.write(&full()).unwrap();
    let error = out.finish().expect_err("there is no room");
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}
