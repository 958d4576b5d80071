//! A ledger in one SQLite file.

mod beside;
mod claims;
mod fault;
mod intake;
mod location;
mod options;
mod outbox;
mod quota;
mod report;
mod results;
mod row;
mod schema;
mod submit;
mod tables;
mod takeover;
mod worker;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rusqlite::Connection;

use super::{
    Backlog, BatchId, BatchResult, Begun, Claimed, Delivery, DeliveryId, Enqueued, Finding, Hold,
    Key, Ledger, NewImage, NextStep, Ordered, OutboxCounts, Permit, Poll, Quota, Recovered, Reply,
    Resubmit, Row, Rows, Scope, SharedDataId, State, Stats, Stray, TaskUpdate, Undelivered, Work,
    time::{span_to_millis, to_millis},
};
use crate::error::Error;
use fault::Fault;
pub use options::SqliteOptions;
pub(super) use tables::SqliteTables;
use worker::Worker;

/// A [`Ledger`] in one SQLite file (write-ahead log, `synchronous=FULL`).
///
/// One thread writes and commits concurrent calls together; another thread reads. Processes on one
/// machine may share the file; it must not be on a network file system. Clones share the threads.
/// Dropping the last clone waits until all requested writes are done.
///
/// The file contains complete URLs, including signatures. On Unix a new file and its `-wal` and
/// `-shm` files are created with mode 0600, so that only the owner can read them; the mode of an
/// existing file is left unchanged.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::SystemTime;
/// use greenlight::{Scene, ledger::{Ledger, Scope, SqliteLedger}};
///
/// # let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&[Scene::Porn])
///     .with_account("my-account")
///     .with_service("green.ap-southeast-1.aliyuncs.com");
/// let ledger = SqliteLedger::open(&folder.path().join("greenlight.db"), &scope)?;
/// assert_eq!(ledger.stats(SystemTime::now()).await?.images(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteLedger {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    scope: Scope,
    writer: Worker,
    reader: Worker,
}

impl SqliteLedger {
    /// Opens the ledger at `path` for `scope`, or creates it.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Usage`](crate::ErrorKind::Usage) if the file is not a ledger, was
    /// written by a newer version or belongs to another scope, and of kind
    /// [`Io`](crate::ErrorKind::Io) if it is corrupt, read-only, locked for too long or on a full
    /// disk.
    pub fn open(path: &Path, scope: &Scope) -> Result<Self, Error> {
        Self::options().open(path, scope)
    }

    /// Opens an existing ledger of any scope.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`open`](Self::open), and an error if the file does not exist.
    pub fn open_existing(path: &Path) -> Result<Self, Error> {
        Self::options().open_existing(path)
    }

    /// Returns the options for opening a ledger.
    pub const fn options() -> SqliteOptions {
        SqliteOptions::DEFAULT
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }
}

impl Inner {
    async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.writer.call(work).await;
        done.map_err(|fault| fault.into_error(operation, &self.path))
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.reader.call(work).await;
        done.map_err(|fault| fault.into_error(operation, &self.path))
    }
}

impl Ledger for SqliteLedger {
    fn scope(&self) -> &Scope {
        &self.inner.scope
    }

