//! The ledger: images enqueued per second, and images per second through the three durable steps of a
//! submission (claim and begin, response, outcome), with and without group commit.
//!
//! The figures depend on how long a durable write takes, which is measured in the same rounds.

mod postgres;

use std::{
    fs::{self, File},
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use greenlight::{
    ImageUrl, RequestId, TaskId,
    ledger::{
        BatchResult, Finding, ImageResult, Judgement, Key, Known, Ledger, Location, NewImage,
        Source, SqliteLedger, TaskUpdate, Update, Work,
    },
};
use tokio::{runtime::Builder, task::JoinSet};

use crate::{
    harness::{Kind, Rounds, Scale, Side, Suite, Unit},
    pipeline::scope,
};

const BATCH: usize = 50;
const LEASE: Duration = Duration::from_secs(600);
/// Calls that are durable when they return, for each batch.
const DURABLE_CALLS: f64 = 4.0;

pub(crate) fn run(suite: &mut Suite) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-ledger");
    fs::create_dir_all(&folder).unwrap();
    let is_quick = suite.scale <= Scale::Quick;
    let (images, rounds) = if is_quick { (1_000, 1) } else { (5_000, 5) };
    for (in_flight, submit) in [
        (1, "ledger/submit/sqlite/1-in-flight"),
        (32, "ledger/submit/sqlite/32-in-flight"),
    ] {
        let enqueue = submit.replace("submit", "enqueue");
        let disk = submit.replace("ledger/submit", "disk/ledger");
        let side = |group, share| {
            let (runtime, folder) = (&runtime, &folder);
            // Without group commit a part of the images is enough to measure the rate.
            let submitted = images / share;
            move || runtime.block_on(measure(folder, images, submitted, group, in_flight))
        };
        let sides = vec![
            Side::many("greenlight", Kind::Ours, side(256, 1)),
            Side::many("one-commit-per-call", Kind::Ours, side(1, 4)),
            Side::many("fdatasync", Kind::Limit, || {
                let rate = BATCH as f64 / (sync_time(&folder).as_secs_f64() * DURABLE_CALLS);
                vec![rate, f64::NAN, f64::NAN]
            }),
        ];
        let names = [
            (submit, Unit::PerSecond),
            (&enqueue, Unit::PerSecond),
            (&disk, Unit::Bytes),
        ];
        suite.compare_all(&names, None, Rounds::Exactly(rounds), sides);
    }
    postgres::run(suite, &runtime);
}

/// Returns images per second that are submitted and enqueued, and bytes of the file per image.
async fn measure(
    folder: &Path,
    images: usize,
    submitted: usize,
    group: usize,
    in_flight: usize,
) -> Vec<f64> {
    let path = folder.join(format!("{}.db", std::process::id()));
    drop(fs::remove_file(&path));
    let options = SqliteLedger::options().group_commit(group);
    let ledger = Arc::new(options.open(&path, &scope()).unwrap());
    let enqueued = note(&*ledger, 0..images).await;
    accept(&*ledger, images).await;
    let rate = submit(&[Arc::<SqliteLedger>::clone(&ledger)], submitted, in_flight).await;
    drop(ledger);
    let bytes = fs::metadata(&path).unwrap().len() as f64 / images as f64;
    fs::remove_file(&path).unwrap();
    vec![rate, enqueued, bytes]
}

fn sync_time(folder: &Path) -> Duration {
    let path = folder.join("sync");
    let mut file = File::create(&path).unwrap();
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[0; 4096]).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    fs::remove_file(path).unwrap();
    times.sort_unstable();
    times[times.len() / 2]
}

fn rate(images: usize, start: Instant) -> f64 {
    f64::from(u32::try_from(images).unwrap()) / start.elapsed().as_secs_f64()
}

fn image(line: usize) -> NewImage {
    let url = format!("https://images.example.com/catalogue/2026/{line:08}/front.jpg");
    NewImage {
        deliver_again: false,
        key: Key::of_url(&scope(), &ImageUrl::parse(&url).unwrap()),
        location: Location::Url(url),
        known: Known::Checked,
        facts: None,
        source: Source {
            origin: "list.txt".to_owned(),
            line: u64::try_from(line).unwrap(),
            ..Source::default()
        },
    }
}

async fn note(ledger: &dyn Ledger, lines: Range<usize>) -> f64 {
    let (start, images) = (Instant::now(), lines.len());
    for first in lines.clone().step_by(1000) {
        let chunk = (first..lines.end.min(first + 1000)).map(image).collect();
        ledger.enqueue(chunk, SystemTime::now()).await.unwrap();
    }
    rate(images, start)
}

async fn accept(ledger: &dyn Ledger, images: usize) {
    for _ in (0..images).step_by(1000) {
        let now = SystemTime::now();
        let claimed = ledger.claim(Work::Probe, 1000, LEASE, now).await.unwrap();
        let findings = claimed.into_iter().map(|claimed| Finding {
            hold: claimed.hold,
            judgement: Judgement::Accepted,
            facts: Some(r#"{"format":"jpeg","width":1200,"height":1200}"#.to_owned()),
            billed: 1,
        });
        ledger
            .record_findings(findings.collect(), now)
            .await
            .unwrap();
    }
}

/// Returns images per second that several workers submit, each with as many batches in flight.
async fn submit<L: Ledger + 'static>(workers: &[Arc<L>], images: usize, in_flight: usize) -> f64 {
    let start = Instant::now();
    let mut loops = JoinSet::new();
    let (batches, count) = (images / BATCH, workers.len() * in_flight);
    for (at, worker) in workers.iter().cycle().take(count).enumerate() {
        let mine = batches / count + usize::from(at < batches % count);
        let ledger = Arc::clone(worker);
        loops.spawn(async move {
            for _ in 0..mine {
                cycle(&*ledger).await;
            }
        });
    }
    while let Some(done) = loops.join_next().await {
        done.unwrap();
    }
    rate(batches * BATCH, start)
}

/// Runs the three durable steps of one batch; claiming and beginning are two calls.
async fn cycle(ledger: &dyn Ledger) {
    let now = SystemTime::now();
    let hour = Duration::from_secs(3600);
    let claimed = ledger.claim(Work::Submit, BATCH, LEASE, now).await.unwrap();
    let holds = claimed.iter().map(|claimed| claimed.hold).collect();
    let begun = ledger.begin_batch(holds, hour, now).await.unwrap();
    assert_eq!(begun.keys.len(), BATCH);
    let task_id = |key: &Key| TaskId::parse(&format!("img{key}-1")).unwrap();
    let entries = begun
        .keys
        .iter()
        .map(|key| (*key, ImageResult::Task(task_id(key))));
    let answer = BatchResult::Answered {
        request_id: Some(RequestId::new("5F2D3C4B-1A09-4E8F-B7C6-D5E4F3A2B1C0")),
        poll_at: now,
        expires_at: now + hour,
        entries: entries.collect(),
        strays: Vec::new(),
    };
    ledger
        .record_answer(begun.batch, answer, now)
        .await
        .unwrap();
    let updates = begun.keys.iter().map(|key| TaskUpdate {
        task_id: task_id(key),
        key: None,
        update: Update::Decided(
            r#"{"decision":"pass","results":[{"scene":"porn","label":"normal"}]}"#.to_owned(),
        ),
    });
    ledger
        .record_outcomes(updates.collect(), now)
        .await
        .unwrap();
}
