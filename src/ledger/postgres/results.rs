//! From a task id to an outcome.

use std::collections::{HashMap, HashSet};

use super::{
    super::stored::{state_of, task_id_of},
    super::{
        EXPIRED_CLASS, NextStep, Poll, Reason, State, TaskUpdate, Update,
        codes::TaskState,
        time::{from_millis, to_millis},
    },
    connection::Connection,
    fault::Fault,
    next_step::{Claim, Transition, apply_next_steps},
    outbox::{self, Final},
    row::{code, codes, key_of, signed, storable},
    submit::{add_to_tally, insert_tasks},
};
use crate::ids::TaskId;

pub(super) async fn due_polls(
    db: &Connection,
    limit: usize,
    now: i64,
    until: i64,
    worker: Option<i32>,
) -> Result<Vec<Poll>, Fault> {
    // In the order of expiry: a result that expires before it is polled was billed and is lost.
    let mut rows = db
        .query(
            "WITH due AS MATERIALIZED (
                 SELECT id, task, expires_at FROM image
                 WHERE expires_at IS NOT NULL AND next_at <= $1
                 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
             UPDATE image SET next_at = $3, holder = $4 FROM due JOIN task ON task.id = due.task
             WHERE image.id = due.id
             RETURNING due.expires_at AS expires, image.id, key, name, attempts, submitted_at",
            &[&now, &signed(limit), &until, &worker],
        )
        .await?;
    // `RETURNING` has no order.
    rows.sort_by_key(|row| (row.get::<_, i64>("expires"), row.get::<_, i64>("id")));
    rows.iter()
        .map(|row| {
            let mut poll = Poll::new(
                key_of(row.try_get("key")?)?,
                task_id_of(row.try_get("name")?)?,
                from_millis(row.try_get("submitted_at")?)..from_millis(row.try_get("expires")?),
            );
            poll.attempts = u32::try_from(row.try_get::<_, i32>("attempts")?).unwrap_or(0);
            Ok(poll)
        })
        .collect()
}

/// An update and its task.
struct News<'a> {
    task: i64,
    image: i64,
    /// The task id was unknown, because the response to the submission was lost.
    is_adopted: bool,
    update: &'a Update,
}

pub(super) async fn record_outcomes(
    db: &Connection,
    updates: &[TaskUpdate],
    now: i64,
) -> Result<usize, Fault> {
    let mut changed = 0;
    let mut part: Vec<News<'_>> = Vec::new();
    let mut images = HashSet::new();
    for news in find_or_adopt(db, updates, now).await? {
        // A second update of an image must see the effect of the first.
        if !images.insert(news.image) {
            changed += record(db, &part, now).await?;
            part.clear();
            images.clear();
            images.insert(news.image);
        }
        part.push(news);
    }
    Ok(changed + record(db, &part, now).await?)
}

/// Returns the tasks with these ids. An unknown task is assigned to the image that the message names.
async fn find_or_adopt<'a>(
    db: &Connection,
    updates: &'a [TaskUpdate],
    now: i64,
) -> Result<Vec<News<'a>>, Fault> {
    let known = find(db, updates.iter().map(|update| &update.task_id)).await?;
    let orphans = updates
        .iter()
        .filter(|update| !known.contains_key(update.task_id.as_str()));
    let keys: Vec<&[u8]> = orphans
        .clone()
        .filter_map(|update| update.key.as_ref())
        .map(|key| &key.as_bytes()[..])
        .collect();
    let mut adopted = HashMap::new();
    if !keys.is_empty() {
        let rows = db
            .query("SELECT key, id FROM image WHERE key = ANY($1)", &[&keys])
            .await?;
        let mut images = HashMap::new();
        for row in rows {
            images.insert(key_of(row.try_get(0)?)?, row.try_get::<_, i64>(1)?);
        }
        let new: Vec<(&TaskId, Option<i64>)> = orphans
            .filter_map(|update| Some((&update.task_id, Some(*images.get(&update.key?)?))))
            .collect();
        insert_tasks(db, &new, None, now).await?;
        // Read again, because another process may have recorded the id first.
        adopted = find(db, new.iter().map(|(name, _)| *name)).await?;
    }
    let mut seen = HashSet::new();
    Ok(updates
        .iter()
        .filter_map(|update| {
            let name = update.task_id.as_str();
            let (is_adopted, &(task, image)) = match known.get(name) {
                Some(found) => (false, found),
                // A second update with the same id finds the task known, as in a call of its own.
                None => (seen.insert(name), adopted.get(name)?),
            };
            Some(News {
                task,
                image,
                is_adopted,
                update: &update.update,
            })
        })
        .collect())
}

