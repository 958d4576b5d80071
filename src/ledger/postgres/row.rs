//! Conversion between table rows and records.

use tokio_postgres::Row as SqlRow;

use super::{
    super::{
        DeliveryId, Key, Location, Row, Source, State,
        stored::{path_of, reason_of, state_of, task_id_of},
    },
    fault::Fault,
};

/// Returns the bytes of a location for the column `url`.
pub(super) fn location_bytes(location: &Location) -> &[u8] {
    match location {
        Location::Url(url) => url.as_bytes(),
        Location::File(path) => path.as_os_str().as_encoded_bytes(),
    }
}

/// Returns the location from a row with the columns `url` and `is_file`.
pub(super) fn location_at(row: &SqlRow) -> Result<Location, Fault> {
    let bytes: Vec<u8> = row.try_get("url")?;
    if row.try_get("is_file")? {
        return Ok(Location::File(path_of(bytes)));
    }
    Ok(Location::Url(text_of(bytes)?))
}

pub(super) fn text_of(bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|_| Fault::Invalid("a text is not UTF-8".to_owned()))
}

pub(super) fn code(state: State) -> i16 {
    state.code().into()
}

pub(super) fn codes(states: &[State]) -> Vec<i16> {
    states.iter().copied().map(code).collect()
}

pub(super) fn key_of(bytes: &[u8]) -> Result<Key, Fault> {
    let bytes = bytes.try_into();
    let bytes = bytes.map_err(|_| Fault::Invalid("a key is not of 32 bytes".to_owned()))?;
    Ok(Key::from_bytes(bytes))
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Replaces U+0000, which a column of type `text` cannot contain.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(super) fn row_at(row: &SqlRow) -> Result<Row, Fault> {
    let text = |column: &str| -> Result<Option<String>, Fault> {
        let bytes: Option<Vec<u8>> = row.try_get(column)?;
        bytes.map(text_of).transpose()
    };
    let class: Option<String> = row.try_get("class")?;
    let message: Option<String> = row.try_get("message")?;
    let task: Option<&str> = row.try_get("task")?;
    let delivery: Option<i64> = row.try_get("delivery")?;
    let attempts: i32 = row.try_get("attempts")?;
    Ok(Row {
        number: row.try_get("number")?,
        source: Source {
            origin: text("origin")?.unwrap_or_default(),
            line: unsigned(row.try_get("line")?),
            data_id: text("data_id")?,
            text: text("text")?,
        },
        key: key_of(row.try_get("key")?)?,
        location: location_at(row)?,
        state: state_of(row.try_get("state")?)?,
        attempts: u32::try_from(attempts).unwrap_or(0),
        reason: reason_of(class, message),
        task_id: task.map(task_id_of).transpose()?,
        facts: row.try_get("facts")?,
        outcome: row.try_get("outcome")?,
        delivery: delivery.map(DeliveryId),
    })
}
