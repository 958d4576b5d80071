//! Checks of a list's lines, many at a time, with the results in the order of the list and in
//! bounded memory, without a ledger or an account.
//!
//! A thread reads the list, because reading may block. The window is the queue of `buffered`: when
//! it is full, the thread waits, so a slow line delays at most one window of results.

use std::{
    fmt, io,
    num::NonZeroUsize,
    panic,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{self, Poll},
    thread,
};

use futures_core::Stream;
use futures_util::{
    StreamExt as _,
    future::{Either, ready},
    stream,
};
use tokio::sync::{Semaphore, mpsc, watch};

use super::{Line, files, target::Target};
use crate::{
    error::{Error, ErrorKind},
    image_url::ImageUrl,
    inspect::Depth,
    local_file::Folders,
    probe::Probe,
    requirements::Requirements,
    spawned::{joined, spawn},
    verdict::{Decision, Verdict},
};

/// How many lines the thread reads ahead of the window.
const LINES: usize = 64;

/// A line of a list and its verdict.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{
///     Requirements,
///     ledger::Source,
///     pipeline::{Line, LineChecks, Subject},
///     probe::Probe,
/// };
///
/// let lines = ["rgb.png", "no-such.png"].map(|name| Line {
///     subject: Subject::File(format!("fixtures/images/png/{name}").into()),
///     source: Source::default(),
/// });
/// let mut checks = LineChecks::start(&Probe::new(), &Requirements::ASYNC, lines)?;
/// let first = checks.next().await.expect("a line");
/// assert!(first.result?.is_accepted());
/// let second = checks.next().await.expect("a line");
/// assert!(second.result.is_err()); // not a rejection: the file could not be read
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub struct CheckedLine {
    /// The line.
    pub line: Line,
    /// The verdict. It is an error if the file cannot be read (the
    /// [`source`](std::error::Error::source) is the system's error), local resources for a request
    /// are missing, the check panicked, or the line is [`Subject::Unusable`](super::Subject::Unusable).
    pub result: Result<Verdict, Error>,
}

/// The checks of a list's lines: URLs and files, many at a time, with the results in the order of
/// the list and bounded memory for a list of any length. Nothing is submitted.
///
/// The list is read on a thread, so it may block. Dropping the checks ends every download in
/// progress.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), greenlight::Error> {
/// use greenlight::{
///     Decision, Requirements,
///     ledger::Source,
///     pipeline::{Line, LineChecks, Subject},
///     probe::Probe,
/// };
///
/// let lines = ["rgb.png", "empty.png"].map(|name| Line {
///     subject: Subject::File(format!("fixtures/images/png/{name}").into()),
///     source: Source::default(),
/// });
/// let mut checks = LineChecks::start(&Probe::new(), &Requirements::ASYNC, lines)?;
/// let mut decisions = Vec::new();
/// while let Some(checked) = checks.next().await {
///     decisions.push(checked.result?.decision());
/// }
/// assert_eq!(decisions, [Decision::Accept, Decision::Reject]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LineChecks(Checking<CheckedLine>);

