//! A ledger in a PostgreSQL database that several machines share.

mod clock;
mod config;
mod environment;
mod fault;
mod intake;
mod options;
mod outbox;
mod pool;
mod quota;
mod report;
mod results;
mod row;
mod schema;
mod submit;
mod tls;
mod worker;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    Answer, Backlog, BatchId, Begun, Claimed, DeliveryId, Enqueued, Fate, Finding, Hold, Ledger,
    NewImage, Ordered, Permit, Poll, Quota, Recovered, Reply, Resubmit, Row, Rows, Scope,
    SharedDataId, Stats, Stray, TaskUpdate, Undelivered, Update, Work, WorkerStatus,
    time::{from_millis, span_to_millis, to_millis},
};
use crate::error::Error;
use fault::Fault;
pub use options::PostgresOptions;
use pool::{Connection, Lock, Mode, Pool};
use worker::{Offset, Worker};

/// A [`Ledger`] in one schema of a PostgreSQL database (version 13 or newer).
///
/// Any number of processes on any number of machines may use it at the same time. Images are
/// leased with `FOR UPDATE SKIP LOCKED`; each call is one transaction, which is durable
/// (`synchronous_commit = on`) when the call returns; rate limits use the server's clock. The end of
/// a process is detected by its connection, see [`take_over`](Ledger::take_over). If a connection is
/// lost, the ledger reconnects and repeats the call.
///
/// # URL
///
/// `postgres://USER@HOST:PORT/DATABASE?schema=NAME`, with the parameters, variables and files of
/// libpq: `sslmode`, `sslrootcert`, `service`, `passfile`, `PGPASSWORD` and so on. The default schema
/// is `greenlight`. Without `sslmode`, TLS with a verified server name (`verify-full`) is required,
/// except for servers on loopback or a Unix socket. Without `sslrootcert`, the root certificates are
/// those that browsers trust.
///
/// # Example
///
/// ```no_run
/// use greenlight::ledger::{Ledger, PostgresLedger, Scope};
///
/// # async fn example() -> Result<(), greenlight::Error> {
/// let scope = Scope::new("my-account", "green.ap-southeast-1.aliyuncs.com", &["porn"]);
/// let ledger = PostgresLedger::open("postgres://me@db.example.com/images", &scope).await?;
/// println!("{:?}", ledger.backlog().await?);
/// # Ok(())
/// # }
/// ```
///
/// It must be used on the tokio runtime on which it was opened. A connection pooler in front of the
/// server must use session pooling, because locks and prepared statements belong to a session.
#[derive(Clone)]
pub struct PostgresLedger {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Arc<Pool>,
    scope: Scope,
    place: String,
    offset: Arc<Offset>,
    worker: Option<Worker>,
}

impl PostgresLedger {
    /// Opens the ledger at `url` for `scope`, or creates it.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Usage`](crate::ErrorKind::Usage) if the URL is malformed, the
    /// ledger has another scope or a newer version, the server runs without `fsync`, or the clocks
    /// differ by more than a minute; of kind [`Credentials`](crate::ErrorKind::Credentials) if other
    /// users can read the password file; of kind [`Io`](crate::ErrorKind::Io) if the database fails
    /// or cannot be reached.
    pub async fn open(url: &str, scope: &Scope) -> Result<Self, Error> {
        Self::options().open(url, scope).await
    }

    /// Opens an existing ledger of any scope.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`open`](Self::open), and an error if there is no ledger.
    pub async fn open_existing(url: &str) -> Result<Self, Error> {
        Self::options().open_existing(url).await
    }

    /// Returns the options for opening a ledger.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    /// Returns whether `location` is the URL of a database, and not the path of a file.
    pub fn is_url(location: &str) -> bool {
        location.starts_with("postgres://") || location.starts_with("postgresql://")
    }

    /// Acquires the lock of the process that prints the ledger's outcomes in order. Returns `None` if
    /// another process holds it. The lock is released when the guard is dropped or its connection
    /// ends.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn try_lock_printer(&self) -> Result<Option<PrinterLock>, Error> {
        let failed = |fault: Fault| fault.into_error("lock the printer", &self.inner.place);
        let db = self.inner.pool.connect().await.map_err(failed)?;
        let is_locked = db.try_lock(Lock::Printer).await.map_err(failed)?;
        Ok(is_locked.then_some(PrinterLock { db }))
    }

    /// Returns the URL without the password.
    pub fn place(&self) -> &str {
        &self.inner.place
    }
}

