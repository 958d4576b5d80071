//! The rows of the table of images: collected as JSON in bounded memory, shown by the page's script.

use std::{collections::BTreeSet, io::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};

use super::entry::{Listed, ReportEntry};

/// Rows that are kept, and the bytes of their JSON.
const MAX_ROWS: u64 = 100_000;
const MAX_BYTES: usize = 48 << 20;
/// Rows that the page can show before it unpacks the others.
const FIRST: u64 = 100;
/// Origins that the page's policy allows images from.
const MAX_ORIGINS: usize = 1_000;

/// Whether the images themselves are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thumbnails {
    /// No image is loaded: opening the report touches no other host.
    Hidden,
    /// Images that were not rejected, on public hosts, are loaded from their URLs and blurred until
    /// clicked.
    Blurred,
}

/// Results that a person should look at, as lines of JSON.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) thumbnails: Thumbnails,
    json: String,
    /// Rows that were kept, and rows that were added.
    pub(super) kept: u64,
    pub(super) added: u64,
    origins: BTreeSet<String>,
}

/// Rows that the page's script unpacks when it needs them.
pub(super) struct Rest {
    pub(super) count: u64,
    pub(super) base64: String,
}

impl Rows {
    pub(super) const fn new(thumbnails: Thumbnails) -> Self {
        Self {
            thumbnails,
            json: String::new(),
            kept: 0,
            added: 0,
            origins: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, entry: &ReportEntry) {
        self.added = self.added.saturating_add(1);
        // Rows are dropped in order: the first that does not fit ends the list.
        if self.kept + 1 < self.added || self.kept == MAX_ROWS {
            return;
        }
        let mut listed = Listed::of(entry);
        listed.has_thumbnail = self.allow_thumbnail(&listed);
        let Ok(row) = listed.to_json() else {
            return;
        };
        // `<` could begin `</script>` or `<!--`; in JSON it occurs in strings only.
        let row = row.replace('<', "\\u003c");
        if self.json.len() + row.len() < MAX_BYTES {
            if self.kept > 0 {
                self.json.push('\n');
            }
            self.json.push_str(&row);
            self.kept += 1;
        }
    }

    /// Whether the image of a row is shown; its origin is then part of the policy.
    fn allow_thumbnail(&mut self, listed: &Listed) -> bool {
        if self.thumbnails == Thumbnails::Hidden {
            return false;
        }
        let Some(url) = listed.thumbnail() else {
            return false;
        };
        let origin = url.origin().ascii_serialization();
        // The policy is at the beginning of the page and must not grow with the number of hosts.
        let is_allowed = self.origins.len() < MAX_ORIGINS || self.origins.contains(&origin);
        if is_allowed {
            self.origins.insert(origin);
        }
        is_allowed
    }

    /// Returns the first rows, and the others compressed: a browser needs long to open a page of 20 MB,
    /// and most readers look at the first rows only.
    pub(super) fn parts(&self) -> (&str, Option<Rest>) {
        let last = usize::try_from(FIRST - 1).unwrap_or(usize::MAX);
        let end = self.json.match_indices('\n').nth(last);
        let Some((first, rest)) = end.and_then(|(end, _)| self.json.split_at_checked(end)) else {
            return (&self.json, None);
        };
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = gzip
            .write_all(rest.trim_start_matches('\n').as_bytes())
            .and_then(|()| gzip.finish());
        let rest = Rest {
            count: self.kept.saturating_sub(FIRST),
            base64: STANDARD.encode(packed.unwrap_or_default()),
        };
        (first, Some(rest))
    }

    pub(super) const fn origins(&self) -> &BTreeSet<String> {
        &self.origins
    }
}
