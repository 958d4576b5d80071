//! Counts of a ledger, the remaining work, and the users of its store.

use std::time::{Duration, SystemTime};

use crate::ledger::state::State;

/// A data id that several sources share.
///
/// ```
/// use greenlight::ledger::SharedDataId;
///
/// let places = [("a.csv".to_owned(), 3), ("b.csv".to_owned(), 8)];
/// let shared = SharedDataId::new("photo-1".to_owned(), 5, places); // from `Ledger::shared_data_ids`
/// let [(origin, line), _] = &shared.places;
/// let message = format!("{} lines have the id {}: {origin}:{line}", shared.count, shared.data_id);
/// assert_eq!(message, "5 lines have the id photo-1: a.csv:3");
/// ```
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

/// The remaining work of a ledger.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{Scene, ledger::{Ledger, Scope, SqliteLedger}};
///
/// let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&[Scene::Porn]);
/// let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// let backlog = ledger.backlog().await?;
/// assert!(backlog.due.is_empty()); // no work is left
/// assert_eq!(backlog.first_expiry, None); // no result is lost if nothing polls
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The states that images with remaining work are in, each with the due time of the earliest
    /// image, claimed or not. Empty if no work is left.
    pub due: Vec<(State, SystemTime)>,
    /// When the first pending result expires at the service.
    pub first_expiry: Option<SystemTime>,
}

/// The counts of a ledger, from [`Ledger::stats`](crate::ledger::Ledger::stats).
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::SystemTime;
/// use greenlight::{Scene, ledger::{Ledger, Scope, SqliteLedger, State}};
///
/// let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&[Scene::Porn]);
/// let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// let stats = ledger.stats(SystemTime::now()).await?;
/// println!("{} of {} images decided", stats.count(State::Decided), stats.images());
/// assert!(stats.unread_lists.is_empty()); // else read these lists again
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Images per state, without states that no image is in.
    pub states: Vec<(State, u64)>,
    /// Images with a reason, per state and class.
    pub classes: Vec<(State, String, u64)>,
    /// Images with an outcome, per value of the member `decision` of its JSON text, which is the
    /// first one in what the pipeline stores.
    pub decisions: Vec<(String, u64)>,
    /// Number of sources.
    pub sources: u64,
    /// The [number](crate::ledger::Row::number) of the last row, 0 if there is none.
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
    /// them: see [`NextStep::Upload`](crate::ledger::NextStep::Upload).
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
    pub(in crate::ledger) fn add_images(
        &mut self,
        state: State,
        class: Option<String>,
        count: u64,
    ) {
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
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// use std::time::Duration;
/// use greenlight::{Error, ledger::{Ledger, LongTransaction}};
///
/// /// Returns warnings about programs that make a shared store grow.
/// async fn warnings(ledger: &dyn Ledger) -> Result<Vec<String>, Error> {
///     let open = ledger.long_transactions(Duration::from_secs(600)).await?;
///     let warning = |LongTransaction { name, open_for, .. }| {
///         format!("{name} has a transaction open for {} s", open_for.as_secs())
///     };
///     Ok(open.into_iter().map(warning).collect())
/// }
///
/// assert!(warnings(&ledger).await?.is_empty()); // a file is not shared
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// use std::time::SystemTime;
/// use greenlight::{Error, ledger::Ledger};
///
/// /// Returns how many images all workers of a shared store sent in the last minute.
/// async fn rate(ledger: &dyn Ledger, now: SystemTime) -> Result<u64, Error> {
///     let workers = ledger.workers(now).await?;
///     Ok(workers.iter().map(|worker| worker.sent_last_minute).sum())
/// }
///
/// assert_eq!(rate(&ledger, SystemTime::now()).await?, 0); // nothing was sent
/// # Ok(())
/// # }
/// ```
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
