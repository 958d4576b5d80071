//! A source of bytes with a gate in it.

use std::sync::{Arc, OnceLock};

use super::Gate;
use crate::{
    inspect::Inspection,
    verdict::{Accepted, Rejected, Verdict},
};

impl Gate {
    /// Puts the gate over a source of bytes: a `Stream` of `Result<Bytes, E>` or an `AsyncRead`.
    /// What comes out is what the source gives, neither copied nor held; the first chunk that
    /// condemns the image is an error in its place.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use greenlight::{Gate, Requirements};
    ///
    /// let upload: &[u8] = b"no image";
    /// let mut bytes = Gate::new(Requirements::ASYNC).over(upload);
    /// let receipt = bytes.receipt();
    ///
    /// let mut stored = Vec::new();
    /// let copied = tokio::io::copy(&mut bytes, &mut stored).await;
    /// assert!(copied.is_err()); // a refused upload never looks like one that ended well
    ///
    /// let refused = receipt.into_result().unwrap_err();
    /// assert_eq!(refused.violations()[0].code().name(), "image/not-an-image");
    /// # }
    /// ```
    pub fn over<T>(self, source: T) -> Gated<T> {
        Gated {
            source,
            gate: Some(self),
            receipt: Receipt::default(),
        }
    }
}

/// A source of bytes with a [`Gate`] in it; made by [`Gate::over`].
///
/// The source's end is judged like its bytes: an image that turns out truncated ends in an error,
/// not in a clean end. So whoever only sees bytes (a file, an object store's client) cannot take a
/// refused upload for a good one. The [`Receipt`] is for whoever wants the verdict.
///
/// After a refusal a stream gives nothing more and a reader repeats it;
/// [`into_source`](Self::into_source) has the rest of the bytes.
#[derive(Debug)]
pub struct Gated<T> {
    pub(super) source: T,
    /// None once the verdict is known or the source failed.
    gate: Option<Gate>,
    receipt: Receipt,
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

    /// The source, with what was not taken from it.
    pub fn into_source(self) -> T {
        self.source
    }

    /// Whether the verdict is known, or never will be.
    pub(super) const fn is_done(&self) -> bool {
        self.gate.is_none()
    }

    /// Judges bytes of the source.
    pub(super) fn pass(&mut self, chunk: &[u8]) -> Result<(), Rejected> {
        let Some(gate) = &mut self.gate else {
            return Ok(());
        };
        gate.push(chunk).inspect_err(|rejected| {
            self.gate = None;
            self.receipt.settle(Err(rejected.clone()));
        })
    }

    /// Judges the source's end.
    pub(super) fn end(&mut self) -> Result<(), Rejected> {
        let Some(gate) = self.gate.take() else {
            return Ok(());
        };
        let verdict = gate.finish();
        let outcome = verdict.as_ref().map(|_| ()).map_err(Rejected::clone);
        self.receipt.settle(verdict);
        outcome
    }

    /// The source failed: nobody will know the rest.
    pub(super) fn fail(&mut self) {
        if let Some(gate) = self.gate.take() {
            self.receipt.settle(Err(cut(Some(*gate.inspection()))));
        }
    }
}

/// The verdict of a [`Gated`] source, for whoever does not hold the source.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    verdict: Arc<OnceLock<Result<Accepted, Rejected>>>,
}

impl Receipt {
    /// The verdict, once the source was refused, has failed or was read to its end.
    pub fn result(&self) -> Option<&Result<Accepted, Rejected>> {
        self.verdict.get()
    }

    /// The verdict.
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] for an upload that was refused. For one that was not read to its end
    /// that says [`Inconclusive`](crate::Decision::Inconclusive).
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

/// The judgement of bytes whose end nobody saw.
fn cut(inspection: Option<Inspection>) -> Rejected {
    let missing = vec!["the rest of the upload, which was not read"];
    Verdict::new((), Vec::new(), missing, inspection, None)
        .into_result()
        .expect_err("a fact is missing")
}
