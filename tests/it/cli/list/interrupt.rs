//! Reading a list that blocks can be interrupted.
#![cfg(unix)]

use std::{
    fs::OpenOptions,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::cli::{bench::Bench, running::signal};

/// A list that blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silent {
    /// A FIFO that no process writes to.
    FifoWithoutWriter,
    /// A FIFO whose writer writes nothing.
    Fifo,
    /// A pipe whose writer writes nothing.
    StandardInput,
}

const COMMANDS: [&[&str]; 5] = [
    &["check"],
    &["check", "--list-format", "csv"],
    &["plan"],
    &["scan", "--sandbox"],
    &["report", "--html", "report.html"],
];

/// How often to check for the end: far longer than an interrupted command needs.
const LOOKS: usize = 600;

/// Waits for the process to end, or kills it.
fn code_of(mut child: Child) -> Result<Option<i32>, &'static str> {
    for _ in 0..LOOKS {
        if let Some(status) = child.try_wait().unwrap() {
            return Ok(status.code());
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    Err("it does not end")
}

fn is_interruptible(bench: &Bench, command: &[&str], from: Silent, name: &str) {
    let list = match from {
        Silent::StandardInput => "-",
        Silent::Fifo | Silent::FifoWithoutWriter => "fifo",
    };
    // A process that starts slowly has no signal handler yet.
    for wait in [1, 2, 4, 8] {
        let mut child = bench
            .command(&[command, &["--from", list]].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _open = (from == Silent::StandardInput).then(|| child.stdin.take());
        thread::sleep(Duration::from_secs(wait));
        signal(&child, name);
        let code = code_of(child).unwrap_or_else(|why| panic!("{command:?} {from:?}: {why}"));
        if code.is_some() {
            assert_eq!(code, Some(130), "{command:?} {from:?} {name}");
            return;
        }
    }
    panic!("{command:?} {from:?}: it sets no handler");
}

#[test]
fn a_list_that_blocks_can_be_interrupted() {
    for from in [
        Silent::FifoWithoutWriter,
        Silent::Fifo,
        Silent::StandardInput,
    ] {
        let bench = Bench::new(&format!("list-silent-{from:?}"));
        let made = Command::new("mkfifo").arg(bench.path("fifo")).status();
        assert!(made.unwrap().success());
        let _writer = (from == Silent::Fifo).then(|| {
            // Open to both ends, so that opening waits for no reader.
            let mut options = OpenOptions::new();
            options.read(true).write(true).open(bench.path("fifo"))
        });
        thread::scope(|scope| {
            for command in COMMANDS {
                for name in ["INT", "TERM"] {
                    let bench = &bench;
                    scope.spawn(move || is_interruptible(bench, command, from, name));
                }
            }
        });
    }
}

#[test]
fn a_fifo_is_read_like_standard_input() {
    let bench = Bench::new("list-fifo");
    let made = Command::new("mkfifo").arg(bench.path("list.csv")).status();
    assert!(made.unwrap().success());
    let path = bench.path("list.csv");
    let writer = thread::spawn(move || std::fs::write(path, "url\nftp://one\n"));
    let run = bench.run(&["check", "--from", "list.csv", "--format", "jsonl"]);
    writer.join().unwrap().unwrap();
    assert_eq!(run.texts("source"), ["ftp://one"], "{run}");
}
