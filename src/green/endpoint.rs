//! The hosts of the service.

use std::fmt;

use url::{Host, Url};

use crate::{
    error::{Error, ErrorKind},
    sanitize::harmless,
};

/// The hosts of an API, in the regions that the service documents.
///
/// Others are not guessed: the official libraries silently send some of them to Singapore or
/// Shanghai, and the place where images are scanned is a legal matter.
#[derive(Debug)]
pub(super) struct Hosts {
    /// The first label of a host on the internet.
    pub(super) public: &'static str,
    /// The first label of a host inside Alibaba Cloud.
    pub(super) vpc: &'static str,
    /// The regions, and whether each has a host inside Alibaba Cloud.
    pub(super) regions: &'static [(&'static str, bool)],
}

/// The base of all requests: scheme, host and port.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    base: Url,
}

/// The host of a region that is used.
///
/// ```
/// use greenlight::green::{Api, Client, Credentials, Network, Secret};
///
/// let client = Client::builder()
///     .region("ap-southeast-1")
///     .network(Network::Vpc) // without traffic over the internet
///     .credentials(Credentials::new("key-id", Secret::new("key-secret")))
///     .build()?;
/// assert_eq!(client.host(), "green-vpc.ap-southeast-1.aliyuncs.com");
/// # Ok::<(), greenlight::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// The host on the internet.
    #[default]
    Public,
    /// The host that is reached from inside Alibaba Cloud only.
    Vpc,
}

impl Endpoint {
    pub(super) fn of_region(region: &str, network: Network, hosts: &Hosts) -> Result<Self, Error> {
        let (host, what) = match network {
            Network::Public => (hosts.public, "host"),
            Network::Vpc => (hosts.vpc, "host inside Alibaba Cloud"),
        };
        let regions = hosts.regions.iter();
        let documented = regions.filter(|(_, vpc)| *vpc || network == Network::Public);
        let documented: Vec<&str> = documented.map(|(name, _)| *name).collect();
        if !documented.contains(&region) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!(
                    "no {what} is documented for region {}; name an endpoint, or one of: {}",
                    harmless(region, 40),
                    documented.join(", ")
                ),
            ));
        }
        Self::parse(&format!("https://{host}.{region}.aliyuncs.com"))
    }

    /// Parses `https://host[:port]`; http for the local host only, because the security token
    /// and the images' URLs would cross the network in the clear.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| {
            Err(Error::new(
                ErrorKind::Usage,
                format!("endpoint cannot be used: {reason}: {}", shown(text)),
            ))
        };
        let Ok(base) = Url::parse(text) else {
            return refuse("it is not a URL");
        };
        let Some(host) = base.host() else {
            return refuse("it has no host");
        };
        // Without the text: `shown` would redact all of it.
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Error::new(
                ErrorKind::Usage,
                "endpoint cannot be used: it holds a user name or password",
            ));
        }
        match base.scheme() {
            "https" => {}
            // The sandbox has no certificate.
            "http" if is_loopback(&host) => {}
            "http" => return refuse("http is for loopback only; write https"),
            _ => return refuse("its scheme is not https"),
        }
        if !matches!(base.path(), "" | "/") || base.query().is_some() || base.fragment().is_some() {
            return refuse("it holds more than scheme, host and port");
        }
        Ok(Self { base })
    }

    /// Whether the host is the local machine, by its name or address.
    pub(super) fn is_loopback(&self) -> bool {
        self.base.host().is_some_and(|host| is_loopback(&host))
    }

    pub(super) fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// The value of the header `Host`: the host, and the port if it is not the scheme's.
    pub(super) fn authority(&self) -> String {
        let host = self.host();
        match self.base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }
}

/// What may be shown of a text that should be an endpoint: nothing if an `@` is in it, and not what
/// follows a `?` or `#`, parsed or not, because passwords and tokens are there.
fn shown(text: &str) -> String {
    if text.contains('@') {
        return "<redacted>".to_owned();
    }
    harmless(text.split(['?', '#']).next().unwrap_or_default(), 200)
}

pub(super) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}
