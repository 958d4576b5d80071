//! Images that the service cannot download although the probe can: uploaded and submitted again, once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::join_all;
use greenlight::{
    ledger::{Row, SqliteLedger, State, Stats},
    pipeline::{Line, Pipeline, Step},
    probe::Mode,
    sandbox::{Fault, Operation, Sandbox, SandboxBuilder, Share},
};
use tokio::runtime::Runtime;

use super::{Bench, block_on, line, pipeline_v2, probe, probe_in, run, scope, scope_v2};

/// The codes of 1.0 and 2.0 for an image that was not downloaded, or not in time.
const V1: [i64; 4] = [403, 404, 480, 592];
const V2: [i64; 2] = [404, 405];

async fn bench(sandbox: SandboxBuilder, is_v2: bool) -> (Bench, Pipeline) {
    let scope = if is_v2 { scope_v2() } else { scope() };
    let bench = Bench::of(sandbox.polls(1), &scope).await;
    let pipeline = if is_v2 {
        let ledger = Arc::clone(&bench.ledger);
        pipeline_v2(probe(), &bench.sandbox.endpoint(), ledger)
    } else {
        bench.pipeline()
    };
    (bench, pipeline)
}

async fn stats(bench: &Bench) -> Stats {
    bench.ledger.stats(UNIX_EPOCH).await.unwrap()
}

fn uploads(bench: &Bench) -> u64 {
    bench.sandbox.requests_of(Operation::Upload)
}

fn decided(rows: &BTreeMap<String, Row>) -> usize {
    let decided = rows.values().filter(|row| row.state == State::Decided);
    decided.count()
}

#[test]
fn an_image_that_cannot_be_downloaded_is_uploaded_once() {
    block_on(async {
        let codes = V1.map(|code| (code, false)).into_iter();
        let codes = codes.chain(V2.map(|code| (code, true)));
        let trials = codes.map(|(code, is_v2)| async move {
            let (bench, pipeline) = bench(Sandbox::builder().no_download(code), is_v2).await;
            let (rows, progress) = run(&pipeline.upload_fallback(true), bench.good(7)).await;
            assert_eq!(decided(&rows), 7, "{code}: {rows:?}");
            assert_eq!((uploads(&bench), progress.uploaded), (7, 7), "{code}");
            assert_eq!(
                bench.sandbox.paid(),
                14,
                "{code}: once by URL, once uploaded"
            );
            let stats = stats(&bench).await;
            assert_eq!((stats.by_upload, stats.tasks), (7, 14), "{code}");
            assert_eq!((stats.billed, stats.resubmitted), (14, 0), "{code}");
        });
        join_all(trials).await;
    });
}

#[test]
fn a_refused_submission_is_uploaded_and_paid_once() {
    let submit = [Operation::AsyncScan, Operation::ImageAsyncModeration];
    let elements = V1.map(|code| (Fault::Tasks(code, Share::Half), false));
    let requests = V1.map(|code| (Fault::Service(code), false));
    let v2 = V2.map(|code| (Fault::Service(code), true));
    block_on(async {
        let faults = elements.into_iter().chain(requests).chain(v2);
        let trials = faults.map(|(fault, is_v2)| async move {
            let (bench, pipeline) = bench(Sandbox::builder(), is_v2).await;
            let submit = submit[usize::from(is_v2)];
            let images = match fault {
                Fault::Tasks(..) => 8,
                // A request with several images is split until the one that is refused is known.
                _ => 1,
            };
            bench.sandbox.inject(submit, fault.clone());
            if matches!(fault, Fault::Service(480 | 592)) || is_v2 {
                // The client itself repeats such a request once.
                bench.sandbox.inject(submit, fault.clone());
            }
            let pipeline = pipeline.upload_fallback(true);
            let (rows, _) = run(&pipeline, bench.good(images)).await;
            assert_eq!(decided(&rows), rows.len(), "{fault:?}: {rows:?}");
            assert_eq!(bench.sandbox.paid(), images, "{fault:?}");
            let refused = images.div_ceil(2);
            assert_eq!(uploads(&bench), refused, "{fault:?}");
            assert_eq!(stats(&bench).await.by_upload, refused, "{fault:?}");
        });
        join_all(trials).await;
    });
}

#[test]
fn without_the_setting_nothing_is_uploaded() {
    block_on(async {
        for (code, is_v2, paid) in [(403, false, 1), (404, false, 1), (404, true, 2)] {
            let (bench, pipeline) = bench(Sandbox::builder().no_download(code), is_v2).await;
            let (rows, _) = run(&pipeline.submit_attempts(2), bench.good(1)).await;
            let reason = rows["user-1"].reason.as_ref().unwrap();
            assert_eq!(reason.class, format!("task/{code}"));
            assert_eq!((uploads(&bench), bench.sandbox.paid()), (0, paid), "{code}");
        }
        // A request that is refused for the download of its only image is not repeated forever.
        let (bench, pipeline) = bench(Sandbox::builder(), false).await;
        for _ in 0..9 {
            bench
                .sandbox
                .inject(Operation::AsyncScan, Fault::Service(592));
        }
        let (rows, _) = run(&pipeline.submit_attempts(2), bench.good(1)).await;
        assert_eq!(rows["user-1"].state, State::Dead);
        assert_eq!(bench.sandbox.paid(), 0);
    });
}

