//! What goes into a ledger and comes out: plain records, which callers and implementations both
//! build.

use std::{
    borrow::Cow,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::{key::Key, state::State};

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
}

/// Where an image is.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// Whether the image is new.
    pub new_image: bool,
    /// Whether the source is new.
    pub new_source: bool,
    /// Where the image is now.
    pub state: State,
    /// Whether the source had its outcome before: it was acknowledged, and nothing comes for it.
    pub was_delivered: bool,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The batch.
    pub batch: BatchId,
    /// The images that are part of it, in the order they were given.
    pub keys: Vec<Key>,
}

/// What became of a batch's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The service answered for single images. Those it did not mention become uncertain.
    Answered {
        /// The service's id of the request.
        request_id: Option<String>,
        /// When results may first be asked for.
        poll_at: SystemTime,
        /// When results are no longer kept.
        expires_at: SystemTime,
        /// What it said.
        entries: Vec<(Key, Entry)>,
        /// Task ids that it gave for no image of the batch: kept, because they were paid for.
        strays: Vec<String>,
    },
    /// The whole request was definitely refused, or definitely not sent: nothing was paid.
    ///
    /// With [`Fate::Again`] and [`Fate::Retry`] the claims stay valid until somebody else claims
    /// the images, which is not before the time given: a batch can be split and begun again at
    /// once.
    Refused {
        /// The service's id of the request.
        request_id: Option<String>,
        /// What becomes of each image.
        fate: Fate,
    },
    /// No answer came: it may have been paid.
    Unknown,
}

/// What the service said about one image of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It gave a task id.
    Task(String),
    /// It refused the image.
    Refused(Fate),
}

/// How many task ids came for images that no longer wait for them: paid twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stray {
    /// The number of tasks.
    pub tasks: usize,
}

/// A task whose result may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The image.
    pub key: Key,
    /// The task.
    pub task_id: String,
    /// How often the image failed since it was accepted.
    pub attempts: u32,
    /// When it was submitted.
    pub submitted_at: SystemTime,
    /// When its result is no longer kept.
    pub expires_at: SystemTime,
}

/// What a poll or a callback said of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskUpdate {
    /// The task.
    pub task_id: String,
    /// The image, if the message names it: then even a task whose id was lost finds its image.
    pub key: Option<Key>,
    /// What it said.
    pub update: Update,
}

/// What is new about a task.
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

/// How much is allowed: on average one every `interval`, and up to `burst` at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The time that one takes.
    pub interval: Duration,
    /// How many may come at once, at least 1.
    pub burst: u32,
}

/// Whether something may be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may, and it is counted.
    Granted,
    /// Not now, and nothing is counted: ask again after this long.
    Wait(Duration),
}

/// The place of an outcome in the outbox. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

/// An outcome that a source waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// To acknowledge it by.
    pub id: DeliveryId,
    /// The source and what became of its image.
    pub row: Row,
}

/// Outcomes in the order of their sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// Those that nobody acknowledged.
    pub outcomes: Vec<Undelivered>,
    /// The [number](Row::number) of the last row that was read, where the next call goes on.
    pub through: i64,
}

/// A data id that more than one place has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedDataId {
    /// The data id.
    pub data_id: String,
    /// How many sources have it.
    pub count: u64,
    /// The first two places: origin and line.
    pub places: [(String, u64); 2],
}

/// A source and what is known of its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of the source, in the order they were enqueued; stays the same for ever.
    pub number: i64,
    /// Where it came from.
    pub source: Source,
    /// The image.
    pub key: Key,
    /// Where it is.
    pub location: Location,
    /// How far it came.
    pub state: State,
    /// How often it failed while being probed or, once accepted, since then.
    pub attempts: u32,
    /// Why it is rejected, unreachable or dead, or was last refused.
    pub reason: Option<Reason>,
    /// The task that its outcome came from, or is awaited from.
    pub task_id: Option<String>,
    /// What the probe recorded.
    pub facts: Option<String>,
    /// The outcome, as it was given.
    pub outcome: Option<String>,
    /// The place in the outbox of what this source waits for: something that is final and was not
    /// acknowledged yet.
    pub delivery: Option<DeliveryId>,
}

impl Row {
    /// The source as its list has it: its own text, or else the image's location.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.source.text {
            Some(text) => Cow::Borrowed(text),
            None => self.location.text(),
        }
    }
}

/// Which rows to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Those after this [`Row::number`]; 0 for all.
    pub after: i64,
    /// At most so many.
    pub limit: usize,
    /// Only those in this state.
    pub state: Option<State>,
}

/// What is left to do, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The states in which images wait, each with the time when the first of them is due, whoever
    /// holds it. Empty when all is done.
    pub due: Vec<(State, SystemTime)>,
    /// When the first result expires that is not known yet.
    pub first_expiry: Option<SystemTime>,
}

/// What a ledger holds, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Images in each state, those with none left out.
    pub states: Vec<(State, u64)>,
    /// Images with a reason, by state and class.
    pub classes: Vec<(State, String, u64)>,
    /// Sources.
    pub sources: u64,
    /// The [number](Row::number) of the last row, 0 if there is none.
    pub last_row: i64,
    /// Outcomes that nobody acknowledged.
    pub undelivered: u64,
    /// Task ids received: what was certainly paid for.
    pub tasks: u64,
    /// Images billed for these tasks, at most, for one scene: each frame that is looked at counts.
    pub billed: u64,
    /// Images sent again though the first time may have been paid for: what may have been paid for
    /// besides.
    pub resubmitted: u64,
    /// Images submitted again because their result had expired.
    pub expired: u64,
    /// Images sent in the last minute.
    pub sent_last_minute: u64,
    /// When the image was submitted that waits longest for its result.
    pub oldest_unpolled: Option<SystemTime>,
    /// Lists that were begun and not read to their end.
    pub unread_lists: Vec<String>,
}

impl Stats {
    /// How many images are in `state`.
    pub fn count(&self, state: State) -> u64 {
        self.states
            .iter()
            .find_map(|&(found, count)| (found == state).then_some(count))
            .unwrap_or(0)
    }

    /// How many images there are.
    pub fn images(&self) -> u64 {
        self.states.iter().map(|&(_, count)| count).sum()
    }
}
