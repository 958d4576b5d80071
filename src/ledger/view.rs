//! Views of a ledger: rows, counts, and the remaining work.

mod counts;

use std::{borrow::Cow, time::Duration};

pub use counts::{Backlog, LongTransaction, SharedDataId, Stats, WorkerStatus};

use super::{
    key::Key,
    record::{Location, Reason, Source},
    state::State,
};
use crate::ids::TaskId;

/// The position of an outcome in the outbox. Never reused.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let location = Location::Url("https://example.com/a.png".to_owned());
/// # let (key, source) = (Key::from_bytes([1; 32]), Source::default());
/// # let known = Known::Rejected(Reason { class: "url/port".to_owned(), message: String::new() });
/// # let image = NewImage { key, location, known, facts: None, source, deliver_again: false };
/// # ledger.enqueue(vec![image], std::time::SystemTime::now()).await?;
/// use greenlight::{Error, ledger::{DeliveryId, Ledger}};
///
/// /// Counts the outcomes that are not acknowledged, 100 at a time.
/// async fn pending(ledger: &dyn Ledger) -> Result<usize, Error> {
///     let (mut after, mut count): (Option<DeliveryId>, _) = (None, 0);
///     loop {
///         let outcomes = ledger.undelivered(after, 100).await?;
///         let Some(last) = outcomes.last() else { return Ok(count) };
///         (after, count) = (Some(last.id), count + outcomes.len());
///     }
/// }
///
/// assert_eq!(pending(&ledger).await?, 1); // the URL of the image was rejected
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

/// An outcome of one source that is not acknowledged yet.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let location = Location::Url("https://example.com/a.png".to_owned());
/// # let (key, source) = (Key::from_bytes([1; 32]), Source::default());
/// # let known = Known::Rejected(Reason { class: "url/port".to_owned(), message: String::new() });
/// # let image = NewImage { key, location, known, facts: None, source, deliver_again: false };
/// # ledger.enqueue(vec![image], SystemTime::now()).await?;
/// use std::time::SystemTime;
/// use greenlight::{Error, ledger::{Ledger, Undelivered}};
///
/// /// Stores outcomes, and acknowledges those that were stored.
/// async fn store(ledger: &dyn Ledger, outcomes: &[Undelivered]) -> Result<(), Error> {
///     for outcome in outcomes {
///         // The number recognizes an outcome that is returned again after a crash.
///         println!("{}: {}", outcome.row.number, outcome.row.state);
///     }
///     let stored = outcomes.iter().map(|outcome| outcome.id).collect();
///     ledger.acknowledge(stored, SystemTime::now()).await
/// }
///
/// let outcomes = ledger.undelivered(None, 100).await?;
/// assert_eq!(outcomes[0].row.state, State::Rejected);
/// store(&ledger, &outcomes).await?;
/// assert!(ledger.undelivered(None, 100).await?.is_empty());
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// # use greenlight::ledger::{Key, Location, Row, Source, State, Undelivered};
/// use std::time::{Duration, SystemTime};
/// use greenlight::ledger::{Delivery, DeliveryId};
///
/// /// Returns when to deliver an outcome again: after ten failed attempts never.
/// fn postponed(delivery: &Delivery, now: SystemTime) -> (DeliveryId, Option<SystemTime>) {
///     let attempts = delivery.attempts + 1;
///     let delay = Duration::from_secs(5) * 2_u32.pow(attempts);
///     (delivery.outcome.id, (attempts < 10).then(|| now + delay))
/// }
///
/// # let location = Location::Url("https://example.com/a.png".to_owned());
/// # let row = Row::new(1, Source::default(), Key::from_bytes([1; 32]), location, State::Decided);
/// # let outcome = Undelivered::new(DeliveryId(3), row);
/// let now = SystemTime::now();
/// let delivery = Delivery::new(outcome, 1);
/// assert_eq!(postponed(&delivery, now), (DeliveryId(3), Some(now + Duration::from_secs(20))));
/// ```
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
///
/// ```
/// use greenlight::ledger::OutboxCounts;
///
/// let counts = OutboxCounts::new(3).with_abandoned(1); // from `Ledger::outbox_counts`
/// if counts.abandoned > 0 {
///     eprintln!("{} outcomes were not delivered: read them from the ledger", counts.abandoned);
/// }
/// assert_eq!(counts.pending, 3);
/// ```
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
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{Scene, ledger::{Ledger, Scope, SqliteLedger}};
///
/// let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&[Scene::Porn]);
/// let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// let mut after = 0;
/// loop {
///     let ordered = ledger.ordered(after, 100).await?;
///     ordered.outcomes.iter().for_each(|outcome| println!("{}", outcome.row.text()));
///     if ordered.through == after {
///         break; // the next row is not final
///     }
///     after = ordered.through;
/// }
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// The outcomes that are not acknowledged.
    pub outcomes: Vec<Undelivered>,
    /// The [number](Row::number) of the last row that was read; pass it to the next call.
    pub through: i64,
}

/// A source and the state of its image.
///
/// ```
/// use greenlight::{Scene, ledger::{Key, Location, Row, Scope, Source, State}};
///
/// let source = Source {
///     origin: "photos".to_owned(),
///     line: 1,
///     text: Some("photos/cat.png".to_owned()),
///     ..Source::default()
/// };
/// let key = Key::of_content(&Scope::new(&[Scene::Porn]), &[7; 32]);
/// let location = Location::File("/srv/photos/cat.png".into());
/// let row = Row::new(1, source, key, location, State::Submitted);
/// assert_eq!(row.text(), "photos/cat.png"); // as the list spells it
/// assert!(row.outcome.is_none());
/// ```
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
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let location = Location::Url("https://example.com/a.png".to_owned());
/// # let (key, source) = (Key::from_bytes([1; 32]), Source::default());
/// # let known = Known::Rejected(Reason { class: "url/port".to_owned(), message: String::new() });
/// # let image = NewImage { key, location, known, facts: None, source, deliver_again: false };
/// # ledger.enqueue(vec![image], std::time::SystemTime::now()).await?;
/// use greenlight::{Error, ledger::{Ledger, Rows, State}};
///
/// /// Counts the rows with a rejected image, 1,000 at a time.
/// async fn rejected(ledger: &dyn Ledger) -> Result<usize, Error> {
///     let (mut after, mut count) = (0, 0);
///     loop {
///         let rows = Rows { after, limit: 1_000, state: Some(State::Rejected) };
///         let rows = ledger.rows(rows).await?;
///         let Some(last) = rows.last() else { return Ok(count) };
///         (after, count) = (last.number, count + rows.len());
///     }
/// }
///
/// assert_eq!(rejected(&ledger).await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Selects rows after this [`Row::number`]; 0 selects all.
    pub after: i64,
    /// The maximum number of rows.
    pub limit: usize,
    /// Selects only images in this state.
    pub state: Option<State>,
}

/// A period in which a store cannot be reached, and calls wait for it.
///
/// ```
/// use greenlight::ledger::{Ledger, Unreachable};
///
/// /// Returns a message for the operator while the ledger cannot be reached.
/// fn status(ledger: &dyn Ledger) -> Option<String> {
///     let Unreachable { lasted, error, .. } = ledger.unreachable()?;
///     Some(format!("waiting for the ledger for {} s: {error}", lasted.as_secs()))
/// }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// The duration so far: since the start of the first attempt that failed after the last success.
    pub lasted: Duration,
    /// The latest failure with its causes.
    pub error: String,
}
