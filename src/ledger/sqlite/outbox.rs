//! The outbox: outcomes are kept until the consumer, which may crash, acknowledges them.

use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::stored::{ROW_COLUMNS, ROW_JOINS},
    super::{
        Delivery, DeliveryId, Ordered, OutboxCounts, Reason, State, Undelivered, time::to_millis,
    },
    fault::Fault,
    row::{row_at, state_at},
};

/// Sets an image to a final state and adds it to the outbox for each of its sources.
pub(super) fn finish(
    db: &Connection,
    image: i64,
    state: State,
    reason: Option<&Reason>,
) -> Result<(), Fault> {
    db.prepare_cached(
        "UPDATE image SET state = ?2, class = ?3, message = ?4, next_at = NULL, expires_at = NULL,
                lease = NULL
         WHERE id = ?1",
    )?
    .execute(params![
        image,
        state.code(),
        reason.map(|reason| &reason.class),
        reason.map(|reason| &reason.message),
    ])?;
    // A late callback can decide a dead image: its earlier outcome is replaced.
    db.prepare_cached("DELETE FROM outbox WHERE image = ?1")?
        .execute([image])?;
    db.prepare_cached(
        "INSERT INTO outbox (source, image) SELECT id, image FROM source WHERE image = ?1
         ORDER BY id",
    )?
    .execute([image])?;
    Ok(())
}

/// Adds the outcome of an image in a final state to the outbox for a source that was enqueued later
/// or again. Returns the new state of the image.
pub(super) fn put_late(
    db: &Connection,
    source: i64,
    image: i64,
    state: State,
) -> Result<State, Fault> {
    db.prepare_cached("INSERT INTO outbox (source, image) VALUES (?1, ?2)")?
        .execute([source, image])?;
    if state != State::Delivered {
        return Ok(state);
    }
    // An image is delivered if every source has acknowledged its outcome, and this one has not.
    db.prepare_cached("UPDATE image SET state = ?2 WHERE id = ?1")?
        .execute(params![image, State::Decided.code()])?;
    Ok(State::Decided)
}

/// Returns whether the outbox contains the outcome of a source.
pub(super) fn holds(db: &Connection, source: i64, image: i64) -> Result<bool, Fault> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE image = ?1 AND source = ?2)")?
        .query_row([image, source], |row| row.get(0))?)
}

pub(super) fn undelivered(
    db: &Connection,
    after: Option<DeliveryId>,
    limit: usize,
) -> Result<Vec<Undelivered>, Fault> {
    // `CROSS JOIN` keeps SQLite's planner from beginning with another table.
    let mut statement = db.prepare_cached(&format!(
        "SELECT {ROW_COLUMNS} FROM outbox
         CROSS JOIN source ON source.id = outbox.source {ROW_JOINS}
         WHERE outbox.id > ?1 ORDER BY outbox.id LIMIT ?2"
    ))?;
    let after = after.map_or(0, |id| id.0);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map([after, limit], |row| {
        Ok(Undelivered {
            id: DeliveryId(row.get("delivery")?),
            row: row_at(row)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Maximum number of rows per call, so that it does not delay other reads.
const PASSED: i64 = 20_000;

pub(super) fn ordered(db: &Connection, after: i64, limit: usize) -> Result<Ordered, Fault> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {ROW_COLUMNS} FROM source {ROW_JOINS}
         LEFT JOIN outbox ON outbox.image = source.image AND outbox.source = source.id
         WHERE source.id > ?1 ORDER BY source.id LIMIT ?2"
    ))?;
    let mut rows = statement.query([after, PASSED])?;
    let mut read = Ordered {
        through: after,
        ..Ordered::default()
    };
    // The first row that is not final ends the read: order is kept without buffering.
    while read.outcomes.len() < limit
        && let Some(row) = rows.next()?
        && state_at(row, "state")?.is_final()
    {
        read.through = row.get("number")?;
        // An acknowledged outcome has no entry: its row only advances `through`.
        if let Some(id) = row.get::<_, Option<i64>>("delivery")? {
            read.outcomes.push(Undelivered {
                id: DeliveryId(id),
                row: row_at(row)?,
            });
        }
    }
    Ok(read)
}

pub(super) fn due(
    db: &Connection,
    limit: usize,
    now: i64,
    until: i64,
) -> Result<Vec<Delivery>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut claim = db.prepare_cached(
        "UPDATE outbox SET next_at = ?2 WHERE id IN (SELECT id FROM outbox INDEXED BY outbox_due
             WHERE next_at <= ?1 ORDER BY next_at, id LIMIT ?3)
         RETURNING id",
    )?;
    let claimed = claim.query_map([now, until, limit], |row| row.get(0))?;
    let mut claimed: Vec<i64> = claimed.collect::<Result<_, _>>()?;
    // `RETURNING` has no order.
    claimed.sort_unstable();
    // A second statement, because `RETURNING` has the columns of the changed table only.
    let mut read = db.prepare_cached(&format!(
        "SELECT {ROW_COLUMNS}, outbox.attempts AS deliveries FROM outbox
         CROSS JOIN source ON source.id = outbox.source {ROW_JOINS} WHERE outbox.id = ?1"
    ))?;
    let deliveries = claimed.into_iter().map(|id| {
        read.query_row([id], |row| {
            let outcome = Undelivered::new(DeliveryId(id), row_at(row)?);
            Ok(Delivery::new(outcome, row.get("deliveries")?))
        })
    });
    Ok(deliveries.collect::<Result<_, _>>()?)
}

pub(super) fn postpone(
    db: &Connection,
    failed: &[(DeliveryId, Option<SystemTime>)],
) -> Result<(), Fault> {
    let mut update =
        db.prepare_cached("UPDATE outbox SET next_at = ?2, attempts = attempts + 1 WHERE id = ?1")?;
    // Without a time the delivery is abandoned: `due` skips NULL, and the row stays for the counts.
    for (delivery, at) in failed {
        update.execute(params![delivery.0, at.map(to_millis)])?;
    }
    Ok(())
}

pub(super) fn counts(db: &Connection) -> Result<OutboxCounts, Fault> {
    // An abandoned delivery has no due time.
    let mut count = db.prepare_cached("SELECT COUNT(next_at), COUNT(*) FROM outbox")?;
    let (pending, all): (i64, i64) = count.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(OutboxCounts::new(unsigned(pending)).with_abandoned(unsigned(all - pending)))
}

pub(super) fn acknowledge(db: &Connection, deliveries: &[DeliveryId]) -> Result<(), Fault> {
    let mut remove = db.prepare_cached("DELETE FROM outbox WHERE id = ?1 RETURNING image")?;
    // Only a decided image becomes delivered: a rejected or dead one keeps its state.
    let mut deliver = db.prepare_cached(
        "UPDATE image SET state = ?2 WHERE id = ?1 AND state = ?3
         AND NOT EXISTS (SELECT 1 FROM outbox WHERE image = ?1)",
    )?;
    for delivery in deliveries {
        let image: Option<i64> = remove
            .query_row([delivery.0], |row| row.get(0))
            .optional()?;
        // No entry: it was acknowledged before, because every call may be repeated.
        if let Some(image) = image {
            deliver.execute(params![
                image,
                State::Delivered.code(),
                State::Decided.code()
            ])?;
        }
    }
    Ok(())
}
