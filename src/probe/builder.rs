//! Setting a probe up.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Semaphore;

use super::{
    AddressPolicy, HttpVersions, Inner, Mode, Probe, is_reserved, limits::Limits, pool::Pool,
    resolve::Resolver, tls,
};
use crate::{
    error::{Error, ErrorKind},
    inspect::Depth,
};

const USER_AGENT: &str = concat!("greenlight/", env!("CARGO_PKG_VERSION"));

/// Sets a [`Probe`] up. Each setting says its default.
#[derive(Clone, Debug)]
pub struct ProbeBuilder {
    policy: AddressPolicy,
    deadline: Option<Duration>,
    depth: Depth,
    mode: Mode,
    max_redirects: usize,
    versions: HttpVersions,
    user_agent: String,
    headers: Vec<(String, String)>,
    roots: Vec<Vec<u8>>,
    resolver: Option<Resolver>,
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
            resolver: None,
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
    /// what the requirements ask, [`Requirements::download_time`](crate::Requirements::download_time).
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

    /// Adds a header to every request, as in `Referer` for servers that forbid hotlinks.
    ///
    /// A redirect to another origin takes only `Accept`, `Accept-Language`, `Origin` and `Referer`
    /// along: the others may hold a secret.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Trusts the certificates in `pem` besides those of the Mozilla list.
    #[must_use]
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        self.roots.push(pem.to_owned());
        self
    }

    /// Looks names up with `resolve`, which is called with the host's name. The addresses it answers
    /// with are subject to the policy. Default: the system's resolver.
    #[must_use]
    pub fn resolver<F, A>(mut self, resolve: F) -> Self
    where
        F: Fn(String) -> A + Send + Sync + 'static,
        A: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        self.resolver = Some(Resolver::custom(resolve));
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

    /// Makes the probe.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Usage`] for a header that cannot be sent or that the
    /// probe itself sets, for root certificates that are not PEM, and for a limit of 0.
    pub fn build(self) -> Result<Probe, Error> {
        let most = Semaphore::MAX_PERMITS;
        for limit in [self.concurrency, self.per_host, self.resolver_threads] {
            if !(1..=most).contains(&limit) {
                return Err(usage(format_args!(
                    "concurrency must be from 1 to {most}: {limit}"
                )));
            }
        }
        let user_agent = match self.user_agent.as_str() {
            "" => HeaderValue::from_static(USER_AGENT),
            text => value("User-Agent", text)?,
        };
        let mut headers = HeaderMap::new();
        for (name, text) in &self.headers {
            let parsed = HeaderName::try_from(name)
                .map_err(|error| usage(format_args!("header name: {name:?}")).with_source(error))?;
            if is_reserved(&parsed) {
                return Err(usage(format_args!("header is the probe's own: {name}")));
            }
            headers.append(parsed, value(name, text)?);
        }
        let pooled = match self.mode {
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
                resolver: self
                    .resolver
                    .unwrap_or_else(|| Resolver::system(self.resolver_threads)),
                pool: Pool::new(pooled),
                concurrency: self.concurrency,
                limits: Limits::new(self.concurrency, self.per_host, self.pace),
            }),
        })
    }
}

fn value(name: &str, text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text)
        .map_err(|error| usage(format_args!("header value: {name}")).with_source(error))
}

fn usage(message: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Usage,
        format_args!("probe cannot be set up: {message}"),
    )
}
