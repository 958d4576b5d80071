//! One connection, the statements that are prepared on it, and the locks of its session.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Row as SqlRow, Statement, types::ToSql};

use super::fault::Fault;

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
    pub(super) fn new(client: Client, driver: JoinHandle<()>) -> Self {
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
