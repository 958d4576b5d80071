//! Verdicts as Python objects, with the keys that the command prints as attributes.

use greenlight::{
    Decision, DownloadSummary, Format, ImageUrl, Measure, Missing, Severity, Summary,
};
use pyo3::{exceptions::PyValueError, prelude::*, types::PyTuple};
use serde::{Deserialize, Serialize};

/// The verdict of one image. It is true if the image is accepted.
#[pyclass(frozen, eq, module = "greenlight_image")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::unsafe_derive_deserialize,
    reason = "the unsafe code is what pyo3 generates, and depends on no field"
)]
pub(crate) struct Verdict {
    pub(crate) source: Option<String>,
    #[serde(flatten)]
    pub(crate) summary: Summary,
    error: Option<String>,
}

impl Verdict {
    /// The verdict with what the command prints as its source and error.
    pub(crate) fn new<S>(source: Option<&str>, verdict: &greenlight::Verdict<S>) -> Self {
        let summary = verdict.summary();
        let error = (summary.decision == Decision::Inconclusive).then(|| {
            format!(
                "not decidable, unknown: {}",
                Missing::in_words(verdict.missing())
            )
        });
        Self {
            source: masked(source),
            summary,
            error,
        }
    }

    /// The verdict of an image that could not be read.
    pub(crate) fn failed(source: Option<&str>, error: String) -> Self {
        Self {
            source: masked(source),
            summary: Summary::unseen(),
            error: Some(error),
        }
    }
}

/// A user name and password in a URL are not shown.
fn masked(source: Option<&str>) -> Option<String> {
    source.map(|source| ImageUrl::masked(source).into_owned())
}

#[pymethods]
impl Verdict {
    /// The path or URL, without a user name and password; None for bytes.
    #[getter]
    fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// "accept", "reject" or "inconclusive".
    #[getter]
    pub(crate) fn decision(&self) -> &'static str {
        self.summary.decision.name()
    }

    /// Whether every requirement is met.
    #[getter]
    #[pyo3(name = "accepted")]
    pub(crate) fn is_accepted(&self) -> bool {
        self.summary.decision == Decision::Accept
    }

    /// The stable name of the format, once known.
    #[getter]
    fn format(&self) -> Option<&'static str> {
        self.summary.format.map(Format::name)
    }

    /// Width in pixels.
    #[getter]
    fn width(&self) -> Option<u32> {
        self.summary.width
    }

    /// Height in pixels.
    #[getter]
    fn height(&self) -> Option<u32> {
        self.summary.height
    }

    /// The size of the image in bytes: counted, or else as declared.
    #[getter]
    fn bytes(&self) -> Option<u64> {
        self.summary.bytes
    }

    /// The count of complete frames, once it is final.
    #[getter]
    fn frames(&self) -> Option<u32> {
        self.summary.frames
    }

    /// The requirements that are not met, warnings included.
    #[getter]
    fn violations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let violations = self.summary.violations.iter();
        let violations: PyResult<Vec<_>> = violations
            .map(|violation| Bound::new(py, Violation(violation.clone())))
            .collect();
        PyTuple::new(py, violations?)
    }

    /// How the download went, if there was one.
    #[getter]
    fn download(&self) -> Option<Download> {
        self.summary.download.map(Download)
    }

    /// Why the verdict is inconclusive.
    #[getter]
    pub(crate) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Returns the line that the command prints with `--format jsonl`.
    pub(crate) fn json(&self) -> PyResult<String> {
        to_json(self)
    }

    /// Reads what `json` returned.
    #[staticmethod]
    #[pyo3(signature = (text, /))]
    fn from_json(text: &str) -> PyResult<Self> {
        serde_json::from_str(text).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn __bool__(&self) -> bool {
        self.is_accepted()
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!("Verdict({})", self.json()?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((slf.get_type().getattr("from_json")?, (slf.get().json()?,)))
    }
}

pub(crate) fn to_json(value: &impl Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| PyValueError::new_err(error.to_string()))
}

impl Verdict {
    /// The codes of the violations, each once: first those that reject.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &'static str> {
        let rejecting = self.summary.codes(Severity::Reject);
        let codes = rejecting.chain(self.summary.codes(Severity::Warn));
        codes.map(greenlight::Code::name)
    }
}

/// One requirement that is not met.
#[pyclass(frozen, eq, module = "greenlight_image")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation(greenlight::Violation);

/// A measured value or a limit: an int, a str or None.
#[derive(IntoPyObject)]
pub(crate) enum Value {
    Number(u64),
    Text(String),
    None(Option<bool>),
}

impl From<Option<&Measure>> for Value {
    fn from(measure: Option<&Measure>) -> Self {
        match measure {
            Some(Measure::Number(number)) => Self::Number(*number),
            Some(measure) => Self::Text(measure.to_string()),
            None => Self::None(None),
        }
    }
}

#[pymethods]
impl Violation {
    /// The stable code, such as "image/too-small".
    #[getter]
    fn code(&self) -> &'static str {
        self.0.code().name()
    }

    /// "reject" or "warn".
    #[getter]
    fn severity(&self) -> &'static str {
        self.0.severity().name()
    }

    /// What is wrong and how to fix it, in one line. Not stable: compare the code instead.
    #[getter]
    fn message(&self) -> &str {
        self.0.message()
    }

    /// The measured value, in the unit that the code implies.
    #[getter]
    fn measured(&self) -> Value {
        self.0.measured().into()
    }

    /// The limit that the measured value breaks.
    #[getter]
    fn limit(&self) -> Value {
        self.0.limit().into()
    }

    /// Reads the JSON of one violation.
    #[staticmethod]
    #[pyo3(signature = (text, /))]
    fn from_json(text: &str) -> PyResult<Self> {
        let violation = serde_json::from_str(text);
        violation
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Returns the violation as in the JSON of its verdict.
    fn json(&self) -> PyResult<String> {
        to_json(&self.0)
    }

    fn __str__(&self) -> &str {
        self.message()
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!("Violation({})", self.json()?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((slf.get_type().getattr("from_json")?, (slf.get().json()?,)))
    }
}

/// How a download went.
#[pyclass(frozen, eq, module = "greenlight_image")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Download(DownloadSummary);

#[pymethods]
impl Download {
    /// The status of the last response.
    #[getter]
    fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The count of responses, redirects included.
    #[getter]
    fn hops(&self) -> usize {
        self.0.hops
    }

    /// The duration of the whole download in milliseconds.
    #[getter]
    fn elapsed_ms(&self) -> u64 {
        self.0.elapsed_ms
    }

    /// The received bytes of the body.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    fn __repr__(&self) -> String {
        let DownloadSummary {
            elapsed_ms,
            bytes,
            hops,
            ..
        } = self.0;
        let status = self
            .0
            .status
            .map_or("None".to_owned(), |status| status.to_string());
        format!("Download(status={status}, hops={hops}, elapsed_ms={elapsed_ms}, bytes={bytes})")
    }
}
