//! The figures: each a plot with a title, and its numbers as a table.

use std::ops::Range;

use maud::{Markup, html};

use super::{
    counts::{Counts, Histogram, Host},
    plots::{self, Axis},
    tally::Tally,
    words::{grouped, percent, tone},
};

/// Bars that are drawn; the numbers of the others are listed.
const BARS: usize = 12;

/// All figures that have data, in two stacks.
pub(super) fn all(tally: &Tally) -> Markup {
    html! {
        section.plots aria-label="Plots" {
            div {
                (of_counts("decisions", "Decisions", "decision", &tally.decisions, None))
                (of_counts("outcomes", "Outcomes", "outcome", &tally.outcomes, None))
                (scenes(tally))
                (of_counts("violations", "Rejecting codes", "code", &tally.rejecting, Some(tally.checked)))
                (of_counts("warnings", "Warning codes", "code", &tally.warning, Some(tally.checked)))
                (of_counts("formats", "Formats", "format", &tally.formats, None))
            }
            div {
                (histogram("sizes", "File sizes", "images by size", &tally.sizes))
                (dimensions(tally))
                (histogram("times", "Download times", "downloads by duration in milliseconds", &tally.times))
                (hosts(tally))
            }
        }
    }
}

fn figure(id: &str, title: &str, note: &Markup, content: &Markup) -> Markup {
    html! {
        figure id={ "plot-" (id) } aria-labelledby={ "title-" (id) } {
            figcaption { span id={ "title-" (id) } { (title) } small { (note) } }
            (content)
        }
    }
}

/// A drawing and its numbers, which are shown on request.
fn drawing(words: &str, plot: &Markup, table: &Markup) -> Markup {
    html! {
        div.plot role="img" aria-label=(words) { (plot) }
        (details(&format!("Numbers of {words}"), "Table", table))
    }
}

fn details(name: &str, summary: &str, table: &Markup) -> Markup {
    html! {
        details {
            summary { (summary) }
            div.numbers tabindex="0" role="region" aria-label=(name) { (table) }
        }
    }
}

/// A row of a table of bars. The roles are explicit, because the style changes the layout of a table
/// where it is narrow.
fn bar_row(name: &str, bar: &Markup, numbers: &[String]) -> Markup {
    html! {
        tr role="row" {
            th role="rowheader" scope="row" { (breakable(name)) }
            td.bars role="cell" { (bar) }
            @for number in numbers { td.number role="cell" { (number) } }
        }
    }
}

/// Bars in a table, which is the plot and its numbers in one. The first rows are drawn, the others
/// are shown on request.
fn bar_table(title: &str, columns: &[&str], rows: &[Markup]) -> Markup {
    let table = |rows: &[Markup]| {
        html! {
            table.bars role="table" aria-label=(title) {
                thead role="rowgroup" { tr role="row" {
                    @for (at, column) in columns.iter().enumerate() {
                        @if at == 1 { td.bars role="cell" {} }
                        th.number[at > 0] role="columnheader" scope="col" { (column) }
                    }
                } }
                tbody role="rowgroup" { @for row in rows { (row) } }
            }
        }
    };
    let (drawn, others) = rows.split_at(rows.len().min(BARS));
    html! {
        (table(drawn))
        @if !others.is_empty() {
            (details(&format!("{title}, continued"), &format!("{} more", others.len()), &table(others)))
        }
    }
}

/// Counts by name, with the share of `all`, or of their sum.
fn of_counts(id: &str, title: &str, name: &str, counts: &Counts, all: Option<u64>) -> Markup {
    let counts = counts.sorted();
    let share = if all.is_some() { "of checked" } else { "share" };
    let all = all.unwrap_or_else(|| counts.iter().map(|(_, count)| *count).sum());
    let most = counts.first().map_or(0, |(_, count)| *count);
    let row = |(name, count): &(String, u64)| {
        let bar = plots::bar(&[(*count, name)], most);
        bar_row(name, &bar, &[grouped(*count), percent(*count, all)])
    };
    let rows: Vec<_> = counts.iter().map(row).collect();
    html! {
        @if !rows.is_empty() {
            (figure(id, title, &html! {}, &bar_table(title, &[name, "images", share], &rows)))
        }
    }
}

fn scenes(tally: &Tally) -> Markup {
    const SUGGESTIONS: [&str; 3] = ["pass", "review", "block"];
    let legend = html! {
        @for word in SUGGESTIONS { span.legend data-tone=[tone(word)] { (word) } }
        span.legend { "other" }
    };
    let row = |(scene, counts): (&String, &Counts)| {
        let all: u64 = counts.sorted().iter().map(|(_, count)| *count).sum();
        let known = SUGGESTIONS.map(|word| (counts.get(word), word));
        let other = all - known.iter().map(|(count, _)| *count).sum::<u64>();
        let parts = [&known[..], &[(other, "not-submitted")]].concat();
        let numbers: Vec<_> = parts.iter().map(|(count, _)| grouped(*count)).collect();
        bar_row(scene, &plots::bar(&parts, all), &numbers)
    };
    let rows: Vec<_> = tally.scenes.iter().map(row).collect();
    let title = "Outcomes by scene";
    let columns = ["scene", "pass", "review", "block", "other"];
    html! {
        @if !rows.is_empty() {
            (figure("scenes", title, &legend, &bar_table(title, &columns, &rows)))
        }
    }
}