/// The guard of the lock that [`PostgresLedger::try_lock_printer`] acquires.
pub struct PrinterLock {
    db: Connection,
}

impl PrinterLock {
    /// Returns whether the connection that holds the lock is open. Once it is closed, another
    /// process may acquire the lock.
    pub fn is_held(&self) -> bool {
        !self.db.is_closed()
    }
}

impl fmt::Debug for PrinterLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrinterLock")
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Converts a local time to the database's clock.
    fn time(&self, local: SystemTime) -> i64 {
        to_millis(local).saturating_add(self.offset.millis())
    }

    fn shift(&self, local: SystemTime) -> SystemTime {
        from_millis(self.time(local))
    }

    /// Converts a time of the database's clock to the local clock.
    fn local(&self, time: SystemTime) -> SystemTime {
        from_millis(to_millis(time).saturating_sub(self.offset.millis()))
    }

    fn number(&self) -> Option<i32> {
        self.worker.as_ref().map(|worker| worker.number)
    }

    fn fate(&self, fate: Fate) -> Fate {
        match fate {
            Fate::Again { at } => Fate::Again { at: self.shift(at) },
            Fate::Retry { at, reason } => Fate::Retry {
                at: self.shift(at),
                reason,
            },
            Fate::Dead(reason) => Fate::Dead(reason),
        }
    }

    fn answer(&self, answer: Answer) -> Answer {
        use super::Entry;
        match answer {
            Answer::Answered {
                request_id,
                poll_at,
                expires_at,
                entries,
                strays,
            } => Answer::Answered {
                request_id,
                poll_at: self.shift(poll_at),
                expires_at: self.shift(expires_at),
                entries: entries
                    .into_iter()
                    .map(|(key, entry)| match entry {
                        Entry::Refused(fate) => (key, Entry::Refused(self.fate(fate))),
                        entry @ Entry::Task(_) => (key, entry),
                    })
                    .collect(),
                strays,
            },
            Answer::Refused { request_id, fate } => Answer::Refused {
                request_id,
                fate: self.fate(fate),
            },
            Answer::Unknown => Answer::Unknown,
        }
    }

    fn update(&self, mut update: TaskUpdate) -> TaskUpdate {
        update.update = match update.update {
            Update::Processing { poll_at } => Update::Processing {
                poll_at: self.shift(poll_at),
            },
            Update::Failed(fate) => Update::Failed(self.fate(fate)),
            update @ (Update::Decided(_) | Update::Expired) => update,
        };
        update
    }

    fn finding(&self, mut finding: Finding) -> Finding {
        use super::Judgement;
        finding.judgement = match finding.judgement {
            Judgement::Unreachable(fate) => Judgement::Unreachable(self.fate(fate)),
            judgement => judgement,
        };
        finding
    }
}

impl Ledger for PostgresLedger {
    fn scope(&self) -> &Scope {
        &self.inner.scope
    }

