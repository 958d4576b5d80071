//! Times in which the service does not do what it is asked.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{clock, shared::LOOK_AGAIN};
use crate::error::Error;

/// What keeps the service, or the store of uploads, from doing what it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// For how long it has done nothing: since the first failure after its last success.
    pub lasted: Duration,
    /// The latest failure with its causes, without secrets and signatures as all errors are.
    pub error: String,
}

/// Notes failures and successes of one that is asked.
#[derive(Debug, Default)]
pub(super) struct OutageWatch {
    now: Mutex<Option<(Instant, String)>>,
}

impl OutageWatch {
    const MOST: Duration = Duration::from_secs(60);

    /// Notes a failure.
    pub(super) fn failed(&self, error: &Error) {
        self.failed_for(error.report());
    }

    /// Notes a failure that is no error of the client.
    pub(super) fn failed_for(&self, error: String) {
        let mut outage = self.lock();
        let since = outage
            .take()
            .map_or_else(clock::instant, |(since, _)| since);
        *outage = Some((since, error));
    }

    pub(super) fn ended(&self) {
        *self.lock() = None;
    }

    /// How long to leave it alone: as long as the outage lasted so far, so that what is asked of it
    /// halves with every doubling.
    pub(super) fn pause(&self) -> Duration {
        self.lasted().clamp(LOOK_AGAIN, Self::MOST)
    }

    /// For how long there was no success since the first failure; nothing if there was none since.
    pub(super) fn lasted(&self) -> Duration {
        let outage = self.lock();
        outage
            .as_ref()
            .map_or(Duration::ZERO, |(since, _)| since.elapsed())
    }

    pub(super) fn read(&self) -> Option<Outage> {
        let outage = self.lock();
        outage.as_ref().map(|(since, error)| Outage {
            lasted: since.elapsed(),
            error: error.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
