//! The gate over an asynchronous reader.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

use super::Gated;

/// Reads from the inner reader into the caller's buffer. A rejection is an error of kind
/// [`InvalidData`](io::ErrorKind::InvalidData) with the [`Rejected`](crate::verdict::Rejected)
/// inside; the bytes that proved the image invalid are not returned.
impl<R: AsyncRead + Unpin> AsyncRead for Gated<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Without room, a read of zero bytes would look like the end of the source.
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.is_ending() {
            return self.poll_end(cx).map_err(io::Error::from);
        }
        if self.is_done() {
            return Poll::Ready(self.read_on());
        }
        let before = buf.filled().len();
        if let Err(error) = ready!(Pin::new(&mut self.source).poll_read(cx, buf)) {
            self.fail_unless_transient(&error);
            return Poll::Ready(Err(error));
        }
        let outcome = match buf.filled().get(before..) {
            Some([]) | None => ready!(self.poll_end(cx)),
            Some(new) => self.pass(new),
        };
        if outcome.is_err() {
            // The bytes that proved the image invalid are not passed on.
            buf.set_filled(before);
        }
        Poll::Ready(outcome.map_err(io::Error::from))
    }
}
