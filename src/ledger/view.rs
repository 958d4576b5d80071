//! What a ledger says of what it holds: rows, counts, and what is left to do.

use std::{borrow::Cow, time::SystemTime};

use super::{
    key::Key,
    record::{Location, Reason, Source},
    state::State,
};
use crate::ids::TaskId;

/// The place of an outcome in the outbox. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

/// An outcome that a source waits for.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// To acknowledge it by.
    pub id: DeliveryId,
    /// The source and what became of its image.
    pub row: Row,
}

impl Undelivered {
    /// Returns an outcome at this place of the outbox.
    pub const fn new(id: DeliveryId, row: Row) -> Self {
        Self { id, row }
    }
}

/// Outcomes in the order of their sources.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// Those that nobody acknowledged.
    pub outcomes: Vec<Undelivered>,
    /// The [number](Row::number) of the last row that was read, where the next call goes on.
    pub through: i64,
}

/// A data id that more than one place has.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedDataId {
    /// The data id.
    pub data_id: String,
    /// How many sources have it.
    pub count: u64,
    /// The first two places: origin and line.
    pub places: [(String, u64); 2],
}

impl SharedDataId {
    /// Returns a data id that `count` sources have, the first of them at these places.
    pub const fn new(data_id: String, count: u64, places: [(String, u64); 2]) -> Self {
        Self {
            data_id,
            count,
            places,
        }
    }
}

/// A source and what is known of its image.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of the source, in the order they were enqueued; stays the same for ever.
    pub number: i64,
    /// Where it came from.
    pub source: Source,
    /// The image.
    pub key: Key,
    /// Where it is.
    pub location: Location,
    /// How far it came.
    pub state: State,
    /// How often it failed while being probed or, once accepted, since then.
    pub attempts: u32,
    /// Why it is rejected, unreachable or dead, or was last refused.
    pub reason: Option<Reason>,
    /// The task that its outcome came from, or is awaited from.
    pub task_id: Option<TaskId>,
    /// What the probe recorded.
    pub facts: Option<String>,
    /// The outcome, as it was given.
    pub outcome: Option<String>,
    /// The place in the outbox of what this source waits for: something that is final and was not
    /// acknowledged yet.
    pub delivery: Option<DeliveryId>,
}

impl Row {
    /// Returns a row of which nothing else is known.
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

    /// The source as its list has it: its own text, or else the image's location.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.source.text {
            Some(text) => Cow::Borrowed(text),
            None => self.location.text(),
        }
    }
}

/// Which rows to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Those after this [`Row::number`]; 0 for all.
    pub after: i64,
    /// At most so many.
    pub limit: usize,
    /// Only those in this state.
    pub state: Option<State>,
}

/// What is left to do, in short.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The states in which images wait, each with the time when the first of them is due, whoever
    /// holds it. Empty when all is done.
    pub due: Vec<(State, SystemTime)>,
    /// When the first result expires that is not known yet.
    pub first_expiry: Option<SystemTime>,
}

/// What a ledger holds, counted.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Images in each state, those with none left out.
    pub states: Vec<(State, u64)>,
    /// Images with a reason, by state and class.
    pub classes: Vec<(State, String, u64)>,
    /// Images with an outcome, by the member `decision` of its JSON text.
    pub decisions: Vec<(String, u64)>,
    /// Sources.
    pub sources: u64,
    /// The [number](Row::number) of the last row, 0 if there is none.
    pub last_row: i64,
    /// Outcomes that nobody acknowledged.
    pub undelivered: u64,
    /// Task ids received: what was certainly paid for.
    pub tasks: u64,
    /// Images billed for these tasks, at most, for one scene: each frame that is looked at counts.
    pub billed: u64,
    /// Images sent again though the first time may have been paid for: what may have been paid for
    /// besides.
    pub resubmitted: u64,
    /// Images submitted again because their result had expired.
    pub expired: u64,
    /// Images sent in the last minute.
    pub sent_last_minute: u64,
    /// When the image was submitted that waits longest for its result.
    pub oldest_unpolled: Option<SystemTime>,
    /// Lists that were begun and not read to their end.
    pub unread_lists: Vec<String>,
}

impl Stats {
    /// How many images are in `state`.
    pub fn count(&self, state: State) -> u64 {
        self.states
            .iter()
            .find_map(|&(found, count)| (found == state).then_some(count))
            .unwrap_or(0)
    }

    /// How many images there are.
    pub fn images(&self) -> u64 {
        self.states.iter().map(|&(_, count)| count).sum()
    }
}

/// A user of a shared store that is at work.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its name, for people.
    pub name: String,
    /// When it began.
    pub since: SystemTime,
    /// Images it sent in the last minute.
    pub sent_last_minute: u64,
}

impl WorkerStatus {
    /// Returns a worker that sent nothing in the last minute.
    pub const fn new(name: String, since: SystemTime) -> Self {
        Self {
            name,
            since,
            sent_last_minute: 0,
        }
    }
}
