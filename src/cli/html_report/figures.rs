//! Which plots there are, and what they say to who does not see them.

use std::error::Error;

use maud::{Markup, PreEscaped, html};

use super::{
    page::tone,
    plots::{self, Bar},
    tally::{Counts, Tally},
    words::grouped,
};

/// A plot with its title.
struct Figure {
    id: &'static str,
    title: &'static str,
    /// What the colours mean, or anything else that is to be known.
    note: Markup,
    /// What it shows, in words.
    words: String,
    svg: String,
}

type Figures = Result<Markup, Box<dyn Error>>;

/// Every plot that there is something for.
pub(super) fn all(tally: &Tally) -> Figures {
    let counted = [
        ("decisions", "Decisions", &tally.decisions),
        ("outcomes", "Outcomes", &tally.outcomes),
        ("violations", "What rejects", &tally.rejecting),
        ("warnings", "What warns", &tally.warning),
        ("formats", "Formats", &tally.formats),
    ];
    let mut figures = Vec::new();
    for (id, title, counts) in counted {
        figures.extend(of_counts(id, title, counts)?);
    }
    let at = figures.len().min(2);
    figures.splice(at..at, scenes(tally)?);
    figures.extend(sizes(tally)?);
    figures.extend(dimensions(tally)?);
    figures.extend(times(tally)?);
    figures.extend(hosts(tally)?);
    Ok(html! {
        @for figure in &figures {
            figure id={ "plot-" (figure.id) } {
                figcaption { (figure.title) (figure.note) }
                div role="img" aria-label={ (figure.title) ": " (figure.words) } {
                    (PreEscaped(&figure.svg))
                }
            }
        }
    })
}

type MaybeFigure = Result<Option<Figure>, Box<dyn Error>>;

fn of_counts(id: &'static str, title: &'static str, counts: &Counts) -> MaybeFigure {
    let counts = counts.sorted();
    let words = in_words(counts.iter().map(|(name, count)| (name.as_str(), *count)));
    let bars: Vec<_> = counts.into_iter().map(Bar::of).collect();
    of_bars(id, title, html! {}, words, &bars)
}

fn scenes(tally: &Tally) -> MaybeFigure {
    let bars: Vec<_> = tally
        .scenes
        .iter()
        .map(|(scene, counts)| Bar::stacked(scene, counts))
        .collect();
    let words: Vec<_> = tally
        .scenes
        .iter()
        .map(|(scene, counts)| {
            let counts = counts.sorted();
            let counts = counts.iter().map(|(name, count)| (name.as_str(), *count));
            format!("{scene}: {}", in_words(counts))
        })
        .collect();
    let legend = html! { small {
        @for word in ["pass", "review", "block"] {
            span.legend data-tone=[tone(word)] { (word) }
        }
    } };
    of_bars(
        "scenes",
        "Outcomes by scene",
        legend,
        words.join("; "),
        &bars,
    )
}

fn hosts(tally: &Tally) -> MaybeFigure {
    let worst = tally.worst_hosts(12);
    let hosts: Vec<_> = worst
        .into_iter()
        .map(|(name, host)| (name, host.failed))
        .collect();
    let words = in_words(hosts.iter().map(|(name, count)| (name.as_str(), *count)));
    let bars: Vec<_> = hosts.into_iter().map(Bar::of).collect();
    let note = html! { small { "images that are not accepted" } };
    of_bars("hosts", "Hosts with most failures", note, words, &bars)
}

fn of_bars(
    id: &'static str,
    title: &'static str,
    note: Markup,
    words: String,
    bars: &[Bar],
) -> MaybeFigure {
    if bars.is_empty() {
        return Ok(None);
    }
    let svg = plots::bars(bars)?;
    Ok(Some(Figure {
        id,
        title,
        note,
        words,
        svg,
    }))
}

fn sizes(tally: &Tally) -> MaybeFigure {
    let images: u64 = tally.sizes.iter().sum();
    if images == 0 {
        return Ok(None);
    }
    Ok(Some(Figure {
        id: "sizes",
        title: "File sizes",
        note: html! {},
        words: format!("of {images} images, in powers of two"),
        svg: plots::sizes(tally)?,
    }))
}

fn times(tally: &Tally) -> MaybeFigure {
    let downloads: u64 = tally.times.iter().sum();
    if downloads == 0 {
        return Ok(None);
    }
    Ok(Some(Figure {
        id: "times",
        title: "Download times",
        note: html! {},
        words: format!("of {downloads} downloads, in steps of 200 milliseconds"),
        svg: plots::times(tally)?,
    }))
}

fn dimensions(tally: &Tally) -> MaybeFigure {
    let points = tally.points.kept().len();
    if points == 0 {
        return Ok(None);
    }
    let note = html! { small {
        span.legend data-tone="good" { "accepted" }
        span.legend data-tone="bad" { "not accepted (crosses)" }
        @if tally.points.stride() > 1 { "one image in " (tally.points.stride()) }
    } };
    Ok(Some(Figure {
        id: "dimensions",
        title: "Width and height",
        note,
        words: format!("{points} images"),
        svg: plots::dimensions(tally)?,
    }))
}

fn in_words<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let counts: Vec<_> = counts
        .map(|(name, count)| format!("{name} {}", grouped(count)))
        .collect();
    counts.join(", ")
}
