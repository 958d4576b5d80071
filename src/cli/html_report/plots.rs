//! The report's plots, each a self-contained SVG.

use std::error::Error;

use plotters::{
    coord::ranged1d::SegmentValue,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::tally::{TIME_STEP_MS, Tally, size_label};

/// A plot, or why it could not be drawn.
type Drawn = Result<String, Box<dyn Error>>;

const ACCEPT: RGBColor = RGBColor(22, 128, 92);
const REJECT: RGBColor = RGBColor(190, 50, 60);
const REVIEW: RGBColor = RGBColor(200, 130, 20);
const PLAIN: RGBColor = RGBColor(58, 96, 160);
const INK: RGBColor = RGBColor(40, 44, 52);

/// Horizontal bars, one for each name, in the order given.
pub(super) fn bars(items: &[(String, u64)]) -> Drawn {
    let width = 560;
    let height = 40 + 26 * u32::try_from(items.len().max(1))?;
    let most = items
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or_default()
        .max(1);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(70)
            .x_label_area_size(20)
            .y_label_area_size(190)
            .build_cartesian_2d(0..most, (0..items.len()).into_segmented())?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(index) => row(items, *index).map(short).unwrap_or_default(),
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_labels(4)
            .y_labels(items.len())
            .y_label_formatter(&name)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .draw()?;
        let value = TextStyle::from(("sans-serif", 12).into_font())
            .color(&INK)
            .pos(Pos::new(HPos::Left, VPos::Center));
        for index in 0..items.len() {
            let Some((name, count)) = items
                .len()
                .checked_sub(index + 1)
                .and_then(|at| items.get(at))
            else {
                continue;
            };
            let area = [
                (0, SegmentValue::Exact(index)),
                (*count, SegmentValue::Exact(index + 1)),
            ];
            let mut bar = Rectangle::new(area, colour(name).filled());
            bar.set_margin(3, 3, 0, 0);
            chart.draw_series([bar])?;
            let label = Text::new(
                format!(" {count}"),
                (*count, SegmentValue::CenterOf(index)),
                value.clone(),
            );
            chart.draw_series([label])?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// The name of the bar at `index`, counted from below.
fn row(items: &[(String, u64)], index: usize) -> Option<&str> {
    let at = items.len().checked_sub(index + 1)?;
    items.get(at).map(|(name, _)| name.as_str())
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

fn columns(counts: &[u64], unit: &str, label: &dyn Fn(usize) -> String) -> Drawn {
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (560, 260)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d((0..counts.len()).into_segmented(), 0..most)?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(step) => label(*step),
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(counts.len())
            .y_labels(5)
            .x_label_formatter(&name)
            .x_desc(unit)
            .label_style(("sans-serif", 12).into_font().color(&INK))
            .draw()?;
        for (step, count) in counts.iter().enumerate() {
            let area = [
                (SegmentValue::Exact(step), 0),
                (SegmentValue::Exact(step + 1), *count),
            ];
            let mut column = Rectangle::new(area, PLAIN.filled());
            column.set_margin(0, 0, 2, 2);
            chart.draw_series([column])?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// Width against height on logarithmic axes, accepted and not told apart by shape and colour.
pub(super) fn dimensions(tally: &Tally) -> Drawn {
    let points = tally.points.kept();
    let longest = points
        .iter()
        .map(|(width, height, _)| *width.max(height))
        .max()
        .unwrap_or(1);
    let axis = 1_u32..longest.saturating_mul(2).max(1_000);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (560, 320)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(axis.clone().log_scale(), axis.log_scale())?;
        chart
            .configure_mesh()
            .x_desc("width, pixels")
            .y_desc("height, pixels")
            .label_style(("sans-serif", 12).into_font().color(&INK))
            .draw()?;
        for (width, height, accepted) in points {
            let at = ((*width).max(1), (*height).max(1));
            if *accepted {
                chart.draw_series([Circle::new(at, 2, ACCEPT.mix(0.6).filled())])?;
            } else {
                chart.draw_series([Cross::new(at, 3, REJECT.mix(0.7))])?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}

/// A name's colour: the same meaning has the same one everywhere.
fn colour(name: &str) -> RGBColor {
    match name.rsplit(' ').next().unwrap_or(name) {
        "accept" | "pass" => ACCEPT,
        "reject" | "block" => REJECT,
        "inconclusive" | "review" | "undecided" => REVIEW,
        _ => PLAIN,
    }
}

fn short(name: &str) -> String {
    let mut chars = name.chars();
    let mut short: String = chars.by_ref().take(27).collect();
    if chars.next().is_some() {
        short.push('\u{2026}');
    }
    short
}
