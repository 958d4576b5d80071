//! The pipeline over lists of growing length: images per second, and the peak memory.
//!
//! Plan: a dry run in header mode over loopback. Scan: a run against the sandbox without a rate limit,
//! with full downloads. The service and the pipeline are two processes on the same cores, so the
//! memory is the pipeline's.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use greenlight::{
    Requirements, Scene,
    green::{Api, Client, Credentials, Secret},
    ledger::{Ledger as _, Scope, Source, SqliteLedger},
    pipeline::{Line, Pipeline, Plan, Subject},
    probe::{AddressPolicy, Mode, Probe},
    sandbox::Sandbox,
};

use crate::{
    harness::{Kind, Rounds, Scale, Side, Suite, Unit},
    process::{self, peak_memory},
};

pub(crate) fn run(suite: &mut Suite) {
    let (plans, scans): (&[u64], &[u64]) = match suite.scale {
        Scale::Once => (&[100], &[100]),
        Scale::Quick => (&[1_000, 10_000], &[1_000, 5_000]),
        Scale::Full => (&[1_000, 10_000, 100_000], &[1_000, 10_000, 50_000]),
        Scale::Long => (
            &[1_000, 10_000, 100_000, 1_000_000],
            &[1_000, 10_000, 50_000, 200_000],
        ),
    };
    for images in plans {
        let rate = format!("pipeline/plan/png/{images}");
        let memory = format!("memory/plan/png/{images}");
        let names = [(rate.as_str(), Unit::PerSecond), (&memory, Unit::Bytes)];
        over(suite, &names, "plan", *images);
    }
    for images in scans {
        scanned(suite, "scan", *images);
        scanned(suite, "scan-v2", *images);
    }
    if suite.scale == Scale::Long {
        scanned(suite, "scan-v2-paced", 1_000);
    }
}

fn scanned(suite: &mut Suite, role: &str, images: u64) {
    let rate = format!("pipeline/{role}/png/{images}");
    let memory = format!("memory/{role}/png/{images}");
    let disk = format!("disk/{role}/png/{images}");
    let names = [
        (rate.as_str(), Unit::PerSecond),
        (&memory, Unit::Bytes),
        (&disk, Unit::Bytes),
    ];
    over(suite, &names, role, images);
}

fn over(suite: &mut Suite, names: &[(&str, Unit)], role: &str, images: u64) {
    let run = || {
        let mut server = process::Server::start(&["sandbox"]);
        let (endpoint, image) = (server.line(), server.line());
        process::numbers(&[role, &endpoint, &image, &images.to_string()])
    };
    let sides = vec![Side::many("greenlight", Kind::Ours, run)];
    suite.compare_all(names, None, Rounds::Exactly(1), sides);
}

pub(crate) fn scope() -> Scope {
    Scope::new(&[Scene::Porn])
        .with_account("account")
        .with_service("green.example.com")
}

/// Runs the sandbox, and prints its endpoint and the URL of an image.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images");
    let sandbox = Sandbox::builder().remember(1_000_000).serve(folder);
    let sandbox = sandbox.start().await.unwrap();
    println!("{}", sandbox.endpoint());
    println!("{}", sandbox.url_for("png/rgb.png").unwrap());
    let wait = tokio::task::spawn_blocking(process::wait_for_parent);
    wait.await.unwrap();
}

fn lines(image: &str, images: u64) -> impl Iterator<Item = Line> + Send + use<> {
    let image = image.to_owned();
    (1..=images).map(move |line| Line {
        subject: Subject::Url(format!("{image}?{line}")),
        source: Source {
            origin: "list.txt".to_owned(),
            line,
            ..Source::default()
        },
    })
}

fn probe(mode: Mode) -> Probe {
    let policy = AddressPolicy::new().allow("127.0.0.1/32").unwrap();
    let probe = Probe::builder()
        .policy(policy.with_ports(1..=65535))
        .mode(mode);
    probe.concurrency_per_host(64).build().unwrap()
}

/// Prints images per second and the peak memory.
#[tokio::main(worker_threads = 2)]
pub(crate) async fn plan(arguments: &[String]) {
    let [_, image, images] = arguments else {
        panic!("plan ENDPOINT IMAGE COUNT");
    };
    let images: u64 = images.parse().unwrap();
    let start = Instant::now();
    let probe = probe(Mode::Header);
    let lines = lines(image, images);
    let mut planning = Plan::start(&probe, &Requirements::ASYNC, &scope(), lines).unwrap();
    while planning.advance().await {}
    assert_eq!(planning.plan().accepted(), images);
    println!(
        "{} {}",
        images as f64 / start.elapsed().as_secs_f64(),
        peak_memory()
    );
}

/// Prints images per second, the peak memory, and the bytes of ledger per image, of a run of 1.0 or
/// 2.0.
#[tokio::main(worker_threads = 2)]
pub(crate) async fn scan(arguments: &[String], is_v2: bool, per_second: Option<u32>) {
    let [endpoint, image, images] = arguments else {
        panic!("scan ENDPOINT IMAGE COUNT");
    };
    let images: u64 = images.parse().unwrap();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-scan.db");
    drop(fs::remove_file(&path));
    let scope = if is_v2 {
        Scope::new(&[Scene::Other("baselineCheck".to_owned())])
    } else {
        scope()
    };
    let ledger = Arc::new(SqliteLedger::open(&path, &scope).unwrap());
    let unlimited = 1_000_000.try_into().unwrap();
    let client = Client::builder()
        .endpoint(endpoint)
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
    let mut run = pipeline.start(lines(image, images));
    let mut delivered = 0;
    while let Some(outcomes) = run.next().await.unwrap() {
        run.acknowledge(&outcomes).await.unwrap();
        delivered += u64::try_from(outcomes.len()).unwrap();
    }
    let rate = images as f64 / start.elapsed().as_secs_f64();
    let stats = ledger.stats(SystemTime::now()).await.unwrap();
    assert_eq!(
        (delivered, stats.tasks, stats.resubmitted),
        (images, images, 0)
    );
    drop((run, pipeline, ledger));
    let bytes = fs::metadata(&path).unwrap().len() as f64 / images as f64;
    println!("{rate} {} {bytes}", peak_memory());
    fs::remove_file(path).unwrap();
}
