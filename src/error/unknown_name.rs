//! The error for a text that is not a name of the expected type.

use std::fmt;

/// Maximum length, in characters, of the text in the message.
const SHOWN_CHARS: usize = 60;

/// The error of `FromStr` for types that have stable names: a text that is not one of them.
///
/// `Display` suggests a similar name, if there is one.
///
/// ```
/// use greenlight::Code;
///
/// let error = "image/corupt".parse::<Code>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown code `image/corupt`: did you mean `image/corrupt`?");
/// assert_eq!(error.nearest(), Some("image/corrupt"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    what: &'static str,
    text: String,
    nearest: Option<&'static str>,
}

impl UnknownName {
    /// Returns the error that `text` is not a `what`. It suggests one of `names` if it is similar.
    pub(crate) fn new(
        what: &'static str,
        text: &str,
        names: impl Iterator<Item = &'static str>,
    ) -> Self {
        let text: String = text.chars().take(SHOWN_CHARS).collect();
        let nearest = nearest(&text, names);
        Self {
            what,
            text,
            nearest,
        }
    }

    /// Returns the most similar name, if there is one.
    pub const fn nearest(&self) -> Option<&'static str> {
        self.nearest
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            text,
            nearest,
        } = self;
        write!(f, "unknown {what} `{}`", text.escape_debug())?;
        match nearest {
            Some(name) => write!(f, ": did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownName {}

/// Returns the name with the smallest edit distance, if that is at most a third of the length of the
/// text. `crc` also matches a name that ends in `/crc`.
fn nearest(text: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let allowed = lower.chars().count().div_ceil(3);
    let edits = |name: &'static str| {
        let tail = name.rsplit_once('/').map_or(name, |(_, tail)| tail);
        let edits = distance(&lower, name).min(distance(&lower, tail).saturating_add(1));
        (edits, name)
    };
    let (edits, name) = names.map(edits).min_by_key(|(edits, _)| *edits)?;
    (edits <= allowed).then_some(name)
}

/// Returns the Levenshtein distance, computed with one row of the table.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, left) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, right) in row.iter_mut().skip(1).zip(other.chars()) {
            let replaced = diagonal.saturating_add(usize::from(left != right));
            diagonal = *cell;
            before = replaced.min(before.min(*cell).saturating_add(1));
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// `FromStr`, `TryFrom<&str>` and, with the feature `serde`, `Deserialize` from `name()` and `ALL`.
macro_rules! from_name {
    ($type:ty, $what:literal) => {
        impl std::str::FromStr for $type {
            type Err = crate::error::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().copied().find(|one| one.name() == text);
                let names = Self::ALL.iter().map(|one| one.name());
                found.ok_or_else(|| crate::error::UnknownName::new($what, text, names))
            }
        }

        impl TryFrom<&str> for $type {
            type Error = crate::error::UnknownName;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}

/// `Serialize` and `Deserialize` as the stable name.
macro_rules! serde_name {
    ($type:ty) => {
        #[cfg(feature = "serde")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {from_name, serde_name};
