//! Settings of a probe.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Semaphore;

use super::{
    AddressPolicy, Header, HttpVersions, Inner, Mode, Probe, limits::Limits, pool::Pool,
    request_header, resolve::Resolver, tls,
};
use crate::{
    error::{Error, ErrorKind},
    inspect::Depth,
};

const USER_AGENT: &str = concat!("greenlight/", env!("CARGO_PKG_VERSION"));

/// Sets a [`Probe`] up. Each setting documents its default.
///
/// ```
/// use std::time::Duration;
/// use greenlight::{Depth, probe::{Mode, Probe}};
///
/// let probe = Probe::builder()
///     .mode(Mode::Full)
///     .depth(Depth::Payload)
///     .deadline(Duration::from_secs(3))
///     .concurrency_per_host(4)
///     .build()?;
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone)]
pub struct ProbeBuilder {
    pub(super) policy: AddressPolicy,
    deadline: Option<Duration>,
    depth: Depth,
    mode: Mode,
    max_redirects: usize,
    versions: HttpVersions,
    user_agent: String,
    headers: Vec<Header>,
    roots: Vec<Vec<u8>>,
    resolver: Names,
    resolver_threads: usize,
    concurrency: usize,
    per_host: usize,
    pace: Duration,
}

impl ProbeBuilder {
    pub(super) const fn new() -> Self {
        Self {
            policy: AddressPolicy::new(),
            deadline: None,
            depth: Depth::Structure,
            mode: Mode::Full,
            max_redirects: 5,
            versions: HttpVersions::Any,
            user_agent: String::new(),
            headers: Vec::new(),
            roots: Vec::new(),
            // `getaddrinfo` would keep a thread for each name whose server does not respond.
            resolver: Names::Dns(Vec::new()),
            resolver_threads: 32,
            concurrency: 64,
            per_host: 8,
            pace: Duration::ZERO,
        }
    }

    /// Sets which addresses and ports may be connected to. Default: [`AddressPolicy::new`].
    #[must_use]
    pub fn policy(mut self, policy: AddressPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets how long one download may take, from the look-up of the name to the last byte. Default:
    /// what the requirements ask,
    /// [`Requirements::download_time`](crate::Requirements::download_time).
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how far [`Mode::Full`] looks into a file; [`Mode::Header`] looks at the header alone.
    /// Default: [`Depth::Structure`].
    #[must_use]
    pub const fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Sets how much of a file is read. Default: [`Mode::Full`].
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets how many redirects are followed. Default: 5.
    #[must_use]
    pub const fn max_redirects(mut self, redirects: usize) -> Self {
        self.max_redirects = redirects;
        self
    }

    /// Sets which HTTP versions are spoken. Default: [`HttpVersions::Any`].
    #[must_use]
    pub const fn http_versions(mut self, versions: HttpVersions) -> Self {
        self.versions = versions;
        self
    }

    /// Sets the `User-Agent`. Default: `greenlight/` and its version.
    #[must_use]
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        user_agent.clone_into(&mut self.user_agent);
        self
    }

    /// Adds a header to the requests.
    ///
    /// ```
    /// use greenlight::probe::{Header, Probe};
    ///
    /// let probe = Probe::builder()
    ///     .header(Header::new("Referer").with_value("https://shop.example/"))
    ///     .header(Header::new("X-Key").with_value("secret").with_host("images.example"))
    ///     .build()?;
    /// # Ok::<(), greenlight::Error>(())
    /// ```
    #[must_use]
    pub fn header(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }

