//! The results of submissions and of synchronous scans.

use tokio::time::Instant;

use super::{
    ids::{DataId, RequestId, TaskId},
    outcome::Outcome,
    refusal::Refusal,
    scene::Scene,
};
use crate::image_url::ImageUrl;

/// The service's answer to a batch.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{ImageUrl, Scene, green::{Batch, Client, Credentials, Secret, Task}};
/// # let sandbox = greenlight::sandbox::Sandbox::start().await?;
/// # let key = sandbox.credentials();
/// # let key = Credentials::new(key.id(), Secret::new(key.secret()));
/// # let client = Client::builder().endpoint(&sandbox.endpoint()).credentials(key);
/// # let client = client.poll_interval(std::time::Duration::from_millis(20)).build()?;
/// # let task = Task::unchecked(ImageUrl::parse("https://images.example/a.png")?);
/// # let batch = Batch::new([task])?;
/// let submission = client.submit(batch, &[Scene::Porn]).await?;
/// for entry in submission.entries() {
///     match entry.result() {
///         Ok(task_id) => println!("{}: {task_id}", entry.data_id()),
///         Err(refusal) => println!("{}: not scanned: {refusal}", entry.data_id()),
///     }
/// }
/// let reports = client.wait(&submission).await?;
/// assert_eq!(reports.len(), submission.task_ids().count());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Submission {
    pub(super) request_id: Option<RequestId>,
    pub(super) entries: Vec<Submitted>,
    pub(super) strays: Vec<TaskId>,
    pub(super) scenes: Vec<Scene>,
    pub(super) taken: Instant,
}

/// The result of submitting one task of a batch.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{
///     ImageUrl, Scene,
///     green::{Batch, Client, Credentials, Secret, Task},
///     sandbox::Sandbox,
/// };
///
/// let sandbox = Sandbox::start().await?;
/// let key = sandbox.credentials();
/// let client = Client::builder()
///     .endpoint(&sandbox.endpoint())
///     .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
///     .build()?;
/// let task = Task::unchecked(ImageUrl::parse("https://example.com/cat.png")?);
/// let submission = client.submit(Batch::new([task])?, &[Scene::Porn]).await?;
/// match submission.entries()[0].result() {
///     Ok(task_id) => println!("store {task_id} before anything else: it is paid for"),
///     Err(refusal) => println!("not scanned and not billed: {refusal}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Submitted {
    pub(super) data_id: DataId,
    pub(super) url: ImageUrl,
    pub(super) result: Result<TaskId, Refusal>,
}

impl Submission {
    /// When the tasks were accepted: the service keeps their results for an hour.
    pub(super) const fn taken(&self) -> Instant {
        self.taken
    }

    /// The service's id of the request.
    pub const fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }

    /// The requested scenes.
    pub fn scenes(&self) -> &[Scene] {
        &self.scenes
    }

    /// The result for each task, in the order of the batch.
    pub fn entries(&self) -> &[Submitted] {
        &self.entries
    }

    /// The ids of the accepted tasks. Tasks without an id are among the
    /// [`entries`](Self::entries) only.
    pub fn task_ids(&self) -> impl Iterator<Item = &TaskId> {
        self.entries.iter().filter_map(Submitted::task_id)
    }

    /// Ids in the answer that belong to no task of the batch: a wrong dataId, or a second id for
    /// one task. They were billed, so they are not dropped.
    pub fn strays(&self) -> &[TaskId] {
        &self.strays
    }
}

impl Submitted {
    /// The task's data id.
    pub const fn data_id(&self) -> &DataId {
        &self.data_id
    }

    /// The URL of the image.
    pub const fn url(&self) -> &ImageUrl {
        &self.url
    }

    /// The id to poll for the result, or why there is none.
    ///
    /// # Errors
    ///
    /// The service's refusal of this task, or that the response does not state whether it was
    /// accepted: see [`Refusal::is_ambiguous`].
    pub const fn result(&self) -> Result<&TaskId, &Refusal> {
        self.result.as_ref()
    }

    /// The id to poll for the result, if the task was accepted.
    pub fn task_id(&self) -> Option<&TaskId> {
        self.result.as_ref().ok()
    }
}

/// The result of a synchronous scan of one image.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{
///     ImageUrl, Scene,
///     green::{Batch, Client, Credentials, ScanOptions, Secret, Task},
///     sandbox::Sandbox,
/// };
///
/// let sandbox = Sandbox::start().await?;
/// let key = sandbox.credentials();
/// let client = Client::builder()
///     .endpoint(&sandbox.endpoint())
///     .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
///     .build()?;
/// let task = Task::unchecked(ImageUrl::parse("https://example.com/cat.png")?);
/// let options = ScanOptions::new(&[Scene::Porn]);
/// for scanned in client.scan(Batch::new([task])?, &options).await? {
///     let outcome = scanned.result().expect("the sandbox scans every image");
///     println!("{}: {}", scanned.url(), outcome.decision());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Scanned {
    pub(super) data_id: DataId,
    pub(super) url: ImageUrl,
    pub(super) task_id: Option<TaskId>,
    pub(super) result: Result<Outcome, Refusal>,
}

impl Scanned {
    /// The task's data id.
    pub const fn data_id(&self) -> &DataId {
        &self.data_id
    }

    /// The URL of the image.
    pub const fn url(&self) -> &ImageUrl {
        &self.url
    }

    /// The service's id of the task, for [`feedback`](super::Client::feedback).
    pub const fn task_id(&self) -> Option<&TaskId> {
        self.task_id.as_ref()
    }

    /// The outcome, or why the image was not scanned.
    ///
    /// # Errors
    ///
    /// The service's refusal of this image.
    pub const fn result(&self) -> Result<&Outcome, &Refusal> {
        self.result.as_ref()
    }
}
