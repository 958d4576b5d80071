//! The report's plots, each a self-contained SVG. The page's style gives the colours that are named
//! here others in the dark.

use std::error::Error;

use plotters::{
    coord::ranged1d::SegmentValue,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    tally::{Counts, TIME_STEP_MS, Tally, size_label},
    words::{grouped, percent, short},
};

/// A plot, or why it could not be drawn.
type Drawn = Result<String, Box<dyn Error>>;

const ACCEPT: RGBColor = RGBColor(0x16, 0x80, 0x5C);
const REJECT: RGBColor = RGBColor(0xBE, 0x32, 0x3C);
const REVIEW: RGBColor = RGBColor(0xC8, 0x82, 0x14);
const PLAIN: RGBColor = RGBColor(0x3A, 0x60, 0xA0);
const FAINT: RGBColor = RGBColor(0x9A, 0xA3, 0xB2);
const INK: RGBColor = RGBColor(0x28, 0x2C, 0x34);

const WIDTH: u32 = 560;
/// Where bars begin, and how long the longest is; its number follows.
const BARS_FROM: i32 = 190;
const LONGEST_BAR: u64 = 290;
const ROW: i32 = 28;

/// A bar of one or more parts.
pub(super) struct Bar {
    pub(super) name: String,
    parts: Vec<(u64, RGBColor)>,
    /// How much of it is good, if there are parts that are not.
    good: Option<u64>,
}

impl Bar {
    /// A bar in its name's colour, or that of anything.
    pub(super) fn of((name, count): (String, u64)) -> Self {
        let parts = vec![(count, colour(&name))];
        Self {
            name,
            parts,
            good: None,
        }
    }

