//! The facts of a download. [`Requirements`](crate::Requirements) evaluates them.

mod phase;

use std::{net::SocketAddr, time::Duration};

use crate::{
    code::Code,
    image_url::ImageUrl,
    inspect::{Depth, Inspection, Inspector},
};

pub use phase::{Phase, Timings};

/// The cause of a failed TLS handshake.
///
/// ```
/// use greenlight::download::{Ending, TlsFault};
///
/// /// Returns whether to report the image's server to its owner.
/// fn is_misconfigured(ending: &Ending) -> bool {
///     match ending {
///         Ending::Tls(TlsFault::Unsupported, _) => false, // the service may succeed
///         Ending::Tls(_, _) => true,
///         _ => false,
///     }
/// }
///
/// let ending = Ending::Tls(TlsFault::Expired, "certificate expired".to_owned());
/// assert!(is_misconfigured(&ending));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum TlsFault {
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for another host.
    WrongHost,
    /// No trusted authority issued the certificate.
    UnknownIssuer,
    /// The connection ended during the handshake.
    Cut,
    /// The server requires a protocol version, cipher suite, curve or signature algorithm that this
    /// client lacks. Another client may succeed.
    Unsupported,
    /// Another cause.
    Other,
}

/// The end of a download.
///
/// ```
/// # #[cfg(feature = "probe")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{ImageUrl, Requirements, download::Ending, probe::Probe};
///
/// let url = ImageUrl::parse("http://192.168.1.1/router.png")?;
/// let download = Probe::new().download(&url, &Requirements::ASYNC).await;
/// match download.ending() {
///     Ending::Complete | Ending::Stopped => println!("{:?}", download.inspection()),
///     Ending::Blocked { target, reason } => println!("{target} was not connected: {reason}"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "probe"))]
/// # fn main() {}
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Ending {
    /// The body was read to its end.
    Complete,
    /// The probe stopped, because the facts suffice for a verdict.
    Stopped,
    /// The probe stopped, because a fact rejects the image.
    Refused {
        /// The rule that the image violates.
        rule: Code,
    },
    /// The deadline passed.
    TooSlow,
    /// The address rule rejected an address.
    Blocked {
        /// The address, or the host and port, that was rejected.
        target: String,
        /// The reason.
        reason: String,
    },
    /// The host's name could not be resolved.
    Dns(String),
    /// No connection could be opened.
    Connect(String),
    /// TLS could not be set up.
    Tls(TlsFault, String),
    /// Too many redirects, or one that leads nowhere.
    Redirects(String),
    /// The server responded with a status without an image.
    Status,
    /// The connection or the stream was reset.
    Reset(String),
    /// The connection ended before the response was complete.
    Incomplete(String),
    /// The server violated the protocol.
    Protocol(String),
    /// The body had a `Content-Encoding` that was not requested.
    Encoded(String),
    /// Local resources were missing: a file handle, a port or a resolver thread. This does not
    /// depend on the server.
    Local(String),
}

/// One response of a download.
///
/// ```
/// # #[cfg(all(feature = "probe", feature = "sandbox"))]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Requirements, probe::{AddressPolicy, Probe}};
/// # let redirect = async || axum::response::Redirect::temporary("/b.png");
/// # let server = axum::Router::new().route("/a.png", axum::routing::get(redirect));
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = ImageUrl::parse(&format!("http://{}/a.png", listener.local_addr()?))?;
/// # tokio::spawn(axum::serve(listener, server).into_future());
/// # let policy = AddressPolicy::new().allow("127.0.0.1/32")?;
/// # let probe = Probe::builder().policy(policy).build()?;
/// use greenlight::{ImageUrl, download::Download};
///
/// /// Returns where the image is, if redirects lead to another URL.
/// fn moved(download: &Download) -> Option<&ImageUrl> {
///     let redirects = download.hops().iter().filter(|hop| (300..400).contains(&hop.status));
///     (redirects.count() > 0).then(|| download.last_url())
/// }
///
/// let download = probe.download(&url, &Requirements::ASYNC).await; // of `/a.png`
/// assert!(moved(&download).is_some_and(|url| url.as_str().ends_with("/b.png")));
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "probe", feature = "sandbox")))]
/// # fn main() {}
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hop {
    /// The URL of the request, with secrets masked.
    pub url: String,
    /// The status of the response.
    pub status: u16,
}

/// Under this name, because a derived `Deserialize` would borrow a field whose type is a reference.
type HttpVersion = &'static str;

