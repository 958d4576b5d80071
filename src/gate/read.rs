//! The gate over a reader.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

use super::Gated;
use crate::verdict::Rejected;

/// [`io::ErrorKind::InvalidData`], with the [`Rejected`] inside.
impl From<Rejected> for io::Error {
    fn from(rejected: Rejected) -> Self {
        Self::new(io::ErrorKind::InvalidData, rejected)
    }
}

/// Reads what the reader gives, into the caller's buffer. A refusal is an error of kind
/// [`InvalidData`](io::ErrorKind::InvalidData) with the [`Rejected`] inside; the bytes that
/// condemned are not given.
impl<R: AsyncRead + Unpin> AsyncRead for Gated<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.is_done() {
            // Whoever reads on after a refusal must not take it for the end of a good file.
            return Poll::Ready(match self.receipt().result() {
                Some(Err(rejected)) => Err(rejected.clone().into()),
                Some(Ok(_)) | None => Ok(()),
            });
        }
        let before = buf.filled().len();
        if let Err(error) = ready!(Pin::new(&mut self.source).poll_read(cx, buf)) {
            // The reader may be asked again after these.
            if !matches!(
                error.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
            ) {
                self.fail();
            }
            return Poll::Ready(Err(error));
        }
        let outcome = match buf.filled().get(before..) {
            Some([]) | None => self.end(),
            Some(new) => self.pass(new),
        };
        if outcome.is_err() {
            buf.set_filled(before);
        }
        Poll::Ready(outcome.map_err(io::Error::from))
    }
}
