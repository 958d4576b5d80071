//! The durable record of every paid call, and the queue that the pipeline works from.
//!
//! A submission costs money and its answer is the only way to its result, so what a crash does
//! decides how this works: the ledger *is* the queue, because a broker beside it would be a second
//! truth exactly where money is lost.
//!
//! # Life of an image
//!
//! ```text
//! received ─▶ checked ─▶ probed ─▶ sending ─▶ submitted ─▶ decided ─▶ delivered
//!     │          │       ▲   ▲       │  ▲          │ │
//!     │          │       │   └───────┤  │          │ └─▶ expired ─▶ sending
//!     ├──────────┴─▶ unreachable     │  └──┐       │
//!     │                              └─▶ uncertain │      (resubmitted when its time has come)
//!     └─▶ rejected                   └─▶ dead ◀────┘
//! ```
//!
//! [`State::may_become`] is the exact table.
//!
//! # What is guaranteed
//!
//! * Checks, probes, polls and delivery happen at least once: a consumer of [`Ledger::undelivered`]
//!   tells repetitions apart by [`Row::number`].
//! * A submission is sent at most once per attempt, and an image is submitted at least once
//!   overall. Before a request is sent its images are durably [`Sending`](State::Sending); when no
//!   answer is known they become [`Uncertain`](State::Uncertain) and stay so until the time that
//!   [`Ledger::begin_batch`] was given. Only a callback or a late answer can tell before then that
//!   the service has them.
//! * A task id that was recorded once is never forgotten, even if its image was submitted again
//!   since.
//!
//! # Time
//!
//! Time is an argument, except for [`Ledger::permit`]: processes that share a rate must share a
//! clock, so there it is the store's.

#[cfg(any(feature = "ledger", feature = "postgres"))]
mod codes;
#[cfg(feature = "conformance")]
pub mod conformance;
mod key;
mod record;
mod state;
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
#[cfg(feature = "postgres")]
pub use postgres::{PostgresLedger, PostgresOptions, PrinterLock};
pub use record::{
    Answer, BatchId, Begun, Claimed, EXPIRED_CLASS, Enqueued, Entry, Fate, Finding, Hold,
    Judgement, Known, Lease, Limit, Location, NewImage, Permit, Poll, Quota, Reason, Recovered,
    Source, Stray, TaskUpdate, Update, Work,
};
#[cfg(feature = "ledger")]
pub use sqlite::{SqliteLedger, SqliteOptions};
pub use state::State;
pub use view::{
    Backlog, DeliveryId, Ordered, Row, Rows, SharedDataId, Stats, Undelivered, WorkerStatus,
};

