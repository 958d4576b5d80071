//! The report's page: one file that needs nothing else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::{
    Provenance, figures, plots, table,
    tally::Tally,
    words::{bytes, fact, grouped, percent, tone},
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A green light. Being part of the page it touches no other host.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E\
    %3Ccircle cx='4' cy='4' r='3.5' fill='%2316805c'/%3E%3C/svg%3E";

/// Returns the page.
pub(super) fn page(tally: &Tally, provenance: &Provenance) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                // Before the policy, which may be long: HTML requires it within the first 1,024
                // bytes.
                meta charset="utf-8";
                // Before the style and the script: a policy in a page applies to what follows it.
                meta http-equiv="Content-Security-Policy" content=(policy(tally));
                // Thumbnails are loaded from other hosts, which need not learn where the report is.
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "greenlight report" }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "greenlight report" }
                    (lead(tally))
                    (facts(tally, provenance))
                    (share(tally))
                    (tiles(tally))
                }
                main {
                    (unreadable(tally))
                    (figures::all(tally))
                    (table::section(tally))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// The page's policy: its one style and one script by their hashes, so that no text of a line can
/// become either, and images from the origins of the shown thumbnails only.
fn policy(tally: &Tally) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    let mut policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src data:"
    );
    for origin in tally.rows.origins() {
        policy.push(' ');
        policy.push_str(origin);
    }
    policy
}

fn lead(tally: &Tally) -> Markup {
    let accepted = tally.decisions.get("accept");
    html! {
        p.lead {
            @match tally.checked {
                0 => { "No image was checked yet." }
                1 => { (percent(accepted, 1)) " of 1 image that was checked can be scanned." }
                checked => {
                    (percent(accepted, checked)) " of " (grouped(checked))
                    " images that were checked can be scanned."
                }
            }
            @if tally.pending > 0 {
                " " (grouped(tally.pending)) " are not done yet; `greenlight resume` continues with them."
            }
        }
    }
}

/// Where the page comes from.
fn facts(tally: &Tally, provenance: &Provenance) -> Markup {
    let program = concat!("greenlight ", env!("CARGO_PKG_VERSION"));
    html! {
        dl.facts {
            (fact("written", &html! { time { (provenance.written) } }))
            (fact("results", &html! { (grouped(tally.total)) " from " (provenance.input) }))
            @for (name, value) in &provenance.facts { (fact(name, &html! { (value) })) }
            (tally.made.facts())
            (fact("written by", &html! { (program) }))
        }
    }
}

/// A bar of the decisions, each as wide as its share.
fn share(tally: &Tally) -> Markup {
    let decisions = tally.decisions.sorted();
    let parts: Vec<_> = decisions
        .iter()
        .map(|(name, count)| (*count, name.as_str()))
        .collect();
    html! { div.share { (plots::bar(&parts, tally.total)) } }
}

fn tiles(tally: &Tally) -> Markup {
    let tile = |name: &str, tone: Option<&str>, value: String| {
        html! { div.tile data-tone=[tone] { dt { (name) } dd { (value) } } }
    };
    let decision = |name, word| tile(name, tone(word), grouped(tally.decisions.get(word)));
    let outcome = |name, word| tile(name, tone(word), grouped(tally.outcomes.get(word)));
    html! {
        dl.tiles {
            (tile("images", None, grouped(tally.total)))
            (decision("accepted", "accept"))
            (decision("rejected", "reject"))
            (decision("inconclusive", "inconclusive"))
            @if !tally.outcomes.is_empty() {
                (outcome("passed", "pass"))
                (outcome("to review", "review"))
                (outcome("blocked", "block"))
            }
            @if tally.waiting > 0 { (tile("no result yet", None, grouped(tally.waiting))) }
            @if tally.pending > 0 { (tile("not done yet", None, grouped(tally.pending))) }
            (tile("bytes", None, bytes(tally.bytes)))
        }
    }
}

fn unreadable(tally: &Tally) -> Markup {
    html! {
        @if let Some((line, reason)) = &tally.first_unreadable {
            p.warning role="note" {
                (tally.unreadable) " lines could not be read and are not counted; the first is line "
                (line) ": " (reason)
            }
        }
    }
}
