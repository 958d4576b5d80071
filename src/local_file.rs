//! Opens image files by path. Every image file is opened here, once, and checked on the open
//! handle, because the target of a path can change between two system calls.

use std::{
    fs::{self, File},
    io,
    path::{Component, Path, PathBuf, Prefix},
    sync::Arc,
};

/// Opens a regular file. Symbolic links are followed. FIFOs and devices are rejected without
/// blocking.
///
/// ```
/// use std::path::Path;
/// use greenlight::local_file;
///
/// let file = local_file::open(Path::new("fixtures/images/png/rgb.png"))?;
/// assert!(file.metadata()?.is_file());
/// assert!(local_file::open(Path::new("fixtures/images")).is_err()); // a folder
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// Returns the system's error, or one of its own if the path does not lead to a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    regular(system::open(path)?)
}

fn regular(file: File) -> io::Result<File> {
    let found = file.metadata()?;
    if found.is_file() {
        Ok(file)
    } else if found.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        let why = "neither a file nor a folder";
        Err(io::Error::new(io::ErrorKind::InvalidInput, why))
    }
}

/// The folders that paths from an untrusted source may lead into.
///
/// A path is allowed if it resolves, with symbolic links followed, to a file below one of the
/// folders. The file is then opened from that folder downwards without following links, so a link
/// that is created between the two steps has no effect. On Windows, the path is resolved again
/// after the file is opened instead.
///
/// ```
/// use std::path::Path;
/// use greenlight::local_file::Folders;
///
/// let folders = Folders::new(["fixtures/images"])?;
/// assert!(folders.open(Path::new("fixtures/images/png/rgb.png")).is_ok());
/// assert!(folders.open(Path::new("fixtures/images/../../Cargo.toml")).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders(Arc<[Folder]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    given: PathBuf,
    resolved: PathBuf,
}

impl Folders {
    /// Resolves the paths of the folders.
    ///
    /// # Errors
    ///
    /// Returns the system's error if a folder does not exist or cannot be read, and an error of
    /// kind [`NotADirectory`](io::ErrorKind::NotADirectory) if a path is not a folder.
    pub fn new<P: AsRef<Path>>(folders: impl IntoIterator<Item = P>) -> io::Result<Self> {
        let resolve = |folder: P| {
            let given = std::path::absolute(folder.as_ref())?;
            // Once: a link that is changed later does not move what is allowed.
            let resolved = fs::canonicalize(folder)?;
            if !resolved.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Ok(Folder { given, resolved })
        };
        let folders: io::Result<Vec<_>> = folders.into_iter().map(resolve).collect();
        folders.map(|folders| Self(folders.into()))
    }

    /// Returns whether there are no folders, so that no path is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the path with symbolic links resolved.
    ///
    /// # Errors
    ///
    /// Returns [`NotOpened::Outside`] if it is not below one of the folders.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, NotOpened> {
        let (folder, rest) = self.find(path)?;
        Ok(folder.resolved.join(rest))
    }

    /// Opens a regular file below one of the folders.
    ///
    /// # Errors
    ///
    /// Returns [`NotOpened::Outside`] if the path leads outside the folders, else the errors of
    /// [`open`].
    pub fn open(&self, path: &Path) -> Result<File, NotOpened> {
        let (folder, rest) = self.find(path)?;
        let file = system::open_below(&folder.resolved, &rest)?;
        Ok(regular(file)?)
    }

    /// Returns the folder that contains the resolved path, and the path relative to it.
    fn find(&self, path: &Path) -> Result<(&Folder, PathBuf), NotOpened> {
        if !self.may_resolve(path) {
            return Err(NotOpened::Outside);
        }
        let resolved = match fs::canonicalize(path) {
            Ok(resolved) => resolved,
            // The untrusted source must not learn whether a path outside the folders exists.
            Err(_) if !self.is_inside_as_written(path) => return Err(NotOpened::Outside),
            Err(error) => return Err(error.into()),
        };
        let below = self.0.iter().find_map(|folder| {
            let rest = resolved.strip_prefix(&folder.resolved).ok()?;
            Some((folder, rest.to_owned()))
        });
        below.ok_or(NotOpened::Outside)
    }

    /// Returns whether resolving a path contacts no server other than those of the folders: Windows
    /// logs in to the server that a UNC path names.
    fn may_resolve(&self, path: &Path) -> bool {
        let share = |path: &Path| match path.components().next() {
            Some(Component::Prefix(prefix)) => match prefix.kind() {
                Prefix::UNC(server, share) | Prefix::VerbatimUNC(server, share) => {
                    Some(Some((server.to_owned(), share.to_owned())))
                }
                // Devices, and names that are not parsed further, are below no folder.
                Prefix::DeviceNS(_) | Prefix::Verbatim(_) => Some(None),
                Prefix::VerbatimDisk(_) | Prefix::Disk(_) => None,
            },
            _ => None,
        };
        match share(path) {
            None => true,
            Some(None) => false,
            named => self.0.iter().any(|folder| share(&folder.resolved) == named),
        }
    }

    fn is_inside_as_written(&self, path: &Path) -> bool {
        let Ok(path) = std::path::absolute(path) else {
            return false;
        };
        let goes_up = path.components().any(|part| part == Component::ParentDir);
        let is_below =
            |folder: &Folder| path.starts_with(&folder.given) || path.starts_with(&folder.resolved);
        !goes_up && self.0.iter().any(is_below)
    }
}

