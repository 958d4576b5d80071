//! Batches, and the service's response to one.

use std::time::SystemTime;

use super::claim::NextStep;
use crate::{
    ids::{RequestId, TaskId},
    ledger::key::Key,
};

/// The id of a batch: 128 random bits, assigned by the store.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let (folder, scope) = (tempfile::tempdir()?, Scope::new(&[Scene::Porn]));
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let (now, lease) = (SystemTime::now(), std::time::Duration::from_secs(60));
/// # let location = Location::Url("https://example.com/a.png".to_owned());
/// # let (key, known, source) = (Key::from_bytes([1; 32]), Known::Checked, Source::default());
/// # let image = NewImage { key, location, known, facts: None, source, deliver_again: false };
/// # ledger.enqueue(vec![image], now).await?;
/// # let hold = ledger.claim(Work::Probe, 1, lease, now).await?[0].hold;
/// # let finding = Finding { hold, judgement: Judgement::Accepted, facts: None, billed: 1 };
/// # ledger.record_findings(vec![finding], now).await?;
/// # let hold = ledger.claim(Work::Submit, 1, lease, now).await?[0].hold;
/// # let batch = ledger.begin_batch(vec![hold], lease, now).await?.batch;
/// use std::time::SystemTime;
/// use greenlight::{Error, ledger::{BatchId, BatchResult, Ledger}};
///
/// /// Records that a batch was sent without a response. Its images may have been billed.
/// async fn lost(ledger: &dyn Ledger, batch: BatchId, now: SystemTime) -> Result<(), Error> {
///     ledger.record_answer(batch, BatchResult::Unknown, now).await?;
///     Ok(())
/// }
///
/// lost(&ledger, batch, now).await?;
/// assert_eq!(ledger.states(vec![key]).await?, [Some(State::Uncertain)]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchId(pub [u8; 16]);

/// A batch that may be sent now.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let stale = Hold { key: Key::from_bytes([1; 32]), lease: Lease(1) };
/// use std::time::{Duration, SystemTime};
/// use greenlight::{Error, ledger::{Begun, Hold, Ledger}};
///
/// /// Begins a batch. Returns `None` if no request may be sent.
/// async fn begin(ledger: &dyn Ledger, holds: Vec<Hold>) -> Result<Option<Begun>, Error> {
///     let settle = Duration::from_secs(3_600);
///     let begun = ledger.begin_batch(holds, settle, SystemTime::now()).await?;
///     Ok((!begun.keys.is_empty()).then_some(begun)) // other workers took the images over
/// }
///
/// assert_eq!(begin(&ledger, vec![stale]).await?, None);
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The id of the batch.
    pub batch: BatchId,
    /// The images of the batch, in the order they were passed.
    pub keys: Vec<Key>,
}

impl Begun {
    /// Returns a batch of these images.
    pub const fn new(batch: BatchId, keys: Vec<Key>) -> Self {
        Self { batch, keys }
    }
}

/// The result of a batch's request.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use greenlight::{Error, ErrorKind, Retry, ledger::{BatchResult, NextStep}};
///
/// /// Records a failed request without a second payment for the same images.
/// fn failed(error: &Error, now: SystemTime) -> BatchResult {
///     match error.retry() {
///         Retry::Ambiguous => BatchResult::Unknown,
///         Retry::After(delay) => BatchResult::Refused {
///             request_id: error.request_id().cloned(),
///             next: NextStep::Again { at: now + delay },
///         },
///         _ => BatchResult::Refused {
///             request_id: error.request_id().cloned(),
///             next: NextStep::Again { at: now + Duration::from_secs(600) },
///         },
///     }
/// }
///
/// let lost = Error::new(ErrorKind::Network, "submit: no response").with_retry(Retry::Ambiguous);
/// assert_eq!(failed(&lost, SystemTime::UNIX_EPOCH), BatchResult::Unknown);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchResult {
    /// The service returned a result per image. Images that the response omits become uncertain.
    Answered {
        /// The service's id of the request.
        request_id: Option<RequestId>,
        /// When to poll for results first.
        poll_at: SystemTime,
        /// When the service discards the results.
        expires_at: SystemTime,
        /// The result of each image in the response.
        entries: Vec<(Key, ImageResult)>,
        /// Task ids that the response assigns to no image of the batch. They are kept, because they
        /// were billed.
        strays: Vec<TaskId>,
    },
    /// The whole request was definitely rejected or definitely not sent: nothing was billed.
    ///
    /// With [`NextStep::Again`] and [`NextStep::Retry`] the leases stay valid until another caller
    /// claims the images, which is not possible before the given time. So the caller can split the
    /// batch and begin again immediately.
    Refused {
        /// The service's id of the request.
        request_id: Option<RequestId>,
        /// The next step for each image.
        next: NextStep,
    },
    /// No response arrived: the request may have been billed.
    Unknown,
}

/// The service's result for one image of a batch.
///
/// ```
/// use greenlight::{green::Submitted, ledger::{ImageResult, NextStep, Reason}};
///
/// /// Converts the service's result for one image.
/// fn result(submitted: &Submitted) -> ImageResult {
///     match submitted.result() {
///         Ok(task_id) => ImageResult::Task(task_id.clone()),
///         Err(refusal) => ImageResult::Refused(NextStep::Dead(Reason {
///             class: format!("submit/{}", refusal.code()),
///             message: refusal.message().to_owned(),
///         })),
///     }
/// }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageResult {
    /// The service returned a task id.
    Task(TaskId),
    /// The service rejected the image.
    Refused(NextStep),
}

/// Task ids received for images that no longer wait for them: these images were billed twice.
///
/// ```
/// use greenlight::ledger::Stray;
///
/// /// Returns a warning about images that were paid for twice.
/// fn warning(stray: &Stray) -> Option<String> {
///     let tasks = stray.tasks;
///     (tasks > 0).then(|| format!("{tasks} images were submitted again before this response"))
/// }
///
/// let mut stray = Stray::default(); // from `Ledger::record_answer`
/// assert_eq!(warning(&stray), None);
/// stray.tasks = 2;
/// assert!(warning(&stray).is_some());
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stray {
    /// The number of tasks.
    pub tasks: usize,
}
