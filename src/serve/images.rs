//! The folder of the images that wait for their outcomes, and the bytes that they take.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use sha2::{Digest as _, Sha256};
use tempfile::{Builder, NamedTempFile};
use tokio::{
    fs::File,
    io::AsyncWriteExt as _,
    sync::{Mutex as AsyncMutex, MutexGuard},
    task::spawn_blocking,
};

use super::{clock, ledger_watch::bounded, refusal::Refusal};
use crate::{
    error::{Error, ErrorKind},
    ledger::{Key, Ledger, State},
    spawned::joined,
};

/// How many files are put in place at a time, at most.
// A fixed number, so that no table of names grows and shrinks. Two names that share a lock wait for
// each other, which is harmless.
const LOCKS: usize = 64;

/// How many states are read at a time.
const PAGE: usize = 500;

/// The age at which the file of a dead image is removed, which may be retried until then, and that of
/// an image that the ledger does not know, which may belong to another ledger.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How the names of partial files begin. The folder may be one that others use too.
const PARTIAL_NAME: &str = ".greenlight-";

/// The age at which a partial file is removed. No upload takes longer.
const PARTIAL: Duration = Duration::from_secs(2 * 60 * 60);

/// The folder of the images.
#[derive(Debug)]
pub(super) struct Images {
    folder: PathBuf,
    max: u64,
    held: Arc<Held>,
    /// Held while a file is put in place and enqueued, or removed: one for each part of the names.
    locks: Vec<AsyncMutex<()>>,
}

/// What the folder contains.
#[derive(Debug, Default)]
struct Held {
    files: AtomicU64,
    bytes: AtomicU64,
    /// The announced bytes of the images that are being received.
    reserved: AtomicU64,
    oldest: Mutex<Option<SystemTime>>,
}

/// The state of the folder, for the metrics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// When the oldest image was received.
    pub(super) oldest: Option<SystemTime>,
}

impl Images {
    /// Opens the folder, or creates it. Its files have at most `max` bytes together.
    pub(super) fn open(folder: &Path, max: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        // The ledger stores the paths, which must not depend on the working directory.
        let folder = fs::canonicalize(folder)?;
        let images = Self {
            held: Arc::default(),
            locks: (0..LOCKS).map(|_| AsyncMutex::default()).collect(),
            folder,
            max,
        };
        images.count(&list(&images.folder)?);
        Ok(images)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether this is a file of the folder.
    pub(super) fn contain(&self, path: &Path) -> bool {
        path.parent() == Some(&self.folder)
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            files: self.held.files.load(Relaxed),
            bytes: self.held.bytes.load(Relaxed),
            oldest: *self.oldest(),
        }
    }

    fn oldest(&self) -> std::sync::MutexGuard<'_, Option<SystemTime>> {
        let oldest = self.held.oldest.lock();
        oldest.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a file for an image of up to `bytes` that is being received.
    pub(super) fn spool(&self, bytes: u64) -> Result<Spool, Refusal> {
        // Before the comparison, so that two requests cannot both get the last bytes.
        let reserved = Reserved::new(&self.held, bytes);
        let held = self.held.bytes.load(Relaxed);
        if held.saturating_add(self.held.reserved.load(Relaxed)) > self.max {
            return Err(Refusal::new(
                503,
                "server/images-full",
                "the images that wait for their outcomes take all of their disk space: try again later",
            )
            .retry_after(Duration::from_secs(30)));
        }
        let open = || -> io::Result<Spool> {
            let temporary = Builder::new()
                .prefix(PARTIAL_NAME)
                .tempfile_in(&self.folder)?;
            Ok(Spool {
                file: File::from_std(temporary.reopen()?),
                temporary,
                hash: Sha256::new(),
                len: 0,
                _reserved: reserved,
            })
        };
        open().map_err(|error| unstored(&error))
    }

