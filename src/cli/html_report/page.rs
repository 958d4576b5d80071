//! The report's page: one file that needs nothing else.

use std::{collections::BTreeSet, error::Error};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::{
    entry::Listed,
    figures, tables,
    tally::Tally,
    words::{bytes, grouped, percent},
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A green light. Being part of the page it touches no other host.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E\
    %3Ccircle cx='4' cy='4' r='3.5' fill='%2316805c'/%3E%3C/svg%3E";

/// Whether the images themselves are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thumbnails {
    /// No image is loaded: opening the report touches no other host.
    Hidden,
    /// Images that were not rejected, on public hosts, are loaded from their URLs and blurred until
    /// clicked.
    Blurred,
}

/// The whole page.
pub(super) fn page(tally: &Tally, thumbnails: Thumbnails) -> Result<String, Box<dyn Error>> {
    let style = format!("{STYLE}{}", share_style(tally));
    let policy = policy(tally, thumbnails, &style);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "greenlight report" }
                link rel="icon" href=(ICON);
                style { (PreEscaped(&style)) }
            }
            body {
                header {
                    h1 { "greenlight report" }
                    (lead(tally))
                    (share(tally))
                    (tiles(tally))
                }
                main {
                    (unreadable(tally))
                    section.plots aria-label="Plots" { (figures::all(tally)?) }
                    (tables::hosts(tally))
                    (tables::lines(tally, thumbnails))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

/// The page's own policy: its one style and one script by their hashes, so that no text of a line
/// can become either, and images from the origins of the shown thumbnails only.
fn policy(tally: &Tally, thumbnails: Thumbnails, style: &str) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let mut origins = BTreeSet::new();
    if thumbnails == Thumbnails::Blurred {
        let shown = tally.listed.iter().filter_map(Listed::thumbnail);
        origins.extend(shown.map(|url| url.origin().ascii_serialization()));
    }
    let origins = origins.iter().map(|origin| format!(" {origin}"));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:{}",
        hash(style),
        hash(SCRIPT),
        origins.collect::<String>()
    )
}

/// The color of a word: good, bad or unsure.
pub(super) fn tone(word: &str) -> Option<&'static str> {
    match word {
        "accept" | "pass" => Some("good"),
        "reject" | "block" => Some("bad"),
        "inconclusive" | "review" | "undecided" => Some("unsure"),
        _ => None,
    }
}

fn lead(tally: &Tally) -> Markup {
    let accepted = tally.decisions.get("accept");
    html! {
        p.lead {
            @match (tally.total, tally.checked()) {
                (0, _) => { "No images." }
                (_, 0) => { "No image was checked yet." }
                (_, 1) => { (percent(accepted, 1)) " of 1 image that was checked can be scanned." }
                (_, checked) => {
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

/// The widths of the parts of [`share`]. In the style sheet, because the policy allows no `style`
/// attributes.
fn share_style(tally: &Tally) -> String {
    let counts = tally.decisions.sorted();
    let rule = |(at, (_, count)): (usize, &(String, u64))| {
        format!(
            ".share span:nth-child({}) {{ flex: {count} 0 0; }}\n",
            at + 1
        )
    };
    counts.iter().enumerate().map(rule).collect()
}

/// A bar of the decisions, each as wide as its share.
fn share(tally: &Tally) -> Markup {
    html! {
        @if tally.total > 0 {
            div.share aria-hidden="true" {
                @for (name, _) in tally.decisions.sorted() {
                    span data-tone=[tone(&name)] {}
                }
            }
        }
    }
}

fn tiles(tally: &Tally) -> Markup {
    let tile = |name: &str, tone: Option<&str>, value: String| {
        html! { div.tile data-tone=[tone] { dd { (value) } dt { (name) } } }
    };
    let decision = |name, word| tile(name, tone(word), grouped(tally.decisions.get(word)));
    let outcome = |name, word| tile(name, tone(word), grouped(tally.outcomes.get(word)));
    html! {
        dl.tiles {
            (tile("images", None, grouped(tally.total)))
            (decision("accepted", "accept"))
            (decision("rejected", "reject"))
            (decision("not decidable", "inconclusive"))
            @if !tally.outcomes.is_empty() {
                (outcome("passed", "pass"))
                (outcome("to review", "review"))
                (outcome("blocked", "block"))
            }
            @if tally.pending > 0 { (tile("not done yet", None, grouped(tally.pending))) }
            (tile("bytes in all", None, bytes(tally.bytes)))
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
