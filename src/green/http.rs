//! One request, one answer, over reqwest.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Body, Method, Proxy as HttpProxy, header::HeaderMap, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::Url;

use crate::error::{Error, ErrorKind};

/// Which proxy requests go through.
#[derive(Clone)]
pub(super) enum Proxy {
    None,
    Environment,
    Url(String),
}

/// A proxy's URL may hold a password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Environment => "Environment",
            Self::Url(_) => "Url(<redacted>)",
        })
    }
}

/// The HTTP client.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why nothing came back, or not all of it.
#[derive(Debug)]
pub(super) enum Fault {
    /// No connection was made.
    NotSent(reqwest::Error),
    /// The request was sent, or part of it.
    Lost(reqwest::Error),
    /// The answer is larger than any of the service's.
    TooLong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent(_) => "no connection",
            Self::Lost(_) => "the answer did not arrive",
            Self::TooLong => "the answer is too long",
        })
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotSent(error) | Self::Lost(error) => Some(error),
            Self::TooLong => None,
        }
    }
}

impl Http {
    /// The longest answer that is read, in bytes: a hundred tasks with all the text found in them
    /// fit many times.
    const MAX_ANSWER: usize = 16 << 20;

    /// Shorter than what servers are known to keep an idle connection for: a request that is
    /// written into a connection that is just being closed is lost, and a lost paid request cannot
    /// be told from one whose answer was lost.
    const IDLE: Duration = Duration::from_secs(10);

    pub(super) fn new(proxy: &Proxy) -> Result<Self, Error> {
        let failed = |error: &dyn fmt::Display| {
            Error::new(
                ErrorKind::Usage,
                format!("cannot set up the HTTP client: {error}"),
            )
        };
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .user_agent(concat!("greenlight/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Self::IDLE);
        let builder = match proxy {
            Proxy::None => builder.no_proxy(),
            Proxy::Environment => builder,
            Proxy::Url(url) => builder.proxy(
                // The URL may hold a password: not shown.
                HttpProxy::all(url).map_err(|_| failed(&"the proxy is not a usable URL"))?,
            ),
        };
        Ok(Self {
            client: builder.build().map_err(|error| failed(&error))?,
        })
    }

    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Reply, Fault> {
        let request = self
            .client
            .request(method, url)
            .headers(headers)
            .body(body)
            .send();
        let mut response = request.await.map_err(|error| {
            let error = error.without_url();
            if error.is_connect() || error.is_builder() {
                Fault::NotSent(error)
            } else {
                Fault::Lost(error)
            }
        })?;
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| Fault::Lost(error.without_url()))?
        {
            if body.len().saturating_add(chunk.len()) > Self::MAX_ANSWER {
                return Err(Fault::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }
}
