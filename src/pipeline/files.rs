//! Images in local files: their bytes are their identity, so they are read before they are noted,
//! and no others are ever judged or uploaded in their name.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::fate;
use crate::{
    inspect::{Claim, Depth, Inspector},
    ledger::Reason,
    local_file::{self, Folders, NotOpened},
    requirements::Requirements,
    verdict::Verdict,
};

/// The class of a file that is not there.
const MISSING: &str = "file/missing";
/// The class of a file that is there and cannot be read.
const UNREADABLE: &str = "file/unreadable";
/// The class of a file that no longer holds the image that was noted.
const CHANGED: &str = "file/changed";

/// How much is read at a time, in bytes.
const CHUNK: usize = 128 * 1024;

/// What a file holds.
pub(super) struct Look {
    /// Of its bytes; `None` when they are more than an image may have and were not read.
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) verdict: Verdict,
}

/// Reads and judges a file, which must lie below one of `folders` if there are any.
pub(super) fn look(
    path: &Path,
    folders: Option<&Folders>,
    depth: Depth,
    requirements: &Requirements,
) -> Result<Look, Reason> {
    let opened = match folders {
        Some(folders) => folders.open(path),
        None => local_file::open(path).map_err(NotOpened::from),
    };
    let file = match opened {
        Ok(file) => file,
        Err(NotOpened::Outside) => {
            return Ok(Look {
                sha256: None,
                verdict: Verdict::of_path_outside(),
            });
        }
        Err(NotOpened::Io(error)) => return Err(unreadable(&error)),
    };
    let len = file.metadata().map_err(|error| unreadable(&error))?.len();
    let mut inspector = Inspector::new(depth);
    let name = path.file_name().and_then(|name| name.to_str());
    if let Some(claim) = name.and_then(Claim::from_name) {
        inspector.claim(claim);
    }
    // Files that the system makes up as they are read say 0, and may have no end.
    if len > 0 {
        inspector.announce_len(len);
    }
    if requirements.condemns(inspector.inspection()) {
        return Ok(Look {
            sha256: None,
            verdict: requirements.judge(inspector.inspection().clone()),
        });
    }
    let mut hash = Sha256::new();
    // Without a limit on the size the stated length is one.
    let most = requirements.max_bytes().max(len);
    read(file, most, |chunk| {
        hash.update(chunk);
        inspector.push(chunk);
    })?;
    if inspector.inspection().bytes_seen() > most {
        return Ok(Look {
            sha256: None,
            verdict: requirements.judge(inspector.inspection().clone()),
        });
    }
    Ok(Look {
        sha256: Some(hash.finalize().into()),
        verdict: requirements.judge(inspector.finish()),
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

/// Whether another look may find another state of affairs.
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

/// Reads a file to its end, or to where it is too long to be an image.
fn read(file: File, most: u64, mut take: impl FnMut(&[u8])) -> Result<(), Reason> {
    let mut file = file.take(most.saturating_add(1));
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&error)),
        }
    }
}
