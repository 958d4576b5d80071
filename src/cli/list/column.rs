//! Which column holds what.

use super::{check, row::Trouble};

/// The columns' names as the user gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// The sources.
    pub(crate) source: Option<String>,
    /// The user's own names for them.
    pub(crate) data_id: Option<String>,
    /// The delimiter of fields, if the user named one.
    pub(crate) delimiter: Option<u8>,
    /// The maximum number of rows for each byte of a Parquet file, if the user set one.
    pub(crate) rows_per_byte: Option<u32>,
    /// Whether the columns of an earlier check are read.
    pub(crate) checks: bool,
}

/// Names of the column that holds the sources, if the user names none.
pub(super) const USUAL: [&str; 4] = ["url", "image_url", "source", "link"];

/// The same, for messages.
pub(super) const WANTED: &str = "url`, `image_url`, `source` or `link";

/// The delimiters that are recognized.
pub(super) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Maximum number of names in a message, and of characters of each.
const MOST_NAMES: usize = 40;
const MOST_CHARACTERS: usize = 60;

/// Where the columns are among `names`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) source: usize,
    pub(super) data_id: Option<usize>,
    /// The columns of an earlier check, if they are read.
    pub(super) check: Option<check::At>,
}

impl Columns {
    /// Finds the columns in a table's names.
    pub(super) fn find(&self, names: &[String]) -> Result<Found, Trouble> {
        let data_id = match &self.data_id {
            Some(name) => Some(position(names, name, "--data-id-column")?),
            None => None,
        };
        let source = match &self.source {
            Some(name) => position(names, name, "--column")?,
            None => self.usual(names)?,
        };
        Ok(Found {
            source,
            data_id,
            check: self.checks.then(|| check::find(names.iter())),
        })
    }

    /// Finds the columns in a table's first line, which may be its first row instead: one of its
    /// cells has to be a name that was asked for or that is usual.
    pub(super) fn find_in_line(&self, names: &[String]) -> Result<Found, Trouble> {
        let found = self.find(names)?;
        let asked = [&self.source, &self.data_id];
        let is_known = |name: &String| {
            is_usual(name)
                || asked
                    .into_iter()
                    .flatten()
                    .any(|asked| is_same(asked, name))
        };
        if names.iter().any(is_known) {
            return Ok(found);
        }
        Err(Trouble::new(
            format!(
                "its first line has no column `{WANTED}`; there are: {}",
                listed(names)
            ),
            "if that is a source, put a line `url` before it or read the list with --list-format \
             text; if it is a name, give it to --column",
        ))
    }

    /// The column of one of the usual names, or the only one other than the data ids.
    fn usual(&self, names: &[String]) -> Result<usize, Trouble> {
        let is_data_id = |name: &str| self.data_id.as_deref().is_some_and(|id| is_same(id, name));
        let fitting: Vec<_> = (0..names.len())
            .filter(|at| {
                names
                    .get(*at)
                    .is_some_and(|name| is_usual(name) && !is_data_id(name))
            })
            .collect();
        if fitting.len() > 1 {
            let fitting: Vec<_> = fitting.iter().filter_map(|at| names.get(*at)).collect();
            return Err(ambiguous(&fitting));
        }
        let by_name = fitting.first().copied();
        let mut others =
            (0..names.len()).filter(|at| names.get(*at).is_some_and(|name| !is_data_id(name)));
        let only = others.next().filter(|_| others.next().is_none());
        if let Some(name) = only.and_then(|at| names.get(at))
            && let Some(delimiter) = name.chars().find(|c| is_delimiter(*c))
            && by_name.is_none()
        {
            let shown = if delimiter == '\t' {
                "tab"
            } else {
                name_of(delimiter)
            };
            let split: Vec<_> = name.split(delimiter).map(str::trim).collect();
            return Err(Trouble::new(
                format!(
                    "its first line is read as one column; split at `{shown}` there are: {}",
                    listed(&split)
                ),
                format!("name the delimiter with --delimiter '{shown}'"),
            ));
        }
        by_name.or(only).ok_or_else(|| {
            Trouble::new(
                format!("no column `{WANTED}`; there are: {}", listed(names)),
                "say which one holds the sources with --column",
            )
        })
    }
}

fn position(names: &[String], wanted: &str, option: &str) -> Result<usize, Trouble> {
    let found = |fits: fn(&str, &str) -> bool| {
        let fits = |at: &usize| names.get(*at).is_some_and(|name| fits(name, wanted));
        (0..names.len()).filter(fits).collect::<Vec<_>>()
    };
    // A table may have `URL` and `url`: the exact name decides before the case is ignored.
    let mut exact = found(|name, wanted| name == wanted);
    if exact.is_empty() {
        exact = found(is_same);
    }
    let mut found = exact.into_iter();
    let first = found.next().ok_or_else(|| {
        Trouble::new(
            format!("no column `{wanted}`; there are: {}", listed(names)),
            format!("give one of these names to {option}"),
        )
    })?;
    if found.next().is_some() {
        return Err(Trouble::new(
            format!(
                "more than one column is named `{wanted}`; there are: {}",
                listed(names)
            ),
            "rename one of them",
        ));
    }
    Ok(first)
}

/// Whether two names are the same but for case and surrounding blanks.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Whether a column of this name holds the sources, if the user names none.
pub(super) fn is_usual(name: &str) -> bool {
    USUAL.iter().any(|usual| is_same(usual, name))
}

pub(super) fn ambiguous<S: AsRef<str>>(names: &[S]) -> Trouble {
    Trouble::new(
        format!(
            "more than one column may hold the sources: {}",
            listed(names)
        ),
        "name the one that does with --column",
    )
}

fn is_delimiter(c: char) -> bool {
    u8::try_from(c).is_ok_and(|c| DELIMITERS.contains(&c))
}

const fn name_of(delimiter: char) -> &'static str {
    match delimiter {
        ',' => ",",
        ';' => ";",
        _ => "|",
    }
}

/// Names for a message.
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let mut shown: Vec<String> = names
        .iter()
        .take(MOST_NAMES)
        .map(|name| {
            let mut characters = name.as_ref().chars();
            let mut cut: String = characters.by_ref().take(MOST_CHARACTERS).collect();
            if characters.next().is_some() {
                cut.push('\u{2026}');
            }
            cut
        })
        .collect();
    if names.len() > MOST_NAMES {
        shown.push("\u{2026}".to_owned());
    }
    shown.join(", ")
}
