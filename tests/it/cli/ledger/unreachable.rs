//! Processes whose database is stopped.

#![expect(clippy::disallowed_methods, reason = "tests measure time")]

use std::{
    process::Child,
    thread,
    time::{Duration, Instant},
};

use greenlight::sandbox::{Fault, Operation, Sandbox};

use super::{Run, Service, sources};
use crate::{cli::running::signal, postgres_server::Server};

/// After this time an outage was reported.
const REPORTED: Duration = Duration::from_secs(5);

/// Sends SIGTERM, and returns what the process did and how long it took to end.
fn terminate(child: Child) -> (Run, Duration) {
    signal(&child, "TERM");
    let begun = Instant::now();
    let run = Run::of(child);
    (run, begun.elapsed())
}

fn assert_reported(run: &Run, ends: usize) {
    let count = |text: &str| run.stderr.matches(text).count();
    assert_eq!(
        count("warning: the ledger has been unreachable for"),
        1,
        "{run}"
    );
    assert_eq!(count("the ledger can be reached again"), ends, "{run}");
}

/// Starts two workers on a ledger that has nothing left to do.
fn idle_workers(service: &Service, url: &str) -> [Child; 2] {
    service.list("list.txt", 1);
    let scan = Run::of(service.scan_list(url, &[]));
    assert_eq!(scan.code, Some(0), "{scan}");
    let workers = [(); 2].map(|()| service.work(url, &[]));
    thread::sleep(Duration::from_secs(2));
    workers
}

#[test]
fn an_idle_worker_ends_promptly_while_the_database_is_stopped() {
    let Some(database) = Server::start("idle") else {
        return;
    };
    let service = Service::new("unreachable-idle");
    let [worker, other] = idle_workers(&service, database.url());
    database.stop();
    thread::sleep(REPORTED);
    let (run, time) = terminate(worker);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(time < Duration::from_secs(3), "{time:?}");
    assert_reported(&run, 0);

    database.start_again();
    thread::sleep(Duration::from_secs(8));
    let (run, time) = terminate(other);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(time < Duration::from_secs(3), "{time:?}");
    assert_reported(&run, 1);
}

/// A server that is stopped does not close its connections, and the system acknowledges what it
/// is sent.
#[test]
fn a_database_that_does_not_respond_is_unreachable() {
    let Some(database) = Server::start("frozen") else {
        return;
    };
    let service = Service::new("unreachable-frozen");
    let url = format!("{}?connect_timeout=1", database.url());
    let [worker, other] = idle_workers(&service, &url);
    let frozen = database.freeze();
    thread::sleep(REPORTED + Duration::from_secs(3));
    let (run, time) = terminate(worker);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(time < Duration::from_secs(3), "{time:?}");
    assert_reported(&run, 0);

    let begun = Instant::now();
    let status = service.bench.run(&["status", "--ledger", &url]);
    assert_eq!(status.code, Some(2), "{status}");
    assert!(
        status.stderr.contains("does not respond within 1 second"),
        "{status}"
    );
    assert!(begun.elapsed() < Duration::from_secs(10), "{status}");

    drop(frozen);
    thread::sleep(Duration::from_secs(8));
    let (run, time) = terminate(other);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(time < Duration::from_secs(3), "{time:?}");
    assert_reported(&run, 1);
}

/// A scan that waits for results is interrupted while the database is stopped. It is resumed later.
#[test]
fn an_interrupted_scan_ends_while_the_database_is_stopped() {
    let Some(database) = Server::start("interrupted") else {
        return;
    };
    let service = Service::with("unreachable-scan", Sandbox::builder().polls(100));
    let urls = service.list("list.txt", 20);
    let scan = service.scan_list(database.url(), &[]);
    service.wait_for_shared(database.url(), "tasks", 20);
    database.stop();
    thread::sleep(REPORTED);
    let (run, time) = terminate(scan);
    assert_eq!(run.code, Some(130), "{run}");
    assert!(time < Duration::from_secs(3), "{time:?}");
    assert_reported(&run, 0);
    assert!(run.stderr.contains("greenlight resume"), "{run}");

    database.start_again();
    service.wait_for_shared(database.url(), "tasks", 20);
    let args = ["resume", "--format", "jsonl", "--ledger", database.url()];
    let resumed = service.command(&args).spawn().unwrap();
    thread::sleep(Duration::from_secs(2));
    database.stop();
    thread::sleep(REPORTED);
    database.start_again();
    let resumed = Run::of(resumed);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    assert_reported(&resumed, 1);
    let printed = [sources(&run.stdout), sources(&resumed.stdout)].concat();
    assert_eq!(printed, urls, "each line once and in order");
    assert_eq!(service.sandbox.paid(), 20);
}

/// Starts a scan of three images, and stops the database and the scan while the response to its
/// request is outstanding.
fn interrupt_in_flight(service: &Service, database: &Server) -> Child {
    service.list("list.txt", 3);
    let late = Fault::Delay(Duration::from_secs(4));
    service.sandbox.inject(Operation::AsyncScan, late);
    let scan = service.scan_list(database.url(), &[]);
    // Paid before the response.
    while service.sandbox.paid() < 3 {
        thread::sleep(Duration::from_millis(20));
    }
    database.stop();
    signal(&scan, "TERM");
    scan
}

#[test]
fn an_interrupted_scan_waits_to_record_what_it_sent() {
    let Some(database) = Server::start("recorded") else {
        return;
    };
    let service = Service::new("unreachable-recorded");
    let scan = interrupt_in_flight(&service, &database);
    thread::sleep(Duration::from_secs(8));
    database.start_again();
    let run = Run::of(scan);
    assert_eq!(run.code, Some(130), "{run}");
    let status = service.shared_status(database.url());
    assert_eq!(
        (&status["tasks"], &status["possibly_billed"]),
        (&3.into(), &0.into()),
        "{status}"
    );
}

#[test]
#[ignore = "slow: a grace period of a minute"]
fn an_interrupted_scan_waits_for_a_minute_at_most() {
    let Some(database) = Server::start("unrecorded") else {
        return;
    };
    let service = Service::new("unreachable-unrecorded");
    let scan = interrupt_in_flight(&service, &database);
    let begun = Instant::now();
    let run = Run::of(scan);
    let time = begun.elapsed();
    assert_eq!(run.code, Some(130), "{run}");
    assert!(run.stderr.contains("3 images were sent"), "{run}");
    let wanted = Duration::from_secs(55)..Duration::from_secs(63);
    assert!(wanted.contains(&time), "{time:?}");
}