    /// Trusts the certificates in `pem` in addition to the Mozilla list.
    #[must_use]
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        self.roots.push(pem.to_owned());
        self
    }

    /// Resolves names with `resolve`, which is called with the host's name. The addresses that it
    /// returns are subject to the policy. Default: a DNS client with the system's configuration.
    ///
    /// That client reads the hosts file and the name servers from the system's configuration at its
    /// first use, and falls back to [`system_resolver`](Self::system_resolver) if there are no name
    /// servers. It caches answers by their TTL, for at most 5 minutes. Names are absolute: only a
    /// single label is completed from the search list. Names that only other sources know
    /// (multicast DNS, directories) need the system's resolver.
    #[must_use]
    pub fn resolver<F, A>(mut self, resolve: F) -> Self
    where
        F: Fn(String) -> A + Send + Sync + 'static,
        A: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        self.resolver = Names::Other(Resolver::custom(resolve));
        self
    }

    /// Resolves names with the operating system's resolver, `getaddrinfo`, on at most
    /// [`resolver_threads`](Self::resolver_threads) threads. It caches nothing, and a name whose
    /// server does not respond keeps its thread until the system abandons it.
    #[must_use]
    pub fn system_resolver(mut self) -> Self {
        self.resolver = Names::System;
        self
    }

    /// Resolves names at these name servers, in place of those in the system's configuration.
    #[must_use]
    pub fn name_servers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.resolver = Names::Dns(servers.into_iter().collect());
        self
    }

    /// Sets how many threads may wait for the system's resolver at a time. Default: 32.
    #[must_use]
    pub const fn resolver_threads(mut self, threads: usize) -> Self {
        self.resolver_threads = threads;
        self
    }

    /// Sets how many downloads may be under way at a time. Default: 64.
    #[must_use]
    pub const fn concurrency(mut self, downloads: usize) -> Self {
        self.concurrency = downloads;
        self
    }

    /// Sets how many downloads from one host may be under way at a time. The host is the one that
    /// the URL names, wherever it redirects to. Default: 8.
    #[must_use]
    pub const fn concurrency_per_host(mut self, downloads: usize) -> Self {
        self.per_host = downloads;
        self
    }

    /// Sets how long after a download from a host began the next from it may begin. Default: 0.
    #[must_use]
    pub const fn pace_per_host(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Builds the probe.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Usage`] for a header that cannot be sent or that the
    /// probe itself sets, for root certificates that are not PEM, and for a limit of 0.
    pub fn build(self) -> Result<Probe, Error> {
        let most = Semaphore::MAX_PERMITS;
        for (name, limit) in [
            ("concurrency", self.concurrency),
            ("concurrency per host", self.per_host),
            ("resolver threads", self.resolver_threads),
        ] {
            // `Semaphore::new` panics above its maximum, and 0 permits would wait forever.
            if !(1..=most).contains(&limit) {
                return Err(usage(format_args!(
                    "{name} must be from 1 to {most}: {limit}"
                )));
            }
        }
        let user_agent = match self.user_agent.as_str() {
            "" => HeaderValue::from_static(USER_AGENT),
            text => value("User-Agent", text)?,
        };
        let mut headers = HeaderMap::new();
        let mut bound = Vec::new();
        for Header {
            name,
            value: text,
            host,
        } in &self.headers
        {
            let parsed = HeaderName::try_from(name)
                .map_err(|error| usage(format_args!("header name: {name:?}")).with_source(error))?;
            // Framing and range headers are part of how the response is read.
            if request_header::is_reserved(&parsed) {
                return Err(usage(format_args!("header is the probe's own: {name}")));
            }
            match host {
                Some(host) => bound.push((host.as_str().into(), parsed, value(name, text)?)),
                None => {
                    headers.append(parsed, value(name, text)?);
                }
            }
        }
        let pooled = match self.mode {
            // Full mode measures what the service's download will take, which includes the
            // connection.
            Mode::Full => 0,
            // While the rest of a body is read, another download is under way already.
            Mode::Header => self.concurrency.saturating_mul(2),
        };
        Ok(Probe {
            inner: Arc::new(Inner {
                tls: tls::connector(self.versions, &self.roots)?,
                policy: self.policy,
                deadline: self.deadline,
                depth: self.depth,
                mode: self.mode,
                max_redirects: self.max_redirects,
                versions: self.versions,
                user_agent,
                headers,
                bound_headers: bound,
                resolver: match self.resolver {
                    Names::Dns(servers) => Resolver::dns(servers, self.resolver_threads),
                    Names::System => Resolver::system(self.resolver_threads),
                    Names::Other(resolver) => resolver,
                },
                pool: Pool::new(pooled),
                concurrency: self.concurrency,
                limits: Limits::new(self.concurrency, self.per_host, self.pace),
            }),
        })
    }
}

/// Header values may be secrets: only the names are printed.
impl fmt::Debug for ProbeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|header| (header.host.as_deref().unwrap_or("*"), &header.name))
            .collect();
        f.debug_struct("ProbeBuilder")
            .field("policy", &self.policy)
            .field("deadline", &self.deadline)
            .field("depth", &self.depth)
            .field("mode", &self.mode)
            .field("max_redirects", &self.max_redirects)
            .field("versions", &self.versions)
            .field("user_agent", &self.user_agent)
            .field("headers", &headers)
            .field("resolver", &self.resolver)
            .field("concurrency", &self.concurrency)
            .field("per_host", &self.per_host)
            .finish_non_exhaustive()
    }
}

/// The resolver of names.
#[derive(Clone, Debug)]
enum Names {
    /// At these name servers, or at those in the system's configuration if there are none.
    Dns(Vec<SocketAddr>),
    System,
    Other(Resolver),
}

fn value(name: &str, text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text)
        .map_err(|error| usage(format_args!("header value: {name}")).with_source(error))
}

fn usage(message: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Usage,
        format_args!("probe cannot be set up: {message}"),
    )
}
