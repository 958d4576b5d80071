//! A child process is killed at every named step, and in between, again and again; in the end every
//! image has one outcome, no task id is lost, and what was paid besides is within what the protocol
//! allows.
//!
//! `GREENLIGHT_KILL_IMAGES` and `GREENLIGHT_KILLS` make it larger: 20000 and 50 take minutes.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the child is told by its environment, and the bill is shown when it fails"
)]

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use greenlight::{
    green::{Callback, callback::Verifier},
    ledger::{Ledger, SqliteLedger, State},
    pipeline::{Pipeline, Step},
    sandbox::Sandbox,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

use super::{Bench, block_on, line, pipeline, scope};

const CHILD: &str = "GREENLIGHT_KILL_CHILD";

/// Requests under way at a time, and images in each: what one kill may lose the answers of.
const REQUESTS: u64 = 2;
const BATCH: u64 = 10;

/// What the child is told: endpoint, ledger, image, how many, at which step to die, at which pass.
struct Orders {
    endpoint: String,
    ledger: String,
    image: String,
    /// Where results are sent, or nothing.
    callback: String,
    images: u64,
    die_at: Option<(Step, u32)>,
}

impl Orders {
    fn write(&self) -> String {
        let (step, pass) = match self.die_at {
            Some((step, pass)) => (step.name(), pass),
            None => ("", 0),
        };
        let Self {
            endpoint,
            ledger,
            image,
            callback,
            images,
            ..
        } = self;
        format!("{endpoint}\n{ledger}\n{image}\n{callback}\n{images}\n{step}\n{pass}")
    }

    fn read(text: &str) -> Self {
        let mut parts = text.split('\n');
        let mut part = || parts.next().unwrap().to_owned();
        Self {
            endpoint: part(),
            ledger: part(),
            image: part(),
            callback: part(),
            images: part().parse().unwrap(),
            die_at: Step::from_name(&part()).zip(part().parse().ok()),
        }
    }
}

/// Not a test of its own: what the child runs. Without orders it has nothing to do.
#[test]
fn child() {
    let Ok(orders) = env::var(CHILD) else {
        assert!(
            Step::ALL
                .iter()
                .all(|step| Step::from_name(step.name()) == Some(*step))
        );
        return;
    };
    let orders = Orders::read(&orders);
    block_on(async {
        let ledger = SqliteLedger::open(orders.ledger.as_ref(), &scope()).unwrap();
        let pipeline = child_pipeline(&orders, Arc::new(ledger));
        let lines = (1..=orders.images)
            .map(|number| line(&format!("{}?{number}", orders.image), number))
            .collect::<Vec<_>>();
        let mut run = pipeline.start(lines);
        while let Some(outcomes) = run.next().await.unwrap() {
            run.acknowledge(&outcomes).await.unwrap();
        }
    });
}

fn child_pipeline(orders: &Orders, ledger: Arc<dyn Ledger>) -> Pipeline {
    let passed = AtomicU32::new(0);
    let die_at = orders.die_at;
    let pipeline = pipeline(&orders.endpoint, "sandbox-key-secret", ledger);
    let pipeline = match orders.callback.as_str() {
        "" => pipeline,
        // Time enough for callbacks on a busy machine.
        url => pipeline
            .callback(callback(url))
            .settle_after(Duration::from_millis(1500), Duration::from_secs(15)),
    };
    pipeline
        .batch(usize::try_from(BATCH).unwrap())
        .requests(usize::try_from(REQUESTS).unwrap())
        .lease(Duration::from_millis(1500))
        .checkpoint(move |step| {
            if let Some((at, pass)) = die_at
                && step == at
                && passed.fetch_add(1, Ordering::Relaxed) == pass
            {
                let own = std::process::id().to_string();
                let killed = Command::new("kill").args(["-9", &own]).status();
                unreachable!("still alive: {killed:?}");
            }
        })
}

fn callback(url: &str) -> Callback {
    Callback::new(url, "seed_of_the_kill_suite").unwrap()
}

fn spawn(orders: &Orders) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "pipeline::kill::child"])
        .env(CHILD, orders.write())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn no_kill_loses_an_image_or_a_task_or_pays_more_than_was_in_flight() {
    let images = setting("GREENLIGHT_KILL_IMAGES", 400);
    let kills = setting("GREENLIGHT_KILLS", 16);
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::new(Sandbox::builder().polls(1)));
    let bill = run_and_kill(&bench, &runtime, "", images, kills);
    assert!(bill.besides <= bill.resubmitted, "{bill:?}");
    let most = bill.kills * REQUESTS * BATCH;
    assert!(bill.resubmitted <= most && bill.lost <= most, "{bill:?}");
}

