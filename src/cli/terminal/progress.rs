//! Progress on standard error: bars on a terminal, a line now and then elsewhere.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    block::{self, MARGIN},
    screen::{self, Shown},
};
use crate::cli::{clock, pace::Pace};

/// Interval between two drawings of the bars.
const DRAW: Duration = Duration::from_millis(200);

/// Shortest interval between two lines where there are no bars.
const WRITE: Duration = Duration::from_secs(10);

/// The most columns of a bar.
const BAR: usize = 30;

/// The columns of the words that precede bars.
const VERB: usize = 9;

/// Progress of one step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gauge {
    pub(crate) verb: &'static str,
    pub(crate) done: u64,
    pub(crate) total: Option<u64>,
}

impl Gauge {
    fn text(&self) -> String {
        let Self { verb, done, total } = self;
        match total {
            Some(total) => format!("{done} of {total} {verb}"),
            None => format!("{done} {verb}"),
        }
    }

    fn bar(&self, width: usize) -> String {
        let Self { verb, done, total } = self;
        let Some(total) = total else {
            return format!("{verb:>VERB$} {done}");
        };
        let count = format!("{done}/{total}");
        let bar = width.saturating_sub(VERB + 2 + count.len() + MARGIN);
        let bar = bar.min(BAR);
        let full = u128::from(*done) * u128::try_from(bar).unwrap_or(0);
        let full = full / u128::from((*total).max(1));
        let full = usize::try_from(full).unwrap_or(bar).min(bar);
        let (full, rest) = ("█".repeat(full), "░".repeat(bar - full));
        format!("{verb:>VERB$} {full}{rest} {count}")
    }
}

/// The progress of the command. There is one at a time; dropping it removes the bars.
#[derive(Debug)]
pub(crate) struct Progress {
    drawer: Option<(JoinHandle<()>, Arc<AtomicBool>)>,
}

impl Progress {
    /// Progress that the caller [shows](Self::show).
    pub(crate) fn begin() -> Self {
        screen::lock().written = Some(clock::instant());
        Self { drawer: None }
    }

    /// Progress of one count, which a separate thread shows.
    pub(crate) fn of(counter: &Arc<Counter>) -> Self {
        let progress = Self::begin();
        if screen::shown() == Shown::Hidden {
            return progress;
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let (counter, ends) = (Arc::clone(counter), Arc::clone(&is_over));
        let drawer = thread::spawn(move || {
            let mut pace = Pace::start();
            while !ends.load(Ordering::Acquire) {
                let (gauge, left) = counter.read();
                let text = pace.read(gauge.done, left);
                show(&[gauge], &text);
                // Parked, not asleep: the end of the command does not wait for the next drawing.
                thread::park_timeout(DRAW);
            }
        });
        Self {
            drawer: Some((drawer, is_over)),
        }
    }

    /// Shows the steps, and a text after them that begins with a comma. Lines are written at their
    /// interval, however often this is called.
    #[expect(clippy::unused_self, reason = "only while there is progress to show")]
    pub(crate) fn show(&self, steps: &[Gauge], pace: &str) {
        show(steps, pace);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((drawer, is_over)) = self.drawer.take() {
            is_over.store(true, Ordering::Release);
            drawer.thread().unpark();
            // It draws only.
            let _ = drawer.join();
        }
        let mut block = screen::lock();
        block.erase();
        block.lines.clear();
    }
}

fn show(steps: &[Gauge], pace: &str) {
    let shown = screen::shown();
    let mut block = screen::lock();
    match shown {
        Shown::Hidden => {}
        Shown::Bars => {
            let (width, height) = block::size();
            let mut lines: Vec<_> = steps.iter().map(|step| step.bar(width)).collect();
            let pace = pace.trim_start_matches(", ");
            if !pace.is_empty() {
                lines.push(format!("{:VERB$} {pace}", ""));
            }
            // More lines would scroll, and could then not be erased.
            lines.truncate(height.saturating_sub(1));
            block.draw(lines, width);
        }
        Shown::Lines => {
            let now = clock::instant();
            let since = block.written.map(|at| now.saturating_duration_since(at));
            if since.is_none_or(|since| since >= WRITE) {
                block.written = Some(now);
                let steps: Vec<_> = steps.iter().map(Gauge::text).collect();
                screen::write("progress", &format!("{}{pace}", steps.join(", ")));
            }
        }
    }
}

/// What a command counts of its work.
#[derive(Debug)]
pub(crate) struct Counter {
    verb: &'static str,
    done: AtomicU64,
    /// `u64::MAX` while it is not known.
    total: AtomicU64,
}

impl Counter {
    pub(crate) fn new(verb: &'static str) -> Arc<Self> {
        Arc::new(Self {
            verb,
            done: AtomicU64::new(0),
            total: AtomicU64::new(u64::MAX),
        })
    }

    pub(crate) fn increment(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    fn read(&self) -> (Gauge, Option<u64>) {
        let done = self.done.load(Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed);
        let total = (total != u64::MAX).then(|| total.max(done));
        let gauge = Gauge {
            verb: self.verb,
            done,
            total,
        };
        (gauge, total.map(|total| total - done))
    }
}
