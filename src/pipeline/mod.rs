//! Processing of many images, from a list to their outcomes: check, probe, batch, submit, poll,
//! deliver.
//!
//! The stages do not pass images to each other: each claims its work from the [`Ledger`] and records
//! the result there. So a crash loses nothing, a new run resumes the previous one, and processes
//! that share a ledger share the work and the account's rate limit. Memory is bounded for a list of
//! any length.
//!
//! ```
//! # #[cfg(all(feature = "sandbox", feature = "ledger"))]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::{sync::Arc, time::Duration};
//! # use greenlight::{Scene, green::{Client, Credentials, Secret}, ledger::*, probe::Probe};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("greenlight.db");
//! # let sandbox = greenlight::sandbox::Sandbox::start().await?;
//! # let key = sandbox.credentials();
//! # let key = Credentials::new(key.id(), Secret::new(key.secret()));
//! # let client = Client::builder().endpoint(&sandbox.endpoint()).credentials(key).build()?;
//! use greenlight::pipeline::{Line, Pipeline, Subject};
//!
//! let scope = Scope::new(&[Scene::Porn])
//!     .with_account("my-account")
//!     .with_service("green.ap-southeast-1.aliyuncs.com");
//! let ledger = Arc::new(SqliteLedger::open(&path, &scope)?);
//! let lines = ["fixtures/images/png/rgb.png"].into_iter().zip(1..).map(|(file, line)| Line {
//!     subject: Subject::File(file.into()), // or `Subject::Url`
//!     source: Source { origin: "list".to_owned(), line, ..Source::default() },
//! });
//!
//! let pipeline = Pipeline::new(client, Probe::new(), ledger, scope);
//! # let pipeline = pipeline.poll_interval(Duration::from_millis(20));
//! let mut run = pipeline.start(lines);
//! while let Some(outcomes) = run.next().await? {
//!     for outcome in &outcomes {
//!         println!("{} {}", outcome.row.state, outcome.row.text());
//!     }
//!     run.acknowledge(&outcomes).await?; // without it, the next run returns them again
//! }
//! assert_eq!(run.progress().decided, 1);
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "sandbox", feature = "ledger")))]
//! # fn main() {}
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
mod settings;
mod shared;
mod submitting;
mod target;
mod trace;
mod uploading;

use std::{fmt, sync::Arc};

use crate::{
    error::Error,
    green::{Api, TaskReport},
    ledger::{Key, Ledger, Scope, TaskUpdate},
    probe::Probe,
    scene::Scene,
};

pub use checkpoint::Step;
pub use checks::{CheckedLine, LineChecks};
pub use facts::summary;
pub use line::{EarlierCheck, Line, Subject};
pub use outage::Outage;
pub use plan::{Plan, Planning};
pub use progress::Progress;
pub use queue::Queue;
use run::Input;
pub use run::{Run, Stopper};
use settings::Settings;

/// The configuration of a pipeline. Each setter documents its default.
///
/// ```
/// # #[cfg(all(feature = "sandbox", feature = "ledger"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use std::{sync::Arc, time::Duration};
///
/// use greenlight::{
///     Scene,
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
/// let scope = Scope::new(&[Scene::Porn]).with_account(key.id()).with_service("sandbox");
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
        let settings = Settings::of(&api.terms());
        Self {
            api: Arc::new(api),
            probe,
            ledger,
            scope,
            settings,
            checkpoint: None,
        }
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
        let report = &report.clone().require_scenes(self.scenes());
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
    fn scenes(&self) -> &[Scene] {
        self.scope.scenes()
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
