//! Every command that counts codes prints the same counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::Service;

/// Images per code: rejected ones, and ones with a warning.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    rejecting: BTreeMap<String, u64>,
    warnings: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts the lines of `check` or `scan --format jsonl` independently of the code under test.
    fn of_lines(lines: &[Value]) -> Self {
        let mut counts = Self::default();
        for line in lines {
            let codes = |severity: &str| -> BTreeSet<String> {
                let violations = line["violations"].as_array().unwrap().iter();
                let chosen = violations.filter(|violation| violation["severity"] == severity);
                let codes = chosen.map(|violation| violation["code"].as_str().unwrap());
                codes.map(str::to_owned).collect()
            };
            let rejecting = codes("reject");
            for code in codes("warn").difference(&rejecting) {
                *counts.warnings.entry(code.clone()).or_default() += 1;
            }
            for code in rejecting {
                *counts.rejecting.entry(code).or_default() += 1;
            }
        }
        counts
    }

    /// Reads the counts of a JSON object of `plan` or `status`.
    fn of_object(object: &Value) -> Self {
        let counts = |name: &str| serde_json::from_value(object[name].clone()).unwrap();
        Self {
            rejecting: counts("rejecting"),
            warnings: counts("warnings"),
        }
    }

    /// Reads the rows of a table: `     3  image/corrupt`, `     1  warning: image/trailing-bytes`.
    fn of_table(table: &str) -> Self {
        let mut counts = Self::default();
        for line in table.lines() {
            let Some((count, name)) = line.trim().split_once("  ") else {
                continue;
            };
            let (Ok(count), Some(_)) = (count.parse(), name.split_once('/')) else {
                continue;
            };
            match name.strip_prefix("warning: ") {
                Some(code) => counts.warnings.insert(code.to_owned(), count),
                None => counts.rejecting.insert(name.to_owned(), count),
            };
        }
        counts
    }

    /// Reads the tables of a report's plots.
    fn of_page(page: &str) -> Self {
        let counts = |plot: &str| {
            let Some((_, figure)) = page.split_once(&format!("id=\"plot-{plot}\"")) else {
                return BTreeMap::new();
            };
            let (figure, _) = figure.split_once("</figure>").unwrap();
            let rows = figure.split("role=\"rowheader\" scope=\"row\">").skip(1);
            let counts = rows.map(|row| {
                let (code, row) = row.split_once("</th>").unwrap();
                let (_, row) = row.split_once("class=\"number\" role=\"cell\">").unwrap();
                let (count, _) = row.split_once('<').unwrap();
                (code.replace("<wbr>", ""), count.parse().unwrap())
            });
            counts.collect()
        };
        Self {
            rejecting: counts("violations"),
            warnings: counts("warnings"),
        }
    }
}

/// Returns all fixture images, without duplicates.
fn fixtures() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images")];
    let mut found = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(fs::read(&path).unwrap(), path);
            }
        }
    }
    found.into_values().collect()
}

#[test]
fn every_command_counts_the_same() {
    let service = Service::new("counts");
    let sources: Vec<_> = fixtures()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    assert!(sources.len() > 60, "{}", sources.len());
    let list = service.bench.path("list.txt");
    fs::write(&list, sources.join("\n")).unwrap();
    // Changes some severities, so that an image has both rejections and warnings.
    let how = [
        "--from",
        list.to_str().unwrap(),
        "--files-under",
        concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"),
        "--enforce",
        "png/ancillary-crc=reject",
    ];
    let args = |command: &'static str, more: &[&'static str]| {
        let mut args = vec![command];
        args.extend(how);
        args.extend(more);
        args
    };

    let check = service.bench.run(&args("check", &["--format", "jsonl"]));
    let expected = Counts::of_lines(&check.json());
    let lines = check.json();
    let rejected = lines.iter().filter(|line| line["decision"] == "reject");
    let corrupt = expected.rejecting["image/corrupt"];
    assert!(
        corrupt > 5 && corrupt <= u64::try_from(rejected.count()).unwrap(),
        "{expected:?}"
    );
    assert!(expected.warnings.len() > 1, "{expected:?}");
    let table = service.bench.run(&args("check", &[]));
    let (_, summary) = table.stdout.rsplit_once("\n\n").unwrap();
    assert_eq!(Counts::of_table(summary), expected, "check");

    let plan = service.bench.run(&args("plan", &["--format", "jsonl"]));
    let plan = Counts::of_object(&plan.json()[0]);
    let table = service.bench.run(&args("plan", &[]));
    assert_eq!(Counts::of_table(&table.stdout), plan, "plan as a table");
    assert_eq!(plan, expected, "plan");

    let scan = service.run(&args("scan", &["--format", "jsonl"]));
    let scanned = Counts::of_lines(&scan.json());
    let status = Counts::of_object(&service.status());
    assert_eq!(status, scanned, "status");
    let table = service.bench.run(&["status"]);
    assert_eq!(
        Counts::of_table(&table.stdout),
        scanned,
        "status as a table"
    );

    let report = |more: &[&str], input: &str| {
        let mut args = vec!["report", "--html", "-"];
        args.extend(more);
        let run = service.bench.run_with_input(&args, input);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        Counts::of_page(&run.stdout)
    };
    assert_eq!(report(&[], &check.stdout), expected, "report of check");
    assert_eq!(report(&[], &scan.stdout), scanned, "report of scan");
    let ledger = report(&["--ledger", "greenlight.db"], "");
    assert_eq!(ledger, scanned, "report of the ledger");
    assert_eq!(scanned, expected, "scan");
}
