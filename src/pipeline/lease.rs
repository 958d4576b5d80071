//! Leases that are extended while their images are worked on.

use std::time::Duration;

use tokio::time::sleep;

use super::{Pipeline, clock, shared::Shared};
use crate::{error::Error, ledger::Hold};

/// Awaits `work`, and extends the leases of `holds` meanwhile.
pub(super) async fn held<T>(
    shared: &Shared,
    holds: Vec<Hold>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Pipeline {
        ledger, settings, ..
    } = &shared.pipeline;
    let lease = settings.lease;
    let extend = || async {
        let extended = ledger.extend(holds.clone(), lease, clock::now()).await;
        // Lost leases need no reaction here: `begin_batch` leaves their images out.
        extended.map(drop)
    };
    with_repeated(work, lease / 3, extend).await
}

/// Awaits `work`, and runs `again` every `period` meanwhile, until one of them fails.
///
/// Both are polled all the time. `work` may be in a transaction, and `again` may wait for its rows or its connection,
/// which only a future that is polled releases.
async fn with_repeated<T, F>(
    work: impl Future<Output = Result<T, Error>>,
    period: Duration,
    mut again: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let repeated = async {
        loop {
            sleep(period).await;
            if let Err(error) = again().await {
                break error;
            }
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        error = repeated => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::Mutex, time::timeout};

    use super::*;

    /// A row that the work has locked when the lease is to be extended.
    #[tokio::test(start_paused = true)]
    async fn work_continues_while_an_extension_waits_for_it() {
        let row = Mutex::new(0);
        let work = async {
            let mut row = row.lock().await;
            sleep(Duration::from_secs(10)).await;
            *row += 1;
            drop(row);
            sleep(Duration::from_secs(10)).await;
            Ok(())
        };
        let extend = || async {
            *row.lock().await += 10;
            Ok(())
        };
        let done = with_repeated(work, Duration::from_secs(6), extend);
        let done = timeout(Duration::from_secs(60), done).await;
        assert!(matches!(done, Ok(Ok(()))), "{done:?}");
        // At 10 seconds, when the row is free, and at 16.
        assert_eq!(row.into_inner(), 21);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_extension_ends_the_work() {
        let work = async {
            sleep(Duration::from_secs(60)).await;
            Ok(())
        };
        let failed = || async {
            Err(Error::new(
                crate::error::ErrorKind::Io,
                "as the test wants it",
            ))
        };
        let ended = with_repeated(work, Duration::from_secs(6), failed).await;
        assert_eq!(
            ended.map_err(|error| error.kind()),
            Err(crate::error::ErrorKind::Io)
        );
    }
}