/// What a ledger's methods return: boxed, so that a pipeline holds an `Arc<dyn Ledger>` and no type
/// parameter. One allocation a call is nothing beside the disk's write, and a call carries up to a
/// thousand images.
///
/// A future that is dropped before it is done leaves open whether its work was done, as a crash
/// would.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A store of images, tasks and outcomes that survives a crash and may be shared by processes.
///
/// An implementation is right when [`conformance`] says so. When a method has returned `Ok`, what
/// it wrote survives the loss of power; when it returns `Err`, nothing of the call was written
/// unless the error's [`retry`](Error::retry) is [`Ambiguous`](crate::Retry::Ambiguous).
///
/// # Errors
///
/// Every method fails when the store does: a full disk, a file that another process holds for too
/// long, corruption.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// The terms under which the ledger's images are scanned.
    fn scope(&self) -> &Scope;

    /// Notes images and where they came from; an image that is known is not noted twice, but its
    /// new source gets its outcome too. A source that is known (same image, origin, line and data
    /// id) is not noted twice either, so that the same list can be given again after a crash.
    /// Answers in the order of `images`.
    fn enqueue(&self, images: Vec<NewImage>, now: SystemTime) -> Reply<'_, Vec<Enqueued>>;

    /// Hands out up to `limit` images that are due for `work`, those due longest first. Nobody else
    /// gets them until `lease` has passed; then their [`Lease`] is worth nothing as soon as
    /// somebody does.
    fn claim(
        &self,
        work: Work,
        limit: usize,
        lease: Duration,
        now: SystemTime,
    ) -> Reply<'_, Vec<Claimed>>;

    /// Holds images for `lease` from now on, by whoever is still at work on them. Answers how many
    /// were still held.
    fn extend(&self, holds: Vec<Hold>, lease: Duration, now: SystemTime) -> Reply<'_, usize>;

    /// Gives images back before their lease ends, so that a stop does not make the next run wait.
    /// Answers how many were still held.
    fn release(&self, holds: Vec<Hold>, now: SystemTime) -> Reply<'_, usize>;

    /// Records what checking and probing found. Findings whose lease is lost are ignored; answers
    /// how many were not.
    fn record_findings(&self, findings: Vec<Finding>, now: SystemTime) -> Reply<'_, usize>;

    /// Records what kept images that were claimed for [`Work::Submit`] from being sent: nothing was
    /// paid. Those whose lease is lost are left alone; answers how many were not.
    fn record_unsent(&self, unsent: Vec<(Hold, Fate)>, now: SystemTime) -> Reply<'_, usize>;

    /// Makes a batch: from here on its images may have been paid for. Images whose lease is lost
    /// are left out, so only [`Begun::keys`] may be sent, and nothing if there are none.
    ///
    /// `settle_at` is when an answer can no longer come: later than the request's own timeout, and
    /// than callbacks take.
    fn begin_batch(
        &self,
        holds: Vec<Hold>,
        settle_at: SystemTime,
        now: SystemTime,
    ) -> Reply<'_, Begun>;

    /// Records what became of a batch's request. The batch's id is the fence: an image that was
    /// submitted again since is left alone, but its task id is kept.
    fn record_answer(&self, batch: BatchId, answer: Answer, now: SystemTime) -> Reply<'_, Stray>;

    /// Hands out up to `limit` tasks whose results may be asked for, those that expire first before
    /// all others. They are not handed out again before `hold` has passed.
    fn due_polls(&self, limit: usize, hold: Duration, now: SystemTime) -> Reply<'_, Vec<Poll>>;

    /// Records what polls and callbacks said, and puts what is final in the outbox, in one
    /// transaction. The first outcome of an image stands. Answers how many images changed.
    fn record_outcomes(&self, updates: Vec<TaskUpdate>, now: SystemTime) -> Reply<'_, usize>;

    /// Settles what nobody answered for: images sent whose settling time has come become uncertain,
    /// and if `resubmit` says so, go back to be submitted again. To be called at the start and
    /// every now and then.
    fn recover(&self, resubmit: Resubmit, now: SystemTime) -> Reply<'_, Recovered>;

    /// Takes over from users of the store that are gone: images they held for
    /// [`claim`](Self::claim) or [`due_polls`](Self::due_polls) are due immediately, and their
    /// leases become invalid. Images they sent without a known answer settle at the time that was
    /// given to [`begin_batch`](Self::begin_batch), or `settle` after they were sent if that is
    /// sooner: the request may still be at the service. Returns how many images are due sooner.
    ///
    /// A store that knows which of its users are gone (PostgreSQL) may be asked at
    /// any time. For any other store the caller must be the only user: all that is held is freed.
    fn take_over(&self, settle: Duration, now: SystemTime) -> Reply<'_, usize>;

    /// Asks for `cost` of a rate that is shared by everyone who uses this ledger. By the store's
    /// clock.
    fn permit(&self, quota: Quota, cost: u32) -> Reply<'_, Permit>;

    /// Makes everyone wait who asks for this rate, because the service said to slow down. By the
    /// store's clock.
    fn slow_down(&self, quota: Quota, pause: Duration) -> Reply<'_, ()>;

    /// Reads the outbox: final outcomes, one for each source, that nobody acknowledged; those after
    /// `after` first to last. They come again until [`acknowledge`](Self::acknowledge) is called.
    fn undelivered(&self, after: Option<DeliveryId>, limit: usize) -> Reply<'_, Vec<Undelivered>>;

    /// Reads the outbox in the order of the sources: from the row after `after` up to the first that
    /// is not final, without those whose outcome was acknowledged. At most `limit` outcomes; with
    /// none the reading may still have come further, see [`Ordered::through`].
    fn ordered(&self, after: i64, limit: usize) -> Reply<'_, Ordered>;

    /// Removes from the outbox what the consumer has safely.
    fn acknowledge(&self, deliveries: Vec<DeliveryId>, now: SystemTime) -> Reply<'_, ()>;

    /// Puts dead and rejected images of these classes back to work, or every dead one if `classes`
    /// is empty. Answers how many.
    fn retry(&self, classes: Vec<String>, now: SystemTime) -> Reply<'_, u64>;

    /// Notes whether the list of this name was read to its end. One that was not must be given again
    /// before everything is done: see [`Stats::unread_lists`]. A list of which nothing was said
    /// counts as read.
    fn mark_list(&self, origin: String, is_read: bool) -> Reply<'_, ()>;

    /// Data ids that more than one of the sources after the row `after` has, in order, and up to
    /// `limit` of them. Reads all those sources.
    fn shared_data_ids(&self, after: i64, limit: usize) -> Reply<'_, Vec<SharedDataId>>;

    /// What is left to do and when, cheaply.
    fn backlog(&self) -> Reply<'_, Backlog>;

    /// Counts everything. Reads the whole store.
    fn stats(&self, now: SystemTime) -> Reply<'_, Stats>;

    /// Lists the users of the store that are at work now, as far as it knows them; by default none.
    fn workers(&self, now: SystemTime) -> Reply<'_, Vec<WorkerStatus>> {
        let _ = now;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Reads sources with what is known of their images, in the order they were enqueued.
    fn rows(&self, rows: Rows) -> Reply<'_, Vec<Row>>;
}

/// What becomes of images that were sent without a known answer, when their settling time has come.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resubmit {
    /// They are submitted again: each is decided, and one the service did get is paid twice.
    WhenSettled,
    /// They stay uncertain until a callback comes or somebody recovers with the other value.
    Never,
}
