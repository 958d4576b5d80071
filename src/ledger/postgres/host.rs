//! The host that added a file, and foreign transactions: facts about other machines.

use std::{collections::HashMap, time::Duration};

use super::{
    super::stored::is_file,
    super::{Claimed, Key, LongTransaction, NewImage},
    connection::Connection,
    fault::Fault,
    row::{key_of, location_bytes, unsigned},
};
use crate::sanitize::harmless;

/// Records the host with the files that are read from its paths.
pub(super) async fn record(db: &Connection, images: &[NewImage], host: &str) -> Result<(), Fault> {
    let files = images.iter().filter(|image| is_file(&image.location));
    let (keys, paths): (Vec<&[u8]>, Vec<&[u8]>) = files
        .map(|image| {
            (
                image.key.as_bytes().as_slice(),
                location_bytes(&image.location),
            )
        })
        .unzip();
    if keys.is_empty() {
        return Ok(());
    }
    // Only images that are read from these paths: a decided image keeps its earlier location.
    db.execute(
        "UPDATE image SET host = $3 WHERE is_file AND host IS DISTINCT FROM $3
         AND (key, url) IN (SELECT * FROM unnest($1::bytea[], $2::bytea[]))",
        &[&keys, &paths, &host],
    )
    .await
    .map(drop)
}

/// Adds the hosts to claimed files.
pub(super) async fn add(db: &Connection, claimed: &mut [Claimed]) -> Result<(), Fault> {
    let files = claimed.iter().filter(|image| is_file(&image.location));
    let keys: Vec<&[u8]> = files
        .map(|image| image.hold.key.as_bytes().as_slice())
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let rows = db
        .query(
            "SELECT key, host FROM image WHERE key = ANY($1) AND host IS NOT NULL",
            &[&keys],
        )
        .await?;
    let mut hosts = HashMap::new();
    for row in rows {
        hosts.insert(key_of(row.try_get(0)?)?, row.try_get::<_, String>(1)?);
    }
    for image in claimed {
        let key: &Key = &image.hold.key;
        image.host = hosts.get(key).cloned();
    }
    Ok(())
}

/// Returns the oldest transactions that are open for longer than `age`, in this or another database
/// of the server: they keep vacuum from removing dead rows.
pub(super) async fn long_transactions(
    db: &Connection,
    age: Duration,
) -> Result<Vec<LongTransaction>, Fault> {
    let rows = db
        .query(
            "SELECT name, extract(epoch FROM clock_timestamp() - since)::bigint FROM (
                 SELECT format('process %s of %s (%s)', pid, usename, application_name) AS name,
                     xact_start AS since FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
                     AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
                 UNION ALL
                 SELECT format('prepared transaction %s', gid), prepared FROM pg_prepared_xacts) t
             WHERE since < clock_timestamp() - $1::bigint * interval '1 millisecond'
             ORDER BY since LIMIT 5",
            &[&i64::try_from(age.as_millis()).unwrap_or(i64::MAX / 2)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let name: &str = row.try_get(0)?;
            let seconds = unsigned(row.try_get(1)?);
            let open_for = Duration::from_secs(seconds);
            Ok(LongTransaction::new(harmless(name, 200), open_for))
        })
        .collect()
}
