//! Active workers: each holds a lock, which the server releases when the worker's connection ends.
//! The table `worker` lists the locks to try.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::sleep};

use super::{
    super::{
        State, WorkerStatus,
        codes::BatchState,
        time::{from_millis, to_millis},
    },
    clock::Clock,
    connection::Connection,
    fault::{Fault, backoff},
    pool::Pool,
    row::{code, codes, unsigned},
};

/// Maximum difference of the clocks at the start, in milliseconds. A larger one that appears later
/// is corrected.
const MAX_OFFSET: i64 = 60_000;

/// Smaller differences, in milliseconds, are within the uncertainty of a round trip.
const MIN_OFFSET: i64 = 250;

/// Interval between two comparisons of the clocks.
const COMPARE: Duration = Duration::from_secs(60);

/// The database's clock minus the local one, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Offset(AtomicI64);

impl Offset {
    pub(super) fn millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails if the clocks differ too much to begin.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let offset = self.millis();
        if offset.abs() > MAX_OFFSET {
            return Err(Fault::unusable(format!(
                "the clocks of the local host and the database differ by {} s: synchronize them",
                offset.abs() / 1000
            )));
        }
        Ok(())
    }

    /// Compares the clocks.
    pub(super) async fn measure(&self, db: &Connection, clock: &Clock) -> Result<(), Fault> {
        let before = to_millis(clock.now());
        let row = db
            .query_one(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
                &[],
            )
            .await?;
        let after = to_millis(clock.now());
        // The server read its clock between these two; the middle halves the error.
        let middle = before.saturating_add(after.saturating_sub(before) / 2);
        let offset = row.try_get::<_, i64>(0)?.saturating_sub(middle);
        let offset = if offset.abs() < MIN_OFFSET { 0 } else { offset };
        self.0.store(offset, Ordering::Relaxed);
        Ok(())
    }
}

/// The registration of a worker, valid until it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) number: i32,
    keeper: JoinHandle<()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Worker {
    /// Registers a worker under a display name.
    pub(super) async fn register(
        pool: Arc<Pool>,
        name: String,
        offset: Arc<Offset>,
        clock: Clock,
    ) -> Result<Self, Fault> {
        // Not one of the pool's connections: the pool closes them after a failure, and the lock
        // ends with its session.
        let db = pool.connect().await?;
        let row = db
            .query_one("SELECT nextval('worker_number')::integer", &[])
            .await?;
        let number = row.try_get(0)?;
        hold(&db, number, &name).await?;
        let keeper = tokio::spawn(async move {
            let mut held = Some(db);
            let mut lost = 0;
            loop {
                match held {
                    Some(db) if !db.is_closed() => {
                        sleep(COMPARE).await;
                        // On failure the last known offset stays in use; the next call measures it
                        // again.
                        drop(offset.measure(&db, &clock).await);
                        held = Some(db);
                        lost = 0;
                    }
                    _ => {
                        sleep(backoff(lost)).await;
                        lost += 1;
                        // Under the same number, which is recorded as the holder of the worker's
                        // images.
                        held = hold_again(&pool, number, &name).await.ok();
                    }
                }
            }
        });
        Ok(Self { number, keeper })
    }
}

async fn hold_again(pool: &Pool, number: i32, name: &str) -> Result<Connection, Fault> {
    let db = pool.connect().await?;
    hold(&db, number, name).await?;
    Ok(db)
}

