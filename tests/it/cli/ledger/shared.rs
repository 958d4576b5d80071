//! A ledger in PostgreSQL that several processes share.

use std::process::Child;

use greenlight::sandbox::Sandbox;
use serde_json::Value;

use super::{Run, Service, sources};
#[cfg(unix)]
use crate::cli::running::signal;
use crate::postgres_server::{Server, fresh_url};

impl Service {
    /// Waits until a count in the `status` of a shared ledger reaches `least`.
    pub(super) fn wait_for_shared(&self, url: &str, count: &str, least: u64) {
        for _ in 0..3_000 {
            let run = self.run_status(url);
            if run.code == Some(0) && run.json()[0][count].as_u64().unwrap() >= least {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("{count} never reached {least}");
    }

    fn run_status(&self, url: &str) -> Run {
        let args = ["status", "--ledger", url, "--format", "jsonl"];
        self.bench.run(&args)
    }

    fn shared_status(&self, url: &str) -> Value {
        self.run_status(url).json().remove(0)
    }

    /// Starts a scan of `list.txt`.
    pub(super) fn scan_list(&self, url: &str, more: &[&str]) -> Child {
        let args = ["scan", "--from", "list.txt", "--format", "jsonl"];
        let args = [&args[..], &["--ledger", url], more].concat();
        self.command(&args).spawn().unwrap()
    }

    pub(super) fn work(&self, url: &str, more: &[&str]) -> Child {
        let args = [&["work", "--ledger", url], more].concat();
        self.command(&args).spawn().unwrap()
    }
}

#[test]
fn processes_share_the_work_and_one_prints_in_order() {
    let Some(url) = fresh_url() else { return };
    let service = Service::with("shared-work", Sandbox::builder().polls(2));
    let urls = service.list("list.txt", 300);
    let scan = service.scan_list(&url, &[]);
    service.wait_for_shared(&url, "sources", 1);
    let second = service.run(&["scan", "--from", "list.txt", "--ledger", &url]);
    assert_eq!(second.code, Some(2), "{second}");
    assert!(
        second.said().contains("another run prints the ledger"),
        "{second}"
    );
    let workers = [
        service.work(&url, &["--until-done"]),
        service.work(&url, &["--until-done"]),
    ];
    let scan = Run::of(scan);
    assert_eq!(scan.code, Some(0), "{scan}");
    assert_eq!(sources(&scan.stdout), urls, "each line once and in order");
    for worker in workers {
        let worker = Run::of(worker);
        assert_eq!((worker.code, &*worker.stdout), (Some(0), ""), "{worker}");
    }
    assert_eq!(service.sandbox.paid(), 300, "each image once");
    let export = service.bench.run(&["export", "--ledger", &url]);
    assert_eq!(sources(&export.stdout), urls);
    for command in ["status", "dead", "retry"] {
        let run = service.bench.run(&[command, "--ledger", &url]);
        assert_eq!(run.code, Some(0), "{run}");
    }
    let report = ["report", "--html", "report.html", "--ledger", &url];
    assert_eq!(service.bench.run(&report).code, Some(0));
}

/// Stops a worker as Kubernetes and systemd do: other workers get its claims without a delay.
#[cfg(unix)]
#[test]
fn a_terminated_or_killed_worker_loses_nothing() {
    let Some(url) = fresh_url() else { return };
    let service = Service::with("shared-stop", Sandbox::builder().polls(3));
    let urls = service.list("list.txt", 300);
    let mut scan = service.scan_list(&url, &["--settle", "2s"]);
    service.wait_for_shared(&url, "sources", 300);
    scan.kill().unwrap();
    let killed = Run::of(scan);
    let stopped = service.work(&url, &[]);
    let lost = service.work(&url, &["--settle", "2s"]);
    service.wait_for_shared(&url, "tasks", 50);
    let mut lost = lost;
    lost.kill().unwrap();
    lost.wait().unwrap();
    signal(&stopped, "TERM");
    let stopped = Run::of(stopped);
    assert_eq!(stopped.code, Some(0), "{stopped}");
    let args = [
        "resume", "--format", "jsonl", "--ledger", &url, "--settle", "2s",
    ];
    let resumed = service.run(&args);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    let printed = [sources(&killed.stdout), sources(&resumed.stdout)].concat();
    let distinct: std::collections::BTreeSet<_> = printed.iter().collect();
    assert_eq!(distinct, urls.iter().collect());
    let status = service.shared_status(&url);
    assert_eq!(status["left"], 0, "{status}");
    let ambiguous = status["possibly_billed"].as_u64().unwrap() / 2;
    let paid = service.sandbox.paid();
    assert!((300..=300 + ambiguous).contains(&paid), "{paid}, {status}");
}

/// A restart of the server loses no image: calls wait for it and are repeated.
#[test]
#[ignore = "slow: restarts a server under a long scan"]
fn kills_of_the_server_and_of_workers_lose_nothing() {
    let Some(server) = Server::start("killed") else {
        return;
    };
    let url = server.url();
    let service = Service::with("shared-kills", Sandbox::builder().polls(2));
    let urls = service.list("list.txt", 3_000);
    let scan = service.scan_list(url, &["--settle", "2s"]);
    service.wait_for_shared(url, "sources", 1);
    for round in 0..3 {
        let mut workers = [
            service.work(url, &["--settle", "2s"]),
            service.work(url, &["--settle", "2s"]),
        ];
        service.wait_for_shared(url, "tasks", 300 * (round + 1));
        server.kill();
        std::thread::sleep(std::time::Duration::from_millis(500));
        for worker in &mut workers {
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
    }
    let scan = Run::of(scan);
    assert_eq!(scan.code, Some(0), "{scan}");
    let printed = sources(&scan.stdout);
    assert_eq!(printed, urls, "each line once and in order");
    let status = service.shared_status(url);
    assert_eq!(
        (&status["left"], &status["done_not_printed"]),
        (&0.into(), &0.into()),
        "{status}"
    );
    let ambiguous = status["possibly_billed"].as_u64().unwrap() / 2;
    let paid = service.sandbox.paid();
    println!("{paid} paid, {ambiguous} perhaps twice");
    assert!(
        (3_000..=3_000 + ambiguous).contains(&paid),
        "{paid}, {status}"
    );
    let tasks = status["tasks"].as_u64().unwrap();
    assert!(
        tasks <= paid,
        "no task that was not paid for: {tasks}, {paid}"
    );
}

/// A worker that was suspended for longer than its leases must not overwrite the results of others.
#[cfg(unix)]
#[test]
#[ignore = "slow: waits for leases to end"]
fn a_disconnected_worker_counts_nothing_twice() {
    let Some(url) = fresh_url() else { return };
    let service = Service::with("shared-stopped", Sandbox::builder().polls(3));
    let urls = service.list("list.txt", 800);
    let scan = service.scan_list(&url, &["--settle", "2s"]);
    service.wait_for_shared(&url, "sources", 1);
    let worker = service.work(&url, &["--settle", "2s"]);
    service.wait_for_shared(&url, "tasks", 100);
    signal(&worker, "STOP");
    std::thread::sleep(std::time::Duration::from_secs(5));
    signal(&worker, "CONT");
    std::thread::sleep(std::time::Duration::from_secs(1));
    signal(&worker, "TERM");
    let worker = Run::of(worker);
    assert_eq!(worker.code, Some(0), "{worker}");
    let scan = Run::of(scan);
    assert_eq!(scan.code, Some(0), "{scan}");
    assert_eq!(sources(&scan.stdout), urls, "each line once and in order");
    let status = service.shared_status(&url);
    let ambiguous = status["possibly_billed"].as_u64().unwrap() / 2;
    let paid = service.sandbox.paid();
    println!("{paid} paid, {ambiguous} perhaps twice");
    assert!((800..=800 + ambiguous).contains(&paid), "{paid}, {status}");
}

#[test]
fn files_are_rejected_unless_every_worker_has_them() {
    let Some(url) = fresh_url() else { return };
    let service = Service::new("shared-files");
    let args = ["scan", "in/good.png", "--format", "jsonl", "--ledger", &url];
    let refused = service.run(&args);
    assert_eq!(refused.texts("outcome"), ["not-submitted"], "{refused}");
    assert!(
        refused.stdout.contains("other machines use the ledger"),
        "{refused}"
    );
    service.bench.write("list.txt", "in/good.png");
    let args = [
        "scan",
        "--from",
        "list.txt",
        "--files-under",
        "in",
        "--format",
        "jsonl",
    ];
    let run = service.run(&[&args[..], &["--ledger", &url]].concat());
    assert_eq!(run.texts("outcome"), ["pass"], "{run}");
}

#[test]
fn errors_of_a_database_show_no_password() {
    let service = Service::new("shared-refused");
    let nowhere = "postgres://me:hunter2@127.0.0.1:1/images";
    let run = service.bench.run(&["status", "--ledger", nowhere]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("cannot be reached"), "{run}");
    assert!(!run.stderr.contains("hunter2"), "{run}");
    let work = service.run(&["work"]);
    assert!(work.stderr.contains("one run at a time"), "{work}");
}
