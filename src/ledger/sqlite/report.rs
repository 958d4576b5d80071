//! Reports on the ledger's contents, which do not block the writer.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::stored::{ROW_COLUMNS, ROW_JOINS},
    super::{
        Backlog, Key, Row, Rows, SharedDataId, State, Stats, codes::BatchState, time::from_millis,
    },
    fault::Fault,
    row::{row_at, state_at},
};

pub(super) fn backlog(db: &Connection) -> Result<Backlog, Fault> {
    // One look-up per state: the index begins with the state, so no order by time spans all of
    // them.
    let mut first = db.prepare_cached(
        "SELECT next_at FROM image INDEXED BY image_due
         WHERE state = ?1 AND next_at IS NOT NULL ORDER BY next_at LIMIT 1",
    )?;
    let mut due = Vec::new();
    for state in State::ACTIVE {
        let at: Option<i64> = first
            .query_row([state.code()], |row| row.get(0))
            .optional()?;
        due.extend(at.map(|at| (state, from_millis(at))));
    }
    let first_expiry: Option<i64> = db
        .prepare_cached(
            "SELECT expires_at FROM image INDEXED BY image_expiry
             WHERE expires_at IS NOT NULL ORDER BY expires_at LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(Backlog {
        due,
        first_expiry: first_expiry.map(from_millis),
    })
}

pub(super) fn stats(db: &Connection, now: i64) -> Result<Stats, Fault> {
    let count = |sql: &str| -> Result<u64, Fault> {
        let value: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(value).unwrap_or(0))
    };
    let mut stats = Stats {
        sources: count("SELECT COUNT(*) FROM source")?,
        last_row: last_row(db)?,
        undelivered: count("SELECT COUNT(*) FROM outbox")?,
        tasks: count("SELECT COUNT(*) FROM task")?,
        billed: count("SELECT COALESCE(SUM(billed), 0) FROM task")?,
        resubmitted: count("SELECT value FROM tally WHERE name = 'resubmitted'")?,
        expired: count("SELECT value FROM tally WHERE name = 'expired'")?,
        by_upload: count("SELECT COUNT(*) FROM image WHERE by_upload")?,
        oldest_unpolled: oldest_unpolled(db)?,
        unread_lists: unread_lists(db)?,
        ..Stats::default()
    };
    // A rejected request submitted nothing. `later` omits the first request, whose images were
    // prepared before the time that is measured.
    let (sent, since, later): (i64, Option<i64>, i64) = db
        .prepare_cached(
            "WITH recent AS (SELECT images, sent_at FROM batch WHERE sent_at > ?1 AND state <> ?2)
             SELECT COALESCE(SUM(images), 0), MIN(sent_at), COALESCE(SUM(images) FILTER
                 (WHERE sent_at > (SELECT MIN(sent_at) FROM recent)), 0) FROM recent",
        )?
        .query_row(
            params![now.saturating_sub(60_000), BatchState::Refused.code()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
    stats.sent_last_minute = u64::try_from(sent).unwrap_or(0);
    stats.sending_since = since.map(from_millis);
    stats.sent_since_first = u64::try_from(later).unwrap_or(0);
    count_states(db, &mut stats)?;
    stats.decisions = decisions(db)?;
    Ok(stats)
}

fn decisions(db: &Connection) -> Result<Vec<(String, u64)>, Fault> {
    // The ledger stores any text as an outcome; one that is not JSON has no decision.
    let mut statement = db.prepare_cached(
        "SELECT json_extract(outcome, '$.decision') AS decision, COUNT(*) FROM image
         WHERE CASE WHEN json_valid(outcome) THEN json_type(outcome, '$.decision') END = 'text'
         GROUP BY decision ORDER BY decision",
    )?;
    let rows = statement.query_map([], |row| {
        let count: i64 = row.get(1)?;
        Ok((row.get(0)?, u64::try_from(count).unwrap_or(0)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn oldest_unpolled(db: &Connection) -> Result<Option<std::time::SystemTime>, Fault> {
    let at: Option<i64> = db
        .prepare_cached(
            "SELECT submitted_at FROM image INDEXED BY image_expiry JOIN task ON task.id = image.task
             WHERE expires_at IS NOT NULL ORDER BY expires_at LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(at.map(from_millis))
}

fn last_row(db: &Connection) -> Result<i64, Fault> {
    let mut last = db.prepare_cached("SELECT COALESCE(MAX(id), 0) FROM source")?;
    Ok(last.query_row([], |row| row.get(0))?)
}

fn unread_lists(db: &Connection) -> Result<Vec<String>, Fault> {
    let mut statement =
        db.prepare_cached("SELECT name FROM origin WHERE NOT is_read ORDER BY id")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

pub(super) fn shared_data_ids(
    db: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<SharedDataId>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut shared = db.prepare_cached(
        "SELECT data_id, COUNT(*), MIN(id) FROM source WHERE id > ?1 AND data_id IS NOT NULL
         GROUP BY data_id HAVING COUNT(*) > 1 ORDER BY MIN(id) LIMIT ?2",
    )?;
    let mut second =
        db.prepare_cached("SELECT MIN(id) FROM source WHERE data_id = ?1 AND id > ?2")?;
    let mut place = db.prepare_cached(
        "SELECT origin.name, line FROM source JOIN origin ON origin.id = source.origin
         WHERE source.id = ?1",
    )?;
    let mut place_of = |id: i64| -> rusqlite::Result<(String, u64)> {
        place.query_row([id], |row| {
            let line: i64 = row.get(1)?;
            Ok((row.get(0)?, u64::try_from(line).unwrap_or(0)))
        })
    };
    let found = shared.query_map([after, limit], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    let found: Vec<(String, i64, i64)> = found.collect::<Result<_, _>>()?;
    let mut ids = Vec::with_capacity(found.len());
    for (data_id, count, first) in found {
        let next = second.query_row(params![data_id, first], |row| row.get(0))?;
        ids.push(SharedDataId {
            data_id,
            count: u64::try_from(count).unwrap_or(0),
            places: [place_of(first)?, place_of(next)?],
        });
    }
    Ok(ids)
}

fn count_states(db: &Connection, stats: &mut Stats) -> Result<(), Fault> {
    let mut statement = db.prepare_cached(
        "SELECT state, class, COUNT(*) FROM image GROUP BY state, class ORDER BY state, class",
    )?;
    let rows = statement.query_map([], |row| {
        let count: i64 = row.get(2)?;
        Ok((
            state_at(row, 0)?,
            row.get::<_, Option<String>>(1)?,
            u64::try_from(count).unwrap_or(0),
        ))
    })?;
    for row in rows {
        let (state, class, count) = row?;
        stats.add_images(state, class, count);
    }
    Ok(())
}

pub(super) fn states(db: &Connection, keys: &[Key]) -> Result<Vec<Option<State>>, Fault> {
    let mut state = db.prepare_cached("SELECT state FROM image WHERE key = ?1")?;
    let states = keys.iter().map(|key| {
        state
            .query_row([key.as_bytes()], |row| state_at(row, 0))
            .optional()
    });
    Ok(states.collect::<Result<_, _>>()?)
}

pub(super) fn recall_url(db: &Connection, url: &Key, since: i64) -> Result<Option<i64>, Fault> {
    let mut read =
        db.prepare_cached("SELECT source FROM scanned_url WHERE key = ?1 AND scanned_at >= ?2")?;
    let number = read.query_row(params![url.as_bytes(), since], |row| row.get(0));
    Ok(number.optional()?)
}

pub(super) fn rows(db: &Connection, rows: Rows) -> Result<Vec<Row>, Fault> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {ROW_COLUMNS} FROM source
         LEFT JOIN outbox ON outbox.image = source.image AND outbox.source = source.id {ROW_JOINS}
         WHERE source.id > ?1 AND (?2 IS NULL OR image.state = ?2) ORDER BY source.id LIMIT ?3"
    ))?;
    let limit = i64::try_from(rows.limit).unwrap_or(i64::MAX);
    let found = statement.query_map(
        params![rows.after, rows.state.map(State::code), limit],
        row_at,
    )?;
    Ok(found.collect::<Result<_, _>>()?)
}
