//! A source of bytes with a gate in it.

#[cfg(feature = "stream")]
use std::{
    fmt,
    future::pending,
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::{
    io,
    sync::{Arc, OnceLock},
};

use super::Gate;
use crate::{
    inspect::Inspection,
    verdict::{Accepted, Missing, Rejected, Verdict},
};

impl Gate {
    /// Wraps a source of bytes in the gate: a [`Read`](io::Read), and with the feature `stream` a
    /// `Stream` of `Result<Bytes, E>` or an `AsyncRead`. The source's bytes are passed on, neither
    /// copied nor held; the first chunk that makes the image unacceptable is replaced by an error.
    ///
    /// ```
    /// use greenlight::{Gate, Requirements};
    ///
    /// let upload: &[u8] = b"no image";
    /// let mut bytes = Gate::new(Requirements::ASYNC).over(upload);
    /// let receipt = bytes.receipt();
    ///
    /// let mut stored = Vec::new();
    /// let copied = std::io::copy(&mut bytes, &mut stored);
    /// assert!(copied.is_err()); // a rejected upload never looks like one that ended well
    ///
    /// let rejected = receipt.into_result().unwrap_err();
    /// assert_eq!(rejected.violations()[0].code().name(), "image/not-an-image");
    /// ```
    ///
    /// At [`Depth::Decode`](crate::Depth::Decode) the picture is decoded at the source's end: on
    /// the calling thread by a [`Read`](io::Read), on a thread of its own by the asynchronous ones.
    pub fn over<T>(self, source: T) -> Gated<T> {
        Gated {
            source,
            gate: Some(self),
            #[cfg(feature = "stream")]
            ending: None,
            receipt: Receipt::default(),
        }
    }
}

/// A source of bytes with a [`Gate`] in it; made by [`Gate::over`].
///
/// The end of the source is checked too: a truncated image ends with an error instead of the end of
/// the stream. So code that sees only bytes (a file, an object store's client) cannot mistake a
/// rejected upload for a good one. The [`Receipt`] holds the verdict.
///
/// After a rejection a stream ends and a reader repeats the error;
/// [`into_source`](Self::into_source) returns the source with the remaining bytes.
///
/// ```
/// use std::io;
/// use greenlight::{Gate, Requirements};
///
/// let upload = std::fs::File::open("fixtures/images/png/cut-in-data.png")?;
/// let mut gated = Gate::new(Requirements::ASYNC).over(upload);
/// let mut stored = Vec::new();
/// let error = io::copy(&mut gated, &mut stored).unwrap_err(); // the file lacks its end
/// assert_eq!(error.kind(), io::ErrorKind::InvalidData);
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Debug)]
pub struct Gated<T> {
    pub(super) source: T,
    /// None once the verdict is known or the source failed.
    gate: Option<Gate>,
    /// The verdict that is being computed, once the source ended.
    #[cfg(feature = "stream")]
    ending: Option<Ending>,
    receipt: Receipt,
}

#[cfg(feature = "stream")]
struct Ending(Pin<Box<dyn Future<Output = Result<Accepted, Rejected>> + Send + Sync>>);

#[cfg(feature = "stream")]
impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ending")
    }
}

impl<T> Gated<T> {
    /// The verdict's handle, to be kept where the bytes are moved on.
    pub fn receipt(&self) -> Receipt {
        self.receipt.clone()
    }

    /// The facts so far, while bytes are still to come.
    pub fn inspection(&self) -> Option<&Inspection> {
        self.gate.as_ref().map(Gate::inspection)
    }

    /// Returns the source with its unread bytes.
    pub fn into_source(self) -> T {
        self.source
    }

    /// Whether the verdict is known, or never will be.
    pub(super) const fn is_done(&self) -> bool {
        self.gate.is_none()
    }

