//! The gate over a stream of chunks.

use std::{
    error::Error as StdError,
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::Gated;
use crate::verdict::Rejected;

/// The reason why a [`Gated`] stream ended early.
///
/// ```
/// use futures_util::{StreamExt as _, stream};
/// use greenlight::{Gate, GateError, Requirements};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let chunks = stream::iter([Ok::<_, std::io::Error>(b"no image".to_vec())]);
/// let mut gated = Gate::new(Requirements::ASYNC).over(chunks);
/// match gated.next().await {
///     Some(Err(GateError::Refused(rejected))) => println!("respond with 422: {rejected}"),
///     Some(Err(GateError::Source(error))) => println!("the upload was interrupted: {error}"),
///     chunk => panic!("{chunk:?}"),
/// }
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum GateError<E> {
    /// The image is refused.
    Refused(Rejected),
    /// The stream itself failed.
    Source(E),
}

impl<E: fmt::Display> fmt::Display for GateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(rejected) => rejected.fmt(f),
            Self::Source(error) => error.fmt(f),
        }
    }
}

/// Transparent: the source is that of the error inside.
impl<E: StdError + 'static> StdError for GateError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Refused(rejected) => rejected.source(),
            Self::Source(error) => error.source(),
        }
    }
}

/// A refusal becomes [`io::ErrorKind::InvalidData`] with the [`Rejected`] inside.
impl<E: Into<Self>> From<GateError<E>> for io::Error {
    fn from(error: GateError<E>) -> Self {
        match error {
            GateError::Refused(rejected) => rejected.into(),
            GateError::Source(error) => error.into(),
        }
    }
}

/// Yields the stream's chunks unchanged. A stream that is not [`Unpin`] is pinned first
/// (`Box::pin`, `std::pin::pin!`).
impl<S, B, E> Stream for Gated<S>
where
    S: Stream<Item = Result<B, E>> + Unpin,
    B: AsRef<[u8]>,
{
    type Item = Result<B, GateError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_ending() {
            let outcome = ready!(self.poll_end(cx));
            return Poll::Ready(outcome.err().map(GateError::Refused).map(Err));
        }
        // After a verdict the stream is at its end, even if the source is not.
        if self.is_done() {
            return Poll::Ready(None);
        }
        let next = ready!(Pin::new(&mut self.source).poll_next(cx));
        Poll::Ready(match next {
            Some(Ok(chunk)) => Some(match self.pass(chunk.as_ref()) {
                Ok(()) => Ok(chunk),
                Err(rejected) => Err(GateError::Refused(rejected)),
            }),
            Some(Err(error)) => {
                self.fail();
                Some(Err(GateError::Source(error)))
            }
            None => ready!(self.poll_end(cx))
                .err()
                .map(GateError::Refused)
                .map(Err),
        })
    }
}
