//! The URL of an image: the original text and its parsed form.

mod masked;
mod surroundings;
mod written;

use std::{borrow::Cow, fmt, str::FromStr};

use url::{Host, Url};

pub(crate) use masked::masked;

use crate::inspect::Claim;

/// The URL of an image.
///
/// The original text is kept, because the moderation service receives it; the probe uses the parsed
/// form. `url::Url` silently repairs malformed text (it removes tabs, replaces `\` by `/`, and
/// reads `0x7f.1` as `127.0.0.1`), so a text that needs repair is rejected: both forms must
/// identify the same resource. The text may differ from its parsed form only in:
///
/// * the case of the scheme and of the host name;
/// * a non-ASCII label of the host, which becomes its `xn--` form if that form decodes to the label
///   (so no full-width digits, ideographic full stops, soft hyphens, or letters with a separate
///   accent);
/// * the scheme's default port (`http://host:80/`), and a missing path, which becomes `/`;
/// * non-ASCII characters in path, query and fragment, and `'` in the query, which every client
///   percent-encodes in the same way.
///
/// So an IPv4 address has four decimal parts, an IPv6 address its shortest lower-case or upper-case
/// form without a dotted tail, a path has no `.` or `..` segments (nor encoded ones), there is no
/// empty user name, and no port with leading zeros. Control characters, white space and
/// `` \ < > " { | } ^ ` `` are not allowed anywhere in a URL.
///
/// `Debug` and `Display` mask secrets (user name, password, query values); [`as_str`](Self::as_str)
/// does not.
///
/// ```
/// use greenlight::ImageUrl;
///
/// let url = ImageUrl::parse("https://images.example/cat.jpg")?;
/// assert_eq!(url.as_str(), "https://images.example/cat.jpg");
/// assert!(ImageUrl::parse("http://127.1/cat.jpg").is_err()); // other readers see another host
/// # Ok::<(), greenlight::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ImageUrl {
    raw: Box<str>,
    parsed: Url,
}

/// The error for a text that is not the URL of an image.
///
/// ```
/// use greenlight::{ImageUrl, UrlError};
///
/// match ImageUrl::parse("ftp://example.com/cat.png") {
///     Ok(url) => println!("submit {url}"),
///     Err(UrlError::Scheme { scheme }) => assert_eq!(scheme, "ftp"),
///     Err(error) => println!("skip the line: {error}"),
/// }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The text is not an absolute URL with a host, contains characters that a URL cannot contain
    /// (RFC 3986, 2), or differs from its parsed form.
    #[error("not a usable URL: {reason}")]
    Malformed {
        /// The reason, with a remedy.
        reason: String,
    },
    /// The scheme is neither http nor https.
    #[error("scheme `{scheme}` is not http or https")]
    Scheme {
        /// The scheme in the text.
        scheme: String,
    },
}

