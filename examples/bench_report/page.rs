//! The page, and which plots it has.

use std::collections::{BTreeMap, BTreeSet};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    growth,
    results::{Measured, Results, ratio},
    svg::{self, Bar, Plot},
};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2129;--ground:#f4f5f8;--card:#fff;--line:#dde1e8;--soft:#586172;--good:#16805c;--bad:#be323c}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--ground:#12141a;--card:#1b1e26;--line:#323846;--soft:#a3acbb;--good:#46c394;--bad:#ff7d86}}\
*{box-sizing:border-box}body{margin:0 auto;padding:clamp(.75rem,3vw,2.5rem);max-width:80rem;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
h1{margin:0;font-size:1.7rem}h2{margin:2.5rem 0 .5rem;font-size:1.2rem}p{margin:.25rem 0 1rem;max-width:50rem}a{color:inherit}\
.soft,figcaption small{color:var(--soft)}.plots{display:grid;grid-template-columns:1fr;gap:1rem}.plots>*{min-width:0}\
@media(min-width:64rem){.plots{grid-template-columns:1fr 1fr;align-items:start}}\
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;min-width:0}\
figcaption{font-weight:600;margin-bottom:.75rem}figcaption small{display:block;font-weight:400}\
figure img{display:block;width:100%}.scroll{overflow-x:auto}\
table{border-collapse:collapse;font-size:.85rem;width:100%}th,td{text-align:right;padding:.25rem .5rem;font-variant-numeric:tabular-nums;border-bottom:1px solid var(--line)}\
th:first-child,td:first-child,td.text,th.text{text-align:left}thead th{color:var(--soft);font-weight:400}.good{color:var(--good)}.bad{color:var(--bad)}\
td{white-space:nowrap}td:first-child,td.text{white-space:normal}td:first-child{overflow-wrap:anywhere}\
details{margin-top:.75rem}summary{cursor:pointer;color:var(--soft)}\
@media(max-width:40rem){figure{padding:.75rem .5rem}table{font-size:.75rem}th,td{padding:.25rem .2rem}\
.wide thead{display:none}.wide tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--line)}\
.wide td{display:flex;justify-content:space-between;gap:1rem;padding:.1rem .2rem;border:0}\
.wide td:first-child{font-weight:600}.wide td+td::before{content:attr(data-head);color:var(--soft)}}";

/// From this many columns on, a narrow page shows each row as a list.
const WIDE: usize = 6;

/// The page and the plots by file name.
pub(crate) struct Page {
    pub(crate) html: String,
    pub(crate) plots: BTreeMap<String, Plot>,
}

/// A measurement outside of the suite: its title, a sentence, and its table.
pub(crate) struct Extra {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) note: &'static str,
    /// When and of what it was measured, if the file states it.
    pub(crate) source: Option<String>,
    pub(crate) table: Vec<Vec<String>>,
}

/// The columns that the plots of accuracy read.
pub(crate) const ACCURACY_COLUMNS: [&str; 4] =
    ["good", "good refused", "corrupt", "corrupt accepted"];

pub(crate) fn page(results: &Results, extras: &[Extra]) -> Page {
    let mut plots = BTreeMap::new();
    let growth = growth::figures(results, &mut plots);
    let compared = ratio_figures(results, &mut plots);
    let accuracy = extras.iter().find(|extra| extra.name == "accuracy");
    let accuracy = accuracy.map(|extra| accuracy_figure(extra, &mut plots));
    let text = |field: &str| match &results.machine[field] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "greenlight: benchmarks" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Benchmarks" }
                p.soft {
                    (text("date")) ", commit " (text("commit")) ", " (text("processor")) ", " (text("cores"))
                    " cores, " (text("system")) ", " (text("rustc")) ", scale " (text("scale"))
                }
                p {
                    "Each ratio is the median of rounds in which all sides took turns. It is above 1 where greenlight is better, "
                    "and below 1 where the other side is. Gray bars are limits: a copy of the bytes, or the one pass over them "
                    "that the format requires. What each side does not check is described in "
                    a href="../README.md" { "the benchmarks' README" } "."
                }
                (other_runs(results))
                (losses(results))
                h2 #growth { "Growth" }
                p { "Both axes are logarithmic: time that grows in proportion is a straight diagonal, and memory that does not grow is flat." }
                div.plots { (growth) }
                h2 #compared { "Compared" }
                div.plots { (compared) }
                @if let Some(accuracy) = accuracy { h2 #accuracy { "Accuracy" } (accuracy) }
                @for extra in extras.iter().filter(|extra| extra.name != "accuracy") {
                    h2 id=(extra.name) { (extra.title) }
                    figure { (caption(extra)) (table(&extra.table)) }
                }
                h2 #numbers { "All numbers" }
                details { summary { (results.all.len()) " measurements" } (numbers(results)) }
            }
        }
    };
    Page {
        html: html.into_string(),
        plots,
    }
}

