//! The file in which the benchmarks keep results of several runs.

#[path = "../../benches/suite/kept.rs"]
mod kept;

use std::{collections::BTreeMap, fs};

use kept::Kept;
use serde_json::{Value, json};

fn machine(date: &str, scale: &str) -> Value {
    json!({"date": date, "scale": scale, "commit": "abc"})
}

fn results(values: &[(&str, f64)]) -> BTreeMap<String, Value> {
    let results = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!({"name": name, "value": value})));
    results.collect()
}

fn document(kept: &Kept) -> Value {
    serde_json::from_str(&kept.document()).expect("the document is JSON")
}

#[test]
fn a_run_of_some_benchmarks_states_its_own_date_only() {
    let first = machine("2026-01-01", "full");
    let mut kept = Kept::new(first.clone(), results(&[("a/x", 1.0), ("b/x", 2.0)]));
    let second = machine("2026-02-02", "quick");
    kept.add(second.clone(), results(&[("b/x", 3.0), ("c/x", 4.0)]));
    let expected = json!({"machine": first, "results": [
        {"name": "a/x", "value": 1.0},
        {"name": "b/x", "value": 3.0, "machine": second},
        {"name": "c/x", "value": 4.0, "machine": second},
    ]});
    assert_eq!(document(&kept), expected);

    // The same after the file was read, and measured again on the first machine.
    let mut kept = Kept::parse(&kept.document()).unwrap();
    kept.add(first.clone(), results(&[("c/x", 5.0)]));
    let expected = json!({"machine": first, "results": [
        {"name": "a/x", "value": 1.0},
        {"name": "b/x", "value": 3.0, "machine": second},
        {"name": "c/x", "value": 5.0},
    ]});
    assert_eq!(document(&kept), expected);
}

#[test]
fn a_head_without_results_is_replaced() {
    let (first, second, third) = (
        machine("2026-01-01", "full"),
        machine("2026-02-02", "full"),
        machine("2026-03-03", "full"),
    );
    let mut kept = Kept::new(first, results(&[("a/x", 1.0), ("b/x", 2.0)]));
    kept.add(second.clone(), results(&[("a/x", 3.0)]));
    kept.add(third.clone(), results(&[("b/x", 4.0)]));
    let expected = json!({"machine": third, "results": [
        {"name": "a/x", "value": 3.0, "machine": second},
        {"name": "b/x", "value": 4.0},
    ]});
    assert_eq!(document(&kept), expected);
}

#[test]
fn a_malformed_file_of_results_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("suite.json");
    assert!(
        Kept::read(&path).unwrap().is_none(),
        "a missing file has no results"
    );
    for (text, error) in [
        ("{", "EOF while parsing"),
        ("[]", "no object `machine`"),
        (r#"{"machine":{}}"#, "no list `results`"),
        (
            r#"{"machine":{},"results":[{}]}"#,
            "a result without `name`",
        ),
        (
            r#"{"machine":{},"results":[{"name":"a"},{"name":"a"}]}"#,
            "two results `a`",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let seen = Kept::read(&path).unwrap_err();
        assert!(
            seen.contains(error) && seen.contains("suite.json"),
            "{seen}"
        );
    }
    let kept = Kept::new(machine("2026-01-01", "full"), results(&[("a/x", 1.0)]));
    kept.write(&path).unwrap();
    let read = Kept::read(&path).unwrap().unwrap();
    assert_eq!(read.document(), kept.document());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// The committed results are read and written without a change.
#[test]
fn the_committed_results_are_kept_as_they_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/report/suite.json");
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(Kept::parse(&text).unwrap().document(), text);
}
