//! Image Moderation 2.0, version 2022-03-02: what the service calls the enhanced edition.
//!
//! A request has one image and names a service code, which is the policy; a result has a risk level
//! and labels. Every type but [`Client`] and [`ServiceCode`] is that of 1.0.
//!
//! [`what_can_go_wrong`](super::what_can_go_wrong) lists what the service's pages do not document,
//! and the setting for each point. `ImageQueueModeration` is left out: it is a synchronous scan of
//! one region (cn-shanghai) that is queued for up to 60 seconds where others are throttled; the
//! asynchronous scan at the documented rate does the same, and has an id for each image.

mod codes;
pub(super) mod reply;
mod requests;
mod service_code;
mod settings;

use std::{sync::Arc, time::Duration};

pub use service_code::ServiceCode;

use self::{
    requests::{ServiceParameters, in_form, in_query, paid},
    settings::Settings,
};
use super::{
    api::{Api, ApiReply},
    clock,
    connection::{Call, Connection, Dialect},
    endpoint::Hosts,
    grant::Grant,
    ids::{DataId, TaskId},
    options::Callback,
    poll::Watch,
    report::TaskReport,
    scene::Scene,
    submission::{Scanned, Submission},
    task::{Batch, Task},
    terms::Terms,
    upload::{self, Content},
};
use crate::{
    error::{Error, ErrorKind},
    image_url::ImageUrl,
    sanitize::harmless,
    verdict::Accepted,
};

/// Time limit of a synchronous scan. No page states a limit; the large models are slow.
const SYNC_TIMEOUT: Duration = Duration::from_secs(10);

/// The hosts of the regions (pages 467828 and 2638108, and their international editions, 2026-03).
static HOSTS: Hosts = Hosts {
    public: "green-cip",
    vpc: "green-cip-vpc",
    regions: &[
        ("ap-southeast-1", true),
        ("cn-beijing", true),
        ("cn-chengdu", false),
        ("cn-hangzhou", true),
        ("cn-shanghai", true),
        ("cn-shenzhen", true),
        ("eu-central-1", true),
        ("eu-west-1", false),
        ("us-east-1", true),
        ("us-west-1", false),
    ],
};

/// The regions that have the asynchronous scan (page 2638108, and its international edition,
/// 2026-03).
const ASYNC_REGIONS: [&str; 3] = ["ap-southeast-1", "cn-beijing", "cn-shanghai"];

pub(super) static DIALECT: Dialect = Dialect {
    version: "2022-03-02",
    hosts: &HOSTS,
    codes: &codes::CODES,
    upload_grant: requests::upload_token,
    grant: Grant::of_v2,
};

/// The client of 2.0 of one account in one region. Clones share connections, credentials and
/// limits.
///
/// [`ClientBuilder::build_v2`](super::ClientBuilder::build_v2) makes one. Requests are signed by
/// `ACS3-HMAC-SHA256`.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use greenlight::{
///     ImageUrl,
///     green::{Client, Credentials, Secret, Task, v2::ServiceCode},
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
///     .build_v2()?;
///
/// // `Task::new` takes the receipt of an accepted image; this one was not checked.
/// let task = Task::unchecked(ImageUrl::parse("https://images.example/porn.png")?);
/// let service: ServiceCode = "baselineCheck_global".parse()?;
/// let submission = client.submit(task, &service, None).await?;
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
    connection: Arc<Connection>,
    /// The region, if it was named and not an endpoint.
    region: Option<Arc<str>>,
    settings: Settings,
}

impl Client {
    pub(super) fn new(connection: Connection, region: Option<&str>) -> Self {
        Self {
            connection: Arc::new(connection),
            region: region.map(Arc::from),
            settings: Settings::default(),
        }
    }

    /// The host of the service.
    pub fn host(&self) -> &str {
        self.connection.endpoint.host()
    }

