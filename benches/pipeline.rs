//! What the ledger costs: images noted a second, images a second through the three durable steps of
//! a submission (claim and begin, answer, outcome), with calls committed together and one by one.
//!
//! `cargo bench --bench pipeline --features ledger [-- IMAGES]`. Rounds alternate, so that a busy
//! machine slows both sides; the median is printed. Numbers depend on how long the disk takes to
//! make a write durable, which is measured first.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement prints, and panics when it fails"
)]

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use greenlight::{
    ImageUrl,
    ledger::{
        Answer, Entry, Finding, Judgement, Key, Known, Ledger, NewImage, Scope, Source,
        SqliteLedger, TaskUpdate, Update, Work,
    },
};
use tokio::{runtime::Builder, task::JoinSet};

const BATCH: usize = 50;
const ROUNDS: usize = 5;
const LEASE: Duration = Duration::from_secs(600);

fn main() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let images = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(20_000);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-ledger");
    fs::create_dir_all(&folder).unwrap();
    println!(
        "durable write (fdatasync), median: {:?}",
        sync_time(&folder)
    );
    println!("{:<44} {:>10}", "what", "images/s");
    let mut enqueue = Vec::new();
    let mut cycles = vec![Vec::new(); SIDES.len()];
    let mut bytes_per_image = 0;
    for round in 0..ROUNDS {
        for (side, rates) in SIDES.iter().zip(&mut cycles) {
            let path = folder.join(format!("{}-{round}.db", std::process::id()));
            let options = SqliteLedger::options().group_commit(side.group);
            let ledger = Arc::new(options.open(&path, &scope()).unwrap());
            enqueue.push(note(&ledger, images).await);
            accept(&ledger, images).await;
            // One by one is slow: a part is enough to know its rate.
            let submitted = images / side.share;
            rates.push(submit(&ledger, submitted, side.in_flight).await);
            drop(ledger);
            bytes_per_image = fs::metadata(&path).unwrap().len() / u64::try_from(images).unwrap();
            fs::remove_file(&path).unwrap();
        }
    }
    println!(
        "{:<44} {:>10.0}",
        "noted, 1000 a call",
        median(&mut enqueue)
    );
    for (side, rates) in SIDES.iter().zip(&mut cycles) {
        println!("{:<44} {:>10.0}", side.name, median(rates));
    }
    println!("bytes of file per image: {bytes_per_image}");
}

struct Side {
    name: &'static str,
    group: usize,
    in_flight: usize,
    share: usize,
}

const SIDES: [Side; 4] = [
    Side {
        name: "submitted, 1 in flight, commits together",
        group: 256,
        in_flight: 1,
        share: 1,
    },
    Side {
        name: "submitted, 1 in flight, one commit a call",
        group: 1,
        in_flight: 1,
        share: 1,
    },
    Side {
        name: "submitted, 32 in flight, commits together",
        group: 256,
        in_flight: 32,
        share: 1,
    },
    Side {
        name: "submitted, 32 in flight, one commit a call",
        group: 1,
        in_flight: 32,
        share: 1,
    },
];

fn scope() -> Scope {
    Scope::new("account", "green.example.com", &["porn"])
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

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn image(line: usize) -> NewImage {
    let url = format!("https://images.example.com/catalogue/2026/{line:08}/front.jpg");
    NewImage {
        key: Key::of_url(&scope(), &ImageUrl::parse(&url).unwrap()),
        url,
        known: Known::Checked,
        source: Source {
            origin: "list.txt".to_owned(),
            line: u64::try_from(line).unwrap(),
            ..Source::default()
        },
    }
}

async fn note(ledger: &SqliteLedger, images: usize) -> f64 {
    let start = Instant::now();
    for first in (0..images).step_by(1000) {
        let chunk = (first..images.min(first + 1000)).map(image).collect();
        ledger.enqueue(chunk, SystemTime::now()).await.unwrap();
    }
    rate(images, start)
}

async fn accept(ledger: &SqliteLedger, images: usize) {
    for _ in (0..images).step_by(1000) {
        let now = SystemTime::now();
        let claimed = ledger.claim(Work::Probe, 1000, LEASE, now).await.unwrap();
        let findings = claimed.into_iter().map(|claimed| Finding {
            hold: claimed.hold,
            judgement: Judgement::Accepted,
            facts: Some(r#"{"format":"jpeg","width":1200,"height":1200}"#.to_owned()),
        });
        ledger
            .record_findings(findings.collect(), now)
            .await
            .unwrap();
    }
}

async fn submit(ledger: &Arc<SqliteLedger>, images: usize, in_flight: usize) -> f64 {
    let start = Instant::now();
    let mut workers = JoinSet::new();
    let batches = images / BATCH;
    for worker in 0..in_flight {
        let mine = batches / in_flight + usize::from(worker < batches % in_flight);
        let ledger = Arc::clone(ledger);
        workers.spawn(async move {
            for _ in 0..mine {
                cycle(&ledger).await;
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap();
    }
    rate(batches * BATCH, start)
}

/// The three durable steps of one batch; claiming and beginning are two calls.
async fn cycle(ledger: &SqliteLedger) {
    let now = SystemTime::now();
    let hour = Duration::from_secs(3600);
    let claimed = ledger.claim(Work::Submit, BATCH, LEASE, now).await.unwrap();
    let holds = claimed.iter().map(|claimed| claimed.hold).collect();
    let begun = ledger.begin_batch(holds, now + hour, now).await.unwrap();
    assert_eq!(begun.keys.len(), BATCH);
    let task = |key: &Key| format!("img{key}-1");
    let entries = begun.keys.iter().map(|key| (*key, Entry::Task(task(key))));
    let answer = Answer::Answered {
        request_id: Some("5F2D3C4B-1A09-4E8F-B7C6-D5E4F3A2B1C0".to_owned()),
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
        task_id: task(key),
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
