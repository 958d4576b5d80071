//! Rate limits that all users of a ledger share.

use std::time::Duration;

#[cfg(any(feature = "ledger", feature = "postgres"))]
use crate::error::{Error, ErrorKind};

/// A rate limit that all users of a ledger share.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The time per unit.
    pub interval: Duration,
    /// The maximum number of units at a time, at least 1.
    pub burst: u32,
}

/// The result of [`Ledger::permit`](super::Ledger::permit).
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
