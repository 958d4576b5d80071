//! The gate for uploads.

use greenlight::{Claim, Inspection};
use pyo3::{buffer::PyBuffer, exceptions::PyValueError, prelude::*, types::PyBytes};

use crate::{arguments, depth_of, requirements::Requirements, verdict::Verdict};

/// Evaluates an upload while it is received. It keeps none of the bytes.
#[pyclass(module = "greenlight_image")]
pub(crate) struct Gate {
    requirements: greenlight::Requirements,
    /// None once the verdict is final.
    open: Option<greenlight::Gate>,
    verdict: Option<Verdict>,
}

#[pymethods]
impl Gate {
    #[new]
    #[pyo3(signature = (requirements = None, *, depth = "structure", file_name = None, content_type = None))]
    fn new(
        requirements: Option<PyRef<'_, Requirements>>,
        depth: &str,
        file_name: Option<&str>,
        content_type: Option<&str>,
    ) -> PyResult<Self> {
        let requirements = requirements
            .map(|given| given.0.clone())
            .unwrap_or_default();
        let mut gate = greenlight::Gate::at(depth_of(depth)?, requirements.clone());
        let claims = [
            file_name.and_then(Claim::from_name),
            content_type.and_then(Claim::from_content_type),
        ];
        for claim in claims.into_iter().flatten() {
            gate.claim(claim);
        }
        Ok(Self {
            requirements,
            open: Some(gate),
            verdict: None,
        })
    }

    /// Records the length announced for the whole image, in bytes. Returns the verdict if that alone
    /// is enough to reject, else None. Raises ValueError if the length is negative.
    #[pyo3(signature = (length, /))]
    fn announce_len(&mut self, length: &Bound<'_, PyAny>) -> PyResult<Option<Verdict>> {
        let length = arguments::count("length", length)?;
        if let Some(gate) = &mut self.open
            && gate.announce_len(length).is_err()
        {
            self.reject();
        }
        Ok(self.verdict.clone())
    }

    /// Evaluates the next bytes of the upload. Returns the verdict once the bytes received so far are
    /// enough to reject, and again at every later call, else None.
    #[pyo3(signature = (chunk, /))]
    fn push(&mut self, chunk: &Bound<'_, PyAny>) -> PyResult<Option<Verdict>> {
        let Some(gate) = &mut self.open else {
            return match &self.verdict {
                Some(verdict) if !verdict.is_accepted() => Ok(Some(verdict.clone())),
                _ => Err(PyValueError::new_err("the upload has ended")),
            };
        };
        let rejected = if let Ok(bytes) = chunk.cast::<PyBytes>() {
            push(chunk.py(), gate, bytes.as_bytes())
        } else {
            let copy = PyBuffer::<u8>::get(chunk)?.to_vec(chunk.py())?;
            push(chunk.py(), gate, &copy)
        };
        if rejected {
            self.reject();
        }
        Ok(self.verdict.clone())
    }

    /// Returns the verdict of the bytes received so far: it rejects, or is inconclusive because the
    /// rest of the upload is missing.
    fn verdict_so_far(&self) -> Option<Verdict> {
        match &self.open {
            Some(gate) => Some(Verdict::new(None, &gate.verdict_so_far())),
            None => self.verdict.clone(),
        }
    }

    /// Ends the upload and returns the verdict of the whole image.
    fn finish(&mut self, py: Python<'_>) -> PyResult<Verdict> {
        if let Some(gate) = self.open.take() {
            let inspection: Option<Inspection> = py.detach(|| match gate.finish() {
                Ok(accepted) => accepted.inspection().cloned(),
                Err(rejected) => rejected.inspection().cloned(),
            });
            let verdict = inspection.map(|facts| self.requirements.judge(facts));
            self.verdict = verdict.map(|verdict| Verdict::new(None, &verdict));
        }
        let verdict = self.verdict.clone();
        verdict.ok_or_else(|| PyValueError::new_err("the upload has no verdict"))
    }
}

impl Gate {
    fn reject(&mut self) {
        if let Some(gate) = self.open.take() {
            self.verdict = Some(Verdict::new(None, &gate.verdict_so_far()));
        }
    }
}

/// Returns whether the bytes are enough to reject.
fn push(py: Python<'_>, gate: &mut greenlight::Gate, chunk: &[u8]) -> bool {
    let is_long = chunk.len() >= crate::read::WORTH_DETACHING;
    let pushed = if is_long {
        py.detach(|| gate.push(chunk))
    } else {
        gate.push(chunk)
    };
    pushed.is_err()
}
