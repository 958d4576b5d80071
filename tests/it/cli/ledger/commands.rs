//! `status`, `retry`, `dead`, `export` and `plan`.

use greenlight::sandbox::{Fault, Operation, Share};
use insta::assert_snapshot;

use super::Service;

/// A ledger with one of everything: passed, blocked, refused by the check and by the service.
fn mixed(name: &str) -> Service {
    let service = Service::new(name);
    let refused = Fault::Tasks(590, Share::First);
    service.sandbox.inject(Operation::AsyncScan, refused);
    let urls = [
        service.url("good.png"),
        service.url("porn.png"),
        service.url("sexy.gif"),
        service.url("small.jpg"),
        "ftp://host/x.png".to_owned(),
    ];
    service.bench.write("list.txt", urls.join("\n"));
    let run = service.run(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    assert_eq!(
        run.texts("outcome"),
        [
            "not-submitted",
            "block",
            "review",
            "not-submitted",
            "not-submitted"
        ],
        "{run}"
    );
    service
}

#[test]
fn the_status_counts_states_classes_and_money() {
    let service = mixed("ledger-status");
    let run = service.bench.run(&["status"]);
    assert_snapshot!(run, @"");
    let status = service.status();
    assert_eq!(status["tasks"], 2);
    assert_eq!(status["billed"], 4);
    assert_eq!(status["states"]["dead"], 1);
    let csv = service.bench.run(&["status", "--format", "csv"]);
    assert_eq!(csv.stdout.lines().count(), 2, "{csv}");
}

#[test]
fn the_dead_are_listed_with_their_reasons_and_tried_again() {
    let service = mixed("ledger-dead");
    let run = service.bench.run(&["dead"]);
    assert_snapshot!(run.without_ports(), @"");
    let run = service.bench.run(&["dead", "--format", "jsonl"]);
    let dead = &run.json()[0];
    assert_eq!(dead["class"], "submit/590");
    assert_eq!(
        (&dead["list"], &dead["line"]),
        (&"list.txt".into(), &1.into())
    );

    let unknown = service.bench.run(&["retry", "--class", "submit/591"]);
    assert_snapshot!(unknown, @"");
    let retried = service.bench.run(&["retry", "--class", "submit/590"]);
    assert_snapshot!(retried, @"");
    assert_eq!(service.status()["left"], 1);
    assert_eq!(service.bench.run(&["dead"]).stdout, "");

    let resumed = service.run(&["resume", "--format", "jsonl"]);
    assert_eq!(
        resumed.texts("source"),
        [service.url("good.png")],
        "it alone"
    );
    assert_eq!(resumed.texts("outcome"), ["pass"]);
    assert_eq!(service.sandbox.paid(), 3);
}

#[test]
fn without_a_class_all_dead_are_tried_again_and_no_rejected_ones() {
    let service = mixed("ledger-retry-all");
    let retried = service.bench.run(&["retry"]);
    assert!(
        retried.stdout.starts_with("1 image will be tried again"),
        "{retried}"
    );
    let classes = ["image/too-small", "url/scheme"];
    let retried = service.bench.run(&["retry", "--class", &classes.join(",")]);
    assert!(
        retried.stdout.starts_with("2 images will be tried again"),
        "{retried}"
    );
    assert_eq!(service.status()["left"], 3);
    let resumed = service.run(&["resume", "--format", "jsonl"]);
    assert_eq!(
        resumed.texts("outcome"),
        ["pass", "not-submitted", "not-submitted"]
    );
}

#[test]
fn an_export_is_what_scan_printed() {
    let service = Service::new("ledger-export");
    let porn = service.url("porn.png");
    let args = ["scan", &porn, "in", "no.png", "http://a b/", "--format"];
    let printed = service.run(&[&args[..], &["jsonl"]].concat());
    let exported = service.bench.run(&["export"]);
    assert_eq!(exported.code, Some(0), "{exported}");
    assert_eq!(exported.stdout, printed.stdout);

    let again = [&args[..], &["csv", "--ledger", "other.db"]].concat();
    let printed = service.run(&again);
    let exported = service
        .bench
        .run(&["export", "--ledger", "other.db", "--format", "csv"]);
    assert_eq!(exported.stdout, printed.stdout);

    service.bench.write("out.jsonl", "what was there");
    let run = service.bench.run(&["export", "--output", "out.jsonl"]);
    assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{run}");
    let written = std::fs::read_to_string(service.bench.path("out.jsonl")).unwrap();
    assert_eq!(written, service.bench.run(&["export"]).stdout);
    assert!(!service.bench.path("out.jsonl.part").exists());
    let run = service
        .bench
        .run(&["export", "--output", "no/such/folder.jsonl"]);
    assert_snapshot!(run, @"");
}

#[test]
fn what_is_not_done_is_exported_as_such() {
    let service = Service::with(
        "ledger-export-open",
        greenlight::sandbox::Sandbox::builder().polls(1_000),
    );
    let good = service.url("good.png");
    let run = service.run(&["scan", &good, "ftp://host/x", "--wait", "200ms"]);
    assert_eq!(run.code, Some(2), "{run}");
    let exported = service.bench.run(&["export"]);
    assert_eq!(exported.texts("source"), [&*good, "ftp://host/x"]);
    assert_eq!(exported.texts("outcome"), ["undecided", "not-submitted"]);
    assert_eq!(exported.texts("error")[0], "no result yet");
    assert_eq!(exported.texts("decision"), ["accept", "reject"]);
    assert!(exported.json()[0]["task_id"].is_string());
}

#[test]
fn a_plan_says_what_a_scan_would_cost() {
    let service = Service::new("ledger-plan");
    let urls = [
        service.url("good.png"),
        service.url("good.png"),
        service.url("porn.png"),
        service.url("none.png"),
        "ftp://host/x".to_owned(),
        "in/small.jpg".to_owned(),
    ];
    service.bench.write("list.txt", urls.join("\n"));
    let allowed = format!("127.0.0.1/32:{}", service.sandbox.address().port());
    let args = ["plan", "--from", "list.txt", "--allow-address", &allowed];
    let run = service
        .bench
        .run(&[&args[..], &["--price", "1.80"]].concat());
    assert_snapshot!(run, @"");
    let run = service
        .bench
        .run(&[&args[..], &["--format", "jsonl"]].concat());
    let plan = &run.json()[0];
    assert_eq!(
        (&plan["sources"], &plan["duplicates"]),
        (&6.into(), &1.into())
    );
    assert_eq!((&plan["accepted"], &plan["billed"]), (&2.into(), &4.into()));
    assert_eq!(plan["cost"], serde_json::Value::Null);
    assert_eq!(service.sandbox.paid(), 0);
    assert!(!service.bench.path("greenlight.db").exists());
}

#[test]
fn every_command_has_examples() {
    let service = Service::new("ledger-help");
    for command in [
        "scan", "resume", "status", "retry", "dead", "export", "plan",
    ] {
        let run = service.bench.run(&[command, "--help"]);
        assert_eq!(run.code, Some(0), "{run}");
        assert!(
            run.stdout.contains(&format!("  greenlight {command}")),
            "{run}"
        );
        assert!(
            command == "plan" || run.stdout.contains("--ledger <FILE>"),
            "{run}"
        );
    }
}
