//! A header that the caller adds to requests.

use std::fmt;

use http::{HeaderName, header};

/// A header of the requests of a [`Probe`](super::Probe), such as `Referer` for servers that forbid
/// hotlinks. Its value may be a secret, so `Debug` does not print it.
///
/// A redirect to another origin keeps only `Accept`, `Accept-Language`, `Origin` and `Referer`,
/// because the others may hold a secret.
///
/// ```
/// use greenlight::probe::{Header, Probe};
///
/// let key = Header::new("Authorization").with_value("Bearer secret").with_host("images.example");
/// assert!(!format!("{key:?}").contains("secret"));
/// let probe = Probe::builder()
///     .header(key)
///     .header(Header::new("Referer").with_value("https://shop.example/"))
///     .build()?;
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) host: Option<String>,
}

impl Header {
    /// Returns a header of this name with an empty value, for all hosts.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: String::new(),
            host: None,
        }
    }

    /// Sets the value.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    /// Sends the header only with requests for URLs of one host: `images.example` at the default
    /// port of the scheme, or `images.example:8443`. It overrides a header of the same name for all
    /// hosts, and no redirect to another origin keeps it.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Self {
        self.host = Some(host.to_ascii_lowercase());
        self
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("name", &self.name)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// Headers that the request itself determines: setting them could change what is requested.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    [
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::HOST,
        header::IF_RANGE,
        header::RANGE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ]
    .contains(name)
}

/// Headers that may follow a redirect to another origin: they hold no secret.
pub(super) fn is_harmless_elsewhere(name: &HeaderName) -> bool {
    [
        header::ACCEPT,
        header::ACCEPT_LANGUAGE,
        header::ORIGIN,
        header::REFERER,
    ]
    .contains(name)
}
