//! The settings of a server that submits images.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{on_outage::OnOutage, webhook::Webhook};
use crate::{green::callback::Verifier, pipeline::Pipeline};

/// The default size of all images that wait for their outcomes.
const MAX_HELD: u64 = 10 << 30;

/// How a server submits images.
///
/// An accepted image is written to `folder` under the hash of its bytes and enqueued in the ledger,
/// so that equal images are submitted once, and a server that was killed continues. The file is
/// removed when its outcome is in the ledger, that of a dead image after a day. One ledger uses the
/// folder.
///
/// ```
/// # #[cfg(feature = "ledger")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, green::{Client, Credentials, Secret}, ledger::*, probe::Probe};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let key = Credentials::new("LTAIexample", Secret::new("example"));
/// # let client = Client::builder().endpoint("http://127.0.0.1:1").credentials(key).build()?;
/// # let pipeline = Pipeline::new(client, Probe::new(), std::sync::Arc::new(ledger), scope);
/// # let images = folder.path().join("images");
/// use greenlight::{pipeline::Pipeline, serve::{Moderation, OnOutage, Server}};
///
/// let moderation = Moderation::new(pipeline, &images)
///     .on_outage(OnOutage::Deny)
///     .max_held(1 << 30);
/// let builder = Server::builder().listen("127.0.0.1:0".parse()?).moderation(moderation);
/// let server = builder.bind().await?;
/// assert!(server.url().starts_with("http://127.0.0.1:"));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "ledger"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Moderation {
    pub(super) pipeline: Pipeline,
    pub(super) folder: PathBuf,
    pub(super) max_held: u64,
    pub(super) url_age: Option<Duration>,
    pub(super) on_outage: OnOutage,
    pub(super) verifier: Option<Verifier>,
    pub(super) webhook: Option<Webhook>,
}

impl Moderation {
    /// Returns the moderation by a pipeline. `folder` is created if needed.
    pub fn new(pipeline: Pipeline, folder: &Path) -> Self {
        Self {
            pipeline,
            folder: folder.to_owned(),
            max_held: MAX_HELD,
            url_age: None,
            on_outage: OnOutage::Hold,
            verifier: None,
            webhook: None,
        }
    }

    /// Accepts the service's callbacks at `/callbacks/1.0` and `/callbacks/2.0`, for a pipeline that
    /// requests them ([`Pipeline::callback`]). They need no token, because their checksum is verified.
    /// Default: none are accepted.
    #[must_use]
    pub fn callbacks(mut self, verifier: Verifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Sets what is advised for an image that was not inspected in time. Default:
    /// [`OnOutage::Hold`].
    #[must_use]
    pub const fn on_outage(mut self, policy: OnOutage) -> Self {
        self.on_outage = policy;
        self
    }

    /// Sets how many bytes the images without an outcome may have on disk together (503). Default:
    /// 10 GiB.
    #[must_use]
    pub const fn max_held(mut self, bytes: u64) -> Self {
        self.max_held = bytes;
        self
    }

    /// Uses the last scan of a URL for up to `age` without another download, for requests with the same
    /// requirements. The image at the URL may have changed since. Default: each request downloads
    /// it, and equal bytes are still submitted once.
    #[must_use]
    pub const fn url_age(mut self, age: Duration) -> Self {
        self.url_age = Some(age);
        self
    }

    /// Reports each final scan to the application. An outcome is then acknowledged in the ledger when
    /// it is delivered. Default: the application requests the outcomes.
    #[must_use]
    pub fn webhook(mut self, webhook: Webhook) -> Self {
        self.webhook = Some(webhook);
        self
    }
}
