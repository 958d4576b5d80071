//! From a list to enqueued images.

use std::collections::{HashMap, HashSet};

use super::{
    super::stored::{is_file, state_of},
    super::{Enqueued, Key, Known, Location, NewImage, State},
    connection::{Connection, Lock},
    fault::Fault,
    outbox,
    row::{codes, key_of, location_at, location_bytes, signed, storable},
};

/// The current row of an image.
struct Image {
    id: i64,
    is_new: bool,
    state: State,
    location: Location,
}

/// A source to insert.
struct NewSource<'a> {
    number: i64,
    image: i64,
    origin: i64,
    line: i64,
    data_id: Option<&'a [u8]>,
    text: Option<Vec<u8>>,
}

pub(super) async fn enqueue(
    db: &Connection,
    images: &[NewImage],
    now: i64,
) -> Result<Vec<Enqueued>, Fault> {
    // Numbers are assigned at the insert but become visible at the commit. Without the lock, an
    // in-order reader would skip the numbers of a slower transaction.
    db.lock(Lock::Sources).await?;
    db.lock(Lock::Outbox).await?;
    let origins = origins(db, images).await?;
    let mut known = insert_images(db, images, now).await?;
    let mut sources = Vec::with_capacity(images.len());
    let numbers = numbers(db, images.len()).await?;
    let mut written = 0;
    let mut found = HashMap::new();
    let mut seen = HashSet::new();
    let mut done = Vec::with_capacity(images.len());
    for (image, number) in images.iter().zip(numbers) {
        let entry = known.get_mut(&image.key).ok_or_else(no_image)?;
        // Of equal images in one call, only the first is new.
        let new_image = entry.is_new && seen.insert(image.key);
        let text = match &image.source.text {
            Some(text) => Some(text.as_bytes().to_vec()),
            None => (entry.location != image.location).then(|| own_text(image)),
        };
        let moves = entry.location != image.location && follows(entry.state, &image.location);
        if moves {
            // Earlier sources keep their own text.
            insert_sources(db, &sources[written..], &mut found).await?;
            written = sources.len();
            move_image(db, entry, &image.location).await?;
        }
        let origin = origins.get(image.source.origin.as_bytes());
        sources.push(NewSource {
            number,
            image: entry.id,
            origin: *origin.ok_or_else(no_image)?,
            line: i64::try_from(image.source.line).unwrap_or(i64::MAX),
            data_id: image.source.data_id.as_deref().map(str::as_bytes),
            text: if moves && image.source.text.is_none() {
                None
            } else {
                text
            },
        });
        let mut noted = Enqueued::new(number, entry.state);
        noted.new_image = new_image;
        done.push(noted);
    }
    insert_sources(db, &sources[written..], &mut found).await?;
    let mut states: HashMap<i64, State> = known.values().map(|i| (i.id, i.state)).collect();
    finish(db, images, &sources, &found, &mut states, &mut done).await?;
    Ok(done)
}

fn no_image() -> Fault {
    Fault::Invalid("an image that was inserted is missing".to_owned())
}

fn own_text(image: &NewImage) -> Vec<u8> {
    image.location.text().into_owned().into_bytes()
}

/// Returns whether the image is read from `location` from now on: its bytes are still needed, and
/// the caller has just read them from this file.
fn follows(state: State, location: &Location) -> bool {
    let is_read = matches!(state, State::Decided | State::Delivered | State::Rejected);
    !is_read && is_file(location)
}

