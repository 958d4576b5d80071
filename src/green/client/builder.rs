//! How a client is set up.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use super::{Client, InfoParameter, Inner, Settings, SignatureStyle};
use crate::{
    error::{Error, ErrorKind, harmless},
    green::{
        clock::Clock,
        credentials::{Cache, ProvideCredentials},
        endpoint::{Endpoint, Network},
        grant::GrantCache,
        http::{Http, Proxy},
        options::ClientInfo,
        pace::Pace,
        poll::Rhythm,
        retry::Budget,
    },
    requirements::Requirements,
};

/// What an account has unless it asked for more: 50 requests and 50 images a second (pages on the
/// operations' limits, 70409 and 84456).
const QUOTA: NonZeroU32 = NonZeroU32::new(50).expect("50 is not zero");

/// Sets up a [`Client`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    region: Option<String>,
    endpoint: Option<String>,
    credentials: Option<Arc<dyn ProvideCredentials>>,
    api_version: String,
    biz_type: Option<String>,
    client_info: Option<ClientInfo>,
    client_info_name: &'static str,
    proxy: Proxy,
    requests_per_second: NonZeroU32,
    images_per_second: NonZeroU32,
    settings: Settings,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            region: None,
            endpoint: None,
            credentials: None,
            api_version: "2018-05-09".to_owned(),
            biz_type: None,
            client_info: None,
            client_info_name: "ClientInfo",
            proxy: Proxy::None,
            requests_per_second: QUOTA,
            images_per_second: QUOTA,
            settings: Settings {
                deadline: Duration::from_secs(30),
                attempt_timeout: Duration::from_secs(10),
                attempts: 3,
                sync_max_bytes: Requirements::SYNC.max_bytes(),
                upload_deadline: Duration::from_secs(120),
                network: Network::Public,
                signature: SignatureStyle::Roa,
                poll: Rhythm::default(),
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

    /// Uses a host that is named: `https://host[:port]`, or http on loopback. It wins over
    /// [`region`](Self::region).
    pub fn endpoint(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Uses credentials, or a source of them. There is no default: a client does not look for keys
    /// in places that nobody named.
    pub fn credentials(mut self, source: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(Arc::new(source));
        self
    }

    /// Sends another `x-acs-version` than `2018-05-09`. Earlier ones are switched off.
    pub fn api_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.api_version);
        self
    }

    /// Signs requests in another way than the service's own pages say.
    pub const fn signature(mut self, style: SignatureStyle) -> Self {
        self.settings.signature = style;
        self
    }

    /// Names a business scene made in the console, which chooses the policy.
    pub fn biz_type(mut self, biz_type: &str) -> Self {
        self.biz_type = Some(biz_type.to_owned());
        self
    }

    /// Says with every request who publishes the images, with what.
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
    /// [`proxy_from_env`](Self::proxy_from_env), they go straight, whatever the environment says.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = Proxy::Url(url.to_owned());
        self
    }

    /// Obeys `HTTPS_PROXY` and its like.
    pub fn proxy_from_env(mut self) -> Self {
        self.proxy = Proxy::Environment;
        self
    }

    /// Limits the time of one call, with all its attempts and the waits between them, from its
    /// first attempt on: waiting for its turn at the client's own pace is not counted. Default: 30
    /// seconds.
    pub const fn deadline(mut self, time: Duration) -> Self {
        self.settings.deadline = time;
        self
    }

    /// Limits the time of one attempt. Default: 10 seconds.
    pub const fn attempt_timeout(mut self, time: Duration) -> Self {
        self.settings.attempt_timeout = time;
        self
    }

    /// Limits the time of one upload, with all its attempts and the question for its credentials.
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

    /// Makes at most this many paid requests a second, and as many others, by all clones of the client:
    /// the service counts its operations apart. Default: 50.
    pub const fn requests_per_second(mut self, rate: NonZeroU32) -> Self {
        self.requests_per_second = rate;
        self
    }

    /// Submits at most this many images a second, by all clones of the client. Default: 50.
    pub const fn images_per_second(mut self, rate: NonZeroU32) -> Self {
        self.images_per_second = rate;
        self
    }

    /// Lets the synchronous scan take larger images than [`Requirements::SYNC`] does: pages since
    /// 2026 name 20 MB.
    pub const fn sync_max_bytes(mut self, bytes: u64) -> Self {
        self.settings.sync_max_bytes = bytes;
        self
    }

    /// Waits this long before the first and between later requests for results. Default: 5 seconds,
    /// as the service advises.
    pub const fn poll_interval(mut self, time: Duration) -> Self {
        self.settings.poll.interval = time;
        self
    }

    /// Gives up waiting for results after this long. Default, and at most: an hour, for which the
    /// service keeps them.
    pub fn wait_at_most(mut self, time: Duration) -> Self {
        self.settings.poll.limit = time.min(Rhythm::KEPT);
        self
    }

    /// Finishes the client. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] when neither region nor endpoint is given, the region is unknown, or
    /// endpoint, API version, business scene or proxy cannot be used;
    /// [`ErrorKind::Credentials`] when none are given.
    pub fn build(self) -> Result<Client, Error> {
        let endpoint = match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => Endpoint::parse(endpoint)?,
            (None, Some(region)) => Endpoint::of_region(region, self.settings.network)?,
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
        check_token("API version", &self.api_version)?;
        if let Some(biz_type) = &self.biz_type {
            check_token("business scene", biz_type)?;
        }
        let client_info = self.client_info.map(|client_info| {
            let value = serde_json::to_string(&client_info).unwrap_or_default();
            let name = self.client_info_name;
            InfoParameter { name, value }
        });
        Ok(Client {
            inner: Arc::new(Inner {
                endpoint,
                api_version: self.api_version,
                biz_type: self.biz_type,
                client_info,
                settings: self.settings,
                credentials: Cache::new(credentials),
                grants: GrantCache::default(),
                clock: Clock::default(),
                budget: Budget::new(),
                pace: Pace::new(self.requests_per_second, self.images_per_second),
                http: Http::new(&self.proxy)?,
            }),
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
            "{what} is empty or holds characters that do not print as ASCII: {}",
            harmless(text, 80)
        ),
    ))
}
