//! The report's tables, which the page's script sorts and filters.

use maud::{Markup, html};

use super::{
    entry::Listed,
    page::{Thumbnails, tone},
    tally::{Counts, Tally},
    words::{grouped, percent},
};

/// The hosts with most failures.
pub(super) fn hosts(tally: &Tally) -> Markup {
    let hosts = tally.worst_hosts(200);
    html! {
        @if !hosts.is_empty() {
            section data-table="hosts" {
                h2 { "Hosts with failures" }
                @if tally.other_hosts > 0 {
                    p { (grouped(tally.other_hosts)) " images lie on further hosts, which are not listed." }
                }
                @if hosts.len() > 10 { p.filters { (search()) (shown(hosts.len())) } }
                div.scroll tabindex="0" role="region" aria-label="Hosts" { table {
                    thead { tr {
                        (heading("host", false))
                        (heading("failed", true)) (heading("images", true)) (heading("share", true))
                    } }
                    tbody {
                        @for (name, host) in &hosts {
                            tr {
                                td { (name) }
                                (number(Some(host.failed)))
                                (number(Some(host.total)))
                                td.number { (percent(host.failed, host.total)) }
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// What is to be looked at, image by image.
pub(super) fn lines(tally: &Tally, thumbnails: Thumbnails) -> Markup {
    let listed = tally.listed.len();
    html! {
        section data-table="lines" {
            h2 { "Images to look at" }
            @if tally.listed.is_empty() {
                p { "None: every image was accepted, and passed where it was submitted." }
            } @else {
                p {
                    "Rejected, not decidable or not passed: " (grouped(tally.not_fine)) ". "
                    @if u64::try_from(listed).is_ok_and(|listed| listed < tally.not_fine) {
                        "The first " (listed) " are listed."
                    }
                }
                p.filters {
                    (search())
                    (choice("decision", &tally.decisions))
                    (choice("outcome", &tally.outcomes))
                    (choice("codes", &tally.rejecting))
                    (shown(listed))
                }
                div.scroll tabindex="0" role="region" aria-label="Images" { table {
                    thead { tr {
                        @if thumbnails == Thumbnails::Blurred { th scope="col" { "image" } }
                        @for name in ["source", "decision", "outcome", "codes", "reason", "format"] {
                            (heading(name, false))
                        }
                        @for name in ["width", "height", "bytes"] { (heading(name, true)) }
                    } }
                    tbody { @for entry in &tally.listed { (line(entry, thumbnails)) } }
                } }
            }
        }
    }
}

fn line(entry: &Listed, thumbnails: Thumbnails) -> Markup {
    let word = |word: &str| html! { span.word data-tone=[tone(word)] { (word) } };
    html! {
        tr data-decision=(entry.decision) data-outcome=(entry.outcome) data-codes=(entry.codes) {
            @if thumbnails == Thumbnails::Blurred {
                td {
                    @if let Some(url) = entry.thumbnail() {
                        button.thumbnail type="button" aria-label="show the image" aria-pressed="false" {
                            img src=(url) alt="" loading="lazy" width="96" height="96";
                        }
                    }
                }
            }
            td.source { (entry.source) }
            td { (word(&entry.decision)) }
            td { (word(&entry.outcome)) }
            td.codes { @for code in entry.codes.split(' ') { span { (code) } " " } }
            td.reason { (entry.reason) }
            td { (entry.format) }
            (number(entry.width.map(u64::from)))
            (number(entry.height.map(u64::from)))
            (number(entry.bytes))
        }
    }
}

fn search() -> Markup {
    html! { label { "Filter" input type="search" placeholder="words in any column"; } }
}

/// A choice of one of the names; of many words in a cell one has to be it.
fn choice(key: &str, counts: &Counts) -> Markup {
    html! {
        @if !counts.is_empty() {
            label { (key)
                select data-key=(key) {
                    option value="" { "all" }
                    @for (name, _) in counts.sorted() { option value=(name) { (name) } }
                }
            }
        }
    }
}

fn shown(rows: usize) -> Markup {
    html! { output aria-live="polite" { (rows) " shown" } }
}

fn number(number: Option<u64>) -> Markup {
    let value = number.map(|number| number.to_string()).unwrap_or_default();
    html! { td.number data-value=(value) { (number.map(grouped).unwrap_or_default()) } }
}

fn heading(name: &str, is_number: bool) -> Markup {
    html! { th.number[is_number] scope="col" { button.sort type="button" { (name) } } }
}
