//! The next steps of images after a failure.

use super::{
    super::{NextStep, Reason, State, time::to_millis},
    fault::Fault,
    outbox::{self, Final},
    pool::Connection,
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
    for Transition { image, next } in transitions {
        let (time, reason): (_, Option<&Reason>) = match next {
            NextStep::Dead(reason) => {
                dead.push(Final {
                    image: *image,
                    state: State::Dead,
                    reason: Some(reason),
                });
                continue;
            }
            NextStep::Again { at } => (at, None),
            NextStep::Retry { at, reason } => (at, Some(reason)),
        };
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
