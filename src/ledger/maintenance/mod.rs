//! Creating, upgrading, checking and copying ledgers, whatever their scope.

mod checks;
mod copy;

#[cfg(feature = "ledger")]
use std::path::Path;
use std::{sync::Arc, time::SystemTime};

pub use self::copy::Copied;
#[cfg(feature = "postgres")]
use super::postgres::PostgresTables;
#[cfg(feature = "ledger")]
use super::sqlite::SqliteTables;
use super::{
    tables::{Head, Tables, UNFINISHED},
    time::to_millis,
};
use crate::error::{Error, ErrorKind};

/// A ledger that is opened to be created, upgraded, checked or copied, whatever its scope.
///
/// # Example
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::{Scope, SqliteLedger}};
/// use greenlight::ledger::Maintenance;
///
/// # let folder = tempfile::tempdir()?;
/// # let [path, copy] = ["images.db", "copy.db"].map(|name| folder.path().join(name));
/// # drop(SqliteLedger::open(&path, &Scope::new(&[Scene::Porn]))?);
/// let file = Maintenance::sqlite(&path)?;
/// let target = Maintenance::sqlite(&copy)?; // or `Maintenance::postgres(url).await?`
/// file.copy_to(&target, |copied| println!("{} of {}", copied.rows, copied.total)).await?;
/// assert!(target.check(std::time::SystemTime::now()).await?.problems.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Maintenance {
    tables: Arc<dyn Tables>,
}

/// The version of the tables before and after [`Maintenance::init`] or [`Maintenance::upgrade`].
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::ledger::Maintenance;
///
/// let folder = tempfile::tempdir()?;
/// let upgraded = Maintenance::sqlite(&folder.path().join("images.db"))?.init().await?;
/// assert_eq!(upgraded.from, 0); // there was no ledger
/// assert!(upgraded.to > 0);
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// The version before; 0 if there was no ledger.
    pub from: u32,
    /// The version that this program writes.
    pub to: u32,
}

/// The result of [`Maintenance::check`].
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::SystemTime;
/// use greenlight::{Scene, ledger::{Maintenance, Scope, SqliteLedger}};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("images.db");
/// drop(SqliteLedger::open(&path, &Scope::new(&[Scene::Porn]))?);
/// let health = Maintenance::sqlite(&path)?.check(SystemTime::now()).await?;
/// assert!(health.problems.is_empty());
/// assert_eq!((health.images, health.leased), (0, 0));
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The number of sources.
    pub sources: u64,
    /// The number of images.
    pub images: u64,
    /// The number of images that a process holds.
    pub leased: u64,
    /// The number of outcomes that are not acknowledged.
    pub undelivered: u64,
    /// The inconsistencies.
    pub problems: Vec<Inconsistency>,
}

/// Rows that no sequence of calls can write.
///
/// ```
/// use greenlight::ledger::Health;
///
/// /// Describes what is wrong with a ledger, and what to do.
/// fn report(health: &Health) -> Vec<String> {
///     let problems = health.problems.iter();
///     problems.map(|found| format!("{} rows: {}: {}", found.rows, found.what, found.remedy)).collect()
/// }
///
/// assert!(report(&Health::default()).is_empty());
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inconsistency {
    /// A description of the rows.
    pub what: String,
    /// The number of rows.
    pub rows: u64,
    /// The remedy.
    pub remedy: String,
}

impl Maintenance {
    /// Opens the file at `path`, which need not exist. The caller must ensure that no other process
    /// uses it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is not a ledger, is newer than this program, or cannot be
    /// written.
    #[cfg(feature = "ledger")]
    pub fn sqlite(path: &Path) -> Result<Self, Error> {
        let tables = Arc::new(SqliteTables::open(path)?);
        Ok(Self { tables })
    }

    /// Opens the schema at `url`, which need not exist; see
    /// [`PostgresLedger`](super::PostgresLedger).
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is malformed or the database cannot be used.
    #[cfg(feature = "postgres")]
    pub async fn postgres(url: &str) -> Result<Self, Error> {
        let tables = Arc::new(PostgresTables::open(url).await?);
        Ok(Self { tables })
    }

