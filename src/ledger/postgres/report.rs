//! Reports on the ledger's contents, which do not block writers.

use super::{
    super::stored::{ROW_COLUMNS, ROW_JOINS, state_of},
    super::{
        Backlog, Key, Row, Rows, SharedDataId, State, Stats, codes::BatchState, time::from_millis,
    },
    connection::Connection,
    fault::Fault,
    row::{code, codes, row_at, signed, text_of, unsigned},
};

pub(super) async fn backlog(db: &Connection) -> Result<Backlog, Fault> {
    let rows = db
        .query(
            "SELECT state, (SELECT next_at FROM image
                 WHERE image.state = u.state AND next_at IS NOT NULL ORDER BY next_at LIMIT 1)
             FROM unnest($1::smallint[]) WITH ORDINALITY u(state, n) ORDER BY n",
            &[&codes(&State::ACTIVE)],
        )
        .await?;
    let mut due = Vec::new();
    for row in rows {
        let at: Option<i64> = row.try_get(1)?;
        let state = state_of(row.try_get(0)?)?;
        due.extend(at.map(|at| (state, from_millis(at))));
    }
    let first = db
        .query_opt(
            "SELECT expires_at FROM image WHERE expires_at IS NOT NULL
             ORDER BY expires_at LIMIT 1",
            &[],
        )
        .await?;
    let first: Option<i64> = first.map(|row| row.try_get(0)).transpose()?;
    Ok(Backlog {
        due,
        first_expiry: first.map(from_millis),
    })
}

pub(super) async fn stats(db: &Connection, now: i64) -> Result<Stats, Fault> {
    let row = db
        .query_one(
            "SELECT (SELECT count(*) FROM source),
                 (SELECT COALESCE(max(id), 0) FROM source),
                 (SELECT count(*) FROM outbox),
                 (SELECT count(*) FROM task),
                 (SELECT COALESCE(sum(billed), 0)::bigint FROM task),
                 (SELECT value FROM tally WHERE name = 'resubmitted'),
                 (SELECT value FROM tally WHERE name = 'expired'),
                 (SELECT COALESCE(sum(images), 0)::bigint FROM batch
                     WHERE sent_at > $1 AND state <> $2),
                 (SELECT min(sent_at) FROM batch WHERE sent_at > $1 AND state <> $2),
                 (SELECT COALESCE(sum(images), 0)::bigint FROM batch
                     WHERE state <> $2 AND sent_at >
                         (SELECT min(sent_at) FROM batch WHERE sent_at > $1 AND state <> $2)),
                 (SELECT count(*) FROM image WHERE by_upload)",
            &[
                &now.saturating_sub(60_000),
                &i16::from(BatchState::Refused.code()),
            ],
        )
        .await?;
    let count = |column: usize| -> Result<u64, Fault> { Ok(unsigned(row.try_get(column)?)) };
    let mut stats = Stats {
        sources: count(0)?,
        last_row: row.try_get(1)?,
        undelivered: count(2)?,
        tasks: count(3)?,
        billed: count(4)?,
        resubmitted: count(5)?,
        expired: count(6)?,
        sent_last_minute: count(7)?,
        sending_since: row.try_get::<_, Option<i64>>(8)?.map(from_millis),
        sent_since_first: count(9)?,
        by_upload: count(10)?,
        ..Stats::default()
    };
    let oldest = db
        .query_opt(
            "SELECT submitted_at FROM image JOIN task ON task.id = image.task
             WHERE expires_at IS NOT NULL ORDER BY expires_at LIMIT 1",
            &[],
        )
        .await?;
    let oldest: Option<i64> = oldest.map(|row| row.try_get(0)).transpose()?;
    stats.oldest_unpolled = oldest.map(from_millis);
    let unread = db
        .query("SELECT name FROM origin WHERE NOT is_read ORDER BY id", &[])
        .await?;
    for row in unread {
        stats.unread_lists.push(text_of(row.try_get(0)?)?);
    }
    count_states(db, &mut stats).await?;
    stats.decisions = decisions(db).await?;
    Ok(stats)
}

