//! Reads a URL within one deadline, guarded against private addresses and hostile servers.
//!
//! ```
//! # #[cfg(feature = "sandbox")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = greenlight::sandbox::Sandbox::builder().serve("fixtures/images").start().await?;
//! # let policy = greenlight::probe::AddressPolicy::new().allow("127.0.0.1/32")?;
//! # let probe = Probe::builder().policy(policy).build()?;
//! use greenlight::{ImageUrl, Requirements, probe::Probe};
//!
//! let url = ImageUrl::parse(&server.url_for("png/long-tall.png")?)?;
//! let verdict = probe.check(&url, &Requirements::ASYNC).await?;
//! for violation in verdict.violations() {
//!     eprintln!("{}: {violation}", violation.code());
//! }
//! assert!(verdict.is_accepted());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sandbox"))]
//! # fn main() {}
//! ```
//!
//! # Guarantees
//!
//! * One deadline covers everything: name, connection, TLS, every redirect, head and body.
//! * One function opens sockets, and it accepts only addresses that the [`AddressPolicy`] allows.
//!   The policy applies again to every redirect. The checked address is the connected address, so a
//!   name that resolves differently the second time has no effect (DNS rebinding).
//! * No proxy from the environment, no cookies, no Referer, no compression.
//! * The number of bytes received is bounded, whatever the server sends; the body is not kept.
//! * A server's error is a fact in the [`Download`], not an `Err`.

mod address;
mod builder;
mod clock;
mod connect;
mod connection;
mod dns;
mod failure;
mod fetch;
mod follow;
mod full_mode;
mod header_mode;
mod limits;
mod list;
mod mode;
mod part;
mod policy;
mod pool;
#[cfg(feature = "serve")]
mod post;
mod read;
mod record;
mod repair;
mod request_header;
mod resolve;
mod tls;

#[cfg(feature = "pipeline")]
use std::net::{IpAddr, SocketAddr};
use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time;
use tokio_rustls::TlsConnector;
#[cfg(feature = "pipeline")]
use url::Host;

use crate::{
    download::{Download, Ending},
    error::{Error, ErrorKind},
    image_url::ImageUrl,
    inspect::Depth,
    requirements::Requirements,
    verdict::{Decision, Verdict},
};

#[cfg(feature = "serve")]
pub(crate) use post::Posted;
use resolve::{Resolved, Resolver};

pub use address::{AddressClass, classify};
pub use builder::ProbeBuilder;
pub use list::Checks;
pub use mode::{HttpVersions, Mode};
pub use policy::{AddressPolicy, AddressRefusal, EntryError, RefusalReason};
pub use request_header::Header;

/// Reads URLs. Cheap to clone: clones share connections and limits.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = greenlight::sandbox::Sandbox::builder().serve("fixtures/images").start().await?;
/// # let policy = greenlight::probe::AddressPolicy::new().allow("127.0.0.1/32")?;
/// # let probe = Probe::builder().policy(policy).build()?;
/// use greenlight::{ImageUrl, Requirements, download::Ending, probe::Probe};
///
/// let url = ImageUrl::parse(&server.url_for("png/rgb.png")?)?;
/// let download = probe.download(&url, &Requirements::ASYNC).await;
/// println!("{:?} after {:?}", download.ending(), download.elapsed());
/// assert_eq!(*download.ending(), Ending::Complete);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Probe {
    inner: Arc<Inner>,
}

struct Inner {
    policy: AddressPolicy,
    deadline: Option<Duration>,
    depth: Depth,
    mode: Mode,
    max_redirects: usize,
    versions: HttpVersions,
    user_agent: HeaderValue,
    headers: HeaderMap,
    /// Headers for one host, as in `Host` headers.
    bound_headers: Vec<(Box<str>, HeaderName, HeaderValue)>,
    resolver: Resolver,
    tls: TlsConnector,
    pool: Arc<pool::Pool>,
    concurrency: usize,
    limits: Arc<limits::Limits>,
}

impl Inner {
    /// A full download opens a new connection each time; see [`Mode::Full`].
    const fn reuses_connections(&self) -> bool {
        matches!(self.mode, Mode::Header)
    }
}

impl Probe {
    /// Returns a probe with the defaults of [`ProbeBuilder`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a builder.
    pub fn builder() -> ProbeBuilder {
        ProbeBuilder::new()
    }

    /// Reads the image at `url` and evaluates the URL, the download and the image.
    ///
    /// A URL whose text alone breaks a rule is not requested.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Io`] if the local host could not make the request: it
    /// has no file handle or port left, or too many names wait for a response. What is wrong with
    /// the server or the image is in the verdict.
    pub async fn check(
        &self,
        url: &ImageUrl,
        requirements: &Requirements,
    ) -> Result<Verdict<ImageUrl>, Error> {
        let by_text = requirements.judge_url(url.clone());
        if by_text.decision() == Decision::Reject {
            return Ok(by_text);
        }
        judge(self.download(url, requirements).await, requirements)
    }

    /// Downloads the whole image at `url`, in either mode. Returns the verdict and the image's
    /// bytes, up to the largest size that the requirements accept; they are complete if the verdict
    /// accepts.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    #[cfg(feature = "pipeline")]
    pub(crate) async fn fetch(
        &self,
        url: &ImageUrl,
        requirements: &Requirements,
    ) -> Result<(Verdict<ImageUrl>, Vec<u8>), Error> {
        let by_text = requirements.judge_url(url.clone());
        if by_text.decision() == Decision::Reject {
            return Ok((by_text, Vec::new()));
        }
        let mut bytes = Some(Vec::new());
        let download = self.read(url, requirements, Mode::Full, &mut bytes).await;
        Ok((judge(download, requirements)?, bytes.unwrap_or_default()))
    }

