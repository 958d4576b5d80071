//! Where the server listens.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs as _},
    str::FromStr,
};
#[cfg(unix)]
use std::{fs, os::unix::fs::FileTypeExt as _, path::PathBuf};

#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use crate::error::{Error, ErrorKind};

/// An address to listen on: `ADDRESS:PORT` or, on Unix, `unix:PATH`.
///
/// ```
/// use greenlight::serve::Listen;
///
/// let listen: Listen = "127.0.0.1:8088".parse()?;
/// assert!(listen.is_local());
/// assert_eq!(listen.to_string(), "127.0.0.1:8088");
/// let everywhere: Listen = "[::]:8088".parse()?;
/// assert!(!everywhere.is_local());
/// # Ok::<(), String>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address; port 0 takes a free one.
    Tcp(SocketAddr),
    /// The path of a Unix domain socket, which is created.
    #[cfg(unix)]
    Unix(PathBuf),
}

impl Listen {
    /// Returns whether only programs on this host can connect.
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            #[cfg(unix)]
            Self::Unix(_) => true,
        }
    }

    /// Binds the address. A socket file that a previous process left behind is replaced.
    pub(super) async fn bind(&self) -> Result<Socket, Error> {
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Io, format_args!("listen on {self}")).with_source(error)
        };
        match self {
            Self::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                Ok(Socket::Tcp(listener))
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let is_socket = fs::symlink_metadata(path)
                    .is_ok_and(|metadata| metadata.file_type().is_socket());
                // Only a socket on which no process listens is removed.
                if is_socket && UnixStream::connect(path).await.is_err() {
                    fs::remove_file(path).map_err(failed)?;
                }
                let listener = UnixListener::bind(path).map_err(failed)?;
                let file = SocketFile(path.clone());
                Ok(Socket::Unix(listener, file))
            }
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            #[cfg(unix)]
            if !path.is_empty() {
                return Ok(Self::Unix(PathBuf::from(path)));
            }
            let wrong = if cfg!(unix) {
                "write the path of a socket after unix:"
            } else {
                "this system has no Unix domain sockets"
            };
            return Err(wrong.to_owned());
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Tcp(address));
        }
        // `localhost` is resolved; other names could resolve to addresses that are not meant.
        let port = text.strip_prefix("localhost:");
        let resolved = port.and_then(|_| text.to_socket_addrs().ok()?.next());
        resolved
            .map(Self::Tcp)
            .ok_or_else(|| "write ADDRESS:PORT, such as 127.0.0.1:8088, or unix:PATH".to_owned())
    }
}

/// A socket that accepts connections.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, SocketFile),
}

/// Removes the file of a Unix domain socket when it is dropped.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A connection of either kind.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Socket {
    /// Returns `http://ADDRESS:PORT`, or `unix:PATH`.
    pub(super) fn url(&self) -> Result<String, Error> {
        match self {
            Self::Tcp(listener) => {
                let address = listener.local_addr().map_err(|error| {
                    Error::new(ErrorKind::Io, "read the address of the socket").with_source(error)
                })?;
                Ok(format!("http://{address}"))
            }
            #[cfg(unix)]
            Self::Unix(_, SocketFile(path)) => Ok(format!("unix:{}", path.display())),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Box<dyn Io>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}
