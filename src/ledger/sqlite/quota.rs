//! One rate for all processes that share the file: the generic cell rate algorithm in one row, one
//! statement a permit.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, named_params};

use super::{
    super::{Permit, Quota},
    fault::Fault,
};

/// The file's clock, in microseconds (in steps of a millisecond).
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000";

/// `free_at` is when all that was granted has taken its time. It may lie ahead of now by no more
/// than a burst takes.
pub(super) fn permit(db: &Connection, quota: &Quota, cost: u32) -> Result<Permit, Fault> {
    ensure(db, quota)?;
    let price = micros(quota.limit.interval).saturating_mul(i64::from(cost));
    let ahead = span(quota, quota.limit.burst).saturating_sub(price);
    let granted = db
        .prepare_cached(&format!(
            "UPDATE quota SET free_at = MAX(free_at, {NOW}) + :price
             WHERE operation = :operation AND free_at <= {NOW} + :ahead RETURNING 1"
        ))?
        .query_row(
            named_params! {":price": price, ":operation": quota.operation, ":ahead": ahead},
            |_| Ok(()),
        )
        .optional()?;
    if granted.is_some() {
        return Ok(Permit::Granted);
    }
    let wait: i64 = db
        .prepare_cached(&format!(
            "SELECT free_at - {NOW} - :ahead FROM quota WHERE operation = :operation"
        ))?
        .query_row(
            named_params! {":operation": quota.operation, ":ahead": ahead},
            |row| row.get(0),
        )?;
    let wait = u64::try_from(wait).unwrap_or(0).max(1);
    Ok(Permit::Wait(Duration::from_micros(wait)))
}

pub(super) fn slow_down(db: &Connection, quota: &Quota, pause: Duration) -> Result<(), Fault> {
    ensure(db, quota)?;
    // After the pause one may pass, not a burst.
    let ahead = span(quota, quota.limit.burst.saturating_sub(1)).saturating_add(micros(pause));
    // A sum past the last integer would be no integer any more.
    let ahead = ahead.min(i64::MAX / 2);
    db.prepare_cached(&format!(
        "UPDATE quota SET free_at = MAX(free_at, {NOW} + :ahead) WHERE operation = :operation"
    ))?
    .execute(named_params! {":ahead": ahead, ":operation": quota.operation})?;
    Ok(())
}

fn ensure(db: &Connection, quota: &Quota) -> Result<(), Fault> {
    db.prepare_cached("INSERT INTO quota VALUES (?1, 0) ON CONFLICT DO NOTHING")?
        .execute([&quota.operation])?;
    Ok(())
}

fn span(quota: &Quota, count: u32) -> i64 {
    micros(quota.limit.interval).saturating_mul(i64::from(count))
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
