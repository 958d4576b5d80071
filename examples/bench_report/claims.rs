//! The table of the project's README, from the kept results. A test compares it with the README.

use std::fmt::Write as _;

use super::results::{Measured, Results, count, digits, ratio, time};

/// The lines around the table.
pub(crate) const BEGIN: &str = "<!-- from benches/report/suite.json; `cargo run --example bench_report` writes this table -->\n";
pub(crate) const END: &str = "<!-- end -->\n";

/// Replaces the table in the README's text.
pub(crate) fn replaced(readme: &str, results: Option<&Results>) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let table = results.map(table).unwrap_or_default();
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn table(results: &Results) -> String {
    let machine = |field: &str| {
        results.machine[field]
            .as_str()
            .unwrap_or("unknown")
            .to_owned()
    };
    let scale = match results.machine["scale"].as_str() {
        Some("full" | "long") => String::new(),
        other => format!(", at the scale {}", other.unwrap_or("unknown")),
    };
    let others: usize = results.other_runs.values().map(Vec::len).sum();
    let others = match others {
        0 => String::new(),
        others => format!(
            " {others} of {} results are of other runs, which [the report](benches/report/index.html) lists.",
            results.all.len()
        ),
    };
    let mut text = format!(
        "Measured on {} at commit {}, on {} cores ({}){scale}.{others} A ratio above 1 means that greenlight is better.\n\n\
         | what | figure | benchmark |\n|---|---|---|\n",
        machine("date"),
        machine("commit"),
        results.machine["cores"],
        machine("processor"),
    );
    for (what, figure, plot) in rows(results) {
        let _ = writeln!(
            text,
            "| {what} | {figure} | [{plot}](benches/report/{plot}.svg) |"
        );
    }
    text
}

/// The rows of the table for which results are missing.
pub(crate) fn missing_figures(results: &Results) -> Vec<&'static str> {
    let rows = rows(results).into_iter();
    let rows = rows.filter(|(_, figure, _)| figure.contains(MISSING));
    rows.map(|(what, ..)| what).collect()
}

type Row = (&'static str, String, &'static str);

fn rows(results: &Results) -> Vec<Row> {
    let kept = Kept(results);
    let mut rows = inspection(&kept);
    rows.extend(network(&kept));
    rows
}

fn inspection(kept: &Kept<'_>) -> Vec<Row> {
    let headers = |who| {
        let formats = ["gif", "png", "bmp", "jpeg"];
        let times = formats.map(|format| kept.shown(&format!("inspect/header/{format}/1MB/{who}")));
        times.join(", ")
    };
    vec![
        (
            "verdict on a header: GIF, PNG, BMP, JPEG",
            format!(
                "{}; imagesize, with fewer checks: {}",
                headers("greenlight"),
                headers("imagesize")
            ),
            "inspect-header",
        ),
        (
            "structure, relative to the one pass over the bytes that the format requires",
            format!(
                "JPEG {} of memchr, PNG {} of crc32fast, GIF {} of a bare walk",
                kept.ratios("inspect/structure/jpeg", "memchr"),
                kept.ratios("inspect/structure/png", "crc32fast"),
                kept.ratios("inspect/structure/gif", "sub-block-walk"),
            ),
            "inspect-structure",
        ),
        (
            "payload, relative to a decoder",
            format!(
                "JPEG {} of zune-jpeg, progressive {}; PNG {} of png; GIF {} of gif; BMP {} of zune-bmp",
                kept.ratios("inspect/payload/jpeg/", "zune-jpeg"),
                kept.ratios("inspect/payload/jpeg-progressive/", "zune-jpeg"),
                kept.ratios("inspect/payload/png", "png"),
                kept.ratios("inspect/payload/gif", "gif"),
                kept.ratios("inspect/payload/bmp", "zune-bmp"),
            ),
            "inspect-payload",
        ),
        (
            "an upload through the gate in chunks of 8 KB",
            format!(
                "JPEG {}, PNG {}",
                kept.shown("gate/structure/jpeg/5MB-in-8KB/greenlight"),
                kept.shown("gate/structure/png/5MB-in-8KB/greenlight"),
            ),
            "gate-structure",
        ),
        (
            "an upload through the axum extractor, relative to axum's `Multipart`",
            format!(
                "JPEG {}, PNG {}",
                kept.ratios("upload/structure/jpeg", "axum-multipart"),
                kept.ratios("upload/structure/png", "axum-multipart")
            ),
            "upload-structure",
        ),
    ]
}

