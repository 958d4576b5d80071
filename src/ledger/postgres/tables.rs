//! The rows of the schema, for maintenance.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_postgres::{Row as SqlRow, types::ToSql};

use super::{
    super::{
        Reply, Scope,
        tables::{
            COPIED, COPYING, Column, Counters, Head, Kind, Records, TABLES, Table, Tables, Value,
        },
    },
    config::Config,
    connection::{Connection, Lock},
    environment::Environment,
    fault::Fault,
    pool::{Mode, Pool},
    row::{signed, storable},
    schema, worker,
};
use crate::error::Error;

/// How long a call waits for a database that became unreachable.
const PATIENCE: Duration = Duration::from_secs(60);

/// A schema that is opened for maintenance.
pub(in crate::ledger) struct PostgresTables {
    pool: Arc<Pool>,
    place: String,
    /// The connection that holds the lock against other users.
    lock: Mutex<Option<Connection>>,
}

impl fmt::Debug for PostgresTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTables")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl PostgresTables {
    pub(in crate::ledger) async fn open(url: &str) -> Result<Self, Error> {
        let config = Config::parse(url, &Environment::default())?;
        let place = config.to_string();
        let pool = Arc::new(Pool::new(config, 2, PATIENCE)?);
        let failed = |fault: Fault| fault.into_error("open ledger", &place);
        let db = pool.connect_first().await.map_err(failed)?;
        schema::check_durability(&db).await.map_err(failed)?;
        Ok(Self {
            pool,
            place,
            lock: Mutex::default(),
        })
    }

    fn failed(&self, operation: &str, fault: Fault) -> Error {
        fault.into_error(operation, &self.place)
    }
}

impl Tables for PostgresTables {
    fn place(&self) -> &str {
        &self.place
    }

    fn lock(&self) -> Reply<'_, bool> {
        Box::pin(async move {
            let failed = |fault| self.failed("lock ledger", fault);
            let db = self.pool.connect().await.map_err(failed)?;
            // Printing excludes copying, too.
            let is_locked = db.try_lock_in(&self.pool.config().schema, Lock::Printer);
            let is_locked = is_locked.await.map_err(failed)?;
            if is_locked {
                let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
                *lock = Some(db);
            }
            Ok(is_locked)
        })
    }

    fn head(&self) -> Reply<'_, Head> {
        let head = self
            .pool
            .run("read ledger", Mode::Read, (), |db, ()| Box::pin(head(db)));
        Box::pin(head)
    }

    fn upgrade(&self) -> Reply<'_, u32> {
        Box::pin(async move {
            let failed = |fault| self.failed("create or upgrade ledger", fault);
            let db = self.pool.connect().await.map_err(failed)?;
            let from = schema::upgrade(&db, &self.pool.config().schema);
            from.await.map(number).map_err(failed)
        })
    }

    fn numbers(&self, sql: String) -> Reply<'_, Vec<i64>> {
        self.pool.run("read ledger", Mode::Read, sql, |db, sql| {
            Box::pin(async move {
                let row = db.query_one(sql, &[]).await?;
                let numbers = (0..row.len()).map(|index| Ok(row.try_get(index)?));
                numbers.collect()
            })
        })
    }

    /// PostgreSQL reports damaged pages when it reads them.
    fn damage(&self) -> Reply<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn counters(&self) -> Reply<'_, Counters> {
        self.pool.run("read ledger", Mode::Read, (), |db, ()| {
            Box::pin(async move {
                let row = db.query_one("SELECT last_value FROM lease", &[]).await?;
                let resubmitted = schema::copy_mark(db, "resubmitted").await?;
                let expired = schema::copy_mark(db, "expired").await?;
                Ok(Counters {
                    lease: row.try_get(0)?,
                    resubmitted: resubmitted.unwrap_or(0),
                    expired: expired.unwrap_or(0),
                })
            })
        })
    }

    fn read(&self, table: &'static Table, after: i64, limit: usize) -> Reply<'_, Records> {
        let args = (table, after, limit);
        self.pool.run("read ledger", Mode::Read, args, |db, args| {
            Box::pin(read(db, args.0, args.1, args.2))
        })
    }

    fn write(&self, table: &'static Table, records: Records) -> Reply<'_, ()> {
        let args = (table, records);
        Box::pin(
            self.pool
                .run("write ledger", Mode::Write, args, |db, args| {
                    Box::pin(write(db, args.0, &args.1))
                }),
        )
    }

    fn begin_copy(&self, fingerprint: i64) -> Reply<'_, ()> {
        Box::pin(async move {
            let failed = |fault| self.failed("write ledger", fault);
            let db = self.pool.connect().await.map_err(failed)?;
            let begun = schema::begin_copy(&db, &self.pool.config().schema, fingerprint);
            begun.await.map_err(failed)
        })
    }

    fn end_copy(&self, scope: Scope, counters: Counters, fingerprint: i64) -> Reply<'_, ()> {
        let args = (scope, counters, fingerprint);
        Box::pin(
            self.pool
                .run("write ledger", Mode::Write, args, |db, args| {
                    Box::pin(end_copy(db, &args.0, args.1, args.2))
                }),
        )
    }
}

