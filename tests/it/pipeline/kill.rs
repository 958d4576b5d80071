//! Two processes at a time work on one ledger, and each is killed repeatedly, at every named step and
//! in between, while the service fails in every way. In the end every line has one delivered outcome,
//! no task id is lost, and the number of images billed twice is within the bounds of the protocol.
//!
//! `GREENLIGHT_KILL_IMAGES` and `GREENLIGHT_KILLS` make it larger or smaller.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the child is configured by its environment, and prints the bill on failure"
)]

mod child;
mod receiver;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    env, fs,
    path::PathBuf,
    process::Child,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use greenlight::{
    ledger::State,
    pipeline::Step,
    sandbox::{Fault, Operation, Sandbox, Share, When},
};
use tokio::runtime::Runtime;

use super::{Bench, files::picture};
use crate::postgres_server::fresh_url;
use child::{Death, Orders};

/// Requests in flight in one process, and images per request: the responses that a kill can lose.
const REQUESTS: u64 = 2;
const BATCH: u64 = 50;
/// The same in 2.0, whose requests have one image.
const REQUESTS_V2: u64 = 16;

/// Processes at a time.
const PROCESSES: u64 = 2;

/// Images per second that they submit together, so that even on a fast machine there is work left
/// for the next process.
const RATE: u32 = 300;
/// The same with callbacks, which the sandbox sends sequentially.
const CALLBACK_RATE: u32 = 150;
/// The same in 2.0, of fewer images.
const RATE_V2: u32 = 60;

/// Every n-th line is a file, or an image of a format that is not scanned.
const FILES: u64 = 100;
const REFUSED: u64 = 97;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Url,
    File,
    Refused,
}

impl Kind {
    const fn of(line: u64) -> Self {
        if line.is_multiple_of(FILES) {
            Self::File
        } else if line.is_multiple_of(REFUSED) {
            Self::Refused
        } else {
            Self::Url
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
#[ignore = "slow: kills a process at every checkpoint"]
fn no_kill_loses_an_image_or_a_task_or_pays_more_than_was_in_flight() {
    let images = setting("GREENLIGHT_KILL_IMAGES", 6_000);
    let kills = setting("GREENLIGHT_KILLS", 60);
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::new(Sandbox::builder().polls(1)));
    let suite = Suite::new(&bench, images, kills, None, Service::V1);
    let bill = suite.run(&runtime);
    // A request that was in flight when its process died or its response was lost.
    let most = (bill.kills * REQUESTS + bill.unanswered) * BATCH;
    assert!(
        bill.additional <= bill.resubmitted + bill.expired,
        "{bill:?}"
    );
    assert!(bill.resubmitted <= most && bill.lost <= most, "{bill:?}");
}

#[test]
#[ignore = "slow: kills a process at every checkpoint"]
fn with_callbacks_no_kill_pays_anything_twice() {
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::new(Sandbox::builder().polls(1)));
    nothing_is_paid_twice(&runtime, &bench);
}

#[test]
#[ignore = "slow: kills a process at every checkpoint"]
fn with_callbacks_and_postgresql_no_kill_pays_anything_twice() {
    let Some(url) = fresh_url() else { return };
    let runtime = Runtime::new().unwrap();
    let sandbox = Sandbox::builder().polls(1);
    let bench = runtime.block_on(Bench::at(sandbox, &super::scope(), &url));
    nothing_is_paid_twice(&runtime, &bench);
}

/// Callbacks report the tasks of lost responses.
fn nothing_is_paid_twice(runtime: &Runtime, bench: &Bench) {
    let url = receiver::start(runtime, bench);
    let suite = Suite::new(bench, 1_000, 20, Some(url), Service::V1);
    let bill = suite.run(runtime);
    assert!(bill.unanswered > 0, "{bill:?}");
    assert_eq!((bill.additional, bill.lost), (0, 0), "{bill:?}");
}

#[test]
#[ignore = "slow: kills a process at every checkpoint"]
fn with_one_image_a_request_no_kill_pays_more_than_was_in_flight() {
    // Each image is a request of its own.
    let images = setting("GREENLIGHT_KILL_IMAGES", 500);
    let kills = setting("GREENLIGHT_KILLS", 12);
    let runtime = Runtime::new().unwrap();
    let scope = super::scope_v2();
    let bench = runtime.block_on(Bench::of(Sandbox::builder().polls(1), &scope));
    let suite = Suite::new(&bench, images, kills, None, Service::V2);
    let bill = suite.run(&runtime);
    let most = bill.kills * REQUESTS_V2 + bill.unanswered;
    assert!(
        bill.additional <= bill.resubmitted + bill.expired,
        "{bill:?}"
    );
    assert!(bill.resubmitted <= most && bill.lost <= most, "{bill:?}");
}

/// The service reports of every URL that it could not be downloaded in time: each image is uploaded and
/// submitted a second time, whatever is killed meanwhile.
#[test]
#[ignore = "slow: kills a process at every checkpoint"]
fn with_the_upload_fallback_no_kill_submits_an_image_a_third_time() {
    const IMAGES: u64 = 500;
    let runtime = Runtime::new().unwrap();
    let scope = super::scope_v2();
    let sandbox = Sandbox::builder().polls(1).no_download(405);
    let bench = runtime.block_on(Bench::of(sandbox, &scope));
    let suite = Suite::new(&bench, IMAGES, 10, None, Service::V2WithUploads);
    let bill = suite.run(&runtime);
    let urls = (1..=IMAGES).filter(|line| Kind::of(*line) == Kind::Url);
    assert_eq!(
        bill.by_upload,
        u64::try_from(urls.count()).unwrap(),
        "{bill:?}"
    );
    let most = bill.kills * REQUESTS_V2 + bill.unanswered;
    assert!(
        bill.additional <= bill.by_upload + bill.resubmitted + bill.expired,
        "{bill:?}"
    );
    assert!(bill.resubmitted <= most && bill.lost <= most, "{bill:?}");
}

/// The billed images, by cause.
#[derive(Debug)]
struct Bill {
    kills: u64,
    /// Requests whose response was lost by an injected failure.
    unanswered: u64,
    /// Billed in addition to the number of images.
    additional: u64,
    /// Sent again although the first submission may have been billed.
    resubmitted: u64,
    /// Sent again because the result had expired.
    expired: u64,
    /// Billed without a received task id.
    lost: u64,
    /// Images that the service could not download, submitted again by an upload.
    by_upload: u64,
}

/// The API of the suite, and how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    V1,
    V2,
    V2WithUploads,
}

