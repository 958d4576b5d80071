//! The process that is killed.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use greenlight::{
    ledger::{Ledger, Scope},
    pipeline::{Line, Pipeline, Step, Subject},
    probe::Mode,
};

use super::{
    super::{block_on, line, open, pipeline_over, pipeline_v2, probe_in, scope, scope_v2},
    BATCH, Kind, REQUESTS, REQUESTS_V2, own_path, receiver,
};

const CHILD: &str = "GREENLIGHT_KILL_CHILD";

/// The point at which a process kills itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    pub(super) step: Step,
    /// How often it passes the step first.
    pub(super) pass: u32,
}

/// The configuration of the process.
pub(super) struct Orders {
    pub(super) endpoint: String,
    pub(super) ledger: String,
    /// The folder with the files and the records of deliveries.
    pub(super) folder: PathBuf,
    pub(super) good: String,
    pub(super) refused: String,
    /// The URL for callbacks.
    pub(super) callback: Option<String>,
    pub(super) is_v2: bool,
    pub(super) has_fallback: bool,
    pub(super) images: u64,
    /// Images per second.
    pub(super) rate: u32,
    /// Whether it reads the list, or resumes the work in the ledger.
    pub(super) has_list: bool,
    pub(super) death: Option<Death>,
}

impl Orders {
    fn write(&self) -> String {
        let (step, pass) = match self.death {
            Some(Death { step, pass }) => (step.name(), pass),
            None => ("", 0),
        };
        [
            self.endpoint.clone(),
            self.ledger.clone(),
            self.folder.display().to_string(),
            self.good.clone(),
            self.refused.clone(),
            self.callback.clone().unwrap_or_default(),
            self.is_v2.to_string(),
            self.has_fallback.to_string(),
            self.images.to_string(),
            self.rate.to_string(),
            self.has_list.to_string(),
            step.to_owned(),
            pass.to_string(),
        ]
        .join("\n")
    }

    fn read(text: &str) -> Self {
        let mut parts = text.split('\n');
        let mut part = || parts.next().unwrap().to_owned();
        Self {
            endpoint: part(),
            ledger: part(),
            folder: part().into(),
            good: part(),
            refused: part(),
            callback: Some(part()).filter(|url| !url.is_empty()),
            is_v2: part().parse().unwrap(),
            has_fallback: part().parse().unwrap(),
            images: part().parse().unwrap(),
            rate: part().parse().unwrap(),
            has_list: part().parse().unwrap(),
            death: Step::from_name(&part())
                .zip(part().parse().ok())
                .map(|(step, pass)| Death { step, pass }),
        }
    }

    pub(super) fn spawn(&self) -> Child {
        Command::new(own_path())
            .args(["--exact", "pipeline::kill::child::child"])
            .env(CHILD, self.write())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap()
    }

    fn scope(&self) -> Scope {
        if self.is_v2 { scope_v2() } else { scope() }
    }

    fn lines(&self) -> impl Iterator<Item = Line> + Send + use<> {
        let (good, refused) = (self.good.clone(), self.refused.clone());
        let folder = self.folder.clone();
        (1..=self.images).map(move |number| match Kind::of(number) {
            Kind::Url => line(&format!("{good}?{number}"), number),
            Kind::Refused => line(&format!("{refused}?{number}"), number),
            Kind::File => Line {
                subject: Subject::File(file(&folder, number)),
                ..line("", number)
            },
        })
    }

    fn pipeline(&self, ledger: Arc<dyn Ledger>) -> Pipeline {
        // The service's downloads are not tested here.
        let probe = probe_in(Mode::Header);
        let (pipeline, requests) = if self.is_v2 {
            (pipeline_v2(probe, &self.endpoint, ledger), REQUESTS_V2)
        } else {
            let key = "sandbox-key-secret";
            (pipeline_over(probe, &self.endpoint, key, ledger), REQUESTS)
        };
        let send_limit = Duration::from_millis(1500);
        let pipeline = match &self.callback {
            None => pipeline
                .send_limit(send_limit)
                .settle_after(Duration::from_secs(3)),
            // Time enough for callbacks on a busy machine.
            Some(url) => pipeline
                .callback(receiver::callback(url))
                .send_limit(send_limit)
                .settle_after(Duration::from_secs(45)),
        };
        let passed = AtomicU32::new(0);
        let death = self.death;
        pipeline
            .batch(usize::try_from(BATCH).unwrap())
            .requests(usize::try_from(requests).unwrap())
            .image_rate(Some(self.rate))
            .query_rate(None)
            .lease(Duration::from_millis(1500))
            .upload_fallback(self.has_fallback)
            .checkpoint(move |step| {
                if let Some(death) = death
                    && step == death.step
                    && passed.fetch_add(1, Ordering::Relaxed) == death.pass
                {
                    let own = std::process::id().to_string();
                    let killed = Command::new("kill").args(["-9", &own]).status();
                    unreachable!("still alive: {killed:?}");
                }
            })
    }
}

/// The entry point of the child process; it does nothing if run as a test.
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
        let pipeline = orders.pipeline(open(&orders.ledger, &orders.scope()).await);
        let mut run = if orders.has_list {
            pipeline.start(orders.lines())
        } else {
            pipeline.resume()
        };
        let own = format!("delivered-{}", std::process::id());
        let mut delivered = OpenOptions::new()
            .create(true)
            .append(true)
            .open(orders.folder.join(own))
            .unwrap();
        while let Some(outcomes) = run.next().await.unwrap() {
            let mut numbers = String::new();
            for outcome in &outcomes {
                writeln!(numbers, "{}", outcome.row.number).unwrap();
            }
            delivered.write_all(numbers.as_bytes()).unwrap();
            run.acknowledge(&outcomes).await.unwrap();
        }
    });
}

/// The file that a line names.
pub(super) fn file(folder: &Path, line: u64) -> PathBuf {
    folder.join(format!("{line}.png"))
}

/// Returns the numbers of the rows that were delivered to any process.
pub(super) fn delivered(folder: &Path) -> BTreeSet<i64> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let lists = files.filter(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .starts_with("delivered-")
    });
    lists
        .flat_map(|entry| {
            let text = fs::read_to_string(entry.path()).unwrap();
            let numbers = text.lines().map(|line| line.parse().unwrap());
            numbers.collect::<Vec<i64>>()
        })
        .collect()
}
