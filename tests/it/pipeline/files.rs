//! Images in local files: uploaded before they are submitted, billed once for equal bytes, and never
//! replaced by changed bytes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use greenlight::{
    Code, Enforcement, ErrorKind, Requirements, Rule,
    green::{Client, Credentials, Secret},
    ledger::{Key, Known, Location, NewImage, Reason, Row, Source, State},
    pipeline::{Line, Pipeline, Plan, Step, Subject},
    sandbox::{Fault, Operation, Sandbox, When},
};
use sha2::{Digest as _, Sha256};

use super::{Bench, block_on, line, probe, requirements, run, scope};
use crate::images::png;

/// Creates a separate folder.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Returns an image whose size and bytes depend on its number.
pub(super) fn picture(number: u32) -> Vec<u8> {
    png(256 + number % 100, 256 + number / 100, 16)
}

/// Other bytes with the same facts and length.
fn twin(number: u32) -> Vec<u8> {
    let mut bytes = picture(number);
    let filler = bytes.windows(4).position(|name| name == b"fiLl").unwrap();
    bytes[filler + 4] ^= 1;
    let end = filler + 4 + 16;
    let crc = crc32fast::hash(&bytes[filler..end]);
    bytes[end..end + 4].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn file(path: &Path, number: u64) -> Line {
    let subject = Subject::File(path.to_owned());
    Line {
        subject,
        ..line("", number)
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn uploads(bench: &Bench) -> u64 {
    bench.sandbox.requests_of(Operation::Upload)
}

fn class(row: &Row) -> (State, Option<&str>) {
    let class = row.reason.as_ref().map(|reason| reason.class.as_str());
    (row.state, class)
}

#[test]
fn equal_files_are_submitted_once() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder().polls(1)).await;
        let folder = folder();
        let folder = folder.path();
        let large = folder.join("large.png");
        fs::File::create(&large).unwrap().set_len(30 << 20).unwrap();
        let mut lines = vec![
            file(&write(folder, "a.png", &picture(1)), 1),
            file(&write(folder, "b.png", &picture(2)), 2),
            file(&write(folder, "again.png", &picture(1)), 3),
            file(&write(folder, "cut.png", &picture(3)[..60]), 4),
            file(&write(folder, "empty.png", b""), 5),
            file(&folder.join("absent.png"), 6),
            file(folder, 7),
            file(&large, 8),
            line(&bench.url("png/rgb.png"), 9),
        ];
        let broken = Subject::Unusable {
            text: "a\u{fffd}".to_owned(),
            reason: Reason {
                class: "list/encoding".to_owned(),
                message: "line 10 is not UTF-8".to_owned(),
            },
        };
        lines.push(Line {
            subject: broken,
            ..line("", 10)
        });
        let (delivered, progress) = run(&bench.pipeline(), lines).await;
        let row = |number: u32| &delivered[&format!("user-{number}")];
        for number in [1, 2, 3, 9] {
            assert_eq!(class(row(number)), (State::Decided, None), "{number}");
        }
        assert_eq!(row(1).key, row(3).key);
        assert_eq!(row(1).task_id, row(3).task_id);
        assert!(row(3).text().ends_with("again.png"), "{}", row(3).text());
        let sha256: [u8; 32] = Sha256::digest(picture(1)).into();
        assert_eq!(row(1).key, Key::of_content(&scope(), &sha256));
        let facts: serde_json::Value =
            serde_json::from_str(row(1).facts.as_deref().unwrap()).unwrap();
        assert_eq!(
            (facts["width"].as_u64(), facts["format"].as_str()),
            (Some(257), Some("png"))
        );
        let rejected = |class| (State::Rejected, Some(class));
        assert_eq!(class(row(4)), rejected("image/truncated"));
        assert_eq!(class(row(5)), rejected("image/empty"));
        assert_eq!(class(row(6)), rejected("file/missing"));
        assert_eq!(class(row(7)), rejected("file/unreadable"));
        assert_eq!(class(row(8)), rejected("image/too-large"));
        assert_eq!(class(row(10)), rejected("list/encoding"));
        assert_eq!(row(10).text(), "a\u{fffd}");
        assert_eq!((bench.sandbox.paid(), progress.uploaded), (3, 2));
    });
}

