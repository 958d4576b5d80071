//! Submissions: batches, their responses, and recovery without a response.

use std::collections::{HashMap, HashSet};

use super::{
    super::stored::state_of,
    super::{
        BatchId, BatchResult, Begun, Hold, ImageResult, Key, Recovered, Resubmit, State, Stray,
        codes::{BatchState, TaskState},
        time::to_millis,
    },
    claims::held,
    connection::Connection,
    fault::Fault,
    next_step::{Claim, Transition, apply_next_steps},
    row::{code, codes, key_of},
};
use crate::ids::{RequestId, TaskId};

pub(super) async fn begin_batch(
    db: &Connection,
    holds: &[Hold],
    settle_at: i64,
    now: i64,
    worker: Option<i32>,
) -> Result<Begun, Fault> {
    let held = held(db, holds, &[State::Probed, State::Expired]).await?;
    // Committed before the request is sent: if the process is killed then, the images are known to
    // be possibly billed, and are not submitted again before they settle.
    let count = i32::try_from(held.len()).unwrap_or(i32::MAX);
    let row = db
        .query_one(
            "INSERT INTO batch (state, sent_at, images, worker) VALUES ($1, $2, $3, $4)
             RETURNING id, uuid",
            &[
                &i16::from(BatchState::Sending.code()),
                &now,
                &count,
                &worker,
            ],
        )
        .await?;
    let id: i64 = row.try_get(0)?;
    let uuid: &[u8] = row.try_get(1)?;
    let uuid = uuid.try_into();
    let uuid = uuid.map_err(|_| Fault::Invalid("a batch id is not of 16 bytes".to_owned()))?;
    if held.is_empty() {
        db.execute("DELETE FROM batch WHERE id = $1", &[&id])
            .await?;
        return Ok(Begun::new(BatchId(uuid), Vec::new()));
    }
    let ids: Vec<i64> = held.iter().map(|held| held.id).collect();
    db.execute(
        "UPDATE image SET state = $2, batch = $3, next_at = $4 WHERE id = ANY($1)",
        &[&ids, &code(State::Sending), &id, &settle_at],
    )
    .await?;
    let keys = held.iter().map(|held| holds[held.index].key).collect();
    Ok(Begun::new(BatchId(uuid), keys))
}

pub(super) async fn record_answer(
    db: &Connection,
    batch: BatchId,
    answer: &BatchResult,
    now: i64,
) -> Result<Stray, Fault> {
    // Locked, so that a response and its repetition are recorded one after the other.
    let row = db
        .query_opt(
            "SELECT id FROM batch WHERE uuid = $1 FOR UPDATE",
            &[&&batch.0[..]],
        )
        .await?;
    let Some(row) = row else {
        return Err(Fault::unusable("unknown batch"));
    };
    let id: i64 = row.try_get(0)?;
    match answer {
        BatchResult::Answered {
            request_id,
            poll_at,
            expires_at,
            entries,
            strays,
        } => {
            close_batch(db, id, BatchState::Answered, request_id.as_ref()).await?;
            let sent = NewTasks {
                batch: id,
                submitted_at: now,
                poll_at: to_millis(*poll_at),
                expires_at: to_millis(*expires_at),
            };
            // Before `mark_uncertain`, which takes the images that are still in `Sending`.
            let mut tasks = record_entries(db, &sent, entries).await?;
            // What the response omits may have been accepted, and ids without an image were billed
            // too, so they are kept.
            mark_uncertain(db, id).await?;
            let strays: Vec<(&TaskId, Option<i64>)> = strays.iter().map(|id| (id, None)).collect();
            tasks += insert_tasks(db, &strays, Some(id), now).await?.len();
            Ok(Stray { tasks })
        }
        BatchResult::Refused { request_id, next } => {
            close_batch(db, id, BatchState::Refused, request_id.as_ref()).await?;
            let images = images_of(db, id).await?;
            let transitions: Vec<Transition<'_>> = images
                .into_iter()
                .map(|image| Transition { image, next })
                .collect();
            // The leases stay valid, so that the caller can divide the batch and begin again.
            apply_next_steps(db, &transitions, State::Probed, Claim::Kept).await?;
            Ok(Stray::default())
        }
        BatchResult::Unknown => {
            close_batch(db, id, BatchState::Unknown, None).await?;
            mark_uncertain(db, id).await?;
            Ok(Stray::default())
        }
    }
}

