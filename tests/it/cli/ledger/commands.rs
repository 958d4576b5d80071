//! `status`, `retry`, `dead`, `export` and `plan`.

use std::time::{Duration, SystemTime};

use greenlight::{
    ImageUrl, Scene,
    ledger::{
        Finding, Judgement, Key, Known, Ledger as _, Location, NewImage, Scope, Source,
        SqliteLedger, Work,
    },
    sandbox::{Fault, Operation, Share},
};
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::Service;
use crate::{cli::bench::Bench, ledger::block_on};

/// Creates a ledger with one image of each kind: passed, blocked, rejected by the check, rejected by
/// the service.
fn mixed(name: &str) -> Service {
    let service = Service::new(name);
    let refused = Fault::Tasks(590, Share::First);
    service.sandbox.inject(Operation::AsyncScan, refused);
    service.bench.write("first.txt", service.url("good.png"));
    let run = service.run(&["scan", "--from", "first.txt", "--format", "jsonl"]);
    assert_eq!(run.texts("outcome"), ["not-submitted"], "{run}");
    let urls = [
        service.url("porn.png"),
        service.url("sexy.gif"),
        service.url("small.jpg"),
        "ftp://host/x.png".to_owned(),
    ];
    service.bench.write("list.txt", urls.join("\n"));
    let run = service.run(&["scan", "--from", "list.txt", "--format", "jsonl"]);
    let outcomes = ["block", "review", "not-submitted", "not-submitted"];
    assert_eq!(run.texts("outcome"), outcomes, "{run}");
    service
}

