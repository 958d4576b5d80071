//! `greenlight scan` with a ledger, and `greenlight resume`, that are not killed.

use std::time::Duration;

use greenlight::sandbox::{Fault, Operation, Sandbox, Share};
use insta::assert_snapshot;

use super::{Run, Service, sources};
use crate::cli::{
    running::interrupt,
    scan::KEY,
    site::{Page, Site},
};

/// At most half of `--settle` may pass between the start of a request and its response, and a batch
/// has 50 images: more than a slow rate admits in this time.
#[test]
fn a_rate_slower_than_the_settlement_sends_each_image_once() {
    let service = Service::new("ledger-slow-rate");
    service.list("list.txt", 60);
    let args = [
        "scan", "--from", "list.txt", "--settle", "6s", "--rate", "12",
    ];
    let mut scan = service.command_without_rate(&service.sandbox.endpoint(), &args);
    let run = Run::of(scan.spawn().unwrap());
    assert_eq!(run.code, Some(0), "{run}");
    let status = service.status();
    assert_eq!(
        (&status["tasks"], &status["possibly_billed"]),
        (&60.into(), &0.into()),
        "{status}"
    );
    assert_eq!(service.sandbox.paid(), 60);
}

#[test]
fn a_second_scan_prints_the_stored_outcomes() {
    let service = Service::new("ledger-scan");
    let porn = service.url("porn.png");
    let args = ["scan", &porn, "in", "no.png", "ftp://host/a.png"];
    let first = service.run(&args);
    let printed = first.stdout.clone();
    assert_snapshot!(first.without_ports().without_progress(), @r"
    exit: 2
    ----- stdout -----
    OUTCOME        FORMAT         PIXELS       BYTES  SOURCE
    block          png           256x320        2576  http://127.0.0.1:N/files/porn.png
                   porn: porn, block (98.63)
    pass           png           256x256        2077  in/good.png
    pass           png           256x320        2576  in/porn.png
    pass           gif           272x256        6410  in/sexy.gif
    not-submitted  jpeg          256x128        2644  in/small.jpg
                   image/too-small: 256x128 pixels, at least 256x256: send a larger version
    not-submitted  -                   -           -  no.png
                   error: cannot read: No such file or directory
    not-submitted  -                   -           -  ftp://host/a.png
                   url/scheme: scheme `ftp` is not http or https

    7 sources: 4 accept, 2 reject, 1 inconclusive
    outcomes: 3 pass, 1 block, 3 not-submitted
         1  url/scheme
         1  image/too-small

    ----- stderr -----
    ");
    let paid = service.sandbox.paid();
    let second = service.run(&args);
    assert_eq!((second.code, second.said()), (Some(2), String::new()));
    assert_eq!(second.stdout, printed);
    let porn = service.run(&["scan", &porn]);
    assert_eq!(
        porn.code,
        Some(1),
        "a blocked image is still blocked: {porn}"
    );
    assert_eq!(service.sandbox.paid(), paid, "nothing is paid twice");
    let resumed = service.run(&["resume"]);
    assert_eq!(resumed.stdout, "0 sources\n", "{resumed}");
}

#[test]
fn an_image_listed_often_is_submitted_once() {
    let service = Service::new("ledger-dedup");
    let good = service.url("good.png");
    let other = format!("{}#fragment", good.replace("http", "HTTP"));
    let args = [
        "scan",
        &good,
        &good,
        &other,
        "in/good.png",
        "in",
        "--format",
        "jsonl",
    ];
    let run = service.run(&args);
    let sources = [
        &*good,
        &good,
        &other,
        "in/good.png",
        "in/good.png",
        "in/porn.png",
        "in/sexy.gif",
        "in/small.jpg",
    ];
    assert_eq!(run.texts("source"), sources, "{run}");
    assert_eq!(run.texts("outcome")[..7], ["pass"; 7], "{run}");
    assert_eq!(service.sandbox.paid(), 4, "a URL and three files");
}

#[test]
fn late_outcomes_are_in_the_order_of_the_list() {
    let service = Service::new("ledger-order");
    let png = std::fs::read(service.bench.path("in/good.png")).unwrap();
    let late = Page::image("image/png", png).after(Duration::from_millis(700));
    let site = Site::start([("/late.png", late)]);
    let mut urls = service.good(130);
    urls.insert(0, site.url("/late.png"));
    urls.insert(60, "ftp://host/refused-at-once.png".to_owned());
    service.bench.write("list.txt", urls.join("\n"));
    let mut command = service.command(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    command.args(["--allow-address", &site.allowed()]);
    let run = Run::of(command.spawn().unwrap());
    assert_eq!(run.texts("source"), urls, "{run}");
    assert_eq!(run.code, Some(1));
    assert_eq!(service.sandbox.paid(), 131);
    assert_eq!(service.status()["done_not_printed"], 0);
}

#[cfg(unix)]
#[test]
fn an_interrupted_scan_can_be_resumed() {
    let service = Service::with("ledger-interrupt", Sandbox::builder().polls(20));
    let urls = service.list("list.txt", 60);
    let scan = service.command(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    let child = { scan }.spawn().unwrap();
    service.wait_for("tasks", 60);
    interrupt(&child);
    let first = Run::of(child);
    assert_eq!(first.code, Some(130), "{first}");
    let said = first.without_ports();
    assert_snapshot!(said.said(), @r"
    error: interrupted: 0 done and printed, the rest is kept
    hint: `greenlight resume --endpoint http://127.0.0.1:N` continues where this ended; pass this scan's other options too, where it has them
    ");
    assert_eq!(service.status()["unread_lists"], serde_json::json!([]));

    let resumed = service.run(&["resume", "--format", "jsonl"]);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    let printed = said.stdout + &resumed.stdout;
    assert_eq!(sources(&printed), urls, "in order, each once");
    assert_eq!(service.sandbox.paid(), 60);

    let again = service.run(&["resume"]);
    assert_eq!(again.stdout, "0 sources\n", "{again}");
}

#[cfg(unix)]
#[test]
fn an_unfinished_list_is_requested_again() {
    use std::{io::Write as _, process::Stdio};
    let service = Service::new("ledger-unread");
    let urls = service.good(501);
    let mut scan = service.command(&["scan", "--from", "-", "--format", "jsonl"]);
    let mut child = scan.stdin(Stdio::piped()).spawn().unwrap();
    // The list could continue, as far as the command knows.
    let mut list = child.stdin.take().unwrap();
    list.write_all(urls[..500].join("\n").as_bytes()).unwrap();
    list.write_all(b"\n").unwrap();
    service.wait_for("sources", 500);
    interrupt(&child);
    let first = Run::of(child);
    drop(list);
    assert_eq!(first.code, Some(130), "{first}");
    assert!(
        first.said().contains("the list was not read to its end"),
        "{first}"
    );
    assert_eq!(
        service.status()["unread_lists"],
        serde_json::json!(["stdin"])
    );

    let resumed = service.run(&["resume", "--format", "jsonl"]);
    assert_snapshot!(resumed.said(), @"note: `stdin` was not read to its end: give it to `greenlight scan` again, which does nothing twice");
    service.bench.write("list.txt", urls.join("\n"));
    let mut scan = service.command(&["scan", "--from", "-", "--format", "jsonl"]);
    let input = std::fs::File::open(service.bench.path("list.txt")).unwrap();
    let last = Run::of(scan.stdin(input).spawn().unwrap());
    assert_eq!(last.said(), "");
    assert_eq!(sources(&(first.stdout + &resumed.stdout)), urls[..500]);
    assert_eq!(sources(&last.stdout), urls);
    assert_eq!(service.sandbox.paid(), 501);
    assert_eq!(service.status()["unread_lists"], serde_json::json!([]));
}

#[test]
fn an_ended_wait_prints_how_to_continue() {
    let service = Service::with("ledger-wait", Sandbox::builder().polls(30));
    let good = service.url("good.png");
    let run = service.run(&["scan", &good, "--wait", "500ms"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert_snapshot!(run.without_ports().said(), @r"
    error: no result came in time: 0 done and printed
    hint: `greenlight resume --endpoint http://127.0.0.1:N` continues where this ended; pass this scan's other options too, where it has them
    ");
    let resumed = service.run(&["resume", "--format", "jsonl"]);
    assert_eq!(resumed.texts("outcome"), ["pass"], "{resumed}");
    assert_eq!(service.sandbox.paid(), 1);
}

#[test]
fn an_unreachable_service_is_reported() {
    let service = Service::new("ledger-unreached");
    let good = service.url("good.png");
    let mut scan = service.command_at("http://127.0.0.1:1", &["scan", &good, "--wait", "4s"]);
    let run = Run::of(scan.spawn().unwrap());
    assert_eq!(run.code, Some(2), "{run}");
    let said = run.said();
    let (notes, error) = said.split_once("\nerror: ").expect(&said);
    assert!(
        notes.starts_with("note: the service has done nothing for "),
        "{said}"
    );
    assert_eq!(notes.matches("onnection refused").count(), 1, "{said}");
    let error = error.to_lowercase();
    assert!(error.starts_with("the service has done nothing for "));
    assert!(error.contains("connection refused"), "{said}");
    assert!(error.contains("0 done and printed"), "{said}");
    let status = service.status();
    assert_eq!(
        (&status["next_due"], &status["seconds_left"]),
        (&"probed".into(), &serde_json::Value::Null),
        "{status}"
    );
    assert!(!run.stderr.contains(" left"), "{run}");
}

#[test]
fn a_service_that_rejects_everything_stops_the_run() {
    let service = Service::new("ledger-refuses");
    let good = service.url("good.png");
    let mut scan = service.command(&["scan", "ftp://first/a.png", &good, "--format", "jsonl"]);
    let run = Run::of(scan.env(KEY[1].0, "wrong-secret").spawn().unwrap());
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.said().contains("SignatureDoesNotMatch"), "{run}");
    assert!(run.said().contains("`greenlight resume"), "{run}");
    assert!(!run.to_string().contains("wrong-secret"), "{run}");
    assert_eq!(run.texts("source"), ["ftp://first/a.png"], "{run}");
    let resumed = service.run(&["resume", "--format", "jsonl"]);
    assert_eq!(resumed.texts("outcome"), ["pass"], "{resumed}");
    assert_eq!(service.sandbox.paid(), 1);
}

#[test]
fn formats_that_the_service_rejects_have_a_remedy() {
    let service = Service::new("ledger-not-taken");
    let refused = Fault::Tasks(590, Share::First);
    service.sandbox.inject(Operation::AsyncScan, refused);
    let good = service.url("good.png");
    let run = service.run(&["scan", &good, "--format", "jsonl"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert_eq!(run.texts("outcome"), ["not-submitted"], "{run}");
    let error = &run.texts("error")[0];
    assert!(
        error.starts_with("the service did not take it: 590"),
        "{error}"
    );
    assert_eq!(run.json()[0]["data_id"], serde_json::Value::Null);
    assert_eq!(service.sandbox.paid(), 0);
}

#[test]
fn a_closed_reader_loses_nothing() {
    let service = Service::new("ledger-pipe");
    let urls = service.list("list.txt", 120);
    let mut scan = service.command(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    let mut child = scan.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let line = crate::cli::bench::read_line(&mut stdout);
    drop(stdout);
    let run = Run::of(child);
    assert!(matches!(run.code, Some(0)), "{run}");
    let rest = service.run(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    let mut printed: Vec<_> = sources(&(line + "\n"));
    printed.extend(sources(&rest.stdout));
    printed.dedup();
    let missing: Vec<_> = urls.iter().filter(|url| !printed.contains(url)).collect();
    // Lines written into the pipe before it was closed count as printed, although no process read them.
    assert!(missing.len() < 120, "{missing:?}");
    let export = service.bench.run(&["export"]);
    assert_eq!(sources(&export.stdout), urls);
    assert_eq!(service.sandbox.paid(), 120);
}

#[test]
fn a_scan_without_a_kept_ledger_leaves_no_file() {
    let service = Service::new("ledger-none");
    let run = service.run(&["scan", "in/good.png", "--no-ledger"]);
    assert_eq!(run.code, Some(0), "{run}");
    let run = service.bench.run(&["scan", "--sandbox", "in/good.png"]);
    assert_eq!(run.code, Some(0), "{run}");
    let left = std::fs::read_dir(service.bench.path(".")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["in"]);
}

#[test]
fn the_name_of_a_ledger_can_be_set() {
    let service = Service::new("ledger-name");
    let run = service.run(&["scan", "in/good.png", "--ledger", "my.db"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(!service.bench.path("greenlight.db").exists());
    let status = service
        .bench
        .run(&["status", "--ledger", "my.db", "--format", "jsonl"]);
    assert_eq!(status.json()[0]["done"], 1, "{status}");
}

#[test]
fn unscanned_parts_are_a_warning_in_the_pipeline_too() {
    let service = Service::new("ledger-unseen");
    let long = crate::green_upload::bitmap(256, 256 * 20);
    service.bench.write("long.bmp", long);
    let run = service.run(&["scan", "long.bmp", "--format", "jsonl"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(
        run.json()[0]["violations"][0]["code"],
        "image/frames-unseen"
    );
}

#[test]
fn a_ledger_stores_no_password_of_a_rejected_url() {
    let service = Service::new("ledger-masked");
    let urls = [
        "https://me:hunter2@host.example/a.png",
        "https://me:hun/ter2@host.example/b.png",
    ];
    let scan = service.run(&["scan", urls[0], urls[1], "--ledger", "masked.db"]);
    assert!(
        scan.stdout.contains("https://***@host.example/a.png"),
        "{scan}"
    );
    let ledger = std::fs::read_dir(service.bench.path(".")).unwrap();
    let mut kept = 0;
    for file in ledger.map(|entry| entry.unwrap().path()) {
        if file.is_file() && file.to_string_lossy().contains("masked.db") {
            let bytes = std::fs::read(&file).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                !text.contains("hunter2") && !text.contains("ter2@"),
                "{}",
                file.display()
            );
            kept += usize::from(text.contains("***@host.example"));
        }
    }
    assert!(kept > 0, "the ledger has the masked URL");
}

/// Not every attempt is logged: an outage of a night must not fill the log.
#[test]
#[ignore = "slow: waits for an outage to be reported"]
fn an_outage_is_one_line_and_its_end_another() {
    let service = Service::new("ledger-outage");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let good = service.url("good.png");
    let args = ["scan", &good, "--settle", "1s", "--format", "jsonl"];
    let mut scan = service.command_at(&format!("http://{address}"), &args);
    let scan = scan.spawn().unwrap();
    std::thread::sleep(Duration::from_secs(8));
    let forwarded = forward(address, service.sandbox.address());
    let run = Run::of(scan);
    drop(forwarded);
    assert_eq!(run.code, Some(0), "{run}");
    let said = run.said();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{run}");
    assert!(
        lines[0].starts_with("note: the service has done nothing for "),
        "{run}"
    );
    assert!(
        lines[1].starts_with("note: the service responds again after "),
        "{run}"
    );
}

#[test]
#[ignore = "slow: waits for an outage to be reported"]
fn results_wait_for_the_service_during_an_outage() {
    let service = Service::new("ledger-results-outage");
    let good = service.url("good.png");
    let run = service.run(&["scan", &good, "--format", "jsonl"]);
    let task = run.texts("task_id").remove(0);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let results = |more: &[&str]| {
        let key = service.sandbox.credentials();
        let endpoint = format!("http://{address}");
        let args = [
            "results",
            &task,
            "--endpoint",
            &endpoint,
            "--format",
            "jsonl",
        ];
        let mut command = service.bench.command(&[&args[..], more].concat());
        command.env(KEY[0].0, key.id()).env(KEY[1].0, key.secret());
        command.spawn().unwrap()
    };
    let run = Run::of(results(&["--wait", "0s"]));
    assert_eq!(
        (run.code, run.said().lines().count()),
        (Some(2), 1),
        "{run}"
    );
    let waiting = results(&[]);
    std::thread::sleep(Duration::from_secs(5));
    let forwarded = forward(address, service.sandbox.address());
    let run = Run::of(waiting);
    drop(forwarded);
    assert_eq!(run.texts("outcome"), ["pass"], "{run}");
    let said = run.said();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{run}");
    assert!(
        lines[0].contains("the service has done nothing for "),
        "{run}"
    );
    assert!(
        lines[1].contains("the service responds again after "),
        "{run}"
    );
}

/// Forwards connections from one address to another.
#[expect(
    clippy::disallowed_methods,
    reason = "the service behind it is the test's own"
)]
fn forward(from: std::net::SocketAddr, to: std::net::SocketAddr) -> std::thread::JoinHandle<()> {
    use std::{
        io,
        net::{TcpListener, TcpStream},
        thread,
    };

    let listener = TcpListener::bind(from).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let there = TcpStream::connect(to).unwrap();
            let (mut here, mut other) = (stream.try_clone().unwrap(), there.try_clone().unwrap());
            thread::spawn(move || drop(io::copy(&mut here, &mut other)));
            thread::spawn(move || drop(io::copy(&mut &there, &mut &stream)));
        }
    })
}
