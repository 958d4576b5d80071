//! Many images, from a list to their outcomes: check, probe, batch, submit, poll, deliver.
//!
//! The stages do not hand images to each other: each takes its work from the [`Ledger`] and puts
//! its result there, so that a crash anywhere loses nothing, a run that is started again goes on
//! where the last one was, and processes that share a ledger share the work and the account's rate.
//! What each stage holds in memory is bounded, for a list of any length.
//!
//! ```no_run
//! # use std::{path::Path, sync::Arc};
//! # use greenlight::{Probe, Requirements, green::Client, ledger::{Scope, Source, SqliteLedger}};
//! use greenlight::pipeline::{Line, Pipeline, Subject};
//!
//! # async fn example(client: Client) -> Result<(), greenlight::Error> {
//! let scope = Scope::new("my-account", "green.ap-southeast-1.aliyuncs.com", &["porn"]);
//! let ledger = Arc::new(SqliteLedger::open(Path::new("greenlight.db"), &scope)?);
//! let lines = ["https://example.com/a.png"].into_iter().zip(1..).map(|(url, line)| Line {
//!     subject: Subject::Url(url.to_owned()),
//!     source: Source { origin: "list".to_owned(), line, ..Source::default() },
//! });
//!
//! let mut run = Pipeline::new(client, Probe::new(), ledger, scope).start(lines);
//! while let Some(outcomes) = run.next().await? {
//!     for outcome in &outcomes {
//!         println!("{} {}", outcome.row.state, outcome.row.text());
//!     }
//!     run.acknowledge(&outcomes).await?; // until then they come again, in this run or the next
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What is guaranteed after a crash is said at [`ledger`](crate::ledger).

mod checkpoint;
mod checks;
mod clock;
mod facts;
mod fate;
mod files;
mod intake;
mod outage;
mod plan;
mod polling;
mod probing;
mod progress;
mod run;
mod shared;
mod submitting;
mod uploading;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    error::Error,
    green::{Batch, Callback, Client, ScanOptions, Scene, TaskReport},
    later::FAR,
    ledger::{Key, Ledger, Limit, Quota, Reason, Resubmit, Scope, Source, TaskUpdate},
    probe::Probe,
    requirements::Requirements,
};

pub use crate::local_file::Folders;
pub use checkpoint::Step;
pub use checks::{CheckedLine, LineChecks};
pub use outage::Outage;
pub use plan::{Plan, Planning};
pub use progress::Progress;
pub use run::{Run, Stopper};

/// One line of a list: what it names, and where it stands.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it names.
    pub subject: Subject,
    /// Where it stands, and the user's own name for it.
    pub source: Source,
}

/// What a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A text that should be the URL of an image.
    Url(String),
    /// A file that should be an image. Its bytes are its identity: they are read once when the line
    /// is, judged when its turn comes, and uploaded right before they are submitted. Whenever they
    /// are no longer the same, the image is given up rather than others taken for it.
    ///
    /// The caller decides which files may be images: whatever this names is opened, with symbolic
    /// links followed, and may be uploaded. For a path from an untrusted source, such as a list
    /// that someone else wrote, use [`FileBelow`](Self::FileBelow). Either way a file is opened
    /// once and checked on the open handle to be a regular one, and no more of it is read than an
    /// image may have and one byte.
    File(PathBuf),
    /// The same for a path from an untrusted source: a file that does not lie below one of the
    /// folders is rejected with `file/outside` and not read.
    FileBelow {
        /// The path.
        path: PathBuf,
        /// Where the file may lie.
        folders: Folders,
    },
    /// Nothing that could be an image. It is noted as rejected, so that its line has a row too.
    Unusable {
        /// The line's text, as far as there is one.
        text: String,
        /// Why.
        reason: Reason,
    },
}

/// A pipeline that was set up. Each setting says its default.
#[derive(Clone)]
pub struct Pipeline {
    client: Client,
    probe: Probe,
    ledger: Arc<dyn Ledger>,
    scope: Scope,
    settings: Settings,
    checkpoint: Option<Arc<Checkpoint>>,
}

type Checkpoint = dyn Fn(Step) + Send + Sync;

#[derive(Clone, Debug)]
struct Settings {
    requirements: Requirements,
    probes: usize,
    requests: usize,
    uploads: usize,
    batch: usize,
    fill_wait: Duration,
    lease: Duration,
    send_limit: Duration,
    settle_after: Duration,
    resubmit: Resubmit,
    probe_attempts: u32,
    submit_attempts: u32,
    poll_interval: Duration,
    retention: Duration,
    callback: Option<Callback>,
    submit_quota: Option<Quota>,
    query_quota: Option<Quota>,
    deliver_again: bool,
}

