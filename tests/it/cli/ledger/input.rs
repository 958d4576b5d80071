//! Lists with malformed lines.

use insta::assert_snapshot;

use super::{Run, Service};
use crate::cli::printing::csv_of;

#[test]
fn malformed_lines_are_in_order_among_the_outcomes() {
    let service = Service::new("input-broken");
    let mut list = format!("{}\n", service.url("good.png")).into_bytes();
    list.extend(b"\xff\xfe.png\nno-such.png\n");
    list.extend(std::iter::repeat_n(b'x', 100_000));
    list.extend(format!("\n{}\n", service.url("porn.png")).into_bytes());
    service.bench.write("list.txt", list);
    let args = [
        "scan",
        "--from",
        "list.txt",
        "--format",
        "jsonl",
        "--files-under",
        ".",
    ];
    let run = service.run(&args);
    assert_eq!(run.code, Some(2), "{run}");
    let outcomes = [
        "pass",
        "not-submitted",
        "not-submitted",
        "not-submitted",
        "block",
    ];
    assert_eq!(run.texts("outcome"), outcomes, "{run}");
    let errors = [
        "",
        "list.txt line 2: not UTF-8",
        "list.txt line 3: cannot read: No such file or directory",
        "list.txt line 4: longer than 65536 bytes",
        "",
    ];
    assert_eq!(run.texts("error"), errors, "{run}");
    assert_eq!(run.texts("decision")[1], "inconclusive");
    assert_snapshot!(run.said(), @r"
    error: list.txt line 2: not UTF-8
    error: list.txt line 4: longer than 65536 bytes
    ");
    assert_eq!(service.bench.run(&["export"]).stdout, run.stdout);
}

#[test]
fn exported_cells_are_not_formulas_by_default() {
    let service = Service::new("input-formulas");
    service.bench.write("list.txt", "=1+1.png\n@a.png\n");
    let run = service.run(&["scan", "--from", "list.txt", "--files-under", "."]);
    assert_eq!(run.code, Some(2), "{run}");
    let first = |args: &[&str]| -> Vec<String> {
        let mut table = csv_of(&service.bench.run(args).stdout);
        table.remove(0);
        table.into_iter().map(|mut row| row.remove(0)).collect()
    };
    let args = ["export", "--format", "csv", "--csv-raw"];
    assert_eq!(first(&args[..3]), ["'=1+1.png", "'@a.png"]);
    assert_eq!(first(&args), ["=1+1.png", "@a.png"]);
    let args = ["export", "--format", "csv", "--output", "out.csv"];
    assert_eq!(service.bench.run(&args).code, Some(0));
    let written = std::fs::read_to_string(service.bench.path("out.csv")).unwrap();
    assert!(written.contains("\n'=1+1.png,"), "{written}");
}

#[test]
fn data_ids_are_kept_and_duplicates_reported() {
    let service = Service::new("input-data-ids");
    let [a, b, c] = [0, 1, 2].map(|n| format!("{}?{n}", service.url("good.png")));
    let list = format!("id,url\nfirst,{a}\nsame,{b}\nsame,{c}\nlast,{a}\n");
    service.bench.write("list.csv", list);
    let args = ["scan", "--from", "list.csv", "--format", "jsonl"];
    let mut scan = service.command(&args);
    scan.args(["--column", "url", "--data-id-column", "id"]);
    let run = Run::of(scan.spawn().unwrap());
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(
        run.texts("data_id"),
        ["first", "same", "same", "last"],
        "{run}"
    );
    assert_eq!(service.sandbox.paid(), 3);
    assert_snapshot!(run.said(), @"error: the data id `same` is at 2 places, the first of which are list.csv line 3 and list.csv line 4: each gets its outcome");
}

#[test]
fn an_unknown_column_is_reported_before_a_ledger_is_created() {
    let service = Service::new("input-column");
    service.bench.write("list.csv", "id,url\n1,http://host/\n");
    let mut scan = service.command(&["scan", "--from", "list.csv", "--column", "link"]);
    let run = Run::of(scan.spawn().unwrap());
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("link"), "{run}");
    assert!(!service.bench.path("greenlight.db").exists(), "{run}");
}

#[test]
fn every_list_format_keeps_equal_sources() {
    let service = Service::new("input-equal");
    let url = service.good(1).remove(0);
    let lines = format!("{url}\n").repeat(3);
    let texts = [
        format!("\"{url}\""),
        format!("\"{url}\""),
        format!("\"{url}\""),
    ];
    let objects = format!("[{{\"url\":\" {url} \"}},{{\"url\":\"{url}\"}},\"{url}\"]");
    for (name, text) in [
        ("list.txt", lines.clone()),
        ("list.csv", format!("url\n{lines}")),
        (
            "list.tsv",
            format!("url\tn\n{}", lines.replace('\n', "\t1\n")),
        ),
        ("list.jsonl", texts.join("\n")),
        ("list.json", format!("[{}]", texts.join(","))),
        ("objects.json", objects),
        ("list.parquet", String::new()),
    ] {
        if name == "list.parquet" {
            let args = ["export", "--format", "parquet", "--output", name];
            let export = service
                .bench
                .run(&[&args[..], &["--ledger", "list.txt.db"]].concat());
            assert_eq!(export.code, Some(0), "{export}");
        } else {
            service.bench.write(name, text);
        }
        let list = ["--from", name, "--format", "jsonl"];
        let check = service.bench.run(&[&["check"][..], &list].concat());
        assert_eq!(check.texts("source"), [&*url, &*url, &*url], "{name}");
        let plan = service.bench.run(&[&["plan"][..], &list].concat());
        assert_eq!(plan.json()[0]["sources"], 3, "{name}: {plan}");
        let ledger = format!("{name}.db");
        let scan = [&["scan"][..], &list, &["--ledger", &ledger]].concat();
        for _ in 0..2 {
            let scan = service.run(&scan);
            assert_eq!(scan.texts("source"), [&*url, &*url, &*url], "{name}");
            let numbers: Vec<_> = scan.json().iter().map(|row| row["line"].as_u64()).collect();
            assert!(
                numbers.is_sorted_by(|one, other| one < other),
                "{name}: {numbers:?}"
            );
        }
        let status = ["status", "--format", "jsonl", "--ledger", &ledger];
        let status = service.bench.run(&status).json().remove(0);
        assert_eq!(status["sources"], 3, "{name}: {status}");
    }
}
