//! The location of an image, stored as a column and a flag.

use std::path::Path;

use rusqlite::{
    Row as SqlRow, ToSql,
    types::{FromSqlError, ToSqlOutput, ValueRef},
};

use super::super::{
    Location,
    stored::{is_file, path_of},
};

/// The columns that [`location_at`] reads.
pub(super) const LOCATION_COLUMNS: &str = "url, is_file";

/// A location as a parameter for the column `url`.
pub(super) struct Stored<'a>(pub(super) &'a Location);

impl Stored<'_> {
    /// Returns the value of the column `is_file`.
    pub(super) const fn is_file(&self) -> bool {
        is_file(self.0)
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
        // As text where possible, so that people can read the column.
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
    Ok(Location::File(match row.get_ref("url")? {
        ValueRef::Text(text) => utf8(text)?.into(),
        ValueRef::Blob(bytes) => path_of(bytes.to_owned()),
        _ => return Err(FromSqlError::InvalidType.into()),
    }))
}

fn utf8(text: &[u8]) -> Result<&str, FromSqlError> {
    std::str::from_utf8(text).map_err(|error| FromSqlError::Other(Box::new(error)))
}