/// The decision is the first member of an outcome. PostgreSQL before 16 has no test for valid JSON,
/// and a cast of other text would fail.
async fn decisions(db: &Connection) -> Result<Vec<(String, u64)>, Fault> {
    let rows = db
        .query(
            r#"SELECT decision, count(*) FROM image,
                 substring(outcome FROM '^\s*\{\s*"decision"\s*:\s*"([^"\\]*)"') AS decision
             WHERE decision IS NOT NULL GROUP BY decision ORDER BY decision COLLATE "C""#,
            &[],
        )
        .await?;
    let counts = rows.iter().map(|row| {
        let count = unsigned(row.try_get(1)?);
        Ok((row.try_get(0)?, count))
    });
    counts.collect()
}

async fn count_states(db: &Connection, stats: &mut Stats) -> Result<(), Fault> {
    let rows = db
        .query(
            "SELECT state, class, count(*) FROM image GROUP BY state, class
             ORDER BY state, class COLLATE \"C\" NULLS FIRST",
            &[],
        )
        .await?;
    for row in rows {
        let (state, count) = (state_of(row.try_get(0)?)?, unsigned(row.try_get(2)?));
        let class: Option<String> = row.try_get(1)?;
        stats.add_images(state, class, count);
    }
    Ok(())
}

pub(super) async fn shared_data_ids(
    db: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<SharedDataId>, Fault> {
    let rows = db
        .query(
            "WITH shared AS (
                 SELECT data_id, count(*) AS count, min(id) AS first FROM source
                 WHERE id > $1 AND data_id IS NOT NULL
                 GROUP BY data_id HAVING count(*) > 1 ORDER BY min(id) LIMIT $2),
             pairs AS (
                 SELECT shared.data_id, shared.count, shared.first, min(source.id) AS second
                 FROM shared JOIN source ON source.data_id = shared.data_id
                     AND source.id > shared.first
                 GROUP BY shared.data_id, shared.count, shared.first)
             SELECT pairs.data_id, count, a.name, one.line, b.name, two.line FROM pairs
             JOIN source one ON one.id = pairs.first JOIN origin a ON a.id = one.origin
             JOIN source two ON two.id = pairs.second JOIN origin b ON b.id = two.origin
             ORDER BY pairs.first",
            &[&after, &signed(limit)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let text = |column: usize| text_of(row.try_get(column)?);
            let line = |column: usize| -> Result<u64, Fault> { Ok(unsigned(row.try_get(column)?)) };
            let places = [(text(2)?, line(3)?), (text(4)?, line(5)?)];
            Ok(SharedDataId::new(text(0)?, line(1)?, places))
        })
        .collect()
}

pub(super) async fn states(db: &Connection, keys: &[Key]) -> Result<Vec<Option<State>>, Fault> {
    let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes().as_slice()).collect();
    let rows = db
        .query(
            "SELECT image.state FROM unnest($1::bytea[]) WITH ORDINALITY u(key, n)
             LEFT JOIN image ON image.key = u.key ORDER BY n",
            &[&keys],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let state: Option<i16> = row.try_get(0)?;
            Ok(state.map(state_of).transpose()?)
        })
        .collect()
}

pub(super) async fn recall_url(
    db: &Connection,
    url: &Key,
    since: i64,
) -> Result<Option<i64>, Fault> {
    let sql = "SELECT source FROM scanned_url WHERE key = $1 AND scanned_at >= $2";
    let row = db
        .query_opt(sql, &[&url.as_bytes().as_slice(), &since])
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

pub(super) async fn rows(db: &Connection, rows: Rows) -> Result<Vec<Row>, Fault> {
    let sql = format!(
        "SELECT {ROW_COLUMNS} FROM source
         LEFT JOIN outbox ON outbox.image = source.image AND outbox.source = source.id {ROW_JOINS}
         WHERE source.id > $1 AND ($2::smallint IS NULL OR image.state = $2)
         ORDER BY source.id LIMIT $3"
    );
    let state = rows.state.map(code);
    let found = db
        .query(&sql, &[&rows.after, &state, &signed(rows.limit)])
        .await?;
    found.iter().map(row_at).collect()
}
