//! What the APIs have in common: one trait, implemented by the client of each.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use super::{
    ids::TaskId, options::Callback, report::TaskReport, scene::Scene, submission::Submission,
    task::Batch, terms::Terms, upload::Content,
};
use crate::{error::Error, image_url::ImageUrl, verdict::Accepted};

/// The future that the methods of an [`Api`] return. It is boxed, so that a pipeline holds an
/// `Arc<dyn Api>` instead of a type parameter.
///
/// ```
/// use std::time::Duration;
/// use greenlight::{TaskId, green::{Api, ApiReply, TaskReport}};
///
/// /// Requests results with a time limit.
/// fn results<'a>(api: &'a dyn Api, tasks: &'a [TaskId]) -> ApiReply<'a, Vec<TaskReport>> {
///     Box::pin(async {
///         let results = tokio::time::timeout(Duration::from_secs(5), api.results(tasks));
///         results.await.unwrap_or_else(|_| Ok(Vec::new())) // the next poll requests them again
///     })
/// }
/// # #[cfg(feature = "sandbox")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{ImageUrl, Scene, green::{Batch, Client, Credentials, Secret, Task}};
/// # let sandbox = greenlight::sandbox::Sandbox::start().await?;
/// # let key = sandbox.credentials();
/// # let key = Credentials::new(key.id(), Secret::new(key.secret()));
/// # let client = Client::builder().endpoint(&sandbox.endpoint()).credentials(key).build()?;
/// # let task = Task::unchecked(ImageUrl::parse("https://images.example/a.png")?);
/// # let submission = client.submit(Batch::new([task])?, &[Scene::Porn]).await?;
///
/// let tasks: Vec<TaskId> = submission.task_ids().cloned().collect();
/// let reports = results(&client, &tasks).await?;
/// assert_eq!(reports[0].task_id(), &tasks[0]);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
pub type ApiReply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// An API of the moderation service, as the pipeline uses it: [`Client`](super::Client) is 1.0,
/// [`v2::Client`](super::v2::Client) is 2.0.
///
/// What the codes of a response mean is in the values that the methods return:
/// [`Refusal::retry`](super::Refusal::retry), [`TaskState`](super::TaskState),
/// [`Error::retry`] and [`Error::subject`].
///
/// # Errors
///
/// Every method returns an error if the whole request was refused or could not be made. After
/// [`Retry::Ambiguous`](crate::Retry::Ambiguous) it may have been executed and billed.
///
/// ```
/// use greenlight::green::{Api, Client, Credentials, Secret};
///
/// /// Accepts the client of either API.
/// fn describe(api: &dyn Api) -> String {
///     format!("{}, {} per request", api.host(), api.terms().max_tasks)
/// }
///
/// let region = "ap-southeast-1";
/// let key = Credentials::new("key-id", Secret::new("key-secret"));
/// let builder = Client::builder().region(region).credentials(key);
/// assert_eq!(describe(&builder.clone().build()?), "green.ap-southeast-1.aliyuncs.com, 50 per request");
/// assert_eq!(describe(&builder.build_v2()?), "green-cip.ap-southeast-1.aliyuncs.com, 1 per request");
/// # Ok::<(), greenlight::Error>(())
/// ```
pub trait Api: fmt::Debug + Send + Sync {
    /// Returns the limits of the API.
    fn terms(&self) -> Terms;

    /// Returns the host of the service.
    fn host(&self) -> &str;

    /// Returns the name of the service in the scope of a ledger: the host, and what else
    /// distinguishes the API.
    fn service(&self) -> String;

    /// Returns how many seconds the service's clock was ahead of this host's in its last response; `None`
    /// before the first. The default implementation returns `None`.
    fn clock_skew(&self) -> Option<i64> {
        None
    }

    /// Submits images to the asynchronous scan. `scenes` are what each image is scanned for, and
    /// billed for: scenes in 1.0, the code of one service in 2.0.
    fn submit<'a>(
        &'a self,
        batch: Batch,
        scenes: &'a [Scene],
        callback: Option<&'a Callback>,
    ) -> ApiReply<'a, Submission>;

    /// Requests the results of at most [`Terms::max_results`] tasks once. The request is idempotent. A
    /// task that the service does not name is not in the list.
    fn results<'a>(&'a self, tasks: &'a [TaskId]) -> ApiReply<'a, Vec<TaskReport>>;

    /// Uploads an accepted image to where the service reads it.
    fn upload<'a>(
        &'a self,
        accepted: Accepted,
        content: &'a Content,
    ) -> ApiReply<'a, Accepted<ImageUrl>>;
}

impl<T: Api + ?Sized> Api for Arc<T> {
    fn terms(&self) -> Terms {
        (**self).terms()
    }

    fn host(&self) -> &str {
        (**self).host()
    }

    fn service(&self) -> String {
        (**self).service()
    }

    fn clock_skew(&self) -> Option<i64> {
        (**self).clock_skew()
    }

    fn submit<'a>(
        &'a self,
        batch: Batch,
        scenes: &'a [Scene],
        callback: Option<&'a Callback>,
    ) -> ApiReply<'a, Submission> {
        (**self).submit(batch, scenes, callback)
    }

    fn results<'a>(&'a self, tasks: &'a [TaskId]) -> ApiReply<'a, Vec<TaskReport>> {
        (**self).results(tasks)
    }

    fn upload<'a>(
        &'a self,
        accepted: Accepted,
        content: &'a Content,
    ) -> ApiReply<'a, Accepted<ImageUrl>> {
        (**self).upload(accepted, content)
    }
}
