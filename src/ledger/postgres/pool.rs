//! The connection pool, which runs each call as one transaction.

use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::NoTls;

use super::{
    super::{Reply, Unreachable},
    clock,
    config::{Config, SslMode},
    connection::{Connection, Lock},
    fault::{Fault, backoff},
    tls::Tls,
};
use crate::error::Error;

/// The future of a call's work within its transaction.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// The connections to one database.
pub(super) struct Pool {
    config: Config,
    tls: Option<Tls>,
    /// How long a call waits for an unreachable database.
    patience: Duration,
    idle: Mutex<Vec<Connection>>,
    slots: Semaphore,
    /// When calls began to fail because of the connection, and the latest failure.
    lost: Mutex<Option<(Instant, String)>>,
}

/// Whether a call writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Write,
    /// Reads a consistent snapshot of the database.
    Read,
}

impl Mode {
    /// Durability does not depend on the server's settings, because a billed task id must survive.
    const fn begin(self) -> &'static str {
        match self {
            Self::Write => "BEGIN; SET LOCAL synchronous_commit = on",
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// How long to wait for a server that is starting.
const START: Duration = Duration::from_secs(60);

impl Pool {
    pub(super) fn new(
        config: Config,
        connections: usize,
        patience: Duration,
    ) -> Result<Self, Error> {
        let tls = match config.ssl {
            SslMode::Disable => None,
            mode => {
                let tls = Tls::new(mode, config.roots.as_deref());
                Some(tls.map_err(|fault| fault.into_error("open ledger", &config.to_string()))?)
            }
        };
        Ok(Self {
            config,
            tls,
            patience,
            idle: Mutex::new(Vec::new()),
            slots: Semaphore::new(connections.max(1)),
            lost: Mutex::default(),
        })
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// Opens the first connection. Waits for a server only if it is starting.
    pub(super) async fn connect_first(&self) -> Result<Connection, Fault> {
        let begun = clock::instant();
        let mut attempt = 0;
        loop {
            match self.connect().await {
                Err(fault) if fault.is_starting() && begun.elapsed() < START => {
                    sleep(backoff(attempt)).await;
                    attempt += 1;
                }
                connected => return connected,
            }
        }
    }

    /// Opens a connection outside the pool and acquires `lock` on it; `None` if another session
    /// holds the lock. Repeats this while the server cannot be reached, as [`run`](Self::run) does.
    pub(super) async fn lock_on_connection(&self, lock: Lock) -> Result<Option<Connection>, Fault> {
        let begun = clock::instant();
        let mut lost = 0;
        loop {
            let locked: Result<_, Fault> = async {
                let db = self.connect().await?;
                Ok(db.try_lock(lock).await?.then_some(db))
            }
            .await;
            match locked {
                Err(fault)
                    if (fault.is_lost() || fault.is_starting())
                        && begun.elapsed() < self.patience =>
                {
                    sleep(backoff(lost)).await;
                    lost += 1;
                }
                done => return done,
            }
        }
    }

    /// Opens a connection outside the pool.
    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        let limit = self.config.connect_limit();
        let connected = timeout(limit, self.connect_without_limit()).await;
        connected.unwrap_or(Err(Fault::Silent(limit)))
    }

    /// The driver's own limit ends when the system accepts the connection, which a server does
    /// even if its processes are stopped.
    async fn connect_without_limit(&self) -> Result<Connection, Fault> {
        let mut driver = self.config.driver.clone();
        let schema = &self.config.schema;
        // `pg_temp` is named, because it would be searched first otherwise. The timeouts keep a
        // process that hangs within a transaction from blocking the others without an end.
        let own = format!(
            "-c search_path={schema},pg_temp -c idle_in_transaction_session_timeout=60s \
             -c lock_timeout=30s"
        );
        // After the user's options: of two settings with one name the last counts.
        let options = driver.get_options().map(|given| format!("{given} {own}"));
        driver.options(options.unwrap_or(own));
        if driver.get_application_name().is_none() {
            driver.application_name("greenlight");
        }
        // Errors of the connection are also returned to its client.
        if let Some(tls) = &self.tls {
            let (client, connection) = driver.connect(tls.clone()).await?;
            let task = tokio::spawn(async move { drop(connection.await) });
            return Ok(Connection::new(client, task));
        }
        let (client, connection) = driver.connect(NoTls).await?;
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Connection::new(client, task))
    }

    /// Runs `work` in one transaction. Repeats it after a conflict or a lost connection, because
    /// every call of the trait may be repeated.
    pub(super) fn run<'p, A, T>(
        &'p self,
        operation: &'static str,
        mode: Mode,
        args: A,
        work: for<'a> fn(&'a Connection, &'a A) -> Work<'a, T>,
    ) -> Reply<'p, T>
    where
        A: Send + Sync + 'p,
        T: Send + 'p,
    {
        Box::pin(self.repeat(operation, mode, args, work))
    }

