//! A request's body: with a minimum rate, and drained after a rejection.

use std::{
    error::Error as StdError,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use ::axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError};
use tokio::{
    runtime::Handle,
    time::{Instant, Sleep, sleep, timeout},
};

use super::{Problem, UploadPolicy};

/// A body that counts its bytes, enforces a rate, and is drained in the background when it is
/// dropped before its end.
#[derive(Debug)]
pub(super) struct Upstream {
    /// None once it ended or is drained.
    body: Option<Body>,
    taken: u64,
    pace: Pace,
    /// The client waits for `100 Continue`, which is sent with the first read: there is nothing to
    /// drain before.
    awaits_continue: bool,
    max_read: u64,
    drain_time: Duration,
}

impl Upstream {
    pub(super) fn new(body: Body, headers: &HeaderMap, policy: &UploadPolicy) -> Self {
        let awaits_continue = headers
            .get(header::EXPECT)
            .is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self {
            body: Some(body),
            taken: 0,
            pace: Pace::new(policy.min_rate, policy.patience),
            awaits_continue,
            max_read: policy.max_read(),
            drain_time: policy.drain_time,
        }
    }

    /// The number of bytes that the client announced.
    pub(super) fn announced_len(&self) -> Option<u64> {
        self.body.as_ref().and_then(|body| body.size_hint().exact())
    }

    /// The body's next bytes, `None` at its end.
    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Problem>> {
        loop {
            let Some(body) = &mut self.body else {
                return Poll::Ready(Ok(None));
            };
            self.awaits_continue = false;
            match Pin::new(body).poll_frame(cx) {
                // Only waiting counts: time that the handler takes between two reads is not the
                // client's.
                Poll::Pending => {
                    ready!(self.pace.poll_late(cx));
                    self.let_go();
                    return Poll::Ready(Err(Problem::TooSlow));
                }
                Poll::Ready(None) => {
                    self.body = None;
                    return Poll::Ready(Ok(None));
                }
                Poll::Ready(Some(Err(error))) => {
                    self.body = None;
                    return Poll::Ready(Err(broken(&error)));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are not part of the image.
                    let Ok(chunk) = frame.into_data() else {
                        continue;
                    };
                    let len = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                    self.taken = self.taken.saturating_add(len);
                    self.pace.arrived(chunk.len());
                    return Poll::Ready(Ok(Some(chunk)));
                }
            }
        }
    }

    /// Drains the rest in the background, so that the response reaches a client that is still
    /// writing.
    pub(super) fn let_go(&mut self) {
        let Some(body) = self.body.take() else {
            return;
        };
        // Reading would send `100 Continue` and ask for a body that is not wanted.
        if body.is_end_stream() || self.awaits_continue {
            return;
        }
        let left = self.max_read.saturating_sub(self.taken);
        // Without a runtime (it is shutting down) no response can be sent.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(self.drain_time, drain(body, left)));
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Discards the body of a request that is answered without it, within the bounds of
/// [`UploadPolicy::with_drain`].
#[cfg(feature = "serve")]
pub(crate) fn discard(request: ::axum::extract::Request, policy: &UploadPolicy) {
    let (head, body) = request.into_parts();
    Upstream::new(body, &head.headers, policy).let_go();
}

async fn drain(mut body: Body, mut left: u64) {
    while let Some(Ok(frame)) = body.frame().await {
        let len = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(u64::try_from(len).unwrap_or(u64::MAX)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// The body failed: at a limit of another layer, or because the client disconnected.
fn broken(error: &::axum::Error) -> Problem {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return Problem::RequestTooLarge;
        }
        last = error.to_string();
        cause = error.source();
    }
    Problem::Incomplete { reason: last }
}

/// A leaky bucket of time: waiting empties it, bytes fill it up to the patience. The only place of
/// the extractors that reads the time, from the runtime.
#[derive(Debug)]
struct Pace {
    rate: u32,
    patience: Duration,
    left: Duration,
    /// When the wait for the client began.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    const fn new(rate: u32, patience: Duration) -> Self {
        Self {
            rate,
            patience,
            left: patience,
            since: None,
            timer: None,
        }
    }

    /// Ready when the wait for the client is over its limit.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep(Duration::ZERO)));
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            // An endless patience has no deadline.
            match now.checked_add(self.left) {
                Some(deadline) => timer.as_mut().reset(deadline),
                None => return Poll::Pending,
            }
        }
        timer.as_mut().poll(cx)
    }

    fn arrived(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        let earned = match u64::try_from(bytes) {
            // An empty frame counts as silence.
            Ok(0) => return,
            Ok(bytes) if self.rate > 0 => Duration::from_secs(bytes) / self.rate,
            _ => self.patience,
        };
        self.left = self.left.saturating_add(earned).min(self.patience);
    }
}
