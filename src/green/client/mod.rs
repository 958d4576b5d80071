//! The client: operations of the service, each one call.

mod builder;
pub(super) mod call;
pub(super) mod failure;
mod signing;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

pub use builder::ClientBuilder;
pub use signing::SignatureStyle;

use self::call::Call;
use super::{
    clock::{self, Clock},
    credentials::Cache,
    endpoint::{Endpoint, Network},
    feedback::Feedback,
    grant::GrantCache,
    http::Http,
    ids::TaskId,
    options::{PollConfig, ScanOptions},
    rate::RateLimits,
    refusal::Refusal,
    report::TaskReport,
    retry::{Budget, Effect},
    scene::Scene,
    submission::{Scanned, Submission, Submitted},
    task::Batch,
    wire::{
        ASYNC_SCAN, Envelope, FEEDBACK, FeedbackRequest, RESULTS, SYNC_SCAN, ScanRequest,
        UPLOAD_CREDENTIALS,
    },
};
use crate::error::{Error, ErrorKind};

/// How long a synchronous scan may take (asynchronous moderation page, 2026-03: "up to 6 s").
const SYNC_TIMEOUT: Duration = Duration::from_secs(6);

/// The client of one account in one region. Clones share connections, credentials and limits.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use greenlight::{
///     ImageUrl,
///     green::{Batch, Client, Credentials, Scene, Secret, Task},
///     sandbox::Sandbox,
/// };
///
/// // A mock of the service; `region("ap-southeast-1")` instead of `endpoint` uses the real one.
/// let sandbox = Sandbox::builder().start().await?;
/// let key = sandbox.credentials();
/// let client = Client::builder()
///     .endpoint(&sandbox.endpoint())
///     .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
///     .poll_interval(std::time::Duration::from_millis(20))
///     .build()?;
///
/// // `Task::new` takes the receipt of an accepted image; this one was not checked.
/// let url = ImageUrl::parse("https://images.example/porn.png")?;
/// let batch = Batch::new([Task::unchecked(url)])?;
/// let submission = client.submit(batch, &[Scene::Porn]).await?;
/// let reports = client.wait(&submission).await?;
/// let outcome = reports[0].outcome().expect("the sandbox scans every image");
/// assert_eq!(outcome.decision().name(), "block");
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    api_version: String,
    biz_type: Option<String>,
    client_info: Option<InfoParameter>,
    settings: Settings,
    credentials: Cache,
    grants: GrantCache,
    clock: Clock,
    budget: Budget,
    rate_limits: RateLimits,
    http: Http,
}

/// The query parameter that names the publisher of the images.
struct InfoParameter {
    name: &'static str,
    value: String,
}

/// Personal data: not shown.
impl fmt::Debug for InfoParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=<redacted>", self.name)
    }
}

/// Time limits, attempts and modes.
#[derive(Clone, Debug)]
struct Settings {
    deadline: Duration,
    attempt_timeout: Duration,
    attempts: u32,
    sync_max_bytes: u64,
    upload_deadline: Duration,
    network: Network,
    signature: SignatureStyle,
    poll: PollConfig,
}

impl Client {
    /// The maximum number of tasks in one request for results.
    pub const MAX_RESULTS: usize = 100;

    /// Returns a builder.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// The host of the service.
    pub fn host(&self) -> &str {
        self.inner.endpoint.host()
    }

    /// Seconds that the service's clock was ahead of this host's in its last response; `None` before the
    /// first.
    pub fn clock_skew(&self) -> Option<i64> {
        self.inner.clock.observed_seconds()
    }

    /// Submits a batch to the asynchronous scan. Each image is billed once per scene, and each frame
    /// that is looked at is an image.
    ///
    /// Tasks are refused one by one, even all of them: `Ok` means that the service answered, and
    /// [`Submission::entries`] has the result for each. A task that is missing in the answer may have
    /// been accepted and billed: [`Refusal::is_ambiguous`]. If the future is dropped, the request may
    /// or may not have been sent.
    ///
    /// # Errors
    ///
    /// When the whole request was refused or could not be made. With
    /// [`Retry::Ambiguous`](crate::Retry::Ambiguous) it was sent and not answered: it may have been
    /// done and billed, was not repeated, and [`Error::data_ids`] names its tasks.
    pub async fn submit(&self, batch: Batch, scenes: &[Scene]) -> Result<Submission, Error> {
        self.submit_with(batch, &ScanOptions::new(scenes)).await
    }

