//! Submissions: batches, their responses, and recovery without a response.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::{
        BatchId, BatchResult, Begun, Hold, ImageResult, Key, NextStep, Recovered, Resubmit, State,
        Stray,
        codes::{BatchState, TaskState},
        time::to_millis,
    },
    fault::Fault,
    outbox,
};
use crate::ids::{RequestId, TaskId};

pub(super) fn begin_batch(
    db: &Connection,
    holds: &[Hold],
    settle_at: i64,
    now: i64,
) -> Result<Begun, Fault> {
    // Committed before the request is sent: if the process is killed then, the images are known to
    // be possibly billed, and are not submitted again before they settle.
    let (id, uuid): (i64, [u8; 16]) = db
        .prepare_cached(
            "INSERT INTO batch (uuid, state, sent_at, images)
             VALUES (randomblob(16), ?1, ?2, 0) RETURNING id, uuid",
        )?
        .query_row(params![BatchState::Sending.code(), now], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    // The settling time is the due time of an image that is sent: if no response is recorded,
    // `recover` finds it then.
    let mut send = db.prepare_cached(
        "UPDATE image SET state = ?1, batch = ?2, next_at = ?3
         WHERE key = ?4 AND lease = ?5 AND state IN (?6, ?7)",
    )?;
    let mut keys = Vec::with_capacity(holds.len());
    for hold in holds {
        let sent = send.execute(params![
            State::Sending.code(),
            id,
            settle_at,
            hold.key.as_bytes(),
            hold.lease.0,
            State::Probed.code(),
            State::Expired.code(),
        ])?;
        // Without a valid lease, another user may be sending the image.
        if sent > 0 {
            keys.push(hold.key);
        }
    }
    if keys.is_empty() {
        db.prepare_cached("DELETE FROM batch WHERE id = ?1")?
            .execute([id])?;
    } else {
        db.prepare_cached("UPDATE batch SET images = ?2 WHERE id = ?1")?
            .execute(params![id, i64::try_from(keys.len()).unwrap_or(i64::MAX)])?;
    }
    Ok(Begun {
        batch: BatchId(uuid),
        keys,
    })
}

pub(super) fn record_unsent(db: &Connection, unsent: &[(Hold, NextStep)]) -> Result<usize, Fault> {
    let mut find = db.prepare_cached(
        "SELECT id FROM image WHERE key = ?1 AND lease = ?2 AND state IN (?3, ?4)",
    )?;
    let mut recorded = 0;
    for (hold, next) in unsent {
        let held = params![
            hold.key.as_bytes(),
            hold.lease.0,
            State::Probed.code(),
            State::Expired.code()
        ];
        let image: Option<i64> = find.query_row(held, |row| row.get(0)).optional()?;
        if let Some(image) = image {
            apply_next_step(db, image, next, State::Probed, Claim::Ended)?;
            recorded += 1;
        }
    }
    Ok(recorded)
}

pub(super) fn record_answer(
    db: &Connection,
    batch: BatchId,
    answer: &BatchResult,
    now: i64,
) -> Result<Stray, Fault> {
    let Some(id) = db
        .prepare_cached("SELECT id FROM batch WHERE uuid = ?1")?
        .query_row([batch.0], |row| row.get(0))
        .optional()?
    else {
        return Err(Fault::unusable("unknown batch"));
    };
    match answer {
        BatchResult::Answered {
            request_id,
            poll_at,
            expires_at,
            entries,
            strays,
        } => {
            close_batch(db, id, BatchState::Answered, request_id.as_ref())?;
            let task = NewTask {
                batch: id,
                submitted_at: now,
                poll_at: to_millis(*poll_at),
                expires_at: to_millis(*expires_at),
            };
            // Before `mark_uncertain`, which takes the images that are still in `Sending`.
            let mut stray = record_entries(db, &task, entries)?;
            // What the response omits may have been accepted.
            mark_uncertain(db, id)?;
            for name in strays {
                // Ids without an image were billed too, so they count in the report.
                let is_new = insert_task(db, name, None, Some(id), now)?;
                stray.tasks += usize::from(is_new);
            }
            Ok(stray)
        }
        BatchResult::Refused { request_id, next } => {
            close_batch(db, id, BatchState::Refused, request_id.as_ref())?;
            // The leases stay valid, so that the caller can divide the batch and begin again.
            for image in images_of(db, id)? {
                apply_next_step(db, image, next, State::Probed, Claim::Kept)?;
            }
            Ok(Stray::default())
        }
        BatchResult::Unknown => {
            close_batch(db, id, BatchState::Unknown, None)?;
            mark_uncertain(db, id)?;
            Ok(Stray::default())
        }
    }
}

fn close_batch(
    db: &Connection,
    id: i64,
    state: BatchState,
    request_id: Option<&RequestId>,
) -> Result<(), Fault> {
    db.prepare_cached(
        "UPDATE batch SET state = ?2, request_id = COALESCE(?3, request_id) WHERE id = ?1",
    )?
    .execute(params![id, state.code(), request_id.map(RequestId::as_str)])?;
    Ok(())
}

/// The common values of all tasks of one response.
struct NewTask {
    batch: i64,
    submitted_at: i64,
    poll_at: i64,
    expires_at: i64,
}

fn record_entries(
    db: &Connection,
    task: &NewTask,
    entries: &[(Key, ImageResult)],
) -> Result<Stray, Fault> {
    let mut stray = Stray::default();
    for (key, entry) in entries {
        let Some((image, state, waits)) = find_sent(db, key, task.batch)? else {
            continue;
        };
        match entry {
            ImageResult::Task(name) => {
                // Also if the image no longer waits for it: an id means that it was billed.
                let is_new =
                    insert_task(db, name, Some(image), Some(task.batch), task.submitted_at)?;
                if waits {
                    // No effect if the service had assigned the id to another image: then the
                    // response says nothing about this one.
                    follow_task(db, image, name, task)?;
                } else if is_new {
                    stray.tasks += 1;
                }
            }
            // Recovery has already made the image due again.
            ImageResult::Refused(_) if state == State::Probed.code() => {}
            ImageResult::Refused(next) if waits => {
                apply_next_step(db, image, next, State::Probed, Claim::Ended)?;
            }
            ImageResult::Refused(_) => {}
        }
    }
    Ok(stray)
}

/// Returns the image, its state, and whether it still waits for this batch's response. A late
/// response counts even if recovery has settled the batch, unless the image was sent again since.
fn find_sent(db: &Connection, key: &Key, batch: i64) -> Result<Option<(i64, u8, bool)>, Fault> {
    Ok(db
        .prepare_cached(
            "SELECT id, state, batch IS ?2 AND state IN (?3, ?4, ?5) FROM image WHERE key = ?1",
        )?
        .query_row(
            params![
                key.as_bytes(),
                batch,
                State::Sending.code(),
                State::Uncertain.code(),
                State::Probed.code(),
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?)
}

/// Records the task id permanently. Returns whether it is new.
pub(super) fn insert_task(
    db: &Connection,
    name: &TaskId,
    image: Option<i64>,
    batch: Option<i64>,
    submitted_at: i64,
) -> Result<bool, Fault> {
    // Known ids are ignored: a response may be recorded twice, and a callback may precede it. A
    // stray id has no image, and is billed at least once.
    let inserted = db
        .prepare_cached(
            "INSERT INTO task (name, image, batch, state, submitted_at, billed)
             VALUES (?1, ?2, ?3, ?4, ?5,
                     COALESCE((SELECT billed FROM image WHERE id = ?2), 1))
             ON CONFLICT (name) DO NOTHING",
        )?
        .execute(params![
            name.as_str(),
            image,
            batch,
            TaskState::Open.code(),
            submitted_at
        ])?;
    Ok(inserted > 0)
}

fn follow_task(db: &Connection, image: i64, name: &TaskId, task: &NewTask) -> Result<(), Fault> {
    db.prepare_cached(
        "UPDATE image SET state = ?2, task = task.id, next_at = ?4, expires_at = ?5, lease = NULL,
                class = NULL, message = NULL
         FROM task WHERE image.id = ?1 AND task.name = ?3 AND task.image = ?1",
    )?
    .execute(params![
        image,
        State::Submitted.code(),
        name.as_str(),
        task.poll_at,
        task.expires_at
    ])?;
    Ok(())
}

/// Marks the images of the batch that the response omits as uncertain. Their settling time stays.
fn mark_uncertain(db: &Connection, batch: i64) -> Result<(), Fault> {
    db.prepare_cached(
        "UPDATE image INDEXED BY image_due SET state = ?1
         WHERE state = ?2 AND next_at IS NOT NULL AND batch = ?3",
    )?
    .execute(params![
        State::Uncertain.code(),
        State::Sending.code(),
        batch
    ])?;
    Ok(())
}

/// Returns the images that wait for the batch's response. Few images are in flight at a time, so
/// there is no index by batch.
fn images_of(db: &Connection, batch: i64) -> Result<Vec<i64>, Fault> {
    // Uncertain ones too: a late rejection counts for images that recovery has marked.
    let mut statement = db.prepare_cached(
        "SELECT id FROM image INDEXED BY image_due
         WHERE state IN (?1, ?2) AND next_at IS NOT NULL AND batch = ?3",
    )?;
    let rows = statement.query_map(
        params![State::Sending.code(), State::Uncertain.code(), batch],
        |row| row.get(0),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn recover(db: &Connection, resubmit: Resubmit, now: i64) -> Result<Recovered, Fault> {
    let uncertain = db
        .prepare_cached(
            "UPDATE image INDEXED BY image_due SET state = ?1 WHERE state = ?2 AND next_at <= ?3",
        )?
        .execute(params![State::Uncertain.code(), State::Sending.code(), now])?;
    // The images that were marked above are among them.
    let resubmitted = match resubmit {
        Resubmit::Never => 0,
        // `batch` stays, so that a late response is still recorded.
        Resubmit::WhenSettled => db
            .prepare_cached(
                "UPDATE image INDEXED BY image_due SET state = ?1, lease = NULL
                 WHERE state = ?2 AND next_at <= ?3",
            )?
            .execute(params![State::Probed.code(), State::Uncertain.code(), now])?,
    };
    let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
    if resubmitted > 0 {
        add_to_tally(db, "resubmitted", resubmitted)?;
    }
    Ok(Recovered {
        uncertain: count(uncertain),
        resubmitted: count(resubmitted),
    })
}

pub(super) fn add_to_tally(db: &Connection, name: &str, count: usize) -> Result<(), Fault> {
    db.prepare_cached("UPDATE tally SET value = value + ?2 WHERE name = ?1")?
        .execute(params![name, i64::try_from(count).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// Whether the lease of an image stays valid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    Kept,
    Ended,
}

/// Sets an image back to `state`, or abandons it.
pub(super) fn apply_next_step(
    db: &Connection,
    image: i64,
    next: &NextStep,
    state: State,
    claim: Claim,
) -> Result<(), Fault> {
    let at = match next {
        NextStep::Dead(reason) => return outbox::finish(db, image, State::Dead, Some(reason)),
        NextStep::Again { at } | NextStep::Retry { at, .. } => at,
        NextStep::Upload { at, otherwise } => {
            let marked = db
                .prepare_cached(
                    "UPDATE image SET by_upload = 1 WHERE id = ?1 AND NOT is_file AND NOT by_upload",
                )?
                .execute([image])?;
            // It was uploaded before, or is a file: the fallback was used.
            if marked == 0 {
                return apply_next_step(db, image, otherwise, state, claim);
            }
            at
        }
    };
    // Only a failure has a reason. An image that was merely deferred keeps its attempts.
    let reason = next.reason();
    db.prepare_cached(
        "UPDATE image SET state = ?2, next_at = ?3, attempts = attempts + ?4, batch = NULL,
                expires_at = NULL, class = COALESCE(?5, class), message = COALESCE(?6, message),
                lease = CASE WHEN ?7 THEN lease END
         WHERE id = ?1",
    )?
    .execute(params![
        image,
        state.code(),
        to_millis(*at),
        i64::from(reason.is_some()),
        reason.map(|reason| &reason.class),
        reason.map(|reason| &reason.message),
        claim == Claim::Kept,
    ])?;
    Ok(())
}
