//! `scan --checked-within`: rows of a list that state a recent check are not probed. The images of such rows
//! do not exist on the server, so that a probe rejects them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use greenlight::Requirements;
use serde_json::{Value, json};

use super::{Run, Service};

const HOUR: Duration = Duration::from_secs(3_600);

#[expect(
    clippy::disallowed_methods,
    reason = "the command compares with the time of day"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since 1970, `age` ago.
fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

/// A row that can be taken.
fn fresh(url: &str) -> Value {
    // As `Service::command` sets them.
    let requirements = Requirements::ASYNC.with_download_time(Duration::from_secs(30));
    json!({
        "source": url, "decision": "accept", "codes": "", "format": "jpeg", "width": 640, "height": 480,
        "bytes": 20_000, "frames": 1, "version": env!("CARGO_PKG_VERSION"),
        "requirements": requirements.fingerprint(), "checked_at": millis(now()),
    })
}

/// Rows with their outcomes: the first three are taken.
fn rows(service: &Service) -> Vec<(Value, &'static str)> {
    let absent = |name: &str| service.sandbox.folder_url().unwrap() + "/" + name;
    let now = now();
    let changes = [
        ("frames", json!(1), "pass"),
        ("frames", Value::Null, "pass"),
        ("width", json!("640.0"), "pass"),
        ("checked_at", json!(millis(now - 2 * HOUR)), "not-submitted"),
        ("checked_at", json!(millis(now + HOUR)), "not-submitted"),
        ("checked_at", Value::Null, "not-submitted"),
        ("decision", json!("reject"), "not-submitted"),
        ("version", json!("0.0.1"), "not-submitted"),
        ("requirements", json!("0123456789abcdef"), "not-submitted"),
        ("format", json!("photo"), "not-submitted"),
        ("width", json!("wide"), "not-submitted"),
        ("height", json!(0), "not-submitted"),
        ("bytes", json!(-1), "not-submitted"),
        ("version", json!("1".repeat(100)), "not-submitted"),
        ("source", json!("http://10.0.0.1/a.jpg"), "not-submitted"),
    ];
    let row = |(number, (name, value, outcome)): (usize, (&str, Value, _))| {
        let mut row = fresh(&absent(&format!("absent-{number}.jpg")));
        row[name] = value;
        (row, outcome)
    };
    changes.into_iter().enumerate().map(row).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn delimited(rows: &[Value], delimiter: &str) -> String {
    let names: Vec<_> = rows[0].as_object().unwrap().keys().cloned().collect();
    let line = |row: &Value| {
        names
            .iter()
            .map(|name| text(&row[name]))
            .collect::<Vec<_>>()
    };
    let mut lines = vec![names.join(delimiter)];
    lines.extend(rows.iter().map(|row| line(row).join(delimiter)));
    lines.join("\n")
}

fn scan(service: &Service, list: &str, more: &[&str]) -> Run {
    let args = ["scan", "--from", list, "--format", "jsonl"];
    service.run(&[&args[..], more].concat())
}

#[test]
fn only_recent_accepted_rows_of_these_requirements_are_not_probed() {
    let service = Service::new("earlier-rows");
    let (rows, wanted): (Vec<_>, Vec<_>) = rows(&service).into_iter().unzip();
    let lines: Vec<_> = rows.iter().map(ToString::to_string).collect();
    service.bench.write("a.jsonl", lines.join("\n"));
    service.bench.write("a.csv", delimited(&rows, ","));
    service.bench.write("a.tsv", delimited(&rows, "\t"));
    let mut paid = 0;
    for list in ["a.jsonl", "a.csv", "a.tsv"] {
        let ledger = format!("{list}.db");
        let run = scan(
            &service,
            list,
            &["--checked-within", "1h", "--ledger", &ledger],
        );
        assert_eq!(run.texts("outcome"), wanted, "{list}: {run}");
        let note = "3 taken from the list's checks, 12 probed";
        assert!(run.stderr.contains(note), "{list}: {run}");
        paid += 3;
        assert_eq!(service.sandbox.paid(), paid, "{list}");
    }
    let first = &scan(
        &service,
        "a.csv",
        &["--checked-within", "1h", "--ledger", "a.csv.db"],
    )
    .json()[0];
    assert_eq!(
        (&first["width"], &first["frames"]),
        (&json!(640), &json!(1)),
        "{first}"
    );
    assert_eq!(
        first["checked_at"], rows[0]["checked_at"],
        "the time of the check"
    );
    let run = scan(&service, "a.jsonl", &["--ledger", "without.db"]);
    assert_eq!(run.texts("outcome"), ["not-submitted"; 15], "{run}");
    assert!(!run.stderr.contains("the list's checks"), "{run}");
    let others = [
        "--checked-within",
        "1h",
        "--ledger",
        "others.db",
        "--min-width",
        "300",
    ];
    let run = scan(&service, "a.jsonl", &others);
    assert_eq!(run.texts("outcome"), ["not-submitted"; 15], "{run}");
}

#[test]
fn the_output_of_check_is_a_list_of_checks() {
    let service = Service::new("earlier-check");
    let good = std::fs::read(service.bench.path("in/good.png")).unwrap();
    for format in ["csv", "jsonl"] {
        service.bench.write("in/good.png", &good);
        let url = service.url("good.png");
        service
            .bench
            .write("urls.txt", format!("{url}?1\n{url}?2\n"));
        let list = format!("accepted.{format}");
        let allowed = format!("127.0.0.1/32:{}", service.sandbox.address().port());
        let check = ["check", "--from", "urls.txt", "--allow-address", &allowed];
        let to = ["--format", format, "--output", &list, "--timeout", "30s"];
        let run = service.bench.run(&[&check[..], &to].concat());
        assert_eq!(run.code, Some(0), "{run}");
        service.bench.write("in/good.png", "no image any more");
        let ledger = format!("{format}.db");
        let args = ["--checked-within", "1h", "--ledger", &ledger];
        let run = scan(&service, &list, &args);
        assert_eq!(run.texts("outcome"), ["pass", "pass"], "{format}: {run}");
        assert!(
            run.stderr.contains("2 taken from the list's checks\n"),
            "{run}"
        );
    }
}
