//! The tables and their migrations.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{
    super::{
        key::Scope,
        tables::{COPYING, UNBOUND, UNFINISHED},
    },
    fault::Fault,
};
use crate::scene::Scene;

/// The application id, which distinguishes a ledger from other SQLite files.
// The letters `GrnL`.
const APPLICATION_ID: i32 = 0x4772_6e4c;

/// One script per version, in order. Released scripts never change. Version n is the result of the
/// first n scripts.
const MIGRATIONS: &[&str] = &[V1, V2, V3, V4, V5];

/// `next_at` is the due time of an image, and NULL if no work is left. The partial indexes omit such
/// rows by exactly this condition, because SQLite uses a partial index only if the query implies its
/// condition, as `next_at <= ?` does and `state = ?` does not. Hot queries name their index, so that
/// they fail instead of scanning the table.
// `outbox` has AUTOINCREMENT, because SQLite gives the id of a deleted last row to the next one,
// and readers continue after the last id that they got. `source_once` maps NULL to '', because a
// unique index treats each NULL as different.
const V1: &str = "
CREATE TABLE scope (account TEXT NOT NULL, service TEXT NOT NULL, policy TEXT NOT NULL);
CREATE TABLE scene (name TEXT NOT NULL);
CREATE TABLE tally (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO tally VALUES ('lease', 0), ('resubmitted', 0), ('expired', 0);
CREATE TABLE image (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    url TEXT NOT NULL,
    state INTEGER NOT NULL,
    next_at INTEGER,
    lease INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0,
    expirations INTEGER NOT NULL DEFAULT 0,
    batch INTEGER,
    task INTEGER,
    expires_at INTEGER,
    class TEXT,
    message TEXT,
    facts TEXT,
    outcome TEXT
);
CREATE INDEX image_due ON image (state, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX image_expiry ON image (expires_at, next_at) WHERE expires_at IS NOT NULL;
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    images INTEGER NOT NULL,
    request_id TEXT
);
CREATE INDEX batch_sent ON batch (sent_at);
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    image INTEGER,
    batch INTEGER,
    state INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL
);
CREATE TABLE origin (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    image INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    line INTEGER NOT NULL,
    data_id TEXT,
    text TEXT
);
CREATE UNIQUE INDEX source_once ON source (image, origin, line, COALESCE(data_id, ''));
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source INTEGER NOT NULL,
    image INTEGER NOT NULL
);
CREATE INDEX outbox_image ON outbox (image);
CREATE TABLE quota (operation TEXT PRIMARY KEY, free_at INTEGER NOT NULL) WITHOUT ROWID;
";

/// Adds images in files, for which `url` is a path: text, or bytes if it is not UTF-8. Indexes the
/// outbox by source, allows several sources per line (the files of a folder) that differ in their
/// text, records whether a list was read to its end, and stores how many images a task bills.
const V2: &str = "
ALTER TABLE image ADD COLUMN is_file INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN billed INTEGER NOT NULL DEFAULT 1;
ALTER TABLE task ADD COLUMN billed INTEGER NOT NULL DEFAULT 1;
DROP INDEX outbox_image;
CREATE UNIQUE INDEX outbox_source ON outbox (image, source);
DROP INDEX source_once;
CREATE UNIQUE INDEX source_once
    ON source (image, origin, line, COALESCE(data_id, ''), COALESCE(text, ''));
ALTER TABLE origin ADD COLUMN is_read INTEGER NOT NULL DEFAULT 1;
";

/// Adds the host that added a file, and since when the requests of an operation fail.
const V3: &str = "
ALTER TABLE image ADD COLUMN host TEXT;
ALTER TABLE quota ADD COLUMN failing_since INTEGER;
";

/// Adds whether an image at a URL is uploaded before it is submitted.
const V4: &str = "
ALTER TABLE image ADD COLUMN by_upload INTEGER NOT NULL DEFAULT 0;
";

