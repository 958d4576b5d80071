//! Images in local files. A file is identified by its bytes, so it is hashed before it is enqueued,
//! and changed bytes are never checked or uploaded in its place.

use std::{fs::File, io, path::Path};

use sha2::{Digest as _, Sha256};

use super::failure;
use crate::{
    format::Format,
    inspect::{Depth, inspect_file},
    ledger::{Key, Reason, Scope},
    local_file::{self, Folders, NotOpened},
    requirements::Requirements,
    verdict::{Code, Enforcement, Verdict},
};

/// The class of a file that does not exist.
const MISSING: &str = "file/missing";
/// The class of a file that exists and cannot be read.
const UNREADABLE: &str = "file/unreadable";
/// The class of a file whose bytes changed after it was enqueued.
const CHANGED: &str = "file/changed";

/// The content of a file and its verdict.
pub(super) struct FileCheck {
    /// The hash of the bytes; `None` if the file exceeds the size limit or is outside the allowed
    /// folders.
    pub(super) sha256: Option<[u8; 32]>,
    /// The verdict on the content and the name.
    pub(super) verdict: Verdict,
}

impl FileCheck {
    /// Returns the key of the image: that of the content, unless the name rejects it. A name must not
    /// decide about other files with the same content.
    pub(super) fn key(&self, scope: &Scope) -> Option<Key> {
        let sha256 = self.sha256.as_ref()?;
        let mut rejections = failure::rejections(&self.verdict);
        let is_misnamed = rejections.any(|violation| violation.code() == Code::ImageTypeMismatch);
        let claimed = self.claimed().filter(|_| is_misnamed);
        Some(claimed.map_or_else(
            || Key::of_content(scope, sha256),
            |claimed| Key::of_misnamed_content(scope, sha256, claimed),
        ))
    }

    /// Returns the verdict on the image with this key, which was enqueued from a file of this name;
    /// `None` if it had other bytes.
    pub(super) fn judged_as(
        self,
        key: Key,
        scope: &Scope,
        requirements: &Requirements,
    ) -> Option<(Verdict, [u8; 32])> {
        let sha256 = self.sha256?;
        if Key::of_content(scope, &sha256) == key {
            // Other files with these bytes have the same key, so this file's name must not decide.
            let content = self.verdict.inspection()?.clone().without_claims();
            return Some((requirements.judge(content), sha256));
        }
        let claimed = self.claimed()?;
        let is_misnamed = Key::of_misnamed_content(scope, &sha256, claimed) == key;
        is_misnamed.then_some((self.verdict, sha256))
    }

    fn claimed(&self) -> Option<Format> {
        let claim = self.verdict.inspection()?.claims().next()?;
        Some(claim.format)
    }
}

/// Opens a file, which must be below one of `folders` if they are given. The error of the inner
/// result is the verdict on a path outside these folders.
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

/// Reads, hashes and checks a file: to `depth`, or to `final_depth` if it is not hashed, because then
/// the verdict is the last one.
pub(super) fn check(
    path: &Path,
    folders: Option<&Folders>,
    (depth, final_depth): (Depth, Depth),
    requirements: &Requirements,
) -> io::Result<FileCheck> {
    let unhashed = |verdict| FileCheck {
        sha256: None,
        verdict,
    };
    let file = match open(path, folders)? {
        Ok(file) => file,
        Err(verdict) => return Ok(unhashed(verdict)),
    };
    // A file that its size alone rejects is not read to its end for the hash.
    let (len, max) = (file.metadata()?.len(), requirements.max_bytes());
    if len > max && requirements.enforcement(Code::ImageTooLarge) == Enforcement::Reject {
        let verdict = requirements.judge_file(final_depth, file, path)?;
        return Ok(unhashed(verdict));
    }
    let mut hash = Sha256::new();
    // Without a size limit, the length at the time of opening is the limit.
    let max = max.max(len);
    let inspection = inspect_file(file, path, depth, max, |_, chunk| {
        hash.update(chunk);
        true
    })?;
    Ok(FileCheck {
        // A file that grew beyond the limit meanwhile was not read to its end, so this hash is of a
        // part of it.
        sha256: inspection.is_ended().then(|| hash.finalize().into()),
        verdict: requirements.judge(inspection),
    })
}

/// Returns the reason for a file whose bytes changed.
pub(super) fn changed() -> Reason {
    Reason {
        class: CHANGED.to_owned(),
        message: "the file's content is not what it was when its line was read; give the list \
                  again to scan what it holds now"
            .to_owned(),
    }
}

/// Returns whether another attempt may succeed.
pub(super) fn may_pass(reason: &Reason) -> bool {
    // Changed bytes are another image with another key, which only a new line can name.
    reason.class != CHANGED
}

/// Adds the host that added a file which cannot be read here.
pub(super) fn with_host(mut reason: Reason, host: Option<&str>) -> Reason {
    // Only these may be the fault of the host: bytes that changed did so for all.
    if let Some(host) = host.filter(|_| matches!(&*reason.class, MISSING | UNREADABLE)) {
        reason.message = format!("{}; host `{host}` added it", reason.message);
    }
    reason
}

/// Returns the reason for a file that cannot be read.
pub(super) fn unreadable(error: &io::Error) -> Reason {
    let class = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => MISSING,
        _ => UNREADABLE,
    };
    failure::reason_of(class, format!("cannot read the file: {error}"))
}
