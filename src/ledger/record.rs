//! What goes into a ledger and comes out: plain records, which callers and implementations both
//! build.

use std::{
    borrow::Cow,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::{key::Key, state::State};
#[cfg(any(feature = "ledger", feature = "postgres"))]
use crate::error::{Error, ErrorKind};
use crate::ids::{RequestId, TaskId};

/// An image to be noted, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImage {
    /// Its identity.
    pub key: Key,
    /// Where it is.
    pub location: Location,
    /// What is known already.
    pub known: Known,
    /// What is to be kept of it, as JSON text.
    pub facts: Option<String>,
    /// Where it came from.
    pub source: Source,
    /// Whether a source that had its outcome before gets it again.
    pub deliver_again: bool,
}

/// Where an image is.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// At this URL, or nowhere, if that is only a text that was meant to be one.
    Url(String),
    /// In this file. Its bytes are the image's identity, and it may be found in another one later:
    /// an image that still has to be read or uploaded is looked for where it was noted last.
    File(PathBuf),
}

impl Location {
    /// The URL or the path, for people.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Url(url) => Cow::Borrowed(url),
            Self::File(path) => path.to_string_lossy(),
        }
    }
}

/// What is known of an image when it is noted. Of one that is noted already this is ignored.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// Its URL's text meets the requirements, or its file is one that can be read.
    Checked,
    /// It is refused without a look at its bytes.
    Rejected(Reason),
}

/// Where an image came from. An image may have many sources; each gets the outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The list's name: a file's, or any other.
    pub origin: String,
    /// The place in the list, from 1.
    pub line: u64,
    /// The user's own name for it, carried through to the outcome.
    pub data_id: Option<String>,
    /// The text as the list has it, if it differs from the image's location. Sources of one line, such
    /// as the files of a folder, are told apart by it. A location that differs from the one that its
    /// image has is kept here by the ledger.
    pub text: Option<String>,
}

/// What became of one [`NewImage`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// Whether the image is new.
    pub new_image: bool,
    /// The [number](super::Row::number) of the source.
    pub number: i64,
    /// Whether the source is new.
    pub new_source: bool,
    /// Where the image is now.
    pub state: State,
    /// Whether the source had its outcome before and it was acknowledged: then it is delivered again
    /// only if [`deliver_again`](NewImage::deliver_again) asks for it.
    pub was_delivered: bool,
}

impl Enqueued {
    /// Returns the record of the known source `number`, whose image is known and in `state`.
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

/// Why an image was rejected, could not be read, refused or given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The stable class, by which it is counted and retried: `download/too-slow`, `submit/590`.
    pub class: String,
    /// In words.
    pub message: String,
}

/// What images are claimed for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// To be probed: received, checked, and unreachable ones whose time has come.
    Probe,
    /// To be submitted: probed and expired ones.
    Submit,
}

/// The token of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease(pub i64);

/// An image and the claim it is held by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The image.
    pub key: Key,
    /// The claim.
    pub lease: Lease,
}

/// An image that was handed out.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The image and the claim.
    pub hold: Hold,
    /// Where to read it.
    pub location: Location,
    /// Where it is.
    pub state: State,
    /// How often it failed while being probed or, once accepted, since then.
    pub attempts: u32,
    /// What the probe recorded, as it was given.
    pub facts: Option<String>,
}

impl Claimed {
    /// Returns a claimed image without failures and facts.
    pub const fn new(hold: Hold, location: Location, state: State) -> Self {
        Self {
            hold,
            location,
            state,
            attempts: 0,
            facts: None,
        }
    }
}

/// What checking or probing found about one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The image and the claim.
    pub hold: Hold,
    /// What was found.
    pub judgement: Judgement,
    /// What is to be kept of it, as JSON text. `None` keeps what was there.
    pub facts: Option<String>,
    /// How many images are billed for it, at most, each time it is submitted, for one scene: each
    /// frame that is looked at counts.
    pub billed: u32,
}

/// What was found about an image before it is submitted.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It may be submitted.
    Accepted,
    /// It may not.
    Rejected(Reason),
    /// It could not be read.
    Unreachable(Fate),
}

/// What is to become of an image after a failure.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Once more, and it was not the image's fault: not counted.
    Again {
        /// Not before.
        at: SystemTime,
    },
    /// Once more, counted in [`Claimed::attempts`].
    Retry {
        /// Not before.
        at: SystemTime,
        /// Why.
        reason: Reason,
    },
    /// Given up.
    Dead(Reason),
}

