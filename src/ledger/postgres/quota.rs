//! Rate limits and outages for all processes that share the database: the generic cell rate
//! algorithm, with one row per rate and one statement per permit, by the server's clock.

use std::time::Duration;

use super::{
    super::{MAX_TRIAL, Permit, Quota},
    connection::Connection,
    fault::Fault,
};

/// The server's clock in microseconds. Not `now()`, which is the start of the transaction.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// Grants a permit or returns how long to wait. `free_at` is the theoretical arrival time of the
/// algorithm: it may be in the future by at most the duration of a burst. During an outage, a permit
/// suspends the rate as a failure does.
pub(super) async fn permit(db: &Connection, quota: &Quota, cost: u32) -> Result<Permit, Fault> {
    let price = micros(quota.limit.interval).saturating_mul(i64::from(cost));
    let ahead = span(quota, quota.limit.burst).saturating_sub(price);
    let trial = span(quota, quota.limit.burst).min(i64::MAX / 4);
    // In an outage a permit suspends the rate for as long as the outage has lasted, from a second
    // to `MAX_TRIAL`, so that one process at a time tries the service.
    let granted = format!(
        "INSERT INTO quota (operation, free_at) VALUES ($1, {NOW} + $2)
         ON CONFLICT (operation) DO UPDATE SET free_at = CASE
             WHEN quota.failing_since IS NULL THEN GREATEST(quota.free_at, {NOW}) + $2
             ELSE {NOW} + $4 + LEAST(GREATEST({NOW} - quota.failing_since, 1000000), $5) END
         WHERE quota.free_at <= {NOW} + $3
         RETURNING failing_since IS NOT NULL"
    );
    let row = db
        .query_opt(
            &granted,
            &[&quota.operation, &price, &ahead, &trial, &micros(MAX_TRIAL)],
        )
        .await?;
    if let Some(row) = row {
        let is_trial = row.try_get(0)?;
        return Ok(if is_trial {
            Permit::Trial
        } else {
            Permit::Granted
        });
    }
    let wait = format!("SELECT free_at - {NOW} - $2 FROM quota WHERE operation = $1");
    let row = db.query_one(&wait, &[&quota.operation, &ahead]).await?;
    // The clock moved between the two statements; a wait of zero would spin.
    let wait = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0).max(1);
    Ok(Permit::Wait(Duration::from_micros(wait)))
}

pub(super) async fn slow_down(
    db: &Connection,
    quota: &Quota,
    pause: Duration,
) -> Result<(), Fault> {
    // After the pause, one unit is granted, not a burst.
    let ahead = span(quota, quota.limit.burst.saturating_sub(1)).saturating_add(micros(pause));
    // An integer overflow would be an error of the database.
    let ahead = ahead.min(i64::MAX / 2);
    let sql = format!(
        "INSERT INTO quota (operation, free_at) VALUES ($1, {NOW} + $2)
         ON CONFLICT (operation) DO UPDATE SET free_at = GREATEST(quota.free_at, {NOW} + $2)"
    );
    db.execute(&sql, &[&quota.operation, &ahead])
        .await
        .map(drop)
}

pub(super) async fn fail(
    db: &Connection,
    quota: &Quota,
    pause: Duration,
) -> Result<Duration, Fault> {
    let sql = format!(
        "INSERT INTO quota (operation, free_at, failing_since) VALUES ($1, 0, {NOW})
         ON CONFLICT (operation) DO UPDATE
         SET failing_since = COALESCE(quota.failing_since, EXCLUDED.failing_since)
         RETURNING LEAST({NOW} - failing_since, $2)"
    );
    let row = db
        .query_one(&sql, &[&quota.operation, &micros(MAX_TRIAL)])
        .await?;
    let lasted = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
    let pause = pause.max(Duration::from_micros(lasted));
    slow_down(db, quota, pause).await?;
    Ok(pause)
}

pub(super) async fn end_outage(db: &Connection, quota: &Quota) -> Result<(), Fault> {
    let sql = format!(
        "UPDATE quota SET failing_since = NULL, free_at = LEAST(free_at, {NOW})
         WHERE operation = $1 AND failing_since IS NOT NULL"
    );
    db.execute(&sql, &[&quota.operation]).await.map(drop)
}

fn span(quota: &Quota, count: u32) -> i64 {
    micros(quota.limit.interval).saturating_mul(i64::from(count))
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
