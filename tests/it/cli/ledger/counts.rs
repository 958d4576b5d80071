//! Every command that counts codes prints the same counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use greenlight::Code;
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
            let (counts, name) = match name.strip_prefix("warning: ") {
                Some(code) => (&mut counts.warnings, code),
                None => (&mut counts.rejecting, name),
            };
            // `status` also counts other reasons.
            if let (Ok(count), Ok(code)) = (count.parse(), name.parse::<Code>()) {
                let again = counts.insert(code.to_string(), count);
                assert_eq!(again, None, "{code} has two counts: {table}");
            }
        }
        counts
    }

    /// Reads the columns of CSV with a line for each source: codes separated by spaces.
    fn of_csv(csv: &str) -> Self {
        let mut lines = csv.lines();
        let columns: Vec<_> = lines.next().unwrap().split(',').collect();
        let column = |name: &str| columns.iter().position(|column| *column == name).unwrap();
        let (rejecting, warnings) = (column("rejecting"), column("warnings"));
        let mut counts = Self::default();
        for line in lines {
            let cells: Vec<_> = line.split(',').collect();
            for code in cells[rejecting].split_whitespace() {
                *counts.rejecting.entry(code.to_owned()).or_default() += 1;
            }
            for code in cells[warnings].split_whitespace() {
                *counts.warnings.entry(code.to_owned()).or_default() += 1;
            }
        }
        counts
    }

    /// Reads the only line of CSV of `plan` or `status`: codes with their counts.
    fn of_flat_csv(csv: &str) -> Self {
        let (columns, line) = csv.split_once('\n').unwrap();
        let counts = |name: &str| {
            let at = columns.trim().split(',').position(|column| column == name);
            let cell = line.trim().split(',').nth(at.unwrap()).unwrap();
            let pairs = cell.split_whitespace().map(|pair| {
                let (code, count) = pair.rsplit_once(':').unwrap();
                (code.to_owned(), count.parse().unwrap())
            });
            pairs.collect()
        };
        Self {
            rejecting: counts("rejecting"),
            warnings: counts("warnings"),
        }
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

/// Sources by decision, and the lines that name none.
#[derive(Debug, PartialEq, Eq)]
struct Decisions {
    sources: usize,
    accepted: usize,
    rejected: usize,
    undecided: usize,
    bad_lines: usize,
}

impl Decisions {
    /// Counts the lines of `check --format jsonl`, of which `bad_lines` name no source.
    fn of_lines(lines: &[Value], bad_lines: usize) -> Self {
        let decided = |decision: &str| {
            let decided = lines.iter().filter(|line| line["decision"] == decision);
            decided.count()
        };
        Self {
            sources: lines.len() - bad_lines,
            accepted: decided("accept"),
            rejected: decided("reject"),
            undecided: decided("inconclusive") - bad_lines,
            bad_lines,
        }
    }

    fn of_plan(plan: &Value) -> Self {
        let number = |name: &str| usize::try_from(plan[name].as_u64().unwrap()).unwrap();
        Self {
            sources: number("sources"),
            accepted: number("accepted"),
            rejected: number("rejected"),
            undecided: number("undecided") + number("unreadable"),
            bad_lines: number("bad_lines"),
        }
    }

    /// The end of a table, for one line without a source.
    fn in_words(&self) -> String {
        format!(
            "\n{} sources: {} accept, {} reject, {} inconclusive\n1 line without a readable source",
            self.sources, self.accepted, self.rejected, self.undecided
        )
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

/// Writes a list of every fixture, with duplicates, images with several violations, and lines
/// that name no image.
fn write_list(service: &Service) -> usize {
    let paths = fixtures();
    let fixtures = paths.iter().map(|path| path.display().to_string());
    let mut sources: Vec<_> = fixtures.collect();
    assert!(sources.len() > 60, "{}", sources.len());
    // Too small, followed by bytes, and a PNG by its name only.
    service.bench.fixture("jpeg/too-small.jpg", "in/small.jpg");
    let mut several = fs::read(service.bench.path("in/small.jpg")).unwrap();
    several.extend(b"and more");
    for name in ["in/several.png", "in/the-same.png"] {
        service.bench.write(name, &several);
        sources.push(service.bench.path(name).display().to_string());
    }
    // Equal bytes under names of several formats.
    for name in ["in/named.jpg", "in/named.png", "in/named.gif", "in/no-name"] {
        service.bench.fixture("png/rgb.png", name);
        sources.push(service.bench.path(name).display().to_string());
    }
    sources.extend([
        service.url("several.png"),
        service.url("good.png"),
        "ftp://example.com/a".to_owned(),
        service.bench.path("in/none.png").display().to_string(),
    ]);
    let again: Vec<_> = sources.iter().rev().take(7).cloned().collect();
    sources.extend(again);
    let mut list = sources.join("\n").into_bytes();
    list.extend(b"\nnot \xff UTF-8\n");
    service.bench.write("list.txt", list);
    sources.len()
}

#[test]
fn every_command_counts_the_same() {
    // Six readable sources are repeated, and five files have the content of another.
    count_with("counts", "image/type-mismatch=warn", 11);
}

#[test]
fn every_command_counts_names_that_reject_the_same() {
    // Two of the five have names that reject them.
    count_with("counts-names", "image/type-mismatch=reject", 9);
}

fn count_with(name: &str, enforce: &'static str, duplicates: u64) {
    let service = Service::new(name);
    let count = write_list(&service);
    let allowed = format!("127.0.0.1/32:{}", service.sandbox.address().port());
    // Changes some severities, so that an image has both rejections and warnings.
    let folder = service.bench.path("in").display().to_string();
    let list = service.bench.path("list.txt").display().to_string();
    let how = [
        "--from",
        &list,
        "--files-under",
        concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"),
        "--files-under",
        &folder,
        "--enforce",
        "png/ancillary-crc=reject",
        "--enforce",
        enforce,
    ];
    let args = |command: &'static str, more: &[&'static str]| {
        let mut args = vec![command];
        args.extend(how);
        args.extend(more);
        if command != "scan" {
            args.extend(["--allow-address", &allowed, "--timeout", "30s"]);
        }
        args
    };

    let check = service.bench.run(&args("check", &["--format", "jsonl"]));
    let expected = Counts::of_lines(&check.json());
    let lines = check.json();
    // The line that is not UTF-8 has a result too.
    assert_eq!(lines.len(), count + 1, "{}", check.stderr);
    let rejected = lines.iter().filter(|line| line["decision"] == "reject");
    let corrupt = expected.rejecting["image/corrupt"];
    assert!(
        corrupt > 5 && corrupt <= u64::try_from(rejected.count()).unwrap(),
        "{expected:?}"
    );
    assert!(expected.warnings.len() > 1, "{expected:?}");
    assert_eq!(expected.rejecting["url/scheme"], 2, "{expected:?}");
    let csv = service.bench.run(&args("check", &["--format", "csv"]));
    assert_eq!(Counts::of_csv(&csv.stdout), expected, "check as CSV");
    let table = service.bench.run(&args("check", &[]));
    let (_, summary) = table.stdout.rsplit_once("\n\n").unwrap();
    assert_eq!(Counts::of_table(summary), expected, "check");

    let decisions = Decisions::of_lines(&lines, 1);
    assert_eq!(decisions.sources, count, "{decisions:?}");
    let words = decisions.in_words();
    assert!(table.stdout.contains(&words), "{words}: {}", table.stdout);

    let plan = service.bench.run(&args("plan", &["--format", "jsonl"]));
    assert_eq!(plan.json()[0]["duplicates"], duplicates, "{plan}");
    let billed = plan.json()[0]["billed_per_scene"].as_u64().unwrap();
    assert_eq!(Decisions::of_plan(&plan.json()[0]), decisions, "{plan}");
    let plan = Counts::of_object(&plan.json()[0]);
    let csv = service.bench.run(&args("plan", &["--format", "csv"]));
    assert_eq!(Counts::of_flat_csv(&csv.stdout), plan, "plan as CSV");
    let table = service.bench.run(&args("plan", &[]));
    assert_eq!(Counts::of_table(&table.stdout), plan, "plan as a table");
    assert_eq!(plan, expected, "plan");

    let scan = service.run(&args("scan", &["--format", "jsonl"]));
    let scanned = Counts::of_lines(&scan.json());
    for (scanned, checked) in scan.json().iter().zip(&lines) {
        assert_eq!(scanned["decision"], checked["decision"], "{scanned}");
        let is_accepted = checked["decision"] == "accept";
        assert_eq!(scanned["task_id"].is_string(), is_accepted, "{scanned}");
    }
    let status = service.status();
    let scenes = u64::try_from(status["scenes"].as_array().unwrap().len()).unwrap();
    assert_eq!(status["billed"], billed * scenes, "{status}");
    assert_eq!([&status["sources"], &status["bad_lines"]], [count, 1]);
    assert_eq!(status["images"], status["done"], "{status}");
    assert!(!status["classes"].to_string().contains("list/"), "{status}");
    let status = Counts::of_object(&status);
    assert_eq!(status, scanned, "status");
    let table = service.bench.run(&["status"]);
    assert_eq!(
        Counts::of_table(&table.stdout),
        scanned,
        "status as a table"
    );
    let csv = service.bench.run(&["status", "--format", "csv"]);
    assert_eq!(Counts::of_flat_csv(&csv.stdout), scanned, "status as CSV");
    let export = service.bench.run(&["export"]);
    assert_eq!(Counts::of_lines(&export.json()), scanned, "export");
    let csv = service.bench.run(&["export", "--format", "csv"]);
    assert_eq!(Counts::of_csv(&csv.stdout), scanned, "export as CSV");

    // A source that could not be read was not checked.
    let is_checked = |line: &&Value| line["error"].is_null();
    let checked = lines.iter().filter(is_checked).count();
    let report = |more: &[&str], input: &str| {
        let mut args = vec!["report", "--html", "-"];
        args.extend(more);
        let run = service.bench.run_with_input(&args, input);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let wanted = format!(" % of {checked} images that were checked can be scanned.");
        assert!(run.stdout.contains(&wanted), "{wanted}");
        Counts::of_page(&run.stdout)
    };
    assert_eq!(report(&[], &check.stdout), expected, "report of check");
    assert_eq!(report(&[], &scan.stdout), scanned, "report of scan");
    let ledger = report(&["--ledger", "greenlight.db"], "");
    assert_eq!(ledger, scanned, "report of the ledger");
    assert_eq!(scanned, expected, "scan");
}
