//! The command `plan` over lists of growing length: lines per second, and the peak memory.
//!
//! Every URL has a user name, so it is rejected without network access: reading the list, finding
//! duplicates and the text rules are measured. A tenth of the lines are duplicates. The limits are a search for line ends in the same
//! bytes, and the pipe that they come through.

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    harness::{Kind, Rounds, Scale, Side, Suite, Unit},
    process,
};

pub(crate) fn run(suite: &mut Suite) {
    let lengths: &[u64] = match suite.scale {
        Scale::Once => &[1_000],
        Scale::Quick => &[1_000, 10_000, 100_000],
        Scale::Full => &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
        Scale::Long => &[1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000],
    };
    for format in ["csv", "jsonl"] {
        for lines in lengths {
            // One format is enough for the longest lists.
            if format != "csv" && *lines > 100_000 {
                continue;
            }
            let rate = format!("list/plan/{format}/{lines}");
            let memory = format!("memory/list/{format}/{lines}");
            let names = [(rate.as_str(), Unit::PerSecond), (&memory, Unit::Bytes)];
            let sides = vec![
                Side::many("greenlight", Kind::Ours, || plan(format, *lines)),
                Side::many("memchr", Kind::Limit, || {
                    vec![search(format, *lines), f64::NAN]
                }),
                Side::many("wc", Kind::Limit, || {
                    let mut wc = Command::new("wc");
                    through(wc.arg("-l"), format, *lines).1
                }),
            ];
            suite.compare_all(&names, None, Rounds::Exactly(1), sides);
        }
    }
}

/// Returns lines per second and the peak memory.
fn plan(format: &str, lines: u64) -> Vec<f64> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
    command.args([
        "plan",
        "--from",
        "-",
        "--list-format",
        format,
        "--format",
        "jsonl",
        "--quiet",
    ]);
    let (output, figures) = through(&mut command, format, lines);
    let plan: serde_json::Value = serde_json::from_str(&output).unwrap();
    let counts = ["sources", "rejected", "duplicates"].map(|field| plan[field].as_u64());
    let duplicates = lines - distinct(lines);
    assert_eq!(counts, [lines, lines, duplicates].map(Some), "{plan}");
    figures
}

/// Writes a list to a command, and returns its output, lines per second and the peak memory.
fn through(command: &mut Command, format: &str, lines: u64) -> (String, Vec<f64>) {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id().to_string();
    let mut input = child.stdin.take().unwrap();
    let mut output = String::new();
    let mut peak = f64::NAN;
    thread::scope(|scope| {
        scope.spawn(move || chunks(format, lines, |chunk| input.write_all(chunk).unwrap()));
        let watching = scope.spawn(move || {
            let mut peak = f64::NAN;
            // A process that has ended has no memory any more.
            while let Some(memory) = process::memory(&id, "VmHWM") {
                peak = memory;
                thread::sleep(Duration::from_millis(5));
            }
            peak
        });
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut output)
            .unwrap();
        child.wait().unwrap();
        peak = watching.join().unwrap();
    });
    (
        output,
        vec![lines as f64 / start.elapsed().as_secs_f64(), peak],
    )
}

/// Returns lines per second of a search for line ends.
fn search(format: &str, lines: u64) -> f64 {
    let mut elapsed = Duration::ZERO;
    let mut found = 0;
    chunks(format, lines, |chunk| {
        let start = Instant::now();
        found += memchr::memchr_iter(b'\n', chunk).count() as u64;
        elapsed += start.elapsed();
    });
    assert!(found >= lines);
    lines as f64 / elapsed.as_secs_f64()
}

/// Returns how many lines are no duplicates.
const fn distinct(lines: u64) -> u64 {
    lines - lines / 10
}

/// Generates a list of URLs in chunks.
fn chunks(format: &str, lines: u64, mut take: impl FnMut(&[u8])) {
    let mut chunk = Vec::with_capacity(70_000);
    if format == "csv" {
        chunk.extend(b"id,url\n");
    }
    for line in 0..lines {
        let line = line % distinct(lines);
        let url =
            format_args!("https://user@images.example.com/catalogue/2026/{line:09}/front.jpg");
        if format == "csv" {
            writeln!(chunk, "{line},{url}").unwrap();
        } else {
            writeln!(chunk, "{{\"id\":{line},\"url\":\"{url}\"}}").unwrap();
        }
        if chunk.len() > 65_536 {
            take(&chunk);
            chunk.clear();
        }
    }
    take(&chunk);
}
