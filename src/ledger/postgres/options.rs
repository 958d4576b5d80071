//! The options for opening a ledger in a database.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    super::Scope,
    Inner, PostgresLedger,
    clock::Clock,
    config::Config,
    environment::Environment,
    fault::Fault,
    pool::Pool,
    schema,
    worker::{Offset, Worker},
};
use crate::error::Error;

/// The options for opening a [`PostgresLedger`].
///
/// ```no_run
/// use greenlight::ledger::{PostgresLedger, Scope};
///
/// # async fn example(scope: Scope) -> Result<(), greenlight::Error> {
/// let ledger = PostgresLedger::options()
///     .connections(4)
///     .name("importer")
///     .open("postgres://me@db.example.com/images", &scope)
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    connections: usize,
    patience: Duration,
    read_only: bool,
    name: String,
    host: Option<String>,
    clock: Clock,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 8,
            patience: Duration::from_secs(600),
            read_only: false,
            name: format!("process {}", std::process::id()),
            host: None,
            clock: Clock::system(),
        }
    }
}

impl PostgresOptions {
    /// Sets the maximum number of connections for calls. One more connection identifies the worker.
    /// Default: 8.
    #[must_use]
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets how long a call waits for a database that became unreachable. Default: 10 minutes.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Opens the ledger for reading, without registering a worker. Calls that write still work if
    /// the role may write, but their claims are freed only when the leases end.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Sets the name of the worker, displayed in its status. Default: `process` and the process id.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets the host name that is recorded with the files that this process adds. Default: none.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Sets the local clock that is compared with the database's, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// Opens the ledger at `url` for `scope`, or creates it.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`PostgresLedger::open`].
    pub async fn open(self, url: &str, scope: &Scope) -> Result<PostgresLedger, Error> {
        self.open_bound(url, Some(scope)).await
    }

    /// Opens an existing ledger of any scope.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`PostgresLedger::open_existing`].
    pub async fn open_existing(self, url: &str) -> Result<PostgresLedger, Error> {
        self.open_bound(url, None).await
    }

    async fn open_bound(self, url: &str, scope: Option<&Scope>) -> Result<PostgresLedger, Error> {
        let config = Config::parse(url, &Environment::default())?;
        let place = config.to_string();
        let pool = Arc::new(Pool::new(config, self.connections, self.patience)?);
        let failed = |fault: Fault| fault.into_error("open ledger", &place);
        let offset = Arc::new(Offset::default());
        let found = self.prepare(&pool, scope, &offset).await.map_err(failed)?;
        let clock = self.clock.clone();
        // A reader claims nothing, so nothing has to be freed when it ends.
        let worker = if self.read_only {
            None
        } else {
            let offset = Arc::clone(&offset);
            let worker = Worker::register(Arc::clone(&pool), self.name, offset, self.clock);
            Some(worker.await.map_err(failed)?)
        };
        Ok(PostgresLedger {
            inner: Arc::new(Inner {
                pool,
                scope: found,
                place,
                offset,
                clock,
                host: self.host,
                worker,
            }),
        })
    }

    async fn prepare(
        &self,
        pool: &Pool,
        scope: Option<&Scope>,
        offset: &Offset,
    ) -> Result<Scope, Fault> {
        let db = pool.connect_first().await?;
        schema::check_durability(&db).await?;
        if self.read_only {
            schema::check_current(&db).await?;
        } else {
            schema::prepare(&db, &pool.config().schema, scope).await?;
        }
        // Before the worker registers: its first claim already uses the database's clock.
        offset.measure(&db, &self.clock).await?;
        offset.check()?;
        // Also if the scope was not written just now: the schema may belong to another account.
        let found = schema::bound_scope(&db).await?;
        if let Some(scope) = scope {
            found.check(scope).map_err(Fault::unusable)?;
        }
        Ok(found)
    }
}