    /// A bar of names that differ in color.
    pub(super) fn stacked(name: &str, counts: &Counts) -> Self {
        let mut parts = counts.sorted();
        let order = ["pass", "accept", "review", "block"];
        parts.sort_by_key(|(part, _)| order.iter().position(|known| known == part));
        Self {
            name: name.to_owned(),
            parts: parts
                .into_iter()
                .map(|(part, count)| (count, colour(&part)))
                .collect(),
            good: Some(counts.get("pass")),
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.parts.iter().map(|(count, _)| *count).sum()
    }

    /// What is written behind it.
    fn value(&self) -> String {
        match self.good {
            Some(good) => format!("{} pass", percent(good, self.total())),
            None => grouped(self.total()),
        }
    }
}

/// Horizontal bars, in the order given.
pub(super) fn bars(bars: &[Bar]) -> Drawn {
    let rows = i32::try_from(bars.len().max(1))?;
    let height = u32::try_from(rows * ROW + 8)?;
    let most = bars.iter().map(Bar::total).max().unwrap_or_default().max(1);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let text = |side| {
            TextStyle::from(("sans-serif", 14).into_font())
                .color(&INK)
                .pos(Pos::new(side, VPos::Center))
        };
        for (row, bar) in (0..).zip(bars) {
            let (top, middle) = (row * ROW + 8, row * ROW + 4 + ROW / 2);
            let name = short(&bar.name, 26);
            root.draw(&Text::new(
                name,
                (BARS_FROM - 10, middle),
                text(HPos::Right),
            ))?;
            let mut before = 0_u64;
            let mut right = BARS_FROM;
            for (count, colour) in &bar.parts {
                let left = right;
                before = before.saturating_add(*count);
                right = BARS_FROM + length(before, most)?;
                if right > left {
                    let area = [(left, top), (right, top + ROW - 8)];
                    root.draw(&Rectangle::new(area, colour.filled()))?;
                }
            }
            let value = bar.value();
            root.draw(&Text::new(value, (right + 6, middle), text(HPos::Left)))?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// A count's length in pixels; what is there can be seen.
fn length(count: u64, most: u64) -> Result<i32, Box<dyn Error>> {
    let pixels = u128::from(count) * u128::from(LONGEST_BAR) / u128::from(most);
    let pixels = i32::try_from(pixels)?;
    Ok(if count > 0 { pixels.max(2) } else { 0 })
}

/// File sizes, in powers of two.
pub(super) fn sizes(tally: &Tally) -> Drawn {
    columns(&tally.sizes, "bytes, from", &size_label)
}

/// Download times, in equal steps.
pub(super) fn times(tally: &Tally) -> Drawn {
    columns(&tally.times, "milliseconds, from", &|step| {
        (u64::try_from(step).unwrap_or_default() * TIME_STEP_MS).to_string()
    })
}

/// Vertical columns, from the first to the last that is not empty.
fn columns(counts: &[u64], unit: &str, label: &dyn Fn(usize) -> String) -> Drawn {
    let is_used = |count: &u64| *count > 0;
    let first = counts.iter().position(is_used).unwrap_or_default();
    let last = counts.iter().rposition(is_used).unwrap_or_default();
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 260)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d((first..last).into_segmented(), 0..most)?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(step) => label(*step),
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(FAINT.mix(0.35))
            .light_line_style(TRANSPARENT)
            .axis_style(FAINT)
            .set_all_tick_mark_size(4)
            .x_labels(last - first + 1)
            .y_labels(5)
            .x_label_formatter(&name)
            .y_label_formatter(&|count| grouped(*count))
            .x_desc(unit)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .draw()?;
        for (step, count) in counts.iter().enumerate().take(last + 1).skip(first) {
            let next = if step == last {
                SegmentValue::Last
            } else {
                SegmentValue::Exact(step + 1)
            };
            let area = [(SegmentValue::Exact(step), 0), (next, *count)];
            let mut column = Rectangle::new(area, PLAIN.filled());
            column.set_margin(0, 0, 2, 2);
            chart.draw_series([column])?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// Width against height on logarithmic axes, accepted and other images distinguished by shape and color.
pub(super) fn dimensions(tally: &Tally) -> Drawn {
    let points = tally.points.kept();
    let sides = || {
        points
            .iter()
            .flat_map(|(width, height, _)| [*width, *height])
    };
    let from = decade_below(sides().min().unwrap_or(1));
    let to = sides().max().unwrap_or(1).max(from.saturating_mul(20));
    let axis = from..to.saturating_add(to / 4);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 340)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(32)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(axis.clone().log_scale(), axis.log_scale())?;
        chart
            .configure_mesh()
            .bold_line_style(FAINT.mix(0.2))
            .light_line_style(TRANSPARENT)
            .axis_style(FAINT)
            .x_desc("width, pixels")
            .y_desc("height, pixels")
            .x_label_formatter(&|side| side_label(*side))
            .y_label_formatter(&|side| side_label(*side))
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .draw()?;
        // What is not accepted on top, because it is less and what is looked for.
        let (accepted, others): (Vec<_>, Vec<_>) = points.iter().partition(|point| point.2);
        let at = |(width, height, _): &(u32, u32, bool)| ((*width).max(1), (*height).max(1));
        let accepted = accepted.into_iter().map(at);
        chart.draw_series(accepted.map(|at| Circle::new(at, 2, ACCEPT.mix(0.5).filled())))?;
        let others = others.into_iter().map(at);
        chart.draw_series(others.map(|at| Cross::new(at, 3, REJECT.mix(0.9))))?;
        root.present()?;
    }
    Ok(svg)
}

/// Returns the label of a length on a logarithmic axis: for ones, twos and fives, because others would
/// overlap.
fn side_label(side: u32) -> String {
    let decade = decade_below(side);
    let is_labelled = side.is_multiple_of(decade) && matches!(side / decade, 1 | 2 | 5);
    if is_labelled {
        grouped(u64::from(side))
    } else {
        String::new()
    }
}

/// The power of ten that is not larger.
fn decade_below(side: u32) -> u32 {
    10_u32.pow(side.max(1).ilog10())
}

/// A name's colour: the same meaning has the same one everywhere.
fn colour(name: &str) -> RGBColor {
    match name {
        "accept" | "pass" => ACCEPT,
        "reject" | "block" => REJECT,
        "inconclusive" | "review" | "undecided" => REVIEW,
        "not-submitted" | "not checked yet" => FAINT,
        _ => PLAIN,
    }
}
