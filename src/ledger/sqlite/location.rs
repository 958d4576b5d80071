//! The location of an image, stored as a column and a flag.

use std::{ffi::OsString, path::Path};

use rusqlite::{
    Row as SqlRow, ToSql,
    types::{FromSqlError, ToSqlOutput, ValueRef},
};

use super::super::Location;

/// The columns that [`location_at`] reads.
pub(super) const LOCATION_COLUMNS: &str = "url, is_file";

/// A location as a parameter for the column `url`.
pub(super) struct Stored<'a>(pub(super) &'a Location);

impl Stored<'_> {
    /// Returns the value of the column `is_file`.
    pub(super) const fn is_file(&self) -> bool {
        matches!(self.0, Location::File(_))
    }
}

impl ToSql for Stored<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Location::Url(url) => ValueRef::Text(url.as_bytes()),
            Location::File(path) => of_path(path),
        }))
    }
}

fn of_path(path: &Path) -> ValueRef<'_> {
    match path.to_str() {
        Some(text) => ValueRef::Text(text.as_bytes()),
        None => ValueRef::Blob(path.as_os_str().as_encoded_bytes()),
    }
}

/// Returns the location from a row that selects [`LOCATION_COLUMNS`].
pub(super) fn location_at(row: &SqlRow<'_>) -> rusqlite::Result<Location> {
    let is_file: bool = row.get("is_file")?;
    if !is_file {
        return Ok(Location::Url(row.get("url")?));
    }
    let path = match row.get_ref("url")? {
        ValueRef::Text(text) => OsString::from(utf8(text)?),
        ValueRef::Blob(bytes) => of_bytes(bytes),
        _ => return Err(FromSqlError::InvalidType.into()),
    };
    Ok(Location::File(path.into()))
}

fn utf8(text: &[u8]) -> Result<&str, FromSqlError> {
    std::str::from_utf8(text).map_err(|error| FromSqlError::Other(Box::new(error)))
}

#[cfg(unix)]
fn of_bytes(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(bytes.to_owned())
}

/// Names cannot be constructed from bytes on this platform. The lossy name does not exist, so the
/// file is reported as missing.
#[cfg(not(unix))]
fn of_bytes(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}
