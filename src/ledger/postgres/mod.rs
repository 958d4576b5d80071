//! A ledger in a PostgreSQL database that several machines share.

mod calls;
mod claims;
mod clock;
mod config;
mod connection;
mod environment;
mod fault;
mod host;
mod intake;
mod local_time;
mod next_step;
mod options;
mod outbox;
mod pool;
mod quota;
mod rename;
mod report;
mod results;
mod row;
mod schema;
mod submit;
mod tables;
mod tls;
mod worker;

use std::{fmt, sync::Arc};

use super::Scope;
use crate::error::Error;
use clock::Clock;
use connection::{Connection, Lock};
pub use options::PostgresOptions;
use pool::Pool;
pub(super) use tables::PostgresTables;
use worker::{Offset, Worker};

/// A [`Ledger`](crate::ledger::Ledger) in one schema of a PostgreSQL database (version 13 or newer).
///
/// Any number of processes on any number of machines may use it at the same time. Images are
/// leased with `FOR UPDATE SKIP LOCKED`; each call is one transaction, which is durable
/// (`synchronous_commit = on`) when the call returns; rate limits use the server's clock. The end of
/// a process is detected by its connection, see [`take_over`](crate::ledger::Ledger::take_over). If a connection is
/// lost, the ledger reconnects and repeats the call.
///
/// # URL
///
/// `postgres://USER@HOST:PORT/DATABASE?schema=NAME`, with the parameters, variables and files of
/// libpq: `sslmode`, `sslrootcert`, `service`, `passfile`, `PGPASSWORD` and so on. The default schema
/// is `greenlight`. Without `sslmode`, TLS with a verified server name (`verify-full`) is required,
/// except for servers on loopback or a Unix socket. Without `sslrootcert`, the root certificates are
/// those that browsers trust.
///
/// # Example
///
/// ```no_run
/// use greenlight::{Scene, ledger::{Ledger, PostgresLedger, Scope}};
///
/// # async fn example() -> Result<(), greenlight::Error> {
/// let scope = Scope::new(&[Scene::Porn])
///     .with_account("my-account")
///     .with_service("green.ap-southeast-1.aliyuncs.com");
/// let ledger = PostgresLedger::open("postgres://me@db.example.com/images", &scope).await?;
/// println!("{:?}", ledger.backlog().await?);
/// # Ok(())
/// # }
/// ```
///
/// It must be used on the tokio runtime on which it was opened. A connection pooler in front of the
/// server must use session pooling, because locks and prepared statements belong to a session.
#[derive(Clone)]
pub struct PostgresLedger {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Arc<Pool>,
    scope: Scope,
    place: String,
    offset: Arc<Offset>,
    clock: Clock,
    host: Option<String>,
    worker: Option<Worker>,
}

impl PostgresLedger {
    /// Opens the ledger at `url` for `scope`, or creates it.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Usage`](crate::ErrorKind::Usage) if the URL is malformed, the
    /// ledger has another scope or a newer version, the server runs without `fsync`, or the clocks
    /// differ by more than a minute; of kind [`Credentials`](crate::ErrorKind::Credentials) if other
    /// users can read the password file; of kind [`Io`](crate::ErrorKind::Io) if the database fails
    /// or cannot be reached.
    pub async fn open(url: &str, scope: &Scope) -> Result<Self, Error> {
        Self::options().open(url, scope).await
    }

    /// Opens an existing ledger of any scope.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`open`](Self::open), and an error if there is no ledger.
    pub async fn open_existing(url: &str) -> Result<Self, Error> {
        Self::options().open_existing(url).await
    }

    /// Returns the options for opening a ledger.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    /// Returns whether `location` is the URL of a database, and not the path of a file.
    pub fn is_url(location: &str) -> bool {
        location.starts_with("postgres://") || location.starts_with("postgresql://")
    }

    /// Acquires the lock of the process that prints the ledger's outcomes in order. Returns `None` if
    /// another process holds it. The lock is released when the guard is dropped or its connection
    /// ends. If the server cannot be reached, the call is repeated like those of the ledger.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn try_lock_printer(&self) -> Result<Option<PrinterLock>, Error> {
        let lock = self.inner.pool.lock_on_connection(Lock::Printer).await;
        let lock = lock.map_err(|fault| fault.into_error("lock the printer", &self.inner.place))?;
        Ok(lock.map(|db| PrinterLock { db }))
    }

    /// Returns the URL without the password.
    pub fn place(&self) -> &str {
        &self.inner.place
    }
}

/// The guard of the lock that [`PostgresLedger::try_lock_printer`] acquires.
///
/// ```no_run
/// use greenlight::{Error, ledger::PostgresLedger};
///
/// /// Prints the outcomes, unless another process does.
/// async fn print(ledger: &PostgresLedger) -> Result<(), Error> {
///     let Some(lock) = ledger.try_lock_printer().await? else {
///         return Ok(());
///     };
///     while lock.is_held() {
///         println!("the next outcomes"); // from `Ledger::ordered`
///     }
///     Ok(())
/// }
/// ```
pub struct PrinterLock {
    db: Connection,
}

impl PrinterLock {
    /// Returns whether the connection that holds the lock is open. Once it is closed, another
    /// process may acquire the lock.
    pub fn is_held(&self) -> bool {
        !self.db.is_closed()
    }
}

impl fmt::Debug for PrinterLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrinterLock")
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLedger")
            .field("place", &self.inner.place)
            .field("scope", &self.inner.scope)
            .finish_non_exhaustive()
    }
}
