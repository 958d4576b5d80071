//! Many sources: verdicts in their order, and the columns of a table.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use pyo3::{
    exceptions::PyException,
    prelude::*,
    types::{PyDict, PyIterator, PyList},
};

use crate::{
    arguments,
    engine::{Engine, Options, Running},
    verdict::Verdict,
};

/// The verdicts of an iterable of sources, in its order.
#[pyclass(module = "greenlight_image")]
pub(crate) struct Checks {
    engine: Arc<Engine>,
    /// None once it has ended.
    sources: Option<Py<PyIterator>>,
    running: VecDeque<Running>,
    /// What the iterable raised, after the verdicts of the sources before.
    failed: Option<PyErr>,
}

impl Checks {
    pub(crate) fn new(sources: &Bound<'_, PyAny>, options: Options) -> PyResult<Self> {
        let expected = "an iterable of str";
        arguments::not_single("urls", expected, sources)?;
        let iterator = sources
            .try_iter()
            .map_err(|error| match sources.hasattr("__iter__") {
                // What the iterable itself raises is not replaced.
                Ok(true) => error,
                _ => arguments::mistyped("urls", expected, sources, error),
            })?;
        Ok(Self {
            engine: Engine::with_options(options)?,
            sources: Some(iterator.unbind()),
            running: VecDeque::new(),
            failed: None,
        })
    }

    /// Reads one source ahead, if there is one.
    fn read_ahead(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(sources) = &self.sources else {
            return Ok(());
        };
        let next = sources.bind(py).clone().next();
        let read = |source| arguments::typed("urls", "a str", &source);
        match next.map(|source| source.and_then(read)) {
            Some(Ok(source)) => self.running.push_back(self.engine.start(source)),
            Some(Err(error)) if error.is_instance_of::<PyException>(py) => {
                self.sources = None;
                self.failed = Some(error);
            }
            // KeyboardInterrupt and SystemExit do not wait.
            Some(Err(error)) => {
                self.close();
                return Err(error);
            }
            None => self.sources = None,
        }
        Ok(())
    }
}

#[pymethods]
impl Checks {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Verdict>> {
        let window = self.engine.window();
        if self.running.len() < window {
            self.read_ahead(py)?;
        }
        while self.sources.is_some()
            && self.running.len() < window
            && !self.running.front().is_some_and(Running::is_finished)
        {
            self.read_ahead(py)?;
        }
        let Some(first) = self.running.front_mut() else {
            return self.failed.take().map_or(Ok(None), Err);
        };
        let verdict = self.engine.wait(py, first)?;
        self.running.pop_front();
        Ok(Some(verdict))
    }

    /// Ends every check under way. Leaving a `with` block does the same.
    fn close(&mut self) {
        self.sources = None;
        self.failed = None;
        self.running.clear();
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[pyo3(signature = (exception_type = None, exception = None, traceback = None, /))]
    fn __exit__(
        &mut self,
        exception_type: Option<Py<PyAny>>,
        exception: Option<Py<PyAny>>,
        traceback: Option<Py<PyAny>>,
    ) {
        drop((exception_type, exception, traceback));
        self.close();
    }
}

/// A row of a batch, in the order of the sources.
enum Checked {
    Running(Running),
    /// There is no source to check.
    Done(Verdict),
}

impl Checked {
    /// Starts the check of a row. One without a source has the error that the command reports for
    /// such a row of a list.
    fn start(engine: &Engine, source: Option<&str>) -> Self {
        match source {
            Some(text) if !text.is_empty() => Self::Running(engine.start(text.to_owned())),
            _ => Self::Done(Verdict::failed(source, "no source in this row".to_owned())),
        }
    }

    fn wait(self, py: Python<'_>, engine: &Engine) -> PyResult<Verdict> {
        match self {
            Self::Running(mut running) => engine.wait(py, &mut running),
            Self::Done(verdict) => Ok(verdict),
        }
    }
}

/// Checks a list of sources, and returns the columns of a table with a row for each.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the time of day"
)]
pub(crate) fn batch(
    py: Python<'_>,
    sources: Vec<Option<String>>,
    options: Options,
) -> PyResult<Bound<'_, PyDict>> {
    let engine = Engine::with_options(options)?;
    let checked_at = SystemTime::now().duration_since(UNIX_EPOCH);
    let checked_at = checked_at.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
    let mut waiting = sources.iter();
    let mut running = VecDeque::new();
    let mut verdicts = Vec::with_capacity(sources.len());
    loop {
        let free = engine.window().saturating_sub(running.len());
        let next = waiting.by_ref().take(free);
        running.extend(next.map(|source| Checked::start(&engine, source.as_deref())));
        let Some(first) = running.pop_front() else {
            break;
        };
        verdicts.push(first.wait(py, &engine)?);
    }
    let columns = PyDict::new(py);
    columns.set_item("source", sources)?;
    columns.set_item("decision", column(py, &verdicts, Verdict::decision)?)?;
    let codes = |verdict: &Verdict| verdict.codes().collect::<Vec<_>>();
    columns.set_item("codes", column(py, &verdicts, codes)?)?;
    columns.set_item(
        "format",
        column(py, &verdicts, |verdict| {
            verdict.summary.format.map(greenlight::Format::name)
        })?,
    )?;
    columns.set_item(
        "width",
        column(py, &verdicts, |verdict| verdict.summary.width)?,
    )?;
    columns.set_item(
        "height",
        column(py, &verdicts, |verdict| verdict.summary.height)?,
    )?;
    columns.set_item(
        "bytes",
        column(py, &verdicts, |verdict| verdict.summary.bytes)?,
    )?;
    columns.set_item(
        "frames",
        column(py, &verdicts, |verdict| verdict.summary.frames)?,
    )?;
    let elapsed = |verdict: &Verdict| verdict.summary.download.map(|download| download.elapsed_ms);
    columns.set_item("elapsed_ms", column(py, &verdicts, elapsed)?)?;
    columns.set_item(
        "version",
        column(py, &verdicts, |_| env!("CARGO_PKG_VERSION"))?,
    )?;
    let fingerprint = engine.options.requirements.fingerprint();
    columns.set_item(
        "requirements",
        column(py, &verdicts, |_| fingerprint.as_str())?,
    )?;
    columns.set_item("checked_at", column(py, &verdicts, |_| checked_at)?)?;
    columns.set_item("error", column(py, &verdicts, Verdict::error)?)?;
    Ok(columns)
}

fn column<'py, 'a, T: IntoPyObject<'py>>(
    py: Python<'py>,
    verdicts: &'a [Verdict],
    value: impl Fn(&'a Verdict) -> T,
) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, verdicts.iter().map(value).collect::<Vec<_>>())
}
