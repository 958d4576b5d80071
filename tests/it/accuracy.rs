//! The truth that the example `accuracy` reads, and the programs that it runs.

#[allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "shared with the example, which measures times"
)]
#[path = "../../examples/accuracy/command.rs"]
mod command;
#[allow(dead_code, reason = "shared with the example")]
#[path = "../../examples/accuracy/truth.rs"]
mod truth;

use std::{fs, path::Path, time::Duration};

use command::{Ended, Program};

const HEAD: &str = "path\tcons_format\tfmt_status\tcons_dims\tdims_status\tcons_decode\ttags";

/// Reads a folder with one file, `a`, and this truth.
fn read(truth: &str) -> Result<Vec<truth::File>, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("a"), "x").expect("a file");
    fs::write(folder.path().join("truth.tsv"), truth).expect("a file");
    truth::folder(folder.path())
}

#[test]
fn truth_is_read_with_a_mark_blank_lines_and_other_names() {
    let truth = format!(
        "\u{feff}{HEAD}\r\na\tJPEG\tagree\t3x4\tmajority\tclean\tx\r\n\r\n\
         a\tjpg\tmajority\t3x4\tweak\tcorrupt\n\n  \na\t-\t-\t-\t-\tother\t\n"
    );
    let files = read(&truth).unwrap();
    let formats: Vec<_> = files.iter().map(|file| file.format.as_deref()).collect();
    assert_eq!(formats, [Some("jpeg"), Some("jpeg"), None]);
    let sides: Vec<_> = files.iter().map(|file| file.dimensions).collect();
    assert_eq!(sides, [Some((3, 4)), None, None]);
    let good: Vec<_> = files.iter().map(|file| file.is_good).collect();
    assert_eq!(good, [true, false, false]);
    let corrupt: Vec<_> = files.iter().map(|file| file.is_corrupt).collect();
    assert_eq!(corrupt, [false, true, false]);
    assert_eq!(files[0].bytes, b"x");
}

#[test]
fn each_malformed_line_is_reported_with_its_number() {
    let rows = [
        ("a\tpng", "2 cells, not 7"),
        ("a\tpng\tagree\t3x4\tagree\tclean\t\t", "8 cells, not 7"),
        (
            "a\tpng\tagreed\t3x4\tagree\tclean\t",
            "`fmt_status` is `agreed`, not one of agree",
        ),
        (
            "a\tpng\tagree\t3x4\t\tclean\t",
            "`dims_status` is ``, not one of agree",
        ),
        (
            "a\tpng\tagree\t3x4\tagree\tgood\t",
            "`cons_decode` is `good`, not one of clean",
        ),
        (
            "a\tpng\tagree\t3*4\tagree\tclean\t",
            "`cons_dims` is `3*4`, not like 640x480",
        ),
        (
            "a\tpng\tagree\t3x-4\tweak\tclean\t",
            "`cons_dims` is `3x-4`, not like 640x480",
        ),
        (
            "a\tpng\tagree\t-\tagree\tclean\t",
            "no `cons_dims`, but they are `agree`",
        ),
        (
            "a\t\tagree\t-\t-\tclean\t",
            "no `cons_format`, but it is `agree`",
        ),
        ("\tpng\tagree\t-\t-\tclean\t", "no `path`"),
        ("absent\tpng\tagree\t-\t-\tclean\t", "absent: "),
    ];
    let lines: Vec<_> = rows.iter().map(|(row, _)| *row).collect();
    let good = "a\tpng\tagree\t3x4\tagree\tclean\t";
    let error = read(&format!("{HEAD}\n\n{good}\n{}\n", lines.join("\n"))).unwrap_err();
    let mut seen = error.lines();
    assert_eq!(seen.next(), Some("11 malformed lines"));
    for (at, (row, expected)) in rows.iter().enumerate() {
        let line = seen.next().unwrap();
        let place = format!("truth.tsv:{}: ", at + 4);
        assert!(
            line.contains(&place) && line.contains(expected),
            "{row}: {line}"
        );
    }
    assert_eq!(seen.next(), None);

    let error = read(&format!("{HEAD}\n{}", "a\n".repeat(30))).unwrap_err();
    assert!(
        error.starts_with("30 malformed lines\n") && error.ends_with("\n10 more"),
        "{error}"
    );
}

#[test]
fn a_truth_without_files_is_an_error() {
    for (truth, expected) in [
        ("", "truth.tsv: the file is empty"),
        (HEAD, "truth.tsv: no files"),
        ("path\tcons_format\n", "truth.tsv: no column `fmt_status`"),
    ] {
        let error = read(truth).unwrap_err();
        assert!(error.ends_with(expected), "{error}");
    }
    let error = truth::folder(Path::new("/absent")).unwrap_err();
    assert!(error.starts_with("/absent/truth.tsv: "), "{error}");
}

#[test]
fn a_command_that_would_not_see_the_file_is_an_error() {
    for (command, expected) in [
        ("identify", "no argument has `{}`"),
        ("{}", "no argument has `{}`"),
        ("", "no argument has `{}`"),
        ("sh -c 'x {}", "a quote is not closed"),
    ] {
        let error = Program::parse(command).unwrap_err();
        assert!(error.contains(expected), "{command}: {error}");
    }
    let program = Program::parse("greenlight-absent-program {}").unwrap();
    let error = program
        .run(Path::new("a"), Duration::from_secs(10))
        .unwrap_err();
    assert!(
        error.starts_with("`greenlight-absent-program` cannot be started: "),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn commands_are_split_like_those_of_a_shell_and_end_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two  words'");
    fs::write(&path, "x").unwrap();
    let run = |command: &str, limit| Program::parse(command).unwrap().run(&path, limit).unwrap();
    let (long, short) = (Duration::from_secs(60), Duration::from_millis(50));
    let exited = |is_success| Ended::Exited { is_success };
    assert_eq!(run("test -s {}", long), exited(true));
    assert_eq!(run(r#"sh -c 'test -s "$1"' "a b" {}"#, long), exited(true));
    assert_eq!(run("test -d {}", long), exited(false));
    assert_eq!(run("test {} = {}", long), exited(true));
    assert_eq!(run("sh -c 'kill -9 $$' {}", long), Ended::Crashed);
    let Ended::TimedOut(after) = run("yes {}", short) else {
        panic!("`yes` does not end");
    };
    assert!(after >= short);

    // The processes that the program started are killed as well: the last one would write to the file.
    let second = Duration::from_secs(1);
    let script = r#"sh -c '(sleep 2; echo late > "$1") & wait' x {}"#;
    assert!(matches!(run(script, second), Ended::TimedOut(_)));
    std::thread::sleep(2 * second);
    assert_eq!(fs::read_to_string(&path).unwrap(), "x");
}
