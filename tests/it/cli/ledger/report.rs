//! `report --ledger`, and Parquet out and in.

use std::fs;

use greenlight::sandbox::Sandbox;

use super::Service;

fn page(service: &Service) -> String {
    let args = [
        "report",
        "--html",
        "report.html",
        "--ledger",
        "greenlight.db",
    ];
    let run = service.bench.run(&args);
    assert_eq!(run.code, Some(0), "{run}");
    fs::read_to_string(service.bench.path("report.html")).unwrap()
}

/// The page from its first plot on.
fn after_provenance(page: &str) -> &str {
    page.split_once("<div class=\"share\">").expect("a bar").1
}

fn assert_tiles(page: &str, tiles: &[(&str, u32)]) {
    for (name, count) in tiles {
        let tile = format!("<dt>{name}</dt><dd>{count}</dd>");
        assert!(page.contains(&tile), "{tile}");
    }
}

#[test]
fn the_report_of_a_ledger_equals_that_of_its_export() {
    let service = Service::new("report-ledger");
    let (good, porn) = (service.url("good.png"), service.url("porn.png"));
    let sources = [&good, &porn, "in/small.jpg", "ftp://host/x", &good];
    service.bench.write("list.txt", sources.join("\n"));
    let run = service.run(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    assert_eq!(run.code, Some(1), "{run}");
    let drawn = page(&service);
    assert_tiles(
        &drawn,
        &[
            ("images", 5),
            ("accepted", 3),
            ("rejected", 2),
            ("passed", 2),
            ("blocked", 1),
        ],
    );
    assert!(!drawn.contains("not done yet"));

    let exported = service.bench.run(&["export"]);
    let args = ["report", "--html", "lines.html"];
    let run = service.bench.run_with_input(&args, exported.stdout);
    assert_eq!(run.code, Some(0), "{run}");
    let lines = fs::read_to_string(service.bench.path("lines.html")).unwrap();
    assert!(drawn.contains("5 from a ledger"));
    for page in [&drawn, &lines] {
        assert!(page.contains("<dt>lists</dt><dd>list.txt</dd>"), "{page}");
        // The requirements that the command's options make: a time limit of 30 s.
        assert!(page.contains("preset async, 1 setting changed"), "{page}");
        assert!(page.contains("30\u{202f}000 (changed)"), "{page}");
    }
    assert!(
        drawn.contains("<dt>scenes</dt><dd>porn, terrorism</dd>"),
        "{drawn}"
    );
    assert!(lines.contains("5 from standard input"));
    assert_eq!(after_provenance(&drawn), after_provenance(&lines));
}

#[test]
fn unfinished_states_are_distinguished() {
    let service = Service::with("report-pending", Sandbox::builder().polls(1_000));
    let good = service.url("good.png");
    let run = service.run(&["scan", &good, "ftp://host/x", "--wait", "1s"]);
    assert_eq!(run.code, Some(2), "{run}");
    let page = page(&service);
    assert_tiles(
        &page,
        &[
            ("images", 2),
            ("accepted", 1),
            ("rejected", 1),
            ("no result yet", 1),
            ("not done yet", 1),
        ],
    );
    assert!(!page.contains(">undecided<"), "{page}");
    let (_, rows) = page.split_once("type=\"application/x-ndjson\">").unwrap();
    let (rows, _) = rows.split_once("</script>").unwrap();
    assert_eq!(
        rows.lines().count(),
        1,
        "what is not done is not to be looked at"
    );
}

#[test]
fn a_missing_ledger_is_reported() {
    let service = Service::new("report-none");
    let args = ["report", "--html", "report.html", "--ledger", "none.db"];
    let run = service.bench.run(&args);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("none.db"), "{run}");
    assert!(!service.bench.path("none.db").exists());
    assert!(!service.bench.path("report.html").exists());
}

#[test]
fn a_ledger_without_sources_is_an_error() {
    let service = Service::new("report-empty");
    service.bench.write("list.txt", "");
    service.run(&["scan", "--from", "list.txt"]);
    assert!(service.bench.path("greenlight.db").exists());
    let args = ["report", "--html", "report.html", "--ledger"];
    let run = service.bench.run(&[&args[..], &["greenlight.db"]].concat());
    assert_eq!(run.code, Some(2), "{run}");
    let said = "nothing to report: the ledger holds no results";
    assert!(run.stderr.contains(said), "{run}");
    assert!(!service.bench.path("report.html").exists());
}

#[test]
fn a_parquet_export_can_be_used_as_a_list() {
    let service = Service::new("report-parquet");
    // Most lines are rejected immediately: only the export must be long.
    let rejected = (0..1_400).map(|number| format!("ftp://host/{number}"));
    let urls: Vec<_> = service.good(100).into_iter().chain(rejected).collect();
    let numbered = urls.iter().enumerate();
    let lines: Vec<_> = numbered.map(|(n, url)| format!("{url},id-{n}")).collect();
    let list = format!("url,id\n{}\nhttp://a b/,last\n", lines.join("\n"));
    service.bench.write("list.csv", list);
    let args = ["scan", "--from", "list.csv", "--data-id-column", "id"];
    let run = service.run(&[&args[..], &["--format", "jsonl"]].concat());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let export = ["export", "--format", "parquet", "--output", "out.parquet"];
    let exported = service.bench.run(&export);
    assert_eq!(exported.code, Some(0), "{exported}");

    let args = ["scan", "--from", "out.parquet", "--ledger", "other.db"];
    let columns = ["--column", "source", "--data-id-column", "data_id"];
    let again = service.run(&[&args[..], &columns, &["--format", "jsonl"]].concat());
    for key in ["source", "data_id", "decision", "outcome"] {
        assert_eq!(again.texts(key), run.texts(key), "{key}");
    }
    assert_eq!(again.texts("data_id")[1_500], "last");
}
