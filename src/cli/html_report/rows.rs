//! The rows of the table of images: collected as JSON in bounded memory, shown by the page's script.

use std::{collections::BTreeSet, io::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use maud::{Markup, PreEscaped, html};

use super::{
    entry::{Listed, ReportEntry},
    page::Thumbnails,
    tally::{Counts, Tally},
    words::grouped,
};

/// Rows that are kept, and the bytes of their JSON.
const MAX_ROWS: u64 = 100_000;
const MAX_BYTES: usize = 48 << 20;
/// Rows that the page can show before it unpacks the others.
const FIRST: u64 = 100;
/// Origins that the page's policy allows images from.
const MAX_ORIGINS: usize = 1_000;

/// Results that a person should look at, as lines of JSON.
#[derive(Debug)]
pub(super) struct Rows {
    thumbnails: Thumbnails,
    json: String,
    /// Rows that were kept, and rows that were added.
    kept: u64,
    added: u64,
    origins: BTreeSet<String>,
}

/// Rows that the page's script unpacks when it needs them.
struct Rest {
    count: u64,
    base64: String,
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
        let is_allowed = self.origins.len() < MAX_ORIGINS || self.origins.contains(&origin);
        if is_allowed {
            self.origins.insert(origin);
        }
        is_allowed
    }

    /// Returns the first rows, and the others compressed: a browser needs long to open a page of 20 MB,
    /// and most readers look at the first rows only.
    fn parts(&self) -> (&str, Option<Rest>) {
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

/// The columns, as the script fills and sorts them.
const COLUMNS: [(&str, bool); 7] = [
    ("source", false),
    ("decision", false),
    ("outcome", false),
    ("reasons", false),
    ("format", false),
    ("pixels", true),
    ("bytes", true),
];

/// The table of images that are not fine.
pub(super) fn section(tally: &Tally) -> Markup {
    let rows = &tally.rows;
    let (first, rest) = rows.parts();
    html! {
        section #images aria-labelledby="images-title" {
            h2 #images-title tabindex="-1" { "Images to look at" }
            @if rows.added == 0 {
                p { "None: every image that is done was accepted, and passed if it was submitted." }
            } @else {
                p {
                    "Rejected, inconclusive or not passed: " (grouped(rows.added)) "."
                    @if rows.kept < rows.added { " The first " (grouped(rows.kept)) " are listed." }
                }
                noscript { p { "The list needs JavaScript; the counts and plots above do not." } }
                (filters(tally))
                table.rows role="table" aria-labelledby="images-title" {
                    thead role="rowgroup" { tr role="row" {
                        @if rows.thumbnails == Thumbnails::Blurred {
                            th.image role="columnheader" scope="col" { "image" }
                        }
                        @for (name, is_number) in COLUMNS {
                            th class={ (name) @if is_number { " number" } } role="columnheader" scope="col" {
                                button.sort type="button" data-key=(name) { (name) }
                            }
                        }
                    } }
                    tbody role="rowgroup" {}
                }
                nav.pages aria-label="Pages" hidden {
                    @for (step, name) in [("first", "First"), ("previous", "Previous"), ("next", "Next"), ("last", "Last")] {
                        button type="button" data-step=(step) { (name) }
                    }
                }
                script #rows type="application/x-ndjson" { (PreEscaped(first)) }
                @if let Some(Rest { count, base64 }) = rest {
                    script #rest type="application/gzip" data-count=(count) { (PreEscaped(base64)) }
                }
            }
        }
    }
}

fn filters(tally: &Tally) -> Markup {
    html! {
        div.filters {
            label { "Filter"
                input type="search" placeholder="words in any column" autocomplete="off";
            }
            (choice("decision", &tally.decisions))
            (choice("outcome", &tally.outcomes))
            (choice("code", &tally.rejecting))
            // In cards there are no headings to sort by.
            label.in-cards { "sort"
                select data-sort autocomplete="off" {
                    option value="" { "as listed" }
                    @for (name, _) in COLUMNS {
                        option value={ (name) " ascending" } { (name) ", ascending" }
                        option value={ (name) " descending" } { (name) ", descending" }
                    }
                }
            }
            output role="status" aria-live="polite" {}
        }
    }
}

fn choice(key: &str, counts: &Counts) -> Markup {
    html! {
        @if !counts.is_empty() {
            label { (key)
                select data-key=(key) autocomplete="off" {
                    option value="" { "all" }
                    @for (name, _) in counts.sorted() { option value=(name) { (name) } }
                }
            }
        }
    }
}
