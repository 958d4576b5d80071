//! One run at a time for a ledger: two would each print what both see.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use crate::cli::exit::{Failure, reason};

/// Held while a run uses its ledger. The system lets go of it when the process ends, however that
/// ends.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
    is_taken: bool,
}

impl Lock {
    /// Takes the lock beside a ledger.
    pub(super) fn take(ledger: &Path) -> Result<Self, Failure> {
        let mut path = OsString::from(ledger);
        path.push("-lock");
        let path = PathBuf::from(path);
        loop {
            let mut lock = Self::open(&path)?;
            match lock.file.try_lock() {
                // The one before may have removed it after it was opened here.
                Ok(()) if lock.is_in_place() => {
                    lock.is_taken = true;
                    return Ok(lock);
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let message = format!("another run uses the ledger {}", ledger.display());
                    return Err(Failure::new(message).hint(
                        "wait for its end or interrupt it; `greenlight status` says how far it is",
                    ));
                }
                // Such a file system has no locks: the ledger's own still hold.
                Err(TryLockError::Error(_)) => return Ok(lock),
            }
        }
    }

    /// Whether nobody else can be at work: not on a file system without locks.
    pub(super) const fn is_exclusive(&self) -> bool {
        self.is_taken
    }

    fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path);
        match file {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file,
                is_taken: false,
            }),
            Err(error) => {
                let message = format!("cannot write {}: {}", path.display(), reason(&error));
                Err(Failure::new(message).hint("--ledger FILE names a ledger elsewhere"))
            }
        }
    }

    #[cfg(unix)]
    fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |file: fs::Metadata| (file.dev(), file.ino());
        let there = fs::metadata(&self.path).map(identity).ok();
        there.is_some() && there == self.file.metadata().map(identity).ok()
    }

    /// What is open cannot be removed here.
    #[cfg(not(unix))]
    fn is_in_place(&self) -> bool {
        true
    }
}

/// Leaves nothing behind. Removed while it is locked, so that nobody else can have taken this one.
impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_taken {
            // Without it the next run finds it there, and takes it.
            drop(fs::remove_file(&self.path));
        }
    }
}
