//! Whether the ledger can be used. A database may be down for longer than a client waits.

use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};

use super::clock;
use crate::{
    error::{Error, ErrorKind},
    ledger::{Key, Ledger},
};

/// How often the ledger is used to see whether it responds.
const EVERY: Duration = Duration::from_millis(500);

/// The longest time for that. It and [`EVERY`] are less than [`LIMIT`], so that an outage is known,
/// and logged, before the first request fails by it.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest time for a call that a request makes. pict-rs waits for 30 seconds by default: 5 more
/// than the request for an outcome.
const LIMIT: Duration = Duration::from_secs(4);

/// Awaits a call of the ledger, which waits for minutes itself, for a few seconds.
pub(super) async fn bounded<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    bounded_at(clock::instant() + LIMIT, call).await
}

/// The same until a given time.
pub(super) async fn bounded_at<T>(
    end: Instant,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let done = timeout_at(end, call).await;
    done.unwrap_or_else(|_| Err(no_response()))
}

/// The end of the calls of a request that starts now.
pub(super) fn end_of_calls() -> Instant {
    clock::instant() + LIMIT
}

fn no_response() -> Error {
    Error::new(ErrorKind::Io, "the ledger does not respond")
}

/// What is known of the ledger.
#[derive(Debug, Default)]
pub(super) struct LedgerWatch {
    /// Since when it cannot be used.
    down: Mutex<Option<Instant>>,
}

impl LedgerWatch {
    /// Whether the ledger could not be used when that was last tried.
    pub(super) fn is_down(&self) -> bool {
        self.down().is_some()
    }

    /// Uses the ledger regularly, without an end, and logs when an outage begins and when it ends.
    pub(super) async fn run(&self, ledger: &dyn Ledger) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // No URL has this key: one look into an index.
            let look = ledger.recall_url(Key::from_bytes([0; 32]), SystemTime::UNIX_EPOCH);
            let looked = timeout(PATIENCE, look).await;
            let failure = match looked {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.report()),
                Err(_) => Some(
                    ledger
                        .unreachable()
                        .map_or_else(|| no_response().report(), |unreachable| unreachable.error),
                ),
            };
            self.note(failure);
        }
    }

    fn note(&self, failure: Option<String>) {
        let mut down = self.down();
        match (failure, *down) {
            (Some(error), None) => {
                *down = Some(clock::instant());
                tracing::warn!(error, "the ledger cannot be used");
            }
            (None, Some(since)) => {
                *down = None;
                let seconds = since.elapsed().as_secs();
                tracing::info!(seconds, "the ledger can be used again");
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    fn down(&self) -> MutexGuard<'_, Option<Instant>> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
