//! Claims of images: leases, findings, and images that were not sent.

use std::collections::HashMap;

use super::{
    super::{Claimed, Finding, Hold, Judgement, Lease, NextStep, State, Work},
    connection::Connection,
    fault::Fault,
    next_step::{Claim, Transition, apply_next_steps},
    outbox::{self, Final},
    rename,
    row::{code, codes, key_of, location_at, signed, storable},
};

pub(super) async fn claim(
    db: &Connection,
    work: Work,
    limit: usize,
    now: i64,
    until: i64,
    worker: Option<i32>,
) -> Result<Vec<Claimed>, Fault> {
    // Images that wait for another attempt are few, so they go first. Within a state, the index
    // orders images by due time.
    let states: &[State] = match work {
        Work::Probe => &[State::Unreachable, State::Checked, State::Received],
        Work::Submit => &[State::Expired, State::Probed],
    };
    let mut claimed = Vec::new();
    for &state in states {
        let left = limit.saturating_sub(claimed.len());
        if left == 0 {
            break;
        }
        // `SKIP LOCKED`: concurrent workers get other images and do not wait for each other.
        // `MATERIALIZED`: each part is evaluated once, so the limit holds and all rows get one
        // lease.
        let mut rows = db
            .query(
                "WITH due AS MATERIALIZED (
                     SELECT id, next_at FROM image WHERE state = $1 AND next_at <= $2
                     ORDER BY next_at, id LIMIT $3 FOR UPDATE SKIP LOCKED),
                 new AS MATERIALIZED (SELECT nextval('lease') AS lease FROM due LIMIT 1)
                 UPDATE image SET lease = new.lease, next_at = $4, holder = $5 FROM due, new
                 WHERE image.id = due.id
                 RETURNING due.next_at AS due_at, image.id, key, image.lease, attempts, facts, url,
                     is_file, by_upload",
                &[&code(state), &now, &signed(left), &until, &worker],
            )
            .await?;
        // `RETURNING` has no order.
        rows.sort_by_key(|row| (row.get::<_, i64>("due_at"), row.get::<_, i64>("id")));
        for row in rows {
            let hold = Hold {
                key: key_of(row.try_get("key")?)?,
                lease: Lease(row.try_get("lease")?),
            };
            let mut image = Claimed::new(hold, location_at(&row)?, state);
            image.attempts = u32::try_from(row.try_get::<_, i32>("attempts")?).unwrap_or(0);
            image.facts = row.try_get("facts")?;
            image.by_upload = row.try_get("by_upload")?;
            claimed.push(image);
        }
    }
    Ok(claimed)
}

pub(super) async fn release(db: &Connection, holds: &[Hold], now: i64) -> Result<usize, Fault> {
    let held = held(db, holds, &State::CLAIMED).await?;
    let ids: Vec<i64> = held.iter().map(|held| held.id).collect();
    db.execute(
        "UPDATE image SET next_at = $2, lease = NULL, holder = NULL WHERE id = ANY($1)",
        &[&ids, &now],
    )
    .await?;
    Ok(ids.len())
}

pub(super) async fn extend(db: &Connection, holds: &[Hold], until: i64) -> Result<usize, Fault> {
    let held = held(db, holds, &State::CLAIMED).await?;
    let ids: Vec<i64> = held.iter().map(|held| held.id).collect();
    db.execute(
        "UPDATE image SET next_at = $2 WHERE id = ANY($1)",
        &[&ids, &until],
    )
    .await?;
    Ok(ids.len())
}

/// An image with a valid lease.
pub(super) struct Held {
    pub(super) id: i64,
    /// The index of its first hold.
    pub(super) index: usize,
}

