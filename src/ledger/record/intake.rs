//! Images that are enqueued, and what becomes of them first.

use std::{borrow::Cow, path::PathBuf};

use crate::ledger::{key::Key, state::State};

/// An image to enqueue, and its source.
///
/// ```
/// use greenlight::{Scene, ledger::{Key, Known, Location, NewImage, Reason, Scope, Source}};
///
/// // A line that is not a URL is recorded too, so that it has a row.
/// let text = "htp://example.com/cat.png";
/// let image = NewImage {
///     key: Key::of_text(&Scope::new(&[Scene::Porn]), text),
///     location: Location::Url(text.to_owned()),
///     known: Known::Rejected(Reason {
///         class: "url/scheme".to_owned(),
///         message: "scheme `htp` is not http or https".to_owned(),
///     }),
///     facts: None,
///     source: Source { origin: "list.txt".to_owned(), line: 7, ..Source::default() },
///     deliver_again: false,
/// };
/// assert_eq!(image.location.text(), text);
/// ```
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
///
/// ```
/// use std::path::Path;
/// use greenlight::ledger::Location;
///
/// /// Returns the path of an image that must still exist when it is uploaded.
/// fn file(location: &Location) -> Option<&Path> {
///     match location {
///         Location::File(path) => Some(path),
///         _ => None,
///     }
/// }
///
/// assert_eq!(file(&Location::Url("https://example.com/cat.png".to_owned())), None);
/// ```
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
///
/// ```
/// use std::path::Path;
/// use greenlight::ledger::{Known, Reason};
///
/// /// Checks a file before it is enqueued.
/// fn known(path: &Path) -> Known {
///     match path.metadata() {
///         Ok(_) => Known::Checked,
///         Err(error) => Known::Rejected(Reason {
///             class: "file/unreadable".to_owned(),
///             message: error.to_string(),
///         }),
///     }
/// }
///
/// assert_eq!(known(Path::new("fixtures/images/png/rgb.png")), Known::Checked);
/// ```
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
///
/// ```
/// use greenlight::ledger::Source;
///
/// let source = Source {
///     origin: "uploads.csv".to_owned(),
///     line: 7,
///     data_id: Some("photo-7".to_owned()), // returned with the outcome
///     ..Source::default()
/// };
/// println!("{}, line {}", source.origin, source.line);
/// ```
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
///
/// ```
/// use greenlight::ledger::{Enqueued, State};
///
/// /// Describes what happens to a line.
/// fn describe(enqueued: &Enqueued) -> &'static str {
///     match enqueued {
///         Enqueued { was_delivered: true, .. } => "its outcome was delivered before",
///         Enqueued { new_image: false, .. } => "it gets the outcome of an equal image",
///         _ => "its image is checked and submitted",
///     }
/// }
///
/// let known = Enqueued::new(12, State::Submitted);
/// assert_eq!(describe(&known), "it gets the outcome of an equal image");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// Whether the image is new.
    pub new_image: bool,
    /// The [number](crate::ledger::Row::number) of the source.
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
///
/// ```
/// # use greenlight::ledger::{Key, Location, Source, State};
/// use greenlight::ledger::{Reason, Row};
///
/// /// Describes why an image has no outcome, and how to retry all images of this class.
/// fn explain(row: &Row) -> Option<String> {
///     let Reason { class, message } = row.reason.as_ref()?;
///     Some(format!("{}: {message} (`greenlight ledger retry --class {class}`)", row.text()))
/// }
///
/// # let location = Location::Url("https://example.com/a.png".to_owned());
/// # let key = Key::from_bytes([1; 32]);
/// # let mut row = Row::new(1, Source::default(), key, location, State::Dead);
/// row.reason = Some(Reason { class: "submit/590".to_owned(), message: "no quota".to_owned() });
/// let text = "https://example.com/a.png: no quota (`greenlight ledger retry --class submit/590`)";
/// assert_eq!(explain(&row).as_deref(), Some(text));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The stable class that images are counted and retried by: `download/too-slow`, `submit/590`.
    pub class: String,
    /// A description to display.
    pub message: String,
}