struct Suite<'a> {
    bench: &'a Bench,
    images: u64,
    kills: u64,
    callback: Option<String>,
    service: Service,
    folder: tempfile::TempDir,
    round: AtomicU64,
    /// Where processes were killed.
    killed: Mutex<Vec<&'static str>>,
    unanswered: AtomicU64,
}

impl<'a> Suite<'a> {
    fn new(
        bench: &'a Bench,
        images: u64,
        kills: u64,
        callback: Option<String>,
        service: Service,
    ) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for line in (1..=images).filter(|line| Kind::of(*line) == Kind::File) {
            let number = u32::try_from(line / FILES).unwrap();
            let path = child::file(folder.path(), line);
            fs::write(path, picture(number)).unwrap();
        }
        Self {
            bench,
            images,
            kills,
            callback,
            service,
            folder,
            round: AtomicU64::new(0),
            killed: Mutex::new(Vec::new()),
            unanswered: AtomicU64::new(0),
        }
    }

    fn run(&self, runtime: &Runtime) -> Bill {
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..PROCESSES {
                scope.spawn(|| self.kill_one_after_the_other(runtime));
            }
        });
        let killing = started.elapsed();
        let mut last: Vec<Child> = (0..PROCESSES)
            .map(|_| self.orders(None, true).spawn())
            .collect();
        for child in &mut last {
            assert!(child.wait().unwrap().success(), "the last are left alone");
        }
        println!("{killing:?} of killing, {:?} in all", started.elapsed());
        let bill = runtime.block_on(self.account());
        println!("{} lines, {bill:?}", self.images);
        bill
    }

    fn orders(&self, death: Option<Death>, has_list: bool) -> Orders {
        Orders {
            endpoint: self.bench.sandbox.endpoint(),
            ledger: self.bench.location.clone(),
            folder: self.folder.path().to_owned(),
            good: self.bench.url("png/rgb.png"),
            refused: self.bench.url("webp/animated.webp"),
            callback: self.callback.clone(),
            is_v2: self.service != Service::V1,
            has_fallback: self.service == Service::V2WithUploads,
            images: self.images,
            rate: match (&self.callback, self.service) {
                (Some(_), _) => CALLBACK_RATE,
                (None, Service::V1) => RATE,
                (None, Service::V2 | Service::V2WithUploads) => RATE_V2,
            },
            has_list,
            death,
        }
    }

    fn kill_one_after_the_other(&self, runtime: &Runtime) {
        loop {
            let round = self.round.fetch_add(1, Ordering::SeqCst);
            let death = if round < self.kills {
                death_of(round)
            } else if let Some(step) = self.missed().first().filter(|_| round < 2 * self.kills) {
                // On a busy machine a process may not reach the step in time.
                Some(Death {
                    step: *step,
                    pass: 0,
                })
            } else {
                return;
            };
            self.spoil(round);
            let stats = runtime.block_on(self.bench.ledger.stats(std::time::UNIX_EPOCH));
            let at_intake = matches!(
                death,
                Some(Death {
                    step: Step::BeforeEnqueue | Step::AfterEnqueue,
                    ..
                })
            );
            let has_list = at_intake || stats.unwrap().sources < self.images;
            let mut child = self.orders(death, has_list).spawn();
            // Kill at a random time, also if the process did not reach its step.
            let patience = match death {
                None => Duration::from_millis(100 + random(round) % 400),
                // A short suite would end while a process waits for a step that it does not reach.
                Some(_) if !self.is_long() => Duration::from_secs(3),
                Some(_) => Duration::from_secs(12),
            };
            let met = wait(&mut child, patience);
            let place = match (met, death) {
                (Some(true), Some(death)) => death.step.name(),
                (Some(_), _) => continue, // It had nothing left to do.
                (None, _) => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    "any"
                }
            };
            self.killed.lock().unwrap().push(place);
        }
    }

    /// Whether a process can be killed at each step.
    fn is_long(&self) -> bool {
        self.kills >= 40
    }

    /// Returns the steps at which no process was killed, if the suite is long enough for all.
    fn missed(&self) -> Vec<Step> {
        if !self.is_long() {
            return Vec::new();
        }
        let killed = self.killed.lock().unwrap();
        let missed = Step::ALL
            .iter()
            .filter(|step| !killed.contains(&step.name()));
        missed.copied().collect()
    }

    /// Injects a failure into one of the next requests.
    fn spoil(&self, round: u64) {
        use Operation::{AsyncScan, Results, Upload, UploadCredentials};
        let late = Duration::from_secs(3);
        let retry_after = Some(Duration::from_millis(50));
        let faults = [
            (AsyncScan, Fault::Throttled(429, retry_after), false),
            (Results, Fault::Service(500), false),
            (AsyncScan, Fault::Close(When::After), true),
            (Upload, Fault::Gateway(503, When::Before), false),
            (AsyncScan, Fault::Html(502, When::After), true),
            (Results, Fault::CutBody, false),
            (AsyncScan, Fault::Service(588), false),
            (AsyncScan, Fault::CutBody, true),
            (Results, Fault::Close(When::After), false),
            (AsyncScan, Fault::Tasks(588, Share::Half), false),
            (AsyncScan, Fault::Close(When::Before), true),
            (UploadCredentials, Fault::Service(500), false),
            (AsyncScan, Fault::Missing(Share::Half), true),
            (Results, Fault::Html(502, When::After), false),
            (AsyncScan, Fault::Delay(late), true),
            (Results, Fault::Gateway(503, When::After), false),
            (AsyncScan, Fault::Service(500), false),
            (Results, Fault::Missing(Share::Half), false),
            (AsyncScan, Fault::Shuffled, false),
            (AsyncScan, Fault::Empty, true),
        ];
        let index = usize::try_from(round).unwrap() % faults.len();
        let (operation, fault, is_unanswered) = match round {
            // Once only, because an image whose result expires twice is abandoned. Not with callbacks,
            // because they may or may not arrive before the image is sent again.
            15 if self.callback.is_none() => (Results, Fault::Forgotten, false),
            _ => faults[index].clone(),
        };
        let (operation, fault) = match self.service {
            Service::V1 => (operation, fault),
            Service::V2 | Service::V2WithUploads => in_v2(operation, fault),
        };
        self.bench.sandbox.inject(operation, fault);
        self.unanswered
            .fetch_add(u64::from(is_unanswered), Ordering::SeqCst);
    }

    async fn account(&self) -> Bill {
        let killed = self.killed.lock().unwrap().clone();
        let mut places = BTreeMap::new();
        for place in &killed {
            *places.entry(*place).or_insert(0) += 1;
        }
        println!("killed {} times: {places:?}", killed.len());
        let kills = u64::try_from(killed.len()).unwrap();
        assert!(kills * 10 >= self.kills * 8, "too few were killed: {kills}");
        let missed = self.missed();
        assert!(missed.is_empty(), "no process was killed at {missed:?}");
        let rows = self.bench.rows().await;
        let lines: Vec<u64> = rows.iter().map(|row| row.source.line).collect();
        let distinct: BTreeSet<u64> = lines.iter().copied().collect();
        assert_eq!(lines.len(), distinct.len(), "one row for each line");
        assert!(distinct.into_iter().eq(1..=self.images));
        let mut tasks = HashSet::new();
        for row in &rows {
            if Kind::of(row.source.line) == Kind::Refused {
                assert_eq!(row.state, State::Rejected, "{row:?}");
                continue;
            }
            assert_eq!(row.state, State::Delivered, "{row:?}");
            assert!(row.outcome.is_some(), "{row:?}");
            assert!(tasks.insert(row.task_id.clone().unwrap()), "{row:?}");
        }
        let delivered = child::delivered(self.folder.path());
        let numbers: BTreeSet<i64> = rows.iter().map(|row| row.number).collect();
        assert_eq!(delivered, numbers, "every line's consumer has its outcome");
        let stats = self
            .bench
            .ledger
            .stats(std::time::UNIX_EPOCH)
            .await
            .unwrap();
        assert_eq!(stats.undelivered, 0);
        let good = u64::try_from(tasks.len()).unwrap();
        let paid = self.bench.sandbox.paid();
        Bill {
            kills,
            unanswered: self.unanswered.load(Ordering::SeqCst),
            additional: paid - good,
            resubmitted: stats.resubmitted,
            expired: stats.expired,
            lost: paid - stats.tasks,
            by_upload: stats.by_upload,
        }
    }
}

