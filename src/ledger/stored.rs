//! Conversions between table rows and records that both stores share.

use std::path::PathBuf;

use super::{Location, Reason, State};
use crate::ids::TaskId;

/// The columns of a [`Row`](super::Row), and the joins that they need in addition to `source` and
/// `outbox`.
pub(super) const ROW_COLUMNS: &str = "source.id AS number, origin.name AS origin, line, data_id,
    text, key, url, is_file, image.state AS state, image.attempts AS attempts, class, message, task.name AS task,
    facts, outcome, outbox.id AS delivery";
pub(super) const ROW_JOINS: &str = "JOIN image ON image.id = source.image
    JOIN origin ON origin.id = source.origin LEFT JOIN task ON task.id = image.task";

/// A table contains a value that no version writes.
#[derive(Debug)]
pub(super) struct Invalid(pub(super) String);

pub(super) fn state_of(code: i16) -> Result<State, Invalid> {
    let state = u8::try_from(code).ok().and_then(State::from_code);
    state.ok_or_else(|| Invalid(format!("unknown state {code}")))
}

pub(super) fn task_id_of(text: &str) -> Result<TaskId, Invalid> {
    TaskId::parse(text).map_err(|error| Invalid(error.to_string()))
}

pub(super) fn reason_of(class: Option<String>, message: Option<String>) -> Option<Reason> {
    class.map(|class| Reason {
        class,
        message: message.unwrap_or_default(),
    })
}

/// Returns the value of the column `is_file`.
pub(super) const fn is_file(location: &Location) -> bool {
    matches!(location, Location::File(_))
}

#[cfg(unix)]
pub(super) fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(bytes).into()
}

/// Names cannot be constructed from bytes on this platform. The lossy name does not exist, so the
/// file is reported as missing.
#[cfg(not(unix))]
pub(super) fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
