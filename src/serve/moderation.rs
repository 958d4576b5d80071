//! Scans: accepted images become files in a folder, and a pipeline over the ledger submits them.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::routing::MethodRouter;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::{
    fs::File,
    io::AsyncWriteExt as _,
    sync::{Mutex as AsyncMutex, MutexGuard, broadcast},
    time::{interval, sleep, timeout_at},
};

use super::clock;
use crate::{
    axum::callbacks,
    error::{Error, ErrorKind, from_name},
    green::callback::Verifier,
    ids::DataId,
    ledger::{Key, Ledger, Location, Row, Rows, Source, State, Undelivered},
    pipeline::{Line, Pipeline, Queue, Run, Subject},
};

/// How often a waiting request reads the ledger, which another process may have changed.
const LOOK: Duration = Duration::from_secs(1);

/// Delay before the pipeline is started again after the ledger failed.
const RESTART: Duration = Duration::from_secs(1);

/// Outcomes that a waiting request may miss before it reads the ledger anyway.
const HEARD: usize = 1_024;

/// How many files are put in place at a time, at most.
const FILE_LOCKS: usize = 64;

/// What is advised for an image that was not inspected in time.
///
/// A request may name another policy, if it is not more permissive than the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnOutage {
    /// Refuse the image.
    Deny,
    /// Keep the image until there is an outcome.
    #[default]
    Hold,
    /// Use the image. Its decision is still `not-inspected`.
    Allow,
}

impl OnOutage {
    /// Every policy, the strictest first.
    pub const ALL: &'static [Self] = &[Self::Deny, Self::Hold, Self::Allow];

    /// Returns the stable name: `deny`, `hold` or `allow`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Hold => "hold",
            Self::Allow => "allow",
        }
    }
}

from_name!(OnOutage, "outage policy");

impl fmt::Display for OnOutage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a server submits images.
///
/// An accepted image is written to `folder` under the hash of its bytes and enqueued in the ledger,
/// so that equal images are submitted once, and a server that was killed continues. The file is
/// removed when its outcome is in the ledger.
#[derive(Clone, Debug)]
pub struct Moderation {
    pipeline: Pipeline,
    folder: PathBuf,
    on_outage: OnOutage,
    verifier: Option<Verifier>,
}

impl Moderation {
    /// Returns the moderation by a pipeline. `folder` is created if needed.
    pub fn new(pipeline: Pipeline, folder: &Path) -> Self {
        Self {
            pipeline,
            folder: folder.to_owned(),
            on_outage: OnOutage::Hold,
            verifier: None,
        }
    }

    /// Accepts the service's callbacks at `/callbacks/1.0` and `/callbacks/2.0`, for a pipeline that
    /// requests them ([`Pipeline::callback`]). They need no token, because their checksum is verified.
    /// Default: none are accepted.
    #[must_use]
    pub fn callbacks(mut self, verifier: Verifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Sets what is advised for an image that was not inspected in time. Default:
    /// [`OnOutage::Hold`].
    #[must_use]
    pub const fn on_outage(mut self, policy: OnOutage) -> Self {
        self.on_outage = policy;
        self
    }

    /// Creates the folder, and starts to work on what the ledger has.
    pub(super) fn start(self) -> io::Result<(Scans, Run)> {
        fs::create_dir_all(&self.folder)?;
        let folder = fs::canonicalize(&self.folder)?;
        let run = self.pipeline.open();
        let scans = Scans {
            ledger: Arc::clone(self.pipeline.ledger()),
            queue: run.queue(),
            pipeline: self.pipeline,
            folder,
            on_outage: self.on_outage,
            verifier: self.verifier,
            finals: broadcast::channel(HEARD).0,
            obstacle: Mutex::default(),
            files: (0..FILE_LOCKS).map(|_| AsyncMutex::default()).collect(),
        };
        Ok((scans, run))
    }
}

/// The scans of a server.
#[derive(Debug)]
pub(super) struct Scans {
    ledger: Arc<dyn Ledger>,
    queue: Queue,
    pipeline: Pipeline,
    folder: PathBuf,
    pub(super) on_outage: OnOutage,
    verifier: Option<Verifier>,
    /// The numbers of rows that are final.
    finals: broadcast::Sender<i64>,
    /// What keeps images from being scanned.
    obstacle: Mutex<Option<&'static str>>,
    /// Held while a file is put in place and enqueued, or removed: one for each part of the names.
    files: Vec<AsyncMutex<()>>,
}

/// The id of a scan: the row in the ledger, and a part of the image's key, so that an id cannot be
/// guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScanId {
    number: i64,
    check: [u8; 8],
}

impl ScanId {
    pub(super) fn new(number: i64, key: &Key) -> Self {
        let check = key.as_bytes().first_chunk().copied().unwrap_or_default();
        Self { number, check }
    }
}

impl fmt::Display for ScanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.number, u64::from_be_bytes(self.check))
    }
}

impl FromStr for ScanId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, check) = text.split_once('-').ok_or(())?;
        let number = number.parse().map_err(|_| ())?;
        let digits = check.len() == 16 && check.bytes().all(|byte| byte.is_ascii_hexdigit());
        let check = u64::from_str_radix(check, 16).map_err(|_| ())?;
        if !digits || number < 1 {
            return Err(());
        }
        let check = check.to_be_bytes();
        Ok(Self { number, check })
    }
}

impl Scans {
    /// A file for an image that is being received.
    pub(super) fn spool(&self) -> io::Result<Spool> {
        let temporary = NamedTempFile::new_in(&self.folder)?;
        Ok(Spool {
            file: File::from_std(temporary.reopen()?),
            temporary,
            hash: Sha256::new(),
        })
    }

