//! The report's plots. Their shapes are SVG in percent of the space that the page gives them, so
//! their text keeps its size at any width; the names and numbers of bars are cells of a table.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{
    entry::NOT_CHECKED,
    words::{compact, tone},
};

/// A horizontal bar of parts, each a count and the name that it is colored by. A bar of `most` fills
/// the space.
pub(super) fn bar(parts: &[(u64, &str)], most: u64) -> Markup {
    let mut before = 0;
    let placed = parts.iter().map(|(count, name)| {
        let at = before;
        before += count;
        (at, *count, color(name))
    });
    html! {
        // The same numbers are on the page as text, for screen readers.
        svg.bar aria-hidden="true" {
            @for (at, count, color) in placed {
                rect x=(share(at, most)) width=(share(count, most)) height="100%" data-tone=(color) {}
            }
        }
    }
}

/// The color of a name: the same meaning has the same color everywhere.
fn color(name: &str) -> &'static str {
    match name {
        "not-submitted" | NOT_CHECKED => "faint",
        name => tone(name).unwrap_or("plain"),
    }
}

/// Columns of equal width, labeled with the value that each begins at.
pub(super) fn columns(counts: &[(String, u64)]) -> Markup {
    let most = counts.iter().map(|(_, count)| *count).max();
    let (step, lines) = scale(most.unwrap_or_default());
    let top = step * lines;
    let placed = || (0_u64..).zip(counts);
    let all = placed().count().try_into().unwrap_or(u64::MAX);
    // About eight labels, and every other one of them where the page is narrow.
    let label_every = all.div_ceil(8).max(1);
    html! {
        svg.chart aria-hidden="true" {
            @for line in 0..=lines {
                (level(&share(lines - line, lines), &compact(line * step), false))
            }
            @for (at, (_, count)) in placed() {
                rect.column x=(share(at, all)) y=(share(top - count, top))
                    width=(share(1, all)) height=(share(*count, top)) {}
            }
            @for (at, (label, _)) in placed().filter(|(at, _)| at.is_multiple_of(label_every)) {
                (mark(&share(at, all), label, !at.is_multiple_of(2 * label_every)))
            }
        }
    }
}

/// Widths and heights on logarithmic axes. Images that are not accepted are drawn on top, because
/// they are fewer and what a reader looks for.
pub(super) fn scatter(points: &[(u32, u32, bool)], width: Axis, height: Axis) -> Markup {
    // Points that would cover each other are drawn once.
    let places = |is_accepted| -> BTreeSet<(String, String)> {
        let points = points.iter().filter(|point| point.2 == is_accepted);
        let places = points.filter_map(|(x, y, _)| Some((width.at(*x)?, height.at(*y)?)));
        places
            .map(|(x, y)| (percent(x), percent(1.0 - y)))
            .collect()
    };
    html! {
        svg.chart.scatter aria-hidden="true" {
            defs { path #cross d="M-3-3L3 3M3-3L-3 3" {} }
            @for (at, side, is_wide) in height.ticks() {
                (level(&percent(1.0 - at), &compact(side.into()), is_wide))
            }
            @for (at, side, is_wide) in width.ticks() {
                (mark(&percent(at), &compact(side.into()), is_wide))
            }
            @for (x, y) in places(true) { circle cx=(x) cy=(y) r="2" {} }
            @for (x, y) in places(false) { use href="#cross" x=(x) y=(y) {} }
        }
    }
}

/// A logarithmic axis of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis without the outermost 1 % of the sides, half of them at each end.
    pub(super) fn of(sides: impl Iterator<Item = u32>) -> Self {
        let mut sides: Vec<_> = sides.collect();
        sides.sort_unstable();
        let margin = sides.len() / 200;
        let inner = sides.get(margin..sides.len() - margin).unwrap_or_default();
        let log = |side: Option<&u32>| f64::from(side.map_or(1, |side| *side).max(1)).log2();
        let (from, to) = (log(inner.first()), log(inner.last()));
        // At least a factor of four, which holds a tick, and some space around the points.
        let space = f64::max((2.0 - (to - from)) / 2.0, 0.15);
        Self {
            from: from - space,
            to: to + space,
        }
    }

    /// Where a side is, from 0 to 1, unless it is not on the axis.
    pub(super) fn at(&self, side: u32) -> Option<f64> {
        let at = (f64::from(side.max(1)).log2() - self.from) / (self.to - self.from);
        (0.0..=1.0).contains(&at).then_some(at)
    }

    /// Ones, fives and twos of each power of ten, as far as their labels do not overlap, and whether
    /// they need a wide page for that.
    fn ticks(&self) -> Vec<(f64, u32, bool)> {
        let mut ticks: Vec<(f64, u32, bool)> = Vec::new();
        for first in [1, 5, 2] {
            let sides = (0..=9).filter_map(|power| 10_u32.pow(power).checked_mul(first));
            for (side, at) in sides.filter_map(|side| Some((side, self.at(side)?))) {
                let is_free = |room: f64, with_wide: bool| {
                    let mut others = ticks.iter().filter(|tick| with_wide || !tick.2);
                    others.all(|tick| (tick.0 - at).abs() >= room)
                };
                if is_free(0.09, true) {
                    let is_wide = !is_free(0.2, false);
                    ticks.push((at, side, is_wide));
                }
            }
        }
        ticks
    }
}

/// A horizontal line with its label at the left.
fn level(y: &str, label: &str, is_wide: bool) -> Markup {
    html! {
        line.wide[is_wide] x1="0" x2="100%" y1=(y) y2=(y) {}
        text.level.wide[is_wide] x="0" y=(y) dx="-8" dy="4" { (label) }
    }
}

/// A label below the plot.
fn mark(x: &str, label: &str, is_wide: bool) -> Markup {
    html! {
        text.mark.wide[is_wide] x=(x) y="100%" dy="18" { (label) }
    }
}

/// At most four equal steps of 1, 2 or 5 times a power of ten, up to `most` or more: the step, and
/// how many there are.
fn scale(most: u64) -> (u64, u64) {
    let powers = (0..19).map(|power| 10_u64.pow(power));
    let mut steps = powers.flat_map(|power| [1, 2, 5].map(|first| power.saturating_mul(first)));
    let step = steps.find(|step| most.div_ceil(*step) <= 4);
    let step = step.unwrap_or(u64::MAX);
    (step, most.div_ceil(step).max(1))
}

fn percent(part: f64) -> String {
    format!("{:.1}%", part * 100.0)
}

/// A part of a whole, as the value of an attribute.
fn share(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}
