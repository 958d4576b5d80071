//! `greenlight doctor`, against the sandbox and against what can be wrong.

use std::time::Duration;

use greenlight::sandbox::{Fault, Operation, Sandbox};

use super::{
    bench::{Bench, Run},
    ledger::Service,
    scan::KEY,
};

/// The states of the checks, in order.
fn states(run: &Run) -> Vec<(String, String)> {
    let lines = run.json();
    let text = |line: &serde_json::Value, key: &str| line[key].as_str().unwrap().to_owned();
    lines
        .iter()
        .map(|line| (text(line, "check"), text(line, "state")))
        .collect()
}

/// The line of one check.
fn line(run: &Run, check: &str) -> serde_json::Value {
    let line = run.json().into_iter().find(|line| line["check"] == check);
    line.unwrap_or_else(|| panic!("no {check}: {run}"))
}

fn is_failed(run: &Run, check: &str) -> bool {
    let line = line(run, check);
    line["state"] == "failed" && line["advice"].is_string()
}

#[test]
fn a_sandbox_is_well() {
    let bench = Bench::new("doctor-sandbox");
    let run = bench.run(&["doctor", "--sandbox"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{run}");
    assert_eq!(run.stdout.lines().count(), 9, "a line each: {run}");
    let run = bench.run(&["doctor", "--sandbox", "--format", "jsonl"]);
    let expected = [
        "region",
        "proxy",
        "dns",
        "connection",
        "tls",
        "key",
        "service",
        "clock",
        "ledger",
    ];
    let expected = expected.map(|check| (check.to_owned(), "ok".to_owned()));
    assert_eq!(states(&run), expected, "{run}");
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let bench = Bench::new("doctor-wrong");
    let doctor = |args: &[&str]| {
        let mut command = bench.command(&[&["doctor", "--format", "jsonl"], args].concat());
        Run::of(command.envs(KEY).spawn().unwrap())
    };
    let run = doctor(&[]);
    assert!(run.code == Some(2) && is_failed(&run, "region"), "{run}");
    let run = doctor(&["--region", "mars-1"]);
    assert!(run.code == Some(2) && is_failed(&run, "region"), "{run}");

    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let run = doctor(&["--endpoint", &format!("http://{closed}")]);
    assert!(
        is_failed(&run, "connection") && is_failed(&run, "service"),
        "{run}"
    );
    let run = doctor(&["--sandbox", "--ledger", "no/such/folder.db"]);
    assert!(is_failed(&run, "ledger"), "{run}");

    let mut command = bench.command(&["doctor", "--sandbox", "--format", "jsonl"]);
    let run = Run::of(
        command
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .spawn()
            .unwrap(),
    );
    assert_eq!(line(&run, "proxy")["state"], "warning", "{run}");
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn the_key_the_clock_and_tls_are_tested() {
    let service = Service::new("doctor-service");
    let doctor = |key: [&str; 2], endpoint: &str| {
        let mut command =
            service
                .bench
                .command(&["doctor", "--format", "jsonl", "--endpoint", endpoint]);
        Run::of(
            command
                .env(KEY[0].0, key[0])
                .env(KEY[1].0, key[1])
                .spawn()
                .unwrap(),
        )
    };
    let (key, endpoint) = (service.sandbox.credentials(), service.sandbox.endpoint());
    let key = [key.id(), key.secret()];
    let run = doctor(key, &endpoint);
    assert_eq!(run.code, Some(0), "{run}");

    let run = doctor([key[0], "another-secret"], &endpoint);
    assert!(run.code == Some(2) && is_failed(&run, "service"), "{run}");
    assert!(!run.stdout.contains("another-secret"), "{run}");

    let run = Run::of(
        service
            .bench
            .command(&["doctor", "--format", "jsonl", "--endpoint", &endpoint])
            .spawn()
            .unwrap(),
    );
    assert!(is_failed(&run, "key"), "{run}");

    let run = doctor(key, &endpoint.replace("http://", "https://"));
    assert!(is_failed(&run, "tls"), "{run}");

    service
        .sandbox
        .put_clock_forward(Duration::from_secs(3_600));
    let run = doctor(key, &endpoint);
    assert!(is_failed(&run, "clock"), "{run}");
}

#[test]
fn an_account_that_has_not_opened_1_0_is_led_to_2_0() {
    let service = Service::new("doctor-596");
    service
        .sandbox
        .inject(Operation::Results, Fault::Service(596));
    let endpoint = service.sandbox.endpoint();
    let args = ["doctor", "--format", "jsonl", "--endpoint", &endpoint];
    let key = service.sandbox.credentials();
    let mut command = service.bench.command(&args);
    command.env(KEY[0].0, key.id()).env(KEY[1].0, key.secret());
    let run = Run::of(command.spawn().unwrap());
    assert!(run.code == Some(2) && is_failed(&run, "service"), "{run}");
    let advice = line(&run, "service")["advice"].to_string();
    assert!(advice.contains("try --api 2.0"), "{run}");

    service
        .sandbox
        .inject(Operation::AsyncScan, Fault::Service(596));
    service.list("list.txt", 1);
    let run = service.run(&["scan", "--from", "list.txt"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("--api 2.0 --service CODE"), "{run}");
}

#[test]
fn a_ledger_of_another_key_is_a_warning() {
    let service = Service::with("doctor-ledger", Sandbox::builder());
    service.list("list.txt", 1);
    let run = service.run(&["scan", "--from", "list.txt"]);
    assert_eq!(run.code, Some(0), "{run}");
    let endpoint = service.sandbox.endpoint();
    let args = ["doctor", "--format", "jsonl", "--endpoint", &endpoint];
    let run = Run::of(service.bench.command(&args).envs(KEY).spawn().unwrap());
    assert_eq!(line(&run, "ledger")["state"], "warning", "{run}");
}
