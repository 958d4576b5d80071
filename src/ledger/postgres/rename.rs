//! Moves the sources of an image to another image, which is the same content.

use super::{
    super::{Finding, Judgement, Key, State, stored::state_of},
    connection::{Connection, Lock},
    fault::Fault,
    outbox,
    row::{code, location_at},
};

/// Takes the locks that [`rename`] needs, before any image is locked.
pub(super) async fn lock(db: &Connection, findings: &[Finding]) -> Result<(), Fault> {
    let mut keys: Vec<&[u8]> = Vec::new();
    for finding in findings {
        if let Judgement::Renamed(key) = &finding.judgement {
            keys.extend([&finding.hold.key.as_bytes()[..], key.as_bytes()]);
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    // As for an enqueue, so that none inserts the image at the same time.
    db.lock(Lock::Sources).await?;
    db.lock(Lock::Outbox).await?;
    db.execute(
        "SELECT id FROM image WHERE key = ANY($1) ORDER BY id FOR UPDATE",
        &[&keys],
    )
    .await
    .map(drop)
}

/// Makes the sources of an image those of the image with `key`.
pub(super) async fn rename(db: &Connection, id: i64, key: Key, now: i64) -> Result<(), Fault> {
    let key = &key.as_bytes()[..];
    let known = "SELECT id, state FROM image WHERE key = $1";
    let Some(known) = db.query(known, &[&key]).await?.pop() else {
        let renamed = "UPDATE image SET key = $2, state = $3, next_at = $4, lease = NULL,
             holder = NULL WHERE id = $1";
        let checked = code(State::Checked);
        let renamed = db.execute(renamed, &[&id, &key, &checked, &now]).await;
        return renamed.map(drop);
    };
    let (to, state): (i64, State) = (known.try_get(0)?, state_of(known.try_get(1)?)?);
    let location = "SELECT url, is_file FROM image WHERE id = $1";
    for row in db.query(location, &[&id]).await? {
        let text = location_at(&row)?.text().into_owned().into_bytes();
        let keep = "UPDATE source SET text = $2 WHERE image = $1 AND text IS NULL";
        db.execute(keep, &[&id, &text]).await?;
    }
    // A source that was enqueued again is already there.
    // Not `UPDATE OR IGNORE`, which only SQLite has.
    let moved = db
        .query(
            "UPDATE source SET image = $2 WHERE image = $1 AND NOT EXISTS (
                 SELECT FROM source known WHERE known.image = $2
                 AND known.origin = source.origin AND known.line = source.line
                 AND sha256(COALESCE(known.data_id, '')) = sha256(COALESCE(source.data_id, ''))
                 AND sha256(COALESCE(known.text, '')) = sha256(COALESCE(source.text, '')))
             RETURNING id",
            &[&id, &to],
        )
        .await?;
    for rest in ["source", "outbox"] {
        let remove = format!("DELETE FROM {rest} WHERE image = $1");
        db.execute(&remove, &[&id]).await?;
    }
    db.execute("DELETE FROM image WHERE id = $1", &[&id])
        .await?;
    if !state.is_final() {
        return Ok(());
    }
    let moved = moved.iter().map(|row| Ok((row.try_get(0)?, to)));
    let moved = moved.collect::<Result<Vec<_>, Fault>>()?;
    outbox::put_late(db, &moved).await
}
