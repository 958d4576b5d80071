//! Copies a ledger into another store.
//!
//! Rows keep their ids and are copied in the order of these, table by table, so the last id in the
//! target is where to continue. The scope is written last, in the transaction that ends the copy: a
//! ledger without a scope cannot be used. A fingerprint of the source is stored in the target, and
//! compared before and after the copy.

use sha2::{Digest as _, Sha256};

use super::{
    super::State,
    super::tables::{Head, TABLES, Table, Tables, UNBOUND, UNFINISHED, Value},
    Maintenance, unsigned,
};
use crate::error::Error;

/// Rows per transaction.
const CHUNK: usize = 1_000;

/// The progress of [`Maintenance::copy_to`](super::Maintenance::copy_to).
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{Scene, ledger::{Maintenance, Scope, SqliteLedger}};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("images.db");
/// drop(SqliteLedger::open(&path, &Scope::new(&[Scene::Porn]))?);
/// let source = Maintenance::sqlite(&path)?;
/// let target = Maintenance::sqlite(&folder.path().join("copy.db"))?;
/// let copied = source.copy_to(&target, |copied| println!("{} rows", copied.rows)).await?;
/// assert_eq!(copied.rows, copied.total);
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// The number of rows that are in the target, including those of an earlier attempt.
    pub rows: u64,
    /// The number of rows to copy.
    pub total: u64,
    /// The number of images with remaining work. A run of either ledger would submit them, and pay
    /// for them.
    pub unfinished: u64,
    /// The target was a complete copy before; a run may have used it since.
    pub was_complete: bool,
}

pub(super) async fn copy(
    from: &Maintenance,
    to: &Maintenance,
    mut progress: impl FnMut(Copied) + Send,
) -> Result<Copied, Error> {
    let source = from.current("copy").await?;
    let Some(scope) = source.scope.clone() else {
        let why = if source.copying.is_some() {
            UNFINISHED
        } else {
            UNBOUND
        };
        return Err(from.unusable("copy", why));
    };
    // Workers have locks of their own, which `users` counts; `lock` takes the one of the process
    // that prints.
    for side in [from, to] {
        if side.tables.head().await?.users > 0 || !side.tables.lock().await? {
            return Err(side.unusable("copy", "it is in use: stop its workers first"));
        }
    }
    // Under the locks, so that no worker changes the ledger after it.
    let fingerprint = fingerprint(from, &source).await?;
    let total = total(&*from.tables).await?;
    let unfinished = unfinished(&*from.tables).await?;
    let mut copied = Copied {
        rows: 0,
        total,
        unfinished,
        was_complete: false,
    };
    // A repeated copy that was complete is a success, so that scripts can repeat it.
    if prepare(to, fingerprint).await? {
        copied.rows = total;
        copied.was_complete = true;
        return Ok(copied);
    }
    for table in &TABLES {
        let (rows, mut last) = extent(&*to.tables, table).await?;
        copied.rows += rows;
        progress(copied);
        loop {
            let records = from.tables.read(table, last, CHUNK).await?;
            let Some(&[Value::Number(id), ..]) = records.last().map(Vec::as_slice) else {
                break;
            };
            last = id;
            copied.rows += u64::try_from(records.len()).unwrap_or(0);
            to.tables.write(table, records).await?;
            progress(copied);
        }
    }
    let now = from.tables.head().await?;
    // The locks exclude other maintenance and workers, but not a program of another version.
    if fingerprint != self::fingerprint(from, &now).await?
        || self::total(&*to.tables).await? != total
    {
        return Err(from.unusable(
            "copy",
            "it changed while it was copied: remove the copy, and repeat",
        ));
    }
    // With the last lease: a number that is given again could make an old lease valid.
    let counters = from.tables.counters().await?;
    to.tables.end_copy(scope, counters, fingerprint).await?;
    Ok(copied)
}

/// Creates the tables of the target, or checks that it contains a part of this copy. Returns
/// whether the copy is complete.
async fn prepare(to: &Maintenance, fingerprint: i64) -> Result<bool, Error> {
    if to.tables.head().await?.version == 0 {
        to.tables.begin_copy(fingerprint).await?;
    }
    match to.current("copy").await? {
        Head {
            copied: Some(found),
            scope: Some(_),
            ..
        } if found == fingerprint => Ok(true),
        Head { scope: Some(_), .. } => Err(to.unusable(
            "copy",
            "it contains another ledger, or the same one at another time: name an empty target",
        )),
        Head {
            copying: Some(found),
            ..
        } if found == fingerprint => Ok(false),
        Head {
            copying: Some(_), ..
        } => Err(to.unusable(
            "copy",
            "it contains a part of another ledger, or of the same one at another time: remove it",
        )),
        Head { copying: None, .. } => {
            if total(&*to.tables).await? > 0 {
                return Err(to.unusable("copy", "it is not empty"));
            }
            to.tables.begin_copy(fingerprint).await?;
            Ok(false)
        }
    }
}

/// Returns the number of rows and the last id.
async fn extent(tables: &dyn Tables, table: &Table) -> Result<(u64, i64), Error> {
    let sql = format!(
        "SELECT CAST(count(*) AS bigint), CAST(coalesce(max(id), 0) AS bigint) FROM {}",
        table.name
    );
    let found = tables.numbers(sql).await?;
    let [rows, last] = found.try_into().unwrap_or_default();
    Ok((unsigned(rows), last))
}

async fn total(tables: &dyn Tables) -> Result<u64, Error> {
    let mut total = 0;
    for table in &TABLES {
        total += extent(tables, table).await?.0;
    }
    Ok(total)
}

async fn unfinished(tables: &dyn Tables) -> Result<u64, Error> {
    let active = State::ACTIVE.map(|state| state.code().to_string());
    let sql = format!(
        "SELECT CAST(count(*) AS bigint) FROM image WHERE state IN ({})",
        active.join(", ")
    );
    let found = tables.numbers(sql).await?;
    Ok(found.first().copied().map_or(0, unsigned))
}

/// Returns a number that changes with every call that writes to the ledger.
async fn fingerprint(ledger: &Maintenance, head: &Head) -> Result<i64, Error> {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", head.scope));
    for table in &TABLES {
        let head = ["count(*)", "max(id)"].iter();
        // PostgreSQL's sum of `bigint` is `numeric`, which `numbers` does not read.
        let columns: Vec<_> = head
            .chain(table.fingerprint)
            .map(|expression| format!("CAST(coalesce({expression}, 0) AS bigint)"))
            .collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), table.name);
        for number in ledger.tables.numbers(sql).await? {
            hash.update(number.to_be_bytes());
        }
    }
    let digest: [u8; 32] = hash.finalize().into();
    let head = digest.first_chunk().copied().unwrap_or_default();
    Ok(i64::from_be_bytes(head))
}
