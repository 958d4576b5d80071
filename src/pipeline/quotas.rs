//! The rate limits that all users of a ledger share.

use std::time::Duration;

use crate::{
    green::Terms,
    ledger::{Limit, Quota},
};

/// Nine tenths of what an account has unless it asked for more.
pub(super) fn nine_tenths(terms: &Terms) -> u32 {
    (terms.per_second / 10).saturating_mul(9).max(1)
}

/// Returns a quota of `rate` per second. The burst is at least a full batch, which must be
/// grantable at any rate.
pub(super) fn quota(operation: &str, rate: u32, terms: &Terms) -> Quota {
    let burst = rate.max(u32::try_from(terms.max_tasks).unwrap_or(u32::MAX));
    Quota {
        operation: operation.to_owned(),
        limit: Limit {
            interval: Duration::from_secs(1) / rate.max(1),
            burst,
        },
    }
}
