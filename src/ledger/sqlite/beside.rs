//! The files that SQLite keeps beside the ledger: its latest part (`-wal`), and an index of that
//! (`-shm`), which it writes even to read.

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

/// Says whose files keep the ledger from being written, if it is they.
pub(super) fn not_writable(path: &Path) -> Option<Fault> {
    let is_refused = |file: &PathBuf| {
        let opened = File::options().write(true).open(file);
        opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let files = ["-shm", "-wal"].map(|suffix| beside(path, suffix));
    let refused = files.iter().find(|file| is_refused(file))?;
    Some(Fault::unusable(format!(
        "`{}` cannot be written: the command of another user made it, even if it only read; give \
         that file and its fellow to the ledger's owner, and remove neither",
        refused.display()
    )))
}

/// The name by which SQLite reads the file as it is and writes nothing beside it, if there is one.
/// Fails if the file alone is not the whole ledger.
pub(super) fn as_immutable(path: &Path) -> Result<Option<PathBuf>, Fault> {
    let log = beside(path, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(Fault::unusable(format!(
            "its latest part is in `{}`, which can be read only by who may write there and beside \
             it; copy the ledger with that file to a folder of your own",
            log.display()
        )));
    }
    Ok(path.to_str().filter(|_| cfg!(unix)).map(uri))
}

fn uri(path: &str) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.bytes() {
        match byte {
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