async fn close_batch(
    db: &Connection,
    id: i64,
    state: BatchState,
    request_id: Option<&RequestId>,
) -> Result<(), Fault> {
    let request_id = request_id.map(RequestId::as_str);
    db.execute(
        "UPDATE batch SET state = $2, request_id = COALESCE($3, request_id) WHERE id = $1",
        &[&id, &i16::from(state.code()), &request_id],
    )
    .await
    .map(drop)
}

/// The common values of all tasks of one response.
struct NewTasks {
    batch: i64,
    submitted_at: i64,
    poll_at: i64,
    expires_at: i64,
}

/// An image in a response.
struct Sent {
    id: i64,
    state: State,
    /// Whether it still waits for this batch's response. A late response counts even if recovery has
    /// settled the batch, unless the image was sent again since.
    waits: bool,
}

/// Records the results of a response. Returns how many tasks no image waits for.
async fn record_entries(
    db: &Connection,
    sent: &NewTasks,
    entries: &[(Key, ImageResult)],
) -> Result<usize, Fault> {
    let mut images = find_sent(db, entries, sent.batch).await?;
    let mut tasks: Vec<(&TaskId, Option<i64>)> = Vec::new();
    for (key, entry) in entries {
        if let (ImageResult::Task(name), Some(image)) = (entry, images.get(key)) {
            tasks.push((name, Some(image.id)));
        }
    }
    // Also of images that no longer wait: an id means that the image was billed.
    let mut new = insert_tasks(db, &tasks, Some(sent.batch), sent.submitted_at).await?;
    let (mut followed, mut names, mut transitions) = (Vec::new(), Vec::new(), Vec::new());
    let mut strays = 0;
    for (key, entry) in entries {
        let Some(image) = images.get_mut(key) else {
            continue;
        };
        match entry {
            ImageResult::Task(name) => {
                let is_new = new.remove(name.as_str());
                if image.waits {
                    // A response may name an image twice: the first entry counts.
                    image.waits = false;
                    followed.push(image.id);
                    names.push(name.as_str());
                } else if is_new {
                    strays += 1;
                }
            }
            // Recovery has already made the image due again.
            ImageResult::Refused(_) if image.state == State::Probed => {}
            ImageResult::Refused(next) if image.waits => {
                image.waits = false;
                transitions.push(Transition {
                    image: image.id,
                    next,
                });
            }
            ImageResult::Refused(_) => {}
        }
    }
    // No effect if the service had assigned the id to another image: then the response says nothing
    // about this one.
    db.execute(
        "UPDATE image SET state = $3, task = task.id, next_at = $4, expires_at = $5, lease = NULL,
             holder = NULL, class = NULL, message = NULL
         FROM unnest($1::bigint[], $2::text[]) u(id, name) JOIN task ON task.name = u.name
         WHERE image.id = u.id AND task.image = u.id",
        &[
            &followed,
            &names,
            &code(State::Submitted),
            &sent.poll_at,
            &sent.expires_at,
        ],
    )
    .await?;
    apply_next_steps(db, &transitions, State::Probed, Claim::Ended).await?;
    Ok(strays)
}

async fn find_sent(
    db: &Connection,
    entries: &[(Key, ImageResult)],
    batch: i64,
) -> Result<HashMap<Key, Sent>, Fault> {
    let keys: Vec<&[u8]> = entries.iter().map(|(key, _)| &key.as_bytes()[..]).collect();
    let waiting = codes(&[State::Sending, State::Uncertain, State::Probed]);
    let rows = db
        .query(
            "SELECT id, key, state, batch IS NOT DISTINCT FROM $2 AND state = ANY($3)
             FROM image WHERE key = ANY($1) ORDER BY id FOR UPDATE",
            &[&keys, &batch, &waiting],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let sent = Sent {
                id: row.try_get(0)?,
                state: state_of(row.try_get(2)?)?,
                waits: row.try_get(3)?,
            };
            Ok((key_of(row.try_get(1)?)?, sent))
        })
        .collect()
}

