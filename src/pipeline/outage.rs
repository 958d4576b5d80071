//! Outages: periods in which all requests to the service fail.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    clock::{self, POLL_INTERVAL},
    trace,
};
use crate::error::Error;

/// A period in which all requests to the service or to the upload store fail.
///
/// ```
/// # #[cfg(feature = "ledger")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, green::{Client, Credentials, Secret}, ledger::*, pipeline::*, probe::Probe};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let key = Credentials::new("LTAIexample", Secret::new("example"));
/// # let client = Client::builder().endpoint("http://127.0.0.1:1").credentials(key).build()?;
/// # let pipeline = Pipeline::new(client, Probe::new(), std::sync::Arc::new(ledger), scope);
/// # let subject = Subject::File("fixtures/images/png/rgb.png".into());
/// # let run = pipeline.start([Line { subject, source: Source::default() }]);
/// use greenlight::pipeline::{Outage, Run};
///
/// /// Returns a message for the operator while the service cannot be reached.
/// fn status(run: &Run) -> Option<String> {
///     let Outage { lasted, error, .. } = run.outage()?;
///     Some(format!("no response for {} s, images wait: {error}", lasted.as_secs()))
/// }
/// # while run.outage().is_none() { tokio::time::sleep(std::time::Duration::from_millis(5)).await; }
///
/// // The service refuses connections.
/// assert!(status(&run).expect("an outage").starts_with("no response for "));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "ledger"))]
/// # fn main() {}
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The duration so far: since the first failure after the last success.
    pub lasted: Duration,
    /// The latest failure with its causes, redacted like every error.
    pub error: String,
}

/// Records the failures and successes of requests to one server.
#[derive(Debug, Default)]
pub(super) struct OutageWatch {
    now: Mutex<Option<(Instant, String)>>,
}

impl OutageWatch {
    const MAX: Duration = Duration::from_secs(60);

    /// Records a failure.
    pub(super) fn failed(&self, error: &Error) {
        self.failed_for(error.report());
    }

    /// Records a failure that is not an [`Error`].
    pub(super) fn failed_for(&self, error: String) {
        let mut outage = self.lock();
        // The first failure counts: the pause grows with the time since then.
        let since = outage
            .take()
            .map_or_else(clock::instant, |(since, _)| since);
        trace::failed(&error, since.elapsed());
        *outage = Some((since, error));
    }

    pub(super) fn ended(&self) {
        *self.lock() = None;
    }

    /// Returns the backoff: the duration of the outage so far, which amounts to exponential backoff.
    pub(super) fn pause(&self) -> Duration {
        self.lasted().clamp(POLL_INTERVAL, Self::MAX)
    }

    /// Returns the duration of the outage so far; zero without an outage.
    pub(super) fn lasted(&self) -> Duration {
        let outage = self.lock();
        outage
            .as_ref()
            .map_or(Duration::ZERO, |(since, _)| since.elapsed())
    }

    pub(super) fn read(&self) -> Option<Outage> {
        let outage = self.lock();
        outage.as_ref().map(|(since, error)| Outage {
            lasted: since.elapsed(),
            error: error.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
