//! The table of images that are not fine, which the page's script fills.

use maud::{Markup, PreEscaped, html};

use super::{
    counts::Counts,
    rows::{Rest, Thumbnails},
    tally::Tally,
    words::grouped,
};

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
