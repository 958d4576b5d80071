//! The outbox: outcomes are kept until the consumer, which may crash, acknowledges them.

use std::collections::HashSet;

use super::{
    super::stored::{ROW_COLUMNS, ROW_JOINS, state_of},
    super::{Delivery, DeliveryId, Ordered, OutboxCounts, Reason, State, Undelivered},
    connection::{Connection, Lock},
    fault::Fault,
    row::{code, row_at, signed, storable, unsigned},
};

/// An image that reaches a final state.
#[derive(Debug)]
pub(super) struct Final<'a> {
    pub(super) image: i64,
    pub(super) state: State,
    pub(super) reason: Option<&'a Reason>,
}

/// Sets locked images to a final state and adds them to the outbox for each of their sources.
pub(super) async fn finish(db: &Connection, finals: &[Final<'_>]) -> Result<(), Fault> {
    if finals.is_empty() {
        return Ok(());
    }
    let images: Vec<i64> = finals.iter().map(|end| end.image).collect();
    let states: Vec<i16> = finals.iter().map(|end| code(end.state)).collect();
    let reasons = || finals.iter().map(|end| end.reason);
    let classes: Vec<_> = reasons().map(|r| r.map(|r| storable(&r.class))).collect();
    let messages: Vec<_> = reasons().map(|r| r.map(|r| storable(&r.message))).collect();
    db.execute(
        "UPDATE image SET state = u.state, class = u.class, message = u.message, next_at = NULL,
             expires_at = NULL, lease = NULL, holder = NULL
         FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[])
             u(id, state, class, message)
         WHERE image.id = u.id",
        &[&images, &states, &classes, &messages],
    )
    .await?;
    // Delivery ids must become visible in order, so that a reader skips none.
    db.lock(Lock::Outbox).await?;
    db.execute("DELETE FROM outbox WHERE image = ANY($1)", &[&images])
        .await?;
    db.execute(
        "INSERT INTO outbox (source, image)
         SELECT source.id, u.id FROM unnest($1::bigint[]) WITH ORDINALITY u(id, n)
         JOIN source ON source.image = u.id ORDER BY n, source.id",
        &[&images],
    )
    .await
    .map(drop)
}