async fn origins(db: &Connection, images: &[NewImage]) -> Result<HashMap<Vec<u8>, i64>, Fault> {
    let mut names: Vec<&[u8]> = Vec::new();
    for image in images {
        let name = image.source.origin.as_bytes();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    db.execute(
        "INSERT INTO origin (name) SELECT name FROM unnest($1::bytea[]) WITH ORDINALITY u(name, n)
         ORDER BY n ON CONFLICT DO NOTHING",
        &[&names],
    )
    .await?;
    // By the hash, because the index has it.
    let hashed = "SELECT name, id FROM origin
         WHERE sha256(name) IN (SELECT sha256(u) FROM unnest($1::bytea[]) u)";
    let rows = db.query(hashed, &[&names]).await?;
    let pair = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(pair).collect()
}

pub(super) async fn mark_list(db: &Connection, name: &str, is_read: bool) -> Result<(), Fault> {
    db.execute(
        "INSERT INTO origin (name, is_read) VALUES ($1, $2)
         ON CONFLICT (sha256(name)) DO UPDATE SET is_read = excluded.is_read",
        &[&name.as_bytes(), &is_read],
    )
    .await
    .map(drop)
}

pub(super) async fn remember_url(
    db: &Connection,
    url: &Key,
    number: i64,
    now: i64,
) -> Result<(), Fault> {
    db.execute(
        "INSERT INTO scanned_url (key, source, scanned_at) VALUES ($1, $2, $3)
         ON CONFLICT (key) DO UPDATE SET source = $2, scanned_at = $3",
        &[&url.as_bytes().as_slice(), &number, &now],
    )
    .await
    .map(drop)
}

/// Inserts new images, and locks and reads all of them.
async fn insert_images(
    db: &Connection,
    images: &[NewImage],
    now: i64,
) -> Result<HashMap<Key, Image>, Fault> {
    let mut seen = HashSet::new();
    let first: Vec<&NewImage> = images
        .iter()
        .filter(|image| seen.insert(image.key))
        .collect();
    let keys: Vec<&[u8]> = first
        .iter()
        .map(|image| &image.key.as_bytes()[..])
        .collect();
    let urls: Vec<&[u8]> = first
        .iter()
        .map(|image| location_bytes(&image.location))
        .collect();
    let files: Vec<bool> = first.iter().map(|image| is_file(&image.location)).collect();
    let known = first.iter().map(|image| match &image.known {
        Known::Nothing => (State::Received, None),
        Known::Checked => (State::Checked, None),
        Known::Rejected(reason) => (State::Rejected, Some(reason)),
    });
    let (states, reasons): (Vec<State>, Vec<_>) = known.unzip();
    let due: Vec<Option<i64>> = states
        .iter()
        .map(|state| (!state.is_final()).then_some(now))
        .collect();
    let classes: Vec<_> = reasons
        .iter()
        .map(|r| r.map(|r| storable(&r.class)))
        .collect();
    let messages: Vec<_> = reasons
        .iter()
        .map(|r| r.map(|r| storable(&r.message)))
        .collect();
    let facts: Vec<_> = first
        .iter()
        .map(|image| image.facts.as_deref().map(storable))
        .collect();
    // `ORDER BY n` gives new rows ids in the order of the call, by which images are claimed that
    // are due at the same time.
    let inserted = db
        .query(
            "INSERT INTO image (key, url, is_file, state, next_at, class, message, facts)
             SELECT key, url, is_file, state, next_at, class, message, facts
             FROM unnest($1::bytea[], $2::bytea[], $3::boolean[], $4::smallint[], $5::bigint[],
                 $6::text[], $7::text[], $8::text[])
                 WITH ORDINALITY u(key, url, is_file, state, next_at, class, message, facts, n)
             ORDER BY n ON CONFLICT (key) DO NOTHING RETURNING id",
            &[
                &keys,
                &urls,
                &files,
                &codes(&states),
                &due,
                &classes,
                &messages,
                &facts,
            ],
        )
        .await?;
    let new: HashSet<i64> = inserted
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    // Locked, because the state decides whether a source gets its outcome now, or with the others
    // when the image is final.
    let rows = db
        .query(
            "SELECT id, key, state, url, is_file FROM image WHERE key = ANY($1)
             ORDER BY id FOR UPDATE",
            &[&keys],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let id = row.try_get("id")?;
            let image = Image {
                id,
                is_new: new.contains(&id),
                state: state_of(row.try_get("state")?)?,
                location: location_at(row)?,
            };
            Ok((key_of(row.try_get("key")?)?, image))
        })
        .collect()
}

async fn move_image(db: &Connection, image: &mut Image, location: &Location) -> Result<(), Fault> {
    let old = image.location.text().into_owned();
    db.execute(
        "UPDATE source SET text = $2 WHERE image = $1 AND text IS NULL",
        &[&image.id, &old.as_bytes()],
    )
    .await?;
    db.execute(
        "UPDATE image SET url = $2, is_file = $3 WHERE id = $1",
        &[&image.id, &location_bytes(location), &is_file(location)],
    )
    .await?;
    image.location = location.clone();
    Ok(())
}

