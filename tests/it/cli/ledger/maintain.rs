//! The commands that create, upgrade, check and copy ledgers.

use super::{Run, Service, sources};
use greenlight::sandbox::Sandbox;

impl Service {
    fn export(&self, ledger: &str) -> String {
        let run = self.bench.run(&["export", "--ledger", ledger]);
        assert_eq!(run.code, Some(0), "{run}");
        run.stdout
    }

    fn ledger(&self, args: &[&str]) -> Run {
        self.bench.run(&[&["ledger"], args].concat())
    }
}

#[test]
fn a_ledger_is_created_checked_and_copied_between_files() {
    let service = Service::new("maintain");
    let created = service.ledger(&["init", "new.db"]);
    assert_eq!(created.code, Some(0), "{created}");
    assert!(created.stdout.contains("created new.db"), "{created}");
    let again = service.ledger(&["init", "new.db"]);
    assert!(again.stdout.contains("new.db exists"), "{again}");
    let urls = service.list("list.txt", 300);
    let scan = ["scan", "--from", "list.txt", "--format", "jsonl"];
    let run = service.run(&[&scan[..], &["--ledger", "new.db"]].concat());
    assert_eq!(sources(&run.stdout), urls);
    let check = service.ledger(&["check", "new.db"]);
    assert_eq!(check.code, Some(0), "{check}");
    assert!(
        check.stdout.contains("300 sources, 300 images") && check.stdout.contains("consistent"),
        "{check}"
    );
    let copy = service.ledger(&["copy", "new.db", "copy.db"]);
    assert_eq!(copy.code, Some(0), "{copy}");
    assert_eq!(service.export("copy.db"), service.export("new.db"));
    let paid = service.sandbox.paid();
    let run = service.run(&[&scan[..], &["--ledger", "copy.db"]].concat());
    assert_eq!(sources(&run.stdout), urls);
    assert_eq!(service.sandbox.paid(), paid, "nothing is paid for again");
    let upgrade = service.ledger(&["upgrade", "copy.db"]);
    assert!(upgrade.stdout.contains("is up to date"), "{upgrade}");
}

#[test]
fn what_cannot_be_copied_or_checked_says_why() {
    let service = Service::with("maintain-refused", Sandbox::builder().polls(1_000_000));
    service.list("list.txt", 20);
    let scan = service.command(&["scan", "--from", "list.txt"]).spawn();
    let scan = scan.unwrap();
    service.wait_for("tasks", 20);
    let in_use = service.ledger(&["copy", "greenlight.db", "copy.db"]);
    assert_eq!(in_use.code, Some(2), "{in_use}");
    assert!(in_use.stderr.contains("another run uses"), "{in_use}");
    super::kill(scan);
    let copied = service.ledger(&["copy", "greenlight.db", "copy.db"]);
    assert_eq!(copied.code, Some(0), "{copied}");
    assert!(
        copied
            .stdout
            .contains("20 images are not finished: continue with one of the two ledgers only"),
        "{copied}"
    );
    let again = service.ledger(&["copy", "greenlight.db", "copy.db"]);
    assert!(again.stdout.contains("nothing was copied"), "{again}");
    service.bench.write("text.txt", "https://example.com/a.png");
    for (args, words) in [
        (&["check", "absent.db"][..], "does not exist"),
        (&["copy", "absent.db", "copy.db"], "does not exist"),
        (&["copy", "copy.db", "copy.db"], "are the same ledger"),
        (&["copy", "copy.db", "./copy.db"], "are the same ledger"),
        (&["check", "text.txt"], "not a ledger"),
        (&["copy", "greenlight.db", "text.txt"], "not a ledger"),
    ] {
        let run = service.ledger(args);
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.stderr.contains(words), "{words}: {run}");
    }
    let text = std::fs::read_to_string(service.bench.path("text.txt")).unwrap();
    assert_eq!(text, "https://example.com/a.png");
    assert!(!service.bench.path("absent.db").exists());
    service.ledger(&["init", "unbound.db"]);
    let run = service.ledger(&["copy", "unbound.db", "new.db"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(!service.bench.path("new.db").exists(), "no empty target");
}

#[cfg(feature = "postgres")]
#[test]
fn a_copy_that_is_killed_is_continued() {
    let Some(url) = crate::postgres_server::fresh_url() else {
        return;
    };
    let service = Service::new("maintain-killed");
    // Most lines are rejected immediately: only the copy must be long.
    let rejected = (0..900).map(|number| format!("ftp://host/{number}"));
    let urls: Vec<_> = service.good(100).into_iter().chain(rejected).collect();
    service.bench.write("list.txt", urls.join("\n"));
    let scan = ["scan", "--from", "list.txt", "--format", "jsonl"];
    let run = service.run(&scan);
    assert_eq!(run.code, Some(1), "{run}");
    let mut kills = 0_u64;
    let (copied, was_complete) = loop {
        let was_complete = kills > 0 && service.ledger(&["check", &url]).code == Some(0);
        let args = ["ledger", "copy", "greenlight.db", &url];
        let mut copy = service.bench.command(&args).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(60 * (kills + 1)));
        if copy.try_wait().unwrap().is_some() || kills > 60 {
            break (Run::of(copy), was_complete);
        }
        copy.kill().unwrap();
        copy.wait().unwrap();
        kills += 1;
    };
    assert_eq!(copied.code, Some(0), "{copied}");
    assert!(kills > 0);
    // The last kill may have come after the last transaction.
    let text = if was_complete {
        "nothing was copied"
    } else {
        "copied 2"
    };
    assert!(copied.stdout.contains(text), "{copied}");
    assert_eq!(service.export(&url), service.export("greenlight.db"));
    let paid = service.sandbox.paid();
    let run = service.run(&[&scan[..], &["--ledger", &url]].concat());
    assert_eq!(sources(&run.stdout), urls);
    assert_eq!(service.sandbox.paid(), paid, "nothing is paid for again");
    let check = service.ledger(&["check", &url]);
    assert_eq!(check.code, Some(0), "{check}");
}
