//! Settings of a client.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use super::{
    clock::Clock,
    connection::{Connection, Dialect, InfoParameter, Settings, SignatureStyle},
    credentials::{Cache, ProvideCredentials},
    endpoint::{Endpoint, Network},
    grant::GrantCache,
    http::{Http, Proxy},
    options::ClientInfo,
    rate::RateLimits,
    retry::Budget,
    terms::{PollConfig, Terms},
    v1::{self, Client},
    v2,
};
use crate::{
    error::{Error, ErrorKind},
    requirements::Requirements,
    sanitize::harmless,
};

/// Settings of a [`Client`].
///
/// ```
/// use greenlight::green::{Client, Credentials, Secret};
///
/// let client = Client::builder()
///     .region("ap-southeast-1")
///     .credentials(Credentials::new("key-id", Secret::new("key-secret")))
///     .max_attempts(3)
///     .build()?;
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    region: Option<String>,
    endpoint: Option<String>,
    credentials: Option<Arc<dyn ProvideCredentials>>,
    api_version: Option<String>,
    biz_type: Option<String>,
    client_info: Option<ClientInfo>,
    client_info_name: &'static str,
    proxy: Proxy,
    requests_per_second: Option<NonZeroU32>,
    images_per_second: Option<NonZeroU32>,
    max_poll_interval: Option<Duration>,
    wait_at_most: Duration,
    sync_max_bytes: u64,
    settings: Settings,
}

