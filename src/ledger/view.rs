//! Views of a ledger: rows, counts, and the remaining work.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use super::{
    key::Key,
    record::{Location, Reason, Source},
    state::State,
};
use crate::ids::TaskId;

/// The position of an outcome in the outbox. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

/// An outcome of one source that is not acknowledged yet.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The id to acknowledge the outcome by.
    pub id: DeliveryId,
    /// The source and the state of its image.
    pub row: Row,
}

impl Undelivered {
    /// Returns an outcome at this position in the outbox.
    pub const fn new(id: DeliveryId, row: Row) -> Self {
        Self { id, row }
    }
}

/// An outcome that is due to be delivered, from
/// [`Ledger::due_deliveries`](super::Ledger::due_deliveries).
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The outcome.
    pub outcome: Undelivered,
    /// Failed attempts to deliver it.
    pub attempts: u32,
}

impl Delivery {
    /// Returns a delivery after so many failed attempts.
    pub const fn new(outcome: Undelivered, attempts: u32) -> Self {
        Self { outcome, attempts }
    }
}

/// The counts of the outbox, from [`Ledger::outbox_counts`](super::Ledger::outbox_counts).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Outcomes that are delivered now or later.
    pub pending: u64,
    /// Outcomes whose delivery was abandoned.
    pub abandoned: u64,
}

impl OutboxCounts {
    /// Returns the counts of `pending` outcomes, and none that was abandoned.
    pub const fn new(pending: u64) -> Self {
        Self {
            pending,
            abandoned: 0,
        }
    }

    /// Sets the number of abandoned outcomes.
    #[must_use]
    pub const fn with_abandoned(mut self, abandoned: u64) -> Self {
        self.abandoned = abandoned;
        self
    }
}

/// Outcomes in the order of their sources, from [`Ledger::ordered`](super::Ledger::ordered).
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// The outcomes that are not acknowledged.
    pub outcomes: Vec<Undelivered>,
    /// The [number](Row::number) of the last row that was read; pass it to the next call.
    pub through: i64,
}

/// A data id that several sources share.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedDataId {
    /// The data id.
    pub data_id: String,
    /// The number of sources that have it.
    pub count: u64,
    /// The first two sources: origin and line.
    pub places: [(String, u64); 2],
}

impl SharedDataId {
    /// Returns a data id that `count` sources share, with the origin and line of the first two.
    pub const fn new(data_id: String, count: u64, places: [(String, u64); 2]) -> Self {
        Self {
            data_id,
            count,
            places,
        }
    }
}

/// A source and the state of its image.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of the source, in the order in which sources were enqueued. It never changes.
    pub number: i64,
    /// The list entry that named the image.
    pub source: Source,
    /// The key of the image.
    pub key: Key,
    /// The location of the image.
    pub location: Location,
    /// The state of the image.
    pub state: State,
    /// Failed attempts: at probing or, once the image was accepted, since then.
    pub attempts: u32,
    /// The reason why the image is rejected, unreachable or dead, or why its last submission was
    /// rejected.
    pub reason: Option<Reason>,
    /// The task that the outcome came from or is expected from.
    pub task_id: Option<TaskId>,
    /// The facts that the check recorded, as JSON text. They do not depend on the name of a file:
    /// `pipeline::summary` adds what does.
    pub facts: Option<String>,
    /// The recorded outcome, as JSON text.
    pub outcome: Option<String>,
    /// The position in the outbox, if the source has a final outcome that is not acknowledged.
    pub delivery: Option<DeliveryId>,
}

impl Row {
    /// Returns a row without attempts, reason, task, facts, outcome and delivery.
    pub const fn new(
        number: i64,
        source: Source,
        key: Key,
        location: Location,
        state: State,
    ) -> Self {
        Self {
            number,
            source,
            key,
            location,
            state,
            attempts: 0,
            reason: None,
            task_id: None,
            facts: None,
            outcome: None,
            delivery: None,
        }
    }

    /// Returns the source as its list spells it: [`Source::text`], or else the image's location.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.source.text {
            Some(text) => Cow::Borrowed(text),
            None => self.location.text(),
        }
    }
}

