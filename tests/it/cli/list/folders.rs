//! Folders on the command line and in lists: each gets a result or an error.

use std::fs;

use crate::cli::bench::{Bench, Run};

/// Returns per line the source, the line number, and the error or the code of the first violation.
fn answers(run: &Run) -> Vec<String> {
    let answer = |line: &serde_json::Value| {
        let code = line["violations"][0]["code"].as_str();
        let code = line["error"].as_str().or(code).unwrap_or("accept");
        let line_number = line.get("line").map(|number| format!("{number} "));
        let source = line["source"].as_str().unwrap();
        format!("{}{source}: {code}", line_number.unwrap_or_default())
    };
    run.json().iter().map(answer).collect()
}

fn bench(name: &str) -> Bench {
    let bench = Bench::new(name);
    bench.fixture("png/palette.png", "in/image/a.png");
    bench.write(
        "in/text/a.txt",
        "a text, which is not an image of any format",
    );
    bench.write("in/hidden/.a.png", "hidden");
    fs::create_dir_all(bench.path("in/empty")).unwrap();
    fs::create_dir_all(bench.path("in/nested/empty")).unwrap();
    bench
}

const EMPTY: &str = "no files in this folder; hidden files and links are skipped";

#[test]
fn a_folder_without_files_is_reported() {
    let bench = bench("folder-arguments");
    let args = ["image", "text", "hidden", "empty", "nested"].map(|name| format!("in/{name}"));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let run = bench.run(&[&["check", "--format", "jsonl"], &args[..]].concat());
    assert_eq!(
        answers(&run),
        [
            "in/image/a.png: accept".to_owned(),
            "in/text/a.txt: image/not-an-image".to_owned(),
            format!("in/hidden: {EMPTY}"),
            format!("in/empty: {EMPTY}"),
            format!("in/nested: {EMPTY}"),
        ],
        "{run}"
    );
    assert_eq!(run.code, Some(2), "{run}");
    let run = bench.run(&["plan", "in/empty"]);
    assert!(run.stdout.contains("1 inconclusive"), "{run}");
    assert_eq!(run.code, Some(2), "{run}");
    let run = bench.run(&["scan", "--sandbox", "in/empty", "--format", "jsonl"]);
    assert_eq!(answers(&run), [format!("in/empty: {EMPTY}")], "{run}");
    assert_eq!(run.code, Some(2), "{run}");
}

#[test]
fn a_folder_without_files_in_a_list_is_reported_with_its_line() {
    let bench = bench("folder-lines");
    bench.write("list.txt", "in/empty\n\nin/hidden\nin/image\nin/nested\n");
    for command in [&["check"][..], &["scan", "--sandbox"]] {
        let args = [
            "--from",
            "list.txt",
            "--files-under",
            "in",
            "--format",
            "jsonl",
        ];
        let run = bench.run(&[command, &args].concat());
        let wanted = [
            format!("1 in/empty: list.txt line 1: {EMPTY}"),
            format!("3 in/hidden: list.txt line 3: {EMPTY}"),
            "4 in/image/a.png: accept".to_owned(),
            format!("5 in/nested: list.txt line 5: {EMPTY}"),
        ];
        assert_eq!(answers(&run), wanted, "{run}");
        assert_eq!(run.code, Some(2), "{run}");
    }
    let args = [
        "--from",
        "list.txt",
        "--files-under",
        "in",
        "--format",
        "jsonl",
    ];
    let run = bench.run(&[&["plan"], &args[..]].concat());
    let plan = run.json().remove(0);
    let counts = ["sources", "accepted", "unreadable"].map(|count| &plan[count]);
    assert_eq!(counts, [4, 1, 3], "{run}");
}

#[cfg(unix)]
#[test]
fn unreadable_files_of_a_list_are_reported_with_their_line() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = bench("folder-unreadable");
    for name in ["in/locked/a.png", "in/locked.png"] {
        bench.write(name, "x");
    }
    let fifo = std::process::Command::new("mkfifo")
        .arg(bench.path("in/fifo"))
        .status();
    assert!(fifo.unwrap().success());
    let lock = |mode: u32| {
        for name in ["in/locked", "in/locked.png"] {
            fs::set_permissions(bench.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    lock(0);
    // The superuser may read everything.
    let is_locked = fs::read(bench.path("in/locked.png")).is_err();
    let list = if is_locked {
        "in/fifo\nin/none\nin/locked\nin/locked.png\n"
    } else {
        "in/fifo\nin/none\n"
    };
    bench.write("list.txt", list);
    let wanted = [
        "1 in/fifo: list.txt line 1: neither a file nor a folder",
        "2 in/none: list.txt line 2: cannot read: No such file or directory",
        "3 in/locked: list.txt line 3: cannot read: Permission denied",
        "4 in/locked.png: list.txt line 4: cannot read: Permission denied",
    ];
    let wanted = &wanted[..list.lines().count()];
    let args = [
        "--from",
        "list.txt",
        "--files-under",
        "in",
        "--format",
        "jsonl",
    ];
    let runs = [&["check"][..], &["scan", "--sandbox"]]
        .map(|command| bench.run(&[command, &args].concat()));
    lock(0o755);
    for run in runs {
        // `scan` prints the pipeline's message.
        let plain = |answer: &String| {
            answer
                .replace(" the file:", ":")
                .replace(" (os error 13)", "")
        };
        let answers: Vec<_> = answers(&run).iter().map(plain).collect();
        assert_eq!(answers, wanted, "{run}");
        assert_eq!(run.code, Some(2), "{run}");
    }
}
