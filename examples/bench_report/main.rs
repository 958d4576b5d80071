//! Draws the benchmarks: `benches/report/*.svg`, `index.html`, and the table in the project's README.
//!
//!     cargo run --example bench_report                   from the kept results in benches/report
//!     cargo run --example bench_report -- target/bench   keeps the measurements of that folder first
//!
//! The measurements are `suite.json` (`cargo bench --all-features`), `accuracy.csv` (the example `accuracy`),
//! `npm.csv` (npm/bench/peers.mjs) and `python.csv` (python/bench/readers.py). Each is optional but the first.
//! All are read and checked before anything is written.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "draws numbers, and prints what it wrote"
)]

#[path = "draw.rs"]
mod draw;

use std::{path::Path, process::ExitCode};

const HELP: &str = "\
Draws the benchmarks' report in benches/report, and the table in README.md.

Usage: cargo run --example bench_report [-- FOLDER]

  FOLDER  a folder with new measurements, such as target/bench: suite.json, accuracy.csv, npm.csv or python.csv.
          They replace the kept ones in benches/report. Without FOLDER the kept ones are drawn.

Everything is read and checked before anything is written.";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments.iter().any(|one| one == "--help" || one == "-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let folder = match &arguments[..] {
        [] => None,
        [folder] if !folder.to_string_lossy().starts_with('-') => Some(Path::new(folder)),
        _ => {
            eprintln!("error: one folder at most is expected\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match draw::draw(Path::new(env!("CARGO_MANIFEST_DIR")), folder) {
        Ok(written) => {
            println!("{written}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}\nNothing was written.");
            ExitCode::from(2)
        }
    }
}
