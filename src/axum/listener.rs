//! A listener whose connections cost little memory under `axum::serve`.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use ::axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};

/// How much is taken from a socket at a time, in bytes. hyper doubles its buffer, from 8 KB up to
/// 400 KB, while reads fill it, so it stays at twice this.
const MOST: u64 = 32 * 1024;

/// A listener for `axum::serve` that keeps what an upload costs in memory small: hyper's read
/// buffer, which grows to 400 KB for a fast connection and which `axum::serve` has no setting for,
/// stays at 64 KB, because no read gives it more than 32 KB.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<()> {
/// # use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
/// # let routes: axum::Router = axum::Router::new();
/// use greenlight::axum::SmallReads;
/// use tokio::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// tokio::spawn(axum::serve(SmallReads::new(listener), routes).into_future());
/// # let mut client = TcpStream::connect(address).await?;
/// # client.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
/// # let mut response = String::new();
/// # client.read_to_string(&mut response).await?;
/// # assert!(response.starts_with("HTTP/1.0 404"), "{response}");
/// # Ok(())
/// # }
/// ```
///
/// Handlers that extract `ConnectInfo<SocketAddr>` need axum's own adapter around it, which knows
/// every listener's address: `SmallReads::new(listener).tap_io(|_| {})`, of
/// `axum::serve::ListenerExt`.
#[derive(Debug)]
pub struct SmallReads<L> {
    listener: L,
}

impl<L> SmallReads<L> {
    /// Accepts connections from this listener.
    pub const fn new(listener: L) -> Self {
        Self { listener }
    }
}

impl<L: Listener> Listener for SmallReads<L> {
    type Io = SmallReadsIo<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.listener.accept().await;
        let io = SmallReadsIo { io: io.take(MOST) };
        (io, address)
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

/// A connection of [`SmallReads`].
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), std::io::Error> {
/// use axum::serve::Listener;
/// use greenlight::axum::{SmallReads, SmallReadsIo};
/// use tokio::net::{TcpListener, TcpStream};
///
/// let mut listener = SmallReads::new(TcpListener::bind("127.0.0.1:0").await?);
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (connection, address): (SmallReadsIo<TcpStream>, _) = listener.accept().await;
/// assert_eq!(address, client.local_addr()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SmallReadsIo<Io> {
    /// Its limit is set anew for every read.
    io: Take<Io>,
}

impl<Io: AsyncRead + Unpin> AsyncRead for SmallReadsIo<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.set_limit(MOST);
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SmallReadsIo<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.io.get_mut()).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.io.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.io.get_mut()).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.get_ref().is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.io.get_mut()).poll_write_vectored(cx, bufs)
    }
}
