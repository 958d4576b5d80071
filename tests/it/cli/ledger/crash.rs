//! Kills the command and checks that nothing is lost.

use std::{collections::BTreeSet, thread, time::Duration};

use greenlight::sandbox::{Fault, Operation, Sandbox};

use super::{Run, Service, kill, sources};
use crate::cli::site::{Page, Site};

#[test]
fn submissions_before_a_kill_are_not_repeated() {
    let service = Service::with("crash-submitted", Sandbox::builder().polls(20));
    let urls = service.list("list.txt", 60);
    let mut scan = service.command(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    let child = scan.spawn().unwrap();
    service.wait_for("tasks", 60);
    let first = kill(child);
    let status = service.status();
    assert_eq!(
        (&status["tasks"], &status["sources"]),
        (&60.into(), &60.into())
    );

    let resumed = service.run(&["resume", "--format", "jsonl"]);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    assert_eq!(sources(&(first + &resumed.stdout)), urls, "each line once");
    assert_eq!(service.sandbox.paid(), 60, "each image once");
}

/// Kills the command repeatedly at random times: nothing is lost, a line is repeated only if its run
/// died before it was acknowledged, and the number of images billed twice is within the ledger's
/// count.
#[test]
#[ignore = "slow: kills many processes"]
fn kills_at_any_time_lose_nothing() {
    let service = Service::with("crash-any", Sandbox::builder().polls(2));
    let urls = service.list("list.txt", 400);
    let args = [
        "scan", "--from", "list.txt", "--format", "jsonl", "--settle", "2s",
    ];
    let mut printed = Vec::new();
    for round in 0..6_u64 {
        let child = service.command(&args).spawn().unwrap();
        thread::sleep(Duration::from_millis(60 + 170 * round));
        printed.push(kill(child));
    }
    let last = service.run(&args);
    assert_eq!(last.code, Some(0), "{last}");
    printed.push(last.stdout);
    let printed: Vec<_> = printed.iter().flat_map(|lines| sources(lines)).collect();
    let distinct: BTreeSet<_> = printed.iter().collect();
    assert_eq!(distinct, urls.iter().collect::<BTreeSet<_>>());
    let status = service.status();
    assert_eq!(
        (&status["left"], &status["done_not_printed"]),
        (&0.into(), &0.into())
    );
    let ambiguous = status["possibly_billed"].as_u64().unwrap() / 2;
    let paid = service.sandbox.paid();
    assert!((400..=400 + ambiguous).contains(&paid), "{paid}, {status}");
    let export = service.bench.run(&["export"]);
    assert_eq!(sources(&export.stdout), urls);
}

/// Without a takeover the images of the dead run would be claimed for a minute, longer than this test
/// waits.
#[test]
fn claims_of_a_killed_run_are_freed_immediately() {
    let service = Service::new("crash-held");
    let png = std::fs::read(service.bench.path("in/good.png")).unwrap();
    let slow = Page::image("image/png", png).after(Duration::from_secs(2));
    let site = Site::start([("/slow.png", slow)]);
    let url = site.url("/slow.png");
    let command = |args: &[&str]| {
        let mut command = service.command(args);
        command.args(["--allow-address", &site.allowed(), "--format", "jsonl"]);
        command
    };
    let scan = command(&["scan", &url]).spawn().unwrap();
    site.wait_for_a_request();
    kill(scan);
    let resumed = Run::of(command(&["resume", "--wait", "30s"]).spawn().unwrap());
    assert_eq!(resumed.texts("outcome"), ["pass"], "{resumed}");
    assert_eq!(service.sandbox.paid(), 1);
}

#[test]
fn images_sent_by_a_killed_run_are_settled() {
    let service = Service::new("crash-sent");
    let delay = Fault::Delay(Duration::from_secs(60));
    service.sandbox.inject(Operation::AsyncScan, delay);
    let good = service.url("good.png");
    let scan = service.command(&["scan", &good]).spawn().unwrap();
    while service.sandbox.paid() == 0 {
        thread::sleep(Duration::from_millis(10));
    }
    kill(scan);
    let args = ["resume", "--format", "jsonl", "--settle", "2s"];
    let resumed = service.run(&[&args[..], &["--wait", "30s"]].concat());
    assert_eq!(resumed.texts("outcome"), ["pass"], "{resumed}");
    assert_eq!(service.sandbox.paid(), 2, "its answer is not known");
}

#[cfg(unix)]
#[test]
fn a_second_interruption_exits_immediately() {
    use crate::cli::running::interrupt;

    let service = Service::new("crash-twice");
    let good = service.url("good.png");
    let delay = Fault::Delay(Duration::from_secs(20));
    service.sandbox.inject(Operation::AsyncScan, delay);
    let args = ["scan", &good, "--format", "jsonl"];
    let mut scan = service.command(&[&args[..], &["--settle", "2s"]].concat());
    let child = scan.spawn().unwrap();
    while service.sandbox.paid() == 0 {
        thread::sleep(Duration::from_millis(10));
    }
    interrupt(&child);
    // The command awaits the response; the first interruption must have been handled separately.
    thread::sleep(Duration::from_millis(300));
    interrupt(&child);
    let run = Run::of(child);
    assert_eq!(run.code, Some(130), "{run}");
    let resumed = service.run(&["resume", "--format", "jsonl", "--settle", "2s"]);
    assert_eq!(resumed.texts("outcome"), ["pass"], "{resumed}");
    assert_eq!(service.sandbox.paid(), 2, "its answer is not known");
    assert_eq!(service.status()["possibly_billed"], 2, "two scenes");
}

/// Runs the same command by a shell script.
#[cfg(unix)]
pub(super) fn under_shell(
    service: &Service,
    script: &str,
    command: &std::process::Command,
) -> std::process::Command {
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", script, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(service.bench.path("."))
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    shell
}

/// Uses a limit on the size of files in place of a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_the_run_and_loses_nothing() {
    let service = Service::new("crash-full");
    let urls = service.list("list.txt", 700);
    let scan = service.command(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    // In blocks of 512 or 1024 bytes; without the trap the signal would end the process.
    let mut limited = under_shell(&service, "trap '' XFSZ; ulimit -f 120; exec \"$@\"", &scan);
    let run = Run::of(limited.spawn().unwrap());
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.said().contains("greenlight.db"), "{run}");
    let rest = service.run(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    assert_eq!(rest.code, Some(0), "{rest}");
    let printed = sources(&(run.stdout + &rest.stdout));
    assert_eq!(
        printed.into_iter().collect::<BTreeSet<_>>(),
        urls.into_iter().collect()
    );
    assert_eq!(service.sandbox.paid(), 700);
}

/// A ledger contains URLs with signatures, so other users must not be able to read it, regardless of
/// the umask.
#[cfg(unix)]
#[test]
fn a_ledger_is_private_while_a_run_writes() {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    for umask in ["000", "277"] {
        let service = Service::with(
            &format!("crash-private-{umask}"),
            Sandbox::builder().polls(1_000),
        );
        service.list("list.txt", 60);
        let scan = service.command(&["scan", "--from", "list.txt", "--format", "jsonl"]);
        let script = format!("umask {umask}; exec \"$@\"");
        let child = under_shell(&service, &script, &scan).spawn().unwrap();
        service.wait_for("tasks", 60);
        for suffix in ["", "-wal", "-shm", "-lock"] {
            let file = service.bench.path(&format!("greenlight.db{suffix}"));
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{} {mode:o}", file.display());
        }
        kill(child);
    }
    // A mode that the user has set is kept.
    let service = Service::new("crash-shared");
    let good = service.url("good.png");
    assert_eq!(service.run(&["scan", &good]).code, Some(0));
    let file = service.bench.path("greenlight.db");
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    assert_eq!(service.run(&["scan", &good]).code, Some(0));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

/// A link could lead to a file of another user, and opening a pipe would block.
#[cfg(unix)]
#[test]
fn a_lock_is_a_regular_file_in_its_place() {
    use std::{fs, os::unix::fs::symlink};

    let service = Service::new("crash-lock");
    let good = service.url("good.png");
    let lock = service.bench.path("greenlight.db-lock");
    let elsewhere = service.bench.path("elsewhere");
    symlink(&elsewhere, &lock).unwrap();
    let is_refused = || {
        let run = service.run(&["scan", &good]);
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.said().contains("it is not a regular file"), "{run}");
    };
    is_refused();
    assert!(!elsewhere.exists(), "nothing was made through the link");
    fs::write(&elsewhere, "").unwrap();
    is_refused();
    fs::remove_file(&lock).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&lock).status();
    assert!(made.unwrap().success());
    is_refused();
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    is_refused();
    fs::remove_dir(&lock).unwrap();
    assert_eq!(service.run(&["scan", &good]).code, Some(0));
    assert_eq!(service.sandbox.paid(), 1);
}
