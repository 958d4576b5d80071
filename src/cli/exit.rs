//! How the command ends.

use std::{fmt, io, process::ExitCode};

use crate::error::Error;

/// The exit codes. The worst that happened decides: a source that could not be decided outranks one
/// that was rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// 0: every source was accepted; for `scan`, every image passed.
    #[default]
    Success,
    /// 1: some were rejected, or did not pass.
    Rejected,
    /// 2: something could not be decided, or failed.
    Failed,
    /// 130: interrupted, as shells report a process ended by SIGINT.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Rejected => 1,
            Exit::Failed => 2,
            Exit::Interrupted => 130,
        })
    }
}

/// Why the command cannot do its work at all, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The error and its causes.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.report())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An operating system's reason, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}