/// The ledger has the text of such a line, or a URL without its password: neither may be probed.
#[test]
fn a_retry_of_a_source_that_is_not_stored_asks_for_the_list() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let url = bench.url("png/rgb.png");
        let unreadable = Subject::Unusable {
            text: url.clone(),
            reason: Reason {
                class: "file/unreadable".to_owned(),
                message: "line 1: cannot read".to_owned(),
            },
        };
        let unreadable = Line {
            subject: unreadable,
            ..line("", 1)
        };
        let secret = url.replace("http://", "http://user:pass@");
        let lines = vec![unreadable, line(&secret, 2)];
        let (delivered, _) = run(&bench.pipeline(), lines).await;
        let of = |number: u32| class(&delivered[&format!("user-{number}")]);
        assert_eq!(of(1), (State::Rejected, Some("file/unreadable")));
        assert_eq!(of(2), (State::Rejected, Some("url/credentials")));
        let classes = ["file/unreadable", "url/credentials"];
        let classes = classes.map(str::to_owned).to_vec();
        let retried = bench.ledger.retry(classes, UNIX_EPOCH).await;
        assert_eq!(retried.unwrap(), 2);
        let rule = Rule::Code(Code::UrlCredentials);
        let asked = Requirements::ASYNC.with_enforcement(rule, Enforcement::Warn);
        let (delivered, _) = run(&bench.pipeline().requirements(asked), Vec::new()).await;
        for number in [1, 2] {
            let row = &delivered[&format!("user-{number}")];
            assert_eq!(
                class(row),
                (State::Rejected, Some("source/not-stored")),
                "{number}"
            );
            let message = &row.reason.as_ref().unwrap().message;
            assert!(message.contains("scan the list again"), "{message}");
        }
        assert_eq!(bench.sandbox.paid(), 0);
    });
}

/// A pipeline that calls `meddle` when it first reaches `step`.
fn meddled(bench: &Bench, step: Step, meddle: impl Fn() + Send + Sync + 'static) -> Pipeline {
    let passed = AtomicU32::new(0);
    bench
        .pipeline()
        .probe_attempts(1)
        .submit_attempts(1)
        .checkpoint(move |reached| {
            if reached == step && passed.fetch_add(1, Ordering::SeqCst) == 0 {
                meddle();
            }
        })
}

#[test]
fn a_file_that_changes_is_abandoned() {
    block_on(async {
        // Before it is checked, and before it is uploaded.
        for step in [Step::BeforeEnqueue, Step::BeforeFindings] {
            for bytes in [twin(1), picture(2), b"no image".to_vec()] {
                let bench = Bench::new(Sandbox::builder()).await;
                let folder = folder();
                let path = write(folder.path(), "a.png", &picture(1));
                let changed = path.clone();
                let change = move || fs::write(&changed, &bytes).unwrap();
                let pipeline = meddled(&bench, step, change);
                let (delivered, _) = run(&pipeline, vec![file(&path, 1)]).await;
                let row = &delivered["user-1"];
                assert_eq!(class(row), (State::Dead, Some("file/changed")), "{step}");
                let message = &row.reason.as_ref().unwrap().message;
                assert!(message.contains("give the list again"), "{message}");
                assert_eq!((bench.sandbox.paid(), uploads(&bench)), (0, 0), "{step}");
            }
        }
    });
}

#[test]
fn a_missing_file_is_retried_and_then_abandoned() {
    block_on(async {
        for step in [Step::BeforeEnqueue, Step::BeforeFindings] {
            let bench = Bench::new(Sandbox::builder()).await;
            let folder = folder();
            let path = write(folder.path(), "a.png", &picture(1));
            let gone = path.clone();
            let pipeline = meddled(&bench, step, move || fs::remove_file(&gone).unwrap());
            let (delivered, _) = run(&pipeline, vec![file(&path, 1)]).await;
            let row = &delivered["user-1"];
            assert_eq!(class(row), (State::Dead, Some("file/missing")), "{step}");
            assert_eq!(bench.sandbox.paid(), 0);

            // The file exists again, so it is retried by its class.
            fs::write(&path, picture(1)).unwrap();
            let classes = vec!["file/missing".to_owned()];
            let retried = bench.ledger.retry(classes, UNIX_EPOCH).await;
            assert_eq!(retried.unwrap(), 1);
            let (delivered, _) = run(&bench.pipeline(), Vec::new()).await;
            assert_eq!(
                class(&delivered["user-1"]),
                (State::Decided, None),
                "{step}"
            );
        }
    });
}

#[test]
fn a_temporarily_missing_file_costs_an_attempt() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let folder = folder();
        let path = write(folder.path(), "a.png", &picture(1));
        let (away, passed) = (path.clone(), AtomicU32::new(0));
        let pipeline = bench.pipeline().checkpoint(move |step| {
            let pass = passed.load(Ordering::SeqCst);
            if step == Step::BeforeEnqueue {
                fs::remove_file(&away).unwrap();
            } else if step == Step::BeforeFindings && pass == 0 {
                passed.store(1, Ordering::SeqCst);
                fs::write(&away, picture(1)).unwrap();
            }
        });
        let (delivered, progress) = run(&pipeline, vec![file(&path, 1)]).await;
        assert_eq!(class(&delivered["user-1"]), (State::Decided, None));
        assert_eq!((progress.probed, bench.sandbox.paid()), (2, 1));
    });
}