fn histogram(id: &str, title: &str, note: &str, histogram: &Histogram) -> Markup {
    let counts = histogram.counts();
    let all: u64 = counts.iter().sum();
    let shown = inner(counts);
    let columns: Vec<_> = (shown.clone().map(|at| histogram.label(at)))
        .zip(counts.get(shown).unwrap_or_default().iter().copied())
        .collect();
    let outside = all - columns.iter().map(|(_, count)| *count).sum::<u64>();
    let words = format!("{title}: {} {note}", grouped(all));
    let table = html! { table {
        thead { tr { th scope="col" { "from" } th.number scope="col" { "count" } th.number scope="col" { "share" } } }
        tbody { @for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            tr {
                th scope="row" { (histogram.label(at)) }
                td.number { (grouped(*count)) }
                td.number { (percent(*count, all)) }
            }
        } }
    } };
    html! {
        @if all > 0 {
            (figure(id, title, &html! { (note) (left_out(outside, all)) },
                &drawing(&words, &plots::columns(&columns), &table)))
        }
    }
}

/// The steps without the outermost 1 % of the counts, half of them at each end.
fn inner(counts: &[u64]) -> Range<usize> {
    let margin = counts.iter().sum::<u64>() / 200;
    let within = |counts: &mut dyn Iterator<Item = &u64>| {
        let mut sum = 0_u64;
        let outer = counts.take_while(|count| {
            sum += **count;
            sum <= margin
        });
        outer.count()
    };
    let last = counts.len() - within(&mut counts.iter().rev());
    within(&mut counts.iter()).min(last)..last
}

/// What an axis leaves out.
fn left_out(outside: u64, all: u64) -> Markup {
    html! {
        @if outside > 0 {
            "; the axis leaves out the outermost " (grouped(outside)) " of " (grouped(all)) " (at most 1 %)"
        }
    }
}

fn dimensions(tally: &Tally) -> Markup {
    let points = tally.points.kept();
    let width = Axis::of(points.iter().map(|point| point.0));
    let height = Axis::of(points.iter().map(|point| point.1));
    let is_outside =
        |point: &&(u32, u32, bool)| width.at(point.0).is_none() || height.at(point.1).is_none();
    let outside = points.iter().filter(is_outside).count();
    let note = html! {
        span.legend data-tone="good" { "accepted" }
        span.legend data-tone="bad" { "not accepted (crosses)" }
        @if tally.points.stride() > 1 { "one image in " (tally.points.stride()) "; " }
        @if outside > 0 {
            "the axes leave out " (outside) " of " (points.len()) " points, the outermost 1 % of each side"
        }
    };
    let table = html! { table {
        thead { tr {
            th scope="col" { "pixels" }
            @for name in ["smallest", "1 %", "median", "99 %", "largest"] { th.number scope="col" { (name) } }
        } }
        tbody {
            @for (is_accepted, state) in [(true, "accepted"), (false, "not accepted")] {
                (quantiles(&format!("width, {state}"), points.iter().filter(|point| point.2 == is_accepted).map(|point| point.0)))
                (quantiles(&format!("height, {state}"), points.iter().filter(|point| point.2 == is_accepted).map(|point| point.1)))
            }
        }
    } };
    let words = format!("Width and height of {} images in pixels", points.len());
    let plot = html! {
        (plots::scatter(points, width, height))
        p.axes { "height by width, pixels, logarithmic" }
    };
    html! {
        @if !points.is_empty() {
            (figure("dimensions", "Width and height", &note, &drawing(&words, &plot, &table)))
        }
    }
}

fn quantiles(name: &str, sides: impl Iterator<Item = u32>) -> Markup {
    let mut sides: Vec<_> = sides.collect();
    sides.sort_unstable();
    let at = |percent: usize| sides.get((sides.len().max(1) - 1) * percent / 100).copied();
    html! {
        @if !sides.is_empty() {
            tr {
                th scope="row" { (name) }
                @for side in [0, 1, 50, 99, 100].map(at) {
                    td.number { (side.map(|side| grouped(side.into())).unwrap_or_default()) }
                }
            }
        }
    }
}

fn hosts(tally: &Tally) -> Markup {
    let worst = tally.worst_hosts(200);
    let most = worst.first().map_or(0, |(_, host)| host.failed);
    let note = html! {
        "images that are not accepted, and their share of the host's images"
        @if tally.other_hosts > 0 {
            "; " (grouped(tally.other_hosts)) " images on further hosts are not counted"
        }
    };
    let row = |(name, host): &(String, Host)| {
        let bar = plots::bar(&[(host.failed, "")], most);
        let numbers = [grouped(host.failed), percent(host.failed, host.total)];
        bar_row(name, &bar, &numbers)
    };
    let rows: Vec<_> = worst.iter().map(row).collect();
    let title = "Hosts with most failures";
    html! {
        @if !rows.is_empty() {
            (figure("hosts", title, &note, &bar_table(title, &["host", "failed", "share"], &rows)))
        }
    }
}

/// A name that may be wrapped after its separators.
fn breakable(name: &str) -> Markup {
    html! { @for part in name.split_inclusive(['/', '.']) { (part) wbr; } }
}