    /// Locks a file name.
    pub(super) async fn lock(&self, name: &str) -> MutexGuard<'_, ()> {
        // A name is a hash, so its first digits spread the names over all locks.
        let part = usize::from_str_radix(name.get(..4).unwrap_or_default(), 16).unwrap_or(0);
        self.locks[part % LOCKS].lock().await
    }

    /// Puts a complete file in its place, durably, because the ledger will refer to it. Its name is
    /// locked.
    pub(super) async fn persist(&self, spool: Spool, path: &Path) -> io::Result<()> {
        let Spool {
            temporary,
            mut file,
            len,
            ..
        } = spool;
        file.flush().await?;
        // Before it is renamed: after a crash the name could belong to an empty file otherwise.
        file.sync_all().await?;
        // Equal bytes have one file, which is counted once.
        let is_new = !path.exists();
        temporary.persist(path).map_err(|failed| failed.error)?;
        // The name is in the folder, which has to survive a power failure as well. Windows has no
        // such call.
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            File::open(folder).await?.sync_all().await?;
        }
        if is_new {
            // The reserved bytes are released at the end, after this: for a moment the file is
            // counted twice, so that the sum is never too low.
            self.held.files.fetch_add(1, Relaxed);
            self.held.bytes.fetch_add(len, Relaxed);
        }
        Ok(())
    }

    /// Removes a file, whose name is locked. Returns when it was received, if it was there. A file that
    /// remains is removed by [`sweep`](Self::sweep).
    pub(super) fn remove(&self, path: &Path) -> Option<SystemTime> {
        let metadata = fs::metadata(path).ok()?;
        fs::remove_file(path).ok()?;
        // A sweep may have counted the folder without this file.
        let less = |count: &AtomicU64, by| {
            let _ = count.fetch_update(Relaxed, Relaxed, |count| {
                Some(u64::saturating_sub(count, by))
            });
        };
        less(&self.held.files, 1);
        less(&self.held.bytes, metadata.len());
        metadata.modified().ok()
    }

    /// Removes the files that no image needs: those of final images, which a crash can leave, and later
    /// those of dead and unknown ones. Counts the others.
    pub(super) async fn sweep(&self, ledger: &dyn Ledger) -> Result<(), Error> {
        let folder = self.folder.clone();
        let files = joined(spawn_blocking(move || list(&folder)).await)?;
        let mut files = files
            .map_err(|error| Error::new(ErrorKind::Io, "list the images").with_source(error))?;
        let now = clock::now();
        let age = |file: &Found| now.duration_since(file.modified).unwrap_or_default();
        for partial in files.extract_if(.., |file| file.hash.is_none()) {
            if age(&partial) > PARTIAL {
                let _ = fs::remove_file(self.path(&partial.name));
            }
        }
        let mut kept = Vec::with_capacity(files.len());
        for page in files.chunks(PAGE) {
            let keys = page.iter().map(|file| file.key(ledger));
            let states = bounded(ledger.states(keys.collect())).await?;
            for (file, state) in page.iter().zip(states) {
                if !is_needless(state, age(file)) {
                    kept.push(file.clone());
                    continue;
                }
                let _name = self.lock(&file.name).await;
                // The same image may have been added again.
                // Bounded, because requests wait for the name.
                let states = bounded(ledger.states(vec![file.key(ledger)])).await?;
                if is_needless(states.first().copied().flatten(), age(file)) {
                    self.remove(&self.path(&file.name));
                }
            }
        }
        self.count(&kept);
        Ok(())
    }

    fn count(&self, files: &[Found]) {
        let files = || files.iter().filter(|file| file.hash.is_some());
        let count = u64::try_from(files().count()).unwrap_or(u64::MAX);
        self.held.files.store(count, Relaxed);
        let bytes = files().map(|file| file.len).sum();
        self.held.bytes.store(bytes, Relaxed);
        *self.oldest() = files().map(|file| file.modified).min();
    }
}

/// Whether the file of an image in this state can be removed.
fn is_needless(state: Option<State>, age: Duration) -> bool {
    match state {
        None | Some(State::Dead) => age > KEPT,
        Some(state) => state.is_final(),
    }
}

/// A file of the folder.
#[derive(Clone, Debug)]
struct Found {
    name: String,
    /// The hash of an image, which is its name. `None` for a partial file.
    hash: Option<Key>,
    len: u64,
    modified: SystemTime,
}

impl Found {
    /// The key of the image in the ledger.
    fn key(&self, ledger: &dyn Ledger) -> Key {
        let hash = self.hash.map_or([0; 32], |hash| *hash.as_bytes());
        Key::of_content(ledger.scope(), &hash)
    }
}

/// Lists the images and the partial files. Other files are left alone.
fn list(folder: &Path) -> io::Result<Vec<Found>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let hash = Key::parse(&name);
        if hash.is_none() && !name.starts_with(PARTIAL_NAME) {
            continue;
        }
        // It may have been removed since.
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            files.push(Found {
                name,
                hash,
                len: metadata.len(),
                modified: metadata.modified()?,
            });
        }
    }
    Ok(files)
}

/// Bytes that are reserved until this is dropped.
#[derive(Debug)]
struct Reserved {
    held: Arc<Held>,
    bytes: u64,
}

impl Reserved {
    fn new(held: &Arc<Held>, bytes: u64) -> Self {
        held.reserved.fetch_add(bytes, Relaxed);
        let held = Arc::clone(held);
        Self { held, bytes }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.held.reserved.fetch_sub(self.bytes, Relaxed);
    }
}

/// The file of an image that is being received. It is removed if it is dropped.
#[derive(Debug)]
pub(super) struct Spool {
    temporary: NamedTempFile,
    file: File,
    hash: Sha256,
    len: u64,
    _reserved: Reserved,
}

impl Spool {
    pub(super) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hash.update(chunk);
        self.len += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.file.write_all(chunk).await
    }

    /// Returns the name of the file: the hash of its bytes, in hexadecimal digits.
    pub(super) fn name(&self) -> String {
        let hash: [u8; 32] = self.hash.clone().finalize().into();
        Key::from_bytes(hash).to_string()
    }
}

/// The response if an image cannot be stored.
pub(super) fn unstored(error: &io::Error) -> Refusal {
    tracing::error!(%error, "store an image");
    Refusal::new(
        503,
        "server/storage",
        "the server cannot store the image now",
    )
    .retry_after(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_until_no_image_needs_them() {
        let day = KEPT + Duration::from_secs(1);
        for state in State::ALL {
            let needless = |age| is_needless(Some(*state), age);
            let is_dead = *state == State::Dead;
            assert_eq!(
                needless(Duration::ZERO),
                state.is_final() && !is_dead,
                "{state}"
            );
            assert_eq!(needless(day), state.is_final(), "{state}");
        }
        assert!(!is_needless(None, Duration::ZERO) && is_needless(None, day));
    }
}
