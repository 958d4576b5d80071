//! The arguments and results of a ledger's methods: plain records, which both callers and
//! implementations construct.

use std::{borrow::Cow, ops::Range, path::PathBuf, time::SystemTime};

use super::{key::Key, state::State};
use crate::ids::{RequestId, TaskId};

/// An image to enqueue, and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImage {
    /// The identity of the image.
    pub key: Key,
    /// The location of the image.
    pub location: Location,
    /// The result of the checks so far.
    pub known: Known,
    /// Facts to store with the image, as JSON text.
    pub facts: Option<String>,
    /// The list entry that names the image.
    pub source: Source,
    /// Whether an outcome that was already delivered to this source is delivered again.
    pub deliver_again: bool,
}

/// The location of an image.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A URL. For a rejected image it may be any text, because malformed URLs are recorded too.
    Url(String),
    /// A file. The image is identified by its bytes, so several files may contain it; an image that
    /// still has to be read or uploaded is read from the file that was enqueued last.
    File(PathBuf),
}

impl Location {
    /// Returns the URL or the path as text to display.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Url(url) => Cow::Borrowed(url),
            Self::File(path) => path.to_string_lossy(),
        }
    }
}

/// The state of a new image when it is enqueued. Ignored for images that the ledger knows.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// No check was made.
    Nothing,
    /// The text of the URL meets the requirements, or the file is readable.
    Checked,
    /// The image is rejected without inspecting its bytes.
    Rejected(Reason),
}

/// A list entry that names an image. An image may have many sources; each gets the outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The name of the list: a file name, or any other.
    pub origin: String,
    /// The line of the list, from 1.
    pub line: u64,
    /// The user's id for the image, returned with the outcome.
    pub data_id: Option<String>,
    /// The text of the entry, if it differs from the image's location. It distinguishes several
    /// sources of one line, such as the files of a folder. If the image already has another
    /// location, the ledger stores this source's location here.
    pub text: Option<String>,
}

/// The result of enqueuing one [`NewImage`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// Whether the image is new.
    pub new_image: bool,
    /// The [number](super::Row::number) of the source.
    pub number: i64,
    /// Whether the source is new.
    pub new_source: bool,
    /// The current state of the image.
    pub state: State,
    /// Whether the outcome was delivered to this source earlier and acknowledged. It is delivered
    /// again only if [`deliver_again`](NewImage::deliver_again) is set.
    pub was_delivered: bool,
}

impl Enqueued {
    /// Returns the result for a known source `number` of a known image in `state`.
    pub const fn new(number: i64, state: State) -> Self {
        Self {
            new_image: false,
            number,
            new_source: false,
            state,
            was_delivered: false,
        }
    }
}

/// The reason why an image was rejected, could not be read, was rejected by the service or
/// abandoned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The stable class that images are counted and retried by: `download/too-slow`, `submit/590`.
    pub class: String,
    /// A description to display.
    pub message: String,
}

/// The purpose of a claim.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Probing: received and checked images, and unreachable ones that are due.
    Probe,
    /// Submission: probed and expired images.
    Submit,
}

/// The fencing token of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease(pub i64);

/// An image and the lease under which it is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The key of the image.
    pub key: Key,
    /// The token of the claim.
    pub lease: Lease,
}

/// A claimed image.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The image and its lease.
    pub hold: Hold,
    /// The location to read the image from.
    pub location: Location,
    /// The state of the image.
    pub state: State,
    /// Failed attempts: at probing or, once the image was accepted, since then.
    pub attempts: u32,
    /// The recorded facts, as JSON text.
    pub facts: Option<String>,
    /// The host that added a file, if the store recorded it.
    pub host: Option<String>,
    /// Whether an image at a URL is uploaded before it is submitted: see [`NextStep::Upload`].
    pub by_upload: bool,
}

impl Claimed {
    /// Returns a claimed image without failed attempts and facts.
    pub const fn new(hold: Hold, location: Location, state: State) -> Self {
        Self {
            hold,
            location,
            state,
            attempts: 0,
            facts: None,
            host: None,
            by_upload: false,
        }
    }
}

/// The result of checking or probing one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The image and its lease.
    pub hold: Hold,
    /// The verdict.
    pub judgement: Judgement,
    /// Facts to store with the image, as JSON text. `None` keeps the stored facts.
    pub facts: Option<String>,
    /// How many images are billed per submission and scene, at most; each scanned frame counts as
    /// an image.
    pub billed: u32,
}

/// The verdict on an image before it is submitted.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The image may be submitted.
    Accepted,
    /// The image must not be submitted.
    Rejected(Reason),
    /// The image could not be read.
    Unreachable(NextStep),
    /// The image is the one with this key: the claimed image is removed and its sources become
    /// sources of that image, which is enqueued as [`Known::Checked`] if it is new. Only for an
    /// image that was never submitted.
    Renamed(Key),
}

