//! Compares what image checkers accept with what is known about the files.
//!
//!     cargo run --release --features decode --example accuracy              the fixtures
//!     cargo run --release --features decode --example accuracy -- DIR       a folder with `truth.tsv`
//!     … --with-command 'identify -regard-warnings {}'                       also any program
//!     … --csv FILE                                                          default: target/bench/accuracy.csv
//!
//! `truth.tsv` has the columns `path`, `cons_format`, `fmt_status` and `dims_status` (`agree` and `majority`
//! count), `cons_dims` (`640x480`, as stored) and `cons_decode` (`clean` and `tolerated` are good,
//! `corrupt` is corrupt, and others count for neither). A program accepts a file if its exit code is
//! 0; it is run without a shell.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "measures times, and prints a table"
)]

#[allow(dead_code, unreachable_pub, reason = "shared with the tests")]
#[path = "../../fixtures/catalogue/mod.rs"]
mod catalogue;
mod readers;
mod truth;

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use readers::{Reader, Reading};
use truth::File;

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

fn run() -> Result<(), Box<dyn Error>> {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let mut csv = target.join("accuracy.csv");
    let (mut folder, mut commands) = (None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or(format!("{argument} without a value"))
        };
        match argument.as_str() {
            "--with-command" => commands.push(value()?),
            "--csv" => csv = value()?.into(),
            option if option.starts_with('-') => {
                return Err(format!("no such option: {option}").into());
            }
            _ => folder = Some(PathBuf::from(&argument)),
        }
    }
    let files = match folder {
        Some(folder) => truth::folder(&folder)?,
        None => truth::fixtures(),
    };
    let mut readers = readers::all();
    readers.extend(commands.iter().map(|command| readers::command(command)));
    // Panics are counted.
    set_hook(Box::new(|_| ()));
    let tallies = measure(&files, &readers);
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
    if let Some(folder) = csv.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&csv, lines(&readers, &tallies))?;
    println!("\nwritten to {}", csv.display());
    Ok(())
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
    micros: Vec<f64>,
}

impl Tally {
    fn note(&mut self, file: &File, reading: Option<&Reading>) {
        let accepts = reading.is_some_and(|reading| reading.accepts);
        self.panics += usize::from(reading.is_none());
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

fn measure(files: &[File], readers: &[Reader]) -> Vec<Tally> {
    let mut tallies: Vec<_> = readers.iter().map(|_| Tally::default()).collect();
    for round in 0..ROUNDS {
        for at in (0..readers.len()).map(|at| (at + round) % readers.len()) {
            let (reader, tally) = (&readers[at], &mut tallies[at]);
            let own: Vec<_> = files.iter().filter(|file| reader.is_for(file)).collect();
            let start = Instant::now();
            let read = own.iter().map(|file| {
                let reading = catch_unwind(AssertUnwindSafe(|| (reader.read)(file)));
                reading.ok()
            });
            let readings: Vec<_> = read.collect();
            let micros = start.elapsed().as_secs_f64() * 1e6;
            let count = u32::try_from(own.len().max(1)).unwrap_or(u32::MAX);
            tally.micros.push(micros / f64::from(count));
            if round == 0 {
                for (file, reading) in own.iter().zip(&readings) {
                    tally.note(file, reading.as_ref());
                }
            }
        }
    }
    tallies
}

const COLUMNS: [&str; 10] = [
    "good",
    "good refused",
    "corrupt",
    "corrupt accepted",
    "formats",
    "wrong format",
    "dimensions",
    "wrong dimensions",
    "panics",
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