    /// Enqueues an accepted image. The same bytes with the same ids are the same scan.
    pub(super) async fn add(
        &self,
        spool: Spool,
        data_id: Option<&DataId>,
        url: Option<String>,
    ) -> Result<ScanId, Error> {
        let (spool, name) = spool.named();
        let _file = self.lock(&name).await;
        let path = self.folder.join(name);
        spool.persist(&path).await.map_err(|error| {
            let message = "store the image";
            Error::new(ErrorKind::Io, message).with_source(error)
        })?;
        let source = Source {
            origin: "serve".to_owned(),
            line: 1,
            data_id: data_id.map(ToString::to_string),
            // A path would make the row depend on the folder.
            text: Some(url.unwrap_or_else(|| "upload".to_owned())),
        };
        let subject = Subject::File(path.clone());
        let (key, noted) = self.queue.add(Line { subject, source }).await?;
        if noted.state.is_final() && noted.state != State::Dead {
            remove(&path);
        }
        Ok(ScanId::new(noted.number, &key))
    }

    /// Returns the scan, as it is now.
    pub(super) async fn read(&self, id: ScanId) -> Result<Option<Row>, Error> {
        let rows = Rows {
            after: id.number.saturating_sub(1),
            limit: 1,
            state: None,
        };
        let rows = self.ledger.rows(rows).await?.into_iter();
        let mut found = rows.filter(|row| ScanId::new(row.number, &row.key) == id);
        Ok(found.next())
    }

    /// Returns the scan when it is final, or after `time`.
    pub(super) async fn wait(&self, id: ScanId, time: Duration) -> Result<Option<Row>, Error> {
        let deadline = clock::instant() + time;
        let mut finals = self.finals.subscribe();
        loop {
            let row = self.read(id).await?;
            let is_final = row.as_ref().is_none_or(|row| row.state.is_final());
            if is_final || clock::instant() >= deadline {
                return Ok(row);
            }
            let until = deadline.min(clock::instant() + LOOK);
            let heard = async {
                loop {
                    match finals.recv().await {
                        Ok(number) if number != id.number => {}
                        // Missed, or the one that is awaited.
                        _ => return,
                    }
                }
            };
            let _ = timeout_at(until, heard).await;
        }
    }

    /// Returns the route of the service's callbacks, if they are accepted.
    pub(super) fn callbacks<S>(&self) -> Option<MethodRouter<S>>
    where
        S: Clone + Send + Sync + 'static,
    {
        let verifier = self.verifier.clone()?;
        let pipeline = self.pipeline.clone();
        Some(callbacks(verifier, move |report| {
            let pipeline = pipeline.clone();
            async move { pipeline.record_callback(&report).await.map(drop) }
        }))
    }

    /// Returns what keeps images from being scanned.
    pub(super) fn obstacle(&self) -> Option<&'static str> {
        *self.obstacle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_obstacle(&self, obstacle: Option<&'static str>) {
        *self.obstacle.lock().unwrap_or_else(PoisonError::into_inner) = obstacle;
    }

    /// Works on the ledger until the run is stopped.
    pub(super) async fn drive(&self, run: &mut Run) {
        let mut ticks = interval(LOOK);
        loop {
            let next = tokio::select! {
                _ = ticks.tick() => {
                    self.set_obstacle(run.outage().map(|_| "the service cannot be reached"));
                    continue;
                }
                next = run.next() => next,
            };
            let ended = match next {
                Ok(Some(outcomes)) => match run.acknowledge(&outcomes).await {
                    Ok(()) => {
                        self.delivered(&outcomes).await;
                        continue;
                    }
                    Err(error) => error,
                },
                Ok(None) => return,
                Err(error) => error,
            };
            self.set_obstacle(Some("the ledger cannot be used"));
            tracing::error!(error = ended.report(), "the pipeline ended");
            sleep(RESTART).await;
            *run = self.pipeline.open();
        }
    }

    /// Locks a file name.
    async fn lock(&self, name: &str) -> MutexGuard<'_, ()> {
        let part = usize::from_str_radix(name.get(..4).unwrap_or_default(), 16).unwrap_or(0);
        self.files[part % FILE_LOCKS].lock().await
    }

    async fn delivered(&self, outcomes: &[Undelivered]) {
        for Undelivered { row, .. } in outcomes {
            // A dead image may be retried.
            if let Location::File(path) = &row.location
                && row.state != State::Dead
                && path.parent() == Some(&self.folder)
                && let Some(name) = path.file_name()
            {
                let _file = self.lock(&name.to_string_lossy()).await;
                remove(path);
            }
            // No request may be waiting.
            let _ = self.finals.send(row.number);
        }
    }
}

/// Removes a file of the folder. One that remains costs space only.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// The file of an image that is being received. It is removed if it is dropped.
#[derive(Debug)]
pub(super) struct Spool {
    temporary: NamedTempFile,
    file: File,
    hash: Sha256,
}

impl Spool {
    pub(super) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hash.update(chunk);
        self.file.write_all(chunk).await
    }

    /// Returns the name of the file: the hash of its bytes.
    fn named(mut self) -> (Self, String) {
        let hash: [u8; 32] = self.hash.finalize_reset().into();
        // In hexadecimal digits.
        (self, Key::from_bytes(hash).to_string())
    }

    /// Puts the complete file in its place, durably, because the ledger will refer to it.
    async fn persist(mut self, path: &Path) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let persisted = self.temporary.persist(path);
        persisted.map(drop).map_err(|failed| failed.error)
    }
}
