//! Checks of many sources: the options, and the threads that run the checks.

use std::{
    future::Future,
    mem,
    path::{Path, PathBuf},
    pin::Pin,
    process,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use greenlight::{
    Depth, ImageUrl,
    local_file::{Folders, NotOpened},
    probe::{AddressPolicy, Header, Mode, Probe},
};
use pyo3::{
    exceptions::{PyOSError, PyRuntimeError, PyTypeError, PyValueError},
    prelude::*,
    types::PyDict,
};
use tokio::{runtime::Runtime, task::JoinHandle, time};

use crate::{
    arguments::{self, list, typed},
    depth_of,
    requirements::Requirements,
    verdict::Verdict,
};

/// The interval at which a wait looks for signals such as Ctrl-C.
const SIGNALS: Duration = Duration::from_millis(100);

/// The sources read ahead, in multiples of the concurrency, as in the library.
const AHEAD: usize = 8;

/// Threads for the checks. The work of a check is mostly waiting.
const THREADS: usize = 2;

/// How sources are checked. The fields are the keyword arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) requirements: greenlight::Requirements,
    mode: Mode,
    depth: Depth,
    pub(crate) concurrency: usize,
    concurrency_per_host: usize,
    pace_per_host: Duration,
    deadline: Option<Duration>,
    max_redirects: usize,
    user_agent: String,
    headers: Vec<(String, String)>,
    allow_address: Vec<String>,
    deny_address: Vec<String>,
    files_under: Vec<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            requirements: greenlight::Requirements::ASYNC,
            mode: Mode::Full,
            depth: Depth::Structure,
            concurrency: 64,
            concurrency_per_host: 8,
            pace_per_host: Duration::ZERO,
            deadline: None,
            max_redirects: 5,
            user_agent: String::new(),
            headers: Vec::new(),
            allow_address: Vec::new(),
            deny_address: Vec::new(),
            files_under: Vec::new(),
        }
    }
}

impl Options {
    pub(crate) fn from_kwargs(given: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut options = Self::default();
        for (key, value) in given.into_iter().flatten() {
            options.set(key.extract()?, &value)?;
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match key {
            "requirements" => {
                let expected = "Requirements or None";
                let requirements: Option<Py<Requirements>> = typed(key, expected, value)?;
                self.requirements = requirements
                    .map(|given| given.get().0.clone())
                    .unwrap_or_default();
            }
            "mode" => self.mode = mode(&typed::<String>(key, "a str", value)?)?,
            "depth" => self.depth = depth_of(&typed::<String>(key, "a str", value)?)?,
            "concurrency" => self.concurrency = size(key, value)?,
            "concurrency_per_host" => self.concurrency_per_host = size(key, value)?,
            "pace_per_host" => self.pace_per_host = arguments::seconds(key, value)?,
            "deadline" if value.is_none() => self.deadline = None,
            "deadline" => self.deadline = Some(arguments::seconds(key, value)?),
            "max_redirects" => self.max_redirects = size(key, value)?,
            "user_agent" => {
                let given: Option<String> = typed(key, "a str or None", value)?;
                self.user_agent = given.unwrap_or_default();
            }
            "headers" => self.headers = arguments::pairs(key, value)?,
            "allow_address" => self.allow_address = list(key, "a list of str", value)?,
            "deny_address" => self.deny_address = list(key, "a list of str", value)?,
            "files_under" => self.files_under = list(key, "a list of paths", value)?,
            other => {
                let message = format!("unexpected keyword argument: {other}");
                return Err(PyTypeError::new_err(message));
            }
        }
        Ok(())
    }

    fn probe(&self) -> PyResult<Probe> {
        let unusable =
            |error: greenlight::probe::EntryError| PyValueError::new_err(error.to_string());
        let mut policy = AddressPolicy::new();
        for entry in &self.allow_address {
            policy = policy.allow(entry).map_err(unusable)?;
        }
        for entry in &self.deny_address {
            policy = policy.deny(entry).map_err(unusable)?;
        }
        let mut probe = Probe::builder()
            .policy(policy)
            .mode(self.mode)
            .depth(self.depth)
            .concurrency(self.concurrency)
            .concurrency_per_host(self.concurrency_per_host)
            .pace_per_host(self.pace_per_host)
            .max_redirects(self.max_redirects)
            .user_agent(&self.user_agent);
        if let Some(deadline) = self.deadline {
            probe = probe.deadline(deadline);
        }
        for (name, value) in &self.headers {
            probe = probe.header(Header::new(name).with_value(value));
        }
        probe
            .build()
            .map_err(|error| PyValueError::new_err(error.report()))
    }
}

fn mode(name: &str) -> PyResult<Mode> {
    match name {
        "full" => Ok(Mode::Full),
        "header" => Ok(Mode::Header),
        _ => Err(PyValueError::new_err(format!(
            "mode is full or header, not {name}"
        ))),
    }
}

fn size(name: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    Ok(usize::try_from(arguments::count(name, value)?).unwrap_or(usize::MAX))
}

/// The threads, connections and limits of one set of options.
pub(crate) struct Engine {
    pub(crate) options: Options,
    process: u32,
    runtime: Runtime,
    checker: Arc<Checker>,
}

struct Checker {
    probe: Probe,
    folders: Folders,
    depth: Depth,
    requirements: greenlight::Requirements,
}

/// The last engine: calls with equal options share connections, and so the limits per host hold for
/// the process.
static LAST: Mutex<Option<Arc<Engine>>> = Mutex::new(None);

impl Engine {
    /// Returns the engine for these options. It is made at the first call and not at the import, and
    /// again after a fork, because threads do not survive one.
    pub(crate) fn with_options(options: Options) -> PyResult<Arc<Self>> {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = last.as_ref() {
            if engine.process != process::id() {
                // Its threads do not exist in this process: dropping it would wait for them.
                mem::forget(last.take());
            } else if engine.options == options {
                return Ok(Arc::clone(engine));
            }
        }
        let engine = Arc::new(Self::new(options)?);
        *last = Some(Arc::clone(&engine));
        Ok(engine)
    }