    /// The depth at which an image's bytes are examined.
    #[cfg(feature = "pipeline")]
    pub(crate) fn depth(&self) -> Depth {
        self.depth_in(self.inner.mode)
    }

    fn depth_in(&self, mode: Mode) -> Depth {
        match mode {
            Mode::Full => self.inner.depth,
            Mode::Header => Depth::Header,
        }
    }

    /// The depth at which local files are examined: [`Mode::Header`] concerns downloads only.
    #[cfg(feature = "pipeline")]
    pub(crate) fn file_depth(&self) -> Depth {
        self.inner.depth
    }

    /// Whether the address rule allows the host of a URL, if the host is an address. A name is not
    /// looked up.
    #[cfg(feature = "pipeline")]
    pub(crate) fn allows_literal(&self, url: &ImageUrl) -> bool {
        let parsed = url.parsed();
        let address = match parsed.host() {
            Some(Host::Ipv4(address)) => IpAddr::from(address),
            Some(Host::Ipv6(address)) => IpAddr::from(address),
            Some(Host::Domain(_)) | None => return true,
        };
        let port = parsed.port_or_known_default().unwrap_or_default();
        let target = SocketAddr::new(address, port);
        self.inner.policy.check(target).is_ok()
    }

    /// The maximum number of concurrent downloads.
    #[cfg(feature = "pipeline")]
    pub(crate) fn concurrency(&self) -> usize {
        self.inner.concurrency
    }

    /// Reads the image at `url` and returns the facts. Reading stops as soon as they break one of
    /// the requirements.
    ///
    /// The download waits for its turn under the limits of concurrency, and the look-up of the name
    /// under those of the resolver: neither counts in the deadline. A name is looked up before the
    /// download takes its turn, so that names without a response do not delay other downloads.
    pub async fn download(&self, url: &ImageUrl, requirements: &Requirements) -> Download {
        self.read(url, requirements, self.inner.mode, &mut None)
            .await
    }

    /// Downloads in `mode`, and adds the image's bytes to `kept` if it is `Some`.
    async fn read(
        &self,
        url: &ImageUrl,
        requirements: &Requirements,
        mode: Mode,
        kept: &mut Option<Vec<u8>>,
    ) -> Download {
        let probe = &*self.inner;
        // The permit of the host first, that over all last: see `Limits::enter`.
        let mut slot = probe.limits.enter(url.host()).await;
        let limit = probe
            .deadline
            .unwrap_or_else(|| requirements.download_time());
        let depth = self.depth_in(mode);
        let resolved = fetch::resolve_first(probe, url, limit).await;
        // A failed look-up makes no request, so that it must not wait for the turn of one.
        if !matches!(
            resolved,
            Some(Resolved {
                addresses: Err(_),
                ..
            })
        ) {
            slot.start().await;
        }
        let mut record = record::Record::new(url.clone(), limit, depth, requirements.clone());
        record.kept = kept.take();
        record.resolved_in(
            resolved
                .as_ref()
                .map_or(Duration::ZERO, |resolved| resolved.took),
        );
        match resolved.map(|resolved| resolved.addresses) {
            Some(Ok(addresses)) => record.resolved = Some(addresses),
            Some(Err(ending)) => {
                record.close();
                return record.finish(ending, std::future::ready(())).await;
            }
            None => {}
        }
        let deadline = record.deadline();
        let download = async {
            loop {
                let ending = match mode {
                    Mode::Full => full_mode::download(probe, &mut record).await,
                    Mode::Header => header_mode::download(probe, &mut record).await,
                };
                // The body's framing could not be read, and `read` switched repairs on: the
                // download begins again within the same deadline.
                if !std::mem::take(&mut record.is_unread) {
                    return ending;
                }
            }
        };
        // One deadline over all phases: a server that sends a byte now and then never exceeds a
        // limit on one of them.
        let ending = match time::timeout_at(deadline, download).await {
            Ok(Ok(ending) | Err(ending)) => ending,
            Err(_elapsed) => Ending::TooSlow,
        };
        // Before decoding, which may take until the deadline but is not part of the download.
        record.close();
        *kept = record.kept.take();
        record.finish(ending, time::sleep_until(deadline)).await
    }
}

impl Default for Probe {
    fn default() -> Self {
        ProbeBuilder::new()
            .build()
            .expect("the defaults hold no certificate or header that could be wrong")
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe")
            .field("policy", &self.policy)
            .field("deadline", &self.deadline)
            .field("depth", &self.depth)
            .field("mode", &self.mode)
            .field("max_redirects", &self.max_redirects)
            .field("versions", &self.versions)
            .field("resolver", &self.resolver)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// Evaluates a download. Fails if this machine could not make the request.
fn judge(download: Download, requirements: &Requirements) -> Result<Verdict<ImageUrl>, Error> {
    if let Ending::Local(reason) = download.ending() {
        let message = format_args!("probe {}: {reason}", download.url());
        return Err(Error::new(ErrorKind::Io, message));
    }
    let verdict = requirements.judge_download(download);
    trace(&verdict);
    Ok(verdict)
}

/// Records what was found at a URL, behind the feature `tracing`.
fn trace(verdict: &Verdict<ImageUrl>) {
    #[cfg(feature = "tracing")]
    {
        let download = verdict.download();
        tracing::info!(
            url = %verdict.subject(),
            decision = verdict.decision().name(),
            elapsed = ?download.map(Download::elapsed),
            hops = download.map(|download| download.hops().len()),
            "probed"
        );
    }
    #[cfg(not(feature = "tracing"))]
    let _ = verdict;
}
