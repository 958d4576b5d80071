//! Measures the pipeline and its ledger.
//!
//! `cargo bench --bench pipeline --features ledger,pipeline,sandbox -- WHAT [IMAGES]`
//!
//! * `plan`: a dry run in header mode over loopback: images per second and the process's memory;
//! * `scan`, `scan-v2`: a run of 1.0 or 2.0 against the sandbox without a rate limit: the same figures, and
//!   bytes of ledger; `scan-v2-paced`: the same at 100 images per second;
//! * `ledger` (the default): images enqueued per second, and images per second through the three
//!   durable steps of a submission (claim and begin, response, outcome), with and without group
//!   commit.
//!
//! The server is another process, so the memory is the pipeline's. The rounds with and without group
//! commit alternate, so that other load affects both; the median is printed. The figures depend on
//! how long a durable write takes, which is measured first.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark prints, and panics when it fails"
)]

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use greenlight::{
    ImageUrl, RequestId, Requirements, TaskId,
    green::{Api, Client, Credentials, Secret},
    ledger::{
        BatchResult, Finding, ImageResult, Judgement, Key, Known, Ledger, Location, NewImage,
        Scope, Source, SqliteLedger, TaskUpdate, Update, Work,
    },
    pipeline::{Line, Pipeline, Plan, Subject},
    probe::{AddressPolicy, Mode, Probe},
    sandbox::Sandbox,
};
use tokio::{runtime::Builder, task::JoinSet};

const BATCH: usize = 50;
const ROUNDS: usize = 5;
const LEASE: Duration = Duration::from_secs(600);

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let what = arguments.next().unwrap_or_else(|| "ledger".to_owned());
    let images = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_000);
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match what.as_str() {
        "serve" => runtime.block_on(serve()),
        "plan" => runtime.block_on(plan(images)),
        "scan" => runtime.block_on(scan(images, false, None)),
        "scan-v2" => runtime.block_on(scan(images, true, None)),
        "scan-v2-paced" => runtime.block_on(scan(images, true, Some(100))),
        _ => runtime.block_on(measure(usize::try_from(images).unwrap())),
    }
}

async fn measure(images: usize) {
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
            // Without group commit a part of the images is enough to measure the rate.
            let submitted = images / side.share;
            rates.push(submit(&ledger, submitted, side.in_flight).await);
            drop(ledger);
            bytes_per_image = fs::metadata(&path).unwrap().len() / u64::try_from(images).unwrap();
            fs::remove_file(&path).unwrap();
        }
    }
    println!(
        "{:<44} {:>10.0}",
        "enqueued, 1000 per call",
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
        name: "submitted, 1 in flight, group commit",
        group: 256,
        in_flight: 1,
        share: 1,
    },
    Side {
        name: "submitted, 1 in flight, one commit per call",
        group: 1,
        in_flight: 1,
        share: 1,
    },
    Side {
        name: "submitted, 32 in flight, group commit",
        group: 256,
        in_flight: 32,
        share: 1,
    },
    Side {
        name: "submitted, 32 in flight, one commit per call",
        group: 1,
        in_flight: 32,
        share: 1,
    },
];

fn scope() -> Scope {
    Scope::new(&["porn"])
        .with_account("account")
        .with_service("green.example.com")
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
            billed: 1,
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

/// Runs the three durable steps of one batch; claiming and beginning are two calls.
async fn cycle(ledger: &SqliteLedger) {
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

/// Runs the sandbox until standard input ends.
async fn serve() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images");
    let sandbox = Sandbox::builder().remember(1_000_000).serve(folder);
    let sandbox = sandbox.start().await.unwrap();
    println!("{}", sandbox.endpoint());
    println!("{}", sandbox.url_for("png/rgb.png").unwrap());
    let wait = || std::io::stdin().lines().for_each(drop);
    tokio::task::spawn_blocking(wait).await.unwrap();
}

struct Server {
    child: Child,
    endpoint: String,
    image: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        let (endpoint, image) = (line(), line());
        Self {
            child,
            endpoint,
            image,
        }
    }

    fn lines(&self, images: u64) -> impl Iterator<Item = Line> + Send + use<> {
        let image = self.image.clone();
        (1..=images).map(move |line| Line {
            subject: Subject::Url(format!("{image}?{line}")),
            source: Source {
                origin: "list.txt".to_owned(),
                line,
                ..Source::default()
            },
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn probe(mode: Mode) -> Probe {
    let policy = AddressPolicy::new().allow("127.0.0.1/32").unwrap();
    let probe = Probe::builder()
        .policy(policy.with_ports(1..=65535))
        .mode(mode);
    probe.concurrency_per_host(64).build().unwrap()
}

/// Returns the peak memory of the process, in MiB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

async fn plan(images: u64) {
    let server = Server::start();
    let start = Instant::now();
    let probe = probe(Mode::Header);
    let lines = server.lines(images);
    let mut planning = Plan::start(&probe, &Requirements::ASYNC, &scope(), lines).unwrap();
    let mut done = 0_u64;
    while planning.advance().await {
        done += 1;
        if done.is_multiple_of(images.div_ceil(5)) {
            println!("{done} planned, at most {} MiB", peak_memory());
        }
    }
    assert_eq!(planning.plan().accepted(), images);
    let rate = rate(usize::try_from(images).unwrap(), start);
    println!("plan: {rate:.0} images/s, at most {} MiB", peak_memory());
}

async fn scan(images: u64, is_v2: bool, per_second: Option<u32>) {
    let server = Server::start();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-scan.db");
    drop(fs::remove_file(&path));
    let scope = if is_v2 {
        Scope::new(&["baselineCheck"])
    } else {
        scope()
    };
    let ledger = Arc::new(SqliteLedger::open(&path, &scope).unwrap());
    let unlimited = 1_000_000.try_into().unwrap();
    let client = Client::builder()
        .endpoint(&server.endpoint)
        .credentials(Credentials::new(
            "sandbox-key-id",
            Secret::new("sandbox-key-secret"),
        ))
        .requests_per_second(unlimited)
        .images_per_second(unlimited);
    let api: Arc<dyn Api> = if is_v2 {
        Arc::new(client.build_v2().unwrap())
    } else {
        Arc::new(client.build().unwrap())
    };
    let shared = Arc::<SqliteLedger>::clone(&ledger);
    let pipeline = Pipeline::new(api, probe(Mode::Full), shared, scope)
        .image_rate(per_second)
        .query_rate(None)
        .poll_interval(Duration::from_millis(500));
    let start = Instant::now();
    let mut run = pipeline.start(server.lines(images));
    let mut delivered = 0;
    while let Some(outcomes) = run.next().await.unwrap() {
        run.acknowledge(&outcomes).await.unwrap();
        let before = delivered * 5 / images;
        delivered += u64::try_from(outcomes.len()).unwrap();
        if delivered * 5 / images > before {
            println!("{delivered} delivered, at most {} MiB", peak_memory());
        }
    }
    let rate = rate(usize::try_from(images).unwrap(), start);
    let stats = ledger.stats(SystemTime::now()).await.unwrap();
    assert_eq!(
        (delivered, stats.tasks, stats.resubmitted),
        (images, images, 0)
    );
    drop((run, pipeline, ledger));
    let bytes = fs::metadata(&path).unwrap().len() / images;
    println!(
        "scan: {rate:.0} images/s, at most {} MiB, {bytes} bytes of ledger per image",
        peak_memory()
    );
    fs::remove_file(path).unwrap();
}