    fn new(options: Options) -> PyResult<Self> {
        let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(processors)
            .thread_name("greenlight")
            .enable_all()
            .build()
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let folders = Folders::new(&options.files_under)
            .map_err(|error| PyOSError::new_err(format!("files_under: {error}")))?;
        let checker = Arc::new(Checker {
            probe: options.probe()?,
            folders,
            depth: options.depth,
            requirements: options.requirements.clone(),
        });
        Ok(Self {
            options,
            process: process::id(),
            runtime,
            checker,
        })
    }

    /// How many checks are under way at most, those that wait for their host included.
    pub(crate) fn window(&self) -> usize {
        self.options.concurrency.saturating_mul(AHEAD)
    }

    pub(crate) fn start(&self, source: String) -> Running {
        let checker = Arc::clone(&self.checker);
        let task = if checker.is_file(&source) {
            self.runtime.spawn_blocking(move || checker.file(&source))
        } else {
            self.runtime
                .spawn(async move { checker.url(&source).await })
        };
        Running(task)
    }

    /// Waits for a check, looking for signals.
    pub(crate) fn wait(&self, py: Python<'_>, running: &mut Running) -> PyResult<Verdict> {
        loop {
            let done = py.detach(|| {
                let wait = async { time::timeout(SIGNALS, &mut *running).await };
                self.runtime.block_on(wait)
            });
            match done {
                Ok(verdict) => return verdict,
                Err(_elapsed) => py.check_signals()?,
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The default would wait for files that are being read. The replacement has no threads.
        let nothing = tokio::runtime::Builder::new_current_thread().build();
        if let Ok(nothing) = nothing {
            mem::replace(&mut self.runtime, nothing).shutdown_background();
        }
    }
}

impl Checker {
    /// Names are URLs unless files are allowed.
    fn is_file(&self, source: &str) -> bool {
        let begins_with = |scheme: &str| {
            let start = source.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        let is_url =
            source.contains("://") || ["http:", "https:", "data:"].into_iter().any(begins_with);
        !self.folders.is_empty() && !is_url
    }

    async fn url(&self, source: &str) -> Verdict {
        let url = match ImageUrl::parse(source) {
            Ok(url) => url,
            Err(error) => {
                let verdict = greenlight::Verdict::of_text(String::new(), &error);
                return Verdict::new(Some(source), &verdict);
            }
        };
        match self.probe.check(&url, &self.requirements).await {
            Ok(verdict) => Verdict::new(Some(source), &verdict),
            Err(error) => Verdict::failed(Some(source), error.report()),
        }
    }

    fn file(&self, source: &str) -> Verdict {
        let path = Path::new(source);
        let judged = self
            .folders
            .open(path)
            .and_then(|file| Ok(self.requirements.judge_file(self.depth, file, path)?));
        match judged {
            Ok(verdict) => Verdict::new(Some(source), &verdict),
            Err(NotOpened::Outside) => {
                Verdict::new(Some(source), &greenlight::Verdict::of_path_outside())
            }
            Err(error) => Verdict::failed(Some(source), format!("cannot read: {}", reason(&error))),
        }
    }
}

/// The text of the system's error, without its number.
fn reason(error: &NotOpened) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_owned()
}

/// A check under way, ended when it is dropped.
pub(crate) struct Running(JoinHandle<Verdict>);

impl Running {
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Future for Running {
    type Output = PyResult<Verdict>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|error| {
            PyRuntimeError::new_err(format!(
                "a defect in this package, please report it: {error}"
            ))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