#[test]
fn status_prints_states_classes_and_cost() {
    let service = mixed("ledger-status");
    let run = service.bench.run(&["status"]);
    assert_snapshot!(run, @r"
    exit: 0
    ----- stdout -----
    ledger      greenlight.db
    scope       sandbox-key-id at 127.0.0.1, porn,terrorism
    sources     5, 0 done and not printed yet
    images      5, 5 done, 0 left
    outcomes    1 block, 1 review
    time left   nothing is left to do
    spend       2 tasks of 2 scenes: 4 billed at most

    images by state, with reasons other than the codes below
    dead                  1
                          1  submit/590
    delivered             2
    rejected              2

    sources by code, each source once per code
                        1  url/scheme
                        1  image/too-small

    ----- stderr -----
    ");
    let status = service.status();
    assert_eq!(status["tasks"], 2);
    assert_eq!(status["billed"], 4);
    assert_eq!(status["outcomes"]["block"], 1);
    assert_eq!(status["outcomes"]["review"], 1);
    assert_eq!(status["unpaid"], 0);
    assert_eq!(status["states"]["dead"], 1);
    let csv = service.bench.run(&["status", "--format", "csv"]);
    assert_eq!(csv.stdout.lines().count(), 2, "{csv}");
}

#[test]
fn dead_images_are_listed_and_can_be_retried() {
    let service = mixed("ledger-dead");
    let run = service.bench.run(&["dead"]);
    assert_snapshot!(run.without_ports(), @r"
    exit: 0
    ----- stdout -----
    CLASS                 SOURCE
    submit/590            http://127.0.0.1:N/files/good.png
                          first.txt line 1: 590 BAD_FORMAT

    ----- stderr -----
    ");
    let run = service.bench.run(&["dead", "--format", "jsonl"]);
    let dead = &run.json()[0];
    assert_eq!(dead["class"], "submit/590");
    assert_eq!(
        (&dead["list"], &dead["line"]),
        (&"first.txt".into(), &1.into())
    );

    let unknown = service.bench.run(&["retry", "--class", "submit/591"]);
    assert_snapshot!(unknown, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: no dead or rejected image is of the class `submit/591`
    hint: there are: image/too-small, submit/590, url/scheme
    ");
    let retried = service.bench.run(&["retry", "--class", "submit/590"]);
    assert_snapshot!(retried, @r"
    exit: 0
    ----- stdout -----
    1 image will be tried again by `greenlight resume`

    ----- stderr -----
    ");
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
fn without_a_class_only_dead_images_are_retried() {
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

/// A file that could not be read has no bytes that identify it, so only its list names it.
#[test]
fn a_retry_of_a_file_that_was_not_read_asks_for_the_list() {
    let service = Service::new("ledger-retry-unread");
    let (file, away) = (
        service.bench.path("in/good.png"),
        service.bench.path("away"),
    );
    service.bench.write("list.txt", "in/good.png");
    std::fs::rename(&file, &away).unwrap();
    let scan = ["scan", "--from", "list.txt", "--files-under", "in"];
    let missing = service.run(&[&scan[..], &["--format", "jsonl"]].concat());
    assert_eq!(missing.texts("outcome"), ["not-submitted"], "{missing}");
    std::fs::rename(&away, &file).unwrap();
    let retry = ["retry", "--class", "file/unreadable"];
    let retried = service.bench.run(&retry);
    assert_snapshot!(retried, @r"
    exit: 0
    ----- stdout -----
    0 images will be tried again
    1 image: the ledger does not have the source as it was listed: run `greenlight scan` with the list again

    ----- stderr -----
    ");
    assert_eq!(
        service.bench.run(&retry).stdout,
        retried.stdout,
        "unchanged"
    );
    let again = service.run(&[&scan[..], &["--format", "jsonl"]].concat());
    assert_eq!(again.texts("outcome"), ["pass"], "{again}");
    assert_eq!(service.sandbox.paid(), 1);
}

#[test]
fn an_export_equals_the_output_of_scan() {
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
    let args = ["export", "--format", "csv", "--only", "review"];
    let exported = service.bench.run(&args);
    let header = printed.stdout.lines().next().unwrap_or_default();
    assert_eq!(exported.stdout, format!("{header}\n"), "no line matches");

    service.bench.write("out.jsonl", "what was there");
    let run = service.bench.run(&["export", "--output", "out.jsonl"]);
    assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{run}");
    let written = std::fs::read_to_string(service.bench.path("out.jsonl")).unwrap();
    assert_eq!(written, service.bench.run(&["export"]).stdout);
    assert!(!has_parts(&service));
    let run = service
        .bench
        .run(&["export", "--output", "no/such/folder.jsonl"]);
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot write no/such/folder.jsonl: No such file or directory
    ");
}

#[test]
fn a_parquet_export_has_the_same_content() {
    let service = Service::new("ledger-parquet");
    let run = service.run(&["scan", "in", "no.png", "--format", "jsonl"]);
    assert_eq!(run.code, Some(2), "{run}");
    let args = ["export", "--format", "parquet", "--output", "out.parquet"];
    let exported = service.bench.run(&args);
    assert_eq!(
        (exported.code, &*exported.stderr),
        (Some(0), ""),
        "{exported}"
    );
    // The export can be read as a list with the sources of the ledger.
    let args = [
        "check",
        "--from",
        "out.parquet",
        "--column",
        "source",
        "--format",
        "jsonl",
    ];
    let checked = service.bench.run(&args);
    assert_eq!(checked.texts("source"), run.texts("source"), "{checked}");
    assert!(!has_parts(&service));
}

#[test]
fn unfinished_images_are_exported_as_such() {
    let service = Service::with(
        "ledger-export-open",
        greenlight::sandbox::Sandbox::builder().polls(1_000),
    );
    let good = service.url("good.png");
    let run = service.run(&["scan", &good, "ftp://host/x", "--wait", "1s"]);
    assert_eq!(run.code, Some(2), "{run}");
    let exported = service.bench.run(&["export"]);
    assert_eq!(exported.texts("source"), [&*good, "ftp://host/x"]);
    assert_eq!(exported.texts("outcome"), ["undecided", "not-submitted"]);
    assert_eq!(exported.texts("error")[0], "no result yet");
    assert_eq!(exported.texts("decision"), ["accept", "reject"]);
    assert!(exported.json()[0]["task_id"].is_string());
}

#[test]
fn a_plan_prints_the_cost_of_a_scan() {
    let service = Service::new("ledger-plan");
    let urls = [
        service.url("good.png"),
        service.url("good.png"),
        service.url("porn.png"),
        service.url("good.png").replace("good", "none"),
        "ftp://host/x".to_owned(),
        "in/small.jpg".to_owned(),
    ];
    service.bench.write("list.txt", urls.join("\n"));
    let allowed = format!("127.0.0.1/32:{}", service.sandbox.address().port());
    let args = [
        "plan",
        "--from",
        "list.txt",
        "--files-under",
        ".",
        "--allow-address",
        &allowed,
    ];
    let run = service
        .bench
        .run(&[&args[..], &["--price", "1.80"]].concat());
    assert_snapshot!(run, @r"
    exit: 1
    ----- stdout -----
    sources     6 (1 duplicate)
    decisions   3 accept, 3 reject, 0 inconclusive
             1  url/scheme
             1  download/status
             1  image/too-small
    requests    1
    billed      at most 2 images for each scene (porn,terrorism), 4 in all; duplicates are billed once
    cost        at most 0.01, at 1.80 per thousand

    ----- stderr -----
    ");
    let run = service
        .bench
        .run(&[&args[..], &["--format", "jsonl"]].concat());
    let plan = &run.json()[0];
    assert_eq!(
        (&plan["sources"], &plan["duplicates"]),
        (&6.into(), &1.into())
    );
    assert_eq!((&plan["accepted"], &plan["billed"]), (&3.into(), &4.into()));
    assert_eq!(plan["cost"], Value::Null);
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
            command == "plan" || run.stdout.contains("--ledger <FILE|URL>"),
            "{run}"
        );
    }
}

/// Returns whether a temporary output file is left.
fn has_parts(service: &Service) -> bool {
    let entries = std::fs::read_dir(service.bench.path("")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name())
        .any(|name| name.to_string_lossy().ends_with(".part"))
}

#[cfg(unix)]
#[test]
fn exports_follow_links_and_keep_the_mode() {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt as _, symlink},
        process::Command,
        thread,
    };

    let service = Service::new("ledger-export-places");
    let run = service.run(&["scan", "in/good.png"]);
    assert_eq!(run.code, Some(0), "{run}");
    let whole = service.bench.run(&["export"]).stdout;

    service.bench.write("private.jsonl", "what was there");
    let file = service.bench.path("private.jsonl");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let link = service.bench.path("link.jsonl");
    symlink("private.jsonl", &link).unwrap();
    let run = service.bench.run(&["export", "--output", "link.jsonl"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let pipe = service.bench.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let reader = {
        let pipe = pipe.clone();
        thread::spawn(move || fs::read_to_string(pipe).unwrap())
    };
    let run = service.bench.run(&["export", "--output", "pipe"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(reader.join().unwrap(), whole);
    assert!(!pipe.is_file(), "the pipe is one still");
    assert!(!has_parts(&service));
}

#[test]
fn outputs_never_overwrite_the_ledger_or_inputs() {
    let service = Service::new("ledger-not-over");
    let run = service.run(&["scan", "in/good.png"]);
    assert_eq!(run.code, Some(0), "{run}");
    let before = service.bench.run(&["export"]).stdout;
    for args in [
        &["export", "--output", "greenlight.db"][..],
        &[
            "report",
            "--ledger",
            "greenlight.db",
            "--html",
            "greenlight.db",
        ],
    ] {
        let run = service.bench.run(args);
        let refused = "error: cannot write greenlight.db: it is a ledger\n\
                       hint: name another file, or move the ledger away\n";
        assert_eq!((run.code, &*run.stderr), (Some(2), refused), "{run}");
    }
    assert_eq!(service.bench.run(&["export"]).stdout, before);

    service.bench.write("run.jsonl", &before);
    let args = ["report", "--from", "run.jsonl", "--html", "run.jsonl"];
    let run = service.bench.run(&args);
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot write run.jsonl: it is what is read
    hint: --html names a file for the page, --from the lines of a run
    ");
    let kept = std::fs::read_to_string(service.bench.path("run.jsonl")).unwrap();
    assert_eq!(kept, before);
}

/// Runs a command as a user who may read the folder but not write to it.
#[cfg(unix)]
fn run_as_reader(service: &Service, args: &[&str]) -> Option<crate::cli::bench::Run> {
    allow(service, ".", 0o555);
    let run = run_as_another(service, args);
    allow(service, ".", 0o755);
    run
}

#[cfg(unix)]
fn allow(service: &Service, file: &str, mode: u32) {
    use std::{fs, os::unix::fs::PermissionsExt as _};
    fs::set_permissions(service.bench.path(file), fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs a command as a user other than the superuser, to whom permissions apply. Returns `None` if
/// other users cannot access the folder of the checkout.
#[cfg(unix)]
fn run_as_another(service: &Service, args: &[&str]) -> Option<crate::cli::bench::Run> {
    use std::{
        fs, io,
        os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    };
    let mut command = service.bench.command(args);
    if fs::metadata(service.bench.path(".")).unwrap().uid() == 0 {
        command.uid(65_534);
    }
    match command.spawn() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        spawned => Some(crate::cli::bench::Run::of(spawned.unwrap())),
    }
}

#[cfg(unix)]
#[test]
fn a_ledger_that_cannot_be_written_can_be_read() {
    let service = Service::new("ledger-read-only");
    let args = ["scan", "in/good.png", "--ledger", "a ledger?100%#.db"];
    let printed = service.run(&[&args[..], &["--format", "jsonl"]].concat());
    assert_eq!(printed.code, Some(0), "{printed}");
    allow(&service, "a ledger?100%#.db", 0o644);
    let args = ["export", "--ledger", "a ledger?100%#.db"];
    let Some(exported) = run_as_reader(&service, &args) else {
        return;
    };
    assert_eq!(exported.stdout, printed.stdout, "{exported}");
    for command in ["status", "dead"] {
        let args = [command, "--ledger", "a ledger?100%#.db"];
        let run = run_as_reader(&service, &args).unwrap();
        assert_eq!(run.code, Some(0), "{run}");
    }
}

#[cfg(unix)]
#[test]
fn a_ledger_with_an_unreadable_log_names_the_reason() {
    let service = Service::new("ledger-read-log");
    let run = service.run(&["scan", "in/good.png"]);
    assert_eq!(run.code, Some(0), "{run}");
    service
        .bench
        .write("greenlight.db-wal", "as of a run that was killed");
    let Some(run) = run_as_reader(&service, &["status"]) else {
        return;
    };
    assert_snapshot!(run, @r"
    exit: 2
    ----- stdout -----

    ----- stderr -----
    error: open ledger: its latest changes are in `greenlight.db-wal`, and to read them needs permission to write that file and its folder; copy the ledger together with that file to a folder of your own: greenlight.db
    ");
}

#[cfg(unix)]
#[test]
fn files_of_another_user_are_named_in_the_error() {
    let service = Service::new("ledger-locked-out");
    let run = service.run(&["scan", "in/good.png"]);
    assert_eq!(run.code, Some(0), "{run}");
    service.bench.write("greenlight.db-shm", "");
    allow(&service, ".", 0o777);
    allow(&service, "greenlight.db", 0o666);
    allow(&service, "greenlight.db-shm", 0o444);
    let Some(run) = run_as_another(&service, &["retry"]) else {
        return;
    };
    assert_eq!(run.code, Some(2), "{run}");
    let expected = "`greenlight.db-shm` cannot be written: another user's process created it";
    assert!(run.stderr.contains(expected), "{run}");
}

/// A hundred images per request, of which the first was prepared before its time.
#[expect(clippy::disallowed_methods, reason = "status reads the clock, too")]
#[test]
fn status_prints_the_rate_since_the_first_request() {
    let bench = Bench::new("ledger-rate");
    let ledger = SqliteLedger::open(
        &bench.path("greenlight.db"),
        &Scope::new(&[Scene::Porn])
            .with_account("account")
            .with_service("green.example.com"),
    )
    .unwrap();
    let now = SystemTime::now();
    let send = async |number: u64, ago: u64| {
        let at = now - Duration::from_secs(ago);
        let lease = Duration::from_secs(3_600);
        let images = (number * 100..number * 100 + 100).map(|line| {
            let url = format!("https://example.com/{line}.png");
            NewImage {
                key: Key::of_url(ledger.scope(), &ImageUrl::parse(&url).unwrap()),
                location: Location::Url(url),
                known: Known::Checked,
                facts: None,
                deliver_again: false,
                source: Source {
                    origin: "list.txt".to_owned(),
                    line,
                    ..Source::default()
                },
            }
        });
        ledger.enqueue(images.collect(), at).await.unwrap();
        let probed = ledger.claim(Work::Probe, 100, lease, at).await.unwrap();
        let findings = probed.iter().map(|image| Finding {
            hold: image.hold,
            judgement: Judgement::Accepted,
            facts: None,
            billed: 1,
        });
        let findings = findings.collect();
        ledger.record_findings(findings, at).await.unwrap();
        let due = ledger.claim(Work::Submit, 100, lease, at).await.unwrap();
        let holds: Vec<_> = due.iter().map(|image| image.hold).collect();
        assert_eq!(holds.len(), 100);
        ledger.begin_batch(holds, lease, at).await.unwrap();
    };
    let status = || bench.run(&["status", "--format", "jsonl"]).json().remove(0);
    block_on(send(0, 30));
    let first = status();
    assert_eq!(
        (&first["per_second"], &first["seconds_left"]),
        (&json!(0.0), &Value::Null)
    );
    block_on(send(1, 20));
    block_on(send(2, 10));
    let later = status();
    let rate = later["per_second"].as_f64().unwrap();
    assert!(
        rate > 3.0 && rate <= 6.7,
        "200 images in 30 s or more: {later}"
    );
    let left = later["seconds_left"].as_f64().unwrap();
    assert!((left * rate - 300.0).abs() < 20.0, "{later}");
}