impl Client {
    /// Returns a builder.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            region: None,
            endpoint: None,
            credentials: None,
            api_version: None,
            biz_type: None,
            client_info: None,
            // As every official library sends it; the service's pages write `clientInfo`.
            client_info_name: "ClientInfo",
            proxy: Proxy::None,
            requests_per_second: None,
            images_per_second: None,
            max_poll_interval: None,
            wait_at_most: Duration::MAX,
            sync_max_bytes: Requirements::SYNC.max_bytes(),
            settings: Settings {
                deadline: Duration::from_secs(30),
                attempt_timeout: Duration::from_secs(10),
                attempts: 3,
                upload_deadline: Duration::from_secs(120),
                network: Network::Public,
                signature: SignatureStyle::Roa,
                poll: PollConfig::of(&Terms::V1),
            },
        }
    }

    /// Uses the documented host of a region: `ap-southeast-1`, `cn-beijing`, `cn-shanghai`,
    /// `cn-shenzhen`, `eu-central-1` or `us-east-1`.
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Uses the hosts on the internet (the default) or inside Alibaba Cloud, for requests and
    /// uploads.
    pub const fn network(mut self, network: Network) -> Self {
        self.settings.network = network;
        self
    }

    /// Uses this host: `https://host[:port]`, or http on loopback. It wins over
    /// [`region`](Self::region).
    pub fn endpoint(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Uses credentials, or a source of them. There is no default: a client does not look for keys
    /// in places that the caller did not name.
    pub fn credentials(mut self, source: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(Arc::new(source));
        self
    }

    /// Overrides the API version, by default `2018-05-09` in 1.0, of which the service rejects earlier
    /// ones, and `2022-03-02` in 2.0.
    pub fn api_version(mut self, version: &str) -> Self {
        self.api_version = Some(version.to_owned());
        self
    }

    /// Sets how requests of 1.0 are signed. Default: ROA, as in the service's documentation. 2.0 is
    /// always signed by ACS3.
    pub const fn signature(mut self, style: SignatureStyle) -> Self {
        self.settings.signature = style;
        self
    }

    /// Sets the business scene, which is created in the console and selects the policy.
    pub fn biz_type(mut self, biz_type: &str) -> Self {
        self.biz_type = Some(biz_type.to_owned());
        self
    }

    /// Sends information about the publisher of the images with every request.
    pub fn client_info(mut self, client_info: ClientInfo) -> Self {
        self.client_info = Some(client_info);
        self
    }

    /// Names the query's parameter for [`client_info`](Self::client_info) as the service's pages do,
    /// `clientInfo`, and not as every official library does, `ClientInfo`.
    pub const fn client_info_as_documented(mut self) -> Self {
        self.client_info_name = "clientInfo";
        self
    }

    /// Sends requests through a proxy. Without this, and without
    /// [`proxy_from_env`](Self::proxy_from_env), they are sent directly, whatever the environment says.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = Proxy::Url(url.to_owned());
        self
    }

    /// Uses the proxy of `HTTPS_PROXY` and similar variables.
    pub fn proxy_from_env(mut self) -> Self {
        self.proxy = Proxy::Environment;
        self
    }

    /// Limits the time of one call, with all its attempts and the delays between them, from its
    /// first attempt on: waiting for the client's own rate limit is not counted. Default: 30 seconds.
    pub const fn deadline(mut self, time: Duration) -> Self {
        self.settings.deadline = time;
        self
    }

    /// Limits the time of one attempt. Default: 10 seconds.
    pub const fn attempt_timeout(mut self, time: Duration) -> Self {
        self.settings.attempt_timeout = time;
        self
    }

    /// Limits the time of one upload, with all its attempts and the request for its credentials.
    /// Default: 2 minutes.
    pub const fn upload_deadline(mut self, time: Duration) -> Self {
        self.settings.upload_deadline = time;
        self
    }

    /// Makes at most this many attempts at one call. Default: 3.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts;
        self
    }

    /// Limits paid requests per second, and separately other requests, of all clones of the client:
    /// the service counts its operations separately. Default: 50 in 1.0, 100 in 2.0.
    pub const fn requests_per_second(mut self, rate: NonZeroU32) -> Self {
        self.requests_per_second = Some(rate);
        self
    }

    /// Limits submitted images per second, of all clones of the client. Default: 50 in 1.0, 100 in 2.0.
    pub const fn images_per_second(mut self, rate: NonZeroU32) -> Self {
        self.images_per_second = Some(rate);
        self
    }

    /// Allows larger images in the synchronous scan than [`Requirements::SYNC`] does: documentation
    /// since 2026 names 20 MB.
    pub const fn sync_max_bytes(mut self, bytes: u64) -> Self {
        self.sync_max_bytes = bytes;
        self
    }

    /// Sets the delay before the first poll, and the shortest between polls. Default: 5 seconds, as the
    /// service recommends for 1.0. For 2.0 no page states an interval.
    pub const fn poll_interval(mut self, time: Duration) -> Self {
        self.settings.poll.interval = time;
        self
    }

    /// Sets the longest delay between polls: the delay grows with the age of the tasks, to half of it.
    /// Default: [`Terms::max_poll_interval`], which is 30 seconds in 2.0; in 1.0 the delay does not grow.
    pub const fn max_poll_interval(mut self, time: Duration) -> Self {
        self.max_poll_interval = Some(time);
        self
    }

    /// Limits the time of waiting for results. Default and maximum: how long the service keeps them,
    /// which is one hour in 1.0 and three days in 2.0.
    pub const fn wait_at_most(mut self, time: Duration) -> Self {
        self.wait_at_most = time;
        self
    }

    /// Builds a client of 1.0. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] when neither region nor endpoint is given, the region is unknown, or
    /// endpoint, API version, business scene or proxy cannot be used;
    /// [`ErrorKind::Credentials`] when none are given.
    pub fn build(mut self) -> Result<Client, Error> {
        let biz_type = self.biz_type.take();
        if let Some(biz_type) = &biz_type {
            check_token("business scene", biz_type)?;
        }
        let name = self.client_info_name;
        let client_info = self.client_info.take().map(|client_info| {
            let value = serde_json::to_string(&client_info).unwrap_or_default();
            InfoParameter { name, value }
        });
        let sync_max_bytes = self.sync_max_bytes;
        let connection = self.connect(&v1::DIALECT, &Terms::V1)?;
        Ok(Client::new(
            connection,
            biz_type,
            client_info,
            sync_max_bytes,
        ))
    }

    /// Builds a client of 2.0. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build); and [`ErrorKind::Usage`] for a business scene or client
    /// information, which 2.0 does not have.
    pub fn build_v2(self) -> Result<v2::Client, Error> {
        if self.biz_type.is_some() || self.client_info.is_some() {
            return Err(Error::new(
                ErrorKind::Usage,
                "2.0 has neither business scenes nor client information; its policy is the service code",
            ));
        }
        // The endpoint wins over the region, and the region of its host is not known.
        let region = self.region.clone().filter(|_| self.endpoint.is_none());
        // 2.0 is an API of the RPC style, which the ROA signature does not cover.
        let connection = self
            .signature(SignatureStyle::Acs3)
            .connect(&v2::DIALECT, &Terms::V2)?;
        Ok(v2::Client::new(connection, region.as_deref()))
    }

    fn connect(mut self, dialect: &'static Dialect, terms: &Terms) -> Result<Connection, Error> {
        let endpoint = match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => Endpoint::parse(endpoint)?,
            (None, Some(region)) => {
                Endpoint::of_region(region, self.settings.network, dialect.hosts)?
            }
            (None, None) => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "no region and no endpoint is named",
                ));
            }
        };
        let credentials = self.credentials.ok_or_else(|| {
            Error::new(ErrorKind::Credentials, "no source of credentials is named")
        })?;
        let version = self.api_version;
        let api_version = version.unwrap_or_else(|| dialect.version.to_owned());
        // It is sent as a header, which `header_map` relies on.
        check_token("API version", &api_version)?;
        let of_terms = PollConfig::of(terms);
        self.settings.poll = PollConfig {
            interval: self.settings.poll.interval,
            max_interval: self.max_poll_interval.unwrap_or(of_terms.max_interval),
            // After that the service has no results that could be waited for.
            limit: self.wait_at_most.min(of_terms.limit),
            ..of_terms
        };
        let rate = |set: Option<NonZeroU32>| {
            let default = NonZeroU32::new(terms.per_second);
            set.or(default).unwrap_or(NonZeroU32::MIN)
        };
        Ok(Connection {
            endpoint,
            api_version,
            dialect,
            settings: self.settings,
            credentials: Cache::new(credentials),
            grants: GrantCache::default(),
            clock: Clock::default(),
            budget: Budget::new(),
            rate_limits: RateLimits::new(
                rate(self.requests_per_second),
                rate(self.images_per_second),
            ),
            http: Http::new(&self.proxy)?,
        })
    }
}

fn check_token(what: &str, text: &str) -> Result<(), Error> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Usage,
        format!(
            "{what} is empty or contains characters that are not printable ASCII: {}",
            harmless(text, 80)
        ),
    ))
}
