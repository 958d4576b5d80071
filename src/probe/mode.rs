//! How a probe reads: which part of a file, and over which protocol.

/// The part of a file that a probe reads.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{
///     Depth, ImageUrl, Requirements,
///     probe::{AddressPolicy, Mode, Probe},
///     sandbox::Sandbox,
/// };
///
/// let server = Sandbox::builder().serve("fixtures/images").start().await?;
/// let url = ImageUrl::parse(&server.url_for("png/long-tall.png")?)?;
/// let probe = Probe::builder()
///     .policy(AddressPolicy::new().allow("127.0.0.1/32")?)
///     .mode(Mode::Header)
///     .build()?;
/// let download = probe.download(&url, &Requirements::ASYNC).await;
/// assert!(download.inspection().dimensions().is_some());
/// assert!(Some(download.bytes()) <= download.content_length());
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The whole file, over a new connection, as the service downloads it.
    #[default]
    Full,
    /// The first bytes, enough for format and dimensions, by a Range request over reused
    /// connections. The size is the server's statement. For dry runs over many URLs.
    Header,
}

/// The HTTP versions of a probe.
///
/// ```
/// use greenlight::probe::{HttpVersions, Probe};
///
/// // As a downloader that does not support HTTP/2 would read the images.
/// let probe = Probe::builder().http_versions(HttpVersions::Http1).build()?;
/// # Ok::<(), greenlight::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersions {
    /// HTTP/2 if negotiated by ALPN, otherwise HTTP/1.1.
    #[default]
    Any,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only, also without TLS (prior knowledge).
    Http2,
}

impl HttpVersions {
    pub(super) const fn is_h2_only(self) -> bool {
        matches!(self, Self::Http2)
    }
}
