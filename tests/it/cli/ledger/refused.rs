//! Ledgers that cannot be used.

use greenlight::sandbox::Sandbox;
use insta::assert_snapshot;

use super::{KEY, Run, Service, damage};
#[cfg(unix)]
use crate::cli::running::interrupt;

#[test]
fn a_ledger_of_another_scope_names_the_difference() {
    let service = Service::new("refused-scope");
    let run = service.run(&["scan", "in/good.png"]);
    assert_eq!(run.code, Some(0), "{run}");
    let mut scan = service.command(&["scan", "in/porn.png"]);
    let run = Run::of(scan.env(KEY[0].0, "another-id").spawn().unwrap());
    assert_snapshot!(run.without_ports(), @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: open ledger: it belongs to account `sandbox-key-id`, not `another-id`; name another ledger: greenlight.db
    hint: each account, service and choice of scenes has a ledger of its own, which --ledger FILE names; keys that change (temporary ones) share one if --account NAME names their account
    ");
    let run = service.run(&["resume", "--scenes", "ad"]);
    assert_snapshot!(run.without_ports(), @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: open ledger: it belongs to scenes `porn,terrorism`, not `ad`; name another ledger: greenlight.db
    hint: each account, service and choice of scenes has a ledger of its own, which --ledger FILE names; keys that change (temporary ones) share one if --account NAME names their account
    ");
    let mut scan = service
        .bench
        .command(&["scan", "in/porn.png", "--region", "cn-shanghai"]);
    let key = service.sandbox.credentials();
    scan.env(KEY[0].0, key.id()).env(KEY[1].0, key.secret());
    let run = Run::of(scan.spawn().unwrap());
    assert_snapshot!(run.without_ports(), @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: open ledger: it belongs to service `127.0.0.1`, not `green.cn-shanghai.aliyuncs.com`; name another ledger: greenlight.db
    hint: each account, service and choice of scenes has a ledger of its own, which --ledger FILE names; keys that change (temporary ones) share one if --account NAME names their account
    ");
    assert_eq!(service.sandbox.paid(), 1);
}

#[test]
fn the_account_of_changing_keys_can_be_set() {
    let service = Service::new("refused-account");
    let run = service.run(&["scan", "in/good.png", "--account", "mine"]);
    assert_eq!(run.code, Some(0), "{run}");
    let run = service.run(&["resume", "--account", "mine"]);
    assert_eq!(run.code, Some(0), "{run}");
    let run = service.run(&["resume"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("belongs to account `mine`"), "{run}");
}

#[test]
fn scenes_default_to_those_of_the_ledger() {
    let service = Service::new("refused-scenes");
    let run = service.run(&["scan", "in/good.png", "--scenes", "ad,qrcode"]);
    assert_eq!(run.code, Some(0), "{run}");
    service.bench.run(&["retry"]);
    let run = service.run(&["resume"]);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn databases_other_than_ledgers_are_left_unchanged() {
    let service = Service::new("refused-other");
    for (name, bytes) in [
        ("text.db", "no database at all".repeat(99)),
        ("folder/x", String::new()),
    ] {
        service.bench.write(name, bytes);
    }
    for ledger in ["text.db", "folder", "none/such.db"] {
        let run = service.run(&["scan", "in/good.png", "--ledger", ledger]);
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.stderr.starts_with("error: open ledger: "), "{run}");
        assert!(run.stderr.contains(ledger), "{run}");
    }
    for command in ["resume", "status", "retry", "dead", "export"] {
        let args = [command, "--ledger", "missing.db"];
        let run = match command {
            "resume" => service.run(&args),
            _ => service.bench.run(&args),
        };
        assert_eq!(run.code, Some(2), "{run}");
        assert_eq!(
            run.stderr,
            "error: open ledger: the file does not exist: missing.db\n\
             hint: `greenlight scan` begins a ledger; --ledger FILE names one\n",
        );
    }
    assert!(!service.bench.path("missing.db").exists());
    assert_eq!(service.sandbox.paid(), 0);
}

#[test]
fn a_corrupt_or_newer_ledger_is_reported() {
    let service = Service::new("refused-damaged");
    service.list("list.txt", 300);
    let run = service.run(&["scan", "--from", "list.txt"]);
    assert_eq!(run.code, Some(0), "{run}");
    let path = service.bench.path("greenlight.db");
    let sound = std::fs::read(&path).unwrap();

    // The version is the big-endian number at byte 60 of the file's header.
    damage(&path, 60, &99_u32.to_be_bytes());
    let run = service.run(&["resume"]);
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: open ledger: it was written by a newer greenlight (schema 99, this one knows 5); use that one, or name another file: greenlight.db
    ");

    std::fs::write(&path, &sound).unwrap();
    damage(&path, 4096 * 3, &vec![0xaa; sound.len() - 4096 * 3]);
    for command in ["status", "export", "dead"] {
        let run = service.bench.run(&[command]);
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.stderr.contains("the file is corrupt"), "{run}");
        assert!(run.stderr.contains("greenlight.db"), "{run}");
    }
    let run = service.run(&["resume"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("the file is corrupt"), "{run}");
}

#[test]
fn an_embedded_sandbox_keeps_no_ledger() {
    let service = Service::new("refused-sandbox");
    let run = service
        .bench
        .run(&["scan", "--sandbox", "in", "--ledger", "x.db"]);
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: the argument '--sandbox' cannot be used with '--ledger <FILE|URL>'

    Usage: greenlight scan --sandbox <SOURCE>...

    For more information, try '--help'.
    ");
    assert!(!service.bench.path("x.db").exists());
    let run = service
        .bench
        .run(&["scan", "in", "--no-ledger", "--ledger", "x.db"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("cannot be used with"), "{run}");
}

#[cfg(unix)]
#[test]
fn one_run_at_a_time_uses_a_ledger() {
    let service = Service::with("refused-second", Sandbox::builder().polls(1_000));
    let good = service.url("good.png");
    let child = service.command(&["scan", &good]).spawn().unwrap();
    service.wait_for("tasks", 1);
    let second = service.run(&["resume"]);
    assert_snapshot!(second, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: another run uses the ledger greenlight.db
    hint: wait for its end or interrupt it; `greenlight status` prints its progress
    ");
    interrupt(&child);
    let first = Run::of(child);
    assert_eq!(first.code, Some(130), "{first}");
    assert!(!service.bench.path("greenlight.db-lock").exists());
    let third = service.run(&["resume", "--wait", "500ms"]);
    assert!(
        third.said().starts_with("error: no result came in time"),
        "{third}"
    );
}
