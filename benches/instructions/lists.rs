//! Counts the instructions of the command `plan` over lists of one line and of a thousand: the difference is
//! the cost of the lines. `GREENLIGHT` names the command.
//!
//! Every URL has a user name, so it is rejected without network access.

use std::{fmt::Write as _, path::PathBuf};

use gungraun::prelude::*;

#[binary_benchmark]
#[bench::csv_1("csv", 1)]
#[bench::csv_1000("csv", 1_000)]
#[bench::jsonl_1("jsonl", 1)]
#[bench::jsonl_1000("jsonl", 1_000)]
fn list(format: &str, lines: usize) -> gungraun::Command {
    let command = std::env::var_os("GREENLIGHT").expect("GREENLIGHT names the command");
    gungraun::Command::new(PathBuf::from(command))
        .args(["plan", "--format", "jsonl", "--quiet", "--from"])
        .arg(write_list(format, lines))
        .stdout(gungraun::Stdio::Null)
        .exit_with(gungraun::ExitWith::Code(1))
        .build()
}

fn write_list(format: &str, lines: usize) -> PathBuf {
    let mut text = String::from(if format == "csv" { "id,url\n" } else { "" });
    for line in 0..lines {
        let url = format!("https://user@images.example.com/catalogue/2026/{line:09}/front.jpg");
        if format == "csv" {
            writeln!(text, "{line},{url}").unwrap();
        } else {
            writeln!(text, "{{\"id\":{line},\"url\":\"{url}\"}}").unwrap();
        }
    }
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{lines}.{format}"));
    std::fs::write(&path, text).unwrap();
    path
}

binary_benchmark_group!(name = lists, benchmarks = list);

main!(binary_benchmark_groups = lists);
