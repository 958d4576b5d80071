//! The benchmarks: `cargo bench --all-features`. See `benches/README.md`.
//!
//!     cargo bench --all-features                        everything, at most 15 minutes on 2 cores
//!     cargo bench --all-features -- structure/png sign  names that contain one of these texts
//!     cargo bench --all-features -- --list              the names
//!     GREENLIGHT_BENCH=quick cargo bench --all-features at most 2 minutes, less exact
//!     GREENLIGHT_BENCH=long cargo bench --all-features  also the longest lists
//!     GREENLIGHT_BENCH=once cargo bench --all-features  shows that they run; measures and writes nothing
//!
//! Names are `area/depth/format/size/who`. A text is compared with the name without `who`, or is a name
//! with it; all sides of a benchmark run.

#![cfg_attr(
    feature = "full",
    allow(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        clippy::disallowed_methods,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::unwrap_used,
        missing_docs,
        reason = "benchmarks compute with small numbers, print, and panic when they fail"
    )
)]

#[cfg(not(feature = "full"))]
#[allow(
    clippy::print_stderr,
    clippy::exit,
    reason = "reports how to run the benchmarks"
)]
fn main() {
    eprintln!("the benchmarks need all features: cargo bench --all-features");
    std::process::exit(2);
}

#[cfg(feature = "full")]
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../fixtures/costly.rs"]
mod costly;
#[cfg(feature = "full")]
mod gate;
#[cfg(feature = "full")]
mod harness;
#[cfg(feature = "full")]
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/images.rs"]
mod images;
#[cfg(feature = "full")]
mod inspect;
#[cfg(feature = "full")]
mod kept;
#[cfg(feature = "full")]
mod ledger;
#[cfg(feature = "full")]
mod list;
#[cfg(feature = "full")]
mod machine;
#[cfg(feature = "full")]
mod pictures;
#[cfg(feature = "full")]
mod pipeline;
#[cfg(feature = "full")]
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/postgres_server.rs"]
mod postgres_server;
#[cfg(feature = "full")]
mod probe;
#[cfg(feature = "full")]
mod process;
#[cfg(feature = "full")]
mod scale;
#[cfg(feature = "full")]
mod sign;
mod signature;
#[cfg(feature = "full")]
mod upload;

#[cfg(feature = "full")]
const HELP: &str = "\
Usage: cargo bench --all-features --bench suite -- [--list] [TEXT]...

  TEXT    run the benchmarks whose names contain one of these texts; by default all
  --list  print the names, area/depth/format/size/who, and run nothing

GREENLIGHT_BENCH is the scale:
  once    run everything once; nothing is measured or written
  quick   at most 2 minutes, less exact; written to target/bench/quick/suite.json
  full    the default; written to target/bench/suite.json
  long    also the longest lists; written to target/bench/suite.json";

#[cfg(feature = "full")]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    // Servers and contenders whose memory is measured run in processes of their own.
    if let [first, role, rest @ ..] = &arguments[..]
        && first == process::CHILD
    {
        child(role, rest);
        return std::process::ExitCode::SUCCESS;
    }
    if arguments.iter().any(|one| one == "--help" || one == "-h") {
        println!("{HELP}");
        return std::process::ExitCode::SUCCESS;
    }
    match measure(arguments) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::from(2)
        }
    }
}

#[cfg(feature = "full")]
fn child(role: &str, arguments: &[String]) {
    match role {
        "sandbox" => pipeline::serve(),
        "plan" => pipeline::plan(arguments),
        "scan" => pipeline::scan(arguments, false, None),
        "scan-v2" => pipeline::scan(arguments, true, None),
        "scan-v2-paced" => pipeline::scan(arguments, true, Some(100)),
        "upload" => upload::serve(arguments),
        "files" => probe::files::serve(),
        "probe" => probe::contender::run(arguments),
        other => panic!("no such role: {other}"),
    }
}

#[cfg(feature = "full")]
fn measure(arguments: Vec<String>) -> Result<(), String> {
    let mut suite = harness::Suite::new(arguments)?;
    inspect::run(&mut suite);
    gate::run(&mut suite);
    sign::run(&mut suite);
    upload::run(&mut suite);
    ledger::run(&mut suite);
    list::run(&mut suite);
    pipeline::run(&mut suite);
    probe::run(&mut suite);
    suite.finish()
}