#[test]
fn a_moved_file_is_found_under_its_new_path() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let folder = folder();
        let old = write(folder.path(), "old.png", &picture(1));
        let new = folder.path().join("new.png");
        let sha256: [u8; 32] = Sha256::digest(picture(1)).into();
        let noted = NewImage {
            deliver_again: false,
            key: Key::of_content(&scope(), &sha256),
            location: Location::File(old.clone()),
            known: Known::Nothing,
            facts: None,
            source: line("", 1).source,
        };
        let long_ago = UNIX_EPOCH;
        bench.ledger.enqueue(vec![noted], long_ago).await.unwrap();
        fs::rename(&old, &new).unwrap();
        let (delivered, _) = run(&bench.pipeline(), vec![file(&new, 2)]).await;
        for name in ["user-1", "user-2"] {
            assert_eq!(class(&delivered[name]), (State::Decided, None), "{name}");
        }
        assert_eq!(delivered["user-1"].text(), old.to_string_lossy());
        assert_eq!(delivered["user-2"].location, Location::File(new));
        assert_eq!(bench.sandbox.paid(), 1);
    });
}

#[test]
fn a_failed_upload_is_repeated() {
    let faults = [
        (Operation::Upload, Fault::Gateway(503, When::Before)),
        (Operation::Upload, Fault::Close(When::Before)),
        (Operation::Upload, Fault::Close(When::After)),
        (Operation::UploadCredentials, Fault::Service(500)),
        (Operation::UploadCredentials, Fault::Html(502, When::Before)),
        (Operation::UploadCredentials, Fault::Close(When::After)),
    ];
    block_on(async {
        let trials = faults.map(async |(operation, fault)| {
            let bench = Bench::new(Sandbox::builder()).await;
            bench.sandbox.inject(operation, fault.clone());
            let folder = folder();
            let path = |n: u32| write(folder.path(), &format!("{n}.png"), &picture(n));
            let lines = (1..=5).map(|n| file(&path(n), n.into())).collect();
            let (delivered, _) = run(&bench.pipeline(), lines).await;
            let decided = delivered.values().filter(|row| row.state == State::Decided);
            assert_eq!(decided.count(), 5, "{fault:?}");
            let stats = bench.ledger.stats(UNIX_EPOCH).await.unwrap();
            assert_eq!(
                (bench.sandbox.paid(), stats.tasks, stats.resubmitted),
                (5, 5, 0),
                "{fault:?}"
            );
        });
        futures_util::future::join_all(trials).await;
    });
}

#[test]
fn a_permanently_failing_upload_is_dead() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        bench
            .sandbox
            .inject(Operation::Upload, Fault::Close(When::Before));
        let folder = folder();
        let path = write(folder.path(), "a.png", &picture(1));
        let pipeline = bench.pipeline().probe_attempts(1).submit_attempts(1);
        let (delivered, _) = run(&pipeline, vec![file(&path, 1)]).await;
        assert_eq!(
            class(&delivered["user-1"]),
            (State::Dead, Some("upload/network"))
        );
        assert_eq!(bench.sandbox.paid(), 0);
    });
}

#[test]
fn a_key_without_upload_permission_ends_the_run() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let folder = folder();
        let path = write(folder.path(), "a.png", &picture(1));
        let ledger = Arc::clone(&bench.ledger);
        let wrong = Client::builder()
            .endpoint(&bench.sandbox.endpoint())
            .credentials(Credentials::new("sandbox-key-id", Secret::new("wrong")))
            .build()
            .unwrap();
        let wrong = Pipeline::new(wrong, probe(), ledger, scope()).fill_wait(Duration::ZERO);
        let mut refused = wrong.start(vec![file(&path, 1)]);
        let error = loop {
            match refused.next().await {
                Ok(outcomes) => assert!(outcomes.is_some(), "it ends with an error"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Refused);
        let (delivered, _) = run(&bench.pipeline(), Vec::new()).await;
        assert_eq!(class(&delivered["user-1"]), (State::Decided, None));
    });
}

#[test]
fn a_plan_reads_files_and_uploads_nothing() {
    block_on(async {
        let bench = Bench::new(Sandbox::builder()).await;
        let folder = folder();
        let folder = folder.path();
        let lines = vec![
            file(&write(folder, "a.png", &picture(1)), 1),
            file(&write(folder, "again.png", &picture(1)), 2),
            file(&write(folder, "cut.png", &picture(3)[..60]), 3),
            file(&folder.join("absent.png"), 4),
            Line {
                subject: Subject::Unusable {
                    text: String::new(),
                    reason: Reason {
                        class: "list/empty".to_owned(),
                        message: "nothing".to_owned(),
                    },
                },
                source: Source::default(),
            },
        ];
        let mut planning = Plan::start(&probe(), &requirements(), &scope(), lines).unwrap();
        while planning.advance().await {}
        let plan = planning.plan();
        assert_eq!(
            (plan.lines(), plan.duplicates(), plan.unreadable()),
            (5, 1, 2)
        );
        assert_eq!((plan.accepted(), plan.rejected(), plan.billed()), (2, 1, 1));
        assert_eq!(plan.codes().rejecting()[&Code::ImageTruncated], 1);
        assert_eq!((bench.sandbox.requests(), uploads(&bench)), (0, 0));
    });
}
