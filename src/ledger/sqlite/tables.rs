//! The rows of the file, for maintenance.

use std::path::{Path, PathBuf};

use rusqlite::{
    Connection, OpenFlags, params, params_from_iter,
    types::{Value as SqlValue, ValueRef},
};

use super::{
    super::{
        Reply, Scope,
        tables::{COPIED, COPYING, Counters, Head, Kind, Records, Table, Tables, Value},
    },
    fault::Fault,
    options::{SqliteOptions, make_durable},
    schema,
    worker::{Mode, Worker},
};
use crate::error::{Error, ErrorKind};

/// A file that is opened for maintenance.
pub(in crate::ledger) struct SqliteTables {
    path: PathBuf,
    text: String,
    worker: Worker,
}

impl std::fmt::Debug for SqliteTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteTables")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SqliteTables {
    pub(in crate::ledger) fn open(path: &Path) -> Result<Self, Error> {
        let open = || -> Result<Connection, Fault> {
            let db = SqliteOptions::DEFAULT.connect(path, OpenFlags::empty())?;
            schema::check(&db)?;
            make_durable(&db)?;
            Ok(db)
        };
        let db = open().map_err(|fault| fault.into_error("open ledger", path))?;
        let worker = Worker::start("ledger-maintenance", db, Mode::Write(1)).map_err(|error| {
            Error::new(ErrorKind::Io, "open ledger: start a thread").with_source(error)
        })?;
        Ok(Self {
            path: path.to_owned(),
            text: path.display().to_string(),
            worker,
        })
    }

    async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.worker.call(work).await;
        done.map_err(|fault| fault.into_error(operation, &self.path))
    }
}

impl Tables for SqliteTables {
    fn place(&self) -> &str {
        &self.text
    }

    fn lock(&self) -> Reply<'_, bool> {
        // The caller excludes other processes, as `Maintenance::sqlite` requires.
        Box::pin(async { Ok(true) })
    }

    fn head(&self) -> Reply<'_, Head> {
        Box::pin(self.call("read ledger", head))
    }

    fn upgrade(&self) -> Reply<'_, u32> {
        Box::pin(self.call("upgrade ledger", |db| {
            let from = schema::check(db)?;
            schema::migrate_within(db)?;
            Ok(number(from))
        }))
    }

    fn numbers(&self, sql: String) -> Reply<'_, Vec<i64>> {
        Box::pin(self.call("read ledger", move |db| {
            let mut statement = db.prepare_cached(&sql)?;
            let count = statement.column_count();
            Ok(statement.query_row([], |row| (0..count).map(|index| row.get(index)).collect())?)
        }))
    }

    fn damage(&self) -> Reply<'_, Vec<String>> {
        Box::pin(self.call("check ledger", |db| {
            // At most ten messages: each has the same remedy, a backup.
            let mut statement = db.prepare("PRAGMA integrity_check(10)")?;
            let found = statement.query_map([], |row| row.get(0))?;
            let mut found: Vec<String> = found.collect::<Result<_, _>>()?;
            found.retain(|line| line != "ok");
            Ok(found)
        }))
    }

    fn counters(&self) -> Reply<'_, Counters> {
        Box::pin(self.call("read ledger", |db| {
            let counter = |name| Ok::<_, Fault>(schema::copy_mark(db, name)?.unwrap_or(0));
            Ok(Counters {
                lease: counter("lease")?,
                resubmitted: counter("resubmitted")?,
                expired: counter("expired")?,
            })
        }))
    }

    fn read(&self, table: &'static Table, after: i64, limit: usize) -> Reply<'_, Records> {
        Box::pin(self.call("read ledger", move |db| read(db, table, after, limit)))
    }

    fn write(&self, table: &'static Table, records: Records) -> Reply<'_, ()> {
        Box::pin(self.call("write ledger", move |db| write(db, table, records)))
    }

    fn begin_copy(&self, fingerprint: i64) -> Reply<'_, ()> {
        Box::pin(self.call("write ledger", move |db| {
            schema::migrate_within(db)?;
            set_counter(db, COPYING, fingerprint)
        }))
    }

    fn end_copy(&self, scope: Scope, counters: Counters, fingerprint: i64) -> Reply<'_, ()> {
        Box::pin(self.call("write ledger", move |db| {
            schema::write_scope(db, &scope)?;
            set_counter(db, "lease", counters.lease)?;
            set_counter(db, "resubmitted", counters.resubmitted)?;
            set_counter(db, "expired", counters.expired)?;
            set_counter(db, COPIED, fingerprint)?;
            db.execute("DELETE FROM tally WHERE name = ?1", [COPYING])?;
            Ok(())
        }))
    }
}

fn head(db: &Connection) -> Result<Head, Fault> {
    let version = schema::check(db)?;
    // The tables of other versions may differ.
    let is_current = version == schema::current();
    let of_current = |name| {
        if is_current {
            schema::copy_mark(db, name)
        } else {
            Ok(None)
        }
    };
    Ok(Head {
        version: number(version),
        current: number(schema::current()),
        scope: if is_current {
            schema::read_scope(db)?
        } else {
            None
        },
        copying: of_current(COPYING)?,
        copied: of_current(COPIED)?,
        users: 0,
    })
}

fn number(version: i64) -> u32 {
    u32::try_from(version).unwrap_or(0)
}

fn set_counter(db: &Connection, name: &str, value: i64) -> Result<(), Fault> {
    db.execute(
        "INSERT INTO tally VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        params![name, value],
    )?;
    Ok(())
}

fn read(db: &Connection, table: &Table, after: i64, limit: usize) -> Result<Records, Fault> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {} FROM {} WHERE id > ?1 ORDER BY id LIMIT ?2",
        table.names(),
        table.name
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement.query_map(params![after, limit], |row| {
        let columns = table.columns.iter().enumerate();
        columns
            .map(|(index, column)| {
                let is_text = column.kind == Kind::Text;
                Ok(match row.get_ref(index)? {
                    ValueRef::Integer(number) => Value::Number(number),
                    ValueRef::Text(text) if is_text => {
                        Value::Text(String::from_utf8_lossy(text).into_owned())
                    }
                    // Untrusted text is copied as bytes, because `text` in PostgreSQL cannot
                    // contain U+0000.
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
                    // No column has a fraction.
                    ValueRef::Null | ValueRef::Real(_) => Value::Null,
                })
            })
            .collect()
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn write(db: &Connection, table: &Table, records: Records) -> Result<(), Fault> {
    let marks = vec!["?"; table.columns.len()].join(", ");
    let mut statement = db.prepare_cached(&format!(
        "INSERT INTO {} ({}) VALUES ({marks})",
        table.name,
        table.names()
    ))?;
    for record in records {
        let values = record.into_iter().zip(table.columns);
        let values = values.map(|(value, column)| match (value, column.kind) {
            (Value::Null, _) => SqlValue::Null,
            (Value::Number(number), _) => SqlValue::Integer(number),
            (Value::Text(text), _) => SqlValue::Text(text),
            (Value::Bytes(bytes), Kind::AnyText) => match String::from_utf8(bytes) {
                Ok(text) => SqlValue::Text(text),
                Err(error) => SqlValue::Blob(error.into_bytes()),
            },
            (Value::Bytes(bytes), _) => SqlValue::Blob(bytes),
        });
        statement.execute(params_from_iter(values))?;
    }
    Ok(())
}
