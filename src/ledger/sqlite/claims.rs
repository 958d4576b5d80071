//! Claims of images, and what their checks found.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::{Claimed, Finding, Hold, Judgement, Key, Lease, Location, State, Work},
    fault::Fault,
    location::{LOCATION_COLUMNS, location_at},
    outbox,
    row::state_at,
    submit::{Claim, apply_next_step},
};

pub(super) fn claim(
    db: &Connection,
    work: Work,
    limit: usize,
    now: i64,
    until: i64,
) -> Result<Vec<Claimed>, Fault> {
    // Images that wait for another attempt are few, so they go first. Within a state, the index
    // orders images by due time.
    let states: &[State] = match work {
        Work::Probe => &[State::Unreachable, State::Checked, State::Received],
        Work::Submit => &[State::Expired, State::Probed],
    };
    let mut due = Vec::new();
    for &state in states {
        due_in(db, state, now, limit.saturating_sub(due.len()), &mut due)?;
    }
    if due.is_empty() {
        return Ok(Vec::new());
    }
    // One number per call: a lease only has to differ from all earlier ones.
    let lease = next_lease(db)?;
    let mut hold = db.prepare_cached("UPDATE image SET lease = ?1, next_at = ?2 WHERE id = ?3")?;
    due.into_iter()
        .map(|(id, mut claimed)| {
            hold.execute(params![lease.0, until, id])?;
            claimed.hold.lease = lease;
            Ok(claimed)
        })
        .collect()
}

fn due_in(
    db: &Connection,
    state: State,
    now: i64,
    limit: usize,
    due: &mut Vec<(i64, Claimed)>,
) -> Result<(), Fault> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, key, attempts, facts, host, by_upload, {LOCATION_COLUMNS}
         FROM image INDEXED BY image_due WHERE state = ?1 AND next_at <= ?2 ORDER BY next_at, id LIMIT ?3"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![state.code(), now, limit], |row| {
        let claimed = Claimed {
            hold: Hold {
                key: Key::from_bytes(row.get(1)?),
                lease: Lease(0),
            },
            location: location_at(row)?,
            state,
            attempts: row.get(2)?,
            facts: row.get(3)?,
            host: row.get("host")?,
            by_upload: row.get("by_upload")?,
        };
        Ok((row.get(0)?, claimed))
    })?;
    for row in rows {
        due.push(row?);
    }
    Ok(())
}

fn next_lease(db: &Connection) -> Result<Lease, Fault> {
    let last = db
        .prepare_cached("UPDATE tally SET value = value + 1 WHERE name = 'lease' RETURNING value")?
        .query_row([], |row| row.get(0))?;
    Ok(Lease(last))
}

pub(super) fn release(db: &Connection, holds: &[Hold], now: i64) -> Result<usize, Fault> {
    hold_until(db, holds, now, "next_at = ?1, lease = NULL")
}

pub(super) fn extend(db: &Connection, holds: &[Hold], until: i64) -> Result<usize, Fault> {
    hold_until(db, holds, until, "next_at = ?1")
}

/// Sets the due time of images whose leases are valid. Returns how many there were.
fn hold_until(db: &Connection, holds: &[Hold], at: i64, change: &str) -> Result<usize, Fault> {
    // Not of images that are sent: their due time is the settling time, which no lease moves.
    let claimed = State::CLAIMED.map(|state| state.code().to_string());
    let mut statement = db.prepare_cached(&format!(
        "UPDATE image SET {change} WHERE key = ?2 AND lease = ?3 AND state IN ({})",
        claimed.join(", ")
    ))?;
    let mut held = 0;
    for hold in holds {
        let (key, lease) = (hold.key.as_bytes(), hold.lease.0);
        held += statement.execute(params![at, key, lease])?;
    }
    Ok(held)
}

pub(super) fn record_findings(
    db: &Connection,
    findings: &[Finding],
    now: i64,
) -> Result<usize, Fault> {
    let mut recorded = 0;
    for finding in findings {
        // The lease ended and another process may be checking the image: its finding counts.
        let Some(id) = held_for_probe(db, finding.hold)? else {
            continue;
        };
        if let Some(facts) = &finding.facts {
            db.prepare_cached("UPDATE image SET facts = ?2 WHERE id = ?1")?
                .execute(params![id, facts])?;
        }
        match &finding.judgement {
            // From here on, `attempts` counts failed submissions.
            Judgement::Accepted => {
                db.prepare_cached(
                    "UPDATE image SET state = ?2, next_at = ?3, accepted = 1, attempts = 0,
                            lease = NULL, class = NULL, message = NULL, billed = ?4
                     WHERE id = ?1",
                )?
                .execute(params![
                    id,
                    State::Probed.code(),
                    now,
                    finding.billed
                ])?;
            }
            Judgement::Rejected(reason) => {
                outbox::finish(db, id, State::Rejected, Some(reason))?;
            }
            Judgement::Unreachable(next) => {
                apply_next_step(db, id, next, State::Unreachable, Claim::Ended)?;
            }
            Judgement::Renamed(key) => rename(db, id, *key, now)?,
        }
        recorded += 1;
    }
    Ok(recorded)
}

/// Makes the sources of an image those of the image with `key`.
fn rename(db: &Connection, id: i64, key: Key, now: i64) -> Result<(), Fault> {
    let known = db
        .prepare_cached("SELECT id, state FROM image WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| Ok((row.get(0)?, state_at(row, 1)?)))
        .optional()?;
    let Some((to, state)): Option<(i64, State)> = known else {
        db.prepare_cached(
            "UPDATE image SET key = ?2, state = ?3, next_at = ?4, lease = NULL WHERE id = ?1",
        )?
        .execute(params![id, key.as_bytes(), State::Checked.code(), now])?;
        return Ok(());
    };
    let location: Location = db
        .prepare_cached(&format!(
            "SELECT {LOCATION_COLUMNS} FROM image WHERE id = ?1"
        ))?
        .query_row([id], location_at)?;
    // Sources without a text are spelled as the location of their image, which changes.
    db.prepare_cached("UPDATE source SET text = ?2 WHERE image = ?1 AND text IS NULL")?
        .execute(params![id, location.text()])?;
    // A source that was enqueued again is already there.
    let moved: Vec<i64> = db
        .prepare_cached("UPDATE OR IGNORE source SET image = ?2 WHERE image = ?1 RETURNING id")?
        .query_map([id, to], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for table in ["source", "outbox"] {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE image = ?1"))?
            .execute([id])?;
    }
    db.prepare_cached("DELETE FROM image WHERE id = ?1")?
        .execute([id])?;
    // Otherwise the sources get the outcome with the others, when the image is final.
    if state.is_final() {
        for source in moved {
            outbox::put_late(db, source, to, state)?;
        }
    }
    Ok(())
}

fn held_for_probe(db: &Connection, hold: Hold) -> Result<Option<i64>, Fault> {
    Ok(db
        .prepare_cached(
            "SELECT id FROM image WHERE key = ?1 AND lease = ?2 AND state IN (?3, ?4, ?5)",
        )?
        .query_row(
            params![
                hold.key.as_bytes(),
                hold.lease.0,
                State::Received.code(),
                State::Checked.code(),
                State::Unreachable.code(),
            ],
            |row| row.get(0),
        )
        .optional()?)
}
