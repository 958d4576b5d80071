//! The report of the benchmarks is drawn from checked measurements only.

#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "shared with the example"
)]
#[path = "../../examples/bench_report/draw.rs"]
pub(crate) mod draw;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A copy of the project's report and README.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (from, project) = (Path::new(env!("CARGO_MANIFEST_DIR")), Self(folder));
        fs::create_dir_all(project.report()).expect("the folder is new");
        fs::copy(from.join("README.md"), project.root().join("README.md")).expect("a README");
        for entry in fs::read_dir(from.join("benches/report")).expect("a report") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name");
            fs::copy(&path, project.report().join(name)).expect("a copy");
        }
        project
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn report(&self) -> PathBuf {
        self.root().join("benches/report")
    }

    /// The files and their contents.
    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let report = fs::read_dir(self.report()).expect("a report");
        let paths = report.map(|entry| entry.expect("an entry").path());
        let paths = paths.chain([self.root().join("README.md")]);
        paths
            .map(|path| (path.clone(), fs::read(path).expect("a file")))
            .collect()
    }

    fn suite(&self) -> Value {
        let text = fs::read_to_string(self.report().join("suite.json")).expect("kept results");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Draws with new measurements, which must fail without a change of any file.
    fn refuses(&self, new: &[(&str, &str)], error: &str) {
        let measured = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in new {
            fs::write(measured.path().join(name), text).expect("a file");
        }
        let before = self.contents();
        let seen = draw::draw(self.root(), Some(measured.path())).expect_err(error);
        assert!(seen.to_string().contains(error), "{seen}");
        assert!(before == self.contents(), "{error}: files were changed");
    }
}

#[test]
fn the_committed_report_is_drawn_from_the_kept_results() {
    let project = Project::new();
    let before = project.contents();
    draw::draw(project.root(), None).unwrap();
    let after = project.contents();
    let names = |all: &BTreeMap<PathBuf, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for (path, text) in &before {
        let name = path.file_name().unwrap();
        assert!(
            text == &after[path],
            "run `cargo run --example bench_report`: {name:?} differs"
        );
    }
}

#[test]
fn malformed_measurements_change_no_file() {
    let project = Project::new();
    let kept = project.suite();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut suite = kept.clone();
        change(&mut suite);
        suite.to_string()
    };
    let suites = [
        ("{".to_owned(), "EOF while parsing"),
        (with(&|suite| suite["results"] = json!([])), "no results"),
        (
            with(&|suite| suite["machine"] = json!({})),
            "`machine` has no text `date`",
        ),
        (
            with(&|suite| suite["results"][0]["name"] = json!("a/b")),
            "result 1, a/b: `name` is not area/depth/format/size/who",
        ),
        (
            with(&|suite| suite["results"][1]["kind"] = json!("friend")),
            "`kind` is not one of",
        ),
        (
            with(&|suite| suite["results"][1]["unit"] = json!("s")),
            "`unit` is not one of",
        ),
        (
            with(&|suite| suite["results"][1]["value"] = json!("1")),
            "`value` is not a number",
        ),
        (
            with(&|suite| suite["results"][1] = suite["results"][2].clone()),
            "two results disk/ledger/",
        ),
        (
            with(&|suite| {
                let results = suite["results"].as_array_mut().unwrap();
                results.retain(|one| one["name"].as_str().unwrap().starts_with("list/"));
            }),
            "needs results that were not measured: verdict on a header",
        ),
    ];
    for (suite, error) in &suites {
        project.refuses(&[("suite.json", suite)], error);
    }
    let suite = kept.to_string();
    let head = "reader,good,good refused,corrupt,corrupt accepted";
    for (table, error) in [
        (String::new(), "accuracy.csv: the file is empty"),
        ("reader,good\n".to_owned(), "no column `good refused`"),
        (format!("{head}\n"), "accuracy.csv: no rows"),
        (format!("{head}\nx,1\n"), "a row has 2 cells, not 5: x,1"),
    ] {
        project.refuses(&[("suite.json", &suite), ("accuracy.csv", &table)], error);
    }
    project.refuses(&[], "has none of suite.json");
    let absent = project.root().join("absent");
    let seen = draw::draw(project.root(), Some(&absent)).unwrap_err();
    assert!(seen.to_string().contains("absent: not a folder"), "{seen}");
    fs::remove_file(project.report().join("suite.json")).unwrap();
    project.refuses(
        &[("npm.csv", "package,ratio\nx,1\n")],
        "suite.json: no such file",
    );
}

#[test]
fn results_of_other_runs_are_shown() {
    let project = Project::new();
    let mut suite = project.suite();
    let mut machine = suite["machine"].clone();
    machine["date"] = json!("2027-01-01");
    machine["scale"] = json!("long");
    let results = suite["results"].as_array_mut().unwrap();
    let signing = results.iter_mut();
    let signing = signing.filter(|one| one["name"].as_str().unwrap().starts_with("sign/roa/"));
    let mut count = 0;
    for result in signing {
        result["machine"] = machine.clone();
        count += 1;
    }
    let measured = tempfile::tempdir().unwrap();
    fs::write(measured.path().join("suite.json"), suite.to_string()).unwrap();
    let source = "# measured on 2027-01-02 at commit abc: 3 files of oddities\n";
    let table = "reader,good,good refused,corrupt,corrupt accepted\nx,1,0,2,1\n";
    fs::write(
        measured.path().join("accuracy.csv"),
        format!("{source}{table}"),
    )
    .unwrap();
    let written = draw::draw(project.root(), Some(measured.path())).unwrap();
    assert!(
        written.starts_with("kept suite.json\nkept accuracy.csv\n"),
        "{written}"
    );
    let page = fs::read_to_string(project.report().join("index.html")).unwrap();
    for text in [
        &*format!("{count} of "),
        "2027-01-01, commit",
        "scale long",
        "measured on 2027-01-02 at commit abc: 3 files of oddities",
    ] {
        assert!(page.contains(text), "the page does not state {text}");
    }
    let readme = fs::read_to_string(project.root().join("README.md")).unwrap();
    let text = format!("{count} of ");
    assert!(readme.contains(&text) && readme.contains("are of other runs"));
}

/// What another setting of greenlight wins is shown like what a peer wins.
#[test]
fn losses_to_other_settings_are_shown() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/report");
    let text = fs::read_to_string(format!("{path}/suite.json")).unwrap();
    let results = draw::results::Results::parse(&text).unwrap();
    let page = fs::read_to_string(format!("{path}/index.html")).unwrap();
    let losses = page.split("id=\"losses\"").nth(1).unwrap();
    let losses = losses.split("id=\"growth\"").next().unwrap();
    let losses = losses.replace("<wbr>", "");
    let is_lost = |one: &&draw::results::Measured| {
        one.kind != "limit" && one.ratio.is_some_and(|ratio| ratio < 0.995)
    };
    let lost: Vec<_> = results.all.values().filter(is_lost).collect();
    assert!(lost.iter().any(|one| one.kind == "greenlight"));
    for one in lost {
        let row = format!(
            "{}</a></td><td class=\"text\">{}</td>",
            one.benchmark(),
            one.who()
        );
        assert!(losses.contains(&row), "{} is not shown", one.name);
    }
}
