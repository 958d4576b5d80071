//! Checks a whole corpus with one command. Runs if `GREENLIGHT_CORPUS` names the folder.

use std::{collections::HashMap, fs, path::PathBuf, process::Command};

use serde_json::Value;

const EXCEPTIONS: &str = include_str!("corpus_exceptions.tsv");

#[test]
fn the_corpus_verdicts_agree_with_the_truth() {
    let Some(root) = std::env::var_os("GREENLIGHT_CORPUS").map(PathBuf::from) else {
        println!("skipped: GREENLIGHT_CORPUS names no folder");
        return;
    };
    let run = Command::new(env!("CARGO_BIN_EXE_greenlight"))
        .args(["check", "--format", "jsonl"])
        .arg(&root)
        .output()
        .expect("the command runs");
    let errors = String::from_utf8_lossy(&run.stderr);
    assert_eq!(
        run.status.code(),
        Some(1),
        "some are rejected, none fails: {errors}"
    );
    let seen: HashMap<String, Value> = String::from_utf8(run.stdout)
        .expect("JSON is UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .map(|line: Value| {
            (
                line["source"]
                    .as_str()
                    .expect("it names its source")
                    .to_owned(),
                line,
            )
        })
        .collect();

    let truth = fs::read_to_string(root.join("truth.tsv")).expect("the truth is there");
    let mut compared = 0;
    let mut wrong = Vec::new();
    for row in truth.lines().skip(1) {
        let [
            path,
            _,
            _,
            format,
            format_status,
            dimensions,
            dimensions_status,
            ..,
        ] = row.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("a row of the truth is cut: {row}");
        };
        if (format_status, dimensions_status) != ("agree", "agree") || is_excepted(path) {
            continue;
        }
        // The truth of generated files is in their recipe, which the library's test reads.
        if path.starts_with("made/") {
            continue;
        }
        if !matches!(format, "png" | "jpeg" | "gif" | "bmp") {
            continue;
        }
        let source = root.join(path).to_string_lossy().into_owned();
        let line = seen
            .get(&source)
            .unwrap_or_else(|| panic!("{source} was not checked"));
        let read = format!("{} {}x{}", line["format"], line["width"], line["height"]);
        if read != format!("\"{format}\" {dimensions}") {
            wrong.push(format!("{path}: read {read}, agreed {format} {dimensions}"));
        }
        compared += 1;
    }
    println!(
        "{} files checked, {compared} compared with what readers agree on",
        seen.len()
    );
    assert!(compared > 1_000, "only {compared} rows were compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_excepted(path: &str) -> bool {
    EXCEPTIONS
        .lines()
        .any(|line| line.split('\t').next() == Some(path))
}
