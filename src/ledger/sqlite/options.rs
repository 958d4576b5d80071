//! Opens the file: checks that it is a ledger and belongs to the scope.

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    super::Scope,
    Inner, SqliteLedger, beside,
    fault::Fault,
    schema,
    worker::{Mode, Worker},
};
use crate::error::{Error, ErrorKind};

/// The options for opening a [`SqliteLedger`].
///
/// ```
/// use greenlight::{Scene, ledger::{Scope, SqliteLedger}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&[Scene::Porn]).with_account("my-account");
/// let ledger = SqliteLedger::options()
///     .max_bytes(1 << 30)
///     .open(&folder.path().join("images.db"), &scope)?;
/// # drop(ledger);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SqliteOptions {
    lock_wait: Duration,
    group: usize,
    max_bytes: Option<u64>,
    read_only: bool,
}

impl SqliteOptions {
    pub(super) const DEFAULT: Self = Self {
        lock_wait: Duration::from_secs(30),
        group: 256,
        max_bytes: None,
        read_only: false,
    };

    /// Sets how long to wait for another process to finish writing. Default: 30 seconds.
    #[must_use]
    pub const fn lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Sets the maximum number of calls per commit. Default: 256.
    #[must_use]
    pub const fn group_commit(mut self, calls: usize) -> Self {
        self.group = calls;
        self
    }

    /// Sets the maximum size of the file, in bytes. At this size, writes fail as on a full disk.
    /// Default: none.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Opens the ledger read-only: every call that writes fails. SQLite writes the `-shm` file even
    /// when it only reads. If that is not permitted, the file is read without it, unless the `-wal`
    /// file contains changes.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Opens the ledger at `path` for `scope`, or creates it.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`SqliteLedger::open`].
    pub fn open(self, path: &Path, scope: &Scope) -> Result<SqliteLedger, Error> {
        self.open_bound(path, Some(scope))
    }

    /// Opens an existing ledger of any scope.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`SqliteLedger::open_existing`].
    pub fn open_existing(self, path: &Path) -> Result<SqliteLedger, Error> {
        // Checked here, because SQLite would create the file.
        if !path.is_file() {
            let message = format!("open ledger: the file does not exist: {}", path.display());
            return Err(Error::new(ErrorKind::Io, message));
        }
        self.open_bound(path, None)
    }

    fn open_bound(self, path: &Path, scope: Option<&Scope>) -> Result<SqliteLedger, Error> {
        let failed = |fault: Fault| fault.into_error("open ledger", path);
        let opened = self.open_both(path, scope);
        let (writer, reader, scope) = opened.map_err(failed)?;
        let threads = || -> Result<_, std::io::Error> {
            let writer = Worker::start("ledger-writer", writer, Mode::Write(self.group))?;
            let reader = Worker::start("ledger-reader", reader, Mode::Read)?;
            Ok((writer, reader))
        };
        let (writer, reader) = threads().map_err(|error| {
            Error::new(ErrorKind::Io, "open ledger: start a thread").with_source(error)
        })?;
        Ok(SqliteLedger {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                scope,
                writer,
                reader,
            }),
        })
    }

    /// Returns the connections for writing and for reading, and the scope of the file.
    fn open_both(
        self,
        path: &Path,
        scope: Option<&Scope>,
    ) -> Result<(Connection, Connection, Scope), Fault> {
        let both = |path: &Path, more: OpenFlags| {
            let mut writer = self.connect(path, more)?;
            let scope = self.prepare(&mut writer, scope)?;
            // After the writer has created the tables and set the journal mode.
            let reader = self.connect(path, more)?;
            reader.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
            Ok((writer, reader, scope))
        };
        both(path, OpenFlags::empty()).or_else(|fault: Fault| {
            if !fault.is_of_access() {
                return Err(fault);
            }
            if !self.read_only {
                return Err(beside::not_writable(path).unwrap_or(fault));
            }
            match beside::as_immutable(path)? {
                Some(immutable) => both(&immutable, OpenFlags::SQLITE_OPEN_URI),
                None => Err(fault),
            }
        })
    }

    pub(super) fn connect(self, path: &Path, more: OpenFlags) -> Result<Connection, Fault> {
        let access = if self.read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            // Before SQLite creates the file with the mode that the umask leaves.
            beside::create_private(path);
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        };
        let db =
            Connection::open_with_flags(path, access | more | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        // Before any statement: even reading the schema can meet a lock.
        db.busy_timeout(self.lock_wait)?;
        // rusqlite keeps 16, which is fewer than the statements of these calls.
        db.set_prepared_statement_cache_capacity(128);
        // Without it SQLite compiles a kept statement again whenever a LIMIT is bound. Plans
        // are not to depend on values: the claims name their index.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(db)
    }

    /// Sets the writer's connection to durable commits, migrates the file and binds it to the
    /// scope.
    fn prepare(self, db: &mut Connection, scope: Option<&Scope>) -> Result<Scope, Fault> {
        // Before anything is written, because the file may be another program's.
        schema::check(db)?;
        if self.read_only {
            schema::check_current(db)?;
        } else {
            make_durable(db)?;
            self.limit_size(db)?;
            schema::migrate(db)?;
            if let Some(scope) = scope {
                schema::bind(db, scope)?;
            }
        }
        let found = schema::bound_scope(db)?;
        // Also if the file was not bound just now: it may belong to another account.
        if let Some(scope) = scope {
            found.check(scope).map_err(Fault::unusable)?;
        }
        Ok(found)
    }

    fn limit_size(self, db: &Connection) -> Result<(), Fault> {
        let Some(bytes) = self.max_bytes else {
            return Ok(());
        };
        let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
        db.pragma_update_and_check(None, "max_page_count", pages.max(1), |_| Ok(()))?;
        Ok(())
    }
}

/// Makes every commit durable.
pub(super) fn make_durable(db: &Connection) -> Result<(), Fault> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::unusable(format!(
            "its file system does not support a write-ahead log (journal mode `{mode}`)"
        )));
    }
    // `NORMAL` does not sync each commit of a write-ahead log: a power failure could lose task ids,
    // which were paid for.
    Ok(db.pragma_update(None, "synchronous", "FULL")?)
}

/// The page cache of a connection, in KiB.
const CACHE_KIB: i64 = 32 * 1024;

/// That of the reader, which reads few pages again. A sorter gets as much memory again, and counting all images sorts.
const READER_CACHE_KIB: i64 = 4 * 1024;

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_kept_statement_is_compiled_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images.db");
        let db = SqliteLedger::options().connect(&path, OpenFlags::empty());
        let db = db.unwrap();
        db.execute_batch("CREATE TABLE image (id INTEGER PRIMARY KEY)")
            .unwrap();
        let mut claim = db.prepare_cached("SELECT id FROM image ORDER BY id LIMIT ?1");
        let claim = claim.as_mut().unwrap();
        for limit in [1, 500, 1] {
            let none = claim.query_map([limit], |row| row.get::<_, i64>(0));
            assert_eq!(none.unwrap().count(), 0);
        }
        assert_eq!(claim.get_status(StatementStatus::RePrepare), 0);
    }
}
