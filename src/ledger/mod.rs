//! The durable record of every paid call, and the queue that the pipeline works from.
//!
//! A submission is billed, and its response is the only way to its results. So the ledger *is* the
//! queue: a separate broker would be a second source of truth for paid calls, and a crash between
//! the two would lose money.
//!
//! # States of an image
//!
//! ```text
//! received ─▶ checked ─▶ probed ─▶ sending ─▶ submitted ─▶ decided ─▶ delivered
//!     │          │       ▲   ▲       │  ▲          │ │
//!     │          │       │   └───────┤  │          │ └─▶ expired ─▶ sending
//!     ├──────────┴─▶ unreachable     │  └──┐       │
//!     │                              └─▶ uncertain │      (resubmitted after its settling time)
//!     └─▶ rejected                   └─▶ dead ◀────┘
//! ```
//!
//! [`State::may_become`] is the complete table.
//!
//! # Guarantees
//!
//! * Checks, probes, polls and deliveries happen at least once. A consumer of
//!   [`Ledger::undelivered`] recognizes repetitions by [`Row::number`].
//! * A submission is sent at most once per attempt, and an image is submitted at least once
//!   overall. Before a request is sent, its images are durably [`Sending`](State::Sending). Without
//!   a response they become [`Uncertain`](State::Uncertain) and remain so until the `settle_at`
//!   duration passed to [`Ledger::begin_batch`]. Before that time, only a callback or a late response
//!   can confirm that the service received them.
//! * A recorded task id is never forgotten, even if its image is submitted again later.
//!
//! # Time
//!
//! Times are arguments. The exceptions are [`Ledger::permit`], [`Ledger::slow_down`] and
//! [`Ledger::fail`], which use the store's clock, because processes that share a rate must share a
//! clock.

#[cfg(any(feature = "ledger", feature = "postgres"))]
mod codes;
#[cfg(feature = "conformance")]
pub mod conformance;
mod key;
#[cfg(any(feature = "ledger", feature = "postgres"))]
mod maintenance;
mod quota;
mod record;
mod state;
#[cfg(any(feature = "ledger", feature = "postgres"))]
mod stored;
#[cfg(any(feature = "ledger", feature = "postgres"))]
mod tables;
#[cfg(any(feature = "ledger", feature = "postgres"))]
mod time;
mod view;

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "ledger")]
mod sqlite;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime},
};

use crate::error::Error;

pub use key::{Key, Scope};
#[cfg(any(feature = "ledger", feature = "postgres"))]
pub use maintenance::{Copied, Health, Inconsistency, Maintenance, Upgraded};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresLedger, PostgresOptions, PrinterLock};
pub use quota::{Limit, Permit, Quota};
pub use record::{
    BatchId, BatchResult, Begun, Claimed, EXPIRED_CLASS, Enqueued, Finding, Hold, ImageResult,
    Judgement, Known, Lease, Location, NewImage, NextStep, Poll, Reason, Recovered, Source, Stray,
    TaskUpdate, Update, Work,
};
#[cfg(feature = "ledger")]
pub use sqlite::{SqliteLedger, SqliteOptions};
pub use state::State;
pub use view::{
    Backlog, Delivery, DeliveryId, LongTransaction, Ordered, OutboxCounts, Row, Rows, SharedDataId,
    Stats, Undelivered, Unreachable, WorkerStatus,
};

