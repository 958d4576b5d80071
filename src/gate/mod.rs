//! Checks bytes while they are received, for upload handlers.

#[cfg(feature = "stream")]
mod async_read;
mod gated;
mod read;
#[cfg(feature = "stream")]
mod stream;

pub use gated::{Gated, Receipt};
#[cfg(feature = "stream")]
pub use stream::GateError;

use crate::{
    inspect::{Claim, Depth, Inspection, Inspector},
    requirements::Requirements,
    verdict::{Accepted, Decision, Missing, Rejected, Verdict},
};

/// Checks an upload while it is received, and rejects it as soon as the bytes received prove it
/// invalid. The bytes are not kept.
///
/// ```
/// use greenlight::{Gate, Requirements};
///
/// # let body: Vec<&[u8]> = vec![b"<!doctype html>", b"<title>no image</title>"];
/// let mut gate = Gate::new(Requirements::ASYNC);
/// let refused = body.iter().find_map(|chunk| gate.push(chunk).err());
/// assert_eq!(refused.unwrap().violations()[0].code().name(), "image/format-unsupported");
/// ```
#[derive(Debug)]
pub struct Gate {
    requirements: Requirements,
    inspector: Inspector,
    /// The last facts that did not reject. Equal facts about more bytes do not reject either, up to
    /// the size limit.
    harmless: Option<Inspection>,
}

impl Gate {
    /// Returns a gate at [`Depth::Structure`].
    pub const fn new(requirements: Requirements) -> Self {
        Self::at(Depth::Structure, requirements)
    }

    /// Returns a gate at `depth`.
    pub const fn at(depth: Depth, requirements: Requirements) -> Self {
        Self {
            requirements,
            inspector: Inspector::new(depth),
            harmless: None,
        }
    }

    /// Records the format claimed by a file name or `Content-Type`; see [`Inspector::claim`].
    pub fn claim(&mut self, claim: Claim) {
        self.inspector.claim(claim);
    }

    /// Records the announced length of the whole image in bytes, for example a raw body's
    /// `Content-Length`. A length that is too large is rejected before the first byte.
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] if the announced length alone is enough to reject.
    pub fn announce_len(&mut self, len: u64) -> Result<(), Rejected> {
        self.inspector.announce_len(len);
        self.judge()
    }

    /// Inspects the next bytes of the upload, in chunks of any size.
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] as soon as the bytes so far are enough to reject, and again for every
    /// later call.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Rejected> {
        self.inspector.push(chunk);
        self.judge()
    }

    /// The facts so far.
    pub const fn inspection(&self) -> &Inspection {
        self.inspector.inspection()
    }

    /// The verdict of the bytes so far: it rejects, or is inconclusive because the rest of the
    /// upload is missing. It never accepts; [`finish`](Self::finish) does.
    pub fn verdict_so_far(&self) -> Verdict {
        let verdict = self.requirements.judge(self.inspection().clone());
        if verdict.decision() != Decision::Accept {
            return verdict;
        }
        Verdict::new(
            (),
            verdict.violations().to_vec(),
            vec![Missing::Upload],
            verdict.inspection().cloned(),
            None,
        )
    }

    /// The upload ended here.
    ///
    /// A gate at [`Depth::Decode`] decodes the picture on the calling thread; asynchronous code
    /// calls [`finish_until`](Self::finish_until) instead.
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] for an upload that does not meet the requirements, or that the depth
    /// cannot decide.
    pub fn finish(self) -> Result<Accepted, Rejected> {
        self.requirements
            .judge(self.inspector.finish())
            .into_result()
    }

    /// The upload ended here, for asynchronous code: a gate at [`Depth::Decode`] decodes the
    /// picture on a thread of its own. A picture that is not decoded when `deadline` is ready
    /// carries the warning [`NotDecoded`](crate::inspect::DefectKind::NotDecoded); see
    /// [`Inspector::finish_until`].
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] for an upload that does not meet the requirements, or that the depth
    /// cannot decide.
    pub async fn finish_until(
        self,
        deadline: impl Future<Output = ()>,
    ) -> Result<Accepted, Rejected> {
        let inspection = self.inspector.finish_until(deadline).await;
        self.requirements.judge(inspection).into_result()
    }

    #[cfg(feature = "probe")]
    pub(crate) const fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    #[cfg(feature = "probe")]
    pub(crate) const fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    #[cfg(feature = "probe")]
    pub(crate) fn into_inspector(self) -> Inspector {
        self.inspector
    }

    /// Evaluates only new facts: most chunks add nothing but their length.
    fn judge(&mut self) -> Result<(), Rejected> {
        let inspection = self.inspector.inspection();
        let is_judged = self.harmless.as_ref().is_some_and(|harmless| {
            // Every chunk changes the length, which matters only at the limit.
            self.is_over(harmless) == self.is_over(inspection) && harmless.says_the_same(inspection)
        });
        if is_judged {
            return Ok(());
        }
        if self.requirements.rejects(inspection) {
            // If everything was received, the verdict names what its end shows, too.
            self.inspector.end_if_received();
            // Messages are formatted only now: `rejects` creates none.
            let verdict = self.requirements.judge(self.inspection().clone());
            return verdict.into_result().map(|_| ());
        }
        self.harmless = Some(inspection.clone());
        Ok(())
    }

    const fn is_over(&self, inspection: &Inspection) -> bool {
        inspection.bytes_seen() > self.requirements.max_bytes()
    }
}
