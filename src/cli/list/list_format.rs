//! The formats of lists.

use std::{ffi::OsStr, path::Path};

use clap::ValueEnum;

/// How a list is written: one source per line; fields between delimiters below a line that names the
/// columns, with quotes (CSV) or without (TSV); one JSON object or text per line, or an array of
/// them; Apache Parquet.
// No text for each, which would turn the whole help into its long form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    Text,
    Csv,
    Tsv,
    #[value(alias = "json", alias = "ndjson")]
    Jsonl,
    Parquet,
}

impl ListFormat {
    /// Returns the format of a file by its extension: text for any that is not known.
    pub(super) fn of_name(name: &OsStr) -> Self {
        Self::of_extension(name).unwrap_or(Self::Text)
    }

    /// Returns the format that a file's extension names.
    pub(super) fn of_extension(name: &OsStr) -> Option<Self> {
        let extension = Path::new(name).extension()?;
        let is = |wanted: &[&str]| {
            wanted
                .iter()
                .any(|wanted| extension.eq_ignore_ascii_case(wanted))
        };
        Some(match () {
            () if is(&["csv"]) => Self::Csv,
            () if is(&["tsv", "tab"]) => Self::Tsv,
            () if is(&["jsonl", "ndjson", "json"]) => Self::Jsonl,
            () if is(&["parquet"]) => Self::Parquet,
            () if is(&["txt", "text", "lst", "list"]) => Self::Text,
            () => return None,
        })
    }

    /// What is counted in the list.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Parquet => "row",
            Self::Text | Self::Csv | Self::Tsv | Self::Jsonl => "line",
        }
    }

    /// Whether a line end may be within a cell.
    pub(super) const fn has_cells(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv)
    }
}
