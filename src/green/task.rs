//! What is submitted.

use std::{collections::HashSet, fmt};

use super::ids::DataId;
use crate::{
    error::{Error, ErrorKind},
    image_url::ImageUrl,
    verdict::Accepted,
};

/// One image to be scanned. It costs money once per scene, so it is made from the receipt of an
/// accepting verdict.
#[derive(Clone)]
pub struct Task {
    url: ImageUrl,
    data_id: Option<DataId>,
    interval: Option<u32>,
    max_frames: Option<u32>,
}

impl Task {
    /// Makes a task of an image that was accepted.
    pub fn new(accepted: Accepted<ImageUrl>) -> Self {
        Self::unchecked(accepted.into_subject())
    }

    /// Makes a task of an image that nobody looked at. The service bills what it cannot scan, too.
    pub const fn unchecked(url: ImageUrl) -> Self {
        Self {
            url,
            data_id: None,
            interval: None,
            max_frames: None,
        }
    }

    /// Sets the caller's name for the image; without one, [`Batch::new`] makes one.
    #[must_use]
    pub fn with_data_id(mut self, data_id: DataId) -> Self {
        self.data_id = Some(data_id);
        self
    }

    /// Has one of every `interval` frames of an animation, or parts of a long image, looked at.
    #[must_use]
    pub const fn with_interval(mut self, interval: u32) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Has at most `frames` frames looked at. Each is billed.
    #[must_use]
    pub const fn with_max_frames(mut self, frames: u32) -> Self {
        self.max_frames = Some(frames);
        self
    }

    /// Where the image is.
    pub const fn url(&self) -> &ImageUrl {
        &self.url
    }

    /// The caller's name for the image, if it has one yet.
    pub const fn data_id(&self) -> Option<&DataId> {
        self.data_id.as_ref()
    }

    /// One of how many frames is looked at. Unset means that the service looks at the first only.
    pub const fn interval(&self) -> Option<u32> {
        self.interval
    }

    /// How many frames are looked at at most. Unset means one.
    pub const fn max_frames(&self) -> Option<u32> {
        self.max_frames
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("data_id", &self.data_id.as_ref().map(DataId::as_str))
            .field("url", &self.url)
            .field("interval", &self.interval)
            .field("max_frames", &self.max_frames)
            .finish()
    }
}

/// Tasks that are submitted by one request. Each has a name of its own.
#[derive(Clone, Debug)]
pub struct Batch {
    entries: Vec<Entry>,
}

/// A task that has its name.
#[derive(Clone, Debug)]
struct Entry {
    data_id: DataId,
    task: Task,
}

impl Batch {
    /// How many tasks a request holds at most.
    ///
    /// The sample of the asynchronous scan (Python SDK page, 2019-06) names 50, which is also the
    /// default quota of images a second: a larger batch could be refused for its size alone.
    pub const MAX: usize = 50;

    /// The largest batch that any edition of the service's pages names.
    const MAX_RAISED: usize = 100;

    /// Gathers tasks and gives a name to each that has none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for no task, more than [`MAX`](Self::MAX), or two of one name.
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
        let entries: Vec<Entry> = tasks
            .into_iter()
            .take(limit.saturating_add(1))
            .map(|task| Entry {
                data_id: task.data_id.clone().unwrap_or_else(DataId::random),
                task,
            })
            .collect();
        if entries.is_empty() {
            return usage("batch holds no task".to_owned());
        }
        if entries.len() > limit {
            return usage(format!("batch holds more tasks than allowed: {limit}"));
        }
        let mut seen = HashSet::with_capacity(entries.len());
        if let Some(twice) = entries.iter().find(|entry| !seen.insert(&entry.data_id)) {
            return usage(format!("batch holds a dataId twice: {}", twice.data_id));
        }
        Ok(Self { entries })
    }

    /// How many tasks there are, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The tasks and their names, in the order given.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = (&DataId, &Task)> {
        self.entries
            .iter()
            .map(|entry| (&entry.data_id, &entry.task))
    }
}
