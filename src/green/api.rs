//! What the APIs have in common: one trait, implemented by the client of each.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use super::{
    ids::TaskId,
    options::Callback,
    report::TaskReport,
    scene::Scene,
    submission::Submission,
    task::{Batch, Task},
    upload::Content,
};
use crate::{error::Error, image_url::ImageUrl, verdict::Accepted};

/// The future that the methods of an [`Api`] return. It is boxed, so that a pipeline holds an
/// `Arc<dyn Api>` instead of a type parameter.
pub type ApiReply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// An API of the moderation service, as the pipeline uses it: [`Client`](super::Client) is 1.0,
/// [`v2::Client`](super::v2::Client) is 2.0.
///
/// What the codes of a response mean is in the values that the methods return:
/// [`Refusal::retry`](super::Refusal::retry), [`TaskState`](super::TaskState),
/// [`Error::retry`] and [`Error::is_about_object`].
///
/// # Errors
///
/// Every method returns an error if the whole request was refused or could not be made. After
/// [`Retry::Ambiguous`](crate::Retry::Ambiguous) it may have been executed and billed.
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

/// The limits of an API.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The maximum number of images in one submission.
    pub max_tasks: usize,
    /// The maximum number of tasks in one request for results.
    pub max_results: usize,
    /// The maximum number of frames of an animation that are scanned by default.
    pub frame_cap: u32,
    /// How many images an account may submit per second by default, and how many requests for results
    /// it may make.
    pub per_second: u32,
    /// How long the service keeps results.
    pub retention: Duration,
    /// How long after its submission a task may be missing from the results before it counts as
    /// expired, if that is before the end of the retention.
    pub missing_for: Duration,
    /// The interval between a submission and its first poll, and between polls.
    pub poll_interval: Duration,
    /// How many requests are in flight at a time by default.
    pub in_flight: usize,
}

impl Terms {
    /// The terms of 1.0 (asynchronous moderation page, 2026-03; pages on the operations' limits, 70409
    /// and 84456).
    pub const V1: Self = Self {
        max_tasks: Batch::MAX,
        max_results: super::v1::Client::MAX_RESULTS,
        frame_cap: Task::FRAME_CAP,
        per_second: 50,
        retention: Duration::from_secs(60 * 60),
        missing_for: Duration::MAX,
        poll_interval: Duration::from_secs(5),
        in_flight: 8,
    };

    /// The terms of 2.0 (pages 467826, 2638108 and 2669855, 2026). A large model (`…ByVL`) accepts ten
    /// calls per second only.
    pub const V2: Self = Self {
        max_tasks: 1,
        max_results: 1,
        // The name of the parameter that selects more frames is documented on no page.
        frame_cap: 1,
        per_second: 100,
        retention: Duration::from_secs(3 * 24 * 60 * 60),
        missing_for: Duration::from_secs(60 * 60),
        poll_interval: Duration::from_secs(5),
        in_flight: 64,
    };
}