pub(crate) fn figure(
    plots: &mut BTreeMap<String, Plot>,
    name: &str,
    title: &str,
    note: &str,
    plot: Plot,
) -> Markup {
    let markup = html! {
        figure id=(name) {
            figcaption { (title) small { (note) } }
            img src={ (name) ".svg" } alt=(title) style={ "height:" (plot.height) "px" };
        }
    };
    plots.insert(format!("{name}.svg"), plot);
    markup
}

fn caption(extra: &Extra) -> Markup {
    html! {
        figcaption {
            @if let Some(source) = &extra.source { small { (source) } }
            small { (extra.note) }
        }
    }
}

/// The results that the head of the page does not describe.
fn other_runs(results: &Results) -> Markup {
    let count: usize = results.other_runs.values().map(Vec::len).sum();
    html! {
        @if count > 0 {
            p #runs { (count) " of " (results.all.len()) " measurements are of other runs:" }
            @for (run, names) in &results.other_runs {
                details {
                    summary { (run) ": " (names.len()) }
                    ul { @for name in names { li { (breakable(name)) } } }
                }
            }
        }
    }
}

/// The comparisons that a peer wins, and those that another way to use greenlight wins.
fn losses(results: &Results) -> Markup {
    let peers = |one: &Measured| one.kind == "peer";
    let own = |one: &Measured| one.kind == "greenlight" && !one.name.ends_with("/greenlight");
    html! {
        h2 #losses { "Where a peer is better" }
        (lost(results, peers, "comparisons with peers", "peer"))
        h2 #variants { "Where another way to use greenlight is better" }
        (lost(
            results,
            own,
            "comparisons with another setting, depth or ledger of greenlight: for example, one commit per call \
             instead of group commit, or SQLite instead of PostgreSQL",
            "other",
        ))
    }
}

