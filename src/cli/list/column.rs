//! Which column holds what.

use super::row::Trouble;

/// The columns' names as the user gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// The sources.
    pub(crate) source: Option<String>,
    /// The user's own names for them.
    pub(crate) data_id: Option<String>,
}

/// What holds the sources if nobody says, the first that is there.
pub(super) const USUAL: [&str; 2] = ["url", "source"];

/// As many names are listed in messages, and as much of each.
const MOST_NAMES: usize = 40;
const MOST_CHARACTERS: usize = 60;

/// Where the columns are among `names`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) source: usize,
    pub(super) data_id: Option<usize>,
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
        Ok(Found { source, data_id })
    }

    /// The column of one of the usual names, or the only one there is beside the data ids.
    fn usual(&self, names: &[String]) -> Result<usize, Trouble> {
        let by_name = USUAL
            .iter()
            .find_map(|usual| names.iter().position(|name| name == usual));
        let mut others = (0..names.len()).filter(|at| names.get(*at) != self.data_id.as_ref());
        let only = others.next().filter(|_| others.next().is_none());
        if let Some(name) = only.and_then(|at| names.get(at))
            && name.contains("://")
        {
            return Err(Trouble::new(
                format!(
                    "the first line names the columns, and {} is a source",
                    listed(std::slice::from_ref(name))
                ),
                "put a line `url` before it, or read it with --list-format text",
            ));
        }
        by_name.or(only).ok_or_else(|| {
            Trouble::new(
                format!("no column `url` or `source`; there are: {}", listed(names)),
                "say which one holds the sources with --column",
            )
        })
    }
}

fn position(names: &[String], wanted: &str, option: &str) -> Result<usize, Trouble> {
    let mut found = (0..names.len()).filter(|at| names.get(*at).is_some_and(|name| name == wanted));
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