    async fn repeat<A: Sync, T>(
        &self,
        operation: &str,
        mode: Mode,
        args: A,
        work: for<'a> fn(&'a Connection, &'a A) -> Work<'a, T>,
    ) -> Result<T, Error> {
        let begun = clock::instant();
        let mut lost = 0;
        let mut conflicts = 0;
        loop {
            let tried = clock::instant();
            let fault = match self.respond(self.once(mode, &args, work)).await {
                Ok(done) => {
                    *self.lost() = None;
                    return Ok(done);
                }
                Err(fault) => fault,
            };
            if fault.is_lost() && begun.elapsed() < self.patience {
                let error = fault.into_error(operation, &self.config.to_string());
                self.note(tried, &error);
                // The other connections were most likely lost with the same server.
                self.idle().clear();
                sleep(backoff(lost)).await;
                lost += 1;
            } else if fault.is_conflict() && conflicts < 10 {
                sleep(backoff(conflicts) / 10).await;
                conflicts += 1;
            } else {
                return Err(fault.into_error(operation, &self.config.to_string()));
            }
        }
    }

    /// Awaits an attempt, however long it takes, unless the server does not respond to a new
    /// connection meanwhile. One that refuses it, because it has too many, responds.
    async fn respond<T>(
        &self,
        attempt: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let silence = async {
            loop {
                sleep(self.config.silence_limit()).await;
                match self.connect().await {
                    Err(fault) if fault.is_lost() && !fault.is_response() => return fault,
                    _ => {}
                }
            }
        };
        tokio::select! {
            biased;
            done = attempt => done,
            fault = silence => Err(fault),
        }
    }

    async fn once<A: Sync, T>(
        &self,
        mode: Mode,
        args: &A,
        work: for<'a> fn(&'a Connection, &'a A) -> Work<'a, T>,
    ) -> Result<T, Fault> {
        let _slot = self.slots.acquire().await;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(idle) if !idle.is_closed() => idle,
            _ => self.connect().await?,
        };
        // A connection that is dropped within a transaction is closed, not reused.
        connection.batch(mode.begin()).await?;
        let done = work(&connection, args).await;
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = connection.batch(end).await;
        // A failed call drops the connection: it may be in an unknown state.
        let done = done?;
        // A lost COMMIT may have been executed. The call is repeated, which every call of the trait
        // allows.
        ended?;
        self.idle().push(connection);
        Ok(done)
    }

    /// Records a failed attempt that began at this time.
    fn note(&self, tried: Instant, error: &Error) {
        let mut lost = self.lost();
        let since = lost.take().map_or(tried, |(since, _)| since.min(tried));
        *lost = Some((since, error.report()));
    }

    /// Returns since when calls wait for the database.
    pub(super) fn unreachable(&self) -> Option<Unreachable> {
        let lost = self.lost();
        lost.as_ref().map(|(since, error)| Unreachable {
            lasted: since.elapsed(),
            error: error.clone(),
        })
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, Option<(Instant, String)>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