/// The next step for an image after a failure.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Try again without counting the attempt: the failure did not depend on the image.
    Again {
        /// The earliest time of the next attempt.
        at: SystemTime,
    },
    /// Try again and count the attempt in [`Claimed::attempts`].
    Retry {
        /// The earliest time of the next attempt.
        at: SystemTime,
        /// The cause of the failure.
        reason: Reason,
    },
    /// Upload the image before it is submitted, count the attempt, and store the reason of
    /// `otherwise`: the service could not download the image from its URL. A file is always
    /// uploaded, and an image at a URL takes this step once; after that, `otherwise` applies.
    Upload {
        /// The earliest time of the next attempt.
        at: SystemTime,
        /// The next step for an image that this step does not apply to.
        otherwise: Box<Self>,
    },
    /// Abandon the image.
    Dead(Reason),
}

impl NextStep {
    /// Returns the cause of the failure, if it is stored with the image.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Again { .. } => None,
            Self::Retry { reason, .. } | Self::Dead(reason) => Some(reason),
            Self::Upload { otherwise, .. } => otherwise.reason(),
        }
    }
}

/// The id of a batch: 128 random bits, assigned by the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchId(pub [u8; 16]);

/// A batch that may be sent now.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The id of the batch.
    pub batch: BatchId,
    /// The images of the batch, in the order they were passed.
    pub keys: Vec<Key>,
}

impl Begun {
    /// Returns a batch of these images.
    pub const fn new(batch: BatchId, keys: Vec<Key>) -> Self {
        Self { batch, keys }
    }
}

/// The result of a batch's request.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchResult {
    /// The service returned a result per image. Images that the response omits become uncertain.
    Answered {
        /// The service's id of the request.
        request_id: Option<RequestId>,
        /// When to poll for results first.
        poll_at: SystemTime,
        /// When the service discards the results.
        expires_at: SystemTime,
        /// The result of each image in the response.
        entries: Vec<(Key, ImageResult)>,
        /// Task ids that the response assigns to no image of the batch. They are kept, because they
        /// were billed.
        strays: Vec<TaskId>,
    },
    /// The whole request was definitely rejected or definitely not sent: nothing was billed.
    ///
    /// With [`NextStep::Again`] and [`NextStep::Retry`] the leases stay valid until another caller
    /// claims the images, which is not possible before the given time. So the caller can split the
    /// batch and begin again immediately.
    Refused {
        /// The service's id of the request.
        request_id: Option<RequestId>,
        /// The next step for each image.
        next: NextStep,
    },
    /// No response arrived: the request may have been billed.
    Unknown,
}

/// The service's result for one image of a batch.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageResult {
    /// The service returned a task id.
    Task(TaskId),
    /// The service rejected the image.
    Refused(NextStep),
}

/// Task ids received for images that no longer wait for them: these images were billed twice.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stray {
    /// The number of tasks.
    pub tasks: usize,
}

/// A task that is due to be polled.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The key of the image.
    pub key: Key,
    /// The id of the task.
    pub task_id: TaskId,
    /// Failed attempts since the image was accepted.
    pub attempts: u32,
    /// When the image was submitted.
    pub submitted_at: SystemTime,
    /// When the service discards the result.
    pub expires_at: SystemTime,
}

impl Poll {
    /// Returns a task without failed attempts. `lifetime` is the time from its submission to the
    /// expiry of its result.
    pub const fn new(key: Key, task_id: TaskId, lifetime: Range<SystemTime>) -> Self {
        Self {
            key,
            task_id,
            attempts: 0,
            submitted_at: lifetime.start,
            expires_at: lifetime.end,
        }
    }
}

/// The state of a task according to a poll or a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskUpdate {
    /// The id of the task.
    pub task_id: TaskId,
    /// The key of the image, if the message contains it. It identifies the image even if the
    /// response with the task id was lost.
    pub key: Option<Key>,
    /// The new state of the task.
    pub update: Update,
}

/// The new state of a task.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The task is still running.
    Processing {
        /// When to poll again.
        poll_at: SystemTime,
    },
    /// The task completed with this outcome, as JSON text.
    Decided(String),
    /// The task failed. Scanning the image again is billed again.
    Failed(NextStep),
    /// The service no longer has the result. The image is submitted once more; if its result
    /// expires again, it is dead with the class [`EXPIRED_CLASS`].
    Expired,
}

/// The class of images whose results expired twice.
pub const EXPIRED_CLASS: &str = "task/expired";

/// The counts of [`Ledger::recover`](super::Ledger::recover).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Images that became uncertain.
    pub uncertain: u64,
    /// Uncertain images that are due to be submitted again.
    pub resubmitted: u64,
}
