//! Connections, and calls as one transaction each.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinHandle, time::sleep};
use tokio_postgres::{Client, NoTls, Row as SqlRow, Statement, types::ToSql};

use super::{
    clock,
    config::{Config, SslMode},
    fault::{Fault, backoff},
    tls::Tls,
};
use crate::error::Error;

/// A future that does one call's work in its transaction.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// Connections to one database.
pub(super) struct Pool {
    config: Config,
    tls: Option<Tls>,
    /// How long a call waits for a database that cannot be reached.
    patience: Duration,
    idle: Mutex<Vec<Connection>>,
    slots: Semaphore,
}

/// Whether a call writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Write,
    /// Sees one state of the database from begin to end.
    Read,
}

impl Mode {
    /// Durability is not left to the server's settings: a task id that was paid for must survive.
    const fn begin(self) -> &'static str {
        match self {
            Self::Write => "BEGIN; SET LOCAL synchronous_commit = on",
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// How long a server that is starting is waited for.
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
        })
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// Makes the first connection: waits for a server that is starting, and for no other.
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

    /// Makes a connection that is not one of the pool's.
    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        let mut driver = self.config.driver.clone();
        let schema = &self.config.schema;
        let own = format!(
            "-c search_path={schema},pg_temp -c idle_in_transaction_session_timeout=60s \
             -c lock_timeout=30s"
        );
        let options = driver.get_options().map(|given| format!("{given} {own}"));
        driver.options(options.unwrap_or(own));
        if driver.get_application_name().is_none() {
            driver.application_name("greenlight");
        }
        // The connection's own errors reach its client.
        if let Some(tls) = &self.tls {
            let (client, connection) = driver.connect(tls.clone()).await?;
            let task = tokio::spawn(async move { drop(connection.await) });
            return Ok(Connection::new(client, task));
        }
        let (client, connection) = driver.connect(NoTls).await?;
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Connection::new(client, task))
    }

    /// Does `work` in one transaction, and again if others or a lost connection kept it from being
    /// committed: every call of the trait may be repeated.
    pub(super) async fn run<A: Sync, T>(
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
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            if fault.is_lost() && begun.elapsed() < self.patience {
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
        // One that is dropped in the middle of a transaction is closed with it, not used again.
        connection.client.batch_execute(mode.begin()).await?;
        let done = work(&connection, args).await;
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = connection.client.batch_execute(end).await;
        let done = done?;
        ended?;
        self.idle().push(connection);
        Ok(done)
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

/// So that the server ends the session now, and with it the locks that it holds.
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

    /// Runs statements without parameters, prepared nowhere.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Takes one of the schema's locks for the session, unless another session has it.
    pub(super) async fn try_lock(&self, lock: Lock) -> Result<bool, Fault> {
        let sql = "SELECT pg_try_advisory_lock(hashtext('greenlight ' || current_schema()), $1)";
        Ok(self.query_one(sql, &[&lock.number()]).await?.try_get(0)?)
    }

    /// Takes one of the schema's locks until the transaction ends.
    pub(super) async fn lock(&self, lock: Lock) -> Result<(), Fault> {
        let sql = "SELECT pg_advisory_xact_lock(hashtext('greenlight ' || current_schema()), $1)";
        self.query(sql, &[&lock.number()]).await.map(drop)
    }
}

/// The advisory locks of a schema. The numbers from 100 on are the workers'.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lock {
    /// Numbers of sources become visible in their order.
    Sources,
    /// Numbers of the outbox become visible in their order.
    Outbox,
    /// One process changes the tables.
    Schema,
    /// One process prints in order.
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
