//! The report's page: one file that needs nothing else.

use std::error::Error;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
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
    /// Images are loaded from their URLs, blurred until clicked.
    Blurred,
}

/// The whole page.
pub(super) fn page(tally: &Tally, thumbnails: Thumbnails) -> Result<String, Box<dyn Error>> {
    let images = match thumbnails {
        Thumbnails::Hidden => "data:",
        Thumbnails::Blurred => "data: http: https:",
    };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src {images}"
    );
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
                style { (PreEscaped(STYLE)) }
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

/// What a word says of an image, for its colour.
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
            @if tally.total == 0 {
                "No images."
            } @else {
                (percent(accepted, tally.total)) " of the images can be scanned"
                @if tally.pending > 0 {
                    "; " (grouped(tally.pending)) " are not done yet, which `greenlight resume` goes on with"
                }
                "."
            }
        }
    }
}

/// The decisions' parts of the whole, as wide as they are large.
fn share(tally: &Tally) -> Markup {
    html! {
        @if tally.total > 0 {
            div.share aria-hidden="true" {
                @for (name, count) in tally.decisions.sorted() {
                    span data-tone=[tone(&name)] style={ "flex: " (count) " 0 0" } {}
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