fn network(kept: &Kept<'_>) -> Vec<Row> {
    vec![
        (
            "header probes, relative to raw requests for the same range",
            format!(
                "{} http, {} https",
                kept.ratios("probe/rate/http/loopback", "raw-range"),
                kept.ratios("probe/rate/https/loopback", "raw-range")
            ),
            "probe-rate",
        ),
        (
            "the command `plan` without network",
            kept.longest("list/plan/csv/", "memory/list/csv/", "lines"),
            "growth-list-time",
        ),
        (
            "`Plan`, header probes on loopback",
            kept.longest("pipeline/plan/png/", "memory/plan/png/", "images"),
            "growth-pipeline-time",
        ),
        (
            "`Pipeline`, full downloads, with the sandbox on the same cores",
            kept.longest("pipeline/scan/png/", "memory/scan/png/", "images"),
            "growth-pipeline-time",
        ),
        (
            "images through the ledger's durable steps, with group commit and without",
            format!(
                "{} and {} with 32 calls in flight, {} and {} with 1",
                kept.shown("ledger/submit/sqlite/32-in-flight/greenlight"),
                kept.shown("ledger/submit/sqlite/32-in-flight/one-commit-per-call"),
                kept.shown("ledger/submit/sqlite/1-in-flight/greenlight"),
                kept.shown("ledger/submit/sqlite/1-in-flight/one-commit-per-call"),
            ),
            "ledger-submit",
        ),
        (
            "signing one request of 50 tasks",
            kept.shown("sign/roa/json/50-tasks/greenlight"),
            "sign-roa",
        ),
    ]
}

struct Kept<'a>(&'a Results);

impl Kept<'_> {
    fn shown(&self, name: &str) -> String {
        let measured = self.0.all.get(name);
        measured.map_or_else(missing, |one| match one.unit.as_str() {
            "ns" if one.bytes.is_none() => time(one.value),
            _ => one.shown(),
        })
    }

    /// The range of the ratios of all benchmarks that begin so.
    fn ratios(&self, prefix: &str, who: &str) -> String {
        let is_in = |one: &&Measured| one.name.starts_with(prefix) && one.who() == who;
        let all = self
            .0
            .all
            .values()
            .filter(is_in)
            .filter_map(|one| one.ratio);
        let (low, high) = all.fold((f64::INFINITY, 0.0), |(low, high), one| {
            (f64::min(low, one), f64::max(high, one))
        });
        match (ratio(low), ratio(high)) {
            _ if high == 0.0 => missing(),
            (low, high) if low == high => low,
            (low, high) => format!("{low} to {high}"),
        }
    }

    /// The rate and the memory of the longest list.
    fn longest(&self, rates: &str, memory: &str, of: &str) -> String {
        let length = |one: &&Measured| one.part(3).parse::<u64>().unwrap_or_default();
        let is_in = |one: &&Measured| one.name.starts_with(rates) && one.who() == "greenlight";
        let Some(longest) = self.0.all.values().filter(is_in).max_by_key(length) else {
            return missing();
        };
        let length = length(&longest);
        let memory = self.0.all.get(&format!("{memory}{length}/greenlight"));
        let memory = memory.map_or_else(missing, |one| format!("{} MB", digits(one.value / 1e6)));
        format!(
            "{} {of}: {} {of}/s, at most {memory}",
            count(length as f64),
            count(longest.value)
        )
    }
}

/// The figure of a benchmark without a result.
const MISSING: &str = "not measured";

fn missing() -> String {
    MISSING.to_owned()
}
