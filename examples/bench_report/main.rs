//! Draws the benchmarks: `benches/report/*.svg`, `index.html`, and the table in the project's README.
//!
//!     cargo run --example bench_report                   from the kept results in benches/report
//!     cargo run --example bench_report -- target/bench   keeps the measurements of that folder first
//!
//! The measurements are `suite.json` (`cargo bench --all-features`), `accuracy.csv` (the example `accuracy`),
//! `npm.csv` (npm/bench/peers.mjs) and `python.csv` (python/bench/readers.py). Each is optional but the first.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "draws numbers, and prints what it wrote"
)]

mod claims;
mod growth;
mod page;
mod results;
mod svg;

use std::{error::Error, fs, path::Path};

use page::Extra;
use results::Results;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let report = root.join("benches/report");
    fs::create_dir_all(&report)?;
    if let Some(measured) = std::env::args().nth(1) {
        for name in ["suite.json", "accuracy.csv", "npm.csv", "python.csv"] {
            let path = Path::new(&measured).join(name);
            if path.exists() {
                fs::copy(&path, report.join(name))?;
                println!("kept {name}");
            }
        }
    }
    let results = Results::parse(&fs::read_to_string(report.join("suite.json"))?)?;
    let page = page::page(&results, &extras(&report));
    for entry in fs::read_dir(&report)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            fs::remove_file(path)?;
        }
    }
    for (name, plot) in &page.plots {
        fs::write(report.join(name), &plot.svg)?;
    }
    fs::write(report.join("index.html"), page.html + "\n")?;
    println!(
        "{} plots of {} measurements in {}",
        page.plots.len(),
        results.all.len(),
        report.display()
    );
    let readme = root.join("README.md");
    let text = claims::replaced(&fs::read_to_string(&readme)?, Some(&results));
    fs::write(
        &readme,
        text.ok_or("the README has no place for the table")?,
    )?;
    Ok(())
}

fn extras(report: &Path) -> Vec<Extra> {
    let all = [
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
    let present = all.into_iter().filter_map(|(name, title, note)| {
        let table = results::table(&report.join(format!("{name}.csv")))?;
        Some(Extra {
            name,
            title,
            note,
            table,
        })
    });
    present.collect()
}
