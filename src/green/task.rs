//! Tasks and batches: the input of a submission.

use std::{collections::HashSet, fmt, time::SystemTime};

use super::{ids::DataId, options::ClientInfo, oss_object::OssObject};
use crate::{
    error::{Error, ErrorKind},
    frames::{Coverage, FRAME_CAP, Frames},
    image_url::ImageUrl,
    inspect::Inspection,
    verdict::{Accepted, Code, Measure, Severity, Violation},
};

/// One image to be scanned. It is billed once per scene, so it is made from the receipt of an
/// accepting verdict.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Inspection, Requirements, green::{Client, Content, Credentials, Secret}};
/// # let sandbox = greenlight::sandbox::Sandbox::start().await?;
/// # let key = sandbox.credentials();
/// # let key = Credentials::new(key.id(), Secret::new(key.secret()));
/// # let client = Client::builder().endpoint(&sandbox.endpoint()).credentials(key).build()?;
/// # let bytes = std::fs::read("fixtures/images/gif/animated.gif")?;
/// # let accepted = Requirements::ASYNC.judge(Inspection::of(&bytes)).into_result()?;
/// # let accepted = client.upload(accepted, &Content::bytes(bytes)).await?;
/// use greenlight::{Accepted, DataId, ImageUrl, green::Task};
///
/// fn task(accepted: Accepted<ImageUrl>) -> Result<Task, greenlight::Error> {
///     let task = Task::new(accepted).with_data_id(DataId::parse("photo-1")?);
///     // An animation is billed once for each scanned frame.
///     Ok(task.with_frame_cap(2))
/// }
///
/// assert_eq!(task(accepted)?.billed(), 2);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Task {
    url: ImageUrl,
    data_id: Option<DataId>,
    frames: Frames,
    /// The file's length in bytes, if it is known.
    len: Option<u64>,
    interval: Option<u32>,
    max_frames: Option<u32>,
    created: Option<SystemTime>,
    client_info: Option<ClientInfo>,
    object: Option<OssObject>,
}

impl Task {
    /// The default of [`with_frame_cap`](Self::with_frame_cap): how many frames of an animation, or
    /// parts of a long image, are scanned. Each is billed as an image.
    pub const FRAME_CAP: u32 = FRAME_CAP;

    /// Makes a task of an image that was accepted.
    ///
    /// An animation, and an image so long that the service cuts it into parts, gets the `interval`
    /// and `maxFrames` that spread [`FRAME_CAP`](Self::FRAME_CAP) scanned frames evenly over it: by
    /// default the service scans the first only. [`coverage`](Self::coverage) has the number of
    /// frames that are not scanned.
    pub fn new(accepted: Accepted<ImageUrl>) -> Self {
        let inspection = accepted.inspection();
        let frames = inspection.map_or(Frames::Unknown, Frames::of);
        let len = inspection.and_then(Inspection::len);
        let mut task = Self::unchecked(accepted.into_subject());
        (task.frames, task.len) = (frames, len);
        task.with_frame_cap(Self::FRAME_CAP)
    }

    /// Makes a task of an image that was not checked. The service also bills images that it cannot
    /// scan, and scans only the first frame of an animation.
    pub const fn unchecked(url: ImageUrl) -> Self {
        Self {
            url,
            data_id: None,
            frames: Frames::Unknown,
            len: None,
            interval: None,
            max_frames: None,
            created: None,
            client_info: None,
            object: None,
        }
    }

    /// Sets the caller's id of the image. Default: [`Batch::new`] makes a random one.
    #[must_use]
    pub fn with_data_id(mut self, data_id: DataId) -> Self {
        self.data_id = Some(data_id);
        self
    }

    /// Spreads at most `frames` scanned frames (at least one) over an animation or a long image, if
    /// its frames were counted. Each is billed as an image.
    #[must_use]
    pub fn with_frame_cap(mut self, frames: u32) -> Self {
        let spread = self.frames.spread(frames);
        self.interval = spread.map(|(interval, _)| interval);
        self.max_frames = spread.map(|(_, max_frames)| max_frames);
        self
    }

    /// Scans one of every `interval` frames, whatever is known of the image.
    #[must_use]
    pub const fn with_interval(mut self, interval: u32) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Scans at most `frames` frames, whatever is known of the image. Each is billed.
    #[must_use]
    pub const fn with_max_frames(mut self, frames: u32) -> Self {
        self.max_frames = Some(frames);
        self
    }

    /// Sets when the image was made or published.
    #[must_use]
    pub const fn with_time(mut self, created: SystemTime) -> Self {
        self.created = Some(created);
        self
    }

    /// Sets information about the publisher of the image.
    #[must_use]
    pub fn with_client_info(mut self, client_info: ClientInfo) -> Self {
        self.client_info = Some(client_info);
        self
    }

    /// Lets 2.0 read the image from an object in the caller's own bucket and not from its URL. The
    /// caller guarantees that both have the same bytes. 1.0 has no such parameter and refuses the
    /// task.
    #[must_use]
    pub fn with_object(mut self, object: OssObject) -> Self {
        self.object = Some(object);
        self
    }

    /// The URL of the image.
    pub const fn url(&self) -> &ImageUrl {
        &self.url
    }

    /// The caller's id of the image, if set.
    pub const fn data_id(&self) -> Option<&DataId> {
        self.data_id.as_ref()
    }

