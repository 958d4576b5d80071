//! Conversion of table rows to records.

use rusqlite::{Row as SqlRow, RowIndex, types::FromSqlError};

use super::{
    super::{
        DeliveryId, Key, Row, Source, State,
        stored::{Invalid, reason_of, state_of, task_id_of},
    },
    location::location_at,
};
use crate::ids::TaskId;

pub(super) fn row_at(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let line: i64 = row.get("line")?;
    let class: Option<String> = row.get("class")?;
    let task: Option<String> = row.get("task")?;
    let message: Option<String> = row.get("message")?;
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
        state: state_at(row, "state")?,
        attempts: row.get("attempts")?,
        reason: reason_of(class, message),
        task_id: task.as_deref().map(task_id_of).transpose()?,
        facts: row.get("facts")?,
        outcome: row.get("outcome")?,
        delivery: row.get::<_, Option<i64>>("delivery")?.map(DeliveryId),
    })
}

pub(super) fn state_at(row: &SqlRow<'_>, column: impl RowIndex) -> rusqlite::Result<State> {
    Ok(state_of(row.get(column)?)?)
}

pub(super) fn task_id_at(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<TaskId> {
    let text: String = row.get(column)?;
    Ok(task_id_of(&text)?)
}

impl From<Invalid> for rusqlite::Error {
    fn from(Invalid(why): Invalid) -> Self {
        FromSqlError::Other(why.into()).into()
    }
}
