//! What clients may use together.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;
use crate::axum::{MIN_RATE, PATIENCE};

/// Bytes in flight are counted in units of this many, because a semaphore counts with 32 bits.
const UNIT: u64 = 1 << 10;

/// The limits of a server. A request beyond one of them gets the status 503 or 429, with
/// `Retry-After`.
///
/// ```
/// use greenlight::serve::Limits;
///
/// let limits = Limits::default().with_uploads(64).with_bytes(256 << 20);
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    pub(super) connections: usize,
    pub(super) uploads: usize,
    pub(super) bytes: u64,
    pub(super) rate: Option<NonZeroU32>,
    pub(super) head_time: Duration,
    pub(super) min_rate: u32,
    pub(super) patience: Duration,
    pub(super) shutdown_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            uploads: 512,
            bytes: 1 << 30,
            rate: None,
            head_time: Duration::from_secs(10),
            min_rate: MIN_RATE,
            patience: PATIENCE,
            shutdown_time: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Sets how many connections are open at a time; others wait in the system's queue. Default:
    /// 1,024.
    #[must_use]
    pub const fn with_connections(mut self, connections: usize) -> Self {
        self.connections = if connections == 0 { 1 } else { connections };
        self
    }

    /// Sets how many images are received or downloaded at a time (503). Default: 512.
    #[must_use]
    pub const fn with_uploads(mut self, uploads: usize) -> Self {
        self.uploads = uploads;
        self
    }

    /// Sets how many bytes the uploads in progress may have together (503). An upload counts with
    /// its announced length, and without one with the largest accepted file. Default: 1 GiB.
    #[must_use]
    pub const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets how many requests each token may make per second (429), in bursts of the same size. All
    /// requests without a token count as those of one. Default: no limit.
    #[must_use]
    pub const fn with_rate(mut self, requests: Option<NonZeroU32>) -> Self {
        self.rate = requests;
        self
    }

    /// Sets how long a client may take to send a request head, and how long a connection may be
    /// idle. Default: 10 seconds.
    #[must_use]
    pub const fn with_head_time(mut self, time: Duration) -> Self {
        self.head_time = time;
        self
    }

    /// Sets the lowest rate of an upload and how far it may fall behind, as in
    /// [`UploadPolicy::with_min_rate`](crate::axum::UploadPolicy::with_min_rate). Default: 8,192
    /// bytes per second and 10 seconds.
    #[must_use]
    pub const fn with_min_rate(mut self, bytes_per_second: u32, patience: Duration) -> Self {
        self.min_rate = bytes_per_second;
        self.patience = patience;
        self
    }

    /// Sets how long a shutdown waits for the requests in progress. Default: 30 seconds.
    #[must_use]
    pub const fn with_shutdown_time(mut self, time: Duration) -> Self {
        self.shutdown_time = time;
        self
    }
}

/// The places for uploads, and their bytes.
#[derive(Debug)]
pub(super) struct Room {
    uploads: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    limits: (usize, usize),
}

/// The place of one upload, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _upload: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Room {
    pub(super) fn new(limits: &Limits) -> Self {
        let uploads = limits.uploads.min(Semaphore::MAX_PERMITS);
        let units = usize::try_from(limits.bytes / UNIT).unwrap_or(usize::MAX);
        let units = units.min(Semaphore::MAX_PERMITS);
        Self {
            uploads: Arc::new(Semaphore::new(uploads)),
            bytes: Arc::new(Semaphore::new(units)),
            limits: (uploads, units),
        }
    }

    /// Takes a place for an upload of this length.
    pub(super) fn enter(&self, bytes: u64) -> Result<Place, Refusal> {
        let full = |code, what| Refusal::new(503, code, what).retry_after(Duration::from_secs(1));
        let upload = Arc::clone(&self.uploads).try_acquire_owned();
        let upload = upload.map_err(|_| {
            full(
                "server/too-many-uploads",
                "too many images are being received: try again later",
            )
        })?;
        // An upload that is larger than the whole budget gets a place when there is no other one.
        let units = bytes
            .div_ceil(UNIT)
            .min(u64::try_from(self.limits.1).unwrap_or(u64::MAX));
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(units);
        let bytes = bytes.map_err(|_| {
            full(
                "server/too-many-bytes",
                "the images being received have too many bytes together: try again later",
            )
        })?;
        Ok(Place {
            _upload: upload,
            _bytes: bytes,
        })
    }

    /// Returns the count and the bytes of the uploads in progress.
    pub(super) fn in_use(&self) -> (usize, u64) {
        let (uploads, units) = self.limits;
        let units = units.saturating_sub(self.bytes.available_permits());
        (
            uploads.saturating_sub(self.uploads.available_permits()),
            u64::try_from(units)
                .unwrap_or(u64::MAX)
                .saturating_mul(UNIT),
        )
    }
}
