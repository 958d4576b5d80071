//! Takes over the claims of users that no longer run.

use rusqlite::{Connection, params};

use super::{super::State, fault::Fault};

pub(super) fn take_over(db: &Connection, settle: i64, now: i64) -> Result<usize, Fault> {
    let mut sooner = 0;
    // Images without a lease are deferred for other reasons, which still apply.
    let mut free = db.prepare_cached(
        "UPDATE image INDEXED BY image_due SET next_at = ?2, lease = NULL
         WHERE state = ?1 AND next_at > ?2 AND lease IS NOT NULL",
    )?;
    // Without its lease, a late finding of a process that was wrongly presumed dead is not
    // recorded.
    for state in State::CLAIMED {
        sooner += free.execute(params![state.code(), now])?;
    }
    // Polling costs nothing, and a task that is being polled cannot be distinguished from one that
    // was just polled.
    sooner += db
        .prepare_cached(
            "UPDATE image INDEXED BY image_due SET next_at = ?2 WHERE state = ?1 AND next_at > ?2",
        )?
        .execute(params![State::Submitted.code(), now])?;
    // Never later: the time that the earlier run set already allows for the timeout of its request.
    let mut settle_sooner = db.prepare_cached(
        "UPDATE image INDEXED BY image_due SET next_at = sent_at + ?2
         FROM batch WHERE batch.id = image.batch
            AND image.state = ?1 AND next_at > sent_at + ?2 AND next_at IS NOT NULL",
    )?;
    for state in [State::Sending, State::Uncertain] {
        sooner += settle_sooner.execute(params![state.code(), settle])?;
    }
    Ok(sooner)
}
