//! The two files that SQLite keeps next to the ledger's file: the write-ahead log (`-wal`) and its
//! index (`-shm`), which SQLite writes even when it only reads.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::fault::Fault;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Creates an empty file that only its owner may read, unless the file exists. SQLite creates the
/// `-wal` and `-shm` files with the mode of the ledger's file, regardless of the umask.
///
/// Failures are ignored here, because SQLite reports them when it opens the file.
#[cfg(unix)]
pub(super) fn create_private(path: &Path) {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

    let is_missing = fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if !is_missing {
        return;
    }
    let file = File::options()
        .write(true)
        .create(true)
        // Another process may have created and filled the file since it was missing.
        .truncate(false)
        .mode(0o600)
        .open(path);
    // The umask may have cleared bits that the owner needs.
    drop(file.and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o600))));
}

#[cfg(not(unix))]
pub(super) fn create_private(_path: &Path) {}

/// Returns an error if the `-shm` or `-wal` file of another user keeps the ledger from being
/// written.
pub(super) fn not_writable(path: &Path) -> Option<Fault> {
    let is_refused = |file: &PathBuf| {
        let opened = File::options().write(true).open(file);
        opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let files = ["-shm", "-wal"].map(|suffix| beside(path, suffix));
    let refused = files.iter().find(|file| is_refused(file))?;
    Some(Fault::unusable(format!(
        "`{}` cannot be written: another user's process created it, even if it only read; change \
         the owner of both the -wal and the -shm file, and delete neither",
        refused.display()
    )))
}

/// Returns a URI that makes SQLite read the file without creating other files, if the path can be
/// expressed as one. Fails if the write-ahead log still contains changes.
pub(super) fn as_immutable(path: &Path) -> Result<Option<PathBuf>, Fault> {
    let log = beside(path, "-wal");
    // With `immutable=1` SQLite ignores the log, so the changes in it would be missing.
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(Fault::unusable(format!(
            "its latest changes are in `{}`, and to read them needs permission to write that file \
             and its folder; copy the ledger together with that file to a folder of your own",
            log.display()
        )));
    }
    // A path of Windows has another form in a URI (SQLite, "URI Filenames").
    Ok(path.to_str().filter(|_| cfg!(unix)).map(uri))
}

fn uri(path: &str) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.bytes() {
        match byte {
            // `?` and `#` end the path of a URI, and `%` begins an escape.
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                uri.push(byte.into());
            }
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(uri, "%{byte:02x}");
            }
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}
