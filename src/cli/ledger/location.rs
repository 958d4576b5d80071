//! Opens ledgers: the one place that names the stores.

use std::{path::Path, sync::Arc, time::Duration};

use super::lock::Lock;
#[cfg(feature = "postgres")]
use crate::error::ErrorKind;
#[cfg(feature = "postgres")]
use crate::ledger::{PostgresLedger, PostgresOptions, PrinterLock};
use crate::{
    cli::{
        args::{LedgerLocation, LedgerOption, quoted},
        clock,
        exit::Failure,
    },
    error::Error,
    ledger::{Ledger, Maintenance, Scope, SqliteLedger},
};

/// The part of the work that a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Prints outcomes in order: one process at a time.
    Print,
    /// Serves the outcomes over HTTP: one process at a time, and none that prints.
    #[cfg(feature = "serve")]
    Serve,
    /// Everything else.
    Work,
}

/// Held while a process has its role.
#[derive(Debug)]
pub(super) enum Guard {
    File(#[expect(dead_code, reason = "dropped at the end of the run")] Lock),
    #[cfg(feature = "postgres")]
    Database(Option<Printer>),
}

/// The right to print the outcomes of a shared ledger.
#[cfg(feature = "postgres")]
#[derive(Debug)]
pub(super) struct Printer {
    ledger: PostgresLedger,
    lock: PrinterLock,
}

impl Guard {
    /// Whether no other process can have taken the role over.
    pub(super) fn is_held(&self) -> bool {
        match self {
            Self::File(_) => true,
            #[cfg(feature = "postgres")]
            Self::Database(printer) => {
                let lock = printer.as_ref().map(|printer| &printer.lock);
                lock.is_none_or(PrinterLock::is_held)
            }
        }
    }

    /// Acquires the role again after its connection was lost, for example by a restart of the
    /// server. Returns whether no other process has it.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unused_async, reason = "for databases")
    )]
    pub(super) async fn regain(&mut self) -> Result<bool, Error> {
        #[cfg(feature = "postgres")]
        if let Self::Database(Some(printer)) = self {
            let Some(lock) = printer.ledger.try_lock_printer().await? else {
                return Ok(false);
            };
            printer.lock = lock;
        }
        Ok(true)
    }
}

/// Opens a ledger that exists, to read it: other processes may be writing.
pub(crate) async fn open_to_read(option: &LedgerOption) -> Result<Arc<dyn Ledger>, Failure> {
    let opened: Result<Arc<dyn Ledger>, Error> = match option.location() {
        LedgerLocation::File(path) => {
            let opened = SqliteLedger::options().read_only().open_existing(path);
            opened.map(|ledger| -> Arc<dyn Ledger> { Arc::new(ledger) })
        }
        #[cfg(feature = "postgres")]
        LedgerLocation::Database(url) => {
            let opened = options().read_only().open_existing(url).await;
            opened.map(|ledger| -> Arc<dyn Ledger> { Arc::new(ledger) })
        }
        #[cfg(not(feature = "postgres"))]
        LedgerLocation::Database(_) => return Err(not_built()),
    };
    opened.map_err(|error| unopened(error, option))
}

/// Opens a ledger that exists, whatever its scope.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        clippy::unused_async,
        reason = "only a database is opened over the network"
    )
)]
pub(super) async fn open_to_write(option: &LedgerOption) -> Result<Arc<dyn Ledger>, Failure> {
    let opened: Result<Arc<dyn Ledger>, Error> = match option.location() {
        LedgerLocation::File(path) => {
            let opened = SqliteLedger::open_existing(path);
            opened.map(|ledger| -> Arc<dyn Ledger> { Arc::new(ledger) })
        }
        #[cfg(feature = "postgres")]
        LedgerLocation::Database(url) => {
            let opened = options().open_existing(url).await;
            opened.map(|ledger| -> Arc<dyn Ledger> { Arc::new(ledger) })
        }
        #[cfg(not(feature = "postgres"))]
        LedgerLocation::Database(_) => return Err(not_built()),
    };
    opened.map_err(|error| unopened(error, option))
}

