//! The client of 1.0, version 2018-05-09: operations of the service, each one call.

mod api;
mod codes;
mod feedback;
pub(super) mod reply;
mod requests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

pub use feedback::Feedback;

use self::requests::{
    ASYNC_SCAN, FEEDBACK, FeedbackRequest, RESULTS, SYNC_SCAN, ScanRequest, UPLOAD_CREDENTIALS,
    action,
};
use super::{
    clock,
    connection::{Body, Call, Connection, Dialect, InfoParameter, is_ok},
    endpoint::Hosts,
    grant::Grant,
    ids::TaskId,
    options::ScanOptions,
    poll::Watch,
    refusal::Refusal,
    report::TaskReport,
    retry::Effect,
    scene::Scene,
    submission::{Scanned, Submission, Submitted},
    task::Batch,
    terms::Terms,
    upload::{self, Content},
};
use crate::{
    error::{Error, ErrorKind},
    image_url::ImageUrl,
    verdict::Accepted,
};

/// The hosts of the regions (endpoints page, 107743).
static HOSTS: Hosts = Hosts {
    public: "green",
    vpc: "green-vpc",
    regions: &[
        ("ap-southeast-1", true),
        ("cn-beijing", true),
        ("cn-shanghai", true),
        ("cn-shenzhen", true),
        ("eu-central-1", true),
        ("us-east-1", true),
    ],
};

pub(super) static DIALECT: Dialect = Dialect {
    version: "2018-05-09",
    hosts: &HOSTS,
    codes: &codes::CODES,
    upload_grant: || {
        call(
            "asking for upload credentials",
            UPLOAD_CREDENTIALS,
            Bytes::from_static(b"{}"),
        )
    },
    grant: Grant::of_v1,
};

/// Time limit of a synchronous scan (asynchronous moderation page, 2026-03: "up to 6 s").
const SYNC_TIMEOUT: Duration = Duration::from_secs(6);

/// The client of one account in one region. Clones share connections, credentials and limits.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use greenlight::{
///     ImageUrl, Scene,
///     green::{Batch, Client, Credentials, Secret, Task},
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
    connection: Connection,
    biz_type: Option<String>,
    client_info: Option<InfoParameter>,
    sync_max_bytes: u64,
}

impl Client {
    /// The maximum number of tasks in one request for results.
    pub const MAX_RESULTS: usize = Terms::V1.max_results;

