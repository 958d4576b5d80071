//! Requirements as a Python object. Its settings are the keys of the command's `--requirements` file.

use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyDict, PyType},
};

use crate::verdict::to_json;

/// The requirements on an image: a preset and the settings that replace its own.
///
/// The settings are the keys of docs/requirements.md: formats, max_bytes, warn_bytes, min_width,
/// min_height, max_side, max_pixels, max_gif_pixels, max_heic_side, max_url_chars,
/// download_time_ms, frame_cap, reject_warnings, enforce.
#[pyclass(frozen, eq, module = "greenlight_image")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requirements(pub(crate) greenlight::Requirements);

#[pymethods]
impl Requirements {
    #[new]
    #[pyo3(signature = (preset = "async", /, **settings))]
    fn new(py: Python<'_>, preset: &str, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let document = match settings {
            Some(settings) => settings.copy()?,
            None => PyDict::new(py),
        };
        if document.contains("preset")? {
            return Err(PyValueError::new_err("preset is the first argument"));
        }
        document.set_item("preset", preset)?;
        let text = py.import("json")?.call_method1("dumps", (document,))?;
        Self::parse(text.extract()?)
    }

    /// Reads the JSON text of a `--requirements` file. Raises ValueError if it is not usable.
    #[classmethod]
    #[pyo3(signature = (text, /))]
    fn from_json(_class: &Bound<'_, PyType>, text: &str) -> PyResult<Self> {
        Self::parse(text)
    }

    /// Returns every limit, and the rules that differ from the preset, as JSON text.
    fn json(&self) -> PyResult<String> {
        to_json(&self.0)
    }

    /// Identifies these requirements in a stored row: equal requirements have equal fingerprints.
    #[getter]
    fn fingerprint(&self) -> String {
        self.0.fingerprint()
    }

    fn __hash__(&self) -> u64 {
        u64::from_str_radix(&self.0.fingerprint(), 16).unwrap_or_default()
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!("Requirements.from_json({:?})", self.json()?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((slf.get_type().getattr("from_json")?, (slf.get().json()?,)))
    }
}

impl Requirements {
    fn parse(text: &str) -> PyResult<Self> {
        let requirements = greenlight::Requirements::from_json(text);
        requirements
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.report()))
    }
}
