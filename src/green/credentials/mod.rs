//! Keys: what they are and where they come from.
//!
//! Only this module and [`sign`](super::sign) see secret bytes. `Debug` and `Display` of everything
//! here show `<redacted>` in their place.

mod cache;
mod chain;
mod ecs;
mod env;
mod profile;
mod redact;
mod uri;

pub(super) use cache::Cache;
pub use chain::Chain;
pub use ecs::FromEcsRole;
pub use env::FromEnvironment;
pub use profile::{FromCliProfile, FromIniProfile};
pub use uri::FromUri;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::SystemTime};

use jiff::{SignedDuration, Timestamp};

use super::object::Object;

use crate::error::{Error, ErrorKind};

/// A text that only the service and the caller may know, such as the secret of an access key or the
/// seed of a [`Callback`](super::Callback). `Debug` prints `<redacted>`.
///
/// ```
/// use greenlight::green::Secret;
///
/// assert_eq!(format!("{:?}", Secret::new("key-secret")), "<redacted>");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Returns this text as a secret.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// An access key pair, or temporary credentials with their security token.
///
/// Values that cannot be sent in a header, such as a key that ends with a line break, are an error
/// of the first request.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use greenlight::green::{Credentials, Secret};
///
/// let credentials = Credentials::new("STS.example", Secret::new("example-secret"))
///     .with_security_token("example-token")
///     .with_expiry(SystemTime::now() + Duration::from_secs(3_600));
/// assert!(credentials.is_temporary());
/// assert!(!format!("{credentials:?}").contains("example-secret"));
/// ```
#[derive(Clone, Debug)]
pub struct Credentials {
    access_key_id: Arc<str>,
    access_key_secret: Secret,
    security_token: Option<Secret>,
    expiry: Option<Timestamp>,
}

impl Credentials {
    /// Returns the credentials of an access key.
    pub fn new(access_key_id: &str, access_key_secret: Secret) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            access_key_secret,
            security_token: None,
            expiry: None,
        }
    }

    /// Adds the security token that temporary credentials (STS) come with.
    #[must_use]
    pub fn with_security_token(mut self, token: &str) -> Self {
        self.security_token = Some(Secret::new(token));
        self
    }

    /// Sets when the credentials expire. Default: never.
    #[must_use]
    pub fn with_expiry(mut self, expiry: SystemTime) -> Self {
        self.expiry = Timestamp::try_from(expiry).ok();
        self
    }

    /// The access key's id, which is not secret.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Whether a security token comes with the keys.
    pub const fn is_temporary(&self) -> bool {
        self.security_token.is_some()
    }

    /// When the credentials end, if they do.
    pub fn expiry(&self) -> Option<SystemTime> {
        self.expiry.map(SystemTime::from)
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.access_key_secret
    }

    pub(super) const fn token(&self) -> Option<&Secret> {
        self.security_token.as_ref()
    }

    /// Reads those that the service hands out for uploads.
    pub(super) fn of_grant(grant: &Object<'_>, expiry: Timestamp) -> Option<Self> {
        let secret = Secret::new(grant.text("accessKeySecret")?);
        let mut credentials = Self::new(grant.text("accessKeyId")?, secret)
            .with_security_token(grant.text("securityToken")?);
        credentials.expiry = Some(expiry);
        credentials.checked("the service").ok()
    }

    /// Redacts the secret and token from untrusted text, keeping at most 16 Ki characters: a server
    /// may echo a request, escaped or not.
    pub(super) fn redact(&self, text: &str) -> String {
        let secrets = [Some(&self.access_key_secret), self.token()];
        let secrets: Vec<&str> = secrets.into_iter().flatten().map(Secret::expose).collect();
        redact::redacted(text, &secrets)
    }

    /// Rejects values that cannot be sent in a header or are probably a slip: empty ones, and those
    /// with white space, such as the line break at the end of a value copied from a vault.
    fn checked(self, source: &str) -> Result<Self, Error> {
        let values = [
            ("access key id", Some(&*self.access_key_id)),
            ("access key secret", Some(self.access_key_secret.expose())),
            ("security token", self.token().map(Secret::expose)),
        ];
        let unusable = values
            .iter()
            .find_map(|(name, value)| Some((name, defect(value.as_ref()?)?)));
        match unusable {
            None => Ok(self),
            Some((name, defect)) => Err(Error::new(
                ErrorKind::Credentials,
                format!("credentials cannot be used: the {name} from {source} {defect}"),
            )),
        }
    }
}

/// The reason why a value cannot be a key, without any part of the value.
fn defect(value: &str) -> Option<&'static str> {
    let starts = value.starts_with(char::is_whitespace);
    let ends = value.ends_with(char::is_whitespace);
    match (starts, ends) {
        _ if value.trim().is_empty() => Some("is empty"),
        (true, true) => Some("begins and ends with white space"),
        (true, false) => Some("begins with white space"),
        (false, true) => Some("ends with white space"),
        _ if !value.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Some("holds characters that are not printable ASCII")
        }
        _ => None,
    }
}

/// A time as milliseconds since 1970.
pub(super) fn epoch_millis(millis: f64) -> Option<Timestamp> {
    let seconds = SignedDuration::try_from_secs_f64(millis / 1000.0).ok()?;
    Timestamp::from_duration(seconds).ok()
}

/// The future that [`ProvideCredentials::provide`] returns.
///
/// ```
/// use greenlight::green::{FromEnvironment, ProvideCredentials, Provided};
///
/// /// The environment, with a message for the log.
/// #[derive(Debug)]
/// struct Logged;
///
/// impl ProvideCredentials for Logged {
///     fn provide(&self) -> Provided<'_> {
///         Box::pin(async {
///             let credentials = FromEnvironment.provide().await?;
///             println!("credentials were found: {}", credentials.is_some());
///             Ok(credentials)
///         })
///     }
/// }
/// ```
pub type Provided<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Credentials>, Error>> + Send + 'a>>;

/// A source of credentials.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), greenlight::Error> {
/// use greenlight::green::{Client, Credentials, ProvideCredentials, Provided, Secret};
///
/// #[derive(Debug)]
/// struct Vault;
///
/// impl ProvideCredentials for Vault {
///     fn provide(&self) -> Provided<'_> {
///         Box::pin(async {
///             // An asynchronous request to the vault is made here.
///             Ok(Some(Credentials::new("LTAIexample", Secret::new("example-secret"))))
///         })
///     }
/// }
///
/// let credentials = Vault.provide().await?;
/// assert_eq!(credentials.expect("the vault has a key").access_key_id(), "LTAIexample");
/// let client = Client::builder().region("ap-southeast-1").credentials(Vault).build()?;
/// # Ok(())
/// # }
/// ```
pub trait ProvideCredentials: fmt::Debug + Send + Sync {
    /// Gets credentials; `None` when this source has none to give, so that the next one is asked.
    ///
    /// The client asks again before they expire, one request at a time, and keeps the answer until
    /// then.
    ///
    /// # Errors
    ///
    /// When the source ought to have credentials but they cannot be had or used.
    fn provide(&self) -> Provided<'_>;
}

impl ProvideCredentials for Credentials {
    fn provide(&self) -> Provided<'_> {
        Box::pin(async { Ok(Some(self.clone().checked("the caller")?)) })
    }
}