    pub(super) fn new(
        connection: Connection,
        biz_type: Option<String>,
        client_info: Option<InfoParameter>,
        sync_max_bytes: u64,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                connection,
                biz_type,
                client_info,
                sync_max_bytes,
            }),
        }
    }

    /// The host of the service.
    pub fn host(&self) -> &str {
        self.inner.connection.endpoint.host()
    }

    /// Seconds that the service's clock was ahead of this host's in its last response; `None`
    /// before the first.
    pub fn clock_skew(&self) -> Option<i64> {
        self.inner.connection.clock.observed_seconds()
    }

    /// Submits a batch to the asynchronous scan. Each image is billed once per scene, and each
    /// frame that is looked at is an image.
    ///
    /// Tasks are refused one by one, even all of them: `Ok` means that the service answered, and
    /// [`Submission::entries`] has the result for each. A task that is missing in the answer may
    /// have been accepted and billed: [`Refusal::is_ambiguous`]. If the future is dropped, the
    /// request may or may not have been sent.
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
        let call = self.scan_call("submit", ASYNC_SCAN, &batch, options, None)?;
        let connection = &self.inner.connection;
        let envelope = connection.call(call).await?;
        let submission = reply::submission(&batch, &options.scenes, &envelope, clock::instant());
        let throttled = |entry: &Submitted| entry.result().is_err_and(Refusal::is_throttling);
        // The request succeeded as a whole, so `repeat` does not see that single tasks were
        // throttled.
        if submission.entries().iter().any(throttled) {
            connection.rate_limits.of(Effect::Paid).slow_down();
        }
        Ok(submission)
    }

    /// Scans a batch synchronously: the answer holds the outcomes, and takes up to six seconds.
    /// Billed as [`submit`](Self::submit) is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an image that is known to be larger than the synchronous scan takes
    /// ([`Requirements::SYNC`](crate::Requirements::SYNC)), and for options that it does not have
    /// (callback, near-line); else as for [`submit`](Self::submit).
    pub async fn scan(&self, batch: Batch, options: &ScanOptions) -> Result<Vec<Scanned>, Error> {
        self.check_sync(&batch, options)?;
        let call = self.scan_call("scan", SYNC_SCAN, &batch, options, Some(SYNC_TIMEOUT))?;
        let envelope = self.inner.connection.call(call).await?;
        Ok(reply::scanned(&batch, &options.scenes, &envelope))
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
        let call = self.with_info(call("feedback", FEEDBACK, body));
        self.inner.connection.call(call).await.map(drop)
    }

    /// Requests the results of tasks once. The request is idempotent, and tasks are matched by id:
    /// one that the answer does not hold is not in the list.
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
        let call = self.with_info(call("results", RESULTS, to_json(&tasks)?));
        let envelope = self.inner.connection.call(call).await?;
        let reports = envelope.data.iter().filter_map(reply::report);
        Ok(reports
            // A result of another task is not expected, and would end up in the wrong row.
            .filter(|report| tasks.contains(report.task_id()))
            .collect())
    }

    /// Uploads an accepted image and returns the receipt for its URL at the service. Whether
    /// uploading is billed is not documented.
    ///
    /// The name's extension and the type are the format's that the bytes have. A file is sent as it
    /// is read; the bytes are compared with the receipt while they are sent, so that only checked
    /// content is uploaded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Changed`] when the content is not what was accepted; [`ErrorKind::Io`] when a
    /// file cannot be read; else when the service refused it or could not be reached.
    pub async fn upload<S>(
        &self,
        accepted: Accepted<S>,
        content: &Content,
    ) -> Result<Accepted<ImageUrl>, Error> {
        upload::upload(&self.inner.connection, accepted, content).await
    }

    /// Waits for the outcome of every accepted task of a submission.
    ///
    /// Tasks that were refused, or are missing in the answer to the submission, have no report
    /// here: [`Submission::entries`] has them.
    ///
    /// The first poll is five seconds after the submission, the next ones every five seconds
    /// ([`poll_interval`](crate::green::ClientBuilder::poll_interval)), a hundred tasks in one
    /// request. A task that is not final in time is reported in its last state: as still
    /// processing, with its last temporary refusal, or as expired once the service no longer keeps
    /// results.
    ///
    /// # Errors
    ///
    /// When polling failed, even after repetitions. The outcomes fetched so far are lost;
    /// [`watch`](Self::watch) returns each as it arrives.
    pub async fn wait(&self, submission: &Submission) -> Result<Vec<TaskReport>, Error> {
        let config = &self.inner.connection.settings.poll;
        Watch::wait(Arc::new(self.clone()), config, submission).await
    }

    /// Watches tasks. The time for which the service keeps results is counted from now.
    pub fn watch(&self, tasks: impl IntoIterator<Item = TaskId>) -> Watch {
        let config = &self.inner.connection.settings.poll;
        Watch::new(Arc::new(self.clone()), config, tasks, clock::instant())
    }

    /// Adds the information about the publisher, which every request carries.
    fn with_info<'a>(&self, mut call: Call<'a>) -> Call<'a> {
        let info = self.inner.client_info.iter();
        call.query
            .extend(info.map(|info| (info.name, info.value.clone())));
        call
    }

    fn scan_call<'a>(
        &self,
        operation: &'static str,
        path: &'static str,
        batch: &'a Batch,
        options: &ScanOptions,
        timeout: Option<Duration>,
    ) -> Result<Call<'a>, Error> {
        options.check()?;
        if let Some((id, _)) = batch.tasks().find(|(_, task)| task.object().is_some()) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("1.0 does not read objects of a bucket, only URLs: {id}"),
            ));
        }
        let biz_type = self.inner.biz_type.as_deref();
        let body = to_json(&ScanRequest::new(batch, options, biz_type))?;
        Ok(self.with_info(Call {
            effect: Effect::Paid,
            data_ids: batch.tasks().map(|(id, _)| id).collect(),
            images: batch.billed(),
            timeout,
            ..call(operation, path, body)
        }))
    }

    fn check_sync(&self, batch: &Batch, options: &ScanOptions) -> Result<(), Error> {
        let usage = |what: String| Err(Error::new(ErrorKind::Usage, what));
        if options.callback.is_some() || options.near_line.is_some() {
            return usage("a synchronous scan has neither callback nor near-line mode".to_owned());
        }
        let most = self.inner.sync_max_bytes;
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
}

/// A call that may be repeated.
fn call<'a>(operation: &'static str, path: &'static str, body: Bytes) -> Call<'a> {
    Call {
        operation,
        action: action(path),
        path,
        query: Vec::new(),
        body: Body::json(body),
        effect: Effect::Repeatable,
        data_ids: Vec::new(),
        images: 0,
        timeout: None,
        is_answer: is_ok,
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<Bytes, Error> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
        Error::new(ErrorKind::Usage, "cannot write the request").with_source(error)
    })
}
