//! Credentials of the role of a cloud server.

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use super::{
    Credentials, ProvideCredentials, Provided,
    env::variable,
    uri::{Fetch, failed, handed_out},
};
use crate::error::Error;

/// The role of the cloud server (ECS) that this runs on, requested from its metadata service:
/// version 2 only, whose tokens a forged request cannot have.
///
/// The role is the one named here, else `ALIBABA_CLOUD_ECS_METADATA`, else the one that the service
/// names. With `ALIBABA_CLOUD_ECS_METADATA_DISABLED=true` it has none. Anywhere else than on such a
/// server there is no response, which is an error after two seconds: use this source only where it
/// is intended.
///
/// ```
/// use greenlight::green::{Client, FromEcsRole};
///
/// // No request is made before the first one to the service.
/// let role = FromEcsRole::new().with_role("image-scanner");
/// let client = Client::builder().region("ap-southeast-1").credentials(role).build()?;
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FromEcsRole {
    /// The address of the metadata service, if it is not the fixed one.
    base: Option<Url>,
    role: Option<String>,
    fetch: Fetch,
}

const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aliyun-ecs-metadata-token-ttl-seconds");
const TOKEN: HeaderName = HeaderName::from_static("x-aliyun-ecs-metadata-token");
const METADATA: &str = "http://100.100.100.200";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";

impl FromEcsRole {
    /// Requests credentials from the metadata service at its fixed address.
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects this role.
    #[must_use]
    pub fn with_role(mut self, role: &str) -> Self {
        self.role = Some(role.to_owned());
        self
    }

    /// Uses a metadata service at another address, such as a mock on loopback.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Credentials`](crate::ErrorKind::Credentials) when it is not an http URL.
    pub fn with_endpoint(mut self, endpoint: &str) -> Result<Self, Error> {
        self.base = Some(base(endpoint)?);
        Ok(self)
    }

    async fn read(&self) -> Result<Option<Credentials>, Error> {
        let disabled = variable("ALIBABA_CLOUD_ECS_METADATA_DISABLED");
        if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        // Six hours, as the official libraries request.
        let ttl = HeaderMap::from_iter([(TOKEN_TTL, HeaderValue::from_static("21600"))]);
        // A PUT with a header of its own is what a forged GET, as of a server that fetches URLs,
        // cannot send.
        let token = self.ask(Method::PUT, "/latest/api/token", ttl).await?;
        let mut token = HeaderValue::from_bytes(token.trim_ascii())
            .map_err(|_| failed("its token cannot be sent back"))?;
        token.set_sensitive(true);
        let headers = HeaderMap::from_iter([(TOKEN, token)]);
        let named = self.role.clone();
        let role = if let Some(role) = named.or_else(|| variable("ALIBABA_CLOUD_ECS_METADATA")) {
            role
        } else {
            let roles = self.ask(Method::GET, ROLES, headers.clone()).await?;
            let roles = String::from_utf8_lossy(&roles);
            roles.lines().next().unwrap_or_default().trim().to_owned()
        };
        // The name becomes a part of the path.
        if role.is_empty()
            || !role
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        {
            return Err(failed("the server has no role that can be named"));
        }
        let answer = self
            .ask(Method::GET, &format!("{ROLES}{role}"), headers)
            .await?;
        handed_out(&answer).map(Some)
    }

    async fn ask(&self, method: Method, path: &str, headers: HeaderMap) -> Result<Vec<u8>, Error> {
        let mut url = match &self.base {
            Some(base) => base.clone(),
            None => base(METADATA)?,
        };
        url.set_path(path);
        Ok(self.fetch.send(method, url, headers).await?.body)
    }
}

impl ProvideCredentials for FromEcsRole {
    fn provide(&self) -> Provided<'_> {
        Box::pin(self.read())
    }
}

fn base(endpoint: &str) -> Result<Url, Error> {
    Url::parse(endpoint)
        .ok()
        .filter(|url| url.scheme() == "http" && url.has_host())
        .ok_or_else(|| failed("the metadata service's address is not an http URL"))
}