/// Returns the tasks with these ids that have an image, with that image.
async fn find<'a>(
    db: &Connection,
    names: impl Iterator<Item = &'a TaskId>,
) -> Result<HashMap<String, (i64, i64)>, Fault> {
    let names: Vec<&str> = names.map(TaskId::as_str).collect();
    let rows = db
        .query(
            "SELECT name, id, image FROM task WHERE name = ANY($1) AND image IS NOT NULL",
            &[&names],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?))))
        .collect()
}

/// The current row of an image.
struct Image {
    state: State,
    task: Option<i64>,
    expirations: i32,
}

/// The changes to write.
#[derive(Default)]
struct Changes<'a> {
    polls: Vec<(i64, i64)>,
    closed: Vec<(i64, TaskState)>,
    decided: Vec<(i64, i64, String)>,
    transitions: Vec<Transition<'a>>,
    expired: Vec<i64>,
    dead: Vec<i64>,
}

/// Records updates of distinct images. Returns how many images changed.
async fn record(db: &Connection, news: &[News<'_>], now: i64) -> Result<usize, Fault> {
    if news.is_empty() {
        return Ok(0);
    }
    let images = lock(db, news).await?;
    let mut changes = Changes::default();
    for new in news {
        let Some(image) = images.get(&new.image) else {
            continue;
        };
        changes.add(new, image);
    }
    changes.write(db, now).await
}

async fn lock(db: &Connection, news: &[News<'_>]) -> Result<HashMap<i64, Image>, Fault> {
    let ids: Vec<i64> = news.iter().map(|news| news.image).collect();
    let rows = db
        .query(
            "SELECT id, state, task, expirations FROM image WHERE id = ANY($1)
             ORDER BY id FOR UPDATE",
            &[&ids],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let image = Image {
                state: state_of(row.try_get(1)?)?,
                task: row.try_get(2)?,
                expirations: row.try_get(3)?,
            };
            Ok((row.try_get(0)?, image))
        })
        .collect()
}

impl<'a> Changes<'a> {
    fn add(&mut self, news: &News<'a>, image: &Image) {
        let is_awaited = if news.is_adopted {
            matches!(image.state, State::Sending | State::Uncertain)
        } else {
            image.task == Some(news.task) && image.state == State::Submitted
        };
        match news.update {
            // Another task of the image must not defer the poll of the awaited one.
            Update::Processing { poll_at } => {
                if is_awaited && image.state == State::Submitted {
                    self.polls.push((news.image, to_millis(*poll_at)));
                }
            }
            // An outcome of any of the image's tasks counts, and the first one is kept.
            Update::Decided(outcome) => {
                self.closed.push((news.task, TaskState::Decided));
                let ended = [State::Decided, State::Delivered, State::Rejected];
                if !ended.contains(&image.state) {
                    self.decided
                        .push((news.image, news.task, storable(outcome)));
                }
            }
            Update::Failed(next) => {
                self.closed.push((news.task, TaskState::Failed));
                if is_awaited {
                    self.transitions.push(Transition {
                        image: news.image,
                        next,
                    });
                }
            }
            Update::Expired => {
                self.closed.push((news.task, TaskState::Expired));
                // The image is submitted again once only, because each submission is billed.
                if is_awaited && image.expirations > 0 {
                    self.dead.push(news.image);
                } else if is_awaited {
                    self.expired.push(news.image);
                }
            }
        }
    }

    /// Returns how many images changed.
    async fn write(self, db: &Connection, now: i64) -> Result<usize, Fault> {
        let twice = NextStep::Dead(Reason {
            class: EXPIRED_CLASS.to_owned(),
            message: "its result expired before it was polled, twice".to_owned(),
        });
        let changed =
            self.decided.len() + self.transitions.len() + self.expired.len() + self.dead.len();
        if !self.polls.is_empty() {
            let (ids, at): (Vec<i64>, Vec<i64>) = self.polls.into_iter().unzip();
            db.execute(
                "UPDATE image SET next_at = at FROM unnest($1::bigint[], $2::bigint[]) u(id, at)
                 WHERE image.id = u.id",
                &[&ids, &at],
            )
            .await?;
        }
        if !self.closed.is_empty() {
            let ids: Vec<i64> = self.closed.iter().map(|(id, _)| *id).collect();
            let states: Vec<i16> = self.closed.iter().map(|(_, s)| s.code().into()).collect();
            db.execute(
                "UPDATE task SET state = u.state
                 FROM unnest($1::bigint[], $2::smallint[]) u(id, state)
                 WHERE task.id = u.id AND task.state = $3",
                &[&ids, &states, &i16::from(TaskState::Open.code())],
            )
            .await?;
        }
        decide(db, self.decided).await?;
        apply_next_steps(db, &self.transitions, State::Probed, Claim::Ended).await?;
        if !self.expired.is_empty() {
            db.execute(
                "UPDATE image SET state = $2, next_at = $3, expires_at = NULL, batch = NULL,
                     lease = NULL, holder = NULL, expirations = expirations + 1
                 WHERE id = ANY($1)",
                &[&self.expired, &code(State::Expired), &now],
            )
            .await?;
            let count = u64::try_from(self.expired.len()).unwrap_or(u64::MAX);
            add_to_tally(db, "expired", count).await?;
        }
        let dead = self.dead.iter().map(|&image| Transition {
            image,
            next: &twice,
        });
        let dead: Vec<Transition<'_>> = dead.collect();
        apply_next_steps(db, &dead, State::Expired, Claim::Ended).await?;
        Ok(changed)
    }
}

async fn decide(db: &Connection, decided: Vec<(i64, i64, String)>) -> Result<(), Fault> {
    if decided.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = decided.iter().map(|(image, ..)| *image).collect();
    let tasks: Vec<i64> = decided.iter().map(|(_, task, _)| *task).collect();
    let outcomes: Vec<String> = decided.into_iter().map(|(.., outcome)| outcome).collect();
    db.execute(
        "UPDATE image SET task = u.task, outcome = u.outcome
         FROM unnest($1::bigint[], $2::bigint[], $3::text[]) u(id, task, outcome)
         WHERE image.id = u.id",
        &[&ids, &tasks, &outcomes],
    )
    .await?;
    let finals = ids.iter().map(|&image| Final {
        image,
        state: State::Decided,
        reason: None,
    });
    let finals: Vec<Final<'_>> = finals.collect();
    outbox::finish(db, &finals).await
}

/// Makes accepted images due to be submitted, and others to be probed.
pub(super) async fn retry(db: &Connection, classes: &[String], now: i64) -> Result<u64, Fault> {
    let states = if classes.is_empty() {
        codes(&[State::Dead])
    } else {
        codes(&[State::Dead, State::Rejected])
    };
    let rows = db
        .query(
            "SELECT id FROM image WHERE state = ANY($1)
             AND (cardinality($2::text[]) = 0 OR class = ANY($2)) ORDER BY id FOR UPDATE",
            &[&states, &classes],
        )
        .await?;
    let ids: Vec<i64> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    db.execute("DELETE FROM outbox WHERE image = ANY($1)", &[&ids])
        .await?;
    db.execute(
        "UPDATE image SET state = CASE WHEN accepted THEN $2::smallint ELSE $3 END, next_at = $4,
             attempts = 0, expirations = 0, batch = NULL, lease = NULL, holder = NULL,
             class = NULL, message = NULL, facts = CASE WHEN accepted THEN facts END
         WHERE id = ANY($1)",
        &[&ids, &code(State::Probed), &code(State::Received), &now],
    )
    .await
}