/// Records task ids permanently. Returns those that are new.
pub(super) async fn insert_tasks(
    db: &Connection,
    tasks: &[(&TaskId, Option<i64>)],
    batch: Option<i64>,
    submitted_at: i64,
) -> Result<HashSet<String>, Fault> {
    if tasks.is_empty() {
        return Ok(HashSet::new());
    }
    // Known ids are ignored: a response may be recorded twice, and a callback may precede it. A
    // stray id has no image, and is billed at least once.
    let names: Vec<&str> = tasks.iter().map(|(name, _)| name.as_str()).collect();
    let images: Vec<Option<i64>> = tasks.iter().map(|(_, image)| *image).collect();
    let rows = db
        .query(
            "INSERT INTO task (name, image, batch, state, submitted_at, billed)
             SELECT name, u.image, $3, $4, $5, COALESCE(image.billed, 1)
             FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY u(name, image, n)
             LEFT JOIN image ON image.id = u.image
             ORDER BY n ON CONFLICT (name) DO NOTHING RETURNING name",
            &[
                &names,
                &images,
                &batch,
                &i16::from(TaskState::Open.code()),
                &submitted_at,
            ],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Marks the images of the batch that the response omits as uncertain. Their settling time stays.
async fn mark_uncertain(db: &Connection, batch: i64) -> Result<(), Fault> {
    // The subquery locks in the order of ids. An UPDATE alone locks in any order, which could
    // deadlock.
    db.execute(
        "UPDATE image SET state = $1 FROM (
             SELECT id FROM image WHERE state = $2 AND next_at IS NOT NULL AND batch = $3
             ORDER BY id FOR UPDATE) sent
         WHERE image.id = sent.id",
        &[&code(State::Uncertain), &code(State::Sending), &batch],
    )
    .await
    .map(drop)
}

/// Locks the images that wait for the batch's response. Few images are in flight at a time, so
/// there is no index by batch.
async fn images_of(db: &Connection, batch: i64) -> Result<Vec<i64>, Fault> {
    // Uncertain ones too: a late rejection counts for images that recovery has marked.
    let states = codes(&[State::Sending, State::Uncertain]);
    let rows = db
        .query(
            "SELECT id FROM image WHERE state = ANY($1) AND next_at IS NOT NULL AND batch = $2
             ORDER BY id FOR UPDATE",
            &[&states, &batch],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) async fn recover(
    db: &Connection,
    resubmit: Resubmit,
    now: i64,
) -> Result<Recovered, Fault> {
    // Images that another process is settling are locked, and skipped here.
    let uncertain = db
        .execute(
            "UPDATE image SET state = $1 FROM (
                 SELECT id FROM image WHERE state = $2 AND next_at <= $3
                 ORDER BY id FOR UPDATE SKIP LOCKED) settled
             WHERE image.id = settled.id",
            &[&code(State::Uncertain), &code(State::Sending), &now],
        )
        .await?;
    let resubmitted = match resubmit {
        Resubmit::Never => 0,
        // `batch` stays, so that a late response is still recorded.
        Resubmit::WhenSettled => {
            db.execute(
                "UPDATE image SET state = $1, lease = NULL, holder = NULL FROM (
                     SELECT id FROM image WHERE state = $2 AND next_at <= $3
                     ORDER BY id FOR UPDATE SKIP LOCKED) settled
                 WHERE image.id = settled.id",
                &[&code(State::Probed), &code(State::Uncertain), &now],
            )
            .await?
        }
    };
    if resubmitted > 0 {
        add_to_tally(db, "resubmitted", resubmitted).await?;
    }
    Ok(Recovered {
        uncertain,
        resubmitted,
    })
}

pub(super) async fn add_to_tally(db: &Connection, name: &str, count: u64) -> Result<(), Fault> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    db.execute(
        "UPDATE tally SET value = value + $2 WHERE name = $1",
        &[&name, &count],
    )
    .await
    .map(drop)
}
