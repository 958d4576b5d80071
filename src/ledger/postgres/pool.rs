//! The connection pool, which runs each call as one transaction.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_postgres::{Client, NoTls, Row as SqlRow, Statement, types::ToSql};

use super::{
    super::{Reply, Unreachable},
    clock,
    config::{Config, SslMode},
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
            let fault = match self.once(mode, &args, work).await {
                Ok(done) => {
                    *self.lost() = None;
                    return Ok(done);
                }
                Err(fault) => fault,
            };
            if fault.is_lost() && begun.elapsed() < self.patience {
                let error = fault.into_error(operation, &self.config.to_string());
                self.note(&error);
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

    async fn once<A: Sync, T>(
        &self,
        mode: Mode,
        args: &A,
        work: for<'a> fn(&'a Connection, &'a A) -> Work<'a, T>,
    ) -> Result<T, Fault> {
        let _slot = self.slots.acquire().await;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(idle) if !idle.client.is_closed() => idle,
            _ => self.connect().await?,
        };
        // A connection that is dropped within a transaction is closed, not reused.
        connection.client.batch_execute(mode.begin()).await?;
        let done = work(&connection, args).await;
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = connection.client.batch_execute(end).await;
        // A failed call drops the connection: it may be in an unknown state.
        let done = done?;
        // A lost COMMIT may have been executed. The call is repeated, which every call of the trait
        // allows.
        ended?;
        self.idle().push(connection);
        Ok(done)
    }

    fn note(&self, error: &Error) {
        let mut lost = self.lost();
        let since = lost.take().map_or_else(clock::instant, |(since, _)| since);
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

/// A connection and the statements that are prepared on it.
pub(super) struct Connection {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    driver: JoinHandle<()>,
}

/// Closes the session immediately, which releases its locks.
impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    fn new(client: Client, driver: JoinHandle<()>) -> Self {
        Self {
            client,
            statements: Mutex::default(),
            driver,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    async fn prepare(&self, sql: &str) -> Result<Statement, Fault> {
        let lock = || {
            self.statements
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        // Cloned, so that the lock is not held while the server prepares another statement.
        let known = lock().get(sql).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let statement = self.client.prepare(sql).await?;
        lock().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<SqlRow>, Fault> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.query(&statement, params).await?)
    }

    pub(super) async fn query_opt(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<SqlRow>, Fault> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.query_opt(&statement, params).await?)
    }

    pub(super) async fn query_one(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<SqlRow, Fault> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.query_one(&statement, params).await?)
    }

    pub(super) async fn execute(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fault> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.execute(&statement, params).await?)
    }

    /// Runs statements without parameters and without preparing them.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Acquires a lock of the schema for the session. Returns `false` if another session holds it.
    pub(super) async fn try_lock(&self, lock: Lock) -> Result<bool, Fault> {
        // Advisory locks are those of the whole database, which may have several ledgers.
        let sql = "SELECT pg_try_advisory_lock(hashtext('greenlight ' || current_schema()), $1)";
        Ok(self.query_one(sql, &[&lock.number()]).await?.try_get(0)?)
    }

    /// Acquires a lock of a schema that need not exist, for the session.
    pub(super) async fn try_lock_in(&self, schema: &str, lock: Lock) -> Result<bool, Fault> {
        let sql = "SELECT pg_try_advisory_lock(hashtext($1), $2)";
        let name = format!("greenlight {schema}");
        let row = self.query_one(sql, &[&name, &lock.number()]).await?;
        Ok(row.try_get(0)?)
    }

    /// Acquires a lock of the schema until the transaction ends.
    pub(super) async fn lock(&self, lock: Lock) -> Result<(), Fault> {
        let sql = "SELECT pg_advisory_xact_lock(hashtext('greenlight ' || current_schema()), $1)";
        self.query(sql, &[&lock.number()]).await.map(drop)
    }
}

/// The advisory locks of a schema. Numbers from 100 on belong to workers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lock {
    /// Makes the numbers of sources visible in order.
    Sources,
    /// Makes delivery ids visible in order.
    Outbox,
    /// Serializes migrations.
    Schema,
    /// Limits printing in order to one process.
    Printer,
}

impl Lock {
    pub(super) const fn number(self) -> i32 {
        match self {
            Self::Sources => 1,
            Self::Outbox => 2,
            Self::Schema => 3,
            Self::Printer => 4,
        }
    }
}