impl LineChecks {
    /// Starts to read a list. Must be called within a tokio runtime.
    ///
    /// The probe's limits apply to URLs. Files are read one per processor at a time, and at most as
    /// many as the probe's concurrency, to the probe's depth even in
    /// [`Mode::Header`](crate::probe::Mode::Header).
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Io`] if no thread can be created.
    pub fn start<L>(probe: &Probe, requirements: &Requirements, lines: L) -> Result<Self, Error>
    where
        L: IntoIterator<Item = Line>,
        L::IntoIter: Send + 'static,
    {
        let depth = probe.file_depth();
        let check = LineCheck::new(probe, requirements, depth);
        let begin = move |line: Line| {
            let result = match check.first(Target::of(&line.subject)) {
                Step::Decided(result) => Either::Left(ready(result)),
                Step::Url(url) => Either::Right(spawn(check.clone().url(url))),
                Step::File { path, folders } => {
                    Either::Right(spawn(check.clone().judge(path, folders)))
                }
            };
            async move {
                let result = result.await;
                CheckedLine { line, result }
            }
        };
        Checking::start(lines, probe.ahead(), begin).map(Self)
    }

    /// Returns the next line and its verdict; `None` after the last line. Cancel safe.
    pub async fn next(&mut self) -> Option<CheckedLine> {
        self.0.next().await
    }

    /// Starts no more checks and aborts those in progress. [`next`](Self::next) then returns the
    /// completed ones, in order; all others are counted as [`left`](Self::left).
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Returns how many lines were left unchecked so far.
    pub fn left(&self) -> u64 {
        self.0.left()
    }
}

/// The next step of a line once its text is evaluated.
pub(super) enum Step {
    /// The text decides.
    Decided(Result<Verdict, Error>),
    Url(ImageUrl),
    File {
        path: PathBuf,
        folders: Option<Folders>,
    },
}

/// The settings for checking one line.
#[derive(Clone)]
pub(super) struct LineCheck {
    probe: Probe,
    requirements: Requirements,
    depth: Depth,
    /// Limits how many files are read at a time.
    readers: Arc<Semaphore>,
}

impl LineCheck {
    /// Returns a check that reads files to `depth`.
    pub(super) fn new(probe: &Probe, requirements: &Requirements, depth: Depth) -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            probe: probe.clone(),
            requirements: requirements.clone(),
            depth,
            readers: Arc::new(Semaphore::new(processors.min(probe.concurrency()))),
        }
    }

    /// Evaluates the text of a line, without I/O: a line that it decides needs no task, which would
    /// cost more than the evaluation.
    pub(super) fn first(&self, target: Target<'_>) -> Step {
        let by_text = match target {
            Target::Url(url) => self.requirements.judge_url(url),
            Target::Malformed { error, .. } => {
                let verdict = Verdict::of_text(String::new(), &error);
                return Step::Decided(Ok(verdict.without_subject()));
            }
            Target::File { path, folders } => {
                let (path, folders) = (path.to_owned(), folders.cloned());
                return Step::File { path, folders };
            }
            Target::Unusable(message) => {
                return Step::Decided(Err(Error::new(ErrorKind::Usage, message)));
            }
        };
        if by_text.decision() == Decision::Reject {
            Step::Decided(Ok(by_text.without_subject()))
        } else {
            Step::Url(by_text.subject().clone())
        }
    }

    pub(super) async fn url(self, url: ImageUrl) -> Result<Verdict, Error> {
        let verdict = self.probe.check(&url, &self.requirements).await?;
        Ok(verdict.without_subject())
    }

    async fn judge(self, path: PathBuf, folders: Option<Folders>) -> Result<Verdict, Error> {
        self.read(
            move |depth, requirements| match files::open(&path, folders.as_ref())? {
                Ok(file) => requirements.judge_file(depth, file, &path),
                Err(verdict) => Ok(verdict),
            },
        )
        .await
    }

    /// Waits for its turn and reads a file on a blocking thread.
    pub(super) async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(Depth, &Requirements) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        // It is never closed, so this cannot fail.
        let _turn = self.readers.acquire().await;
        let (depth, requirements) = (self.depth, self.requirements);
        let reading = tokio::task::spawn_blocking(move || read(depth, &requirements));
        let read = joined(reading.await)?;
        read.map_err(|error| Error::new(ErrorKind::Io, "cannot read the file").with_source(error))
    }
}

/// Work on a list's lines in order; see [`LineChecks`].
pub(super) struct Checking<T> {
    /// `None` for a line that was left unchecked.
    results: Pin<Box<dyn Stream<Item = Option<T>> + Send>>,
    control: Arc<Control>,
}

#[derive(Debug)]
struct Control {
    halt: watch::Sender<bool>,
    left: AtomicU64,
}

impl Control {
    fn leave(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }
}

impl<T: Send + 'static> Checking<T> {
    /// Starts to read `lines`; `begin` is called with each, in order, when there is room in the
    /// window of `ahead` lines.
    pub(super) fn start<L, F>(
        lines: L,
        ahead: usize,
        mut begin: impl FnMut(Line) -> F + Send + 'static,
    ) -> Result<Self, Error>
    where
        L: IntoIterator<Item = Line>,
        L::IntoIter: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let control = Arc::new(Control {
            halt: watch::Sender::new(false),
            left: AtomicU64::new(0),
        });
        let begun = Arc::clone(&control);
        let results = read(lines.into_iter(), Arc::clone(&control))?
            .map(move |line| {
                // Subscribed before the check begins, so that a stop in between is not missed.
                let mut halt = begun.halt.subscribe();
                // No check starts after a stop.
                let work = if *halt.borrow() {
                    None
                } else {
                    Some(begin(line))
                };
                async move {
                    let work = work?;
                    tokio::select! {
                        // A result that is ready counts, even if the run was stopped at the same
                        // time.
                        biased;
                        result = work => Some(result),
                        _ = halt.wait_for(|halt| *halt) => None,
                    }
                }
            })
            // Not `buffer_unordered`: the results are in the order of the list.
            .buffered(ahead);
        Ok(Self {
            results: Box::pin(results),
            control,
        })
    }

    pub(super) async fn next(&mut self) -> Option<T> {
        loop {
            match self.results.next().await? {
                Some(result) => return Some(result),
                None => self.control.leave(),
            }
        }
    }

    fn stop(&self) {
        // `send` would fail, and change nothing, while no check has subscribed.
        self.control.halt.send_replace(true);
    }

    fn left(&self) -> u64 {
        self.control.left.load(Ordering::Relaxed)
    }
}

impl<T> fmt::Debug for Checking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checking")
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

/// Reads lines on a thread of its own, because a runtime that shuts down would wait for a blocking
/// task. A panic of the list's iterator is resumed in the task that polls the stream.
fn read(
    mut lines: impl Iterator<Item = Line> + Send + 'static,
    control: Arc<Control>,
) -> Result<impl Stream<Item = Line> + Send, Error> {
    let (sender, mut receiver) = mpsc::channel(LINES);
    let reader = thread::Builder::new().name("list".to_owned());
    let reader = reader.spawn(move || {
        while !sender.is_closed()
            && let Some(line) = lines.next()
        {
            // After a stop the list is still read to its end, so that `left` counts every line.
            if *control.halt.borrow() {
                control.leave();
            } else if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let reader = reader.map_err(|error| {
        Error::new(ErrorKind::Io, "read the list: start a thread").with_source(error)
    })?;
    let mut reader = Some(reader);
    Ok(stream::poll_fn(move |cx| {
        let line = task::ready!(receiver.poll_recv(cx));
        // The channel is closed by the end of the thread, so `join` does not block.
        if line.is_none()
            && let Some(Err(panicked)) = reader.take().map(thread::JoinHandle::join)
        {
            panic::resume_unwind(panicked);
        }
        Poll::Ready(line)
    }))
}
