//! Rate limits for all processes that share the database: the generic cell rate algorithm, with one
//! row per rate and one statement per permit, by the server's clock.

use std::time::Duration;

use super::{
    super::{Permit, Quota},
    fault::Fault,
    pool::Connection,
};

/// The server's clock in microseconds. Not `now()`, which is the start of the transaction.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// Grants a permit or returns how long to wait. `free_at` is the theoretical arrival time of the
/// algorithm: it may be in the future by at most the duration of a burst.
pub(super) async fn permit(db: &Connection, quota: &Quota, cost: u32) -> Result<Permit, Fault> {
    let price = micros(quota.limit.interval).saturating_mul(i64::from(cost));
    let ahead = span(quota, quota.limit.burst).saturating_sub(price);
    let granted = format!(
        "INSERT INTO quota VALUES ($1, {NOW} + $2) ON CONFLICT (operation) DO UPDATE
         SET free_at = GREATEST(quota.free_at, {NOW}) + $2 WHERE quota.free_at <= {NOW} + $3
         RETURNING 1"
    );
    let row = db
        .query_opt(&granted, &[&quota.operation, &price, &ahead])
        .await?;
    if row.is_some() {
        return Ok(Permit::Granted);
    }
    let wait = format!("SELECT free_at - {NOW} - $2 FROM quota WHERE operation = $1");
    let row = db.query_one(&wait, &[&quota.operation, &ahead]).await?;
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
        "INSERT INTO quota VALUES ($1, {NOW} + $2) ON CONFLICT (operation) DO UPDATE
         SET free_at = GREATEST(quota.free_at, {NOW} + $2)"
    );
    db.execute(&sql, &[&quota.operation, &ahead])
        .await
        .map(drop)
}

fn span(quota: &Quota, count: u32) -> i64 {
    micros(quota.limit.interval).saturating_mul(i64::from(count))
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
