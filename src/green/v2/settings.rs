//! Settings of a client that only 2.0 has.

use serde_json::{Map, Value};

use super::Client;
use crate::{
    error::{Error, ErrorKind},
    sanitize::harmless,
};

/// The longest `dataId` (page on `UrlAsyncModeration`, the sibling for URLs; for images no page states
/// a limit).
const MAX_DATA_ID: usize = 64;

/// The parameters that the client sets itself.
const OWN: [&str; 9] = [
    "imageUrl",
    "ossBucketName",
    "ossObjectName",
    "ossRegionId",
    "dataId",
    "referer",
    "callback",
    "seed",
    "cryptType",
];

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) referer: Option<String>,
    pub(super) parameters: Map<String, Value>,
    pub(super) max_data_id: usize,
    pub(super) submits_forms: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            referer: None,
            parameters: Map::new(),
            max_data_id: MAX_DATA_ID,
            submits_forms: false,
        }
    }
}

impl Client {
    /// Names the `Referer` with which the service downloads images, for hosts that require one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a text that cannot be a header's value.
    pub fn with_referer(mut self, referer: &str) -> Result<Self, Error> {
        let is_printable = |byte: u8| matches!(byte, b' '..=b'~');
        if referer.is_empty() || !referer.bytes().all(is_printable) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("not a referer: {}", harmless(referer, 80)),
            ));
        }
        self.settings.referer = Some(referer.to_owned());
        Ok(self)
    }

    /// Adds a parameter to the `ServiceParameters` of every scan. This is for parameters that a page
    /// mentions without its name or rules, which the service may ignore: that for more frames of a GIF than
    /// the first (in 1.0 `interval` and `maxFrames`), `infoType` of a synchronous scan, or the treatment of
    /// long images. What such a scan costs is not documented either.
    ///
    /// ```
    /// use greenlight::green::{Client, Credentials, Secret};
    ///
    /// let client = Client::builder()
    ///     .region("cn-shanghai")
    ///     .credentials(Credentials::new("key-id", Secret::new("key-secret")))
    ///     .build_v2()?
    ///     .with_parameter("maxFrames", 3)?;
    /// # Ok::<(), greenlight::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a parameter that the client sets itself, such as `imageUrl`.
    pub fn with_parameter(mut self, name: &str, value: impl Into<Value>) -> Result<Self, Error> {
        if OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("the client sets the parameter {name} itself"),
            ));
        }
        self.settings
            .parameters
            .insert(name.to_owned(), value.into());
        Ok(self)
    }

    /// Sets the longest data id, in characters. Default: 64, as the page on the sibling operation for URLs
    /// has it; for images no page states a limit. A [`DataId`](crate::DataId) has at most 128.
    #[must_use]
    pub const fn with_max_data_id(mut self, characters: usize) -> Self {
        self.settings.max_data_id = characters;
        self
    }

    /// Sends the parameters of asynchronous submissions in a form instead of the query, for URLs that make
    /// the query too long for a proxy. The vendor's metadata and libraries use the query; that the service
    /// reads a form is not documented.
    #[must_use]
    pub const fn with_submissions_in_form(mut self) -> Self {
        self.settings.submits_forms = true;
        self
    }
}