/// Acquires the lock before inserting the row, because a row without a lock means a dead worker.
async fn hold(db: &Connection, number: i32, name: &str) -> Result<(), Fault> {
    // Waits: after a lost connection the server may keep the old session, and its lock, for some
    // time.
    db.query(
        "SELECT pg_advisory_lock(hashtext('greenlight ' || current_schema()), $1)",
        &[&number],
    )
    .await?;
    db.execute(
        "INSERT INTO worker VALUES ($1, $2,
             (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
         ON CONFLICT (number) DO NOTHING",
        &[&number, &name],
    )
    .await
    .map(drop)
}

/// Frees the claims of workers whose connection has ended.
pub(super) async fn take_over(
    db: &Connection,
    settle: Option<i64>,
    now: i64,
    own: Option<i32>,
) -> Result<usize, Fault> {
    // A lock that can be acquired belongs to no running worker. It is released with this transaction.
    let rows = db
        .query(
            "SELECT number FROM worker WHERE number IS DISTINCT FROM $1
             AND pg_try_advisory_xact_lock(hashtext('greenlight ' || current_schema()), number)",
            &[&own],
        )
        .await?;
    let gone: Vec<i32> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    if gone.is_empty() {
        return Ok(0);
    }
    // Images without a lease are deferred for other reasons, which still apply.
    let mut sooner = db
        .execute(
            "UPDATE image SET next_at = $3, lease = NULL, holder = NULL FROM (
                 SELECT id FROM image WHERE state = ANY($1) AND next_at > $3
                 AND lease IS NOT NULL AND holder = ANY($2) ORDER BY id FOR UPDATE) held
             WHERE image.id = held.id",
            &[&codes(&State::CLAIMED), &gone, &now],
        )
        .await?;
    // Polling costs nothing, so tasks in progress are due again.
    sooner += db
        .execute(
            "UPDATE image SET next_at = $3, holder = NULL FROM (
                 SELECT id FROM image WHERE state = $1 AND next_at > $3 AND holder = ANY($2)
                 ORDER BY id FOR UPDATE) held
             WHERE image.id = held.id",
            &[&code(State::Submitted), &gone, &now],
        )
        .await?;
    if let Some(settle) = settle {
        let sent = codes(&[State::Sending, State::Uncertain]);
        sooner += db
            .execute(
                "UPDATE image SET next_at = sent.at FROM (
                     SELECT image.id, batch.sent_at + $3 AS at FROM image
                     JOIN batch ON batch.id = image.batch
                     WHERE image.state = ANY($1) AND next_at IS NOT NULL
                     AND batch.worker = ANY($2) AND next_at > batch.sent_at + $3
                     ORDER BY image.id FOR UPDATE OF image) sent
                 WHERE image.id = sent.id",
                &[&sent, &gone, &settle],
            )
            .await?;
        forget(db, &gone).await?;
    }
    Ok(usize::try_from(sooner).unwrap_or(usize::MAX))
}

/// Removes dead workers, except those whose batches may still be settled sooner.
async fn forget(db: &Connection, gone: &[i32]) -> Result<(), Fault> {
    let sent = codes(&[State::Sending, State::Uncertain]);
    db.execute(
        "DELETE FROM worker WHERE number = ANY($1) AND NOT EXISTS (
             SELECT FROM image JOIN batch ON batch.id = image.batch
             WHERE image.state = ANY($2) AND next_at IS NOT NULL AND batch.worker = worker.number)",
        &[&gone, &sent],
    )
    .await
    .map(drop)
}

/// Returns the workers whose lock is held, in the order in which they started.
pub(super) async fn list(db: &Connection, now: i64) -> Result<Vec<WorkerStatus>, Fault> {
    // A lock of two keys has `objsubid` 2, and its keys as unsigned numbers in `classid` and `objid`
    // (PostgreSQL documentation, `pg_locks`).
    let rows = db
        .query(
            "SELECT name, since, (SELECT COALESCE(sum(images), 0)::bigint FROM batch
                 WHERE batch.worker = worker.number AND sent_at > $1 AND state <> $2)
             FROM worker WHERE number IN (
                 SELECT objid::bigint FROM pg_locks
                 WHERE locktype = 'advisory' AND granted AND objsubid = 2
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND classid::bigint =
                     hashtext('greenlight ' || current_schema())::bigint & 4294967295)
             ORDER BY number",
            &[
                &now.saturating_sub(60_000),
                &i16::from(BatchState::Refused.code()),
            ],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let mut worker = WorkerStatus::new(row.try_get(0)?, from_millis(row.try_get(1)?));
            worker.sent_last_minute = unsigned(row.try_get(2)?);
            Ok(worker)
        })
        .collect()
}