/// The future that the methods of a [`Ledger`] return. It is boxed, so that a pipeline holds an
/// `Arc<dyn Ledger>` instead of a type parameter; one allocation per call is negligible compared
/// with the disk write, and a call carries up to a thousand images.
///
/// If a future is dropped before it completes, its work may or may not have been done, as after a
/// crash.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// use std::time::{Duration, SystemTime};
/// use greenlight::ledger::{Claimed, Ledger, Reply, Work};
///
/// /// Claims as many images as one submission may have.
/// fn claim(ledger: &dyn Ledger, now: SystemTime) -> Reply<'_, Vec<Claimed>> {
///     Box::pin(async move {
///         let claimed = ledger.claim(Work::Submit, 50, Duration::from_secs(120), now).await?;
///         println!("{} images", claimed.len());
///         Ok(claimed)
///     })
/// }
///
/// assert!(claim(&ledger, SystemTime::now()).await?.is_empty()); // a new ledger
/// # Ok(())
/// # }
/// ```
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A store of images, tasks and outcomes that survives a crash and may be shared by processes.
///
/// An implementation is correct if it passes [`conformance`]. If a method returns `Ok`, its writes
/// survive a power loss. If it returns `Err`, nothing was written, unless the error's
/// [`retry`](Error::retry) is [`Ambiguous`](crate::Retry::Ambiguous).
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::{Duration, SystemTime};
/// use greenlight::{Scene, ledger::*};
///
/// let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&[Scene::Porn]);
/// let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// let url = "https://example.com/cat.png";
/// let image = NewImage {
///     key: Key::of_text(&scope, url),
///     location: Location::Url(url.to_owned()),
///     known: Known::Checked,
///     facts: None,
///     source: Source { origin: "list".to_owned(), line: 1, ..Source::default() },
///     deliver_again: false,
/// };
/// let (now, lease) = (SystemTime::now(), Duration::from_secs(60));
/// assert!(ledger.enqueue(vec![image.clone()], now).await?[0].new_image);
/// assert!(!ledger.enqueue(vec![image], now).await?[0].new_source); // the list was read again
///
/// // A second worker would get no image.
/// let claimed = ledger.claim(Work::Probe, 10, lease, now).await?;
/// let hold = claimed[0].hold;
/// let finding = Finding { hold, judgement: Judgement::Accepted, facts: None, billed: 1 };
/// ledger.record_findings(vec![finding], now).await?;
/// assert_eq!(ledger.stats(now).await?.count(State::Probed), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Every method returns an error if the store fails: the disk is full, another process locks the
/// file for too long, or the file is corrupt.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Returns the account, service, scenes and policy that the ledger is bound to.
    fn scope(&self) -> &Scope;

    /// Adds images and their sources. A known image is not added again, but its new source gets its
    /// outcome too. A known source (same image, origin, line and data id) is not added again
    /// either, so a list can be enqueued again after a crash. Returns one result per image, in the
    /// order of `images`.
    fn enqueue(&self, images: Vec<NewImage>, now: SystemTime) -> Reply<'_, Vec<Enqueued>>;

    /// Claims up to `limit` images that are due for `work`, in the order of their due times. No
    /// other caller gets them until `lease` has passed. After that, the [`Lease`] becomes invalid
    /// when another caller claims the image.
    fn claim(
        &self,
        work: Work,
        limit: usize,
        lease: Duration,
        now: SystemTime,
    ) -> Reply<'_, Vec<Claimed>>;

    /// Extends the leases of `holds` to `now + lease`. Returns how many were still valid.
    fn extend(&self, holds: Vec<Hold>, lease: Duration, now: SystemTime) -> Reply<'_, usize>;

    /// Releases images before their leases end, so that the next run need not wait for them.
    /// Returns how many leases were still valid.
    fn release(&self, holds: Vec<Hold>, now: SystemTime) -> Reply<'_, usize>;

    /// Records the results of checks and probes. Findings with an invalid lease are ignored.
    /// Returns how many were recorded.
    fn record_findings(&self, findings: Vec<Finding>, now: SystemTime) -> Reply<'_, usize>;

    /// Records why images that were claimed for [`Work::Submit`] were not sent; they were not
    /// billed. Images with an invalid lease are left unchanged. Returns how many were recorded.
    fn record_unsent(&self, unsent: Vec<(Hold, NextStep)>, now: SystemTime) -> Reply<'_, usize>;

    /// Creates a batch. From now on its images may have been billed. Images with an invalid lease
    /// are left out: only [`Begun::keys`] may be sent, and no request if there are none.
    ///
    /// `settle` is the duration after which no response can arrive. It must allow for the timeout
    /// of the request and for the delay of callbacks.
    fn begin_batch(&self, holds: Vec<Hold>, settle: Duration, now: SystemTime) -> Reply<'_, Begun>;

    /// Records the result of a batch's request. The batch's id is the fencing token: an image that
    /// was submitted again in the meantime is left unchanged, but its task id is kept.
    fn record_answer(
        &self,
        batch: BatchId,
        answer: BatchResult,
        now: SystemTime,
    ) -> Reply<'_, Stray>;

    /// Returns up to `limit` tasks that are due to be polled, in the order of their expiry. They
    /// are not returned again until `hold` has passed.
    fn due_polls(&self, limit: usize, hold: Duration, now: SystemTime) -> Reply<'_, Vec<Poll>>;

    /// Records the results of polls and callbacks, and adds final ones to the outbox, in one
    /// transaction. The first outcome of an image is kept. Returns how many images changed.
    fn record_outcomes(&self, updates: Vec<TaskUpdate>, now: SystemTime) -> Reply<'_, usize>;

    /// Settles images without a response: images in [`Sending`](State::Sending) whose settling time
    /// has passed become [`Uncertain`](State::Uncertain) and, with [`Resubmit::WhenSettled`], due
    /// to be submitted again. Call it at the start and regularly afterwards.
    fn recover(&self, resubmit: Resubmit, now: SystemTime) -> Reply<'_, Recovered>;

    /// Takes over from users of the store that no longer run: images they held for
    /// [`claim`](Self::claim) or [`due_polls`](Self::due_polls) are due immediately, and their
    /// leases become invalid. Images they sent without a known response settle when the duration
    /// passed to [`begin_batch`](Self::begin_batch) or `settle` has passed, whichever is shorter:
    /// the service may still be processing the request. Returns how many images are due sooner.
    ///
    /// A store that knows which of its users no longer run (PostgreSQL) allows this call at any
    /// time. For any other store the caller must be the only user, because all leases are released.
    fn take_over(&self, settle: Duration, now: SystemTime) -> Reply<'_, usize>;

    /// Requests `cost` units of a rate that all users of the ledger share. Uses the store's clock.
    fn permit(&self, quota: Quota, cost: u32) -> Reply<'_, Permit>;

    /// Suspends a shared rate for `pause`, because the service throttled a request. Uses the
    /// store's clock.
    fn slow_down(&self, quota: Quota, pause: Duration) -> Reply<'_, ()>;

    /// Records that a request failed because of an outage. Until [`end_outage`](Self::end_outage)
    /// is called, one user at a time gets a permit, as a [`Permit::Trial`], at intervals of the
    /// duration of the outage, at least `pause` and at most a minute. Returns the time to wait.
    /// Uses the store's clock.
    fn fail(&self, quota: Quota, pause: Duration) -> Reply<'_, Duration>;

    /// Records that a request succeeded: the outage is over for all users.
    fn end_outage(&self, quota: Quota) -> Reply<'_, ()>;

    /// Reads the outbox: up to `limit` final outcomes after `after` that are not acknowledged, one
    /// per source, in order. They are returned again until [`acknowledge`](Self::acknowledge) is
    /// called.
    fn undelivered(&self, after: Option<DeliveryId>, limit: usize) -> Reply<'_, Vec<Undelivered>>;

    /// Reads the outbox in the order of the sources: from the row after `after` up to the first
    /// that is not final, without acknowledged outcomes. Returns at most `limit` outcomes. If it
    /// returns none, [`Ordered::through`] may still have advanced.
    fn ordered(&self, after: i64, limit: usize) -> Reply<'_, Ordered>;

    /// Removes outcomes from the outbox once the consumer has stored them.
    fn acknowledge(&self, deliveries: Vec<DeliveryId>, now: SystemTime) -> Reply<'_, ()>;

    /// Claims up to `limit` entries of the outbox that are due to be delivered, in the order of
    /// their due times. No other caller gets them until `hold` has passed. New outcomes are due
    /// immediately.
    fn due_deliveries(
        &self,
        limit: usize,
        hold: Duration,
        now: SystemTime,
    ) -> Reply<'_, Vec<Delivery>>;

    /// Records failed attempts to deliver outcomes, and when each is due again. Without a time a
    /// delivery is abandoned: it is not due any more, but stays in the outbox.
    fn postpone(&self, failed: Vec<(DeliveryId, Option<SystemTime>)>) -> Reply<'_, ()>;

    /// Returns how many outcomes are in the outbox. Cheap: it reads indexes only.
    fn outbox_counts(&self) -> Reply<'_, OutboxCounts>;

    /// Returns the states of images, in the order of `keys`; `None` for an unknown image.
    fn states(&self, keys: Vec<Key>) -> Reply<'_, Vec<Option<State>>>;

    /// Records that the row `number` is the scan of the image at a URL, in place of an earlier one.
    fn remember_url(&self, url: Key, number: i64, now: SystemTime) -> Reply<'_, ()>;

    /// Returns the [number](Row::number) of the last scan of a URL, if it was recorded at `since`
    /// or later.
    fn recall_url(&self, url: Key, since: SystemTime) -> Reply<'_, Option<i64>>;

    /// Makes dead and rejected images of these classes due again, or all dead images if `classes`
    /// is empty. Returns how many.
    fn retry(&self, classes: Vec<String>, now: SystemTime) -> Reply<'_, u64>;

    /// Records whether the list `origin` was read to its end. If not, it must be read again before
    /// the work is complete: see [`Stats::unread_lists`]. A list without a record counts as read.
    fn mark_list(&self, origin: String, is_read: bool) -> Reply<'_, ()>;

    /// Returns up to `limit` data ids, in order, that several sources after the row `after` share.
    /// Reads all these sources.
    fn shared_data_ids(&self, after: i64, limit: usize) -> Reply<'_, Vec<SharedDataId>>;

    /// Returns which work is left and when it is due. Cheap: it reads indexes only.
    fn backlog(&self) -> Reply<'_, Backlog>;

    /// Returns all counts. Reads the whole store.
    fn stats(&self, now: SystemTime) -> Reply<'_, Stats>;

    /// Returns the active users of the store. The default implementation returns none.
    fn workers(&self, now: SystemTime) -> Reply<'_, Vec<WorkerStatus>> {
        let _ = now;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Returns transactions of other programs that are open for longer than `age` and keep the
    /// store from removing old rows. The default implementation returns none.
    fn long_transactions(&self, age: Duration) -> Reply<'_, Vec<LongTransaction>> {
        let _ = age;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Returns since when the store cannot be reached, if calls wait for it. The default
    /// implementation returns `None`, for a store whose calls do not wait.
    fn unreachable(&self) -> Option<Unreachable> {
        None
    }

    /// Returns sources and the state of their images, in the order they were enqueued.
    fn rows(&self, rows: Rows) -> Reply<'_, Vec<Row>>;
}

/// The longest interval between two requests during an outage.
#[cfg(any(feature = "ledger", feature = "postgres"))]
const MAX_TRIAL: Duration = Duration::from_secs(60);

/// The treatment of images without a known response after their settling time.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::SystemTime;
/// use greenlight::{Scene, ledger::{Ledger, Resubmit, Scope, SqliteLedger}};
///
/// let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&[Scene::Porn]);
/// let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// // Nothing may be billed twice: images without a known response wait for a callback.
/// let recovered = ledger.recover(Resubmit::Never, SystemTime::now()).await?;
/// assert_eq!(recovered.resubmitted, 0);
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resubmit {
    /// They are submitted again. Every image gets an outcome; one that the service had received is
    /// billed twice.
    WhenSettled,
    /// They stay uncertain until a callback arrives or [`Ledger::recover`] is called with
    /// [`WhenSettled`](Self::WhenSettled).
    Never,
}
