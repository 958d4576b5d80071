//! Images that a worker claims, and what it finds.

use std::time::SystemTime;

use super::intake::{Location, Reason};
use crate::ledger::{key::Key, state::State};

/// The purpose of a claim.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, ledger::*};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let location = Location::Url("https://example.com/a.png".to_owned());
/// # let (key, source) = (Key::from_bytes([1; 32]), Source::default());
/// # let known = Known::Checked;
/// # let image = NewImage { key, location, known, facts: None, source, deliver_again: false };
/// # ledger.enqueue(vec![image], SystemTime::now()).await?;
/// use std::time::{Duration, SystemTime};
/// use greenlight::{Error, ledger::{Claimed, Ledger, Work}};
///
/// /// Claims images to submit before images to probe, so that results arrive early.
/// async fn next(ledger: &dyn Ledger, now: SystemTime) -> Result<Vec<Claimed>, Error> {
///     let lease = Duration::from_secs(120);
///     let accepted = ledger.claim(Work::Submit, 50, lease, now).await?;
///     if !accepted.is_empty() {
///         return Ok(accepted);
///     }
///     ledger.claim(Work::Probe, 50, lease, now).await
/// }
///
/// let claimed = next(&ledger, SystemTime::now()).await?;
/// assert_eq!(claimed[0].state, State::Checked); // to be probed
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Probing: received and checked images, and unreachable ones that are due.
    Probe,
    /// Submission: probed and expired images.
    Submit,
}

/// The fencing token of a claim.
///
/// ```
/// # use greenlight::ledger::{Hold, Key, Lease, Location, State};
/// use greenlight::ledger::Claimed;
///
/// /// Returns whether the second claim took the image over from the first, whose results are ignored
/// /// from then on.
/// fn supersedes(second: &Claimed, first: &Claimed) -> bool {
///     second.hold.key == first.hold.key && second.hold.lease != first.hold.lease
/// }
///
/// # let location = Location::Url("https://example.com/a.png".to_owned());
/// # let hold = Hold { key: Key::from_bytes([1; 32]), lease: Lease(1) };
/// let first = Claimed::new(hold, location, State::Checked);
/// let mut second = first.clone();
/// second.hold.lease = Lease(2);
/// assert!(supersedes(&second, &first));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease(pub i64);

/// An image and the lease under which it is claimed.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use greenlight::{Error, ledger::{Claimed, Hold, Ledger}};
///
/// /// Extends the leases of images that are still being probed. Returns whether all are valid.
/// async fn extend(ledger: &dyn Ledger, claimed: &[Claimed], now: SystemTime) -> Result<bool, Error> {
///     let holds: Vec<Hold> = claimed.iter().map(|image| image.hold).collect();
///     let valid = ledger.extend(holds, Duration::from_secs(120), now).await?;
///     Ok(valid == claimed.len())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The key of the image.
    pub key: Key,
    /// The token of the claim.
    pub lease: Lease,
}

/// A claimed image.
///
/// ```
/// # use greenlight::ledger::{Hold, Key, Lease, Location, State};
/// use std::time::{Duration, SystemTime};
/// use greenlight::ledger::{Claimed, NextStep, Reason};
///
/// /// Tries an image that could not be read up to five times.
/// fn after_failure(image: &Claimed, reason: Reason, now: SystemTime) -> NextStep {
///     match image.attempts {
///         0..5 => NextStep::Retry { at: now + Duration::from_secs(60), reason },
///         _ => NextStep::Dead(reason),
///     }
/// }
///
/// # let location = Location::Url("https://example.com/a.png".to_owned());
/// # let hold = Hold { key: Key::from_bytes([1; 32]), lease: Lease(1) };
/// # let reason = Reason { class: "download/status".to_owned(), message: "503".to_owned() };
/// let mut image = Claimed::new(hold, location, State::Unreachable);
/// image.attempts = 5;
/// let next = after_failure(&image, reason.clone(), SystemTime::now());
/// assert_eq!(next, NextStep::Dead(reason));
/// ```
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
///
/// ```
/// # use greenlight::ledger::{Hold, Key, Lease, Location, State};
/// use greenlight::{Inspection, Requirements, ledger::{Claimed, Finding, Judgement, Reason}};
///
/// /// Checks a claimed image whose bytes were read.
/// fn finding(claimed: &Claimed, bytes: &[u8]) -> Finding {
///     let verdict = Requirements::ASYNC.judge(Inspection::of(bytes));
///     let facts = serde_json::to_string(&verdict).ok();
///     let judgement = match verdict.into_result() {
///         Ok(_) => Judgement::Accepted,
///         Err(rejected) => Judgement::Rejected(Reason {
///             class: "image/rejected".to_owned(),
///             message: rejected.to_string(),
///         }),
///     };
///     Finding { hold: claimed.hold, judgement, facts, billed: 1 }
/// }
///
/// # let location = Location::File("fixtures/images/png/rgb.png".into());
/// # let hold = Hold { key: Key::from_bytes([1; 32]), lease: Lease(1) };
/// # let claimed = Claimed::new(hold, location, State::Checked);
/// let bytes = std::fs::read("fixtures/images/png/rgb.png")?;
/// assert_eq!(finding(&claimed, &bytes).judgement, Judgement::Accepted);
/// # Ok::<(), std::io::Error>(())
/// ```
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
///
/// ```
/// use std::time::SystemTime;
/// use greenlight::ledger::{Judgement, NextStep, Reason};
///
/// /// An image whose download failed without the image's fault is read again, whatever its attempts.
/// fn unreachable(is_local: bool, at: SystemTime, reason: Reason) -> Judgement {
///     Judgement::Unreachable(match is_local {
///         true => NextStep::Again { at },
///         false => NextStep::Retry { at, reason },
///     })
/// }
///
/// # let reason = Reason { class: "local".to_owned(), message: "no file handle".to_owned() };
/// let at = SystemTime::now();
/// assert_eq!(unreachable(true, at, reason), Judgement::Unreachable(NextStep::Again { at }));
/// ```
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
    /// sources of that image, which is enqueued as
    /// [`Known::Checked`](crate::ledger::Known::Checked) if it is new. Only for an image that was
    /// never submitted.
    Renamed(Key),
}

/// The next step for an image after a failure.
///
/// ```
/// use std::time::SystemTime;
/// use greenlight::ledger::{NextStep, Reason};
///
/// let reason = Reason {
///     class: "submit/480".to_owned(),
///     message: "the service could not download the image".to_owned(),
/// };
/// // The image is uploaded once, and abandoned if that fails too.
/// let otherwise = Box::new(NextStep::Dead(reason.clone()));
/// let next = NextStep::Upload { at: SystemTime::now(), otherwise };
/// assert_eq!(next.reason(), Some(&reason));
/// ```
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
