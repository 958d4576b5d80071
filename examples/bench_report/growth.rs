//! The plots of growth.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::{
    page::figure,
    results::{self, Measured, Results},
    svg::{self, Axis, Plot, Series},
};

/// The files of this format are unrelated: they have no line.
const UNRELATED: &str = "worst";

pub(crate) fn figures(results: &Results, plots: &mut BTreeMap<String, Plot>) -> Markup {
    let mut all = Figures {
        results,
        plots,
        drawn: Vec::new(),
    };
    for depth in ["structure", "payload"] {
        all.time_by_size(depth);
        all.memory_by_size(depth);
    }
    all.lists();
    all.pipelines();
    html! { @for figure in all.drawn { (figure) } }
}

struct Figures<'a> {
    results: &'a Results,
    plots: &'a mut BTreeMap<String, Plot>,
    drawn: Vec<Markup>,
}

impl Figures<'_> {
    /// Draws a plot if there is a series. Its axes cover the series of `like`.
    fn draw(
        &mut self,
        [name, title, note]: [&str; 3],
        (series, like): (&[Series], &[Series]),
        axes: (Axis, Axis),
    ) {
        if !series.is_empty() {
            let plot = svg::growth(series, like, axes);
            self.drawn.push(figure(self.plots, name, title, note, plot));
        }
    }

    fn time_by_size(&mut self, depth: &str) {
        let own = |one: &Measured| one.bytes.is_some() && one.who() == "greenlight";
        let format = |one: &Measured| one.part(2).to_owned();
        let series = self.series(&[&format!("inspect/{depth}/")], own, format, by_bytes);
        let texts = [
            &*format!("growth-time-{depth}"),
            &*format!("Time against image size, {depth}"),
            if series.iter().all(|series| series.is_line) {
                "greenlight"
            } else {
                "greenlight; the worst are unrelated files, generated to be expensive"
            },
        ];
        self.draw(texts, (&series, &series), (results::size, results::time));
    }

    /// One plot for each format with equal axes, since one of all would have more lines than colors.
    fn memory_by_size(&mut self, depth: &str) {
        let prefix = format!("memory/{depth}/");
        let bytes = |one: &Measured| one.bytes.is_some();
        let who = |one: &Measured| one.who().to_owned();
        let all = self.series(&[&prefix], bytes, who_of_format, by_bytes);
        let names = all
            .iter()
            .filter_map(|series| series.name.split(' ').next());
        let formats: BTreeSet<_> = names.map(str::to_owned).collect();
        for format in formats {
            let prefix = format!("{prefix}{format}/");
            let mut series = self.series(&[&prefix], bytes, who, by_bytes);
            // The first one has the same color in each.
            series.sort_by_key(|series| series.name != "greenlight");
            let texts = [
                &*format!("growth-memory-{depth}-{format}"),
                &*format!("Peak memory against image size, {depth}, {format}"),
                "allocated at one time, without the file itself; nothing where there is no line",
            ];
            self.draw(texts, (&series, &all), (results::size, results::size));
        }
    }

    fn lists(&mut self) {
        let texts = [
            "growth-list-time",
            "Time against list length",
            "the command plan, without network, and limits",
        ];
        let series = self.series(&["list/plan/"], has_count, who_of_format, by_rate);
        self.draw(texts, (&series, &series), (results::count, results::time));
        let texts = [
            "growth-list-memory",
            "Peak memory against list length",
            "the same",
        ];
        let series = self.series(&["memory/list/"], has_count, who_of_format, by_count);
        self.draw(texts, (&series, &series), (results::count, results::size));
    }

    fn pipelines(&mut self) {
        let role = |one: &Measured| one.part(1).to_owned();
        let texts = [
            "growth-pipeline-time",
            "Time against list length, with downloads",
            "plan: header probes; scan: against the sandbox on the same cores",
        ];
        let prefixes = ["pipeline/plan/", "pipeline/scan/", "pipeline/scan-v2/"];
        let series = self.series(&prefixes, has_count, role, by_rate);
        self.draw(texts, (&series, &series), (results::count, results::time));
        let texts = [
            "growth-pipeline-memory",
            "Peak memory against list length, with downloads",
            "the same",
        ];
        let prefixes = ["memory/plan/", "memory/scan/", "memory/scan-v2/"];
        let series = self.series(&prefixes, has_count, role, by_count);
        self.draw(texts, (&series, &series), (results::count, results::size));
    }

    /// The measurements that begin so, by name. One point is no series.
    fn series(
        &self,
        prefixes: &[&str],
        is_in: impl Fn(&Measured) -> bool,
        name: impl Fn(&Measured) -> String,
        point: impl Fn(&Measured) -> Option<(f64, f64)>,
    ) -> Vec<Series> {
        let mut all: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for one in self.results.all.values() {
            let is_named = prefixes.iter().any(|prefix| one.name.starts_with(prefix));
            if is_named
                && is_in(one)
                && let Some(point) = point(one)
                && point.1 > 0.0
            {
                all.entry(name(one)).or_default().push(point);
            }
        }
        let series = all.into_iter().filter(|(_, points)| points.len() > 1);
        let series = series.map(|(name, mut points)| {
            points.sort_by(|one, other| one.0.total_cmp(&other.0));
            Series {
                is_line: name != UNRELATED,
                name,
                points,
            }
        });
        series.collect()
    }
}

fn who_of_format(one: &Measured) -> String {
    format!("{} {}", one.part(2), one.who())
}

fn has_count(one: &Measured) -> bool {
    one.part(3).parse::<f64>().is_ok()
}

fn by_bytes(one: &Measured) -> Option<(f64, f64)> {
    Some((one.bytes?, one.value))
}

fn by_count(one: &Measured) -> Option<(f64, f64)> {
    Some((one.part(3).parse().ok()?, one.value))
}

/// A rate becomes the time of the whole list.
fn by_rate(one: &Measured) -> Option<(f64, f64)> {
    let count: f64 = one.part(3).parse().ok()?;
    Some((count, count / one.value * 1e9))
}