    /// As [`submit`](Self::submit), with all options of a scan.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub async fn submit_with(
        &self,
        batch: Batch,
        options: &ScanOptions,
    ) -> Result<Submission, Error> {
        let timeout = self.inner.settings.attempt_timeout;
        let call = self.scan_call("submit", ASYNC_SCAN, &batch, options, timeout)?;
        let envelope = self.call(call).await?;
        let submission = Submission::join(&batch, &options.scenes, &envelope, clock::instant());
        let throttled = |entry: &Submitted| entry.result().is_err_and(Refusal::is_throttling);
        if submission.entries().iter().any(throttled) {
            self.inner.rate_limits.of(Effect::Paid).slow_down();
        }
        Ok(submission)
    }

    /// Scans a batch synchronously: the answer holds the outcomes, and takes up to six seconds. Billed as
    /// [`submit`](Self::submit) is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an image that is known to be larger than the synchronous scan takes
    /// ([`Requirements::SYNC`](crate::Requirements::SYNC)), and for options that it does not have (callback,
    /// near-line); else as for [`submit`](Self::submit).
    pub async fn scan(&self, batch: Batch, options: &ScanOptions) -> Result<Vec<Scanned>, Error> {
        self.check_sync(&batch, options)?;
        let call = self.scan_call("scan", SYNC_SCAN, &batch, options, SYNC_TIMEOUT)?;
        let envelope = self.call(call).await?;
        Ok(Scanned::join(&batch, &options.scenes, &envelope))
    }

    /// Reports a wrong result to the service.
    ///
    /// # Errors
    ///
    /// When the service refused it or could not be reached.
    pub async fn feedback(&self, feedback: &Feedback) -> Result<(), Error> {
        let body = to_json(&FeedbackRequest {
            task_id: &feedback.task_id,
            suggestion: feedback.suggestion.as_ref(),
            url: feedback.url.as_deref(),
            scenes: &feedback.scenes,
            label: feedback.label.as_deref(),
            note: feedback.note.as_deref(),
        })?;
        let call = Call {
            operation: "feedback",
            path: FEEDBACK,
            body,
            effect: Effect::Repeatable,
            data_ids: Vec::new(),
            images: 0,
            timeout: self.inner.settings.attempt_timeout,
        };
        self.call(call).await.map(drop)
    }

    /// Requests the results of tasks once. The request is idempotent, and tasks are matched by id: one
    /// that the answer does not hold is not in the list.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for no id or more than [`MAX_RESULTS`](Self::MAX_RESULTS); else when
    /// the service could not be asked.
    pub async fn results(&self, tasks: &[TaskId]) -> Result<Vec<TaskReport>, Error> {
        if tasks.is_empty() || tasks.len() > Self::MAX_RESULTS {
            return Err(Error::new(
                ErrorKind::Usage,
                format!(
                    "ask about 1 to {} tasks at a time, not {}",
                    Self::MAX_RESULTS,
                    tasks.len()
                ),
            ));
        }
        let envelope = self
            .call(Call {
                operation: "results",
                path: RESULTS,
                body: to_json(&tasks)?,
                effect: Effect::Repeatable,
                data_ids: Vec::new(),
                images: 0,
                timeout: self.inner.settings.attempt_timeout,
            })
            .await?;
        let reports = envelope.data.iter().filter_map(TaskReport::of);
        Ok(reports
            .filter(|report| tasks.contains(report.task_id()))
            .collect())
    }

    /// Requests temporary credentials for uploads.
    pub(super) async fn upload_grant(&self) -> Result<Envelope, Error> {
        let call = Call {
            operation: "asking for upload credentials",
            path: UPLOAD_CREDENTIALS,
            body: Bytes::from_static(b"{}"),
            effect: Effect::Repeatable,
            data_ids: Vec::new(),
            images: 0,
            timeout: self.inner.settings.attempt_timeout,
        };
        self.call(call).await
    }

    fn scan_call<'a>(
        &self,
        operation: &'static str,
        path: &'static str,
        batch: &'a Batch,
        options: &ScanOptions,
        timeout: Duration,
    ) -> Result<Call<'a>, Error> {
        options.check()?;
        let biz_type = self.inner.biz_type.as_deref();
        Ok(Call {
            operation,
            path,
            body: to_json(&ScanRequest::new(batch, options, biz_type))?,
            effect: Effect::Paid,
            data_ids: batch.tasks().map(|(id, _)| id).collect(),
            images: batch.billed(),
            timeout,
        })
    }

    fn check_sync(&self, batch: &Batch, options: &ScanOptions) -> Result<(), Error> {
        let usage = |what: String| Err(Error::new(ErrorKind::Usage, what));
        if options.callback.is_some() || options.near_line.is_some() {
            return usage("a synchronous scan has neither callback nor near-line mode".to_owned());
        }
        let most = self.inner.settings.sync_max_bytes;
        let large = batch
            .tasks()
            .find_map(|(id, task)| Some((id, task.len().filter(|len| *len > most)?)));
        match large {
            Some((id, len)) => usage(format!(
                "image {id} is too large for a synchronous scan: {len} bytes, at most {most}"
            )),
            None => Ok(()),
        }
    }

    pub(super) fn http(&self) -> &Http {
        &self.inner.http
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(super) fn grants(&self) -> &GrantCache {
        &self.inner.grants
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(super) fn network(&self) -> Network {
        self.inner.settings.network
    }

    pub(super) fn upload_deadline(&self) -> Duration {
        self.inner.settings.upload_deadline
    }

    pub(super) fn poll_config(&self) -> &PollConfig {
        &self.inner.settings.poll
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<Bytes, Error> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
        Error::new(ErrorKind::Usage, "cannot write the request").with_source(error)
    })
}