/// A selection of rows, for [`Ledger::rows`](super::Ledger::rows).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Selects rows after this [`Row::number`]; 0 selects all.
    pub after: i64,
    /// The maximum number of rows.
    pub limit: usize,
    /// Selects only images in this state.
    pub state: Option<State>,
}

/// The remaining work of a ledger.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The states that images with remaining work are in, each with the due time of the earliest
    /// image, claimed or not. Empty if no work is left.
    pub due: Vec<(State, SystemTime)>,
    /// When the first pending result expires at the service.
    pub first_expiry: Option<SystemTime>,
}

/// The counts of a ledger, from [`Ledger::stats`](super::Ledger::stats).
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Images per state, without states that no image is in.
    pub states: Vec<(State, u64)>,
    /// Images with a reason, per state and class.
    pub classes: Vec<(State, String, u64)>,
    /// Images with an outcome, per value of the member `decision` of its JSON text.
    pub decisions: Vec<(String, u64)>,
    /// Number of sources.
    pub sources: u64,
    /// The [number](Row::number) of the last row, 0 if there is none.
    pub last_row: i64,
    /// Outcomes that are not acknowledged.
    pub undelivered: u64,
    /// Task ids received: submissions that were certainly billed.
    pub tasks: u64,
    /// Images billed for these tasks, at most, per scene; each scanned frame counts as an image.
    pub billed: u64,
    /// Images submitted again although the first submission may have been billed: an upper bound of
    /// what may have been billed in addition to `tasks`.
    pub resubmitted: u64,
    /// Images submitted again because their result had expired.
    pub expired: u64,
    /// Images at URLs that are uploaded and submitted again, because the service could not download
    /// them: see [`NextStep::Upload`](super::NextStep::Upload).
    pub by_upload: u64,
    /// Images sent in the last minute.
    pub sent_last_minute: u64,
    /// When the first request with these was sent.
    pub sending_since: Option<SystemTime>,
    /// Images sent in the last minute by later requests. Divided by the time since
    /// [`sending_since`](Self::sending_since), this is the rate: the images of the first request
    /// were prepared earlier.
    pub sent_since_first: u64,
    /// When the image that has waited longest for its result was submitted.
    pub oldest_unpolled: Option<SystemTime>,
    /// Lists that were started and not read to their end.
    pub unread_lists: Vec<String>,
}

impl Stats {
    /// Returns how many images are in `state`.
    pub fn count(&self, state: State) -> u64 {
        self.states
            .iter()
            .find_map(|&(found, count)| (found == state).then_some(count))
            .unwrap_or(0)
    }

    /// Adds images of one state and class. Those of a state are added one after the other.
    #[cfg(any(feature = "ledger", feature = "postgres"))]
    pub(super) fn add_images(&mut self, state: State, class: Option<String>, count: u64) {
        match self.states.last_mut() {
            Some((last, sum)) if *last == state => *sum = sum.saturating_add(count),
            _ => self.states.push((state, count)),
        }
        self.classes
            .extend(class.map(|class| (state, class, count)));
    }

    /// Returns the total number of images.
    pub fn images(&self) -> u64 {
        self.states.iter().map(|&(_, count)| count).sum()
    }
}

/// A transaction of another program that keeps the store from removing old rows.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongTransaction {
    /// The name to display.
    pub name: String,
    /// The time since the transaction began.
    pub open_for: Duration,
}

impl LongTransaction {
    /// Returns a transaction.
    pub const fn new(name: String, open_for: Duration) -> Self {
        Self { name, open_for }
    }
}

/// An active user of a shared store.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// The name to display.
    pub name: String,
    /// When the worker started.
    pub since: SystemTime,
    /// Images that the worker sent in the last minute.
    pub sent_last_minute: u64,
}

impl WorkerStatus {
    /// Returns the status of a worker that sent nothing in the last minute.
    pub const fn new(name: String, since: SystemTime) -> Self {
        Self {
            name,
            since,
            sent_last_minute: 0,
        }
    }
}
