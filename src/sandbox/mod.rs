//! A mock of the moderation service on loopback, for tests and trials: it verifies signatures like
//! the gateway, keeps tasks, and answers like versions 2018-05-09 (1.0) and 2022-03-02 (2.0) of the
//! service. It needs no account and costs nothing.
//!
//! **Which answer an image gets** is decided by the last part of its URL's path, in any case. In
//! scene `porn`, a name that contains `porn` is labelled `porn` and suggested to be blocked, one
//! that contains `sexy` is labelled `sexy` and suggested for review. In the other scenes a name
//! with one of the scene's documented labels as a word of its own (`weapon-1.jpg`) is labelled so
//! and blocked. Every other image is `normal` and passes.
//!
//! In 2.0 a name that contains `porn` has the level high, one that contains `sexy` medium, and
//! every other none.
//!
//! A task's first polls are answered with 280 (the number is set by
//! [`polls`](SandboxBuilder::polls)), then it is done; after an hour it has expired (594), in 2.0
//! after three days (409). Requests that the service documents as invalid are refused. Where the
//! service's behavior is not documented, the sandbox is strict, so that a careless client fails in
//! tests.
//!
//! A callback is sent immediately after the task was accepted, if its URL leads to this machine;
//! other URLs are never called.
//!
//! It listens on loopback by default, uses bounded memory for any number of requests, and stops
//! when it is dropped. Files are served only to requests that name it by an address or as
//! `localhost`.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use greenlight::sandbox::Sandbox;
//!
//! let sandbox = Sandbox::builder().polls(2).serve("fixtures/images").start().await?;
//! let url = sandbox.url_for("png/rgb.png")?;
//! assert!(url.starts_with(&sandbox.endpoint()));
//! // A client for `sandbox.endpoint()` with `sandbox.credentials()` can submit `url` now.
//! assert_eq!(sandbox.paid(), 0);
//! # Ok(())
//! # })
//! # }
//! ```

mod acs3;
mod answers;
mod builder;
mod callback;
mod clock;
mod error_reply;
mod fault;
mod files;
mod gateway;
mod ids;
mod operation;
mod oss;
mod request;
mod routes;
mod rpc;
mod serve;
mod service;
mod service_v2;
mod status;
mod tasks;

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::http::{HeaderMap, Uri, header::HOST};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};

use crate::error::{Error, ErrorKind};

pub use builder::SandboxBuilder;
pub use fault::{Fault, Share, When};
pub use operation::Operation;

/// A running mock of the service. Dropping it stops it and closes its connections.
///
/// ```
/// # #[cfg(feature = "client")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use greenlight::{
///     green::{Client, Credentials, Secret},
///     sandbox::{Fault, Operation, Sandbox},
/// };
///
/// let sandbox = Sandbox::builder()
///     .serve("fixtures/images")
///     .fault(Operation::AsyncScan, Fault::Service(500)) // for the first request only
///     .start()
///     .await?;
/// let key = sandbox.credentials();
/// let client = Client::builder()
///     .endpoint(&sandbox.endpoint())
///     .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
///     .build()?;
/// assert!(sandbox.url_for("png/rgb.png")?.ends_with("/png/rgb.png"));
/// assert_eq!(sandbox.paid(), 0);
/// # drop(client);
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(feature = "client"))]
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    state: Arc<State>,
    tasks: [JoinHandle<()>; 2],
}

/// State shared by the handlers.
#[derive(Debug)]
struct State {
    /// The address for clients on this machine.
    address: SocketAddr,
    listens_on_loopback: bool,
    key: AccessKey,
    uid: String,
    polls: u32,
    /// The code of images that are not uploaded.
    no_download: Option<i64>,
    clock: clock::Clock,
    ids: ids::Ids,
    gateway: gateway::Gateway,
    tasks: Mutex<tasks::Tasks>,
    files: files::Files,
    oss: oss::Oss,
    plan: fault::Plan,
    callbacks: mpsc::Sender<callback::Callback>,
    /// Megabytes of bodies that may be read at a time.
    room: Semaphore,
    counts: Mutex<Counts>,
}

impl State {
    /// Returns the code of a task whose image "cannot be downloaded".
    fn download_code(&self, url: &str) -> Option<i64> {
        self.no_download.filter(|_| !url.starts_with("oss://"))
    }

