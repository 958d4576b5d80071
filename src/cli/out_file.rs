//! A file that is written: whole, or not touched.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal as _, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::exit::{Failure, reason};

/// What an SQLite database, and so a ledger, begins with (SQLite, database file format, 1.3).
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// A file that is renamed to its path when it is complete. A pipe or a device is written directly.
#[derive(Debug)]
pub(crate) enum OutFile {
    Stream(File),
    Beside { part: NamedTempFile, place: PathBuf },
}

impl OutFile {
    /// Begins to write to `path`, a link's end if it is one. A ledger is not replaced: it is the
    /// record of what was paid.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        if is_ledger(path) {
            let message = format!("cannot write {}: it is a ledger", path.display());
            return Err(Failure::new(message).hint("name another file, or move the ledger away"));
        }
        Self::open(path).map_err(|error| {
            let path = path.display();
            Failure::new(format!("cannot write {path}: {}", reason(&error)))
        })
    }

    fn open(path: &Path) -> io::Result<Self> {
        let (place, permissions) = match fs::metadata(path) {
            Ok(found) if found.is_file() => (fs::canonicalize(path)?, Some(found.permissions())),
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => return Ok(Self::Stream(OpenOptions::new().write(true).open(path)?)),
            // A link that leads to no file makes that file.
            Err(_) if path.is_symlink() => return Ok(Self::Stream(create(path)?)),
            Err(_) => (path.to_owned(), None),
        };
        let folder = match place.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".greenlight-").suffix(".part");
        #[cfg(unix)]
        let new_file = {
            use std::os::unix::fs::PermissionsExt as _;
            fs::Permissions::from_mode(0o600) // what was scanned is for its owner to show
        };
        #[cfg(unix)]
        builder.permissions(new_file);
        let part = builder.tempfile_in(folder)?;
        if let Some(permissions) = permissions {
            part.as_file().set_permissions(permissions)?;
        }
        Ok(Self::Beside { part, place })
    }

    /// Whether people look at it: a terminal was named.
    pub(crate) fn is_screen(&self) -> bool {
        matches!(self, Self::Stream(file) if file.is_terminal())
    }

    /// Moves it into its place.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Stream(mut file) => file.flush(),
            Self::Beside { part, place } => {
                part.as_file().sync_all()?;
                part.persist(place).map_err(|error| error.error)?;
                Ok(())
            }
        }
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stream(file) => file.write(bytes),
            Self::Beside { part, .. } => part.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stream(file) => file.flush(),
            Self::Beside { part, .. } => part.flush(),
        }
    }
}

/// Creates the file that a link leads to.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether two paths lead to one regular file.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok().filter(|path| path.is_file());
    real(one).is_some_and(|one| Some(one) == real(other))
}

fn is_ledger(path: &Path) -> bool {
    // Opening a pipe would wait for its other end.
    if !path.is_file() {
        return false;
    }
    let mut head = [0; SQLITE.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *SQLITE
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_part_is_as_private_as_the_file_that_it_becomes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        for wanted in [0o600, 0o640] {
            let mut file = OutFile::create(&path).unwrap();
            file.write_all(b"secret").unwrap();
            let OutFile::Beside { part, .. } = &file else {
                panic!("{file:?}")
            };
            let name = part.path().file_name().unwrap().to_string_lossy();
            assert!(name.ends_with(".part"), "{name}");
            assert_eq!(mode(part.path()), wanted);
            file.finish().unwrap();
            assert_eq!(mode(&path), wanted);
            // The second file replaces one that its owner opened to a group.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
    }
}
