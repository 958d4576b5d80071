//! Images in local files: their bytes are their identity, so they are read before they are noted,
//! and no others are ever judged or uploaded in their name.

use std::{fs::File, io, path::Path};

use sha2::{Digest as _, Sha256};

use super::fate;
use crate::{
    inspect::{Depth, inspect_file},
    ledger::Reason,
    local_file::{self, Folders, NotOpened},
    requirements::Requirements,
    verdict::Verdict,
};

/// The class of a file that does not exist.
const MISSING: &str = "file/missing";
/// The class of a file that exists and cannot be read.
const UNREADABLE: &str = "file/unreadable";
/// The class of a file that no longer holds the image that was noted.
const CHANGED: &str = "file/changed";

/// The content of a file and its verdict.
pub(super) struct FileCheck {
    /// Of its bytes; `None` when they are more than an image may have and were not read.
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) verdict: Verdict,
}

/// Opens a file, which must lie below one of `folders` if there are any. An error of the inner
/// result is the verdict of a path that leads elsewhere.
pub(super) fn open(path: &Path, folders: Option<&Folders>) -> io::Result<Result<File, Verdict>> {
    let opened = match folders {
        Some(folders) => folders.open(path),
        None => local_file::open(path).map_err(NotOpened::from),
    };
    match opened {
        Ok(file) => Ok(Ok(file)),
        Err(NotOpened::Outside) => Ok(Err(Verdict::of_path_outside())),
        Err(NotOpened::Io(error)) => Err(error),
    }
}

/// Reads, hashes and judges a file.
pub(super) fn check(
    path: &Path,
    folders: Option<&Folders>,
    depth: Depth,
    requirements: &Requirements,
) -> io::Result<FileCheck> {
    let file = match open(path, folders)? {
        Ok(file) => file,
        Err(verdict) => {
            return Ok(FileCheck {
                sha256: None,
                verdict,
            });
        }
    };
    let mut hash = Sha256::new();
    let inspection = inspect_file(file, path, depth, |inspector, chunk| {
        let inspection = inspector.inspection();
        if inspection.bytes_seen() == 0 {
            return !requirements.condemns(inspection);
        }
        hash.update(chunk);
        // Without a limit on the size the stated length is one.
        let len = inspection.len().unwrap_or_default();
        inspection.bytes_seen() <= requirements.max_bytes().max(len)
    })?;
    Ok(FileCheck {
        sha256: inspection.is_ended().then(|| hash.finalize().into()),
        verdict: requirements.judge(inspection),
    })
}

/// The file no longer holds the image. What it holds now is another one.
pub(super) fn changed() -> Reason {
    Reason {
        class: CHANGED.to_owned(),
        message: "the file's content is not what it was when its line was read; give the list \
                  again to scan what it holds now"
            .to_owned(),
    }
}

/// Whether another attempt may succeed.
pub(super) fn may_pass(reason: &Reason) -> bool {
    reason.class != CHANGED
}

/// Why a file cannot be read.
pub(super) fn unreadable(error: &io::Error) -> Reason {
    let class = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => MISSING,
        _ => UNREADABLE,
    };
    fate::reason_of(class, format!("cannot read the file: {error}"))
}
