//! Opening images by path. Every image file is opened here, once, and checked on the open handle:
//! what a path leads to can change between two system calls.

use std::{
    fs::{self, File},
    io,
    path::{Component, Path, PathBuf, Prefix},
    sync::Arc,
};

/// Opens a regular file. Symbolic links are followed. Neither opening nor reading blocks on a FIFO
/// or a device, because both are refused.
///
/// # Errors
///
/// Those of the system, and one for what is not a regular file.
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

/// Folders that a path from an untrusted source may lead into.
///
/// A path is allowed if what it resolves to, with symbolic links followed, lies below one of them.
/// The file is then opened from that folder downwards without following a link, so that a link
/// that is put in place between the two steps leads nowhere (on Windows the path is resolved again
/// once the file is open instead).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders(Arc<[Folder]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    given: PathBuf,
    resolved: PathBuf,
}

impl Folders {
    /// Resolves the folders' paths.
    ///
    /// # Errors
    ///
    /// Those of the system, for a folder that does not exist or cannot be read; an error of
    /// [`NotADirectory`](io::ErrorKind::NotADirectory) for something else than a folder.
    pub fn new<P: AsRef<Path>>(folders: impl IntoIterator<Item = P>) -> io::Result<Self> {
        let resolve = |folder: P| {
            let given = std::path::absolute(folder.as_ref())?;
            let resolved = fs::canonicalize(folder)?;
            if !resolved.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Ok(Folder { given, resolved })
        };
        let folders: io::Result<Vec<_>> = folders.into_iter().map(resolve).collect();
        folders.map(|folders| Self(folders.into()))
    }

    /// Whether no path is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a path resolves to.
    ///
    /// # Errors
    ///
    /// [`NotOpened::Outside`] if that is not below one of the folders.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, NotOpened> {
        let (folder, rest) = self.find(path)?;
        Ok(folder.resolved.join(rest))
    }

    /// Opens a regular file below one of the folders.
    ///
    /// # Errors
    ///
    /// [`NotOpened::Outside`] if the path leads elsewhere, else those of [`open`].
    pub fn open(&self, path: &Path) -> Result<File, NotOpened> {
        let (folder, rest) = self.find(path)?;
        let file = system::open_below(&folder.resolved, &rest)?;
        Ok(regular(file)?)
    }

    /// The folder that a path resolves to a place below of, and the rest of that place's path.
    fn find(&self, path: &Path) -> Result<(&Folder, PathBuf), NotOpened> {
        if !self.may_resolve(path) {
            return Err(NotOpened::Outside);
        }
        let resolved = match fs::canonicalize(path) {
            Ok(resolved) => resolved,
            // Whether a path outside leads to something is not for the untrusted source to learn.
            Err(_) if !self.is_inside_as_written(path) => return Err(NotOpened::Outside),
            Err(error) => return Err(error.into()),
        };
        let below = self.0.iter().find_map(|folder| {
            let rest = resolved.strip_prefix(&folder.resolved).ok()?;
            Some((folder, rest.to_owned()))
        });
        below.ok_or(NotOpened::Outside)
    }

    /// Whether resolving a path asks no other machine that the folders are not on: Windows logs in
    /// to whatever server a UNC path names.
    fn may_resolve(&self, path: &Path) -> bool {
        let share = |path: &Path| match path.components().next() {
            Some(Component::Prefix(prefix)) => match prefix.kind() {
                Prefix::UNC(server, share) | Prefix::VerbatimUNC(server, share) => {
                    Some(Some((server.to_owned(), share.to_owned())))
                }
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

/// Why a path from an untrusted source was not opened.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// It leads out of the folders that are allowed.
    #[error("the path leads outside the folders that are allowed")]
    Outside,
    /// The system's reason.
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

    /// Enough of a folder to open what is in it.
    #[cfg(target_os = "linux")]
    const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
    #[cfg(not(target_os = "linux"))]
    const FOLDER: OFlags = OFlags::DIRECTORY;

    /// A terminal that is opened must not become the process's own.
    const FILE: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

    pub(super) fn open(path: &Path) -> io::Result<File> {
        let file = openat(CWD, path, FILE | OFlags::CLOEXEC, Mode::empty())?;
        Ok(file.into())
    }

    /// Opens `rest` below `folder`, name by name.
    pub(super) fn open_below(folder: &Path, rest: &Path) -> io::Result<File> {
        let mut at = openat(CWD, folder, FOLDER | OFlags::CLOEXEC, Mode::empty())?;
        let mut names = rest.components().peekable();
        while let Some(name) = names.next() {
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
