//! The rows that a list's reader returns, before they are known to be sources.

use super::{LONGEST, shown};
use crate::pipeline::EarlierCheck;

/// The longest recognized scheme, in bytes.
const MAX_SCHEME: usize = 64;

/// A list's rows, in their order.
pub(super) trait Rows: Send {
    /// Finds the columns. Called once, before the first row.
    ///
    /// # Errors
    ///
    /// When there are none of the names asked for, or the list cannot be read at all.
    fn begin(&mut self) -> Result<(), Trouble>;

    /// The next row. Not called again after [`Found::Unreadable`].
    fn next(&mut self) -> Option<Row>;

    /// The lines that the first quoted field begins and ends in that seems to hold rows, because
    /// one quote too many opens a field and another one closes it.
    fn quoted_rows(&self) -> Option<(u64, u64)> {
        None
    }
}

/// Adds which lines are skipped after the one that an error is reported for.
pub(super) fn with_skipped(fault: String, line: u64, last: u64) -> String {
    match line.saturating_add(1) {
        next if next < last => format!("{fault}: the lines {next} to {last} are skipped"),
        next if next == last => format!("{fault}: the line {last} is skipped"),
        _ => fault,
    }
}

/// Why a list cannot be used, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) why: String,
    pub(super) hint: String,
}

impl Trouble {
    pub(super) fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            hint: hint.into(),
        }
    }
}

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line that it begins in, or of a table without lines its number; from 1.
    pub(super) number: u64,
    /// The line or row that it ends in: a record, or what was skipped, may have more than one.
    pub(super) last: u64,
    /// Its number in a JSON array, from 1: a line may hold several elements.
    pub(super) element: Option<u64>,
    pub(super) found: Found,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Source {
        source: Vec<u8>,
        data_id: Option<Vec<u8>>,
        check: Option<EarlierCheck>,
    },
    /// No source.
    Broken {
        /// The part of it that can be shown.
        text: Vec<u8>,
        why: String,
    },
    /// The rest of the list cannot be read.
    Unreadable(String),
}

impl Row {
    pub(super) fn unreadable(number: u64, why: &str) -> Self {
        Self {
            number,
            last: number,
            element: None,
            found: Found::Unreadable(format!("cannot read on: {why}")),
        }
    }
}

impl Found {
    pub(super) const fn source(source: Vec<u8>) -> Self {
        Self::Source {
            source,
            data_id: None,
            check: None,
        }
    }

    /// Adds an earlier check to a source.
    pub(super) fn with_check(mut self, found: Option<EarlierCheck>) -> Self {
        if let Self::Source { check, .. } = &mut self {
            *check = found;
        }
        self
    }

    pub(super) fn broken(text: impl Into<Vec<u8>>, why: impl Into<String>) -> Self {
        Self::Broken {
            text: text.into(),
            why: why.into(),
        }
    }

    /// How much text it holds, in bytes.
    pub(super) fn text_length(&self) -> u64 {
        let length = match self {
            Self::Source {
                source, data_id, ..
            } => source
                .len()
                .saturating_add(data_id.as_ref().map_or(0, Vec::len)),
            Self::Broken { text, .. } => text.len(),
            Self::Unreadable(_) => 0,
        };
        u64::try_from(length).unwrap_or(u64::MAX)
    }

    /// A source that is too long. The beginning of a `data:` URI is enough to reject it by its
    /// scheme, however long it is.
    pub(super) fn too_long(text: Vec<u8>) -> Self {
        if has_other_scheme(&text) {
            return Self::source(shown(&text).into_bytes());
        }
        Self::broken(text, format!("longer than {LONGEST} bytes"))
    }
}

/// Whether a text begins with a scheme (RFC 3986, 3.1) other than http and https. One letter is a
/// drive of Windows.
fn has_other_scheme(text: &[u8]) -> bool {
    let start = text.get(..MAX_SCHEME).unwrap_or(text);
    let Some(colon) = memchr::memchr(b':', start) else {
        return false;
    };
    let scheme = start.get(..colon).unwrap_or_default();
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.len() > 1
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let is_web = [&b"http"[..], b"https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    is_scheme && !is_web
}