/// Locks the images in `states` whose leases are valid, and returns them in the order of `holds`.
pub(super) async fn held(
    db: &Connection,
    holds: &[Hold],
    states: &[State],
) -> Result<Vec<Held>, Fault> {
    let keys: Vec<&[u8]> = holds.iter().map(|hold| &hold.key.as_bytes()[..]).collect();
    let leases: Vec<i64> = holds.iter().map(|hold| hold.lease.0).collect();
    // All transactions lock in the order of ids, to avoid deadlocks.
    let rows = db
        .query(
            "SELECT id, key, lease FROM image WHERE key = ANY($1) AND lease = ANY($2)
             AND state = ANY($3) ORDER BY id FOR UPDATE",
            &[&keys, &leases, &codes(states)],
        )
        .await?;
    // The statement compares keys and leases independently; only a pair that is in `holds` is
    // valid.
    let mut found = HashMap::new();
    for row in rows {
        let hold = Hold {
            key: key_of(row.try_get(1)?)?,
            lease: Lease(row.try_get(2)?),
        };
        found.insert(hold, row.try_get(0)?);
    }
    let held = holds.iter().enumerate();
    Ok(held
        // Removed, so that a hold that is passed twice counts once.
        .filter_map(|(index, hold)| found.remove(hold).map(|id| Held { id, index }))
        .collect())
}

pub(super) async fn record_findings(
    db: &Connection,
    findings: &[Finding],
    now: i64,
) -> Result<usize, Fault> {
    let holds: Vec<Hold> = findings.iter().map(|finding| finding.hold).collect();
    let states = [State::Received, State::Checked, State::Unreachable];
    rename::lock(db, findings).await?;
    let held = held(db, &holds, &states).await?;
    let (mut ids, mut billed, mut facts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut fact_ids, mut other_facts) = (Vec::new(), Vec::new());
    let (mut rejected, mut transitions) = (Vec::new(), Vec::new());
    for &Held { id, index } in &held {
        let finding = &findings[index];
        let kept = finding.facts.as_deref().map(storable);
        match &finding.judgement {
            // Most findings: they share one statement for state and facts.
            Judgement::Accepted => {
                ids.push(id);
                billed.push(i32::try_from(finding.billed).unwrap_or(i32::MAX));
                facts.push(kept);
                continue;
            }
            Judgement::Rejected(reason) => rejected.push(Final {
                image: id,
                state: State::Rejected,
                reason: Some(reason),
            }),
            Judgement::Unreachable(next) => transitions.push(Transition { image: id, next }),
            Judgement::Renamed(key) => {
                rename::rename(db, id, *key, now).await?;
                continue;
            }
        }
        if let Some(kept) = kept {
            fact_ids.push(id);
            other_facts.push(kept);
        }
    }
    db.execute(
        "UPDATE image SET state = $4, next_at = $5, accepted = true, attempts = 0, lease = NULL,
             holder = NULL, class = NULL, message = NULL, billed = u.billed,
             facts = COALESCE(u.facts, image.facts)
         FROM unnest($1::bigint[], $2::integer[], $3::text[]) u(id, billed, facts)
         WHERE image.id = u.id",
        &[&ids, &billed, &facts, &code(State::Probed), &now],
    )
    .await?;
    if !fact_ids.is_empty() {
        db.execute(
            "UPDATE image SET facts = u.facts FROM unnest($1::bigint[], $2::text[]) u(id, facts)
             WHERE image.id = u.id",
            &[&fact_ids, &other_facts],
        )
        .await?;
    }
    outbox::finish(db, &rejected).await?;
    apply_next_steps(db, &transitions, State::Unreachable, Claim::Ended).await?;
    Ok(held.len())
}

pub(super) async fn record_unsent(
    db: &Connection,
    unsent: &[(Hold, NextStep)],
) -> Result<usize, Fault> {
    let holds: Vec<Hold> = unsent.iter().map(|(hold, _)| *hold).collect();
    let held = held(db, &holds, &[State::Probed, State::Expired]).await?;
    let transitions: Vec<Transition<'_>> = held
        .iter()
        .map(|held| Transition {
            image: held.id,
            next: &unsent[held.index].1,
        })
        .collect();
    apply_next_steps(db, &transitions, State::Probed, Claim::Ended).await?;
    Ok(held.len())
}
