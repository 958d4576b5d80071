//! Credentials from a URL that returns them.

use std::{fmt, time::Duration};

use reqwest::{Method, header::HeaderMap};
use tokio::sync::OnceCell;
use url::{Host, Url};

use super::{Credentials, ProvideCredentials, Provided, Secret, env::variable};
use crate::{
    error::{Error, ErrorKind},
    green::{
        clock,
        endpoint::is_loopback,
        http::{Http, Proxy, Reply},
        object::Object,
    },
};

/// An address that answers a GET with `{"Code":"Success","AccessKeyId",…}`: the one named here,
/// else `ALIBABA_CLOUD_CREDENTIALS_URI`.
///
/// It must be https, or http on this machine's loopback, a link-local address or the cloud's
/// metadata address.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::green::{FromUri, ProvideCredentials};
///
/// // Keys are requested over https only, unless the address is local.
/// let source = FromUri::new().with_uri("http://keys.example.com/scanner");
/// let error = source.provide().await.unwrap_err();
/// assert_eq!(error.kind(), greenlight::ErrorKind::Credentials);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct FromUri {
    uri: Option<String>,
    fetch: Fetch,
}

/// The address may hold a key.
impl fmt::Debug for FromUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromUri").finish_non_exhaustive()
    }
}

impl FromUri {
    /// Requests credentials from the address in `ALIBABA_CLOUD_CREDENTIALS_URI`, if that is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests credentials from this address.
    #[must_use]
    pub fn with_uri(mut self, uri: &str) -> Self {
        self.uri = Some(uri.to_owned());
        self
    }

    async fn read(&self) -> Result<Option<Credentials>, Error> {
        let uri = self
            .uri
            .clone()
            .or_else(|| variable("ALIBABA_CLOUD_CREDENTIALS_URI"));
        let Some(uri) = uri else {
            return Ok(None);
        };
        let url = Url::parse(&uri)
            .ok()
            .filter(is_private_or_https)
            .ok_or_else(|| failed("its address is neither https nor on this machine or link"))?;
        let reply = self.fetch.send(Method::GET, url, HeaderMap::new()).await?;
        handed_out(&reply.body).map(Some)
    }
}

impl ProvideCredentials for FromUri {
    fn provide(&self) -> Provided<'_> {
        Box::pin(self.read())
    }
}

fn is_private_or_https(url: &Url) -> bool {
    let Some(host) = url.host() else {
        return false;
    };
    match url.scheme() {
        "https" => true,
        "http" => {
            is_loopback(&host)
                // 100.100.100.200 is the metadata service of ECS, outside of the link-local range.
                || matches!(host, Host::Ipv4(address)
                    if address.is_link_local() || address.octets() == [100, 100, 100, 200])
        }
        _ => false,
    }
}

/// Reads the response of a server that returns credentials.
pub(super) fn handed_out(body: &[u8]) -> Result<Credentials, Error> {
    let answer = Object::parse(body).ok_or_else(|| failed("its answer is not a JSON object"))?;
    if !matches!(answer.text("Code"), None | Some("Success")) {
        return Err(failed("its answer is not a success"));
    }
    let (Some(id), Some(secret), Some(token)) = (
        answer.text("AccessKeyId"),
        answer.text("AccessKeySecret"),
        answer.text("SecurityToken"),
    ) else {
        return Err(failed("its answer is incomplete"));
    };
    let mut credentials = Credentials::new(id, Secret::new(secret)).with_security_token(token);
    if let Some(expiry) = answer.text("Expiration") {
        let expiry = expiry
            .parse()
            .map_err(|error| failed("its answer's expiry is not a time").with_source(error))?;
        credentials.expiry = Some(expiry);
    }
    credentials.checked("the server that hands them out")
}

pub(super) fn failed(what: &str) -> Error {
    Error::new(
        ErrorKind::Credentials,
        format!("credentials cannot be fetched: {what}"),
    )
}

/// A small HTTP client, made when it is first needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetch {
    http: std::sync::Arc<OnceCell<Http>>,
}

impl Fetch {
    const TIMEOUT: Duration = Duration::from_secs(2);

    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
    ) -> Result<Reply, Error> {
        let http = self
            .http
            // Link-local and metadata addresses are reached from this host only, not by a proxy.
            .get_or_try_init(async || Http::new(&Proxy::None))
            .await?;
        let until = clock::instant() + Self::TIMEOUT;
        let reply = http
            .send(method, url, headers, "".into(), until)
            .await
            .map_err(|fault| failed("its server does not answer").with_source(fault))?;
        match reply.status {
            200 => Ok(reply),
            // Without the body, which may hold keys.
            status => Err(failed(&format!("its server answers HTTP {status}"))),
        }
    }
}