async fn numbers(db: &Connection, count: usize) -> Result<Vec<i64>, Fault> {
    let rows = db
        .query(
            "SELECT nextval(pg_get_serial_sequence('source', 'id')) FROM generate_series(1, $1::bigint)",
            &[&signed(count)],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Inserts new sources. For each known source, adds its number to `found`, keyed by the number that
/// it would have got.
async fn insert_sources(
    db: &Connection,
    sources: &[NewSource<'_>],
    found: &mut HashMap<i64, i64>,
) -> Result<(), Fault> {
    if sources.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = sources.iter().map(|source| source.number).collect();
    let images: Vec<i64> = sources.iter().map(|source| source.image).collect();
    let origins: Vec<i64> = sources.iter().map(|source| source.origin).collect();
    let lines: Vec<i64> = sources.iter().map(|source| source.line).collect();
    let data_ids: Vec<Option<&[u8]>> = sources.iter().map(|source| source.data_id).collect();
    let texts: Vec<Option<&[u8]>> = sources
        .iter()
        .map(|source| source.text.as_deref())
        .collect();
    let inserted = db
        .query(
            "INSERT INTO source (id, image, origin, line, data_id, text)
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                 $5::bytea[], $6::bytea[]) u(id) ORDER BY id
             ON CONFLICT DO NOTHING RETURNING id",
            &[&numbers, &images, &origins, &lines, &data_ids, &texts],
        )
        .await?;
    if inserted.len() == sources.len() {
        return Ok(());
    }
    let rows = db
        .query(
            "SELECT u.id, source.id FROM unnest($1::bigint[], $2::bigint[], $3::bigint[],
                 $4::bigint[], $5::bytea[], $6::bytea[]) u(id, image, origin, line, data_id, text)
             JOIN source ON source.image = u.image AND source.origin = u.origin
                 AND source.line = u.line
                 AND sha256(COALESCE(source.data_id, '')) = sha256(COALESCE(u.data_id, ''))
                 AND sha256(COALESCE(source.text, '')) = sha256(COALESCE(u.text, ''))
             WHERE source.id <> u.id",
            &[&numbers, &images, &origins, &lines, &data_ids, &texts],
        )
        .await?;
    for row in rows {
        found.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(())
}

/// Adds the outcomes of images in a final state to the outbox, for sources that are new or requested
/// the outcome again.
async fn finish(
    db: &Connection,
    images: &[NewImage],
    sources: &[NewSource<'_>],
    found: &HashMap<i64, i64>,
    states: &mut HashMap<i64, State>,
    done: &mut [Enqueued],
) -> Result<(), Fault> {
    let finals: Vec<i64> = sources
        .iter()
        .filter(|source| {
            states
                .get(&source.image)
                .is_some_and(|state| state.is_final())
        })
        .filter_map(|source| found.get(&source.number).copied())
        .collect();
    let mut waiting = if finals.is_empty() {
        HashSet::new()
    } else {
        outbox::waiting(db, &finals).await?
    };
    let mut late: Vec<(i64, i64)> = Vec::new();
    for ((image, source), noted) in images.iter().zip(sources).zip(done) {
        noted.new_source = !found.contains_key(&source.number);
        noted.number = found.get(&source.number).copied().unwrap_or(source.number);
        let state = states.entry(source.image).or_insert(noted.state);
        noted.state = *state;
        if !state.is_final() {
            continue;
        }
        noted.was_delivered = !noted.new_source && !waiting.contains(&noted.number);
        if noted.new_source || (noted.was_delivered && image.deliver_again) {
            // An equal source later in this call must not get the outcome a second time.
            waiting.insert(noted.number);
            late.push((noted.number, source.image));
            if *state == State::Delivered {
                *state = State::Decided;
            }
            noted.state = *state;
        }
    }
    if late.is_empty() {
        return Ok(());
    }
    outbox::put_late(db, &late).await
}