    /// Checks bytes of the source.
    pub(super) fn pass(&mut self, chunk: &[u8]) -> Result<(), Rejected> {
        let Some(gate) = &mut self.gate else {
            return Ok(());
        };
        gate.push(chunk).inspect_err(|rejected| {
            self.gate = None;
            self.receipt.settle(Err(rejected.clone()));
        })
    }

    /// Checks the source's end.
    pub(super) fn end(&mut self) -> Result<(), Rejected> {
        let Some(gate) = self.gate.take() else {
            return Ok(());
        };
        self.settle(gate.finish())
    }

    fn settle(&mut self, verdict: Result<Accepted, Rejected>) -> Result<(), Rejected> {
        let outcome = verdict.as_ref().map(|_| ()).map_err(Rejected::clone);
        self.receipt.settle(verdict);
        outcome
    }

    /// Whether the source ended and the verdict is being made.
    #[cfg(feature = "stream")]
    pub(super) const fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Checks the source's end, which may wait for a decoder.
    #[cfg(feature = "stream")]
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejected>> {
        // The gate is moved into the future, so a later poll finds only the ending.
        if let Some(gate) = self.gate.take() {
            self.ending = Some(Ending(Box::pin(gate.finish_until(pending()))));
        }
        let Some(Ending(ending)) = &mut self.ending else {
            return Poll::Ready(Ok(()));
        };
        let verdict = ready!(ending.as_mut().poll(cx));
        // A future must not be polled after it is ready.
        self.ending = None;
        Poll::Ready(self.settle(verdict))
    }

    /// The result of reading once the verdict is known: code that continues to read after a
    /// rejection must not mistake it for the end of an accepted file.
    pub(super) fn read_on(&self) -> io::Result<()> {
        match self.receipt.result() {
            Some(Err(rejected)) => Err(rejected.clone().into()),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// The source failed, unless it may be read again after this error.
    pub(super) fn fail_unless_transient(&mut self, error: &io::Error) {
        if !matches!(
            error.kind(),
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
        ) {
            self.fail();
        }
    }

    /// The source failed: the rest will never be known.
    pub(super) fn fail(&mut self) {
        if let Some(gate) = self.gate.take() {
            self.receipt
                .settle(Err(cut(Some(gate.inspection().clone()))));
        }
    }
}

/// A handle to the verdict of a [`Gated`] source, for code that does not own the source.
///
/// ```
/// use std::io;
/// use greenlight::{Gate, Requirements};
///
/// let upload = std::fs::File::open("fixtures/images/png/rgb.png")?;
/// let mut gated = Gate::new(Requirements::ASYNC).over(upload);
/// let receipt = gated.receipt(); // kept here, while `gated` may be moved into a client
/// assert!(receipt.result().is_none());
/// io::copy(&mut gated, &mut io::sink())?;
/// let accepted = receipt.into_result()?;
/// println!("{:?}", accepted.inspection());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    verdict: Arc<OnceLock<Result<Accepted, Rejected>>>,
}

impl Receipt {
    /// Returns the verdict, once the source was rejected, has failed or was read to its end.
    pub fn result(&self) -> Option<&Result<Accepted, Rejected>> {
        self.verdict.get()
    }

    /// Returns the verdict.
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] for an upload that was rejected. If it was not read to its end, the
    /// decision is [`Inconclusive`](crate::Decision::Inconclusive).
    pub fn into_result(self) -> Result<Accepted, Rejected> {
        match self.verdict.get() {
            Some(verdict) => verdict.clone(),
            None => Err(cut(None)),
        }
    }

    fn settle(&self, verdict: Result<Accepted, Rejected>) {
        // Settled once: the gate is taken before each call.
        self.verdict.get_or_init(|| verdict);
    }
}

/// Returns the verdict of bytes that were not read to their end.
fn cut(inspection: Option<Inspection>) -> Rejected {
    let missing = vec![Missing::Upload];
    Verdict::new((), Vec::new(), missing, inspection, None)
        .into_result()
        .expect_err("a fact is missing")
}
