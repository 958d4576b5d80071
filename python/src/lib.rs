//! The extension module behind the Python package `greenlight_image`.

mod arguments;
mod checks;
mod engine;
mod gate;
mod read;
mod requirements;
mod verdict;

use greenlight::Depth;
use pyo3::{exceptions::PyValueError, prelude::*};

#[pymodule(gil_used = true)]
mod _native {
    use pyo3::{prelude::*, types::PyDict};

    use super::{arguments, checks, depth_of, engine, read};

    #[pymodule_export]
    use super::{
        checks::Checks,
        gate::Gate,
        requirements::Requirements,
        verdict::{Download, Verdict, Violation},
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    /// Inspects one image and evaluates it.
    ///
    /// The source is bytes, a buffer of bytes, a path, or a file that is open in binary mode. A bad
    /// image is a verdict; what cannot be read raises OSError.
    #[pyfunction]
    #[pyo3(signature = (source, /, *, depth = "structure", requirements = None))]
    fn inspect(
        source: &Bound<'_, PyAny>,
        depth: &str,
        requirements: Option<PyRef<'_, Requirements>>,
    ) -> PyResult<Verdict> {
        let requirements = requirements
            .map(|given| given.0.clone())
            .unwrap_or_default();
        let (source, verdict) = read::source(source, depth_of(depth)?, &requirements)?;
        Ok(Verdict::new(source.as_deref(), &verdict))
    }

    /// Checks the URLs of an iterable, which may be endless. The verdicts are returned in its order;
    /// it is read only as far ahead as the concurrency requires.
    #[pyfunction]
    #[pyo3(signature = (urls, /, **options))]
    fn check_urls(
        urls: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Checks> {
        Checks::new(urls, engine::Options::from_kwargs(options)?)
    }

    /// Checks a list of URLs and returns the columns of a table, one row for each, in their order.
    ///
    /// A source that is None or empty has a row too, which is inconclusive.
    #[pyfunction]
    #[pyo3(signature = (sources, /, **options))]
    fn check_batch<'py>(
        py: Python<'py>,
        sources: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let expected = "a list of str or None";
        arguments::not_single("sources", expected, sources)?;
        let sources = arguments::list("sources", expected, sources)?;
        checks::batch(py, sources, engine::Options::from_kwargs(options)?)
    }
}

fn depth_of(name: &str) -> PyResult<Depth> {
    name.parse()
        .map_err(|error: greenlight::UnknownName| PyValueError::new_err(error.to_string()))
}
