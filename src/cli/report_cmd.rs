//! `greenlight report`: reads a run's lines and writes the page.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use super::{
    args::ReportOptions,
    exit::{self, Exit, Failure},
    html_report::{self, Thumbnails},
    interrupt::Interrupt,
    terminal,
};

/// Draws the report on a thread, because its input may be a pipe that never ends.
pub(crate) async fn run(options: ReportOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let drawing = tokio::task::spawn_blocking(move || draw(&options));
    tokio::select! {
        biased;
        () = interrupt.wait() => Ok(Exit::Interrupted),
        drawn = drawing => {
            drawn.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        }
    }
}

fn draw(options: &ReportOptions) -> Result<Exit, Failure> {
    let thumbnails = if options.thumbnails {
        Thumbnails::Blurred
    } else {
        Thumbnails::Hidden
    };
    let report = html_report::draw(open(&options.from)?, thumbnails)
        .map_err(|error| Failure::new(format!("cannot draw the report: {error}")))?;
    // The page is whole before its place is touched.
    place(&options.html, &report.page).map_err(|error| {
        let path = options.html.display();
        Failure::new(format!("cannot write {path}: {}", exit::reason(&error)))
    })?;
    let Some(complaint) = report.complaint else {
        return Ok(Exit::Success);
    };
    let hint = "the report is written without them; it reads what --format jsonl prints";
    terminal::failure(&Failure::new(complaint).hint(hint));
    Ok(Exit::Failed)
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
    if path.as_os_str() == "-" {
        return io::stdout().lock().write_all(page.as_bytes());
    }
    fs::write(path, page)
}