/// The identity of a batch: 128 random bits, given by the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchId(pub [u8; 16]);

/// A batch that may be sent now.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The batch.
    pub batch: BatchId,
    /// The images that are part of it, in the order they were given.
    pub keys: Vec<Key>,
}

impl Begun {
    /// Returns a batch of these images.
    pub const fn new(batch: BatchId, keys: Vec<Key>) -> Self {
        Self { batch, keys }
    }
}

/// What became of a batch's request.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The service answered for single images. Those it did not mention become uncertain.
    Answered {
        /// The service's id of the request.
        request_id: Option<RequestId>,
        /// When results may first be asked for.
        poll_at: SystemTime,
        /// When results are no longer kept.
        expires_at: SystemTime,
        /// What it said.
        entries: Vec<(Key, Entry)>,
        /// Task ids that it gave for no image of the batch: kept, because they were paid for.
        strays: Vec<TaskId>,
    },
    /// The whole request was definitely refused, or definitely not sent: nothing was paid.
    ///
    /// With [`Fate::Again`] and [`Fate::Retry`] the claims stay valid until somebody else claims
    /// the images, which is not before the time given: a batch can be split and begun again at
    /// once.
    Refused {
        /// The service's id of the request.
        request_id: Option<RequestId>,
        /// What becomes of each image.
        fate: Fate,
    },
    /// No answer came: it may have been paid.
    Unknown,
}

/// What the service said about one image of a batch.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It gave a task id.
    Task(TaskId),
    /// It refused the image.
    Refused(Fate),
}

/// How many task ids came for images that no longer wait for them: paid twice.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stray {
    /// The number of tasks.
    pub tasks: usize,
}

/// A task whose result may be asked for.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The image.
    pub key: Key,
    /// The task.
    pub task_id: TaskId,
    /// How often the image failed since it was accepted.
    pub attempts: u32,
    /// When it was submitted.
    pub submitted_at: SystemTime,
    /// When its result is no longer kept.
    pub expires_at: SystemTime,
}

impl Poll {
    /// Returns a task that was submitted and expires at these times, of an image without failures.
    pub const fn new(
        key: Key,
        task_id: TaskId,
        submitted_at: SystemTime,
        expires_at: SystemTime,
    ) -> Self {
        Self {
            key,
            task_id,
            attempts: 0,
            submitted_at,
            expires_at,
        }
    }
}

/// What a poll or a callback said of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskUpdate {
    /// The task.
    pub task_id: TaskId,
    /// The image, if the message names it: then even a task whose id was lost finds its image.
    pub key: Option<Key>,
    /// What it said.
    pub update: Update,
}

/// What is new about a task.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It is still running.
    Processing {
        /// When to ask again.
        poll_at: SystemTime,
    },
    /// It ended with an outcome, as JSON text.
    Decided(String),
    /// It ended without one. To scan the image again costs again.
    Failed(Fate),
    /// The service no longer knows it. The image is submitted once more; the second time it is dead
    /// with the class [`EXPIRED_CLASS`].
    Expired,
}

/// The class of images whose results expired twice.
pub const EXPIRED_CLASS: &str = "task/expired";

/// What recovery did.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Images that became uncertain.
    pub uncertain: u64,
    /// Uncertain images that go back to be submitted again.
    pub resubmitted: u64,
}

/// A rate that all who use a ledger share: `limit` of `operation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What is limited, by any name: `submit`, `query`.
    pub operation: String,
    /// How much of it.
    pub limit: Limit,
}

impl Quota {
    /// Returns an error for a cost that could never be granted.
    #[cfg(any(feature = "ledger", feature = "postgres"))]
    pub(super) fn check(&self, cost: u32) -> Result<(), Error> {
        let burst = self.limit.burst;
        if cost <= burst {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Usage,
            format!("ask for a permit: a cost of {cost} exceeds the burst of {burst}"),
        ))
    }
}

/// How much is allowed: on average one every `interval`, and up to `burst` at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The time that one takes.
    pub interval: Duration,
    /// How many may come at once, at least 1.
    pub burst: u32,
}

/// Whether something may be done now.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may, and it is counted.
    Granted,
    /// Not now, and nothing is counted: ask again after this long.
    Wait(Duration),
}
