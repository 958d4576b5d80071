//! A ledger in PostgreSQL that several processes share.

use std::{process::Child, time::Duration};

use greenlight::sandbox::{Fault, Operation, Sandbox, Share, When};
use serde_json::Value;

use super::{KEY, Run, Service, sources};
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
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{count} never reached {least}");
    }

    fn run_status(&self, url: &str) -> Run {
        let args = ["status", "--ledger", url, "--format", "jsonl"];
        self.bench.run(&args)
    }

    pub(super) fn shared_status(&self, url: &str) -> Value {
        self.run_status(url).json().remove(0)
    }

    /// Starts a scan of `list.txt`.
    pub(super) fn scan_list(&self, url: &str, more: &[&str]) -> Child {
        let args = ["scan", "--from", "list.txt", "--format", "jsonl"];
        let args = [&args[..], &["--ledger", url], more].concat();
        self.command(&args).spawn().unwrap()
    }

    /// Returns the command with the options for the sandbox, without a rate limit.
    fn unpaced(&self, args: &[&str]) -> std::process::Command {
        let allowed = format!("127.0.0.1/32:{}", self.sandbox.address().port());
        let key = self.sandbox.credentials();
        let mut command = self.bench.command(args);
        command
            .args(["--endpoint", &self.sandbox.endpoint()])
            .args(["--allow-address", &allowed, "--poll", "50ms"])
            .args(["--rate", "100000"])
            .args(["--timeout", "30s"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .env(KEY[0].0, key.id())
            .env(KEY[1].0, key.secret());
        command
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

/// The failures of the service that the kill suite injects, in turn.
const FAULTS: [(Operation, Fault); 22] = {
    use Operation::{AsyncScan, Results};
    const SOON: Duration = Duration::from_millis(20);
    [
        (AsyncScan, Fault::Service(588)),
        (Results, Fault::Service(500)),
        (AsyncScan, Fault::Throttled(429, Some(SOON))),
        (Results, Fault::Throttled(429, Some(SOON))),
        (AsyncScan, Fault::Close(When::After)),
        (Results, Fault::Close(When::After)),
        (AsyncScan, Fault::Close(When::Before)),
        (AsyncScan, Fault::Gateway(503, When::Before)),
        (Results, Fault::Gateway(503, When::After)),
        (AsyncScan, Fault::Html(502, When::After)),
        (Results, Fault::Html(502, When::Before)),
        (AsyncScan, Fault::Empty),
        (Results, Fault::Empty),
        (AsyncScan, Fault::CutBody),
        (Results, Fault::CutBody),
        (AsyncScan, Fault::ShortBody),
        (AsyncScan, Fault::Missing(Share::Half)),
        (Results, Fault::Missing(Share::Half)),
        (AsyncScan, Fault::Tasks(588, Share::Half)),
        (AsyncScan, Fault::Shuffled),
        (Results, Fault::Shuffled),
        (AsyncScan, Fault::Delay(Duration::from_millis(300))),
    ]
};

#[allow(
    clippy::disallowed_methods,
    reason = "the sizes of a long test are in the environment"
)]
fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Four workers share the ledger and are killed in turn, and so is the server, while the service fails in
/// every way: each line is printed once and in order, and paid for within the bounds of the protocol.
///
/// `GREENLIGHT_KILL_IMAGES` and `GREENLIGHT_KILLS` set the size: 20,000 and 60 take minutes. For each 12
/// workers the server is killed once.
#[test]
#[ignore = "slow: restarts a server under a long scan"]
fn kills_of_the_server_and_of_workers_lose_nothing() {
    let images = setting("GREENLIGHT_KILL_IMAGES", 1_500);
    let kills = setting("GREENLIGHT_KILLS", 8);
    let Some(server) = Server::start("killed") else {
        return;
    };
    let url = server.url();
    let service = Service::with("shared-kills", Sandbox::builder().polls(2));
    let urls = service.list("list.txt", images.try_into().unwrap());
    let scan = service.scan_list(url, &["--settle", "2s"]);
    service.wait_for_shared(url, "sources", 1);
    let mut workers: Vec<_> = (0..4)
        .map(|_| service.work(url, &["--settle", "2s"]))
        .collect();
    let mut faults = FAULTS.iter().cycle();
    for kill in 1..=kills {
        for (operation, fault) in faults.by_ref().take(2) {
            service.sandbox.inject(*operation, fault.clone());
        }
        service.wait_for_shared(url, "tasks", images * kill / (kills + 1));
        if kill % 12 == 4 {
            server.kill();
        }
        let mut killed = workers.remove(0);
        killed.kill().unwrap();
        killed.wait().unwrap();
        workers.push(service.work(url, &["--settle", "2s"]));
    }
    let scan = Run::of(scan);
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
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
    println!("{images} images, {kills} kills: {paid} paid, {ambiguous} perhaps twice");
    assert!(
        (images..=images + ambiguous).contains(&paid),
        "{paid}, {status}"
    );
    let tasks = status["tasks"].as_u64().unwrap();
    assert!(
        tasks <= paid,
        "no task that was not paid for: {tasks}, {paid}"
    );
}

/// Two workers help a scan of many images without a rate limit: it ends, each image is paid for once, and
/// the memory of each process stays flat. `GREENLIGHT_SHARED_IMAGES` sets the size.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "slow: scans a long list"]
fn a_long_list_needs_no_more_memory() {
    let images = setting("GREENLIGHT_SHARED_IMAGES", 6_000);
    let Some(url) = fresh_url() else { return };
    let builder = Sandbox::builder().remember(images.try_into().unwrap());
    let service = Service::with("shared-long", builder);
    service.list("list.txt", images.try_into().unwrap());
    let output = ["--output", "out.jsonl", "--format", "jsonl"];
    let args = [
        "scan", "--from", "list.txt", "--probe", "header", "--ledger", &url,
    ];
    let mut scan = service.unpaced(&[&args[..], &output].concat());
    let mut scan = scan.spawn().unwrap();
    service.wait_for_shared(&url, "sources", 1);
    let work = ["work", "--ledger", &url, "--probe", "header"];
    let mut workers: Vec<_> = (0..2)
        .map(|_| service.unpaced(&work).spawn().unwrap())
        .collect();
    let pids = [scan.id(), workers[0].id(), workers[1].id()];
    let mut peaks = [0; 3];
    let mut seconds = 0;
    let code = loop {
        for (peak, pid) in peaks.iter_mut().zip(pids) {
            *peak = memory_of(pid).max(*peak);
        }
        if let Some(status) = scan.try_wait().unwrap() {
            break status.code();
        }
        std::thread::sleep(Duration::from_secs(1));
        seconds += 1;
    };
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    println!("{images} images in about {seconds} s, at most {peaks:?} KB of memory");
    assert_eq!(code, Some(0));
    assert_eq!(service.sandbox.paid(), images);
    let printed = std::fs::read_to_string(service.bench.path("out.jsonl")).unwrap();
    let lines = u64::try_from(printed.lines().count()).unwrap();
    assert_eq!(lines, images);
    assert!(peaks.iter().all(|peak| *peak < 200_000), "{peaks:?} KB");
}

/// Returns the resident memory of a process in KB; 0 if it has ended.
#[cfg(target_os = "linux")]
fn memory_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.map_or(0, |number| number.parse().unwrap())
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
    std::thread::sleep(Duration::from_secs(5));
    signal(&worker, "CONT");
    std::thread::sleep(Duration::from_secs(1));
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