/// The comparisons with a ratio below 1, in the order of the ratios.
fn lost(results: &Results, is_in: impl Fn(&Measured) -> bool, of: &str, other: &str) -> Markup {
    let compared = results.all.values();
    let compared: Vec<_> = compared
        .filter(|one| is_in(one) && one.ratio.is_some())
        .collect();
    let mut worse: Vec<_> = compared
        .iter()
        .filter(|one| one.ratio < Some(0.995))
        .collect();
    worse.sort_by(|one, other| {
        one.ratio
            .partial_cmp(&other.ratio)
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    html! {
        p { (worse.len()) " of " (compared.len()) " " (of) "." }
        @if !worse.is_empty() {
            figure { div.scroll { table {
                thead { tr { th { "benchmark" } th.text { (other) } th { "greenlight" } th { (other) } th { "ratio" } } }
                tbody {
                    @for one in worse {
                        tr {
                            td { a href={ "#" (one.group()) } { (breakable(one.benchmark())) } } td.text { (one.who()) }
                            td { (results.ours(one).map(Measured::shown).unwrap_or_default()) } td { (one.shown()) }
                            td.bad { (ratio(one.ratio.unwrap_or_default())) }
                        }
                    }
                }
            } } }
        }
    }
}

/// One plot for each area and depth.
fn ratio_figures(results: &Results, plots: &mut BTreeMap<String, Plot>) -> Markup {
    let mut groups: BTreeMap<String, Vec<Bar>> = BTreeMap::new();
    for one in results.all.values() {
        let (Some(value), Some(ours)) = (one.ratio, results.ours(one)) else {
            continue;
        };
        // Who may have several parts: the workers of a ledger, and the library.
        if one.name.ends_with("/greenlight") {
            continue;
        }
        groups.entry(one.group()).or_default().push(Bar {
            label: format!("{} {}, {}", one.part(2), one.part(3), one.who()),
            note: format!("{} : {} · {}", ours.shown(), one.shown(), ratio(value)),
            value,
            class: match one.kind.as_str() {
                "limit" => "limit",
                _ if value < 0.995 => "bad",
                _ => "good",
            },
        });
    }
    for bars in groups.values_mut() {
        bars.sort_by_cached_key(|bar| order(&bar.label));
    }
    html! {
        @for (group, bars) in groups {
            @let title = group.replacen('-', ", ", 1);
            (figure(plots, &group, &title, "greenlight : the other side, and their ratio on a logarithmic axis", svg::ratios(&bars)))
        }
    }
}

/// Sizes by number, not by text.
fn order(label: &str) -> (String, u64, String) {
    let mut words = label.splitn(3, ' ');
    let (format, size) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let number: String = size.chars().take_while(char::is_ascii_digit).collect();
    let factor = match size.chars().nth(number.len()) {
        Some('K') => 1_000,
        Some('M') => 1_000_000,
        _ => 1,
    };
    (
        format.to_owned(),
        number.parse::<u64>().unwrap_or_default() * factor,
        label.to_owned(),
    )
}

fn accuracy_figure(extra: &Extra, plots: &mut BTreeMap<String, Plot>) -> Markup {
    let bars = |part: &str, of: &str, class| -> Vec<Bar> {
        let head = extra.table.first().cloned().unwrap_or_default();
        let at = |name: &str| {
            head.iter()
                .position(|column| column == name)
                .unwrap_or_default()
        };
        let (part, of) = (at(part), at(of));
        let number =
            |row: &[String], at: usize| row.get(at).and_then(|cell| cell.parse::<f64>().ok());
        let rows = extra.table.iter().skip(1).filter_map(|row| {
            let (part, of) = (number(row, part)?, number(row, of)?);
            let value = if of > 0.0 { 100.0 * part / of } else { 0.0 };
            Some(Bar {
                label: row.first()?.clone(),
                note: format!("{part} of {of}: {value:.1} %"),
                value,
                class,
            })
        });
        rows.collect()
    };
    let (refused, accepted) = (
        bars("good refused", "good", "bad"),
        bars("corrupt accepted", "corrupt", "bad"),
    );
    html! {
        div.plots {
            (figure(plots, "accuracy-good-refused", "Good files that are rejected", "of the files that are for the reader; shorter is better", svg::shares(&refused, 100.0)))
            (figure(plots, "accuracy-corrupt-accepted", "Corrupt files that are accepted", "most decoders reject them; shorter is better", svg::shares(&accepted, 100.0)))
        }
        figure style="margin-top:1rem" { (caption(extra)) (table(&extra.table)) }
    }
}

fn table(rows: &[Vec<String>]) -> Markup {
    let head = rows.first().map_or(&[][..], Vec::as_slice);
    html! {
        div.scroll { table.wide[head.len() >= WIDE] {
            thead { tr { @for cell in head { th { (cell) } } } }
            tbody { @for row in rows.iter().skip(1) { tr {
                @for (cell, name) in row.iter().zip(head) { td data-head=(name) { (cell) } }
            } } }
        } }
    }
}

/// A name that may be broken after each slash.
fn breakable(name: &str) -> Markup {
    html! {
        @for (at, part) in name.split('/').enumerate() {
            @if at > 0 { "/" wbr; }
            (part)
        }
    }
}

fn numbers(results: &Results) -> Markup {
    let benchmarks: BTreeSet<_> = results.all.values().map(Measured::benchmark).collect();
    html! {
        div.scroll { table {
            thead { tr { th { "benchmark" } th.text { "who" } th { "value" } th { "ratio" } } }
            tbody {
                @for benchmark in benchmarks {
                    @for one in results.all.values().filter(|one| one.benchmark() == benchmark) {
                        tr {
                            td { (breakable(benchmark)) } td.text { (one.who()) } td { (one.shown()) }
                            td { (one.ratio.map(ratio).unwrap_or_default()) }
                        }
                    }
                }
            }
        } }
    }
}