/// The reason why a path from an untrusted source was not opened.
///
/// ```
/// use std::path::Path;
/// use greenlight::local_file::{Folders, NotOpened};
///
/// let folders = Folders::new(["fixtures/images"])?;
/// match folders.open(Path::new("fixtures/images/../../Cargo.toml")) {
///     Err(NotOpened::Outside) => println!("the list may not name this file"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// The path leads outside the allowed folders.
    #[error("the path leads outside the folders that are allowed")]
    Outside,
    /// The system could not open the file.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(unix)]
mod system {
    use std::{
        fs::File,
        io,
        path::{Component, Path},
    };

    use rustix::fs::{CWD, Mode, OFlags, openat};

    /// Flags to open a folder without permission to list it.
    #[cfg(target_os = "linux")]
    const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
    #[cfg(not(target_os = "linux"))]
    const FOLDER: OFlags = OFlags::DIRECTORY;

    /// Flags to open a file without blocking on a FIFO and without acquiring a terminal.
    const FILE: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

    pub(super) fn open(path: &Path) -> io::Result<File> {
        let file = openat(CWD, path, FILE | OFlags::CLOEXEC, Mode::empty())?;
        Ok(file.into())
    }

    /// Opens `rest` below `folder`, one component at a time.
    pub(super) fn open_below(folder: &Path, rest: &Path) -> io::Result<File> {
        let mut at = openat(CWD, folder, FOLDER | OFlags::CLOEXEC, Mode::empty())?;
        let mut names = rest.components().peekable();
        while let Some(name) = names.next() {
            // A resolved path has no `..`, and opening one could leave the folder.
            let Component::Normal(name) = name else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let flags = if names.peek().is_some() { FOLDER } else { FILE };
            let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            at = openat(&at, name, flags, Mode::empty())?;
        }
        Ok(at.into())
    }
}

#[cfg(not(unix))]
mod system {
    use std::{
        fs::{self, File},
        io,
        path::Path,
    };

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn open_below(folder: &Path, rest: &Path) -> io::Result<File> {
        let path = folder.join(rest);
        let file = File::open(&path)?;
        // After the opening: a link that was created before it resolves to another path.
        if fs::canonicalize(&path)? == path {
            Ok(file)
        } else {
            Err(io::Error::other("the path changed while it was opened"))
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn outside(result: &Result<File, NotOpened>) -> bool {
        matches!(result, Err(NotOpened::Outside))
    }

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        for path in [&fifo, dir.path(), Path::new("/dev/zero")] {
            assert!(open(path).is_err(), "{}", path.display());
        }
        fs::write(dir.path().join("file"), "x").unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        assert!(open(&dir.path().join("link")).is_ok());
    }

    #[test]
    fn a_path_must_resolve_to_a_place_below_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("in/deep")).unwrap();
        fs::create_dir(at("in-too")).unwrap();
        for name in ["in/a", "in/deep/b", "in-too/c", "out"] {
            fs::write(at(name), "x").unwrap();
        }
        symlink(at("out"), at("in/leads-out")).unwrap();
        symlink(dir.path(), at("in/up")).unwrap();
        symlink(at("in/deep"), at("leads-in")).unwrap();
        symlink(at("in"), at("folder")).unwrap();
        let folders = Folders::new([at("folder")]).unwrap();
        for name in [
            "in/a",
            "in/deep/b",
            "in/deep/../a",
            "folder/a",
            "leads-in/b",
            "in/up/in/a",
        ] {
            assert!(folders.open(&at(name)).is_ok(), "{name}");
        }
        for name in [
            "out",
            "in/leads-out",
            "in/../out",
            "in/up/out",
            "in-too/c",
            "none",
            "in/../none",
        ] {
            assert!(outside(&folders.open(&at(name))), "{name}");
        }
        assert!(outside(&Folders::default().open(&at("out"))));
        assert!(matches!(
            folders.open(&at("in/none")),
            Err(NotOpened::Io(_))
        ));
    }

    #[test]
    fn a_link_put_in_place_after_resolving_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("in/sub")).unwrap();
        fs::write(at("secret"), "x").unwrap();
        symlink(at("secret"), at("in/a")).unwrap();
        symlink(dir.path(), at("in/sub/up")).unwrap();
        for rest in ["a", "sub/up/secret", "../secret"] {
            assert!(system::open_below(&at("in"), Path::new(rest)).is_err());
        }
    }
}