#[test]
fn an_uploaded_image_that_fails_again_is_abandoned() {
    block_on(async {
        let (bench, pipeline) = bench(Sandbox::builder(), true).await;
        for _ in 0..3 {
            bench.sandbox.inject(
                Operation::DescribeImageModerationResult,
                Fault::Tasks(405, Share::All),
            );
        }
        let pipeline = pipeline.upload_fallback(true).submit_attempts(2);
        let (rows, _) = run(&pipeline, bench.good(1)).await;
        let row = &rows["user-1"];
        assert_eq!(row.reason.as_ref().unwrap().class, "task/405");
        assert_eq!(bench.sandbox.paid(), 2);
        assert_eq!(stats(&bench).await.by_upload, 1);
    });
}

#[test]
fn an_image_that_is_gone_by_then_is_not_submitted_again() {
    block_on(async {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let png = std::fs::read(std::path::Path::new(super::FIXTURES).join("png/rgb.png")).unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, png).unwrap();
        let sandbox = Sandbox::builder().no_download(404).serve(folder.path());
        let sandbox = sandbox.start().await.unwrap();
        let ledger = SqliteLedger::open(&super::fresh_path("fallback"), &scope()).unwrap();
        let key = sandbox.credentials().secret().to_owned();
        let pipeline = super::pipeline(&sandbox.endpoint(), &key, Arc::new(ledger));
        let pipeline = pipeline.upload_fallback(true).checkpoint(move |step| {
            if step == Step::BeforeUpload {
                // It may be reached again, by a retry.
                drop(std::fs::remove_file(&path));
            }
        });
        let lines = vec![line(&sandbox.url_for("a.png").unwrap(), 1)];
        let (rows, _) = run(&pipeline, lines).await;
        let row = &rows["user-1"];
        assert_eq!(row.reason.as_ref().unwrap().class, "download/status");
        assert_eq!((row.state, sandbox.paid()), (State::Dead, 1));
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "the ledger is taken over now, as the command does"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// A run ends at every step, at its first and at its second pass, as if its process had been killed.
#[test]
#[ignore = "slow: waits until what was sent is settled"]
fn a_kill_at_any_step_neither_uploads_nor_pays_by_guess() {
    let steps = Step::ALL.iter().flat_map(|&step| [(step, 0), (step, 1)]);
    let trials: Vec<_> = steps
        .flat_map(|(step, pass)| [(step, pass, false), (step, pass, true)])
        .collect();
    let mut met = 0;
    for some in trials.chunks(8) {
        let threads: Vec<_> = some
            .iter()
            .map(|&(step, pass, is_v2)| thread::spawn(move || kill_at(step, pass, is_v2)))
            .collect();
        met += threads
            .into_iter()
            .filter_map(|trial| trial.join().unwrap().then_some(()))
            .count();
    }
    assert!(met > 40, "{met} runs ended at their step");
}

/// Returns whether the step was reached.
fn kill_at(step: Step, pass: u32, is_v2: bool) -> bool {
    const IMAGES: u64 = 3;
    let shown = format!("{step} {pass} {is_v2}");
    let runtime = Runtime::new().unwrap();
    let (bench, pipeline) = runtime.block_on(bench(Sandbox::builder().no_download(404), is_v2));
    let pipeline = pipeline
        .upload_fallback(true)
        .send_limit(Duration::from_millis(400))
        .settle_after(Duration::from_secs(1));
    let (reached, is_reached) = mpsc::channel();
    let passed = AtomicU32::new(0);
    let dies = pipeline.clone().checkpoint(move |at| {
        if at == step && passed.fetch_add(1, Ordering::SeqCst) == pass {
            reached.send(true).unwrap();
            // The rest of its runtime is dropped meanwhile.
            loop {
                thread::park();
            }
        }
    });
    let victim = Runtime::new().unwrap();
    let lines = bench.good(IMAGES);
    let ended = victim.spawn(async move { run(&dies, lines).await });
    // The sender is dropped if the run ends without reaching the step.
    let is_killed = is_reached.recv_timeout(Duration::from_secs(60)).is_ok();
    ended.abort();
    victim.shutdown_background();
    runtime.block_on(async {
        let settle = Duration::from_secs(1);
        bench.ledger.take_over(settle, now()).await.unwrap();
        let lines: Vec<Line> = bench.good(IMAGES);
        drop(run(&pipeline, lines).await);
        let rows = bench.rows().await;
        assert_eq!(rows.len(), 3, "{shown}");
        for row in rows {
            assert_eq!(row.state, State::Delivered, "{shown}: {row:?}");
            assert!(row.outcome.is_some(), "{shown}: {row:?}");
        }
        let stats = stats(&bench).await;
        assert_eq!(stats.by_upload, IMAGES, "{shown}");
        let paid = bench.sandbox.paid();
        assert!(paid >= 2 * IMAGES, "{shown}: {paid}");
        // Only what may have been paid is paid again, and it is counted.
        assert!(
            paid <= 2 * IMAGES + stats.resubmitted,
            "{shown}: {paid}, {stats:?}"
        );
        assert!(
            paid <= stats.tasks + stats.resubmitted,
            "{shown}: {paid}, {stats:?}"
        );
    });
    is_killed
}

#[test]
fn a_header_probe_uploads_whole_images() {
    block_on(async {
        let (bench, _) = bench(Sandbox::builder().no_download(404), true).await;
        let ledger = Arc::clone(&bench.ledger);
        let pipeline = pipeline_v2(probe_in(Mode::Header), &bench.sandbox.endpoint(), ledger);
        let (rows, _) = run(&pipeline.upload_fallback(true), bench.good(2)).await;
        assert_eq!(decided(&rows), 2);
        assert_eq!(uploads(&bench), 2);
    });
}
