//! Standard error, which messages and progress share.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;

use super::{block::Block, cells::Tone};
use crate::sanitize::sanitize;

/// The values of `--color` and `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

/// The options for messages and progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageOptions {
    pub(crate) color: When,
    pub(crate) progress: When,
    pub(crate) is_quiet: bool,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shown {
    #[default]
    Hidden,
    Bars,
    Lines,
}

/// The options, combined with what standard error is.
#[derive(Debug, Default)]
struct Settings {
    is_quiet: bool,
    shown: Shown,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

static BLOCK: Mutex<Block> = Mutex::new(Block::new());

/// Applies the options to all further output.
pub(crate) fn set_up(options: MessageOptions) {
    match options.color {
        When::Auto => ColorChoice::Auto,
        When::Always => ColorChoice::Always,
        When::Never => ColorChoice::Never,
    }
    .write_global();
    // A dumb terminal cannot move its cursor.
    let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    let has_bars = io::stderr().is_terminal() && !is_dumb;
    let shown = match options.progress {
        When::Never => Shown::Hidden,
        When::Auto if options.is_quiet => Shown::Hidden,
        _ if has_bars => Shown::Bars,
        _ => Shown::Lines,
    };
    let settings = Settings {
        is_quiet: options.is_quiet,
        shown,
    };
    // Set once, by the one caller.
    let _ = SETTINGS.set(settings);
}

fn is_quiet() -> bool {
    SETTINGS.get().is_some_and(|settings| settings.is_quiet)
}

pub(super) fn shown() -> Shown {
    SETTINGS.get().map_or(Shown::Hidden, |found| found.shown)
}

/// Whether progress is shown at all.
pub(crate) fn shows_progress() -> bool {
    shown() != Shown::Hidden
}

/// Whether progress is drawn, not written.
pub(crate) fn has_bars() -> bool {
    shown() == Shown::Bars
}

pub(super) fn lock() -> MutexGuard<'static, Block> {
    BLOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the progress before the process exits, unless a print blocks.
pub(crate) fn abandon_progress() {
    if let Ok(mut block) = BLOCK.try_lock() {
        block.erase();
    }
}

/// Prints while the progress is erased.
pub(super) fn aside<T>(print: impl FnOnce() -> T) -> T {
    let mut block = lock();
    block.erase();
    let printed = print();
    block.redraw();
    printed
}

/// Prints a message: `error: …`.
pub(crate) fn error(message: &str) {
    aside(|| write("error", message));
}

/// Prints a remedy, which a quiet run omits: `hint: …`.
pub(crate) fn hint(message: &str) {
    if !is_quiet() {
        aside(|| write("hint", message));
    }
}

/// Prints a message that a quiet run omits: `note: …`.
pub(crate) fn note(message: &str) {
    if !is_quiet() {
        aside(|| write("note", message));
    }
}

/// Prints a message that a quiet run omits: `warning: …`.
pub(crate) fn warning(message: &str) {
    if !is_quiet() {
        aside(|| write("warning", message));
    }
}

/// Prints the lines of an event.
pub(crate) fn log(text: &str) {
    aside(|| {
        let mut stderr = io::stderr();
        for line in text.lines() {
            let _ = writeln!(stderr, "{}", sanitize(line));
        }
    });
}

/// Writes a message. The caller has erased the progress.
pub(super) fn write(label: &str, message: &str) {
    let stderr = io::stderr();
    let is_colored = AutoStream::choice(&stderr) != ColorChoice::Never;
    let label = if is_colored {
        let tone = if label == "error" {
            Tone::Bad
        } else {
            Tone::Heading
        };
        let style = tone.style().bold();
        format!("{style}{label}{style:#}")
    } else {
        label.to_owned()
    };
    // A message that cannot be printed cannot be reported either.
    let _ = writeln!(AutoStream::auto(stderr), "{label}: {}", sanitize(message));
}
