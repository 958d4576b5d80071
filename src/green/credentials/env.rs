//! Credentials from the environment.

use super::{Credentials, ProvideCredentials, Provided, Secret};
use crate::error::{Error, ErrorKind};

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// The variables `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and
/// `ALIBABA_CLOUD_SECURITY_TOKEN`, as the official libraries read them.
///
/// ```
/// use greenlight::green::{Chain, Client, FromCliProfile, FromEnvironment};
///
/// // The variables of a container, or else the profile of a developer.
/// let sources = Chain::new().then(FromEnvironment).then(FromCliProfile::new());
/// let client = Client::builder().region("ap-southeast-1").credentials(sources).build()?;
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FromEnvironment;

impl ProvideCredentials for FromEnvironment {
    fn provide(&self) -> Provided<'_> {
        Box::pin(async { read() })
    }
}

impl Credentials {
    /// Reads `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, when it is set,
    /// `ALIBABA_CLOUD_SECURITY_TOKEN` from the environment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Credentials`] when one of the first two is not set, or one cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        read()?.ok_or_else(|| {
            Error::new(
                ErrorKind::Credentials,
                format!("no credentials: set {ID} and {SECRET}"),
            )
        })
    }
}

fn read() -> Result<Option<Credentials>, Error> {
    let missing = |name: &str, other: &str| {
        Error::new(
            ErrorKind::Credentials,
            format!("credentials are incomplete: {other} is set and {name} is not"),
        )
    };
    let (id, secret) = match (variable(ID), variable(SECRET)) {
        (Some(id), Some(secret)) => (id, secret),
        // Neither is set: the next source may have credentials. One of two is a mistake.
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(missing(SECRET, ID)),
        (None, Some(_)) => return Err(missing(ID, SECRET)),
    };
    let mut credentials = Credentials::new(&id, Secret::new(&secret));
    if let Some(token) = variable(TOKEN) {
        credentials = credentials.with_security_token(&token);
    }
    credentials.checked("the environment").map(Some)
}

/// A variable's text, if it is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads credentials from the environment"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
