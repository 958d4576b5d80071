//! `greenlight report`: reads a run's lines and writes the page.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::Path,
};

use super::{
    args::ReportOptions,
    exit::{self, Exit, Failure},
    html_report::{self, Thumbnails},
};

/// Writes the page beside its place first, so that a report that fails leaves the old one alone.
pub(crate) fn run(options: &ReportOptions) -> Result<Exit, Failure> {
    let thumbnails = if options.thumbnails {
        Thumbnails::Blurred
    } else {
        Thumbnails::Hidden
    };
    let page = html_report::page(open(&options.from)?, thumbnails)
        .map_err(|error| Failure::new(format!("cannot draw the report: {error}")))?;
    place(&options.html, &page).map_err(|error| {
        let path = options.html.display();
        Failure::new(format!("cannot write {path}: {}", exit::reason(&error)))
    })?;
    Ok(Exit::Success)
}

fn open(from: &OsString) -> Result<Box<dyn BufRead>, Failure> {
    if from == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(from).map_err(|error| {
        let path = Path::new(from).display();
        Failure::new(format!("cannot read {path}: {}", exit::reason(&error)))
            .hint("give the lines of a run, made with --format jsonl")
    })?;
    Ok(Box::new(BufReader::new(file)))
}

fn place(path: &Path, page: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    fs::write(&beside, page)?;
    fs::rename(&beside, path)
}
