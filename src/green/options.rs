//! Options of a scan request and of callbacks.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{credentials::Secret, scene::Scene};
use crate::{
    error::{Error, ErrorKind},
    image_url::masked,
    sanitize::harmless,
};

/// Options of a scan request.
///
/// ```
/// use greenlight::{Scene, green::{Callback, ScanOptions, Secret}};
///
/// let callback = Callback::new("https://example.com/results", Secret::new("random_seed_1"))?;
/// let options = ScanOptions::new(&[Scene::Porn, Scene::Terrorism])
///     .with_biz_type("avatars")
///     .with_callback(callback);
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScanOptions {
    pub(super) scenes: Vec<Scene>,
    pub(super) biz_type: Option<String>,
    pub(super) callback: Option<Callback>,
    pub(super) near_line: Option<bool>,
    pub(super) extras: Option<serde_json::Map<String, serde_json::Value>>,
}

impl ScanOptions {
    /// Requests these scenes; every image is billed once for each.
    pub fn new(scenes: &[Scene]) -> Self {
        Self {
            scenes: scenes.to_vec(),
            biz_type: None,
            callback: None,
            near_line: None,
            extras: None,
        }
    }

    /// Overrides the client's business scene, which is created in the console.
    #[must_use]
    pub fn with_biz_type(mut self, biz_type: &str) -> Self {
        self.biz_type = Some(biz_type.to_owned());
        self
    }

    /// Sends the results of an asynchronous scan to a URL.
    #[must_use]
    pub fn with_callback(mut self, callback: Callback) -> Self {
        self.callback = Some(callback);
        self
    }

    /// Queues an asynchronous scan, to be started within 24 hours, where the service would
    /// otherwise refuse images that exceed the quota (`offline`; asynchronous moderation page,
    /// 2021).
    #[must_use]
    pub const fn with_near_line(mut self) -> Self {
        self.near_line = Some(true);
        self
    }

    /// Adds parameters of single scenes (`extras`), such as the type of a card for `ocr`.
    #[must_use]
    pub fn with_extras(mut self, extras: serde_json::Map<String, serde_json::Value>) -> Self {
        self.extras = Some(extras);
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.scenes.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "name at least one scene"));
        }
        Ok(())
    }
}

/// The hash function of a callback's checksum.
///
/// ```
/// use greenlight::green::{Callback, CryptType, Secret, callback::Verifier};
///
/// // The service computes the checksum with the function that the request names.
/// let callback = Callback::new("https://example.com/results", Secret::new("random_seed_1"))?
///     .with_crypt_type(CryptType::Sm3);
/// let verifier = Verifier::new("1234567890123456", &callback);
/// assert!(!verifier.verify(b"{}", "00"));
/// # Ok::<(), greenlight::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum CryptType {
    /// SHA-256.
    #[default]
    #[serde(rename = "SHA256")]
    Sha256,
    /// SM3 (GB/T 32905).
    #[serde(rename = "SM3")]
    Sm3,
}

/// The URL that results are sent to, and the seed of the checksum that proves their origin.
///
/// ```
/// use greenlight::{Scene, green::{Callback, ScanOptions, Secret, callback::Verifier}};
///
/// let callback = Callback::new("https://example.com/results", Secret::new("random_seed_1"))?;
/// let verifier = Verifier::new("1234567890123456", &callback); // for the handler of that URL
/// let options = ScanOptions::new(&[Scene::Porn]).with_callback(callback);
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone)]
pub struct Callback {
    pub(super) url: String,
    pub(super) seed: Secret,
    pub(super) crypt_type: CryptType,
}

impl Callback {
    /// Returns a callback to an http or https URL; the service signs with the seed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] when the URL is neither http nor https or is longer than 2 048
    /// characters, or when the seed is not `[A-Za-z0-9_]{1,64}`.
    pub fn new(url: &str, seed: Secret) -> Result<Self, Error> {
        let usage = |what: String| Err(Error::new(ErrorKind::Usage, what));
        let parsed = url::Url::parse(url).ok();
        if url.chars().count() > 2_048
            || parsed.is_none_or(|parsed| !matches!(parsed.scheme(), "http" | "https"))
        {
            return usage(format!(
                "callback is not an http or https URL: {}",
                harmless(&masked(url), 80)
            ));
        }
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let text = seed.expose();
        if !(1..=64).contains(&text.len()) || !text.bytes().all(sound) {
            return usage("callback's seed is not 1 to 64 letters, digits and `_`".to_owned());
        }
        Ok(Self {
            url: url.to_owned(),
            seed,
            crypt_type: CryptType::Sha256,
        })
    }

    /// Sets another hash function than SHA-256.
    #[must_use]
    pub const fn with_crypt_type(mut self, crypt_type: CryptType) -> Self {
        self.crypt_type = crypt_type;
        self
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("seed", &self.seed)
            .field("crypt_type", &self.crypt_type)
            .finish_non_exhaustive()
    }
}

/// The publisher of an image and their device: the service's `ClientInfo`. Personal data, so
/// `Debug` shows only which fields are set.
///
/// ```
/// use greenlight::green::ClientInfo;
///
/// let publisher = ClientInfo::new().with_user_id("4711").with_os("android");
/// assert_eq!(format!("{publisher:?}"), r#"{"os", "userId"}"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ClientInfo {
    fields: BTreeMap<&'static str, String>,
}

impl fmt::Debug for ClientInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

macro_rules! client_info {
    ($($method:ident, $name:literal, $text:literal;)*) => {
        impl ClientInfo {
            /// Sets no field.
            pub const fn new() -> Self {
                Self { fields: BTreeMap::new() }
            }

            $(
                #[doc = concat!("Sets `", $name, "`: ", $text, ".")]
                #[must_use]
                pub fn $method(mut self, value: &str) -> Self {
                    self.fields.insert($name, value.to_owned());
                    self
                }
            )*
        }
    };
}

client_info! {
    with_sdk_version, "sdkVersion", "the version of the library";
    with_cfg_version, "cfgVersion", "the version of its configuration";
    with_user_type, "userType", "the kind of account, such as `taobao` or `others`";
    with_user_id, "userId", "the account's id";
    with_user_nick, "userNick", "the account's name";
    with_avatar, "avatar", "the URL of the account's picture";
    with_imei, "imei", "the device's IMEI";
    with_imsi, "imsi", "the device's IMSI";
    with_umid, "umid", "the device's fingerprint";
    with_ip, "ip", "the publisher's address";
    with_os, "os", "the device's operating system";
    with_channel, "channel", "the channel of distribution";
    with_host_app_name, "hostAppName", "the application's name";
    with_host_package, "hostPackage", "the application's package";
    with_host_version, "hostVersion", "the application's version";
}