async fn head(db: &Connection) -> Result<Head, Fault> {
    let version = schema::version(db).await?;
    schema::check_version(version)?;
    let mut head = Head {
        version: number(version),
        current: number(schema::current()),
        scope: None,
        copying: None,
        copied: None,
        users: 0,
    };
    // The tables of other versions may differ.
    if version == schema::current() {
        head.scope = schema::read_scope(db).await?;
        head.copying = schema::copy_mark(db, COPYING).await?;
        head.copied = schema::copy_mark(db, COPIED).await?;
        head.users = worker::list(db, 0).await?.len();
    }
    Ok(head)
}

fn number(version: i32) -> u32 {
    u32::try_from(version).unwrap_or(0)
}

async fn end_copy(
    db: &Connection,
    scope: &Scope,
    counters: Counters,
    fingerprint: i64,
) -> Result<(), Fault> {
    schema::write_scope(db, scope).await?;
    schema::set_counter(db, "resubmitted", counters.resubmitted).await?;
    schema::set_counter(db, "expired", counters.expired).await?;
    schema::set_counter(db, COPIED, fingerprint).await?;
    db.execute("DELETE FROM tally WHERE name = $1", &[&COPYING])
        .await?;
    // A sequence begins at 1, also if the copied ledger has given no lease.
    db.query("SELECT setval('lease', $1)", &[&counters.lease.max(1)])
        .await?;
    // The ids were copied, so the next ones must follow them.
    for table in &TABLES {
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{0}', 'id'),
                 (SELECT COALESCE(max(id), 0) + 1 FROM {0}), false)",
            table.name
        );
        db.query(&next, &[]).await?;
    }
    Ok(())
}

async fn read(db: &Connection, table: &Table, after: i64, limit: usize) -> Result<Records, Fault> {
    let columns = table.columns.iter().map(|column| match column.kind {
        Kind::Number(_) => format!("{}::bigint", column.name),
        Kind::Flag => format!("{}::integer::bigint", column.name),
        _ => column.name.to_owned(),
    });
    let sql = format!(
        "SELECT {} FROM {} WHERE id > $1 ORDER BY id LIMIT $2",
        columns.collect::<Vec<_>>().join(", "),
        table.name
    );
    let rows = db.query(&sql, &[&after, &signed(limit)]).await?;
    let record = |row: &SqlRow| {
        let columns = table.columns.iter().enumerate();
        columns
            .map(|(index, column)| value_at(row, index, *column))
            .collect()
    };
    rows.iter().map(record).collect()
}

fn value_at(row: &SqlRow, index: usize, column: Column) -> Result<Value, Fault> {
    let value = match column.kind {
        Kind::Number(_) | Kind::Flag => row.try_get::<_, Option<i64>>(index)?.map(Value::Number),
        Kind::Text => row.try_get::<_, Option<String>>(index)?.map(Value::Text),
        Kind::Bytes | Kind::AnyText => row.try_get::<_, Option<Vec<u8>>>(index)?.map(Value::Bytes),
    };
    Ok(value.unwrap_or(Value::Null))
}

async fn write(db: &Connection, table: &Table, records: &Records) -> Result<(), Fault> {
    let mut selected = Vec::new();
    let mut types = Vec::new();
    let mut params: Vec<Box<dyn ToSql + Sync + Send>> = Vec::new();
    for (index, column) in table.columns.iter().enumerate() {
        let values = records.iter().map(|record| record.get(index));
        let (selection, array) = match column.kind {
            Kind::Number(kind) => (format!("c{index}::{kind}"), "bigint"),
            Kind::Flag => (format!("c{index}::integer::boolean"), "bigint"),
            Kind::Text => (format!("c{index}"), "text"),
            Kind::Bytes | Kind::AnyText => (format!("c{index}"), "bytea"),
        };
        selected.push(selection);
        types.push(format!("${}::{array}[]", index + 1));
        params.push(match array {
            "bigint" => Box::new(values.map(numeric).collect::<Vec<_>>()),
            "text" => Box::new(values.map(textual).collect::<Vec<_>>()),
            _ => Box::new(values.map(binary).collect::<Vec<_>>()),
        });
    }
    let names = (0..table.columns.len()).map(|index| format!("c{index}"));
    // A repetition after a lost connection finds the rows that it committed.
    let sql = format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM unnest({}) AS t ({})
         ON CONFLICT (id) DO NOTHING",
        table.name,
        table.names(),
        selected.join(", "),
        types.join(", "),
        names.collect::<Vec<_>>().join(", ")
    );
    let params: Vec<&(dyn ToSql + Sync)> = params
        .iter()
        .map(|param| -> &(dyn ToSql + Sync) { &**param })
        .collect();
    db.execute(&sql, &params).await.map(drop)
}

fn numeric(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    }
}

fn textual(value: Option<&Value>) -> Option<String> {
    match value {
        Some(Value::Text(text)) => Some(storable(text)),
        _ => None,
    }
}

fn binary(value: Option<&Value>) -> Option<Vec<u8>> {
    match value {
        Some(Value::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    }
}
