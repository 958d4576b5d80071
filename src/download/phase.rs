//! The phases of a download and their durations.

use std::time::Duration;

/// A phase of a download.
///
/// ```
/// use greenlight::download::Phase;
///
/// let message = format!("the deadline passed while {}", Phase::Tls.name());
/// assert_eq!(message, "the deadline passed while setting up TLS");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Phase {
    /// The host name is resolved.
    Resolve,
    /// A connection is opened.
    Connect,
    /// TLS is set up.
    Tls,
    /// The request is sent and the response head awaited.
    FirstByte,
    /// The body is read.
    Body,
}

impl Phase {
    /// Returns a description of the phase that can follow "while".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolving the host",
            Self::Connect => "connecting",
            Self::Tls => "setting up TLS",
            Self::FirstByte => "waiting for the answer",
            Self::Body => "reading the body",
        }
    }
}

/// The duration of each phase, summed over hops; zero for a phase that was not reached.
///
/// ```
/// # #[cfg(feature = "probe")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use greenlight::{ImageUrl, Requirements, probe::Probe};
///
/// let url = ImageUrl::parse("http://127.0.0.1/cat.png")?;
/// let download = Probe::new().download(&url, &Requirements::ASYNC).await;
/// // The address rule ended the download before a connection was opened.
/// assert_eq!(download.timings().connect, Duration::ZERO);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "probe"))]
/// # fn main() {}
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timings {
    /// Resolving names.
    pub resolve: Duration,
    /// Opening connections.
    pub connect: Duration,
    /// Setting up TLS.
    pub tls: Duration,
    /// From a request to its response head.
    pub first_byte: Duration,
    /// Reading the body.
    pub body: Duration,
}
