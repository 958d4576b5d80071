//! One run at a time for a ledger file: two would print the same outcomes.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::cli::exit::{Failure, reason};

/// Held while a run uses its ledger. The system releases it when the process ends, even if that is
/// killed.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
    is_taken: bool,
}

impl Lock {
    /// Acquires the lock next to a ledger.
    pub(super) fn take(ledger: &Path) -> Result<Self, Failure> {
        let mut path = OsString::from(ledger);
        path.push("-lock");
        let path = PathBuf::from(path);
        loop {
            let Some(mut lock) = Self::open(&path)? else {
                continue;
            };
            match lock.file.try_lock() {
                Ok(()) if lock.is_in_place() => {
                    lock.is_taken = true;
                    return Ok(lock);
                }
                // The run that held it removed the file after it was opened here.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let message = format!("another run uses the ledger {}", ledger.display());
                    return Err(Failure::new(message).hint(
                        "wait for its end or interrupt it; `greenlight status` prints its progress",
                    ));
                }
                // The file system has no locks: the ledger's own still hold.
                Err(TryLockError::Error(_)) => return Ok(lock),
            }
        }
    }

    /// Whether no other run can be at work: unknown on a file system without locks.
    pub(super) const fn is_exclusive(&self) -> bool {
        self.is_taken
    }

    /// Opens the file, or creates it; `None` if another run removed it in between. Never through a
    /// link, and never a pipe, which would block.
    fn open(path: &Path) -> Result<Option<Self>, Failure> {
        let failed = |why: &dyn std::fmt::Display| {
            let message = format!("cannot write {}: {why}", path.display());
            Failure::new(message).hint("--ledger FILE names a ledger elsewhere")
        };
        let file = match create_private(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match fs::symlink_metadata(path) {
                    Ok(found) if found.is_file() => {}
                    Ok(_) => return Err(failed(&"it is not a regular file")),
                    Err(_) => return Ok(None),
                }
                let mut options = File::options();
                // A link or a pipe may have replaced the file since.
                #[cfg(unix)]
                {
                    use rustix::fs::OFlags;
                    use std::os::unix::fs::OpenOptionsExt as _;
                    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
                    options.custom_flags(flags.bits().cast_signed());
                }
                options.read(true).write(true).open(path)
            }
            created => created,
        };
        match file {
            Ok(file) => Ok(Some(Self {
                path: path.to_owned(),
                file,
                is_taken: false,
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => Ok(None),
            Err(error) => Err(failed(&reason(&error))),
        }
    }

    /// Whether the file that is locked is the one at its path, and not a link's target.
    #[cfg(unix)]
    fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |file: fs::Metadata| (file.dev(), file.ino());
        let found = fs::symlink_metadata(&self.path).map(identity).ok();
        found.is_some() && found == self.file.metadata().map(identity).ok()
    }

    /// An open file cannot be removed here.
    #[cfg(not(unix))]
    fn is_in_place(&self) -> bool {
        true
    }
}

/// Creates a file that only its owner may read or lock, whatever the umask is.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        let file = options.mode(0o600).open(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// Removes the file while it is locked, so that no other run can have taken this one.
impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_taken {
            // If that fails, the next run takes the file that it finds.
            drop(fs::remove_file(&self.path));
        }
    }
}