    /// Whether a request for a file names this sandbox by an address or as localhost.
    ///
    /// A web page can have its own name resolve to loopback (DNS rebinding) and then read answers
    /// as its own; the name in `Host` gives it away. A sandbox that listens on other addresses may
    /// have any name there.
    fn is_own_host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if !self.listens_on_loopback {
            return true;
        }
        let authority = match uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => headers.get(HOST).and_then(|host| host.to_str().ok()),
        };
        let parsed = authority.and_then(|host| url::Url::parse(&format!("http://{host}/")).ok());
        parsed.is_some_and(|url| match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(_) => true,
            None => false,
        })
    }

    fn count<T>(&self, note: impl FnOnce(&mut Counts) -> T) -> T {
        note(&mut self.counts.lock().expect("no holder panics"))
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
struct Counts {
    requests: HashMap<Operation, u64>,
    paid: u64,
    billed: u64,
    callbacks: u64,
    callback_tries: u64,
}

impl Counts {
    fn pay(&mut self, scenes: usize) {
        self.paid += 1;
        self.billed += u64::try_from(scenes).unwrap_or(u64::MAX);
    }
}

impl Sandbox {
    /// Starts one with every default: a free port of 127.0.0.1, the default key, results at the
    /// first question.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Io`] when no socket can be opened.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// Settings for one.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::default()
    }

    /// The endpoint for a client on this machine: `http://127.0.0.1:40123`. Where it listens on
    /// every address, this names loopback.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.state.address)
    }

    /// The address that it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients on this machine reach it: the address in [`endpoint`](Self::endpoint).
    pub fn reached(&self) -> SocketAddr {
        self.state.address
    }

    /// The key that requests must be signed with.
    pub fn credentials(&self) -> &AccessKey {
        &self.state.key
    }

    /// The URL of the served folder, if there is one. It cannot be guessed. The names of its files
    /// follow after a slash.
    pub fn folder_url(&self) -> Option<String> {
        let path = self.state.files.folder_path()?;
        Some(self.endpoint() + &path)
    }

    /// The URL of a file in the served folder; `file` is an absolute path, or one relative to the
    /// folder.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Usage`] when no folder is served, or the file is
    /// not in it or is hidden.
    pub fn url_for(&self, file: impl AsRef<Path>) -> Result<String, Error> {
        let file = file.as_ref();
        self.state
            .files
            .path_of(file)
            .map(|path| self.endpoint() + &path)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Usage,
                    format_args!("cannot serve a file outside the folder: {}", file.display()),
                )
            })
    }

    /// Serves one more file, from any folder, and returns its URL, which ends in the file's name
    /// and cannot be guessed.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Io`] when there is no such file.
    pub fn publish(&self, file: impl AsRef<Path>) -> Result<String, Error> {
        let file = file.as_ref();
        let path = self.state.files.publish(file).map_err(|error| {
            Error::new(
                ErrorKind::Io,
                format_args!("cannot serve a file: {}", file.display()),
            )
            .with_source(error)
        })?;
        Ok(self.endpoint() + &path)
    }

    /// The number of accepted tasks: the service would bill these.
    pub fn paid(&self) -> u64 {
        self.state.count(|counts| counts.paid)
    }

    /// The number of billed scans: a task counts once for each scene.
    pub fn billed(&self) -> u64 {
        self.state.count(|counts| counts.billed)
    }

    /// The number of requests for any operation, including refused ones and those that met a fault.
    pub fn requests(&self) -> u64 {
        self.state.count(|counts| counts.requests.values().sum())
    }

    /// The number of requests for an operation, counted as [`requests`](Self::requests).
    pub fn requests_of(&self, operation: Operation) -> u64 {
        let held = |counts: &mut Counts| counts.requests.get(&operation).copied();
        self.state.count(held).unwrap_or_default()
    }

    /// The number of callbacks that were answered with 200.
    pub fn callbacks(&self) -> u64 {
        self.state.count(|counts| counts.callbacks)
    }

    /// The number of requests of callbacks: up to three for each, until it is answered with 200.
    pub fn callback_tries(&self) -> u64 {
        self.state.count(|counts| counts.callback_tries)
    }

    /// The account's id, which is part of a callback's checksum.
    pub fn uid(&self) -> &str {
        &self.state.uid
    }

    /// The bytes of an object that was uploaded, by its key.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.state.oss.object(key)
    }

    /// Injects a fault into the next request of this operation that has none yet.
    pub fn inject(&self, operation: Operation, fault: Fault) {
        self.state.plan.add(operation, fault);
    }

    /// Sets the sandbox's clock, which continues from that time. A time outside years 0 to 9999 is
    /// ignored.
    pub fn set_clock(&self, to: SystemTime) {
        if let Ok(to) = to.try_into() {
            self.state.clock.set(to);
        }
    }

    /// Advances the sandbox's clock: tasks and credentials age, and the clocks of clients seem
    /// slow.
    pub fn put_clock_forward(&self, by: Duration) {
        self.state.clock.forward(by);
    }

    /// Turns the sandbox's clock back: the clocks of clients seem fast.
    pub fn put_clock_back(&self, by: Duration) {
        self.state.clock.back(by);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The key of the sandbox's only account.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{green::{Credentials, Secret}, sandbox::Sandbox};
///
/// let sandbox = Sandbox::builder().key_id("trial").security_token("token").start().await?;
/// let key = sandbox.credentials();
/// let mut credentials = Credentials::new(key.id(), Secret::new(key.secret()));
/// if let Some(token) = key.token() {
///     credentials = credentials.with_security_token(token);
/// }
/// assert_eq!(credentials.access_key_id(), "trial");
/// assert!(credentials.is_temporary());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AccessKey {
    id: String,
    secret: String,
    token: Option<String>,
}

impl AccessKey {
    /// The access key id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The access key secret.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The security token, if requests must carry one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
