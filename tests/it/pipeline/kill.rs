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
    ledger::{Ledger, SqliteLedger, State},
    pipeline::{Pipeline, Step},
    sandbox::Sandbox,
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
            images,
            ..
        } = self;
        format!("{endpoint}\n{ledger}\n{image}\n{images}\n{step}\n{pass}")
    }

    fn read(text: &str) -> Self {
        let mut parts = text.split('\n');
        let mut part = || parts.next().unwrap().to_owned();
        Self {
            endpoint: part(),
            ledger: part(),
            image: part(),
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
    pipeline(&orders.endpoint, "sandbox-key-secret", ledger)
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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let bench = runtime.block_on(Bench::new(Sandbox::builder().polls(1)));
    let mut orders = Orders {
        endpoint: bench.sandbox.endpoint(),
        ledger: bench.ledger.path().display().to_string(),
        image: bench.url("png/rgb.png"),
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
    assert!(
        spawn(&orders).wait().unwrap().success(),
        "the last run is left alone"
    );
    assert!(
        killed.len() >= usize::try_from(kills / 2).unwrap(),
        "{killed:?}"
    );
    runtime.block_on(account(&bench, images, &killed));
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

async fn account(bench: &Bench, images: u64, killed: &[&str]) {
    let rows = bench.rows().await;
    assert_eq!(
        u64::try_from(rows.len()).unwrap(),
        images,
        "one row for each line"
    );
    for row in &rows {
        assert_eq!(row.state, State::Delivered, "{row:?}");
        assert!(row.outcome.is_some() && row.task_id.is_some());
    }
    let stats = bench.ledger.stats(std::time::UNIX_EPOCH).await.unwrap();
    let paid = bench.sandbox.paid();
    let besides = paid - images;
    // What the ledger does not know of was sent and not answered before a kill.
    let lost = paid - stats.tasks;
    let kills = u64::try_from(killed.len()).unwrap();
    println!("{kills} kills, {paid} paid for {images}, {lost} task ids never arrived: {killed:?}");
    assert!(stats.tasks >= images);
    assert!(
        besides <= stats.resubmitted,
        "every second payment is accounted for"
    );
    assert!(
        stats.resubmitted <= kills * REQUESTS * BATCH,
        "{}",
        stats.resubmitted
    );
    assert!(lost <= stats.resubmitted, "{lost}");
    assert_eq!(stats.undelivered, 0);
}
