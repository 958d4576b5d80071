//! Processing of many images, from a list to their outcomes: check, probe, batch, submit, poll,
//! deliver.
//!
//! The stages do not pass images to each other: each claims its work from the [`Ledger`] and records
//! the result there. So a crash loses nothing, a new run resumes the previous one, and processes
//! that share a ledger share the work and the account's rate limit. Memory is bounded for a list of
//! any length.
//!
//! ```no_run
//! # use std::{path::Path, sync::Arc};
//! # use greenlight::{
//! #     Requirements,
//! #     green::Client,
//! #     ledger::{Scope, Source, SqliteLedger},
//! #     probe::Probe,
//! # };
//! use greenlight::pipeline::{Line, Pipeline, Subject};
//!
//! # async fn example(client: Client) -> Result<(), greenlight::Error> {
//! let scope = Scope::new(&["porn"])
//!     .with_account("my-account")
//!     .with_service("green.ap-southeast-1.aliyuncs.com");
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
//!     run.acknowledge(&outcomes).await?; // without it, the next run returns them again
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The guarantees after a crash are documented in [`ledger`](crate::ledger).

mod checkpoint;
mod checks;
mod clock;
mod facts;
mod failure;
mod files;
mod intake;
mod lease;
mod line;
mod outage;
mod plan;
mod polling;
mod probing;
mod progress;
mod queue;
mod quotas;
mod run;
mod seen;
mod shared;
mod submitting;
mod trace;
mod uploading;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use crate::{
    error::Error,
    green::{Api, Callback, Scene, TaskReport},
    later::FAR,
    ledger::{Key, Ledger, Quota, Resubmit, Scope, TaskUpdate},
    probe::Probe,
    requirements::{Provenance, Requirements},
};

pub use checkpoint::Step;
pub use checks::{CheckedLine, LineChecks};
pub use line::{EarlierCheck, Line, Subject};
pub use outage::Outage;
pub use plan::{Plan, Planning};
pub use progress::Progress;
pub use queue::Queue;
use run::Input;
pub use run::{Run, Stopper};

/// The configuration of a pipeline. Each setter documents its default.
///
/// ```
/// # #[cfg(all(feature = "sandbox", feature = "ledger"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use std::{sync::Arc, time::Duration};
///
/// use greenlight::{
///     green::{Client, Credentials, Secret},
///     ledger::{Scope, Source, SqliteLedger},
///     pipeline::{Line, Pipeline, Subject},
///     probe::Probe,
///     sandbox::Sandbox,
/// };
///
/// let sandbox = Sandbox::builder().start().await?; // a mock of the service
/// let key = sandbox.credentials();
/// let client = Client::builder()
///     .endpoint(&sandbox.endpoint())
///     .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
///     .build()?;
/// let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&["porn"]).with_account(key.id()).with_service("sandbox");
/// let ledger = Arc::new(SqliteLedger::open(&folder.path().join("images.db"), &scope)?);
///
/// let line = Line {
///     subject: Subject::File("fixtures/images/png/rgb.png".into()),
///     source: Source { origin: "list".to_owned(), line: 1, ..Source::default() },
/// };
/// let pipeline = Pipeline::new(client, Probe::new(), ledger, scope)
///     .upload_fallback(true)
///     .poll_interval(Duration::from_millis(20));
/// let mut run = pipeline.start([line]);
/// while let Some(outcomes) = run.next().await? {
///     run.acknowledge(&outcomes).await?;
/// }
/// assert_eq!(sandbox.paid(), 1);
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(all(feature = "sandbox", feature = "ledger")))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Pipeline {
    api: Arc<dyn Api>,
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
    /// That of a verdict by these requirements, at any time.
    provenance: Provenance,
    checked_within: Option<Duration>,
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
    max_poll_interval: Duration,
    retention: Duration,
    missing_for: Duration,
    max_results: usize,
    frame_cap: u32,
    callback: Option<Callback>,
    submit_quota: Option<Quota>,
    query_quota: Option<Quota>,
    deliver_again: bool,
    upload_fallback: bool,
}

impl Settings {
    /// Returns how long after its request an image without a known response may be submitted again:
    /// always after the request has ended.
    fn settle_after(&self) -> Duration {
        let least = self.send_limit.saturating_add(Duration::from_millis(500));
        self.settle_after.max(least)
    }
}

