//! The client: signing one request of fifty tasks, allocations of one batch, and batches per second
//! with the sandbox, with 1 and 64 in flight.
//!
//! With `GREENLIGHT_PYTHON` naming a Python that has `aliyun-python-sdk-core` and `-green`, its signer
//! is measured on the same body, between the rounds.

use std::{
    hint::black_box,
    io::Write as _,
    num::NonZeroU32,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use greenlight::{
    ImageUrl, Scene,
    green::{Batch, Client, Credentials, Secret, Task},
    sandbox::Sandbox,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use crate::{
    harness::{Kind, Rounds, Scale, Side, Suite, Unit},
    signature::sign_once,
};

const BATCHES: u32 = 256;

pub(crate) fn run(suite: &mut Suite) {
    signing(suite);
    if suite.wants("submit/") || suite.wants("submit/allocations/json/50-tasks") {
        let service = Service::start();
        allocations(suite, &service);
        throughput(suite, &service);
    }
}

fn url(number: usize) -> String {
    format!("https://images.example.com/2026/01/{number:08}/picture-of-usual-length.jpg")
}

fn batch() -> Batch {
    let tasks = (0..50).map(|number| Task::unchecked(ImageUrl::parse(&url(number)).unwrap()));
    Batch::new(tasks).unwrap()
}

fn body() -> Vec<u8> {
    let tasks: Vec<_> = batch()
        .tasks()
        .map(|(id, task)| serde_json::json!({"dataId": id, "url": task.url().as_str()}))
        .collect();
    serde_json::to_vec(&serde_json::json!({"scenes": ["porn", "terrorism"], "tasks": tasks}))
        .unwrap()
}

fn signing(suite: &mut Suite) {
    let body = body();
    let credentials = Credentials::new(
        "LTAIexampleAccessKeyId00",
        Secret::new("exampleSecretKey0123456789ABCD"),
    );
    let roa = "sign/roa/json/50-tasks";
    if suite.wants(roa) {
        let mut sides = vec![
            Side::ours(|| sign_once(black_box(&body), &credentials)),
            // What the signature requires: the body's digest, and a keyed one of 512 bytes.
            Side::limit("md5-hmac", || {
                let digest = Md5::digest(black_box(&body));
                let mut mac = Hmac::<sha1::Sha1>::new_from_slice(b"key").unwrap();
                mac.update(black_box(&body[..512]));
                (digest, mac.finalize())
            }),
        ];
        if std::env::var_os("GREENLIGHT_PYTHON").is_some() {
            // Starting Python takes longer than a round: the median of three runs.
            let times: Vec<f64> = (0..3).filter_map(|_| python(&body)).collect();
            let time = crate::harness::quantile(times, 0.5);
            sides.push(Side::new("python-sdk", Kind::Peer, move || time));
        }
        suite.compare(roa, Unit::Nanoseconds, None, Rounds::Timed, sides);
    }
    let ours = || {
        let info = allocation_counter::measure(|| {
            black_box(sign_once(&body, &credentials));
        });
        info.count_total as f64
    };
    let sides = vec![Side::new("greenlight", Kind::Ours, ours)];
    let name = "sign/allocations/json/50-tasks";
    suite.compare(name, Unit::Allocations, None, Rounds::Exactly(1), sides);
}

/// Returns the time of the official signer for one request in nanoseconds, if available.
fn python(body: &[u8]) -> Option<f64> {
    let python = std::env::var("GREENLIGHT_PYTHON").ok()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/suite/sign.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    let micros = String::from_utf8(output.stdout).unwrap();
    Some(micros.trim().parse::<f64>().unwrap() * 1e3)
}

/// Runs the sandbox on a separate thread.
struct Service {
    sandbox: Sandbox,
    _runtime: Runtime,
}

impl Service {
    fn start() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let sandbox = runtime.block_on(Sandbox::start()).unwrap();
        Self {
            sandbox,
            _runtime: runtime,
        }
    }

    fn client(&self) -> Client {
        let key = self.sandbox.credentials();
        Client::builder()
            .endpoint(&self.sandbox.endpoint())
            .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
            .requests_per_second(NonZeroU32::MAX)
            .images_per_second(NonZeroU32::MAX)
            .build()
            .unwrap()
    }
}

fn allocations(suite: &mut Suite, service: &Service) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = service.client();
    let submit = || {
        runtime.block_on(async { client.submit(batch(), &[Scene::Porn]).await.unwrap() });
    };
    submit(); // opens the connection
    let sides = vec![
        Side::new("greenlight", Kind::Ours, || {
            allocation_counter::measure(submit).count_total as f64
        }),
        Side::new("batch-alone", Kind::Limit, || {
            let making = allocation_counter::measure(|| {
                black_box(batch());
            });
            making.count_total as f64
        }),
    ];
    let name = "submit/allocations/json/50-tasks";
    suite.compare(name, Unit::Allocations, None, Rounds::Exactly(3), sides);
}

/// Batches per second of the client and the sandbox on the same cores.
fn throughput(suite: &mut Suite, service: &Service) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let client = service.client();
    let rounds = Rounds::Exactly(if suite.scale <= Scale::Quick { 1 } else { 5 });
    for (name, in_flight) in [
        ("submit/batches/json/1-in-flight", 1),
        ("submit/batches/json/64-in-flight", 64),
    ] {
        let ours = || per_second(&runtime, &client, in_flight);
        let sides = vec![Side::new("greenlight", Kind::Ours, ours)];
        suite.compare(name, Unit::PerSecond, None, rounds, sides);
    }
}

fn per_second(runtime: &Runtime, client: &Client, in_flight: usize) -> f64 {
    let batches: Vec<Batch> = (0..BATCHES).map(|_| batch()).collect();
    let taken: Duration = runtime.block_on(async {
        let start = Instant::now();
        let mut running = JoinSet::new();
        for batch in batches {
            if running.len() == in_flight {
                running.join_next().await.unwrap().unwrap();
            }
            let client = client.clone();
            running.spawn(async move {
                client.submit(batch, &[Scene::Porn]).await.unwrap();
            });
        }
        running.join_all().await;
        start.elapsed()
    });
    f64::from(BATCHES) / taken.as_secs_f64()
}