    /// One of this many frames is scanned. Unset means that only the first is.
    pub const fn interval(&self) -> Option<u32> {
        self.interval
    }

    /// The maximum number of scanned frames. Unset means one.
    pub const fn max_frames(&self) -> Option<u32> {
        self.max_frames
    }

    /// The number of scanned frames; `None` if the image was not inspected. A coverage that is not
    /// [whole](Coverage::is_whole) has a [`warning`](Self::warning).
    pub fn coverage(&self) -> Option<Coverage> {
        self.frames.coverage(self.interval, self.max_frames)
    }

    /// Returns a warning, [`Code::ImageFramesUnseen`], if frames or parts are not scanned: measured
    /// is how many are scanned, the limit how many there are, if they were counted. The verdict's
    /// is of the default [`FRAME_CAP`](Self::FRAME_CAP) and of counted frames only.
    ///
    /// Without `interval` the service checks the first frame only (asynchronous moderation page,
    /// 2021).
    pub fn warning(&self) -> Option<Violation> {
        let coverage = self.coverage().filter(|coverage| !coverage.is_whole())?;
        Some(Violation::new(
            Code::ImageFramesUnseen,
            Severity::Warn,
            coverage.unseen_message(),
            Some(Measure::Number(coverage.seen().into())),
            coverage.total().map(|total| Measure::Number(total.into())),
        ))
    }

    /// How many images are billed for it, at most, for one scene.
    pub fn billed(&self) -> u32 {
        // At least one: the first frame is scanned whatever is known of the image.
        self.coverage()
            .map_or(self.max_frames.unwrap_or(1), |coverage| coverage.seen())
            .max(1)
    }

    /// The object that is read in place of the URL, if set.
    pub const fn object(&self) -> Option<&OssObject> {
        self.object.as_ref()
    }

    pub(super) const fn len(&self) -> Option<u64> {
        self.len
    }

    pub(super) const fn created(&self) -> Option<SystemTime> {
        self.created
    }

    pub(super) const fn client_info(&self) -> Option<&ClientInfo> {
        self.client_info.as_ref()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("data_id", &self.data_id.as_ref().map(DataId::as_str))
            .field("url", &self.url)
            .field("interval", &self.interval)
            .field("max_frames", &self.max_frames)
            .finish_non_exhaustive()
    }
}

/// Tasks that are submitted by one request. Each has a unique data id.
///
/// ```
/// use greenlight::{DataId, ImageUrl, green::{Batch, Task}};
///
/// let url = ImageUrl::parse("https://images.example/a.png").expect("a URL");
/// let named = Task::unchecked(url.clone()).with_data_id(DataId::parse("photo-1")?);
/// let batch = Batch::new([named.clone(), Task::unchecked(url)])?;
/// assert_eq!((batch.len(), batch.billed()), (2, 2));
/// assert!(Batch::new([named.clone(), named]).is_err(), "the same data id twice");
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch {
    entries: Vec<NamedTask>,
}

/// A task with its data id.
#[derive(Clone, Debug)]
struct NamedTask {
    data_id: DataId,
    task: Task,
}

impl Batch {
    /// The maximum number of tasks in a request.
    ///
    /// The sample of the asynchronous scan (Python SDK page, 2019-06) names 50, which is also the
    /// default quota of images a second: a larger batch could be refused for its size alone.
    pub const MAX: usize = 50;

    /// The largest batch that any edition of the service's pages names.
    const MAX_RAISED: usize = 100;

    /// Collects tasks and makes a random data id for each that has none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for no task, more than [`MAX`](Self::MAX), or two with one data id.
    pub fn new(tasks: impl IntoIterator<Item = Task>) -> Result<Self, Error> {
        Self::with_limit(Self::MAX, tasks)
    }

    /// As [`new`](Self::new), for an account whose quota was raised: at most `limit` tasks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] as for [`new`](Self::new), and for a limit that is not 1 to 100.
    pub fn with_limit(limit: usize, tasks: impl IntoIterator<Item = Task>) -> Result<Self, Error> {
        let usage = |message: String| Err(Error::new(ErrorKind::Usage, message));
        if !(1..=Self::MAX_RAISED).contains(&limit) {
            return usage(format!("batch limit is not 1 to 100: {limit}"));
        }
        let entries: Vec<NamedTask> = tasks
            .into_iter()
            // One more than is allowed, so that an endless iterator is an error too.
            .take(limit.saturating_add(1))
            .map(|task| NamedTask {
                data_id: task.data_id.clone().unwrap_or_else(DataId::random),
                task,
            })
            .collect();
        if entries.is_empty() {
            return usage("the batch is empty".to_owned());
        }
        if entries.len() > limit {
            return usage(format!("the batch has more than {limit} tasks"));
        }
        let mut seen = HashSet::with_capacity(entries.len());
        if let Some(twice) = entries.iter().find(|entry| !seen.insert(&entry.data_id)) {
            return usage(format!(
                "two tasks of the batch have the data id {}",
                twice.data_id
            ));
        }
        Ok(Self { entries })
    }

    /// The number of tasks, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many images are billed for it, at most, for one scene.
    pub fn billed(&self) -> u32 {
        self.entries
            .iter()
            .fold(0, |sum, entry| sum.saturating_add(entry.task.billed()))
    }

    /// The tasks and their data ids, in order.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = (&DataId, &Task)> {
        self.entries
            .iter()
            .map(|entry| (&entry.data_id, &entry.task))
    }
}