/// Adds when a delivery is due, which is NULL once it is abandoned, and the scan of a URL that a server
/// downloaded.
// 0 is before any time, so the outcomes of an older version and new ones are due immediately.
const V5: &str = "
ALTER TABLE outbox ADD COLUMN next_at INTEGER DEFAULT 0;
ALTER TABLE outbox ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_due ON outbox (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE scanned_url (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    source INTEGER NOT NULL,
    scanned_at INTEGER NOT NULL
);
";

/// Returns the version that this program writes.
pub(super) fn current() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Migrates the file to this version, or fails if it cannot be used.
pub(super) fn migrate(db: &mut Connection) -> Result<(), Fault> {
    // Immediate, so that a process waits for another one that is migrating the file.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    migrate_within(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// Migrates the file within the caller's transaction.
pub(super) fn migrate_within(db: &Connection) -> Result<(), Fault> {
    let version = check(db)?;
    if version < current() {
        let done = usize::try_from(version).unwrap_or(0);
        for script in MIGRATIONS.iter().skip(done) {
            db.execute_batch(script)?;
        }
        // Both are in the file's header and so part of the transaction: a migration that is killed
        // leaves the old version.
        db.pragma_update(None, "application_id", APPLICATION_ID)?;
        db.pragma_update(None, "user_version", current())?;
    }
    Ok(())
}

/// Fails if the file would have to be migrated first.
pub(super) fn check_current(db: &Connection) -> Result<(), Fault> {
    let current = current();
    let version = check(db)?;
    if version == current {
        return Ok(());
    }
    if version == 0 {
        return Err(Fault::unusable("it is empty"));
    }
    Err(Fault::unusable(format!(
        "it was written by an older greenlight (schema {version}, this one knows {current}); upgrade it, \
         or open it once for writing"
    )))
}

/// Returns the version of the file, 0 if it is empty.
pub(super) fn check(db: &Connection) -> Result<i64, Fault> {
    let current = current();
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    // `create_private` makes an empty file, which SQLite reads as a database without tables.
    let is_empty = tables == 0 && application == 0 && version == 0;
    if !is_empty && application != APPLICATION_ID {
        return Err(Fault::unusable(
            "it is a SQLite database but not a ledger; name another file",
        ));
    }
    if version > current {
        return Err(Fault::unusable(format!(
            "it was written by a newer greenlight (schema {version}, this one knows {current}); use \
             that one, or name another file"
        )));
    }
    Ok(version)
}

/// Writes the scope into a new ledger, or checks that of an existing one.
pub(super) fn bind(db: &mut Connection, scope: &Scope) -> Result<(), Fault> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match read_scope(&transaction)? {
        None => {
            // A copy writes the scope last, so a file without one may be a part of a copy.
            check_copied(&transaction)?;
            write_scope(&transaction, scope)?;
        }
        Some(found) => found.check(scope).map_err(Fault::unusable)?,
    }
    transaction.commit()?;
    Ok(())
}

/// Returns the scope of a ledger that a run has used.
pub(super) fn bound_scope(db: &Connection) -> Result<Scope, Fault> {
    if let Some(scope) = read_scope(db)? {
        return Ok(scope);
    }
    check_copied(db)?;
    Err(Fault::unusable(UNBOUND))
}

/// Fails for the target of a copy that is not complete.
fn check_copied(db: &Connection) -> Result<(), Fault> {
    match copy_mark(db, COPYING)? {
        Some(_) => Err(Fault::unusable(UNFINISHED)),
        None => Ok(()),
    }
}

pub(super) fn write_scope(db: &Connection, scope: &Scope) -> Result<(), Fault> {
    db.execute(
        "INSERT INTO scope VALUES (?1, ?2, ?3)",
        params![scope.account(), scope.service(), scope.policy()],
    )?;
    for scene in scope.scenes() {
        db.execute("INSERT INTO scene VALUES (?1)", [scene.as_str()])?;
    }
    Ok(())
}

/// Returns the fingerprint of the ledger that is being copied, or was copied, into this one.
pub(super) fn copy_mark(db: &Connection, name: &str) -> Result<Option<i64>, Fault> {
    let mark = db.query_row("SELECT value FROM tally WHERE name = ?1", [name], |row| {
        row.get(0)
    });
    Ok(mark.optional()?)
}

pub(super) fn read_scope(db: &Connection) -> Result<Option<Scope>, Fault> {
    let head = db
        .query_row("SELECT account, service, policy FROM scope", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((account, service, policy)): Option<(String, String, String)> = head else {
        return Ok(None);
    };
    let mut statement = db.prepare("SELECT name FROM scene ORDER BY name")?;
    let scenes: Vec<Scene> = statement
        .query_map([], |row| {
            let name: String = row.get(0)?;
            Ok(Scene::from_word(&name))
        })?
        .collect::<Result<_, _>>()?;
    Ok(Some(
        Scope::new(&scenes)
            .with_account(&account)
            .with_service(&service)
            .with_policy(&policy),
    ))
}