    fn enqueue(&self, images: Vec<NewImage>, now: SystemTime) -> Reply<'_, Vec<Enqueued>> {
        let now = to_millis(now);
        Box::pin(
            self.inner
                .write("note images", move |db| intake::enqueue(db, &images, now)),
        )
    }

    fn claim(
        &self,
        work: Work,
        limit: usize,
        lease: Duration,
        now: SystemTime,
    ) -> Reply<'_, Vec<Claimed>> {
        let now = to_millis(now);
        let until = now.saturating_add(span_to_millis(lease));
        Box::pin(self.inner.write("claim images", move |db| {
            claims::claim(db, work, limit, now, until)
        }))
    }

    fn extend(&self, holds: Vec<Hold>, lease: Duration, now: SystemTime) -> Reply<'_, usize> {
        let until = to_millis(now).saturating_add(span_to_millis(lease));
        Box::pin(
            self.inner
                .write("hold images", move |db| claims::extend(db, &holds, until)),
        )
    }

    fn release(&self, holds: Vec<Hold>, now: SystemTime) -> Reply<'_, usize> {
        let now = to_millis(now);
        Box::pin(
            self.inner
                .write("release images", move |db| claims::release(db, &holds, now)),
        )
    }

    fn record_findings(&self, findings: Vec<Finding>, now: SystemTime) -> Reply<'_, usize> {
        let now = to_millis(now);
        Box::pin(self.inner.write("record findings", move |db| {
            claims::record_findings(db, &findings, now)
        }))
    }

    // The next steps contain their due times, so the time of the call is not needed.
    fn record_unsent(&self, unsent: Vec<(Hold, NextStep)>, _now: SystemTime) -> Reply<'_, usize> {
        Box::pin(self.inner.write("record what was not sent", move |db| {
            submit::record_unsent(db, &unsent)
        }))
    }

    fn begin_batch(&self, holds: Vec<Hold>, settle: Duration, now: SystemTime) -> Reply<'_, Begun> {
        let now = to_millis(now);
        let settle_at = now.saturating_add(span_to_millis(settle));
        Box::pin(self.inner.write("begin batch", move |db| {
            submit::begin_batch(db, &holds, settle_at, now)
        }))
    }

    fn record_answer(
        &self,
        batch: BatchId,
        answer: BatchResult,
        now: SystemTime,
    ) -> Reply<'_, Stray> {
        let now = to_millis(now);
        Box::pin(self.inner.write("record answer", move |db| {
            submit::record_answer(db, batch, &answer, now)
        }))
    }

    fn due_polls(&self, limit: usize, hold: Duration, now: SystemTime) -> Reply<'_, Vec<Poll>> {
        let now = to_millis(now);
        // A write, because the returned tasks are held: no other user polls them until then.
        let until = now.saturating_add(span_to_millis(hold));
        Box::pin(self.inner.write("find due polls", move |db| {
            results::due_polls(db, limit, now, until)
        }))
    }

    fn record_outcomes(&self, updates: Vec<TaskUpdate>, now: SystemTime) -> Reply<'_, usize> {
        let now = to_millis(now);
        Box::pin(self.inner.write("record outcomes", move |db| {
            results::record_outcomes(db, &updates, now)
        }))
    }

    fn recover(&self, resubmit: Resubmit, now: SystemTime) -> Reply<'_, Recovered> {
        let now = to_millis(now);
        Box::pin(
            self.inner
                .write("recover", move |db| submit::recover(db, resubmit, now)),
        )
    }

    fn take_over(&self, settle: Duration, now: SystemTime) -> Reply<'_, usize> {
        let (settle, now) = (span_to_millis(settle), to_millis(now));
        Box::pin(
            self.inner
                .write("take over", move |db| takeover::take_over(db, settle, now)),
        )
    }

    fn permit(&self, quota: Quota, cost: u32) -> Reply<'_, Permit> {
        Box::pin(async move {
            // Before the store: a cost above the burst would wait without an end.
            quota.check(cost)?;
            self.inner
                .write("ask for a permit", move |db| {
                    quota::permit(db, &quota, cost)
                })
                .await
        })
    }

    fn slow_down(&self, quota: Quota, pause: Duration) -> Reply<'_, ()> {
        Box::pin(
            self.inner
                .write("slow down", move |db| quota::slow_down(db, &quota, pause)),
        )
    }

    fn fail(&self, quota: Quota, pause: Duration) -> Reply<'_, Duration> {
        Box::pin(
            self.inner
                .write("record a failure", move |db| quota::fail(db, &quota, pause)),
        )
    }

    fn end_outage(&self, quota: Quota) -> Reply<'_, ()> {
        Box::pin(
            self.inner
                .write("end an outage", move |db| quota::end_outage(db, &quota)),
        )
    }

    fn undelivered(&self, after: Option<DeliveryId>, limit: usize) -> Reply<'_, Vec<Undelivered>> {
        Box::pin(self.inner.read("read outbox", move |db| {
            outbox::undelivered(db, after, limit)
        }))
    }

    fn ordered(&self, after: i64, limit: usize) -> Reply<'_, Ordered> {
        Box::pin(
            self.inner
                .read("read outbox", move |db| outbox::ordered(db, after, limit)),
        )
    }

    fn acknowledge(&self, deliveries: Vec<DeliveryId>, _now: SystemTime) -> Reply<'_, ()> {
        Box::pin(self.inner.write("acknowledge deliveries", move |db| {
            outbox::acknowledge(db, &deliveries)
        }))
    }

    fn due_deliveries(
        &self,
        limit: usize,
        hold: Duration,
        now: SystemTime,
    ) -> Reply<'_, Vec<Delivery>> {
        let now = to_millis(now);
        let until = now.saturating_add(span_to_millis(hold));
        Box::pin(self.inner.write("claim deliveries", move |db| {
            outbox::due(db, limit, now, until)
        }))
    }

    fn postpone(&self, failed: Vec<(DeliveryId, Option<SystemTime>)>) -> Reply<'_, ()> {
        Box::pin(self.inner.write("postpone deliveries", move |db| {
            outbox::postpone(db, &failed)
        }))
    }

    fn outbox_counts(&self) -> Reply<'_, OutboxCounts> {
        Box::pin(self.inner.read("count deliveries", outbox::counts))
    }

    fn states(&self, keys: Vec<Key>) -> Reply<'_, Vec<Option<State>>> {
        Box::pin(
            self.inner
                .read("read states", move |db| report::states(db, &keys)),
        )
    }

    fn remember_url(&self, url: Key, number: i64, now: SystemTime) -> Reply<'_, ()> {
        let now = to_millis(now);
        Box::pin(self.inner.write("record a URL", move |db| {
            intake::remember_url(db, &url, number, now)
        }))
    }

    fn recall_url(&self, url: Key, since: SystemTime) -> Reply<'_, Option<i64>> {
        let since = to_millis(since);
        Box::pin(self.inner.read("look up a URL", move |db| {
            report::recall_url(db, &url, since)
        }))
    }

    fn retry(&self, classes: Vec<String>, now: SystemTime) -> Reply<'_, u64> {
        let now = to_millis(now);
        Box::pin(
            self.inner
                .write("retry", move |db| results::retry(db, &classes, now)),
        )
    }

    fn mark_list(&self, origin: String, is_read: bool) -> Reply<'_, ()> {
        Box::pin(self.inner.write("mark list", move |db| {
            intake::mark_list(db, &origin, is_read)
        }))
    }

    fn shared_data_ids(&self, after: i64, limit: usize) -> Reply<'_, Vec<SharedDataId>> {
        Box::pin(self.inner.read("compare data ids", move |db| {
            report::shared_data_ids(db, after, limit)
        }))
    }

    fn backlog(&self) -> Reply<'_, Backlog> {
        Box::pin(self.inner.read("read backlog", report::backlog))
    }

    fn stats(&self, now: SystemTime) -> Reply<'_, Stats> {
        let now = to_millis(now);
        Box::pin(self.inner.read("count", move |db| report::stats(db, now)))
    }

    fn rows(&self, rows: Rows) -> Reply<'_, Vec<Row>> {
        Box::pin(
            self.inner
                .read("read rows", move |db| report::rows(db, rows)),
        )
    }
}

impl fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLedger")
            .field("path", &self.inner.path)
            .field("scope", &self.inner.scope)
            .finish_non_exhaustive()
    }
}
