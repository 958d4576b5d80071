//! Every format, encoding and line end, from a file and from standard input, with every command that
//! accepts a list: each line gets a result or is reported, with its number.

use std::thread;

use crate::cli::bench::{Bench, Run};

/// A list in one format.
struct Format {
    /// The extension, and the value of `--list-format`.
    extension: &'static str,
    name: &'static str,
    text: String,
    /// The lines with a result, and the lines that are reported; in an array the elements.
    answered: &'static [u64],
    reported: &'static [u64],
}

fn formats() -> Vec<Format> {
    let long = "x".repeat(70_000);
    let format = |extension, name, text: &str, answered, reported| Format {
        extension,
        name,
        text: text.to_owned(),
        answered,
        reported,
    };
    vec![
        format(
            "txt",
            "text",
            &format!("ftp://a/1\n\n# a note\nftp://a/\u{e9}\u{1f600}\n{long}\nftp://a/2"),
            &[1, 4, 6],
            &[5],
        ),
        format(
            "csv",
            "csv",
            "id,url\n1,ftp://a/1\n\n2,\"ftp://a/\u{e9}\u{1f600}\"\n3,\"ftp\" x\n4,ftp://a/2\n5\n",
            &[2, 4, 6],
            &[5, 7],
        ),
        format(
            "tsv",
            "tsv",
            "id\turl\n1\tftp://a/1\n\"\tftp://a/\u{e9}\u{1f600}\n\n3\n4\tftp://a/2\n5\t",
            &[2, 3, 6],
            &[5, 7],
        ),
        format(
            "jsonl",
            "jsonl",
            "{\"url\":\"ftp://a/1\"}\n\n\"ftp://a/\u{e9}\u{1f600}\"\n{\"url\":17}\nftp\n{\"url\":\"ftp://a/2\"}\n",
            &[1, 3, 6],
            &[4, 5],
        ),
        format(
            "json",
            "json",
            "[\n{\"url\":\"ftp://a/1\"},\n\n\"ftp://a/\u{e9}\u{1f600}\"\n,\n{\"url\":17},\n{\"url\":\"ftp://a/2\"},\n]\n",
            &[1, 2, 4],
            &[3, 5],
        ),
    ]
}

const ENDS: [&str; 3] = ["\n", "\r\n", "\r"];
const ENCODINGS: usize = 6;

/// The text in one of the encodings.
fn encode(text: &str, encoding: usize) -> Vec<u8> {
    let mark = if encoding < ENCODINGS / 2 {
        ""
    } else {
        "\u{feff}"
    };
    let text = format!("{mark}{text}");
    match encoding % 3 {
        0 => text.into_bytes(),
        1 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    }
}

/// One combination.
#[derive(Clone, Copy, Debug)]
struct Case {
    format: usize,
    encoding: usize,
    end: usize,
    is_file: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for format in 0..formats().len() {
        for encoding in 0..ENCODINGS {
            for end in 0..ENDS.len() {
                for is_file in [true, false] {
                    cases.push(Case {
                        format,
                        encoding,
                        end,
                        is_file,
                    });
                }
            }
        }
    }
    cases
}

/// Runs the cases over all processors.
fn each(name: &str, cases: &[Case], command: &[&str], check: impl Fn(&Format, &Run, Case) + Sync) {
    let bench = Bench::new(name);
    let formats = formats();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for part in cases.chunks(cases.len().div_ceil(threads)) {
            let (bench, formats, check) = (&bench, &formats, &check);
            scope.spawn(move || {
                for case in part {
                    let format = &formats[case.format];
                    let list = encode(&format.text.replace('\n', ENDS[case.end]), case.encoding);
                    let args = [command, &["--format", "jsonl", "--from"]].concat();
                    let run = if case.is_file {
                        let file = format!("{}-{}.{}", case.encoding, case.end, format.extension);
                        bench.write(&file, &list);
                        bench.run(&[&args[..], &[&file]].concat())
                    } else {
                        let stdin = ["-", "--list-format", format.name];
                        bench.run_with_input(&[&args[..], &stdin].concat(), &list)
                    };
                    check(format, &run, *case);
                }
            });
        }
    });
}

/// Checks that every non-empty line has a result or is reported, once and in order.
fn accounts_for_every_line(format: &Format, run: &Run, case: Case) {
    let lines = run.json();
    let numbers = |is_reported: bool| -> Vec<u64> {
        let of_kind = lines
            .iter()
            .filter(|line| line["error"].is_string() == is_reported);
        of_kind.map(|line| line["line"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(false), format.answered, "{case:?} {run}");
    assert_eq!(numbers(true), format.reported, "{case:?} {run}");
    let wide = run
        .texts("source")
        .iter()
        .filter(|source| source.ends_with("\u{e9}\u{1f600}"))
        .count();
    assert_eq!(wide, 1, "{case:?} {run}");
    assert_eq!(run.code, Some(2), "{case:?} {run}");
}

/// Returns some of the cases: every format, encoding and line end, but not all combinations.
fn some() -> Vec<Case> {
    let mut cases = cases();
    cases.retain(|case| {
        (case.encoding + case.format + usize::from(case.is_file)) % ENDS.len() == case.end
    });
    cases
}

/// Returns fewer cases: every format, encoding and line end occurs.
fn few() -> Vec<Case> {
    some().into_iter().step_by(5).collect()
}

#[test]
fn check_counts_every_line_of_a_list() {
    each("matrix-check", &some(), &["check"], accounts_for_every_line);
}

#[test]
#[ignore = "slow: runs hundreds of commands"]
fn each_command_counts_every_line_of_a_list() {
    each("matrix-all", &cases(), &["check"], accounts_for_every_line);
    let scan = ["scan", "--sandbox"];
    each("matrix-all-scan", &cases(), &scan, accounts_for_every_line);
}

#[test]
fn scan_counts_every_line_of_a_list() {
    each(
        "matrix-scan",
        &few(),
        &["scan", "--sandbox"],
        accounts_for_every_line,
    );
}

#[test]
fn plan_counts_every_line_of_a_list() {
    each("matrix-plan", &few(), &["plan"], |format, run, case| {
        let plan = run.json().remove(0);
        assert_eq!(plan["sources"], format.answered.len(), "{case:?} {run}");
        assert_eq!(plan["bad_lines"], format.reported.len(), "{case:?} {run}");
        assert_eq!(run.code, Some(2), "{case:?} {run}");
    });
}