impl Settings {
    /// The time after which an image without a known answer may be submitted again: never before
    /// its request has ended.
    fn settle_after(&self) -> Duration {
        let least = self.send_limit.saturating_add(Duration::from_millis(500));
        self.settle_after.max(least)
    }
}

impl Pipeline {
    /// A pipeline over a ledger of this scope, whose scenes are asked for.
    ///
    /// The rate is held in the ledger, for all processes that share it; the client's own limits
    /// hold besides, and should not be lower.
    pub fn new(client: Client, probe: Probe, ledger: Arc<dyn Ledger>, scope: Scope) -> Self {
        let settings = Settings {
            requirements: Requirements::ASYNC,
            probes: 128,
            requests: 8,
            uploads: 8,
            batch: Batch::MAX,
            fill_wait: Duration::from_millis(500),
            lease: Duration::from_secs(60),
            send_limit: Duration::from_secs(60),
            settle_after: Duration::from_secs(120),
            resubmit: Resubmit::WhenSettled,
            probe_attempts: 3,
            submit_attempts: 3,
            poll_interval: Duration::from_secs(5),
            retention: Duration::from_secs(3600),
            callback: None,
            // Nine tenths of what an account has unless it asked for more (pages on the operations'
            // limits, 70409 and 84456).
            submit_quota: Some(quota("submit", 45)),
            query_quota: Some(quota("query", 45)),
            deliver_again: false,
        };
        Self {
            client,
            probe,
            ledger,
            scope,
            settings,
            checkpoint: None,
        }
    }

    /// Sets what is asked of an image. Default: [`Requirements::ASYNC`].
    #[must_use]
    pub const fn requirements(mut self, requirements: Requirements) -> Self {
        self.settings.requirements = requirements;
        self
    }

    /// Sets how many images are claimed for probing at a time; the probe has limits of its own.
    /// Default: 128.
    #[must_use]
    pub fn probes(mut self, images: usize) -> Self {
        self.settings.probes = images.max(1);
        self
    }

    /// Sets how many requests to submit, and as many for results, are under way at a time. Default:
    /// 8.
    #[must_use]
    pub fn requests(mut self, requests: usize) -> Self {
        self.settings.requests = requests.max(1);
        self
    }

    /// Sets how many files are uploaded at a time. Default: 8.
    #[must_use]
    pub fn uploads(mut self, files: usize) -> Self {
        self.settings.uploads = files.max(1);
        self
    }

    /// Sets how many images a request holds, at most [`Batch::MAX`], the default.
    #[must_use]
    pub fn batch(mut self, images: usize) -> Self {
        self.settings.batch = images.clamp(1, Batch::MAX);
        self
    }

    /// Sets how long a batch waits to be full. Default: half a second.
    #[must_use]
    pub const fn fill_wait(mut self, wait: Duration) -> Self {
        self.settings.fill_wait = wait;
        self
    }

    /// Sets how long an image is held by a process that may have died. Default: a minute.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Sets how long one request to submit may take, all attempts included. Default: one minute.
    #[must_use]
    pub fn send_limit(mut self, limit: Duration) -> Self {
        // The difference of two endless times would leave no time to send in.
        self.settings.send_limit = limit.min(FAR);
        self
    }

    /// Sets how long after the start of its request an image without a known answer may be
    /// submitted again: at least half a second more than the [`send_limit`](Self::send_limit).
    /// Allow for callbacks to arrive. Default: two minutes.
    #[must_use]
    pub fn settle_after(mut self, wait: Duration) -> Self {
        self.settings.settle_after = wait.min(FAR * 2);
        self
    }

    /// Sets what becomes of images without a known answer then. Default: [`Resubmit::WhenSettled`].
    #[must_use]
    pub const fn resubmit(mut self, resubmit: Resubmit) -> Self {
        self.settings.resubmit = resubmit;
        self
    }

    /// Sets how often an image is probed before it is given up. Default: 3.
    #[must_use]
    pub const fn probe_attempts(mut self, attempts: u32) -> Self {
        self.settings.probe_attempts = attempts;
        self
    }

    /// Sets how often an image is submitted before it is given up. Default: 3.
    #[must_use]
    pub const fn submit_attempts(mut self, attempts: u32) -> Self {
        self.settings.submit_attempts = attempts;
        self
    }

