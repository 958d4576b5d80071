//! From a task id to an outcome.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::{
        EXPIRED_CLASS, Key, NextStep, Poll, Reason, State, TaskUpdate, Update,
        codes::TaskState,
        time::{from_millis, to_millis},
    },
    fault::Fault,
    outbox,
    row::{state_at, task_id_at},
    submit::{Claim, add_to_tally, apply_next_step, insert_task},
};
use crate::ids::TaskId;

pub(super) fn due_polls(
    db: &Connection,
    limit: usize,
    now: i64,
    until: i64,
) -> Result<Vec<Poll>, Fault> {
    // The index contains both times, so tasks that are not due are skipped without reading rows.
    let mut statement = db.prepare_cached(
        "SELECT image.id, key, name, attempts, submitted_at, expires_at
         FROM image INDEXED BY image_expiry JOIN task ON task.id = image.task
         WHERE expires_at IS NOT NULL AND next_at <= ?1 ORDER BY expires_at LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // In the order of expiry: a result that expires before it is polled was billed and is lost.
    let rows = statement.query_map(params![now, limit], |row| {
        let poll = Poll {
            key: Key::from_bytes(row.get(1)?),
            task_id: task_id_at(row, 2)?,
            attempts: row.get(3)?,
            submitted_at: from_millis(row.get(4)?),
            expires_at: from_millis(row.get(5)?),
        };
        Ok((row.get::<_, i64>(0)?, poll))
    })?;
    let due: Vec<_> = rows.collect::<Result<_, _>>()?;
    let mut hold = db.prepare_cached("UPDATE image SET next_at = ?2 WHERE id = ?1")?;
    due.into_iter()
        .map(|(id, poll)| {
            hold.execute(params![id, until])?;
            Ok(poll)
        })
        .collect()
}

pub(super) fn record_outcomes(
    db: &Connection,
    updates: &[TaskUpdate],
    now: i64,
) -> Result<usize, Fault> {
    let mut changed = 0;
    for update in updates {
        if let Some(task) = find_or_adopt(db, update, now)? {
            changed += usize::from(task.record(db, &update.update, now)?);
        }
    }
    Ok(changed)
}

/// The current state of a task and its image.
struct Task {
    id: i64,
    image: i64,
    state: State,
    /// Whether the image waits for this task.
    is_awaited: bool,
    expirations: u32,
}

/// Returns the task with this id. If the id is unknown because the response was lost, the task is
/// assigned to the image that the message names, which waits for it if it was sent without a
/// response.
fn find_or_adopt(db: &Connection, update: &TaskUpdate, now: i64) -> Result<Option<Task>, Fault> {
    let known = find(db, &update.task_id)?;
    let (None, Some(key)) = (&known, update.key) else {
        return Ok(known);
    };
    let image = db
        .prepare_cached("SELECT id FROM image WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(image) = image else {
        return Ok(None);
    };
    insert_task(db, &update.task_id, Some(image), None, now)?;
    Ok(find(db, &update.task_id)?.map(|task| Task {
        is_awaited: matches!(task.state, State::Sending | State::Uncertain),
        ..task
    }))
}

fn find(db: &Connection, name: &TaskId) -> Result<Option<Task>, Fault> {
    Ok(db
        .prepare_cached(
            "SELECT task.id, image.id, image.state, image.task IS task.id, expirations
             FROM task JOIN image ON image.id = task.image WHERE name = ?1",
        )?
        .query_row([name.as_str()], |row| {
            let state = state_at(row, 2)?;
            let is_current: bool = row.get(3)?;
            Ok(Task {
                id: row.get(0)?,
                image: row.get(1)?,
                state,
                is_awaited: is_current && state == State::Submitted,
                expirations: row.get(4)?,
            })
        })
        .optional()?)
}

impl Task {
    /// Records an update. Returns whether the image changed.
    fn record(&self, db: &Connection, update: &Update, now: i64) -> Result<bool, Fault> {
        match update {
            Update::Processing { poll_at } => {
                // Another task of the image must not defer the poll of the awaited one.
                if self.is_awaited && self.state == State::Submitted {
                    db.prepare_cached("UPDATE image SET next_at = ?2 WHERE id = ?1")?
                        .execute(params![self.image, to_millis(*poll_at)])?;
                }
                Ok(false)
            }
            Update::Decided(outcome) => self.decide(db, outcome),
            Update::Failed(next) => {
                self.close(db, TaskState::Failed)?;
                if self.is_awaited {
                    apply_next_step(db, self.image, next, State::Probed, Claim::Ended)?;
                }
                Ok(self.is_awaited)
            }
            Update::Expired => {
                self.close(db, TaskState::Expired)?;
                if self.is_awaited {
                    self.expire(db, now)?;
                }
                Ok(self.is_awaited)
            }
        }
    }

    /// Records an outcome. An outcome of any of the image's tasks counts, and the first one is
    /// kept.
    fn decide(&self, db: &Connection, outcome: &str) -> Result<bool, Fault> {
        self.close(db, TaskState::Decided)?;
        // The first outcome was delivered, or may be: a second one must not change it.
        if matches!(
            self.state,
            State::Decided | State::Delivered | State::Rejected
        ) {
            return Ok(false);
        }
        db.prepare_cached("UPDATE image SET task = ?2, outcome = ?3 WHERE id = ?1")?
            .execute(params![self.image, self.id, outcome])?;
        outbox::finish(db, self.image, State::Decided, None)?;
        Ok(true)
    }

    fn expire(&self, db: &Connection, now: i64) -> Result<(), Fault> {
        // The image is submitted again once only, because each submission is billed.
        if self.expirations > 0 {
            let reason = Reason {
                class: EXPIRED_CLASS.to_owned(),
                message: "its result expired before it was polled, twice".to_owned(),
            };
            let next = NextStep::Dead(reason);
            return apply_next_step(db, self.image, &next, State::Expired, Claim::Ended);
        }
        db.prepare_cached(
            "UPDATE image SET state = ?2, next_at = ?3, expires_at = NULL, batch = NULL,
                    lease = NULL, expirations = expirations + 1
             WHERE id = ?1",
        )?
        .execute(params![self.image, State::Expired.code(), now])?;
        add_to_tally(db, "expired", 1)
    }

    fn close(&self, db: &Connection, state: TaskState) -> Result<(), Fault> {
        // Only an open task: a poll and a callback may report the same one, and the first report
        // counts.
        db.prepare_cached("UPDATE task SET state = ?2 WHERE id = ?1 AND state = ?3")?
            .execute(params![self.id, state.code(), TaskState::Open.code()])?;
        Ok(())
    }
}

/// Makes accepted images due to be submitted, and others to be probed.
pub(super) fn retry(db: &Connection, classes: &[String], now: i64) -> Result<u64, Fault> {
    let mut retried = 0_u64;
    for id in retryable(db, classes)? {
        // A consumer must not get the outcome that the retry replaces.
        db.prepare_cached("DELETE FROM outbox WHERE image = ?1")?
            .execute([id])?;
        // The facts of a rejection are dropped: an image that cannot be read at the retry would keep
        // its old verdict in results and exports.
        db.prepare_cached(
            "UPDATE image SET state = CASE WHEN accepted THEN ?2 ELSE ?3 END, next_at = ?4,
                    attempts = 0, expirations = 0, batch = NULL, lease = NULL,
                    class = NULL, message = NULL, facts = CASE WHEN accepted THEN facts END
             WHERE id = ?1",
        )?
        .execute(params![
            id,
            State::Probed.code(),
            State::Received.code(),
            now
        ])?;
        retried = retried.saturating_add(1);
    }
    Ok(retried)
}

fn retryable(db: &Connection, classes: &[String]) -> Result<Vec<i64>, Fault> {
    if classes.is_empty() {
        let mut all = db.prepare_cached("SELECT id FROM image WHERE state = ?1")?;
        let rows = all.query_map([State::Dead.code()], |row| row.get(0))?;
        return Ok(rows.collect::<Result<_, _>>()?);
    }
    let mut of_class =
        db.prepare_cached("SELECT id FROM image WHERE state IN (?1, ?2) AND class = ?3")?;
    let mut found = Vec::new();
    for class in classes {
        let rows = of_class.query_map(
            params![State::Dead.code(), State::Rejected.code(), class],
            |row| row.get(0),
        )?;
        for row in rows {
            found.push(row?);
        }
    }
    // The caller may pass a class twice.
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
