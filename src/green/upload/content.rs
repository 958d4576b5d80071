//! The bytes of an upload, compared with the receipt while they are read.

use std::{
    fmt,
    io::{self, Read as _},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::Body;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::{
    error::{Error, ErrorKind},
    inspect::{Depth, Inspection, Inspector, read_chunks},
    local_file,
    sanitize::harmless,
};

/// The bytes of an image: in memory, or in a file that is read as it is sent.
///
/// ```
/// # #[cfg(feature = "sandbox")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use greenlight::green::{Client, Credentials, Secret};
/// # let sandbox = greenlight::sandbox::Sandbox::start().await?;
/// # let key = sandbox.credentials();
/// # let key = Credentials::new(key.id(), Secret::new(key.secret()));
/// # let client = Client::builder().endpoint(&sandbox.endpoint()).credentials(key).build()?;
/// use greenlight::{Inspection, Requirements, green::{Batch, Content, Task}};
///
/// let bytes = std::fs::read("fixtures/images/png/rgb.png")?;
/// let inspection = Inspection::of(&bytes);
/// let accepted = Requirements::ASYNC.judge(inspection).into_result()?;
/// let uploaded = client.upload(accepted, &Content::bytes(bytes)).await?;
/// assert!(uploaded.subject().as_str().starts_with("oss://"));
/// let batch = Batch::new([Task::new(uploaded)])?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sandbox"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Content {
    kind: Kind,
    sha256: Option<[u8; 32]>,
}

#[derive(Clone)]
enum Kind {
    Bytes(Bytes),
    File(PathBuf),
}

impl Content {
    /// The content is these bytes.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self {
            kind: Kind::Bytes(bytes.into()),
            sha256: None,
        }
    }

    /// The content is a file.
    pub fn file(path: &Path) -> Self {
        Self {
            kind: Kind::File(path.to_owned()),
            sha256: None,
        }
    }

    /// Requires this hash in addition to the facts of the receipt: then no other bytes of the same
    /// size and structure are uploaded.
    #[must_use]
    pub const fn with_sha256(mut self, sha256: [u8; 32]) -> Self {
        self.sha256 = Some(sha256);
        self
    }

    fn checker(&self, accepted: Inspection, len: u64) -> ContentCheck {
        // Whether a decoder had time for the image is not a property of the bytes.
        let mut inspector = Inspector::new(accepted.depth().min(Depth::Payload));
        inspector.announce_len(len);
        ContentCheck {
            accepted,
            len,
            inspector,
            hash: self.sha256.map(|expected| (Sha256::new(), expected)),
        }
    }

    /// Rejects bytes that are not the accepted ones before anything is sent. Files are checked
    /// while they are sent.
    pub(super) async fn check(&self, accepted: &Inspection, len: u64) -> Result<(), Error> {
        let Kind::Bytes(bytes) = &self.kind else {
            return Ok(());
        };
        let bytes = bytes.clone();
        let mut check = self.checker(accepted.clone(), len);
        let run = move || {
            check.push(&bytes);
            check.finish()
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(checked) => checked,
            Err(error) => Err(
                Error::new(ErrorKind::Io, "upload failed: the check did not finish")
                    .with_source(error),
            ),
        }
    }

    /// Returns the body of a request, and the slot for the error that ends it early.
    pub(super) fn body(&self, accepted: &Inspection, len: u64) -> (Body, ReadFault) {
        let fault = ReadFault::default();
        let body = match &self.kind {
            Kind::Bytes(bytes) => Body::from(bytes.clone()),
            Kind::File(path) => {
                let (sender, receiver) = mpsc::channel(2);
                let (path, failure) = (path.clone(), fault.clone());
                let check = self.checker(accepted.clone(), len);
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = read(&path, check, &sender) {
                        // Before the body fails: `put` reads it when the transfer has ended.
                        failure.set(error);
                        let _ = sender.blocking_send(Err(io::ErrorKind::Interrupted.into()));
                    }
                });
                Body::wrap(FileBody {
                    chunks: receiver,
                    left: len,
                })
            }
        };
        (body, fault)
    }
}

/// Not the bytes.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Bytes(bytes) => write!(f, "Content({} bytes)", bytes.len()),
            Kind::File(path) => write!(f, "Content({})", path.display()),
        }
    }
}

/// The error that ended reading early.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadFault(Arc<Mutex<Option<Error>>>);

impl ReadFault {
    fn set(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Inspects bytes again while they are sent.
struct ContentCheck {
    accepted: Inspection,
    len: u64,
    inspector: Inspector,
    /// The current hash, and the required one.
    hash: Option<(Sha256, [u8; 32])>,
}

impl ContentCheck {
    fn push(&mut self, chunk: &[u8]) {
        self.inspector.push(chunk);
        if let Some((hash, _)) = &mut self.hash {
            hash.update(chunk);
        }
    }

    fn finish(self) -> Result<(), Error> {
        let seen = self.inspector.finish();
        // Nothing is decoded again, so a decoder's opinion of the accepted bytes does not count.
        let same = seen.len() == Some(self.len)
            && seen.identity() == self.accepted.identity()
            && seen.dimensions() == self.accepted.dimensions()
            && seen.frames() == self.accepted.frames()
            && *seen.defects() == self.accepted.defects().without_opinions();
        let same_bytes = self
            .hash
            .is_none_or(|(hash, expected)| hash.finalize()[..] == expected);
        if same && same_bytes {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Changed,
            "upload failed: the content is not what was accepted, or changed since",
        ))
    }
}

/// Sends a file's chunks. The last is sent only once the whole file is known to be what was
/// accepted, so that no other is ever complete at the store.
fn read(
    path: &Path,
    mut check: ContentCheck,
    chunks: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), Error> {
    const CHUNK: usize = 64 << 10;
    let cannot = |error: io::Error| {
        let path = harmless(&path.to_string_lossy(), 200);
        Error::new(ErrorKind::Io, format!("upload failed: cannot read {path}")).with_source(error)
    };
    // One byte more than accepted shows that there are more.
    let file = local_file::open(path).map_err(cannot)?;
    let mut held: Option<Bytes> = None;
    let most = check.len.saturating_add(1);
    let ended = read_chunks(file.take(most), CHUNK, CHUNK, |chunk| {
        check.push(chunk);
        let earlier = held.replace(Bytes::copy_from_slice(chunk));
        earlier.is_none_or(|earlier| chunks.blocking_send(Ok(earlier)).is_ok())
    });
    if !ended.map_err(cannot)? {
        return Ok(());
    }
    check.finish()?;
    if let Some(last) = held {
        // The receiver is gone only if the request has ended.
        let _ = chunks.blocking_send(Ok(last));
    }
    Ok(())
}

/// A file's chunks as the body of a request of known length.
struct FileBody {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = ready!(self.chunks.poll_recv(context));
        if let Some(Ok(chunk)) = &next {
            let len = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            self.left = self.left.saturating_sub(len);
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
