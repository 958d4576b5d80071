//! Compares what image checkers accept with what is known about the files.
//!
//!     cargo run --release --features decode --example accuracy              the fixtures
//!     cargo run --release --features decode --example accuracy -- DIR       a folder with `truth.tsv`
//!     … --with-command 'identify -regard-warnings {}'                       also any program
//!     … --time-limit SECONDS                                                of a program, for each file; default: 10
//!     … --csv FILE                                                          default: target/bench/accuracy.csv
//!
//! `truth.tsv` has a head with the names of its columns, and a line for each file:
//!
//! - `path`, relative to the folder;
//! - `cons_format`, such as `jpeg`, or `none` for a file that is not an image, and `fmt_status`;
//! - `cons_dims`, such as `640x480`, as stored, or `-`, and `dims_status`;
//! - `cons_decode`: `clean` and `tolerated` are good, `corrupt` is corrupt, and `disputed`, `other` and `-` count
//!   for neither.
//!
//! A status is `agree` or `majority`, which count, or `weak` or `-`. Other columns are ignored.
//!
//! A program accepts a file if its exit code is 0. Its command is split like that of a POSIX shell, with quotes
//! and backslashes, but it is run without a shell, without input, and its output is discarded. `{}` in an argument
//! is replaced by the path. A program that does not end in time is killed, on Unix with the processes that it
//! started; it does not accept the file, which is counted as a timeout and not read again. The time per file does not
//! include timeouts.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "measures times, and prints a table"
)]

#[allow(dead_code, unreachable_pub, reason = "shared with the tests")]
#[path = "../../fixtures/catalogue/mod.rs"]
mod catalogue;
mod command;
mod fixtures;
mod readers;
mod truth;

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::Write as _,
    fs,
    panic::set_hook,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use readers::{Outcome, Reader};
use truth::File;

const HELP: &str = "\
Compares what image checkers accept with what is known about the files.

Usage: cargo run --release --features decode --example accuracy -- [OPTION]... [DIR]

  DIR                      a folder with truth.tsv, whose columns are described in
                           examples/accuracy/main.rs; by default the project's fixtures
  --with-command 'CMD {}'  also run a program, which accepts a file if its exit code is 0;
                           {} is replaced by the path; may be repeated
  --time-limit SECONDS     kill a program after this time for a file; default: 10
  --csv FILE               default: target/bench/accuracy.csv
  -h, --help               print this help";

/// The times are the medians of these rounds; each reader is the first one in turn.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

struct Arguments {
    folder: Option<PathBuf>,
    commands: Vec<String>,
    limit: Duration,
    csv: PathBuf,
}

/// Reads the arguments. There are none if the help is wanted.
fn arguments() -> Result<Option<Arguments>, String> {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let mut all = Arguments {
        folder: None,
        commands: Vec::new(),
        limit: Duration::from_secs(10),
        csv: target.join("accuracy.csv"),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or(format!("{argument} without a value"))
        };
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--with-command" => all.commands.push(value()?),
            "--csv" => all.csv = value()?.into(),
            "--time-limit" => {
                let seconds = value()?.parse().ok().filter(|seconds| *seconds > 0.0);
                let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                all.limit = limit.ok_or("--time-limit is not a number of seconds above 0")?;
            }
            option if option.starts_with('-') => {
                return Err(format!("no such option: {option}; --help lists them"));
            }
            folder => {
                if let Some(first) = all.folder.replace(PathBuf::from(folder)) {
                    let first = first.display();
                    return Err(format!("two folders: {first} and {folder}; pass one"));
                }
            }
        }
    }
    Ok(Some(all))
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(arguments) = arguments()? else {
        println!("{HELP}");
        return Ok(());
    };
    let mut readers = readers::all();
    for command in &arguments.commands {
        readers.push(readers::command(command, arguments.limit)?);
    }
    let (files, name) = match &arguments.folder {
        Some(folder) => (truth::folder(folder)?, folder_name(folder)),
        None => (fixtures::files(), "fixtures".to_owned()),
    };
    // Panics are counted.
    set_hook(Box::new(|_| ()));
    let tallies = measure(&files, &readers)?;
    let count = |is: fn(&File) -> bool| files.iter().filter(|file| is(file)).count();
    println!(
        "{} files: {} good, {} corrupt, {} neither\n",
        files.len(),
        count(|file| file.is_good),
        count(|file| file.is_corrupt),
        count(|file| !file.is_good && !file.is_corrupt),
    );
    print!("{}", table(&readers, &tallies));
    if cfg!(not(feature = "decode")) {
        println!("\nwithout `--features decode` there is no depth decode");
    }
    let csv = arguments.csv;
    if let Some(folder) = csv.parent() {
        fs::create_dir_all(folder)?;
    }
    let source = source(files.len(), &name);
    fs::write(&csv, format!("{source}{}", lines(&readers, &tallies)))?;
    println!("\nwritten to {}", csv.display());
    Ok(())
}

/// The last part of the path, in a line.
fn folder_name(folder: &Path) -> String {
    let folder = folder
        .canonicalize()
        .unwrap_or_else(|_| folder.to_path_buf());
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.replace(char::is_control, " ")
}

/// States of what the table is, in a line.
fn source(files: usize, name: &str) -> String {
    let commit = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let commit = commit.ok().filter(|commit| !commit.is_empty());
    format!(
        "# measured on {} at commit {}: {files} files of {name}\n",
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        commit.as_deref().unwrap_or("unknown"),
    )
}