    /// Submits an image to the asynchronous scan (`ImageAsyncModeration`). It is billed once.
    ///
    /// If the future is dropped, the request may or may not have been sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] in a region without the asynchronous scan, and for a data id of more
    /// characters than [`with_max_data_id`](Self::with_max_data_id) allows, by default 64. Else
    /// when the request was refused or could not be made. With
    /// [`Retry::Ambiguous`](crate::Retry::Ambiguous) it was sent and not answered: it may have been
    /// done and billed, and was not repeated.
    pub async fn submit(
        &self,
        task: Task,
        service: &ServiceCode,
        callback: Option<&Callback>,
    ) -> Result<Submission, Error> {
        self.check_async()?;
        let batch = Batch::new([task])?;
        let (data_id, task) = only(&batch)?;
        let parameters = ServiceParameters::json(data_id, task, &self.settings, callback)?;
        let call = if self.settings.submits_forms {
            let fields = [
                ("Service", service.as_str()),
                ("ServiceParameters", parameters.as_str()),
            ];
            in_form("submit", "ImageAsyncModeration", &fields)
        } else {
            let query = vec![
                ("Service", service.to_string()),
                ("ServiceParameters", parameters),
            ];
            in_query("submit", "ImageAsyncModeration", query)
        };
        let call = paid(call, data_id);
        let envelope = self.connection.call(call).await?;
        let now = clock::instant();
        Ok(reply::submission(
            data_id,
            task,
            service.to_scene(),
            &envelope,
            now,
        ))
    }

