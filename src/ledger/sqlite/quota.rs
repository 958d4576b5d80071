//! Rate limits and outages for all processes that share the file: the generic cell rate algorithm,
//! with one row per rate and one statement per permit.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, named_params};

use super::{
    super::{MAX_TRIAL, Permit, Quota},
    fault::Fault,
};

/// SQLite's clock in microseconds, with a resolution of one millisecond.
// Not a time of the caller: the processes that share a rate must compare it with one clock.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000";

/// Grants a permit or returns how long to wait. `free_at` is the theoretical arrival time of the
/// algorithm: it may be in the future by at most the duration of a burst. During an outage, a
/// permit suspends the rate as a failure does.
pub(super) fn permit(db: &Connection, quota: &Quota, cost: u32) -> Result<Permit, Fault> {
    ensure(db, quota)?;
    let price = micros(quota.limit.interval).saturating_mul(i64::from(cost));
    let ahead = span(quota, quota.limit.burst).saturating_sub(price);
    // In an outage a permit suspends the rate for as long as the outage has lasted, from a second
    // to `MAX_TRIAL`, so that one process at a time tries the service.
    let granted = db
        .prepare_cached(&format!(
            "UPDATE quota SET free_at = CASE
                 WHEN failing_since IS NULL THEN MAX(free_at, {NOW}) + :price
                 ELSE {NOW} + :trial + MIN(MAX({NOW} - failing_since, 1000000), :most) END
             WHERE operation = :operation AND free_at <= {NOW} + :ahead
             RETURNING failing_since IS NOT NULL"
        ))?
        .query_row(
            named_params! {
                ":price": price,
                ":operation": quota.operation,
                ":ahead": ahead,
                // Far from an overflow, which SQLite would turn into a floating-point number.
                ":trial": span(quota, quota.limit.burst).min(i64::MAX / 4),
                ":most": micros(MAX_TRIAL),
            },
            |row| row.get::<_, bool>(0),
        )
        .optional()?;
    if let Some(is_trial) = granted {
        return Ok(if is_trial {
            Permit::Trial
        } else {
            Permit::Granted
        });
    }
    let wait: i64 = db
        .prepare_cached(&format!(
            "SELECT free_at - {NOW} - :ahead FROM quota WHERE operation = :operation"
        ))?
        .query_row(
            named_params! {":operation": quota.operation, ":ahead": ahead},
            |row| row.get(0),
        )?;
    // The clock moved between the two statements; a wait of zero would spin.
    let wait = u64::try_from(wait).unwrap_or(0).max(1);
    Ok(Permit::Wait(Duration::from_micros(wait)))
}

pub(super) fn slow_down(db: &Connection, quota: &Quota, pause: Duration) -> Result<(), Fault> {
    ensure(db, quota)?;
    // After the pause, one unit is granted, not a burst.
    let ahead = span(quota, quota.limit.burst.saturating_sub(1)).saturating_add(micros(pause));
    // On overflow, SQLite would convert the sum to a floating-point number.
    let ahead = ahead.min(i64::MAX / 2);
    db.prepare_cached(&format!(
        "UPDATE quota SET free_at = MAX(free_at, {NOW} + :ahead) WHERE operation = :operation"
    ))?
    .execute(named_params! {":ahead": ahead, ":operation": quota.operation})?;
    Ok(())
}

pub(super) fn fail(db: &Connection, quota: &Quota, pause: Duration) -> Result<Duration, Fault> {
    ensure(db, quota)?;
    let lasted: i64 = db
        .prepare_cached(&format!(
            "UPDATE quota SET failing_since = COALESCE(failing_since, {NOW})
             WHERE operation = :operation RETURNING MIN({NOW} - failing_since, :most)"
        ))?
        .query_row(
            named_params! {":operation": quota.operation, ":most": micros(MAX_TRIAL)},
            |row| row.get(0),
        )?;
    let pause = pause.max(Duration::from_micros(u64::try_from(lasted).unwrap_or(0)));
    slow_down(db, quota, pause)?;
    Ok(pause)
}

pub(super) fn end_outage(db: &Connection, quota: &Quota) -> Result<(), Fault> {
    // The suspension that the failures set ends too; without an outage nothing changes, so that a
    // suspension by `slow_down` stays.
    db.prepare_cached(&format!(
        "UPDATE quota SET failing_since = NULL, free_at = MIN(free_at, {NOW})
         WHERE operation = ?1 AND failing_since IS NOT NULL"
    ))?
    .execute([&quota.operation])?;
    Ok(())
}

fn ensure(db: &Connection, quota: &Quota) -> Result<(), Fault> {
    db.prepare_cached(
        "INSERT INTO quota (operation, free_at) VALUES (?1, 0) ON CONFLICT DO NOTHING",
    )?
    .execute([&quota.operation])?;
    Ok(())
}

fn span(quota: &Quota, count: u32) -> i64 {
    micros(quota.limit.interval).saturating_mul(i64::from(count))
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
