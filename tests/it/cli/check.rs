//! `greenlight check`.

use insta::assert_snapshot;

use super::bench::Bench;

#[test]
fn what_cannot_be_read_has_a_line_and_outranks_a_rejection() {
    let bench = Bench::new("check-unreadable");
    bench.write("empty.png", "");
    let run = bench.run(&["check", "empty.png", "no-such.png", "ftp://host/a.png"]);
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----
    DECISION      FORMAT         PIXELS       BYTES  SOURCE
    reject        -                   -           0  empty.png
                  image/empty: the file is empty
    inconclusive  -                   -           -  no-such.png
                  error: cannot read: No such file or directory
    reject        -                   -           -  ftp://host/a.png
                  url/scheme: scheme `ftp` is not http or https

    3 sources: 2 reject, 1 inconclusive
         1  url/scheme
         1  image/empty

    ----- stderr -----
    ");
    assert_eq!(bench.run(&["check", "empty.png"]).code, Some(1));
    let run = bench.run(&["check", "no-such.png", "--format", "jsonl"]);
    assert_snapshot!(run, @r#"
    exit: 2
    ----- stdout -----
    {"source":"no-such.png","decision":"inconclusive","format":null,"width":null,"height":null,"bytes":null,"frames":null,"violations":[],"download":null,"error":"cannot read: No such file or directory"}

    ----- stderr -----
    "#);
}

#[test]
fn a_folder_gives_every_regular_file_in_it_in_one_order() {
    let bench = Bench::new("check-folder");
    for name in [
        "b.png",
        "a/2.png",
        "a/10.png",
        "a/deep/er/x",
        "c.txt",
        ".hidden",
        ".git/config",
        "a/.secret",
    ] {
        bench.write(&format!("in/{name}"), "");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("..", bench.path("in/a/circle")).unwrap();
        std::os::unix::fs::symlink("b.png", bench.path("in/link.png")).unwrap();
    }
    let members = ["a/10.png", "a/2.png", "a/deep/er/x", "b.png", "c.txt"];
    for given in ["in", "in/", "./in", "in/../in"] {
        let run = bench.run(&["check", given, "--format", "jsonl"]);
        let joined = members.map(|member| format!("{}/{member}", given.trim_end_matches('/')));
        assert_eq!(run.texts("source"), joined);
    }
    let run = bench.run(&["check", "in/.git", "in/.hidden", "--format", "jsonl"]);
    assert_eq!(
        run.texts("source"),
        ["in/.git/config", "in/.hidden"],
        "named ones are not skipped"
    );
}

#[test]
fn the_current_folder_is_a_folder() {
    let bench = Bench::new("check-here");
    bench.write("a.png", "");
    let run = bench.run(&["check", ".", "--format", "jsonl"]);
    assert_eq!(run.texts("source"), ["./a.png"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let bench = Bench::new("check-pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(bench.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    let run = bench.run(&["check", "pipe", "/dev/null", "--format", "jsonl"]);
    assert_eq!(
        run.texts("error"),
        ["neither a file nor a folder", "neither a file nor a folder"]
    );
    assert_eq!(run.code, Some(2));
}
