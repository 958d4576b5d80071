//! Foreign transactions that slow a shared ledger down: one warning.

use std::time::{Duration, Instant};

use crate::{
    cli::{clock, duration, terminal},
    error::Error,
    ledger::Ledger,
};

/// The longest interval between two queries.
const EVERY: Duration = Duration::from_secs(10);

/// Searches for transactions that are open for longer than `age`, until one was reported.
#[derive(Debug)]
pub(super) struct Obstacles {
    age: Duration,
    next: Option<Instant>,
}

impl Obstacles {
    pub(super) fn new(age: Duration) -> Self {
        Self {
            age,
            next: Some(clock::instant()),
        }
    }

    /// Queries the ledger if that is due, and warns once.
    pub(super) async fn look(&mut self, ledger: &dyn Ledger) -> Result<(), Error> {
        let Some(next) = self.next else {
            return Ok(());
        };
        if clock::instant() < next {
            return Ok(());
        }
        self.next = Some(clock::instant() + EVERY.min(self.age));
        let found = ledger.long_transactions(self.age).await?;
        let Some(oldest) = found.first() else {
            return Ok(());
        };
        self.next = None;
        terminal::warning(&format!(
            "a transaction of {} is open for {}: it keeps the database from removing old rows, which \
             slows down this ledger; end it",
            oldest.name,
            duration::rough(oldest.open_for)
        ));
        Ok(())
    }
}
