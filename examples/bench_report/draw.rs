//! Reads and checks the measurements, draws them, and then writes the report.

pub(crate) mod claims;
mod growth;
mod page;
pub(crate) mod results;
mod svg;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use page::Extra;
use results::Results;

const SUITE: &str = "suite.json";

/// The tables: file name, title and a sentence.
const TABLES: [(&str, &str, &str); 3] = [
    (
        "accuracy",
        "Accuracy",
        "Rates on a folder of oddities are not rates on the images of a site. A reader of one format is measured on the files \
         of that format; readers of headers do not look for damage.",
    ),
    (
        "npm",
        "The npm package and its peers",
        "npm/bench/peers.mjs: microseconds per file in Node.js; a ratio above 1 means that greenlight at structure depth is faster.",
    ),
    (
        "python",
        "The Python package and its peers",
        "python/bench/readers.py: microseconds per file, from files in the page cache.",
    ),
];

/// A file of measurements.
struct Input {
    name: String,
    path: PathBuf,
    text: String,
    /// It is not in the report yet.
    is_new: bool,
}

/// Draws the project in `root`, with the measurements of a folder if there is one. Returns what was
/// written.
///
/// # Errors
///
/// If a measurement is missing, malformed or empty: nothing is written then. If a file cannot be written.
pub(crate) fn draw(root: &Path, measured: Option<&Path>) -> Result<String, Box<dyn Error>> {
    let report = root.join("benches/report");
    let inputs = inputs(&report, measured)?;
    let results = suite(&report, &inputs)?;
    let page = page::page(&results, &extras(&inputs)?);
    let readme = root.join("README.md");
    let text = claims::replaced(&read(&readme)?, Some(&results));
    let text = text.ok_or("README.md has no place for the table")?;
    let missing = claims::missing_figures(&results);
    if !missing.is_empty() {
        return Err(format!(
            "the table of README.md needs results that were not measured: {}; run all benchmarks, \
             or copy benches/report/suite.json to the folder of the results before you run some",
            missing.join(", ")
        )
        .into());
    }
    write(&report, &inputs, &page)?;
    fs::write(readme, text)?;
    let new = inputs.iter().filter(|input| input.is_new);
    let mut lines: Vec<_> = new.map(|input| format!("kept {}", input.name)).collect();
    lines.push(format!(
        "{} plots of {} measurements in {}",
        page.plots.len(),
        results.all.len(),
        report.display()
    ));
    Ok(lines.join("\n"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads the measurements: those of the folder, and the kept ones otherwise.
fn inputs(report: &Path, measured: Option<&Path>) -> Result<Vec<Input>, Box<dyn Error>> {
    let tables = TABLES.iter().map(|(name, ..)| format!("{name}.csv"));
    let names: Vec<_> = [SUITE.to_owned()].into_iter().chain(tables).collect();
    if let Some(folder) = measured {
        if !folder.is_dir() {
            return Err(format!("{}: not a folder", folder.display()).into());
        }
        if !names.iter().any(|name| folder.join(name).exists()) {
            let names = names.join(", ");
            return Err(format!("{}: has none of {names}", folder.display()).into());
        }
    }
    let mut inputs = Vec::new();
    for name in names {
        let new = measured.map(|folder| folder.join(&name));
        let new = new.filter(|path| path.exists());
        let is_new = new.is_some();
        let path = new.unwrap_or_else(|| report.join(&name));
        if path.exists() {
            let text = read(&path)?;
            inputs.push(Input {
                name,
                path,
                text,
                is_new,
            });
        }
    }
    Ok(inputs)
}

fn suite(report: &Path, inputs: &[Input]) -> Result<Results, Box<dyn Error>> {
    let suite = inputs.iter().find(|input| input.name == SUITE);
    let suite = suite.ok_or_else(|| {
        let path = report.join(SUITE);
        format!(
            "{}: no such file; measure with `cargo bench --all-features`, then pass target/bench",
            path.display()
        )
    })?;
    Results::parse(&suite.text).map_err(|error| format!("{}: {error}", suite.path.display()).into())
}

fn extras(inputs: &[Input]) -> Result<Vec<Extra>, Box<dyn Error>> {
    let mut extras = Vec::new();
    for (name, title, note) in TABLES {
        let file = format!("{name}.csv");
        let Some(input) = inputs.iter().find(|input| input.name == file) else {
            continue;
        };
        let needed: &[&str] = match name {
            "accuracy" => &page::ACCURACY_COLUMNS,
            _ => &[],
        };
        let table = results::table(&input.text, needed);
        let (source, table) =
            table.map_err(|error| format!("{}: {error}", input.path.display()))?;
        extras.push(Extra {
            name,
            title,
            note,
            source,
            table,
        });
    }
    Ok(extras)
}

fn write(report: &Path, inputs: &[Input], page: &page::Page) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(report)?;
    for input in inputs.iter().filter(|input| input.is_new) {
        fs::write(report.join(&input.name), &input.text)?;
    }
    for (name, plot) in &page.plots {
        fs::write(report.join(name), &plot.svg)?;
    }
    for entry in fs::read_dir(report)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_plot = path.extension().is_some_and(|extension| extension == "svg");
        if is_plot && !page.plots.contains_key(&name) {
            fs::remove_file(path)?;
        }
    }
    fs::write(report.join("index.html"), format!("{}\n", page.html))?;
    Ok(())
}
