//! Rate limits that all users of a ledger share.

use std::time::Duration;

#[cfg(any(feature = "ledger", feature = "postgres"))]
use crate::error::{Error, ErrorKind};

/// A rate limit that all users of a ledger share.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use greenlight::{Scene, ledger::{Ledger, Limit, Permit, Quota, Scope, SqliteLedger}};
///
/// let folder = tempfile::tempdir()?;
/// let scope = Scope::new(&[Scene::Porn]);
/// let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// let limit = Limit { interval: Duration::from_millis(20), burst: 50 };
/// let quota = Quota { operation: "submit".to_owned(), limit };
/// assert_eq!(ledger.permit(quota.clone(), 50).await?, Permit::Granted);
/// // Every user of the ledger waits until the service's limit allows the next images.
/// assert!(matches!(ledger.permit(quota, 50).await?, Permit::Wait(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The name of the limited operation, such as `submit` or `query`; any name is allowed.
    pub operation: String,
    /// The limit.
    pub limit: Limit,
}

impl Quota {
    /// Returns an error if `cost` exceeds the burst, because it could never be granted.
    #[cfg(any(feature = "ledger", feature = "postgres"))]
    pub(super) fn check(&self, cost: u32) -> Result<(), Error> {
        let burst = self.limit.burst;
        if cost <= burst {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Usage,
            format!("ask for a permit: a cost of {cost} exceeds the burst of {burst}"),
        ))
    }
}

/// A token bucket: one unit per `interval` on average, and up to `burst` units at a time.
///
/// ```
/// use std::time::Duration;
/// use greenlight::ledger::Limit;
///
/// /// A limit of so many images per second, of which one request may have 50.
/// fn per_second(images: u32) -> Limit {
///     Limit { interval: Duration::from_secs(1) / images, burst: 50 }
/// }
///
/// assert_eq!(per_second(20).interval, Duration::from_millis(50));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The time per unit.
    pub interval: Duration,
    /// The maximum number of units at a time, at least 1.
    pub burst: u32,
}

/// The result of [`Ledger::permit`](super::Ledger::permit).
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let limit = Limit { interval: Duration::from_millis(1), burst: 1 };
/// # let quota = Quota { operation: "submit".to_owned(), limit };
/// use std::time::Duration;
/// use greenlight::{Error, ledger::{Ledger, Permit, Quota}};
///
/// /// Waits for a permit. Returns whether the result of the request must be recorded.
/// async fn permitted(ledger: &dyn Ledger, quota: &Quota) -> Result<bool, Error> {
///     loop {
///         match ledger.permit(quota.clone(), 1).await? {
///             Permit::Granted => return Ok(false),
///             Permit::Trial => return Ok(true), // with `Ledger::fail` or `Ledger::end_outage`
///             Permit::Wait(delay) => tokio::time::sleep(delay).await,
///             _ => tokio::time::sleep(Duration::from_secs(1)).await,
///         }
///     }
/// }
///
/// assert!(!permitted(&ledger, &quota).await?);
/// ledger.fail(quota.clone(), Duration::from_millis(1)).await?; // the service is unreachable
/// assert!(permitted(&ledger, &quota).await?);
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// The operation may proceed; its cost is counted.
    Granted,
    /// The operation may proceed during an outage, as the only one of all users: its result must be
    /// passed to [`Ledger::fail`](super::Ledger::fail) or
    /// [`Ledger::end_outage`](super::Ledger::end_outage).
    Trial,
    /// The operation must wait; nothing is counted. Request a permit again after this duration.
    Wait(Duration),
}
