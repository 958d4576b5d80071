//! The next steps of images after a failure.

use std::collections::HashSet;

use super::{
    super::{NextStep, State, time::to_millis},
    connection::Connection,
    fault::Fault,
    outbox::{self, Final},
    row::{code, storable},
};

/// Whether the lease of an image stays valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Kept,
    Ended,
}

/// An image and its next step.
#[derive(Debug)]
pub(super) struct Transition<'a> {
    pub(super) image: i64,
    pub(super) next: &'a NextStep,
}

/// Marks the images at URLs whose next step is their first upload, and returns them.
async fn mark_for_upload(
    db: &Connection,
    transitions: &[Transition<'_>],
) -> Result<HashSet<i64>, Fault> {
    let uploads = transitions
        .iter()
        .filter(|transition| matches!(transition.next, NextStep::Upload { .. }));
    let uploads: Vec<i64> = uploads.map(|transition| transition.image).collect();
    if uploads.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = db
        .query(
            "UPDATE image SET by_upload = true
             WHERE id = ANY($1) AND NOT is_file AND NOT by_upload RETURNING id",
            &[&uploads],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Sets locked images back to `state`, or abandons them.
pub(super) async fn apply_next_steps(
    db: &Connection,
    transitions: &[Transition<'_>],
    state: State,
    claim: Claim,
) -> Result<(), Fault> {
    let (mut ids, mut at, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let (mut classes, mut messages) = (Vec::new(), Vec::new());
    let mut dead = Vec::new();
    let marked = mark_for_upload(db, transitions).await?;
    for Transition { image, next } in transitions {
        let mut next = *next;
        let time = loop {
            match next {
                NextStep::Dead(reason) => {
                    dead.push(Final {
                        image: *image,
                        state: State::Dead,
                        reason: Some(reason),
                    });
                    break None;
                }
                // It was uploaded before, or is a file: the fallback was used.
                NextStep::Upload { otherwise, .. } if !marked.contains(image) => next = otherwise,
                NextStep::Again { at }
                | NextStep::Retry { at, .. }
                | NextStep::Upload { at, .. } => break Some(at),
            }
        };
        let Some(time) = time else {
            continue;
        };
        // Only a failure has a reason. An image that was merely deferred keeps its attempts.
        let reason = next.reason();
        ids.push(*image);
        at.push(to_millis(*time));
        failures.push(i32::from(reason.is_some()));
        classes.push(reason.map(|reason| storable(&reason.class)));
        messages.push(reason.map(|reason| storable(&reason.message)));
    }
    if !ids.is_empty() {
        db.execute(
            "UPDATE image SET state = $6, next_at = at, attempts = attempts + failures,
                 batch = NULL, expires_at = NULL, class = COALESCE(u.class, image.class),
                 message = COALESCE(u.message, image.message),
                 lease = CASE WHEN $7 THEN lease END, holder = CASE WHEN $7 THEN holder END
             FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::text[])
                 u(id, at, failures, class, message)
             WHERE image.id = u.id",
            &[
                &ids,
                &at,
                &failures,
                &classes,
                &messages,
                &code(state),
                &(claim == Claim::Kept),
            ],
        )
        .await?;
    }
    outbox::finish(db, &dead).await
}