    /// Returns whether there is no ledger yet, nor a part of a copy.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use greenlight::ledger::Maintenance;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let ledger = Maintenance::sqlite(&folder.path().join("images.db"))?;
    /// assert!(ledger.is_empty().await?);
    /// ledger.init().await?;
    /// assert!(!ledger.is_empty().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the store cannot be read.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.tables.head().await?.version == 0)
    }

    /// Creates a ledger that has no scope yet: the first call that opens it for a scope binds it.
    /// An existing ledger of the current version is left unchanged.
    ///
    /// # Errors
    ///
    /// Returns an error if there is a ledger of another version or an incomplete copy.
    pub async fn init(&self) -> Result<Upgraded, Error> {
        let head = self.tables.head().await?;
        // Not upgraded here: an upgrade is a command of its own, because no older worker may be
        // active then.
        if head.version != 0 && head.version != head.current {
            return Err(self.unusable("init", &older(&head)));
        }
        self.migrate("init", &head).await
    }

    /// Upgrades the tables of an older version.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no ledger, or a newer one, or an incomplete copy of the current
    /// version, or if workers use an older one.
    pub async fn upgrade(&self) -> Result<Upgraded, Error> {
        let head = self.tables.head().await?;
        if head.version == 0 {
            return Err(self.unusable("upgrade", "there is no ledger"));
        }
        self.migrate("upgrade", &head).await
    }

    async fn migrate(&self, operation: &str, head: &Head) -> Result<Upgraded, Error> {
        // A success would read as if it could be used. One of an older version cannot be continued
        // before it is upgraded.
        if head.copying.is_some() && head.version == head.current {
            return Err(self.unusable(operation, UNFINISHED));
        }
        let from = self.tables.upgrade().await?;
        Ok(Upgraded {
            from,
            to: head.current,
        })
    }

    /// Counts inconsistent rows. Reads the whole ledger and writes nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no ledger of the current version, or the store fails.
    pub async fn check(&self, now: SystemTime) -> Result<Health, Error> {
        let head = self.current("check").await?;
        let mut health = Health::default();
        let counts = "SELECT (SELECT CAST(count(*) AS bigint) FROM source), \
             (SELECT CAST(count(*) AS bigint) FROM image), \
             (SELECT CAST(count(*) AS bigint) FROM image WHERE lease IS NOT NULL \
                 AND next_at IS NOT NULL), \
             (SELECT CAST(count(*) AS bigint) FROM outbox)";
        let counts = self.tables.numbers(counts.to_owned()).await?;
        if let &[sources, images, leased, undelivered] = counts.as_slice() {
            health.sources = unsigned(sources);
            health.images = unsigned(images);
            health.leased = unsigned(leased);
            health.undelivered = unsigned(undelivered);
        }
        for damage in self.tables.damage().await? {
            health.problems.push(Inconsistency {
                what: damage,
                rows: 1,
                remedy: "restore a backup".to_owned(),
            });
        }
        if head.copying.is_some() {
            health.problems.push(Inconsistency {
                what: "a copy into the ledger is not complete".to_owned(),
                rows: 1,
                remedy: "repeat the copy, which continues where it ended".to_owned(),
            });
            // The counts of an incomplete copy are inconsistent by nature.
            return Ok(health);
        }
        for check in checks::checks(to_millis(now)) {
            let rows = self.tables.numbers(check.sql).await?;
            let rows = unsigned(rows.first().copied().unwrap_or(0));
            if rows > 0 {
                health.problems.push(Inconsistency {
                    what: check.what.to_owned(),
                    rows,
                    remedy: check.remedy.to_owned(),
                });
            }
        }
        Ok(health)
    }

    /// Copies this ledger into `target`: sources, images, tasks, outcomes and acknowledgments, with
    /// their numbers. `target` has no ledger yet, or an incomplete copy of this one, which is
    /// continued. Until the copy is complete, `target` cannot be used. Reads and writes a thousand
    /// rows at a time, and calls `progress` after each.
    ///
    /// # Errors
    ///
    /// Returns an error if either ledger is in use, if `target` contains anything else, or if this
    /// ledger changes in the meantime.
    pub async fn copy_to(
        &self,
        target: &Self,
        progress: impl FnMut(Copied) + Send,
    ) -> Result<Copied, Error> {
        copy::copy(self, target, progress).await
    }

    /// Returns the state of the store, which must be of the current version.
    async fn current(&self, operation: &str) -> Result<Head, Error> {
        let head = self.tables.head().await?;
        if head.version == 0 {
            return Err(self.unusable(operation, "there is no ledger"));
        }
        if head.version != head.current {
            return Err(self.unusable(operation, &older(&head)));
        }
        Ok(head)
    }

    fn unusable(&self, operation: &str, why: &str) -> Error {
        let message = format!("{operation} ledger: {why}: {}", self.tables.place());
        Error::new(ErrorKind::Usage, message)
    }
}

fn older(head: &Head) -> String {
    let Head {
        version, current, ..
    } = head;
    format!(
        "an older greenlight created it (schema version {version}, this one knows {current}); \
         upgrade it when no worker runs"
    )
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
