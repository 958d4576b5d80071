//! Tasks that are aborted when their handles are dropped, and the conversion of their results.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::task::{self, JoinHandle};

use crate::error::{Error, ErrorKind};

/// The check of one image in a separate task. Dropping it aborts the task.
#[derive(Debug)]
pub(crate) struct Spawned<T>(JoinHandle<Result<T, Error>>);

/// Starts a check on the current tokio runtime.
pub(crate) fn spawn<T, F>(check: F) -> Spawned<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    Spawned(task::spawn(check))
}

impl<T> Future for Spawned<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(ended.unwrap_or_else(|error| {
            if error.is_panic() {
                // A panic on one image must not end the checks of others.
                let message = "a bug in this program: please report it, with the image";
                Err(Error::new(ErrorKind::Internal, message))
            } else {
                Err(shutting_down())
            }
        }))
    }
}

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        // Otherwise the check would continue to use connections, with no reader of its result.
        self.0.abort();
    }
}

/// Returns the result of a task. A panic of the task is resumed in the caller.
#[cfg(feature = "pipeline")]
pub(crate) fn joined<T>(ended: Result<T, task::JoinError>) -> Result<T, Error> {
    ended.map_err(|error| match error.try_into_panic() {
        Ok(panicked) => std::panic::resume_unwind(panicked),
        Err(_cancelled) => shutting_down(),
    })
}

fn shutting_down() -> Error {
    Error::new(ErrorKind::Io, "the runtime is shutting down")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_that_check_only() {
        let checks = [0, 1, 2].map(|number| {
            spawn(async move {
                assert_ne!(number, 1, "as the test wants it");
                Ok(number)
            })
        });
        let mut results = Vec::new();
        for check in checks {
            results.push(check.await.map_err(|error| error.kind()));
        }
        assert_eq!(results, [Ok(0), Err(ErrorKind::Internal), Ok(2)]);
    }
}
