//! `greenlight ledger`: creates, upgrades, checks and copies ledgers.

use std::{fs, path::Path};

use super::{location::explain, lock::Lock};
use crate::{
    cli::{
        args::{CopyOptions, LedgerLocation, LedgerOption, LedgerOptions, LedgerTask},
        clock,
        exit::{Exit, Failure},
        interrupt::Interrupt,
        printer,
        terminal::{Cell, Gauge, Progress, Terminal},
    },
    ledger::{Copied, Health, Maintenance, Upgraded},
};

pub(crate) async fn run(options: LedgerOptions, interrupt: Interrupt) -> Result<Exit, Failure> {
    match options.task {
        LedgerTask::Init(place) => init(&place.location).await,
        LedgerTask::Upgrade(place) => upgrade(&place.location).await,
        LedgerTask::Check(place) => check(&place.location).await,
        LedgerTask::Copy(options) => copy(options, interrupt).await,
    }
}

/// A ledger, and the lock that keeps runs from its file.
struct Opened {
    ledger: Maintenance,
    text: String,
    _lock: Option<Lock>,
}

impl Opened {
    /// Removes the file that opening it created.
    fn remove(self, location: &Path) {
        let Self { ledger, _lock, .. } = self;
        drop(ledger);
        if let LedgerLocation::File(path) = LedgerLocation::of(location) {
            // The copy failed, which is what is reported.
            let _ = fs::remove_file(path);
        }
    }
}

/// Opens a ledger that need not exist.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        clippy::unused_async,
        reason = "only a database is opened over the network"
    )
)]
async fn open(location: &Path) -> Result<Opened, Failure> {
    let option = LedgerOption::at(location);
    let (ledger, lock) = match option.location() {
        LedgerLocation::File(path) => {
            // Before the file is opened, because maintenance requires that no run uses it.
            let lock = Lock::take(path)?;
            (Maintenance::sqlite(path)?, Some(lock))
        }
        #[cfg(feature = "postgres")]
        LedgerLocation::Database(url) => (Maintenance::postgres(url).await?, None),
        #[cfg(not(feature = "postgres"))]
        LedgerLocation::Database(_) => return Err(super::location::not_built()),
    };
    Ok(Opened {
        ledger,
        text: option.text(),
        _lock: lock,
    })
}

/// Opens a ledger, and does not create a file.
async fn open_existing(location: &Path) -> Result<Opened, Failure> {
    if let LedgerLocation::File(path) = LedgerLocation::of(location)
        && !path.is_file()
    {
        let message = format!("the file does not exist: {}", path.display());
        return Err(Failure::new(message).hint("`greenlight ledger init` creates a ledger"));
    }
    open(location).await
}

async fn init(location: &Path) -> Result<Exit, Failure> {
    let Opened { ledger, text, .. } = &open(location).await?;
    let Upgraded { from, to, .. } = ledger.init().await.map_err(|error| explain(error, text))?;
    print(&match from {
        0 => format!("created {text} (schema version {to})"),
        _ => format!("{text} exists (schema version {to})"),
    })
}

async fn upgrade(location: &Path) -> Result<Exit, Failure> {
    let Opened { ledger, text, .. } = &open_existing(location).await?;
    let Upgraded { from, to, .. } = ledger.upgrade().await?;
    print(&if from == to {
        format!("{text} is up to date (schema version {to})")
    } else {
        format!("upgraded {text} from schema version {from} to {to}")
    })
}

/// Prints the counts and the inconsistencies.
async fn check(location: &Path) -> Result<Exit, Failure> {
    let Opened { ledger, text, .. } = &open_existing(location).await?;
    let checked = ledger.check(clock::now()).await;
    let health = checked.map_err(|error| explain(error, text))?;
    let Health {
        sources,
        images,
        leased,
        undelivered,
        problems,
        ..
    } = health;
    let mut lines = vec![format!(
        "{text}: {sources} sources, {images} images, {leased} leased, {undelivered} outcomes to print"
    )];
    if problems.is_empty() {
        lines.push("consistent".to_owned());
        return print(&lines.join("\n"));
    }
    for problem in problems {
        lines.push(format!(
            "{} {}: {}",
            problem.rows, problem.what, problem.remedy
        ));
    }
    print(&lines.join("\n")).map(|_| Exit::Failed)
}

async fn copy(options: CopyOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    if is_same(&options.from, &options.to) {
        return Err(Failure::new(
            "the source and the target are the same ledger",
        ));
    }
    // The source first: a mistyped path must not create the destination.
    let from = open_existing(&options.from).await?;
    let is_new = !options.to.exists();
    let to = open(&options.to).await?;
    let progress = Progress::begin();
    let show = |copied: Copied| {
        let gauge = Gauge {
            verb: "copied",
            done: copied.rows,
            total: Some(copied.total),
        };
        progress.show(&[gauge], "");
    };
    let copied = tokio::select! {
        biased;
        () = interrupt.wait() => None,
        copied = from.ledger.copy_to(&to.ledger, show) => Some(copied),
    };
    drop(progress);
    let Some(copied) = copied else {
        let failure = Failure::new("interrupted: the copy is not complete");
        crate::cli::terminal::failure(&failure.hint("the same command continues it"));
        return Ok(Exit::Interrupted);
    };
    let copied = match copied {
        Ok(copied) => copied,
        Err(error) => {
            if is_new && to.ledger.is_empty().await.unwrap_or(false) {
                to.remove(&options.to);
            }
            return Err(explain(error, &from.text));
        }
    };
    let Copied {
        rows,
        unfinished,
        was_complete,
        ..
    } = copied;
    let copied = if was_complete {
        format!(
            "{} was a complete copy of {} already: nothing was copied",
            to.text, from.text
        )
    } else {
        format!("copied {rows} rows from {} to {}", from.text, to.text)
    };
    if unfinished == 0 {
        return print(&copied);
    }
    print(&format!(
        "{copied}\n{unfinished} images are not finished: continue with one of the two ledgers only, \
         because each would pay for them"
    ))
}

/// Compares paths by what they name. Two URLs of one database are detected by its locks.
fn is_same(from: &Path, to: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize().ok();
    from == to || canonical(from).is_some_and(|from| canonical(to) == Some(from))
}

fn print(text: &str) -> Result<Exit, Failure> {
    let rows: Vec<_> = text.lines().map(|line| vec![Cell::new(line)]).collect();
    let printed = Terminal::stdout().rows(&rows);
    printer::ended(printed.map(|()| Exit::Success), || Exit::Success)
}
