//! What a download was: facts only. How it is judged is [`Requirements`](crate::Requirements)'
//! matter.

use std::{net::SocketAddr, time::Duration};

use crate::{
    code::Code,
    image_url::ImageUrl,
    inspect::{Depth, Inspection, Inspector},
};

/// A part of a download. The one that was under way when it ended says where the time went.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Phase {
    /// The host's name is looked up.
    Resolve,
    /// A connection is opened.
    Connect,
    /// TLS is set up.
    Tls,
    /// The request is sent and the answer's head awaited.
    FirstByte,
    /// The body is read.
    Body,
}

impl Phase {
    /// The phase in words, as in "while …".
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

/// How long each phase took, summed over hops. A phase that was not entered took no time.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timings {
    /// Looking up names.
    pub resolve: Duration,
    /// Opening connections.
    pub connect: Duration,
    /// Setting up TLS.
    pub tls: Duration,
    /// From a request to its answer's head.
    pub first_byte: Duration,
    /// Reading the body.
    pub body: Duration,
}

/// What is wrong with a server's TLS.
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
    /// Anything else.
    Other,
}

/// How a download ended.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Ending {
    /// The whole body was read.
    Complete,
    /// It was stopped on purpose: enough was known.
    Stopped,
    /// It was stopped on purpose: a fact condemned the image.
    Refused {
        /// The rule that the image breaks.
        rule: Code,
    },
    /// The deadline passed.
    TooSlow,
    /// The address rule refused an address.
    Blocked {
        /// The address, or the host and port, that was refused.
        target: String,
        /// Why, and which option would allow it.
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
    /// The server answered with a status that carries no image.
    Status,
    /// The connection was reset, or the server took the stream back.
    Reset(String),
    /// The connection ended before the answer did.
    Incomplete(String),
    /// The server broke the protocol.
    Protocol(String),
    /// The body came with a `Content-Encoding` that was not asked for.
    Encoded(String),
    /// This machine could not ask: no file handle or port is left, or no resolver thread. It says
    /// nothing of the server.
    Local(String),
}

/// One answer on the way.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hop {
    /// Where the request went, with secrets masked.
    pub url: String,
    /// The answer's status.
    pub status: u16,
}

/// Under this name, because a derived `Deserialize` would borrow a field whose type is a reference.
type HttpVersion = &'static str;

/// The facts of one download. Only a [`Probe`](crate::Probe) makes one.
///
/// With the feature `serde` it can be stored, with its URL as given, secrets included, and
/// evaluated again later under other requirements.
///
/// ```no_run
/// use greenlight::{Download, Requirements, download::Ending};
///
/// fn report(download: Download) {
///     if *download.ending() == Ending::TooSlow {
///         eprintln!("{} was {} after {:?}", download.url(), download.phase().name(), download.elapsed());
///     }
///     println!("{}", Requirements::ASYNC.judge_download(download).decision());
/// }
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
    /// A download that has not begun.
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

    /// The URL that was read.
    pub const fn url(&self) -> &ImageUrl {
        &self.url
    }

    /// The URL that was asked for last, or refused: where redirects had led.
    pub const fn last_url(&self) -> &ImageUrl {
        &self.last_url
    }

    /// How it ended.
    pub const fn ending(&self) -> &Ending {
        &self.ending
    }

    /// The phase that was under way when it ended.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Every answer, redirects first.
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// The last answer's status.
    pub fn status(&self) -> Option<u16> {
        self.hops.last().map(|hop| hop.status)
    }

    /// The address that answered last.
    pub const fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// The HTTP version of the last answer: `HTTP/1.1`, `HTTP/2`.
    pub const fn http_version(&self) -> Option<&'static str> {
        self.http_version
    }

    /// The `Content-Type` of the last answer.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The whole image's length as the server declares it, in bytes.
    pub const fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// The `Content-Encoding` of the last response if it is not a registered coding, as in
    /// `aws-chunked` or `utf-8`. The body was read as it is.
    pub fn unregistered_coding(&self) -> Option<&str> {
        self.unregistered_coding.as_deref()
    }

    /// How long each phase took.
    pub const fn timings(&self) -> Timings {
        self.timings
    }

    /// How long it took in all.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How long it was allowed to take.
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// How many bytes of body were taken.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many bytes came over the wire: heads, redirects and TLS too.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// How often a request was repeated because nothing at all was answered.
    pub const fn retries(&self) -> u32 {
        self.retries
    }

    /// What the bytes say.
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
