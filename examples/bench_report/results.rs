//! The kept results: one JSON file of the suite, and tables of the other measurements.

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use serde_json::Value;

/// The results of `cargo bench --all-features`.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) machine: Value,
    pub(crate) all: BTreeMap<String, Measured>,
}

/// One measurement; `name` is `area/depth/format/size/who`.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    /// `greenlight`, `peer` or `limit`.
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) value: f64,
    /// Above 1 where the library is better than this.
    pub(crate) ratio: Option<f64>,
    pub(crate) bytes: Option<f64>,
}

impl Measured {
    /// A part of the name: 0 is the area, 4 is who.
    pub(crate) fn part(&self, at: usize) -> &str {
        self.name.splitn(5, '/').nth(at).unwrap_or_default()
    }

    pub(crate) fn who(&self) -> &str {
        self.part(4)
    }

    /// The name without who.
    pub(crate) fn benchmark(&self) -> &str {
        self.name.rsplit_once('/').unwrap_or_default().0
    }

    /// `area-depth`, which names a plot.
    pub(crate) fn group(&self) -> String {
        format!("{}-{}", self.part(0), self.part(1))
    }

    pub(crate) fn shown(&self) -> String {
        match (self.unit.as_str(), self.bytes) {
            ("ns", Some(bytes)) if self.value > 0.0 => rate(bytes * 1e9 / self.value),
            ("ns", _) => time(self.value),
            ("per second", _) => format!("{}/s", count(self.value)),
            ("bytes", _) => size(self.value),
            (unit, _) => format!("{} {unit}", count(self.value)),
        }
    }
}

impl Results {
    pub(crate) fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let document: Value = serde_json::from_str(text)?;
        let records = document["results"].as_array().ok_or("no results")?;
        let all = records.iter().map(|record| {
            let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
            let measured = Measured {
                name: text("name"),
                kind: text("kind"),
                unit: text("unit"),
                // A side that does not have this value has none of them.
                value: record["value"].as_f64().unwrap_or(f64::NAN),
                ratio: record["ratio"].as_f64(),
                bytes: record["bytes"].as_f64(),
            };
            (measured.name.clone(), measured)
        });
        let all = all.filter(|(_, measured)| measured.value.is_finite());
        Ok(Self {
            machine: document["machine"].clone(),
            all: all.collect(),
        })
    }

    /// The library's own result in the same benchmark.
    pub(crate) fn ours(&self, measured: &Measured) -> Option<&Measured> {
        self.all
            .get(&format!("{}/greenlight", measured.benchmark()))
    }
}

/// Reads a table of comma-separated cells, the first of which may be quoted.
pub(crate) fn table(path: &Path) -> Option<Vec<Vec<String>>> {
    let text = fs::read_to_string(path).ok()?;
    let rows = text.lines().map(|line| {
        let mut cells = Vec::new();
        let mut rest = line;
        if let Some((first, later)) = line
            .strip_prefix('"')
            .and_then(|line| line.split_once("\","))
        {
            cells.push(first.replace("\"\"", "\""));
            rest = later;
        }
        cells.extend(rest.split(',').map(str::to_owned));
        cells
    });
    Some(rows.collect())
}

pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        short if short < 1e3 => format!("{} ns", digits(short)),
        short if short < 1e6 => format!("{} µs", digits(short / 1e3)),
        short if short < 1e9 => format!("{} ms", digits(short / 1e6)),
        long => format!("{} s", digits(long / 1e9)),
    }
}

pub(crate) fn size(bytes: f64) -> String {
    match bytes {
        small if small < 1e3 => format!("{} B", digits(small)),
        small if small < 1e6 => format!("{} KB", digits(small / 1e3)),
        small if small < 1e9 => format!("{} MB", digits(small / 1e6)),
        large => format!("{} GB", digits(large / 1e9)),
    }
}

fn rate(bytes: f64) -> String {
    format!("{}/s", size(bytes))
}

pub(crate) fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Two significant digits below 10, else whole numbers.
pub(crate) fn digits(value: f64) -> String {
    match value {
        small if small < 9.95 => format!("{small:.1}"),
        large => format!("{large:.0}"),
    }
}

pub(crate) fn ratio(value: f64) -> String {
    match value {
        small if small < 9.95 => format!("{small:.2}"),
        large => count(large),
    }
}
