//! The files of secrets: one entry per line.

use crate::error::{Error, ErrorKind};

/// Reads each line but blank ones and those that begin with `#`. An error begins with `name`, and
/// names the line and not its content.
pub(super) fn parse<T>(
    name: &str,
    text: &str,
    read: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Error> {
    let mut entries = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entry = read(line).map_err(|wrong| {
            Error::new(
                ErrorKind::Usage,
                format_args!("{name}, line {number}: {wrong}"),
            )
        })?;
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(Error::new(
            ErrorKind::Usage,
            format_args!("{name}: there is none"),
        ));
    }
    Ok(entries)
}
