//! `greenlight report`: reads a run's lines, or a ledger, and writes the page.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use super::{
    args::{LedgerOption, ReportOptions},
    clock,
    exit::{self, Exit, Failure},
    html_report::{Drawing, Provenance, Thumbnails},
    human,
    interrupt::Interrupt,
    ledger,
    out_file::{self, OutFile},
    outcome::ScanReport,
    terminal,
};
use crate::sanitize::sanitize;

/// Counts the run, which may be a pipe that never ends, and writes the page.
pub(crate) async fn run(options: ReportOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    if out_file::is_same(Path::new(&options.from), &options.html) {
        let path = options.html.display();
        return Err(
            Failure::new(format!("cannot write {path}: it is what is read"))
                .hint("--html names a file for the page, --from the lines of a run"),
        );
    }
    let counted = async {
        let drawing = Drawing::new(if options.thumbnails {
            Thumbnails::Blurred
        } else {
            Thumbnails::Hidden
        });
        match &options.ledger {
            Some(path) => count_ledger(path.clone(), drawing).await,
            None => count_lines(options.from.clone(), drawing).await,
        }
    };
    let (drawing, provenance) = tokio::select! {
        biased;
        () = interrupt.wait() => return Ok(Exit::Interrupted),
        counted = counted => counted?,
    };
    if drawing.is_empty() {
        return Err(nothing(&drawing, &options));
    }
    draw(&drawing, &provenance, &options)
}

/// A page without results would read as one where everything is fine.
fn nothing(drawing: &Drawing, options: &ReportOptions) -> Failure {
    let why = drawing.no_result().unwrap_or_else(|| {
        let from = match &options.ledger {
            Some(_) => "the ledger",
            None if options.from == "-" => "standard input",
            None => "the file",
        };
        format!("{from} holds no results")
    });
    let hint = "report reads the lines that check or scan prints with --format jsonl, or a ledger";
    Failure::new(format!("nothing to report: {why}")).hint(hint)
}

async fn count_lines(
    from: OsString,
    mut drawing: Drawing,
) -> Result<(Drawing, Provenance), Failure> {
    let counting = tokio::task::spawn_blocking(move || {
        drawing
            .add_lines(open(&from)?)
            .map_err(|error| Failure::new(format!("cannot read on: {}", exit::reason(&error))))?;
        let input = match from.to_string_lossy() {
            name if name == "-" => "standard input".to_owned(),
            name => sanitize(&name).into_owned(),
        };
        Ok((drawing, Provenance::new(clock::now(), input)))
    });
    let counted = counting.await;
    counted.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn count_ledger(
    path: PathBuf,
    mut drawing: Drawing,
) -> Result<(Drawing, Provenance), Failure> {
    let ledger = ledger::open_to_read(&LedgerOption { ledger: Some(path) }).await?;
    let mut after = 0;
    while let Some(rows) = ledger::page(&*ledger, &mut after, None).await? {
        for row in rows {
            let state = row.state;
            let is_checked = row.facts.is_some();
            let report = ScanReport::from(row);
            if state.is_final() {
                drawing.add(&report);
            } else {
                drawing.add_pending(&report, is_checked);
            }
        }
    }
    let scope = ledger.scope();
    let mut provenance = Provenance::new(clock::now(), "a ledger".to_owned());
    provenance.add("service", sanitize(scope.service()).into_owned());
    provenance.add(
        "scenes",
        sanitize(&human::scene_names(scope.scenes(), ", ")).into_owned(),
    );
    Ok((drawing, provenance))
}

fn draw(
    drawing: &Drawing,
    provenance: &Provenance,
    options: &ReportOptions,
) -> Result<Exit, Failure> {
    let report = drawing.draw(provenance);
    place(&options.html, &report.page)?;
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

fn place(path: &Path, page: &str) -> Result<(), Failure> {
    let written = if path.as_os_str() == "-" {
        io::stdout().lock().write_all(page.as_bytes())
    } else {
        let mut file = OutFile::create(path)?;
        file.write_all(page.as_bytes()).and_then(|()| file.finish())
    };
    written.map_err(|error| {
        let path = path.display();
        Failure::new(format!("cannot write {path}: {}", exit::reason(&error)))
    })
}
