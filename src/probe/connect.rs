//! The one function that opens sockets, and the bytes that cross them, counted.

use std::{
    io,
    mem::MaybeUninit,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::JoinSet,
    time,
};

use super::policy::Vetted;

/// How long one address is waited for before the next is tried concurrently (RFC 8305, 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// More addresses than this are not tried.
const MAX_ATTEMPTS: usize = 8;

/// Sorts addresses into the order in which they are tried: IPv6 and IPv4 in turn, the resolver's
/// first before all (RFC 8305, 4), so that a network without one of them costs one head start.
pub(super) fn in_turn(addresses: &mut Vec<Vetted>) {
    let Some(first) = addresses.first().map(|first| first.get().is_ipv6()) else {
        return;
    };
    let (same, other): (Vec<_>, Vec<_>) = addresses
        .drain(..)
        .partition(|address| address.get().is_ipv6() == first);
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    while addresses.len() < MAX_ATTEMPTS {
        let before = addresses.len();
        addresses.extend(same.next());
        addresses.extend(other.next());
        if addresses.len() == before {
            return;
        }
    }
}

/// Opens a connection to the first of the addresses that accepts one. They are tried in their
/// order, each with a head start before the next (RFC 8305).
pub(super) async fn dial(addresses: &[Vetted]) -> io::Result<(TcpStream, SocketAddr)> {
    // The common case needs no task.
    if let [only] = addresses {
        return open(*only).await;
    }
    let mut attempts = JoinSet::new();
    let mut waiting = addresses.iter();
    let mut failure = None;
    loop {
        match waiting.next() {
            Some(next) => {
                attempts.spawn(open(*next));
            }
            None if attempts.is_empty() => break,
            None => {}
        }
        let answer = if waiting.as_slice().is_empty() {
            attempts.join_next().await
        } else {
            match time::timeout(HEAD_START, attempts.join_next()).await {
                Ok(answer) => answer,
                Err(_next_one_too) => continue,
            }
        };
        match answer {
            // Dropping the set ends the other attempts.
            Some(Ok(Ok(connected))) => return Ok(connected),
            // A failure starts the next attempt without its head start (RFC 8305, 5).
            Some(Ok(Err(error))) => failure = Some(error),
            Some(Err(_)) | None => {}
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::other("no address answered")))
}

/// Opens a connection to a vetted address. Nothing else in the probe opens one.
async fn open(address: Vetted) -> io::Result<(TcpStream, SocketAddr)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that opens sockets, after the address rule"
    )]
    let tcp = TcpStream::connect(address.get()).await?;
    // Returned to be checked too: the system may connect to another address than the one asked for.
    let peer = tcp.peer_addr()?;
    // A request is one small write: Nagle's algorithm could delay it.
    tcp.set_nodelay(true)?;
    Ok((tcp, peer))
}

/// Byte counters of a connection.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Bytes received from the socket, including TLS overhead.
    received: AtomicU64,
    /// The number of bytes after which the connection is closed.
    allowed: AtomicU64,
    /// Bytes read by HTTP, after TLS decryption.
    read: AtomicU64,
    /// Whether the connection is idle: unsolicited bytes would be taken for the next response.
    resting: AtomicBool,
}

impl Counters {
    pub(super) fn received(&self) -> u64 {
        // Relaxed is enough: the future that reads the counters is the one that polls the socket.
        self.received.load(Ordering::Relaxed)
    }

    /// Returns the number of response bytes, without TLS overhead.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn add_read(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Sets whether the connection is idle.
    pub(super) fn rest(&self, resting: bool) {
        self.resting.store(resting, Ordering::Relaxed);
    }

    /// Allows `bytes` more to be received.
    pub(super) fn allow(&self, bytes: u64) {
        self.allowed
            .store(self.received().saturating_add(bytes), Ordering::Relaxed);
    }
}

/// The server sent more bytes than any valid response needs.
#[derive(Debug, thiserror::Error)]
#[error("more bytes came than the answer can need")]
pub(super) struct TooMuch;

/// A socket that counts what it receives and cuts it off.
#[derive(Debug)]
pub(super) struct Wire {
    tcp: TcpStream,
    counters: Arc<Counters>,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream, counters: Arc<Counters>) -> Self {
        Self { tcp, counters }
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { tcp, counters } = self.get_mut();
        // Checked at the socket, before TLS and HTTP, so that interim responses, padding and
        // records without data count too.
        if counters.received() > counters.allowed.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, TooMuch)));
        }
        // A close, or bytes without a request: hyper must not read them as the next response.
        if counters.resting.load(Ordering::Relaxed) && !is_silent(tcp) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(tcp).poll_read(cx, buffer);
        let read = buffer.filled().len().saturating_sub(before);
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        counters.received.fetch_add(read, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}

/// Whether a socket is open and has no unread bytes. The runtime updates readiness only when it
/// polls, so this asks the operating system.
fn is_silent(tcp: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    SockRef::from(tcp)
        .peek(&mut byte)
        .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