impl Pipeline {
    /// Returns a pipeline that uses a ledger of this scope and requests the scope's scenes, or its
    /// service in 2.0. `api` is a client of either API.
    ///
    /// The rate limits are kept in the ledger and apply to all processes that share it. The
    /// client's own limits apply additionally, and should not be lower.
    pub fn new(
        api: impl Api + 'static,
        probe: Probe,
        ledger: Arc<dyn Ledger>,
        scope: Scope,
    ) -> Self {
        let terms = api.terms();
        let rate = quotas::nine_tenths(&terms);
        let settings = Settings {
            requirements: Requirements::ASYNC,
            provenance: Provenance::new(&Requirements::ASYNC, UNIX_EPOCH),
            checked_within: None,
            probes: 128,
            requests: terms.in_flight,
            uploads: 8,
            batch: terms.max_tasks,
            fill_wait: Duration::from_millis(500),
            lease: Duration::from_secs(60),
            send_limit: Duration::from_secs(60),
            settle_after: Duration::from_secs(120),
            resubmit: Resubmit::WhenSettled,
            probe_attempts: 3,
            submit_attempts: 3,
            poll_interval: terms.poll_interval,
            max_poll_interval: terms.max_poll_interval,
            retention: terms.retention,
            missing_for: terms.missing_for,
            max_results: terms.max_results,
            frame_cap: terms.frame_cap,
            callback: None,
            submit_quota: Some(quotas::quota("submit", rate, &terms)),
            query_quota: Some(quotas::quota("query", rate, &terms)),
            deliver_again: false,
            upload_fallback: false,
        };
        Self {
            api: Arc::new(api),
            probe,
            ledger,
            scope,
            settings,
            checkpoint: None,
        }
    }

    /// Sets the requirements. Default: [`Requirements::ASYNC`].
    #[must_use]
    pub fn requirements(mut self, requirements: Requirements) -> Self {
        self.settings.provenance = Provenance::new(&requirements, UNIX_EPOCH);
        self.settings.requirements = requirements;
        self
    }

    /// Sets how old an [`EarlierCheck`] may be to replace a probe. It must not be of the future,
    /// and have the version and requirements of this run. A URL with an address that the probe
    /// refuses is rejected all the same. The author of the list must be trusted, because every submission is billed.
    /// Default: none is used.
    #[must_use]
    pub const fn checked_within(mut self, age: Option<Duration>) -> Self {
        self.settings.checked_within = age;
        self
    }

    /// Sets how many images are claimed for probing at a time. The probe's own limits apply
    /// additionally. Default: 128.
    #[must_use]
    pub fn probes(mut self, images: usize) -> Self {
        self.settings.probes = images.max(1);
        self
    }

    /// Sets how many submissions, and how many polls, are in flight at a time. Default: 8, and 64
    /// in 2.0, whose requests have one image each.
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

    /// Sets the maximum number of images per request. Default, and upper limit:
    /// [`Terms::max_tasks`](crate::green::Terms::max_tasks).
    #[must_use]
    pub fn batch(mut self, images: usize) -> Self {
        self.settings.batch = images.clamp(1, self.api.terms().max_tasks);
        self
    }

    /// Sets how long an incomplete batch waits for more images. It does not wait if the whole list
    /// is read and checked. Default: 500 ms.
    #[must_use]
    pub const fn fill_wait(mut self, wait: Duration) -> Self {
        self.settings.fill_wait = wait;
        self
    }

    /// Sets the duration of a lease: other processes can claim the images of a dead process after
    /// it. Default: one minute.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Sets the deadline of a submission, including all attempts. Default: one minute.
    #[must_use]
    pub fn send_limit(mut self, limit: Duration) -> Self {
        // `settle_after` must stay greater than this, so neither may be unlimited.
        self.settings.send_limit = limit.min(FAR);
        self
    }

    /// Sets how long after the start of its request an image without a known response may be
    /// submitted again: at least 500 ms more than the [`send_limit`](Self::send_limit). Leave time
    /// for callbacks to arrive. Default: two minutes.
    #[must_use]
    pub fn settle_after(mut self, wait: Duration) -> Self {
        self.settings.settle_after = wait.min(FAR * 2);
        self
    }

    /// Sets what happens to images without a known response after
    /// [`settle_after`](Self::settle_after). Default: [`Resubmit::WhenSettled`].
    #[must_use]
    pub const fn resubmit(mut self, resubmit: Resubmit) -> Self {
        self.settings.resubmit = resubmit;
        self
    }

    /// Sets after how many attempts to probe an image it is abandoned. Default: 3.
    #[must_use]
    pub const fn probe_attempts(mut self, attempts: u32) -> Self {
        self.settings.probe_attempts = attempts;
        self
    }