#[test]
fn with_callbacks_no_kill_pays_anything_twice() {
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::new(Sandbox::builder().polls(1)));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let verifier = Verifier::new(bench.sandbox.uid(), &callback(&url));
    runtime.spawn(receive(listener, verifier, bench.pipeline()));
    let bill = run_and_kill(&bench, &runtime, &url, 300, 12);
    assert_eq!((bill.besides, bill.lost), (0, 0), "{bill:?}");
}

/// Receives callbacks, as a server beside the runs would.
async fn receive(listener: TcpListener, verifier: Verifier, pipeline: Pipeline) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (verifier, pipeline) = (verifier.clone(), pipeline.clone());
        tokio::spawn(async move {
            let form = read_form(&mut stream).await;
            let report = verifier.open(&form).unwrap();
            // A server that may die records first. This one does not, and the sandbox sends one
            // after the other.
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            pipeline.record_callback(&report).await.unwrap();
        });
    }
}

async fn read_form(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    loop {
        let head = request.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.unwrap().trim().parse().unwrap();
            let body = head + 4;
            if request.len() >= body + length {
                return request[body..body + length].to_vec();
            }
        }
        assert!(
            stream.read_buf(&mut request).await.unwrap() > 0,
            "it ended early"
        );
    }
}

/// What was paid, and what for.
#[derive(Debug)]
struct Bill {
    kills: u64,
    /// Paid more than there are images.
    besides: u64,
    /// Sent again without knowing whether the first time was paid for.
    resubmitted: u64,
    /// Paid, and the task id never arrived.
    lost: u64,
}

fn run_and_kill(bench: &Bench, runtime: &Runtime, callback: &str, images: u64, kills: u64) -> Bill {
    let mut orders = Orders {
        endpoint: bench.sandbox.endpoint(),
        ledger: bench.ledger.path().display().to_string(),
        image: bench.url("png/rgb.png"),
        callback: callback.to_owned(),
        images,
        die_at: None,
    };
    let mut killed = Vec::new();
    for round in 0..kills {
        let (step, pass) = plan_of(round);
        orders.die_at = step.map(|step| (step, pass));
        let mut child = spawn(&orders);
        if step.is_none() {
            // At no step in particular: whatever it does by then.
            thread::sleep(Duration::from_millis(150 + 97 * (round % 11)));
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        if !status.success() {
            killed.push(step.map_or("any", Step::name));
        }
    }
    orders.die_at = None;
    let last = spawn(&orders).wait().unwrap();
    assert!(last.success(), "the last run is left alone");
    let enough = usize::try_from(kills / 2).unwrap();
    assert!(killed.len() >= enough, "{killed:?}");
    runtime.block_on(account(bench, images, &killed))
}

/// The steps in turn, each at its first, second, … pass; every fourth kill at a time of its own.
fn plan_of(round: u64) -> (Option<Step>, u32) {
    if round % 4 == 3 {
        return (None, 0);
    }
    let index = usize::try_from(round - round / 4).unwrap();
    let step = Step::ALL[index % Step::ALL.len()];
    let pass = u32::try_from(index / Step::ALL.len()).unwrap();
    (Some(step), pass)
}

async fn account(bench: &Bench, images: u64, killed: &[&str]) -> Bill {
    let rows = bench.rows().await;
    let count = u64::try_from(rows.len()).unwrap();
    assert_eq!(count, images, "one row for each line");
    for row in &rows {
        assert_eq!(row.state, State::Delivered, "{row:?}");
        assert!(row.outcome.is_some() && row.task_id.is_some());
    }
    let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
    assert_eq!(stats.undelivered, 0);
    assert!(stats.tasks >= images);
    let paid = bench.sandbox.paid();
    let bill = Bill {
        kills: u64::try_from(killed.len()).unwrap(),
        besides: paid - images,
        resubmitted: stats.resubmitted,
        lost: paid - stats.tasks,
    };
    println!("{images} images, {bill:?}, killed at {killed:?}");
    bill
}