/// The same failure in 2.0.
fn in_v2(operation: Operation, fault: Fault) -> (Operation, Fault) {
    let operation = match operation {
        Operation::AsyncScan => Operation::ImageAsyncModeration,
        Operation::Results => Operation::DescribeImageModerationResult,
        Operation::UploadCredentials => Operation::DescribeUploadToken,
        other => other,
    };
    let fault = match fault {
        Fault::Service(588) | Fault::Tasks(588, _) => Fault::Service(403),
        other => other,
    };
    (operation, fault)
}

/// Kills at the steps in turn, each at one of its first passes; every fourth time at a random time.
fn death_of(round: u64) -> Option<Death> {
    if round % 4 == 3 {
        return None;
    }
    let index = usize::try_from(round - round / 4).unwrap();
    let step = Step::ALL[index % Step::ALL.len()];
    let pass = u32::try_from(random(round) % 3).unwrap();
    Some(Death { step, pass })
}

/// Returns a value that depends on the round only.
fn random(round: u64) -> u64 {
    let mut mixed = round.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}

/// Returns whether the child ended within the time, and if so, whether by a signal.
fn wait(child: &mut Child, most: Duration) -> Option<bool> {
    let until = Instant::now() + most;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            let was_killed = status.code().is_none();
            assert!(was_killed || status.success(), "it failed by itself");
            return Some(was_killed);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Returns the path of the test executable.
fn own_path() -> PathBuf {
    env::current_exe().unwrap()
}
