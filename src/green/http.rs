//! One request and its response, over reqwest.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use reqwest::{
    Body, Method, Proxy as HttpProxy, Response,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue},
    redirect,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{clock, coding};
use crate::error::{Error, ErrorKind};

/// The proxy of requests.
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

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Decompressed, unless [`coding`](Self::coding) is set.
    pub(super) body: Vec<u8>,
    /// The content coding of a body that this client cannot decompress.
    pub(super) coding: Option<String>,
}

/// The reason why the response is missing or incomplete.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing of the request's body was sent: usually because no connection was made.
    NotSent(Cause),
    /// The request was sent, or part of it.
    Lost {
        cause: Cause,
        /// The received part of the answer.
        part: Option<Reply>,
    },
}

/// The cause of a failed request.
#[derive(Debug)]
pub(super) enum Cause {
    Http(reqwest::Error),
    /// The time limit was reached, after this time.
    Time(Duration),
    /// The answer exceeds the limit.
    TooLong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(Cause::Time(time)) => {
                write!(f, "no connection within {:.1} s", time.as_secs_f64())
            }
            Self::NotSent(_) => f.write_str("no connection"),
            Self::Lost { cause, .. } => match cause {
                Cause::Time(time) => write!(f, "no answer within {:.1} s", time.as_secs_f64()),
                Cause::Http(_) => f.write_str("the answer did not arrive"),
                Cause::TooLong => f.write_str("the answer is too long"),
            },
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.cause() {
            Cause::Http(error) => Some(error),
            Cause::Time(_) | Cause::TooLong => None,
        }
    }
}

impl Fault {
    const fn cause(&self) -> &Cause {
        match self {
            Self::NotSent(cause) | Self::Lost { cause, .. } => cause,
        }
    }
}

/// A request body that records whether any of it was handed over for sending. A connection polls it
/// only after its handshake: if it was never polled, nothing was executed.
struct Watched {
    body: Body,
    handed_over: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        self.handed_over.store(true, Relaxed);
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Http {
    /// The longest answer that is read, in bytes, compressed or not: a hundred tasks with all the
    /// text found in them fit many times, and as a JSON tree it takes up to a hundred times as
    /// much.
    const MAX_ANSWER: usize = 2 << 20;

    /// Shorter than what servers are known to keep an idle connection for: a request that is
    /// written into a connection that is just being closed is lost, and a lost paid request cannot
    /// be distinguished from one whose answer was lost.
    const IDLE: Duration = Duration::from_secs(10);

    pub(super) fn new(proxy: &Proxy) -> Result<Self, Error> {
        let failed = |error: &dyn fmt::Display| {
            Error::new(
                ErrorKind::Usage,
                format!("cannot set up the HTTP client: {error}"),
            )
        };
        // Compiled in, so that a container without certificates works.
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
            // A redirect would repeat a paid request at a host that the caller did not name.
            .redirect(redirect::Policy::none())
            // `Connection::repeat` is the only loop of attempts.
            .retry(reqwest::retry::never())
            .referer(false)
            // `coding` decompresses: it keeps what precedes a defect.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .default_headers(HeaderMap::from_iter([(
                ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            )]))
            .user_agent(concat!("greenlight/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Self::IDLE);
        let builder = match proxy {
            // reqwest uses the proxies of the environment by default.
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

    /// Sends a request and reads the answer, until that time at the latest.
    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Body,
        until: Instant,
    ) -> Result<Reply, Fault> {
        let started = clock::instant();
        // An empty body is never polled, so whether the request was sent is not known.
        let handed_over = Arc::new(AtomicBool::new(body.as_bytes() == Some(b"")));
        let body = Body::wrap(Watched {
            body,
            handed_over: Arc::clone(&handed_over),
        });
        let request = self
            .client
            .request(method, url)
            .headers(headers)
            .body(body)
            .send();
        let cause = match timeout_at(until, request).await {
            Ok(Ok(response)) => return read(response, started, until).await,
            // The query of 2.0 has the request's parameters, which an error must not print.
            Ok(Err(error)) => Cause::Http(error.without_url()),
            Err(_) => Cause::Time(started.elapsed()),
        };
        // These precede the request, even where the body cannot show it because it is empty.
        let failed_before = matches!(&cause, Cause::Http(e) if e.is_connect() || e.is_builder());
        Err(if failed_before || !handed_over.load(Relaxed) {
            Fault::NotSent(cause)
        } else {
            Fault::Lost { cause, part: None }
        })
    }
}

async fn read(mut response: Response, started: Instant, until: Instant) -> Result<Reply, Fault> {
    let mut reply = Reply {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body: Vec::new(),
        coding: None,
    };
    let failure = loop {
        // In chunks, because `bytes` returns nothing of a body that fails or is too long.
        match timeout_at(until, response.chunk()).await {
            // What was read so far is kept as `part`.
            Ok(Ok(Some(chunk))) if reply.body.len() + chunk.len() > Http::MAX_ANSWER => {
                break Some(Cause::TooLong);
            }
            Ok(Ok(Some(chunk))) => reply.body.extend_from_slice(&chunk),
            Ok(Ok(None)) => break None,
            Ok(Err(error)) => break Some(Cause::Http(error.without_url())),
            Err(_) => break Some(Cause::Time(started.elapsed())),
        }
    };
    let is_too_long = reply.decompress().is_err();
    match failure.or(is_too_long.then_some(Cause::TooLong)) {
        None => Ok(reply),
        // The part is kept: ids in it were paid for.
        Some(cause) => Err(Fault::Lost {
            cause,
            part: Some(reply),
        }),
    }
}

impl Reply {
    /// Decompresses the body, if it is compressed although the request asked for `identity`.
    fn decompress(&mut self) -> Result<(), coding::TooLong> {
        let named = self.headers.get_all(CONTENT_ENCODING).iter();
        let named: Vec<_> = named.map(|value| value.to_str().unwrap_or("?")).collect();
        let named = named.join(", ");
        match coding::decode(&self.body, &named, Http::MAX_ANSWER) {
            coding::Decoded::Unchanged => {}
            coding::Decoded::Body { body, is_too_long } => {
                self.body = body;
                if is_too_long {
                    return Err(coding::TooLong);
                }
            }
            coding::Decoded::Unknown => self.coding = Some(named),
        }
        Ok(())
    }
}
