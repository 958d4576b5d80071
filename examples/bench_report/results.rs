//! The kept results: one JSON file of the suite, and tables of the other measurements.

use std::collections::BTreeMap;

use serde_json::Value;

/// The results of `cargo bench --all-features`.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) machine: Value,
    pub(crate) all: BTreeMap<String, Measured>,
    /// The names that `machine` does not describe, by a description of the run that measured them.
    pub(crate) other_runs: BTreeMap<String, Vec<String>>,
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
    /// Reads a result, if it has a value.
    fn parse(record: &Value) -> Result<Option<Self>, String> {
        let text = |field: &str, known: &[&str]| {
            let text = record[field].as_str().unwrap_or_default();
            if known.contains(&text) {
                return Ok(text.to_owned());
            }
            Err(format!("`{field}` is not one of {}", known.join(", ")))
        };
        let number = |field: &str| match &record[field] {
            Value::Null => Ok(None),
            value => value
                .as_f64()
                .map(Some)
                .ok_or(format!("`{field}` is not a number")),
        };
        let name = record["name"].as_str().unwrap_or_default();
        if name.split('/').count() < 5 {
            return Err("`name` is not area/depth/format/size/who".to_owned());
        }
        let measured = Self {
            name: name.to_owned(),
            kind: text("kind", &["greenlight", "peer", "limit"])?,
            unit: text("unit", &["ns", "per second", "bytes", "allocations"])?,
            value: number("value")?.unwrap_or(f64::NAN),
            ratio: number("ratio")?,
            bytes: number("bytes")?,
        };
        Ok(measured.value.is_finite().then_some(measured))
    }

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
    /// Reads and checks a file of results.
    ///
    /// # Errors
    ///
    /// If it is malformed or has no results, with the name of the result.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let machine = document["machine"].clone();
        if !(machine["date"].is_string() && machine["cores"].is_u64()) {
            return Err("`machine` has no text `date` or no number `cores`".to_owned());
        }
        let records = document["results"].as_array().ok_or("no list `results`")?;
        let (mut all, mut other_runs) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
        for (at, record) in records.iter().enumerate() {
            let name = record["name"].as_str().unwrap_or("without `name`");
            let measured = Measured::parse(record)
                .map_err(|error| format!("result {}, {name}: {error}", at + 1))?;
            // A side that does not have this value has none of them.
            let Some(measured) = measured else { continue };
            if record["machine"].is_object() {
                let names = other_runs.entry(run(&record["machine"])).or_default();
                names.push(measured.name.clone());
            }
            if let Some(twice) = all.insert(measured.name.clone(), measured) {
                return Err(format!("two results {}", twice.name));
            }
        }
        if all.is_empty() {
            return Err("no results".to_owned());
        }
        Ok(Self {
            machine,
            all,
            other_runs,
        })
    }

    /// The library's own result in the same benchmark.
    pub(crate) fn ours(&self, measured: &Measured) -> Option<&Measured> {
        self.all
            .get(&format!("{}/greenlight", measured.benchmark()))
    }
}

/// Describes a run in a line.
pub(crate) fn run(machine: &Value) -> String {
    let text = |field: &str| match &machine[field] {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    };
    format!(
        "{}, commit {}, {}, {} cores, {}, {}, scale {}",
        text("date"),
        text("commit"),
        text("processor"),
        text("cores"),
        text("system"),
        text("rustc"),
        text("scale"),
    )
}

/// A table with its head, and the comment in front of it.
pub(crate) type Table = (Option<String>, Vec<Vec<String>>);

/// Reads a table of comma-separated cells, the first of which may be quoted. A first line that begins
/// with `#` states the source.
///
/// # Errors
///
/// If there are no rows, a row is not as long as the head, or a needed column is missing.
pub(crate) fn table(text: &str, needed: &[&str]) -> Result<Table, String> {
    let (source, text) = match text
        .strip_prefix("# ")
        .and_then(|text| text.split_once('\n'))
    {
        Some((source, text)) => (Some(source.to_owned()), text),
        None => (None, text),
    };
    let rows: Vec<Vec<String>> = text.lines().map(cells).collect();
    let head = rows.first().ok_or("the file is empty")?;
    if let Some(column) = needed
        .iter()
        .find(|name| !head.iter().any(|cell| cell == *name))
    {
        return Err(format!("no column `{column}`"));
    }
    if let Some(row) = rows.iter().find(|row| row.len() != head.len()) {
        let (has, expected) = (row.len(), head.len());
        return Err(format!(
            "a row has {has} cells, not {expected}: {}",
            row.join(",")
        ));
    }
    if rows.len() < 2 {
        return Err("no rows".to_owned());
    }
    Ok((source, rows))
}

fn cells(line: &str) -> Vec<String> {
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
