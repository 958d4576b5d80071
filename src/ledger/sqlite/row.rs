//! Conversion of table rows to records.

use rusqlite::{Row as SqlRow, types::FromSqlError};

use super::{
    super::{DeliveryId, Key, Reason, Row, Source, State},
    location::location_at,
};
use crate::ids::TaskId;

/// The columns that [`row_at`] reads, and the joins that they need in addition to `source` and
/// `outbox`.
pub(super) const ROW_COLUMNS: &str = "source.id AS number, origin.name AS origin, line, data_id,
    text, key, url, is_file, image.state AS state, attempts, class, message, task.name AS task, facts,
    outcome, outbox.id AS delivery";
pub(super) const ROW_JOINS: &str = "JOIN image ON image.id = source.image
    JOIN origin ON origin.id = source.origin LEFT JOIN task ON task.id = image.task";

pub(super) fn row_at(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let line: i64 = row.get("line")?;
    let class: Option<String> = row.get("class")?;
    let task: Option<String> = row.get("task")?;
    let message: Option<String> = row.get("message")?;
    let state: u8 = row.get("state")?;
    Ok(Row {
        number: row.get("number")?,
        source: Source {
            origin: row.get("origin")?,
            line: u64::try_from(line).unwrap_or(0),
            data_id: row.get("data_id")?,
            text: row.get("text")?,
        },
        key: Key::from_bytes(row.get("key")?),
        location: location_at(row)?,
        state: state_of(state)?,
        attempts: row.get("attempts")?,
        reason: class.map(|class| Reason {
            class,
            message: message.unwrap_or_default(),
        }),
        task_id: task.as_deref().map(task_id).transpose()?,
        facts: row.get("facts")?,
        outcome: row.get("outcome")?,
        delivery: row.get::<_, Option<i64>>("delivery")?.map(DeliveryId),
    })
}

pub(super) fn state_at(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<State> {
    state_of(row.get(column)?)
}

pub(super) fn state_of(code: u8) -> rusqlite::Result<State> {
    State::from_code(code).ok_or_else(|| invalid(format!("unknown state {code}")))
}

pub(super) fn task_id_at(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<TaskId> {
    let text: String = row.get(column)?;
    task_id(&text)
}

fn task_id(text: &str) -> rusqlite::Result<TaskId> {
    TaskId::parse(text).map_err(|error| invalid(error.to_string()))
}

fn invalid(why: String) -> rusqlite::Error {
    FromSqlError::Other(why.into()).into()
}