    /// Sets after how many attempts to submit an image it is abandoned. Default: 3.
    #[must_use]
    pub const fn submit_attempts(mut self, attempts: u32) -> Self {
        self.settings.submit_attempts = attempts;
        self
    }

    /// Sets the interval between a submission and its first poll, and the shortest between polls: it grows
    /// with the age of a task, up to [`Terms::max_poll_interval`](crate::green::Terms::max_poll_interval).
    /// Default: 5 seconds.
    #[must_use]
    pub const fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// Sets how long the service keeps results. Default: [`Terms::retention`](crate::green::Terms::retention).
    #[must_use]
    pub const fn retention(mut self, retention: Duration) -> Self {
        self.settings.retention = retention;
        self
    }

    /// Requests callbacks to a URL in addition to polling. Pass each verified callback to
    /// [`record_callback`](Self::record_callback). A lost response then costs nothing if the
    /// callback arrives before its images are [settled](Self::settle_after). Default: none.
    #[must_use]
    pub fn callback(mut self, callback: Callback) -> Self {
        self.settings.callback = Some(callback);
        self
    }

    /// Sets how many images are submitted per second by all processes that share the ledger; `None`
    /// leaves the limit to the client. Default: nine tenths of
    /// [`Terms::per_second`](crate::green::Terms::per_second).
    #[must_use]
    pub fn image_rate(mut self, images: Option<u32>) -> Self {
        let terms = self.api.terms();
        self.settings.submit_quota = images.map(|rate| quotas::quota("submit", rate, &terms));
        self
    }

    /// Sets how many requests for results are made per second by all processes that share the
    /// ledger; `None` leaves the limit to the client. Default: nine tenths of
    /// [`Terms::per_second`](crate::green::Terms::per_second).
    #[must_use]
    pub fn query_rate(mut self, requests: Option<u32>) -> Self {
        let terms = self.api.terms();
        self.settings.query_quota = requests.map(|rate| quotas::quota("query", rate, &terms));
        self
    }

    /// Sets whether a line that an earlier run delivered is delivered again if it is passed to
    /// [`start`](Self::start) again. The image is submitted once either way. Default: false.
    #[must_use]
    pub const fn deliver_again(mut self, again: bool) -> Self {
        self.settings.deliver_again = again;
        self
    }

    /// Sets whether an image that the service reports as not downloadable, although the probe read it,
    /// is uploaded and submitted again, once: see [`NextStep::Upload`](crate::ledger::NextStep::Upload).
    /// The second submission is made, and billed, only after the first has definitely failed. An image
    /// for which a ledger has recorded this step is uploaded by every later run. At most 32 MB are
    /// uploaded. Default: false.
    #[must_use]
    pub const fn upload_fallback(mut self, uploads: bool) -> Self {
        self.settings.upload_fallback = uploads;
        self
    }

    /// Sets a function to call between the durable steps. For tests: it may end the process.
    #[must_use]
    pub fn checkpoint(mut self, checkpoint: impl Fn(Step) + Send + Sync + 'static) -> Self {
        self.checkpoint = Some(Arc::new(checkpoint));
        self
    }

    /// Starts a run that enqueues `lines` and processes all work in the ledger. It runs on the
    /// current tokio runtime until it completes, is stopped or is dropped.
    pub fn start<L>(&self, lines: L) -> Run
    where
        L: IntoIterator<Item = Line>,
        L::IntoIter: Send + 'static,
    {
        Run::start(self.clone(), Input::Lines(Box::new(lines.into_iter())))
    }

    /// Starts a run that processes the work in the ledger.
    pub fn resume(&self) -> Run {
        Run::start(self.clone(), Input::Nothing)
    }

    /// Starts a run that processes the work in the ledger and what its [`Run::queue`] adds, until it
    /// is stopped.
    pub fn open(&self) -> Run {
        Run::start(self.clone(), Input::Queue)
    }

    /// Records the report of a verified callback. Returns whether it changed the ledger.
    ///
    /// It also decides images whose response was lost, so that they are not submitted again. A
    /// callback may arrive twice, or for an image that is not in this ledger.
    ///
    /// # Errors
    ///
    /// Returns an error if the ledger fails. Respond to the callback with an error status then, so
    /// that the service repeats it.
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

    #[cfg(feature = "serve")]
    pub(crate) const fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// Returns the requested scenes. An outcome that lacks one of them is not a pass.
    fn scenes(&self) -> Vec<Scene> {
        let scenes = self.scope.scenes().iter();
        scenes.map(|scene| Scene::from_word(scene)).collect()
    }

    fn reach(&self, step: Step) {
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint(step);
        }
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
