//! The benchmarks: `cargo bench --all-features`. See `benches/README.md`.
//!
//!     cargo bench --all-features                        everything, at most 15 minutes on 2 cores
//!     cargo bench --all-features -- structure/png sign  names that contain one of these texts
//!     cargo bench --all-features -- --list              the names
//!     GREENLIGHT_BENCH=quick cargo bench --all-features at most 2 minutes, less exact
//!     GREENLIGHT_BENCH=long cargo bench --all-features  also the longest lists
//!
//! Names are `area/depth/format/size/who`.

#![cfg_attr(
    feature = "full",
    allow(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        clippy::disallowed_methods,
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
mod ledger;
#[cfg(feature = "full")]
mod list;
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
mod sign;
mod signature;
#[cfg(feature = "full")]
mod upload;

#[cfg(feature = "full")]
fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    // Servers and contenders whose memory is measured run in processes of their own.
    if let [first, role, rest @ ..] = &arguments[..]
        && first == process::CHILD
    {
        return match role.as_str() {
            "sandbox" => pipeline::serve(),
            "plan" => pipeline::plan(rest),
            "scan" => pipeline::scan(rest, false, None),
            "scan-v2" => pipeline::scan(rest, true, None),
            "scan-v2-paced" => pipeline::scan(rest, true, Some(100)),
            "upload" => upload::serve(rest),
            "files" => probe::files::serve(),
            "probe" => probe::contender::run(rest),
            other => panic!("no such role: {other}"),
        };
    }
    let mut suite = harness::Suite::new(arguments);
    inspect::run(&mut suite);
    gate::run(&mut suite);
    sign::run(&mut suite);
    upload::run(&mut suite);
    ledger::run(&mut suite);
    list::run(&mut suite);
    pipeline::run(&mut suite);
    probe::run(&mut suite);
    suite.finish();
}
