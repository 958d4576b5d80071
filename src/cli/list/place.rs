//! Where a source is in its list.

use std::{ffi::OsStr, fmt, sync::Arc};

use super::ListFormat;

/// A place in a list. `Display`: `urls.txt line 3`, `urls.json line 1 element 3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The list's name as it was given, `stdin` for standard input.
    pub(crate) list: Arc<str>,
    /// The number of the line, or of the row in a table that has no lines, from 1.
    pub(crate) line: u64,
    /// Which of the two.
    pub(super) unit: &'static str,
    /// The number of the element, if the list is a JSON array.
    pub(super) element: Option<u64>,
}

impl Place {
    /// Returns the number that distinguishes the place from all others of its list.
    pub(crate) const fn number(&self) -> u64 {
        match self.element {
            Some(element) => element,
            None => self.line,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.list, self.unit, self.line)?;
        self.element
            .map_or(Ok(()), |element| write!(f, " element {element}"))
    }
}

/// Names an entry of a list by its number. What is counted follows from the list's name, because a
/// ledger keeps no more.
pub(crate) fn place_of(list: &str, number: u64) -> String {
    format!("{list} {} {number}", unit_of(list))
}

/// Returns what the entries of a list of this name are called.
pub(crate) fn unit_of(list: &str) -> &'static str {
    match ListFormat::of_extension(OsStr::new(list)) {
        // Lines, or the elements of an array: standard input may be either.
        Some(ListFormat::Jsonl) | None => "entry",
        Some(format) => format.unit(),
    }
}
