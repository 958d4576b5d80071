//! Measures the client: signing one request of fifty tasks, allocations of one batch, and batches
//! per second with the sandbox, with 1 and 64 in flight.
//!
//! `cargo bench --bench sign --features sandbox`. With `GREENLIGHT_PYTHON` naming a Python that has
//! `aliyun-python-sdk-core` and `-green`, its signer is timed on the same body in the same run.
//! Rounds alternate, so that other load affects all sides; medians are printed.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark prints, and panics when it fails"
)]

use std::{
    hint::black_box,
    io::Write as _,
    num::NonZeroU32,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use greenlight::{
    ImageUrl,
    green::{
        Batch, Client, Credentials, Scene, Secret, Task,
        sign::{self, Parts},
    },
    sandbox::Sandbox,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

/// Rounds are short and many, so that interrupted ones do not affect the median.
const ROUNDS: usize = 600;
const SIGNATURES: u32 = 10;
const BATCHES: u32 = 256;

fn main() {
    let body = body();
    println!("body of 50 tasks: {} bytes", body.len());
    signing(&body);
    let service = Service::start();
    allocations(&service);
    throughput(&service);
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

fn signing(body: &[u8]) {
    let credentials = Credentials::new(
        "LTAIexampleAccessKeyId00",
        Secret::new("exampleSecretKey0123456789ABCD"),
    );
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..SIGNATURES {
            black_box(sign_once(black_box(body), &credentials));
        }
        ours.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(SIGNATURES));
        // The script returns a median of as many rounds; three runs, between ours, are enough.
        if round % (ROUNDS / 3) == 0 {
            theirs.extend(python(body));
        }
    }
    let ours = median(ours);
    println!("sign one request: {ours:.2} µs (digest of the body and signature)");
    if theirs.is_empty() {
        println!("  official Python SDK: not measured, GREENLIGHT_PYTHON is not set");
    } else {
        let theirs = median(theirs);
        println!(
            "  official Python SDK: {theirs:.2} µs, {:.0} times as long",
            theirs / ours
        );
    }
    let info = allocation_counter::measure(|| {
        black_box(sign_once(body, &credentials));
    });
    println!(
        "  allocations: {}, {} bytes in all",
        info.count_total, info.bytes_total
    );
}

fn sign_once(body: &[u8], credentials: &Credentials) -> sign::Signature {
    let md5 = sign::content_md5(body);
    sign::roa(
        &Parts {
            method: "POST",
            path: "/green/image/asyncscan",
            query: &[],
            headers: &[
                ("accept", "application/json"),
                ("content-md5", &md5),
                ("content-type", "application/json"),
                ("date", "Tue, 17 Jan 2017 10:16:36 GMT"),
                ("x-acs-signature-method", "HMAC-SHA1"),
                (
                    "x-acs-signature-nonce",
                    "339497c2-d91f-4c17-a0a3-1192ee9e2202",
                ),
                ("x-acs-signature-version", "1.0"),
                ("x-acs-version", "2018-05-09"),
            ],
        },
        credentials,
    )
}

/// Returns the time of the official signer for one request in microseconds, if available.
fn python(body: &[u8]) -> Option<f64> {
    let python = std::env::var("GREENLIGHT_PYTHON").ok()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/sign.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap(),
    )
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

fn allocations(service: &Service) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = service.client();
    let submit = || {
        runtime.block_on(async { client.submit(batch(), &[Scene::Porn]).await.unwrap() });
    };
    submit(); // opens the connection
    let making = allocation_counter::measure(|| {
        black_box(batch());
    });
    let all = allocation_counter::measure(submit);
    println!(
        "one batch of 50: {} allocations to create it, {} more to sign, send and read the response",
        making.count_total,
        all.count_total.saturating_sub(making.count_total)
    );
}

fn throughput(service: &Service) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let client = service.client();
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        one.push(per_second(&runtime, &client, 1));
        many.push(per_second(&runtime, &client, 64));
    }
    for (name, rates) in [("1", one), ("64", many)] {
        let rate = median(rates);
        println!(
            "{name} in flight: {rate:.0} batches/s, {:.0} images/s (client and sandbox on one machine)",
            rate * 50.0
        );
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