    /// Sets how long after a submission results are asked for, and how long after that again.
    /// Default: 5 seconds, as the service advises.
    #[must_use]
    pub const fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// Sets how long the service keeps results. Default: an hour (asynchronous moderation page,
    /// 2026-03).
    #[must_use]
    pub const fn retention(mut self, retention: Duration) -> Self {
        self.settings.retention = retention;
        self
    }

    /// Has results sent to a URL besides; what comes there is given to
    /// [`record_callback`](Self::record_callback). Then an answer that is lost costs nothing, as
    /// long as the callback comes before its images are [settled](Self::settle_after). Default:
    /// none.
    #[must_use]
    pub fn callback(mut self, callback: Callback) -> Self {
        self.settings.callback = Some(callback);
        self
    }

    /// Sets how many images are submitted per second by all processes that share the ledger; `None`
    /// leaves the limit to the client. Default: 45.
    #[must_use]
    pub fn image_rate(mut self, images: Option<u32>) -> Self {
        self.settings.submit_quota = images.map(|rate| quota("submit", rate));
        self
    }

    /// Sets how many requests for results are made per second by all processes that share the
    /// ledger; `None` leaves the limit to the client. Default: 45.
    #[must_use]
    pub fn query_rate(mut self, requests: Option<u32>) -> Self {
        self.settings.query_quota = requests.map(|rate| quota("query", rate));
        self
    }

    /// Sets whether a line that an earlier run delivered is delivered again when
    /// [`start`](Self::start) is given it again. Nothing is submitted twice either way. Default: no.
    #[must_use]
    pub const fn deliver_again(mut self, again: bool) -> Self {
        self.settings.deliver_again = again;
        self
    }

    /// Calls `checkpoint` between the durable steps. For tests: it may end the process.
    #[must_use]
    pub fn checkpoint(mut self, checkpoint: impl Fn(Step) + Send + Sync + 'static) -> Self {
        self.checkpoint = Some(Arc::new(checkpoint));
        self
    }

    /// Starts to work: notes the lines, and goes on with all that the ledger holds. Runs on the
    /// current tokio runtime, until it is done, stopped or dropped.
    pub fn start<L>(&self, lines: L) -> Run
    where
        L: IntoIterator<Item = Line>,
        L::IntoIter: Send + 'static,
    {
        Run::start(self.clone(), Some(Box::new(lines.into_iter())))
    }

    /// Goes on with what the ledger holds.
    pub fn resume(&self) -> Run {
        Run::start(self.clone(), None)
    }

    /// Records what a callback said, once it was verified. Answers whether that was news.
    ///
    /// This settles images whose answer was lost: they are not submitted again. A callback may come
    /// twice, or for an image that this ledger does not hold.
    ///
    /// # Errors
    ///
    /// When the ledger fails: the service calls again if it is told so.
    pub async fn record_callback(&self, report: &TaskReport) -> Result<bool, Error> {
        let key = report.data_id().and_then(|id| Key::parse(id.as_str()));
        let report = &report.clone().require_scenes(&self.scenes());
        let Some(update) = polling::update_of(&self.settings, report) else {
            return Ok(false);
        };
        let update = TaskUpdate {
            task_id: report.task_id().clone(),
            key,
            update,
        };
        let changed = self.ledger.record_outcomes(vec![update], clock::now());
        Ok(changed.await? > 0)
    }

    /// What is asked for: an outcome without one of these is not a pass.
    fn scenes(&self) -> Vec<Scene> {
        let scenes = self.scope.scenes().iter();
        scenes.map(|scene| Scene::from_word(scene)).collect()
    }

    fn scan_options(&self) -> ScanOptions {
        let options = ScanOptions::new(&self.scenes());
        match &self.settings.callback {
            Some(callback) => options.with_callback(callback.clone()),
            None => options,
        }
    }

    fn reach(&self, step: Step) {
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint(step);
        }
    }
}

/// So many a second, and a batch at once: a batch must pass whatever the rate.
fn quota(operation: &str, rate: u32) -> Quota {
    let burst = rate.max(u32::try_from(Batch::MAX).unwrap_or(u32::MAX));
    Quota {
        operation: operation.to_owned(),
        limit: Limit {
            interval: Duration::from_secs(1) / rate.max(1),
            burst,
        },
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("ledger", &self.ledger)
            .field("scope", &self.scope)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