impl ImageUrl {
    /// Replaces the user name and password in a text that may be a malformed URL by `***`. Apply it
    /// to a rejected text before you store, print or log it.
    ///
    /// ```
    /// use greenlight::ImageUrl;
    ///
    /// assert_eq!(ImageUrl::masked("https://me:word@host/a.png"), "https://***@host/a.png");
    /// ```
    pub fn masked(text: &str) -> Cow<'_, str> {
        masked(text)
    }

    /// Parses an absolute http or https URL.
    ///
    /// Length and user information are not checked here, but by
    /// [`Requirements::judge_url`](crate::Requirements::judge_url), because these rules can be
    /// changed.
    ///
    /// ```
    /// use greenlight::ImageUrl;
    ///
    /// let url = ImageUrl::parse("https://example.com/cat.png?key=secret")?;
    /// assert_eq!(url.to_string(), "https://example.com/cat.png?\u{2026}");
    /// # Ok::<(), greenlight::UrlError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`UrlError::Scheme`] for another scheme, and [`UrlError::Malformed`] for a text that
    /// is not an absolute URL or needs repair, see [the type](Self).
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = Self::parse_repaired(text)?;
        match written::fault(text, &url.parsed) {
            Some(reason) => Err(UrlError::Malformed { reason }),
            None => Ok(url),
        }
    }

    /// Like [`parse`](Self::parse), but accepts text that needs repair. For the target of a
    /// redirect, which is resolved against the previous URL and never submitted.
    pub(crate) fn parse_repaired(text: &str) -> Result<Self, UrlError> {
        let malformed = |reason: &str| UrlError::Malformed {
            reason: reason.to_owned(),
        };
        if text.is_empty() {
            return Err(malformed("it is empty"));
        }
        if let Some(reason) = surroundings::fault(text).or_else(|| surroundings::unfit(text)) {
            return Err(UrlError::Malformed { reason });
        }
        let parsed = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => {
                malformed(surroundings::without_scheme(text))
            }
            other => malformed(&other.to_string()),
        })?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(UrlError::Scheme {
                scheme: parsed.scheme().to_owned(),
            });
        }
        let after_scheme = text
            .split_once(':')
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        // `Url::parse` reads `http:example.com` and `http:///example.com` as `http://example.com`;
        // other clients do not.
        if !after_scheme.starts_with("//") || after_scheme.starts_with("///") {
            return Err(malformed("two slashes and a host must follow the scheme"));
        }
        Ok(Self {
            raw: text.into(),
            parsed,
        })
    }

    /// Returns the URL of an object uploaded for the service, `oss://bucket/key`; `None` if a URL
    /// cannot contain these names unchanged.
    #[cfg_attr(
        not(feature = "client"),
        expect(dead_code, reason = "only an upload makes one")
    )]
    pub(crate) fn of_object(bucket: &str, key: &str) -> Option<Self> {
        let plain = |text: &str, others: &[u8]| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
        };
        if !plain(bucket, b"-") || !plain(key, b"-_./") || key.starts_with('/') {
            return None;
        }
        let raw = format!("oss://{bucket}/{key}");
        let parsed = Url::parse(&raw).ok()?;
        let raw = raw.into_boxed_str();
        // The object was stored under these names, so the URL must contain them unchanged.
        (parsed.as_str() == &*raw).then_some(Self { raw, parsed })
    }

    /// Returns the original text, including secrets.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// Returns the number of characters in the text.
    pub fn char_count(&self) -> usize {
        self.raw.chars().count()
    }

    /// Returns whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.parsed.scheme() == "https"
    }

    /// Returns the parsed host name or address.
    pub fn host(&self) -> &str {
        self.parsed.host_str().unwrap_or_default()
    }

    /// Returns whether the URL contains a user name or password.
    pub fn has_credentials(&self) -> bool {
        !self.parsed.username().is_empty() || self.parsed.password().is_some()
    }

    /// Returns the format that the path's extension claims.
    pub fn claim(&self) -> Option<Claim> {
        Claim::from_name(self.parsed.path())
    }

    #[cfg_attr(
        not(any(feature = "probe", feature = "ledger", feature = "postgres")),
        expect(dead_code, reason = "only the probe and the ledger read it")
    )]
    pub(crate) fn parsed(&self) -> &Url {
        &self.parsed
    }

    #[cfg_attr(
        not(feature = "probe"),
        expect(dead_code, reason = "only the probe reads it")
    )]
    pub(crate) fn parsed_host(&self) -> Option<Host<&str>> {
        self.parsed.host()
    }
}

impl FromStr for ImageUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for ImageUrl {
    type Error = UrlError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl AsRef<str> for ImageUrl {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Serializes the original text, including secrets.
#[cfg(feature = "serde")]
impl serde::Serialize for ImageUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.raw)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ImageUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Deserializes the target of a redirect, which may differ from its parsed form.
#[cfg(feature = "serde")]
pub(crate) fn repaired<'de, D>(deserializer: D) -> Result<ImageUrl, D::Error>
where
    D: serde::Deserializer<'de>,
{
    use serde::Deserialize as _;
    let text = String::deserialize(deserializer)?;
    ImageUrl::parse_repaired(&text).map_err(serde::de::Error::custom)
}

/// Formats `scheme://host/path?…`: without user information, and with masked query values.
impl fmt::Display for ImageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.parsed.scheme(), self.host())?;
        if let Some(port) = self.parsed.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.parsed.path())?;
        if self.parsed.query().is_some() {
            f.write_str("?\u{2026}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ImageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageUrl({self})")
    }
}
