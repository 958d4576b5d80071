//! One HTTP connection. The future that awaits a response polls it; there is no background task, so
//! dropping it ends the connection.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Body, Frame, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::JoinSet,
};
use tokio_rustls::client::TlsStream;

use super::{
    connect::{Counters, Wire},
    repair::Repaired,
};

/// The largest number of header lines in a response head over HTTP/1.1, if the head of a first
/// response had more than 100. hyper initializes room for as many at every head and every interim
/// response, so that a larger number costs time where a server floods with them. hyper bounds the
/// head at about 400 KB.
const MAX_HEADERS: usize = 4_096;

/// The largest list of headers in a response head over HTTP/2, in bytes as RFC 9113, 6.5.2 counts
/// them.
const MAX_HEADER_LIST: u32 = 128 << 10;

type Io = TokioIo<Repaired<Transport>>;
/// The body of a request, which is empty except for [`Probe::post`](super::Probe::post).
pub(super) type Content = Full<Bytes>;

/// The bytes of a connection, behind TLS or not.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(Wire),
    Tls(Box<TlsStream<Wire>>),
}

impl Transport {
    /// Whether TLS agreed on HTTP/2 (RFC 7301).
    pub(super) fn agreed_on_h2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let (polled, counters) = match self.get_mut() {
            Self::Plain(wire) => (Pin::new(&mut *wire).poll_read(cx, buffer), wire.counters()),
            Self::Tls(tls) => {
                let polled = Pin::new(&mut *tls).poll_read(cx, buffer);
                (polled, tls.get_ref().0.counters())
            }
        };
        counters.add_read(buffer.filled().len().saturating_sub(before));
        polled
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// What a connection over HTTP/1.1 accepts, after the first request failed for want of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leniency {
    /// More headers than hyper's default of 100.
    pub(super) many_headers: bool,
    /// Responses that hyper does not read.
    pub(super) repairs: bool,
}

/// A connection that takes one request at a time.
pub(super) struct Connection {
    driver: Driver,
    pub(super) counters: Arc<Counters>,
    pub(super) peer: SocketAddr,
    /// Whether it has answered before.
    pub(super) used: bool,
}

enum Driver {
    Http1 {
        sender: http1::SendRequest<Content>,
        /// `None` once it has ended.
        connection: Option<Box<http1::Connection<Io, Content>>>,
    },
    Http2 {
        sender: http2::SendRequest<Content>,
        connection: Option<Pin<Box<http2::Connection<Io, Content, Tasks>>>>,
        tasks: Tasks,
    },
}

impl Connection {
    /// Starts HTTP over `transport`: HTTP/2 with a window of so many bytes per stream, or HTTP/1.1.
    pub(super) async fn new(
        transport: Transport,
        http2: Option<u32>,
        leniency: Leniency,
        counters: Arc<Counters>,
        peer: SocketAddr,
    ) -> hyper::Result<Self> {
        // HTTP/2 has a binary framing; only the text of HTTP/1 is malformed in ways to repair.
        let is_repaired = leniency.repairs && http2.is_none();
        let io = TokioIo::new(Repaired::new(transport, is_repaired));
        let driver = if let Some(window) = http2 {
            let tasks = Tasks::default();
            let (sender, connection) = http2::Builder::new(tasks.clone())
                .initial_stream_window_size(window)
                // hyper's default of 16 KB is less than curl accepts.
                .max_header_list_size(MAX_HEADER_LIST)
                .handshake(io)
                .await?;
            Driver::Http2 {
                sender,
                connection: Some(Box::pin(connection)),
                tasks,
            }
        } else {
            // What curl and browsers accept, so that a rejection does not depend on this client.
            let mut http1 = http1::Builder::new();
            if leniency.many_headers {
                http1.max_headers(MAX_HEADERS);
            }
            let (sender, connection) = http1
                .allow_obsolete_multiline_headers_in_responses(true)
                .allow_spaces_after_header_name_in_responses(true)
                .ignore_invalid_headers_in_responses(true)
                .handshake(io)
                .await?;
            Driver::Http1 {
                sender,
                connection: Some(Box::new(connection)),
            }
        };
        Ok(Self {
            driver,
            counters,
            peer,
            used: false,
        })
    }

    pub(super) const fn is_h2(&self) -> bool {
        matches!(self.driver, Driver::Http2 { .. })
    }

    /// Sends a request and waits for its answer's head.
    pub(super) async fn send(
        &mut self,
        request: Request<Content>,
    ) -> hyper::Result<Response<Incoming>> {
        self.used = true;
        match &mut self.driver {
            Driver::Http1 { sender, .. } => {
                let answer = sender.send_request(request);
                self.drive(answer).await
            }
            Driver::Http2 { sender, .. } => {
                let answer = sender.send_request(request);
                self.drive(answer).await
            }
        }
    }

    /// Waits for the next piece of an answer's body; `None` at its end.
    pub(super) async fn frame(
        &mut self,
        body: &mut Incoming,
    ) -> Option<hyper::Result<Frame<Bytes>>> {
        let mut body = Pin::new(body);
        self.drive(poll_fn(move |cx| body.as_mut().poll_frame(cx)))
            .await
    }

    /// The next piece of an answer's body, if it has come already.
    pub(super) fn try_frame(
        &mut self,
        body: &mut Incoming,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let cx = &mut Context::from_waker(Waker::noop());
        self.poll_connection(cx);
        Pin::new(body).poll_frame(cx)
    }

    /// Whether it can take another request: open, at rest, and silent.
    pub(super) fn is_idle(&mut self) -> bool {
        // Makes unsolicited bytes an error of the socket, before hyper reads them as a response.
        self.counters.rest(true);
        self.poll_connection(&mut Context::from_waker(Waker::noop()));
        self.counters.rest(false);
        match &self.driver {
            Driver::Http1 { sender, connection } => connection.is_some() && sender.is_ready(),
            Driver::Http2 {
                sender, connection, ..
            } => connection.is_some() && sender.is_ready(),
        }
    }

    /// Waits for `wanted` and polls the connection meanwhile.
    async fn drive<F: Future>(&mut self, wanted: F) -> F::Output {
        let mut wanted = pin!(wanted);
        poll_fn(|cx| {
            self.poll_connection(cx);
            wanted.as_mut().poll(cx)
        })
        .await
    }

    /// Polls the connection. Its error, if it ends, is returned by the pending request.
    fn poll_connection(&mut self, cx: &mut Context<'_>) {
        match &mut self.driver {
            Driver::Http1 { connection, .. } => {
                if let Some(driven) = connection
                    && Pin::new(driven.as_mut()).poll(cx).is_ready()
                {
                    *connection = None;
                }
            }
            Driver::Http2 { connection, .. } => {
                if let Some(driven) = connection
                    && driven.as_mut().poll(cx).is_ready()
                {
                    *connection = None;
                }
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Driver::Http2 { tasks, .. } = &self.driver {
            // hyper has clones of the set, so that dropping this one need not end the tasks.
            tasks.abort();
        }
    }
}

/// The tasks that hyper's HTTP/2 cannot do without, ended with their connection.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn abort(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Without it the set would grow as long as the connection is reused.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}