    fn enqueue(&self, images: Vec<NewImage>, now: SystemTime) -> Reply<'_, Vec<Enqueued>> {
        let args = (images, self.inner.time(now));
        let pool = &self.inner.pool;
        Box::pin(
            pool.run("enqueue images", Mode::Write, args, |db, (images, now)| {
                Box::pin(intake::enqueue(db, images, *now))
            }),
        )
    }

    fn claim(
        &self,
        work: Work,
        limit: usize,
        lease: Duration,
        now: SystemTime,
    ) -> Reply<'_, Vec<Claimed>> {
        let now = self.inner.time(now);
        let until = now.saturating_add(span_to_millis(lease));
        let args = (work, limit, now, until, self.inner.number());
        let pool = &self.inner.pool;
        Box::pin(pool.run("claim images", Mode::Write, args, |db, args| {
            let &(work, limit, now, until, worker) = args;
            Box::pin(intake::claim(db, work, limit, now, until, worker))
        }))
    }

    fn extend(&self, holds: Vec<Hold>, lease: Duration, now: SystemTime) -> Reply<'_, usize> {
        let until = self.inner.time(now).saturating_add(span_to_millis(lease));
        let pool = &self.inner.pool;
        Box::pin(
            pool.run("extend leases", Mode::Write, (holds, until), |db, args| {
                Box::pin(intake::extend(db, &args.0, args.1))
            }),
        )
    }

    fn release(&self, holds: Vec<Hold>, now: SystemTime) -> Reply<'_, usize> {
        let args = (holds, self.inner.time(now));
        let pool = &self.inner.pool;
        Box::pin(pool.run("release images", Mode::Write, args, |db, args| {
            Box::pin(intake::release(db, &args.0, args.1))
        }))
    }

    fn record_findings(&self, findings: Vec<Finding>, now: SystemTime) -> Reply<'_, usize> {
        let inner = &self.inner;
        let findings = findings.into_iter().map(|finding| inner.finding(finding));
        let args = (findings.collect::<Vec<_>>(), inner.time(now));
        Box::pin(
            inner
                .pool
                .run("record findings", Mode::Write, args, |db, args| {
                    Box::pin(intake::record_findings(db, &args.0, args.1))
                }),
        )
    }

    fn record_unsent(&self, unsent: Vec<(Hold, Fate)>, _now: SystemTime) -> Reply<'_, usize> {
        let inner = &self.inner;
        let unsent = unsent
            .into_iter()
            .map(|(hold, fate)| (hold, inner.fate(fate)));
        let args: Vec<_> = unsent.collect();
        Box::pin(
            inner
                .pool
                .run("record unsent images", Mode::Write, args, |db, args| {
                    Box::pin(intake::record_unsent(db, args))
                }),
        )
    }

    fn begin_batch(
        &self,
        holds: Vec<Hold>,
        settle_at: SystemTime,
        now: SystemTime,
    ) -> Reply<'_, Begun> {
        let inner = &self.inner;
        let args = (
            holds,
            inner.time(settle_at),
            inner.time(now),
            inner.number(),
        );
        Box::pin(
            inner
                .pool
                .run("begin batch", Mode::Write, args, |db, args| {
                    let (holds, settle_at, now, worker) = args;
                    Box::pin(submit::begin_batch(db, holds, *settle_at, *now, *worker))
                }),
        )
    }

    fn record_answer(&self, batch: BatchId, answer: Answer, now: SystemTime) -> Reply<'_, Stray> {
        let inner = &self.inner;
        let args = (batch, inner.answer(answer), inner.time(now));
        Box::pin(
            inner
                .pool
                .run("record answer", Mode::Write, args, |db, args| {
                    Box::pin(submit::record_answer(db, args.0, &args.1, args.2))
                }),
        )
    }

    fn due_polls(&self, limit: usize, hold: Duration, now: SystemTime) -> Reply<'_, Vec<Poll>> {
        let inner = &self.inner;
        let now = inner.time(now);
        let until = now.saturating_add(span_to_millis(hold));
        let args = (limit, now, until, inner.number());
        Box::pin(async move {
            let found = inner
                .pool
                .run("find due polls", Mode::Write, args, |db, args| {
                    let &(limit, now, until, worker) = args;
                    Box::pin(results::due_polls(db, limit, now, until, worker))
                });
            let mut polls = found.await?;
            for poll in &mut polls {
                poll.submitted_at = inner.local(poll.submitted_at);
                poll.expires_at = inner.local(poll.expires_at);
            }
            Ok(polls)
        })
    }

    fn record_outcomes(&self, updates: Vec<TaskUpdate>, now: SystemTime) -> Reply<'_, usize> {
        let inner = &self.inner;
        let updates = updates.into_iter().map(|update| inner.update(update));
        let args = (updates.collect::<Vec<_>>(), inner.time(now));
        Box::pin(
            inner
                .pool
                .run("record outcomes", Mode::Write, args, |db, args| {
                    Box::pin(results::record_outcomes(db, &args.0, args.1))
                }),
        )
    }

    fn recover(&self, resubmit: Resubmit, now: SystemTime) -> Reply<'_, Recovered> {
        let inner = &self.inner;
        let args = (resubmit, inner.time(now), inner.number());
        Box::pin(inner.pool.run("recover", Mode::Write, args, |db, args| {
            let &(resubmit, now, worker) = args;
            Box::pin(async move {
                // Frees what dead workers had claimed; images that they sent settle as usual.
                worker::take_over(db, None, now, worker).await?;
                submit::recover(db, resubmit, now).await
            })
        }))
    }

    fn take_over(&self, settle: Duration, now: SystemTime) -> Reply<'_, usize> {
        let inner = &self.inner;
        let args = (span_to_millis(settle), inner.time(now), inner.number());
        Box::pin(inner.pool.run("take over", Mode::Write, args, |db, args| {
            let &(settle, now, worker) = args;
            Box::pin(worker::take_over(db, Some(settle), now, worker))
        }))
    }

    fn permit(&self, quota: Quota, cost: u32) -> Reply<'_, Permit> {
        Box::pin(async move {
            quota.check(cost)?;
            let pool = &self.inner.pool;
            let granted = pool.run(
                "ask for a permit",
                Mode::Write,
                (quota, cost),
                |db, args| Box::pin(quota::permit(db, &args.0, args.1)),
            );
            granted.await
        })
    }

    fn slow_down(&self, quota: Quota, pause: Duration) -> Reply<'_, ()> {
        let pool = &self.inner.pool;
        Box::pin(
            pool.run("slow down", Mode::Write, (quota, pause), |db, args| {
                Box::pin(quota::slow_down(db, &args.0, args.1))
            }),
        )
    }

    fn undelivered(&self, after: Option<DeliveryId>, limit: usize) -> Reply<'_, Vec<Undelivered>> {
        let pool = &self.inner.pool;
        Box::pin(
            pool.run("read outbox", Mode::Read, (after, limit), |db, args| {
                Box::pin(outbox::undelivered(db, args.0, args.1))
            }),
        )
    }

    fn ordered(&self, after: i64, limit: usize) -> Reply<'_, Ordered> {
        let pool = &self.inner.pool;
        Box::pin(
            pool.run("read outbox", Mode::Read, (after, limit), |db, args| {
                Box::pin(outbox::ordered(db, args.0, args.1))
            }),
        )
    }

    fn acknowledge(&self, deliveries: Vec<DeliveryId>, _now: SystemTime) -> Reply<'_, ()> {
        let pool = &self.inner.pool;
        Box::pin(pool.run(
            "acknowledge deliveries",
            Mode::Write,
            deliveries,
            |db, ids| Box::pin(outbox::acknowledge(db, ids)),
        ))
    }

    fn retry(&self, classes: Vec<String>, now: SystemTime) -> Reply<'_, u64> {
        let args = (classes, self.inner.time(now));
        let pool = &self.inner.pool;
        Box::pin(pool.run("retry", Mode::Write, args, |db, args| {
            Box::pin(results::retry(db, &args.0, args.1))
        }))
    }

    fn mark_list(&self, origin: String, is_read: bool) -> Reply<'_, ()> {
        let pool = &self.inner.pool;
        Box::pin(
            pool.run("mark list", Mode::Write, (origin, is_read), |db, args| {
                Box::pin(intake::mark_list(db, &args.0, args.1))
            }),
        )
    }

    fn shared_data_ids(&self, after: i64, limit: usize) -> Reply<'_, Vec<SharedDataId>> {
        let pool = &self.inner.pool;
        Box::pin(pool.run(
            "compare data ids",
            Mode::Read,
            (after, limit),
            |db, args| Box::pin(report::shared_data_ids(db, args.0, args.1)),
        ))
    }

    fn backlog(&self) -> Reply<'_, Backlog> {
        let inner = &self.inner;
        Box::pin(async move {
            let read = inner.pool.run("read backlog", Mode::Read, (), |db, ()| {
                Box::pin(report::backlog(db))
            });
            let mut backlog = read.await?;
            for (_, at) in &mut backlog.due {
                *at = inner.local(*at);
            }
            backlog.first_expiry = backlog.first_expiry.map(|at| inner.local(at));
            Ok(backlog)
        })
    }

    fn stats(&self, now: SystemTime) -> Reply<'_, Stats> {
        let inner = &self.inner;
        let now = inner.time(now);
        Box::pin(async move {
            let counted = inner.pool.run("count", Mode::Read, now, |db, now| {
                Box::pin(report::stats(db, *now))
            });
            let mut stats = counted.await?;
            stats.oldest_unpolled = stats.oldest_unpolled.map(|at| inner.local(at));
            Ok(stats)
        })
    }

    fn workers(&self, now: SystemTime) -> Reply<'_, Vec<WorkerStatus>> {
        let inner = &self.inner;
        let now = inner.time(now);
        Box::pin(async move {
            let listed = inner.pool.run("list workers", Mode::Read, now, |db, now| {
                Box::pin(worker::list(db, *now))
            });
            let mut workers = listed.await?;
            for worker in &mut workers {
                worker.since = inner.local(worker.since);
            }
            Ok(workers)
        })
    }

    fn rows(&self, rows: Rows) -> Reply<'_, Vec<Row>> {
        let pool = &self.inner.pool;
        Box::pin(pool.run("read rows", Mode::Read, rows, |db, rows| {
            Box::pin(report::rows(db, *rows))
        }))
    }
}

impl fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLedger")
            .field("place", &self.inner.place)
            .field("scope", &self.inner.scope)
            .finish_non_exhaustive()
    }
}