/// What one reader did with the files that are for it.
#[derive(Default)]
struct Tally {
    good: usize,
    good_refused: usize,
    corrupt: usize,
    corrupt_accepted: usize,
    formats: usize,
    wrong_formats: usize,
    dimensions: usize,
    wrong_dimensions: usize,
    panics: usize,
    timeouts: usize,
    micros: Vec<f64>,
}

impl Tally {
    fn note(&mut self, file: &File, outcome: &Outcome) {
        let reading = match outcome {
            Outcome::Read(reading) => Some(reading),
            Outcome::Panicked | Outcome::TimedOut(_) => None,
        };
        let accepts = reading.is_some_and(|reading| reading.accepts);
        self.panics += usize::from(matches!(outcome, Outcome::Panicked));
        self.timeouts += usize::from(matches!(outcome, Outcome::TimedOut(_)));
        self.good += usize::from(file.is_good);
        self.good_refused += usize::from(file.is_good && !accepts);
        self.corrupt += usize::from(file.is_corrupt);
        self.corrupt_accepted += usize::from(file.is_corrupt && accepts);
        let Some(reading) = reading else { return };
        // Names of other formats vary, and do not matter: neither is scanned.
        let is_scanned = |format: &String| readers::ALL.contains(&format.as_str());
        if let (Some(theirs), Some(truth)) = (&reading.format, &file.format)
            && (is_scanned(theirs) || is_scanned(truth))
        {
            self.formats += 1;
            self.wrong_formats += usize::from(theirs != truth);
        }
        if let (Some(theirs), Some(truth)) = (reading.dimensions, file.dimensions) {
            self.dimensions += 1;
            self.wrong_dimensions += usize::from(theirs != truth);
        }
    }
}

fn measure(files: &[File], readers: &[Reader]) -> Result<Vec<Tally>, String> {
    let mut tallies: Vec<_> = readers.iter().map(|_| Tally::default()).collect();
    let mut late: Vec<_> = readers.iter().map(|_| BTreeSet::new()).collect();
    for round in 0..ROUNDS {
        for at in (0..readers.len()).map(|at| (at + round) % readers.len()) {
            let (reader, tally) = (&readers[at], &mut tallies[at]);
            let own = files.iter().filter(|file| reader.is_for(file));
            let own: Vec<_> = own.filter(|file| !late[at].contains(&file.path)).collect();
            let start = Instant::now();
            let read = own.iter().map(|file| {
                let outcome = (reader.read)(file);
                if matches!(outcome, Ok(Outcome::TimedOut(_))) {
                    // Shows that it is at work: timeouts of all files take long.
                    eprintln!("timeout: {} of {}", reader.name, file.path.display());
                }
                outcome
            });
            let outcomes = read.collect::<Result<Vec<_>, _>>()?;
            let mut elapsed = start.elapsed();
            let mut count = own.len();
            for (file, outcome) in own.iter().zip(&outcomes) {
                if let Outcome::TimedOut(after) = outcome {
                    late[at].insert(&file.path);
                    elapsed = elapsed.saturating_sub(*after);
                    count -= 1;
                }
                if round == 0 {
                    tally.note(file, outcome);
                }
            }
            let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
            let micros = elapsed.as_secs_f64() * 1e6;
            tally.micros.push(micros / f64::from(count));
        }
    }
    Ok(tallies)
}

const COLUMNS: [&str; 11] = [
    "good",
    "good refused",
    "corrupt",
    "corrupt accepted",
    "formats",
    "wrong format",
    "dimensions",
    "wrong dimensions",
    "panics",
    "timeouts",
    "us per file",
];

fn cells(tally: &Tally) -> [String; COLUMNS.len()] {
    let mut micros = tally.micros.clone();
    micros.sort_by(f64::total_cmp);
    let median = micros.get(micros.len() / 2).copied().unwrap_or_default();
    let counts = [
        tally.good,
        tally.good_refused,
        tally.corrupt,
        tally.corrupt_accepted,
        tally.formats,
        tally.wrong_formats,
        tally.dimensions,
        tally.wrong_dimensions,
        tally.panics,
        tally.timeouts,
    ];
    let mut cells = [const { String::new() }; COLUMNS.len()];
    for (cell, count) in cells.iter_mut().zip(counts) {
        *cell = count.to_string();
    }
    if let Some(last) = cells.last_mut() {
        *last = format!("{median:.2}");
    }
    cells
}

fn table(readers: &[Reader], tallies: &[Tally]) -> String {
    let width = readers.iter().map(|reader| reader.name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = format!("{:width$}", "reader");
    for column in COLUMNS {
        let _ = write!(text, "  {column}");
    }
    text.push('\n');
    for (reader, tally) in readers.iter().zip(tallies) {
        let _ = write!(text, "{:width$}", reader.name);
        for (column, cell) in COLUMNS.iter().zip(cells(tally)) {
            let _ = write!(text, "  {cell:>width$}", width = column.len());
        }
        text.push('\n');
    }
    text
}

fn lines(readers: &[Reader], tallies: &[Tally]) -> String {
    let mut text = format!("reader,{}\n", COLUMNS.join(","));
    for (reader, tally) in readers.iter().zip(tallies) {
        let name = reader.name.replace('"', "\"\"");
        let _ = writeln!(text, "\"{name}\",{}", cells(tally).join(","));
    }
    text
}
