//! The local clock, which is compared with the database's clock.

use std::{fmt, sync::Arc, time::SystemTime};

use tokio::time::Instant;

/// The local clock.
#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The clock of the system.
    pub(super) fn system() -> Self {
        Self::new(system)
    }

    /// A clock that returns what `now` returns.
    pub(super) fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only place where the ledger reads the clock"
)]
fn system() -> SystemTime {
    SystemTime::now()
}

pub(super) fn instant() -> Instant {
    Instant::now()
}
