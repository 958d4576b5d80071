//! The report's page: one file that needs nothing else.

use std::error::Error;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{entry::Listed, plots, tally::Tally};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

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
        Thumbnails::Hidden => "'none'",
        Thumbnails::Blurred => "http: https:",
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
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "greenlight report" }
                    (tiles(tally))
                }
                main {
                    (unreadable(tally))
                    section.plots aria-label="Plots" { (figures(tally)?) }
                    (hosts(tally))
                    (lines(tally, thumbnails))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

fn tiles(tally: &Tally) -> Markup {
    let tile = |name: &str, value: String| html! { div.tile { dd { (value) } dt { (name) } } };
    html! {
        dl.tiles {
            (tile("images", tally.total.to_string()))
            (tile("accepted", tally.decisions.get("accept").to_string()))
            (tile("rejected", tally.decisions.get("reject").to_string()))
            (tile("not decidable", tally.decisions.get("inconclusive").to_string()))
            @if !tally.outcomes.is_empty() {
                (tile("passed", tally.outcomes.get("pass").to_string()))
                (tile("to review", tally.outcomes.get("review").to_string()))
                (tile("blocked", tally.outcomes.get("block").to_string()))
            }
            (tile("bytes in all", bytes_in_words(tally.bytes)))
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

fn figures(tally: &Tally) -> Result<Markup, Box<dyn Error>> {
    let worst = tally.worst_hosts(12);
    let hosts: Vec<_> = worst
        .iter()
        .map(|(name, host)| (name.clone(), host.failed))
        .collect();
    let scenes: Vec<_> = tally
        .scenes
        .iter()
        .flat_map(|(scene, counts)| {
            counts
                .sorted()
                .into_iter()
                .map(move |(name, count)| (format!("{scene} {name}"), count))
        })
        .collect();
    let thinned = match tally.points.stride() {
        1 => "Width and height in pixels".to_owned(),
        stride => format!("Width and height in pixels, one image in {stride}"),
    };
    let figures = [
        (
            "decisions",
            "Decisions",
            !tally.decisions.is_empty(),
            plots::bars(&tally.decisions.sorted())?,
        ),
        (
            "outcomes",
            "Outcomes",
            !tally.outcomes.is_empty(),
            plots::bars(&tally.outcomes.sorted())?,
        ),
        (
            "scenes",
            "Outcomes by scene",
            !scenes.is_empty(),
            plots::bars(&scenes)?,
        ),
        (
            "violations",
            "What rejects",
            !tally.rejecting.is_empty(),
            plots::bars(&tally.rejecting.sorted())?,
        ),
        (
            "warnings",
            "What warns",
            !tally.warning.is_empty(),
            plots::bars(&tally.warning.sorted())?,
        ),
        (
            "formats",
            "Formats",
            !tally.formats.is_empty(),
            plots::bars(&tally.formats.sorted())?,
        ),
        (
            "sizes",
            "File sizes",
            tally.sizes.iter().any(|count| *count > 0),
            plots::sizes(tally)?,
        ),
        (
            "dimensions",
            thinned.as_str(),
            !tally.points.kept().is_empty(),
            plots::dimensions(tally)?,
        ),
        (
            "times",
            "Download times",
            tally.times.iter().any(|count| *count > 0),
            plots::times(tally)?,
        ),
        (
            "hosts",
            "Hosts with most failures",
            !hosts.is_empty(),
            plots::bars(&hosts)?,
        ),
    ];
    Ok(html! {
        @for (id, title, shown, svg) in &figures {
            @if *shown {
                figure id={ "plot-" (id) } {
                    figcaption { (title) }
                    div role="img" aria-label=(title) { (PreEscaped(svg)) }
                }
            }
        }
    })
}

fn hosts(tally: &Tally) -> Markup {
    let hosts = tally.worst_hosts(200);
    html! {
        @if !hosts.is_empty() {
            section {
                h2 { "Hosts with failures" }
                @if tally.other_hosts > 0 {
                    p { (tally.other_hosts) " images lie on further hosts, which were not told apart." }
                }
                table data-sortable {
                    thead { tr { (heading("host")) (heading("failed")) (heading("images")) } }
                    tbody {
                        @for (name, host) in &hosts {
                            tr { td { (name) } td.number { (host.failed) } td.number { (host.total) } }
                        }
                    }
                }
            }
        }
    }
}

fn lines(tally: &Tally, thumbnails: Thumbnails) -> Markup {
    let shown = tally.listed.len();
    html! {
        section {
            h2 { "Images to look at" }
            @if tally.listed.is_empty() {
                p { "None: every image was accepted, and passed where it was submitted." }
            } @else {
                p {
                    "Rejected, not decidable or not passed: " (tally.not_fine) ". "
                    @if u64::try_from(shown).is_ok_and(|shown| shown < tally.not_fine) {
                        "The first " (shown) " are listed."
                    }
                }
                p.filters {
                    label { "Filter " input #filter type="search" placeholder="text in any column"; }
                    label { "Decision "
                        select #decision {
                            option value="" { "all" }
                            @for (name, _) in tally.decisions.sorted() { option { (name) } }
                        }
                    }
                    output #shown aria-live="polite" { (shown) " shown" }
                }
                table #lines data-sortable {
                    thead { tr {
                        @if thumbnails == Thumbnails::Blurred { th { "image" } }
                        @for name in ["source", "decision", "outcome", "format", "width", "height", "bytes", "codes", "reason"] {
                            (heading(name))
                        }
                    } }
                    tbody { @for entry in &tally.listed { (line(entry, thumbnails)) } }
                }
            }
        }
    }
}

fn line(entry: &Listed, thumbnails: Thumbnails) -> Markup {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    html! {
        tr data-decision=(entry.decision) {
            @if thumbnails == Thumbnails::Blurred {
                td {
                    @if let Some(url) = entry.url() {
                        button.thumbnail type="button" aria-label="show the image" {
                            img src=(url) alt="" loading="lazy" width="96" height="96";
                        }
                    }
                }
            }
            td.source { (entry.source) }
            td { span.decision data-is=(entry.decision) { (entry.decision) } }
            td { (entry.outcome) }
            td { (entry.format) }
            td.number { (number(entry.width.map(u64::from))) }
            td.number { (number(entry.height.map(u64::from))) }
            td.number { (number(entry.bytes)) }
            td { (entry.codes) }
            td { (entry.reason) }
        }
    }
}

fn heading(name: &str) -> Markup {
    let number = matches!(name, "failed" | "images" | "width" | "height" | "bytes");
    html! { th.number[number] scope="col" { button.sort type="button" { (name) } } }
}

/// A number of bytes in decimal units, with one digit after the point.
fn bytes_in_words(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < units.len() {
        tenths /= 1_000;
        unit += 1;
    }
    format!(
        "{}.{} {}",
        tenths / 10,
        tenths % 10,
        units.get(unit).unwrap_or(&"B")
    )
}