    /// Scans an image synchronously (`ImageModeration`), in any region. It is billed once.
    ///
    /// [`Scanned::task_id`] is the id for [`details`](Self::details).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub async fn scan(&self, task: Task, service: &ServiceCode) -> Result<Scanned, Error> {
        let batch = Batch::new([task])?;
        let (data_id, task) = only(&batch)?;
        let parameters = ServiceParameters::json(data_id, task, &self.settings, None)?;
        let fields = [
            ("Service", service.as_str()),
            ("ServiceParameters", parameters.as_str()),
        ];
        let call = Call {
            timeout: Some(SYNC_TIMEOUT),
            ..paid(in_form("scan", "ImageModeration", &fields), data_id)
        };
        let envelope = self.connection.call(call).await?;
        Ok(reply::scanned(
            data_id,
            task,
            std::slice::from_ref(service),
            &envelope,
        ))
    }

    /// Scans an image synchronously with several services (`ImageBatchModeration`). It is billed
    /// once for each.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for no service; else as for [`submit`](Self::submit).
    pub async fn scan_with_all(
        &self,
        task: Task,
        services: &[ServiceCode],
    ) -> Result<Scanned, Error> {
        if services.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "name at least one service"));
        }
        let batch = Batch::new([task])?;
        let (data_id, task) = only(&batch)?;
        let names: Vec<&str> = services.iter().map(ServiceCode::as_str).collect();
        let query = vec![
            ("Service", names.join(",")),
            (
                "ServiceParameters",
                ServiceParameters::json(data_id, task, &self.settings, None)?,
            ),
        ];
        let call = Call {
            timeout: Some(SYNC_TIMEOUT),
            ..paid(in_query("scan", "ImageBatchModeration", query), data_id)
        };
        let envelope = self.connection.call(call).await?;
        Ok(reply::scanned(data_id, task, services, &envelope))
    }

    /// Requests the result of a task once (`DescribeImageModerationResult`). `None` if the service
    /// does not know the task: it was submitted a moment ago, or its result is no longer kept.
    ///
    /// # Errors
    ///
    /// When the service could not be asked.
    pub async fn result(&self, task: &TaskId) -> Result<Option<TaskReport>, Error> {
        let envelope = self.connection.call(requests::results(task)).await?;
        Ok(reply::polled(task, &envelope))
    }

    /// Requests further findings of a synchronous scan (`DescribeImageResultExt`), as JSON. `kinds`
    /// are `customImage`, `textInImage` or `publicFigure`. The service recommends a delay of five
    /// seconds after the scan, and keeps them for 30 days.
    ///
    /// # Errors
    ///
    /// When the service refused it or could not be reached.
    pub async fn details(&self, scan: &TaskId, kinds: &[&str]) -> Result<Option<String>, Error> {
        let kinds = kinds.join(",");
        let fields = [("ReqId", scan.as_str()), ("InfoType", kinds.as_str())];
        let call = in_form("details", "DescribeImageResultExt", &fields);
        let envelope = self.connection.call(call).await?;
        Ok(envelope.data.first().map(super::object::Object::to_json))
    }

    /// Uploads an accepted image and returns the receipt for its URL at the service
    /// (`DescribeUploadToken`, and a PUT with its credentials).
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
        upload::upload(&self.connection, accepted, content).await
    }

    /// Waits for the outcome of a submission, which the service keeps for three days.
    ///
    /// # Errors
    ///
    /// When polling failed, even after repetitions.
    pub async fn wait(&self, submission: &Submission) -> Result<Vec<TaskReport>, Error> {
        let config = &self.connection.settings.poll;
        Watch::wait(Arc::new(self.clone()), config, submission).await
    }

    /// Watches tasks. The time for which the service keeps results is counted from now.
    pub fn watch(&self, tasks: impl IntoIterator<Item = TaskId>) -> Watch {
        let config = &self.connection.settings.poll;
        Watch::new(Arc::new(self.clone()), config, tasks, clock::instant())
    }

    /// Checks that the client's region has the asynchronous scan, before anything is prepared for
    /// it. With an [`endpoint`](super::ClientBuilder::endpoint) the region is unknown, and nothing
    /// is refused.
    ///
    /// # Errors
    ///
    /// An error of kind [`ErrorKind::Usage`] that names the regions that have it (page 2638108,
    /// 2026-03).
    pub fn check_async(&self) -> Result<(), Error> {
        match self.region.as_deref() {
            Some(region) if !ASYNC_REGIONS.contains(&region) => Err(Error::new(
                ErrorKind::Usage,
                format!(
                    "no asynchronous scan is documented for region {}; use one of: {}",
                    harmless(region, 40),
                    ASYNC_REGIONS.join(", ")
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// The one task of a batch.
fn only(batch: &Batch) -> Result<(&DataId, &Task), Error> {
    let mut tasks = batch.tasks();
    match (tasks.next(), tasks.next()) {
        (Some(task), None) => Ok(task),
        _ => Err(Error::new(
            ErrorKind::Usage,
            "a submission of 2.0 has one image",
        )),
    }
}

impl Api for Client {
    fn terms(&self) -> Terms {
        Terms::V2
    }

    fn host(&self) -> &str {
        Self::host(self)
    }

    fn clock_skew(&self) -> Option<i64> {
        self.connection.clock.observed_seconds()
    }

    /// The host and the version: an endpoint may have both APIs.
    fn service(&self) -> String {
        format!("{}/{}", self.host(), self.connection.api_version)
    }

    fn submit<'a>(
        &'a self,
        batch: Batch,
        scenes: &'a [Scene],
        callback: Option<&'a Callback>,
    ) -> ApiReply<'a, Submission> {
        Box::pin(async move {
            let [service] = scenes else {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "an asynchronous scan of 2.0 has one service",
                ));
            };
            let service: ServiceCode = service.as_str().parse()?;
            let (data_id, task) = only(&batch)?;
            // The batch generated it if the task had none; a second batch would generate another.
            let task = task.clone().with_data_id(data_id.clone());
            Self::submit(self, task, &service, callback).await
        })
    }

    fn results<'a>(&'a self, tasks: &'a [TaskId]) -> ApiReply<'a, Vec<TaskReport>> {
        Box::pin(async move {
            let mut reports = Vec::with_capacity(tasks.len());
            // 2.0 has no request for several tasks. An error loses the reports before it, which the
            // next poll returns again.
            for task in tasks {
                reports.extend(self.result(task).await?);
            }
            Ok(reports)
        })
    }

    fn upload<'a>(
        &'a self,
        accepted: Accepted,
        content: &'a Content,
    ) -> ApiReply<'a, Accepted<ImageUrl>> {
        Box::pin(Self::upload(self, accepted, content))
    }
}
