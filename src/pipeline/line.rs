//! The lines of a list.

use std::path::PathBuf;

use crate::{
    format::Format,
    ledger::{Reason, Source},
    local_file::Folders,
};

/// One entry of a list: an image, and its position in the list.
#[derive(Clone, Debug)]
pub struct Line {
    /// The image.
    pub subject: Subject,
    /// The position in the list, and the user's data id.
    pub source: Source,
}

/// The image that a line names.
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
