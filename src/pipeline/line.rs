//! The lines of a list.

use std::path::PathBuf;

use crate::{
    format::Format,
    ledger::{Reason, Source},
    local_file::Folders,
};

/// One entry of a list: an image, and its position in the list.
///
/// ```
/// use greenlight::{ledger::Source, pipeline::{Line, Subject}};
///
/// let list = "https://example.com/a.png\nhttps://example.com/b.png";
/// let lines = list.lines().zip(1..).map(|(url, number)| Line {
///     subject: Subject::Url(url.to_owned()),
///     source: Source { origin: "list.txt".to_owned(), line: number, ..Source::default() },
/// });
/// assert_eq!(lines.last().expect("a line").source.line, 2);
/// ```
#[derive(Clone, Debug)]
pub struct Line {
    /// The image.
    pub subject: Subject,
    /// The position in the list, and the user's data id.
    pub source: Source,
}

/// The image that a line names.
///
/// ```
/// use greenlight::{ledger::Reason, local_file::Folders, pipeline::Subject};
///
/// /// Reads one entry of a list that a customer wrote.
/// fn subject(entry: &str, uploads: &Folders) -> Subject {
///     if entry.is_empty() {
///         let reason = Reason { class: "list/empty".to_owned(), message: "no image".to_owned() };
///         return Subject::Unusable { text: String::new(), reason };
///     }
///     if entry.contains("://") {
///         return Subject::Url(entry.to_owned());
///     }
///     Subject::FileBelow { path: entry.into(), folders: uploads.clone() }
/// }
///
/// let uploads = Folders::new(["fixtures/images"])?;
/// let url = "https://example.com/a.png";
/// assert_eq!(subject(url, &uploads), Subject::Url(url.to_owned()));
/// assert!(matches!(subject("png/rgb.png", &uploads), Subject::FileBelow { .. }));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The URL of an image, not validated yet.
    Url(String),
    /// The URL of an image that was checked before. It is not downloaded again if
    /// [`checked_within`](super::Pipeline::checked_within) allows it; otherwise it is like
    /// [`Url`](Self::Url).
    CheckedUrl {
        /// The URL of an image, not validated yet.
        url: String,
        /// The check.
        check: EarlierCheck,
    },
    /// A file. It is identified by its bytes: they are hashed when the line is read, checked when
    /// the image is processed, and uploaded immediately before the submission. If they change in
    /// between, the image is abandoned; changed bytes are never submitted in its place.
    ///
    /// The file is opened with symbolic links followed, and may be uploaded, so the caller must
    /// trust the path. For a path from an untrusted source, such as a list that someone else wrote,
    /// use [`FileBelow`](Self::FileBelow). In both cases the file is opened once, checked on the
    /// open handle to be a regular file, and read up to one byte beyond the size limit.
    File(PathBuf),
    /// A file with a path from an untrusted source. A file that is not below one of the folders is
    /// rejected with `file/outside` and not read.
    FileBelow {
        /// The path.
        path: PathBuf,
        /// The folders that the file may be in.
        folders: Folders,
    },
    /// A line that does not name an image. It is recorded as rejected, so that it has a row too.
    Unusable {
        /// The text of the line, if any.
        text: String,
        /// The reason why the line is unusable.
        reason: Reason,
    },
}

/// An earlier check that accepted an image, as stored with its [`Provenance`](crate::Provenance).
///
/// ```
/// # #[cfg(feature = "ledger")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::{Scene, green::{Client, Credentials, Secret}, ledger::*, pipeline::*, probe::Probe};
/// # let folder = tempfile::tempdir()?;
/// # let scope = Scope::new(&[Scene::Porn]);
/// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
/// # let key = Credentials::new("LTAIexample", Secret::new("example"));
/// # let client = Client::builder().endpoint("http://127.0.0.1:1").credentials(key).build()?;
/// # let pipeline = Pipeline::new(client, Probe::new(), std::sync::Arc::new(ledger), scope);
/// # let checked_at = u64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?;
/// use std::time::Duration;
/// use greenlight::{Format, Requirements, ledger::Source, pipeline::{EarlierCheck, Line, Subject}};
///
/// // An image that `greenlight check` accepted when it was uploaded.
/// let check = EarlierCheck {
///     format: Format::Png,
///     width: 640,
///     height: 480,
///     bytes: 48_213,
///     frames: Some(1),
///     version: "0.1.0".to_owned(),
///     requirements: Requirements::ASYNC.fingerprint(),
///     checked_at,
/// };
/// let subject = Subject::CheckedUrl { url: "https://images.example/a.png".to_owned(), check };
///
/// // Images are not downloaded again that were checked in the last hour.
/// let pipeline = pipeline.checked_within(Some(Duration::from_secs(3_600)));
/// let run = pipeline.start([Line { subject, source: Source::default() }]);
/// # while run.progress().probed + run.progress().checked_before == 0 {
/// #     tokio::task::yield_now().await;
/// # }
/// assert_eq!(run.progress().checked_before, 1);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "ledger"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierCheck {
    /// The format of the image.
    pub format: Format,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The size in bytes.
    pub bytes: u64,
    /// The number of frames, if they were counted.
    pub frames: Option<u32>,
    /// The version of this crate that made the check.
    pub version: String,
    /// The [fingerprint](crate::Requirements::fingerprint) of the requirements.
    pub requirements: String,
    /// The time of the verdict, in milliseconds since 1970.
    pub checked_at: u64,
}