/// Finds what keeps a run from opening or creating the ledger, as far as that does not depend on
/// the account: before credentials are fetched.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        clippy::unused_async,
        reason = "only a database is opened over the network"
    )
)]
pub(super) async fn examine(option: &LedgerOption) -> Result<(), Failure> {
    match option.location() {
        // It may have no scope yet.
        LedgerLocation::File(path) if path.exists() => match Maintenance::sqlite(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(unopened(error, option)),
        },
        LedgerLocation::File(path) => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            if folder.is_none_or(Path::is_dir) {
                return Ok(());
            }
            let path = path.display();
            Err(
                Failure::new(format!("open ledger: its folder does not exist: {path}"))
                    .hint("--ledger FILE names a ledger in a folder that exists"),
            )
        }
        #[cfg(feature = "postgres")]
        LedgerLocation::Database(url) => match options().read_only().open_existing(url).await {
            Err(error) if error.kind() == ErrorKind::Io => Err(unopened(error, option)),
            // A database without a ledger gets one.
            _ => Ok(()),
        },
        #[cfg(not(feature = "postgres"))]
        LedgerLocation::Database(_) => Err(not_built()),
    }
}

/// A ledger for a run, and what keeps others from the same role.
pub(super) struct Opened {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) guard: Guard,
}

/// Why a ledger is not open for a run.
pub(super) enum NotOpened {
    Ledger(Error),
    Other(Failure),
}

impl<F: Into<Failure>> From<F> for NotOpened {
    fn from(failure: F) -> Self {
        Self::Other(failure.into())
    }
}

/// Opens the ledger for a run in `scope`, or creates it, and takes over what processes held that
/// have ended.
pub(super) async fn open_for_run(
    option: &LedgerOption,
    scope: &Scope,
    role: Role,
    settle: Duration,
) -> Result<Opened, NotOpened> {
    let opened = match option.location() {
        LedgerLocation::File(path) => {
            let ledger = SqliteLedger::open(path, scope).map_err(NotOpened::Ledger)?;
            let lock = Lock::take(path)?;
            if !lock.is_exclusive() {
                return Ok(Opened {
                    ledger: Arc::new(ledger),
                    guard: Guard::File(lock),
                });
            }
            Opened {
                ledger: Arc::new(ledger),
                guard: Guard::File(lock),
            }
        }
        #[cfg(feature = "postgres")]
        LedgerLocation::Database(url) => {
            let ledger = options().open(url, scope).await;
            let ledger = ledger.map_err(NotOpened::Ledger)?;
            let guard = match role {
                Role::Work => None,
                _ => Some(Printer {
                    lock: lock_printer(&ledger, role).await?,
                    ledger: ledger.clone(),
                }),
            };
            Opened {
                ledger: Arc::new(ledger),
                guard: Guard::Database(guard),
            }
        }
        #[cfg(not(feature = "postgres"))]
        LedgerLocation::Database(_) => return Err(not_built().into()),
    };
    #[cfg(not(feature = "postgres"))]
    let _ = role;
    // Only with the exclusive lock, or with a database that knows which of its workers ended:
    // otherwise the claims may be those of a run that is at work.
    let taken = opened.ledger.take_over(settle, clock::now()).await;
    taken.map_err(NotOpened::Ledger)?;
    Ok(opened)
}

#[cfg(feature = "postgres")]
async fn lock_printer(ledger: &PostgresLedger, role: Role) -> Result<PrinterLock, Failure> {
    let lock = ledger.try_lock_printer().await?;
    lock.ok_or_else(|| match role {
        #[cfg(feature = "serve")]
        Role::Serve => Failure::new(format!(
            "another server or scan uses the ledger {}",
            ledger.place()
        ))
        .hint(
            "each server needs a ledger of its own: name another database or `?schema=NAME` with --ledger",
        ),
        Role::Print | Role::Work => {
            Failure::new(format!("another run prints the ledger {}", ledger.place())).hint(
                "`greenlight work` takes part without printing; `greenlight export` prints all",
            )
        }
    })
}

#[cfg(feature = "postgres")]
fn options() -> PostgresOptions {
    let name = format!("{} {}", host(), std::process::id());
    PostgresLedger::options().name(&name).host(&host())
}

/// The machine's name, for people.
#[cfg(feature = "postgres")]
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "process".to_owned(), |name| name.trim().to_owned())
}

#[cfg(not(feature = "postgres"))]
pub(super) fn not_built() -> Failure {
    Failure::new("this greenlight cannot use PostgreSQL").hint("build it with `--features full`")
}

pub(super) fn unopened(error: Error, option: &LedgerOption) -> Failure {
    let failure = explain(error, &option.text());
    if failure.advice().is_some() {
        return failure;
    }
    match option.location() {
        LedgerLocation::File(path) if !path.exists() => {
            failure.hint("`greenlight scan` begins a ledger; --ledger FILE names one")
        }
        _ => failure,
    }
}

/// Adds the command for an older ledger.
pub(super) fn explain(error: Error, location: &str) -> Failure {
    let is_old = error.to_string().contains("an older greenlight");
    let failure = Failure::from(error);
    if is_old {
        return failure.hint(format!("greenlight ledger upgrade {}", quoted(location)));
    }
    failure
}
