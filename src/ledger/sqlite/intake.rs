//! From a list to a stored image.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use super::{
    super::{Enqueued, Key, Location, NewImage, State, record},
    fault::Fault,
    location::{LOCATION_COLUMNS, Stored, location_at},
    outbox,
    row::state_at,
};

pub(super) fn enqueue(
    db: &Connection,
    images: &[NewImage],
    now: i64,
) -> Result<Vec<Enqueued>, Fault> {
    // The images of one call come from few lists, so each name is looked up once.
    let mut origins = HashMap::new();
    images
        .iter()
        .map(|image| {
            let name = image.source.origin.as_str();
            let origin = match origins.get(name) {
                Some(&id) => id,
                None => *origins.entry(name).or_insert(origin_id(db, name)?),
            };
            enqueue_one(db, image, origin, now)
        })
        .collect()
}

fn origin_id(db: &Connection, name: &str) -> Result<i64, Fault> {
    // Two statements, because `RETURNING` returns no row if the name is known.
    db.prepare_cached("INSERT INTO origin (name) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([name])?;
    Ok(db
        .prepare_cached("SELECT id FROM origin WHERE name = ?1")?
        .query_row([name], |row| row.get(0))?)
}

pub(super) fn mark_list(db: &Connection, name: &str, is_read: bool) -> Result<(), Fault> {
    db.prepare_cached(
        // A list is marked before its first line is read, so it may have no row yet.
        "INSERT INTO origin (name, is_read) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET is_read = excluded.is_read",
    )?
    .execute(params![name, is_read])?;
    Ok(())
}

pub(super) fn remember_url(db: &Connection, url: &Key, number: i64, now: i64) -> Result<(), Fault> {
    db.prepare_cached(
        // The last scan replaces an earlier one: the image at the URL may have changed since.
        "INSERT INTO scanned_url (key, source, scanned_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET source = ?2, scanned_at = ?3",
    )?
    .execute(params![url.as_bytes(), number, now])?;
    Ok(())
}

fn enqueue_one(
    db: &Connection,
    image: &NewImage,
    origin: i64,
    now: i64,
) -> Result<Enqueued, Fault> {
    let inserted = insert_image(db, image, now)?;
    let Known { id, state, text } = match inserted {
        Some((id, state)) => Known {
            id,
            state,
            text: None,
        },
        None => known_image(db, image)?,
    };
    let text = image.source.text.as_ref().or(text.as_ref());
    let values = params![
        id,
        origin,
        i64::try_from(image.source.line).unwrap_or(i64::MAX),
        image.source.data_id,
        text,
    ];
    let source = db
        .prepare_cached(
            "INSERT INTO source (image, origin, line, data_id, text) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING RETURNING id",
        )?
        .query_row(values, |row| row.get::<_, i64>(0))
        .optional()?;
    let new_source = source.is_some();
    let number = match source {
        Some(number) => number,
        None => known_source(db, values)?,
    };
    // A final source without an entry in the outbox was acknowledged.
    let was_delivered = !new_source && state.is_final() && !outbox::holds(db, number, id)?;
    let is_due = state.is_final() && (new_source || (was_delivered && image.deliver_again));
    Ok(Enqueued {
        new_image: inserted.is_some(),
        number,
        new_source,
        state: if is_due {
            outbox::put_late(db, number, id, state)?
        } else {
            state
        },
        was_delivered,
    })
}

/// Returns the number of a known source by image, origin, line, data id and text.
fn known_source(db: &Connection, source: impl rusqlite::Params) -> Result<i64, Fault> {
    // `IS`, because both columns may be NULL.
    Ok(db
        .prepare_cached(
            "SELECT id FROM source WHERE image = ?1 AND origin = ?2 AND line = ?3
             AND data_id IS ?4 AND text IS ?5",
        )?
        .query_row(source, |row| row.get(0))?)
}

/// A known image.
struct Known {
    id: i64,
    state: State,
    /// The text of the new source, if it differs from the image's location.
    text: Option<String>,
}

/// Returns the known image with this key. If its bytes are still needed, its location becomes that
/// of the new source, whose file the caller has just read.
fn known_image(db: &Connection, image: &NewImage) -> Result<Known, Fault> {
    let sql = format!("SELECT id, state, {LOCATION_COLUMNS} FROM image WHERE key = ?1");
    let (id, state, location) = db
        .prepare_cached(&sql)?
        .query_row([image.key.as_bytes()], |row| {
            Ok((row.get(0)?, state_at(row, 1)?, location_at(row)?))
        })?;
    if location == image.location {
        return Ok(Known {
            id,
            state,
            text: None,
        });
    }
    let is_read = matches!(state, State::Decided | State::Delivered | State::Rejected);
    // A decided image is not read again, and a URL is equal or has another key.
    if is_read || matches!(image.location, Location::Url(_)) {
        let text = Some(image.location.text().into_owned());
        return Ok(Known { id, state, text });
    }
    // The earlier sources keep the spelling that they had from the old location.
    db.prepare_cached("UPDATE source SET text = ?2 WHERE image = ?1 AND text IS NULL")?
        .execute(params![id, location.text()])?;
    let stored = Stored(&image.location);
    db.prepare_cached("UPDATE image SET url = ?2, is_file = ?3 WHERE id = ?1")?
        .execute(params![id, stored, stored.is_file()])?;
    Ok(Known {
        id,
        state,
        text: None,
    })
}

/// Inserts an image and returns its row; `None` if its key is known.
fn insert_image(
    db: &Connection,
    image: &NewImage,
    now: i64,
) -> Result<Option<(i64, State)>, Fault> {
    let (state, reason) = match &image.known {
        record::Known::Nothing => (State::Received, None),
        record::Known::Checked => (State::Checked, None),
        record::Known::Rejected(reason) => (State::Rejected, Some(reason)),
    };
    // A final image gets no due time, so that the indexes of due images omit it.
    let stored = Stored(&image.location);
    let id = db
        .prepare_cached(
            "INSERT INTO image (key, url, is_file, state, next_at, class, message, facts)
             VALUES (:key, :url, :is_file, :state, :next_at, :class, :message, :facts)
             ON CONFLICT (key) DO NOTHING RETURNING id",
        )?
        .query_row(
            named_params! {
                ":key": image.key.as_bytes(),
                ":url": stored,
                ":is_file": stored.is_file(),
                ":state": state.code(),
                ":next_at": (!state.is_final()).then_some(now),
                ":class": reason.map(|reason| &reason.class),
                ":message": reason.map(|reason| &reason.message),
                ":facts": image.facts,
            },
            |row| row.get(0),
        )
        .optional()?;
    Ok(id.map(|id| (id, state)))
}