/// Returns the sources whose outcome is in the outbox.
pub(super) async fn waiting(db: &Connection, sources: &[i64]) -> Result<HashSet<i64>, Fault> {
    let rows = db
        .query(
            "SELECT outbox.source FROM source
             JOIN outbox ON outbox.image = source.image AND outbox.source = source.id
             WHERE source.id = ANY($1)",
            &[&sources],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Adds the outcomes of images in a final state to the outbox, for pairs of source and image. The
/// outbox must be locked.
pub(super) async fn put_late(db: &Connection, late: &[(i64, i64)]) -> Result<(), Fault> {
    let (sources, images): (Vec<i64>, Vec<i64>) = late.iter().copied().unzip();
    db.execute(
        "INSERT INTO outbox (source, image)
         SELECT source, image FROM unnest($1::bigint[], $2::bigint[])
             WITH ORDINALITY u(source, image, n) ORDER BY n",
        &[&sources, &images],
    )
    .await?;
    db.execute(
        "UPDATE image SET state = $2 WHERE id = ANY($1) AND state = $3",
        &[&images, &code(State::Decided), &code(State::Delivered)],
    )
    .await
    .map(drop)
}

pub(super) async fn undelivered(
    db: &Connection,
    after: Option<DeliveryId>,
    limit: usize,
) -> Result<Vec<Undelivered>, Fault> {
    let sql = format!(
        "SELECT {ROW_COLUMNS} FROM outbox JOIN source ON source.id = outbox.source {ROW_JOINS}
         WHERE outbox.id > $1 ORDER BY outbox.id LIMIT $2"
    );
    let after = after.map_or(0, |id| id.0);
    let rows = db.query(&sql, &[&after, &signed(limit)]).await?;
    rows.iter()
        .map(|row| {
            Ok(Undelivered::new(
                DeliveryId(row.try_get("delivery")?),
                row_at(row)?,
            ))
        })
        .collect()
}

/// Maximum number of rows per call.
const PASSED: usize = 20_000;

/// Number of rows that the first query of a call reads; each further query reads four times as
/// many.
// A query returns all of its rows, unlike SQLite's, so a call that ends at an early row must not
// request many.
const FIRST: usize = 64;

pub(super) async fn ordered(db: &Connection, after: i64, limit: usize) -> Result<Ordered, Fault> {
    let sql = format!(
        "SELECT {ROW_COLUMNS} FROM source {ROW_JOINS}
         LEFT JOIN outbox ON outbox.image = source.image AND outbox.source = source.id
         WHERE source.id > $1 ORDER BY source.id LIMIT $2"
    );
    let mut read = Ordered {
        through: after,
        ..Ordered::default()
    };
    let (mut passed, mut page) = (0, FIRST);
    while passed < PASSED {
        let rows = db.query(&sql, &[&read.through, &signed(page)]).await?;
        for row in &rows {
            if read.outcomes.len() >= limit || !state_of(row.try_get("state")?)?.is_final() {
                return Ok(read);
            }
            read.through = row.try_get("number")?;
            if let Some(id) = row.try_get::<_, Option<i64>>("delivery")? {
                read.outcomes
                    .push(Undelivered::new(DeliveryId(id), row_at(row)?));
            }
        }
        // Fewer rows than requested: this was the end of the table.
        if rows.len() < page {
            break;
        }
        passed += rows.len();
        page = (page * 4).min(4_096);
    }
    Ok(read)
}

pub(super) async fn due(
    db: &Connection,
    limit: usize,
    now: i64,
    until: i64,
) -> Result<Vec<Delivery>, Fault> {
    let claimed = db
        .query(
            // `MATERIALIZED`: evaluated once, so the limit holds whatever the plan is.
            "WITH due AS MATERIALIZED (SELECT id FROM outbox
                 WHERE next_at <= $1 ORDER BY next_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
             UPDATE outbox SET next_at = $2 FROM due WHERE outbox.id = due.id
             RETURNING outbox.id",
            &[&now, &until, &signed(limit)],
        )
        .await?;
    let ids: Vec<i64> = claimed
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    let sql = format!(
        "SELECT {ROW_COLUMNS}, outbox.attempts AS deliveries FROM outbox
         JOIN source ON source.id = outbox.source {ROW_JOINS}
         WHERE outbox.id = ANY($1) ORDER BY outbox.id"
    );
    let rows = db.query(&sql, &[&ids]).await?;
    rows.iter()
        .map(|row| {
            let id = DeliveryId(row.try_get("delivery")?);
            let attempts: i32 = row.try_get("deliveries")?;
            let outcome = Undelivered::new(id, row_at(row)?);
            Ok(Delivery::new(outcome, u32::try_from(attempts).unwrap_or(0)))
        })
        .collect()
}

pub(super) async fn postpone(
    db: &Connection,
    deliveries: &[i64],
    due: &[Option<i64>],
) -> Result<(), Fault> {
    db.execute(
        "UPDATE outbox SET next_at = u.due, attempts = attempts + 1
         FROM unnest($1::bigint[], $2::bigint[]) u(id, due) WHERE outbox.id = u.id",
        &[&deliveries, &due],
    )
    .await
    .map(drop)
}

pub(super) async fn counts(db: &Connection) -> Result<OutboxCounts, Fault> {
    let sql = "SELECT count(next_at), count(*) - count(next_at) FROM outbox";
    let row = db.query_one(sql, &[]).await?;
    Ok(OutboxCounts::new(unsigned(row.try_get(0)?)).with_abandoned(unsigned(row.try_get(1)?)))
}

pub(super) async fn acknowledge(db: &Connection, deliveries: &[DeliveryId]) -> Result<(), Fault> {
    let ids: Vec<i64> = deliveries.iter().map(|delivery| delivery.0).collect();
    // Images are locked first, in the order that all transactions use.
    let locked = db
        .query(
            "SELECT id FROM image WHERE id IN (SELECT image FROM outbox WHERE id = ANY($1))
             ORDER BY id FOR UPDATE",
            &[&ids],
        )
        .await?;
    let images: Vec<i64> = locked
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    db.execute("DELETE FROM outbox WHERE id = ANY($1)", &[&ids])
        .await?;
    db.execute(
        "UPDATE image SET state = $2 WHERE id = ANY($1) AND state = $3
         AND NOT EXISTS (SELECT FROM outbox WHERE outbox.image = image.id)",
        &[&images, &code(State::Delivered), &code(State::Decided)],
    )
    .await
    .map(drop)
}