/// The facts of one download, created by a [`Probe`](crate::probe::Probe).
///
/// With the feature `serde` it can be stored, with its original URL including secrets, and
/// evaluated again later under other requirements.
///
/// ```
/// # #[cfg(feature = "probe")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{ImageUrl, probe::Probe};
/// use greenlight::{Decision, Requirements, download::{Download, Ending}};
///
/// fn decide(download: Download) -> Decision {
///     if *download.ending() == Ending::TooSlow {
///         eprintln!("{} was {} after {:?}", download.url(), download.phase().name(), download.elapsed());
///     }
///     Requirements::ASYNC.judge_download(download).decision()
/// }
///
/// // The address rule closes loopback addresses.
/// let url = ImageUrl::parse("http://127.0.0.1/cat.png")?;
/// let download = Probe::new().download(&url, &Requirements::ASYNC).await;
/// assert_eq!(decide(download), Decision::Reject);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "probe"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Download {
    pub(crate) url: ImageUrl,
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "crate::image_url::repaired")
    )]
    pub(crate) last_url: ImageUrl,
    pub(crate) ending: Ending,
    pub(crate) phase: Phase,
    pub(crate) hops: Vec<Hop>,
    pub(crate) remote: Option<SocketAddr>,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "http_version"))]
    pub(crate) http_version: Option<HttpVersion>,
    pub(crate) content_type: Option<String>,
    pub(crate) content_length: Option<u64>,
    pub(crate) unregistered_coding: Option<String>,
    pub(crate) timings: Timings,
    pub(crate) elapsed: Duration,
    pub(crate) limit: Duration,
    pub(crate) bytes: u64,
    pub(crate) received: u64,
    pub(crate) retries: u32,
    pub(crate) inspection: Inspection,
}

impl Download {
    /// Returns a download that has not started.
    #[cfg_attr(
        not(feature = "probe"),
        expect(dead_code, reason = "only the probe makes one")
    )]
    pub(crate) fn new(url: ImageUrl, limit: Duration, depth: Depth) -> Self {
        Self {
            last_url: url.clone(),
            url,
            ending: Ending::Stopped,
            phase: Phase::Resolve,
            hops: Vec::new(),
            remote: None,
            http_version: None,
            content_type: None,
            content_length: None,
            unregistered_coding: None,
            timings: Timings::default(),
            elapsed: Duration::ZERO,
            limit,
            bytes: 0,
            received: 0,
            retries: 0,
            inspection: Inspector::new(depth).inspection().clone(),
        }
    }

    /// Returns the URL of the download.
    pub const fn url(&self) -> &ImageUrl {
        &self.url
    }

    /// Returns the last URL, after redirects, that was requested or rejected.
    pub const fn last_url(&self) -> &ImageUrl {
        &self.last_url
    }

    /// Returns how the download ended.
    pub const fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Returns the phase in which the download ended.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns all responses in order: the redirects, then the last one.
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// Returns the status of the last response.
    pub fn status(&self) -> Option<u16> {
        self.hops.last().map(|hop| hop.status)
    }

    /// Returns the address that sent the last response.
    pub const fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Returns the HTTP version of the last response: `HTTP/1.1`, `HTTP/2`.
    pub const fn http_version(&self) -> Option<&'static str> {
        self.http_version
    }

    /// Returns the `Content-Type` of the last response.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns the length of the whole image that the server declared, in bytes.
    pub const fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Returns the `Content-Encoding` of the last response if it is not a registered coding, such
    /// as `aws-chunked` or `utf-8`. The body was read without decoding.
    pub fn unregistered_coding(&self) -> Option<&str> {
        self.unregistered_coding.as_deref()
    }

    /// Returns the duration of each phase.
    pub const fn timings(&self) -> Timings {
        self.timings
    }

    /// Returns the total duration.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the time limit.
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns the number of body bytes read.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the number of bytes received, including heads, redirects and TLS.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Returns how many requests were repeated because no response arrived.
    pub const fn retries(&self) -> u32 {
        self.retries
    }

    /// Returns the facts of the bytes.
    pub const fn inspection(&self) -> &Inspection {
        &self.inspection
    }
}

#[cfg(feature = "serde")]
fn http_version<'de, D>(deserializer: D) -> Result<Option<HttpVersion>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    use serde::Deserialize as _;
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.map(|name| match name.as_str() {
        "HTTP/0.9" => "HTTP/0.9",
        "HTTP/1.0" => "HTTP/1.0",
        "HTTP/1.1" => "HTTP/1.1",
        "HTTP/2" => "HTTP/2",
        _ => "HTTP/3",
    }))
}
