//! Connections: how many, how long, and how they end.

use std::{
    fmt,
    future::pending,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Bytes, HttpBody},
};
use hyper::{body::Frame, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};

use crate::accept::accept;

/// Connections at a time; the next one waits.
const MAX_CONNECTIONS: usize = 256;

/// Time limit for a complete request head.
const IDLE: Duration = Duration::from_secs(60);

/// Marks an answer that is not to be sent: the connection closes in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection closed on purpose")
    }
}

impl std::error::Error for HangUp {}

/// A body that ends in a closed connection after its first piece was sent.
#[derive(Debug)]
pub(super) struct Broken {
    piece: Option<Bytes>,
    sent: bool,
}

impl Broken {
    pub(super) const fn after(piece: Bytes) -> Self {
        Self {
            piece: Some(piece),
            sent: false,
        }
    }
}

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = HangUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HangUp>>> {
        if let Some(piece) = self.piece.take() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if self.sent {
            return Poll::Ready(Some(Err(HangUp)));
        }
        // Having to wait, the connection sends what it holds; an error would throw that away.
        self.sent = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Accepts connections until it is aborted, which aborts them too.
pub(super) async fn run(listener: TcpListener, router: Router) {
    let listener = Arc::new(listener);
    let next = move || {
        let listener = Arc::clone(&listener);
        async move { listener.accept().await.map(|(stream, _)| stream) }
    };
    let serve = |stream| connection(stream, router.clone());
    accept(MAX_CONNECTIONS, next, serve, pending()).await;
}

async fn connection(stream: TcpStream, router: Router) {
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        let answer = hyper::service::Service::call(&service, request);
        async move {
            match answer.await {
                Ok(response) if response.extensions().get::<HangUp>().is_some() => Err(HangUp),
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    // A broken connection is the client's affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        // `dated` sets this header, by the sandbox's clock.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
