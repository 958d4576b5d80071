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

/// The reason why the command failed as a whole, and a remedy.
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

    /// Adds where the options come from that the message names, as options or as keys of JSON.
    pub(crate) fn with_origins(mut self, elsewhere: &[(String, String)]) -> Self {
        let named = elsewhere.iter().filter(|(option, _)| {
            let key = option.replace('-', "_");
            [
                format!("--{option}"),
                format!("`{option}`"),
                format!("`{key}`"),
            ]
            .iter()
            .any(|name| self.message.contains(name))
        });
        let mut hints: Vec<String> = self.hint.take().into_iter().collect();
        hints.extend(named.map(|(option, origin)| format!("{origin} sets `{option}`")));
        self.hint = (!hints.is_empty()).then(|| hints.join("; "));
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

/// The hint for a service that refuses every request.
const HINT: &str = "check the endpoint, the key and its rights; nothing that was refused is billed";

/// The code of 1.0 for an account that has not opened it (returned-results page, 53414).
pub(crate) const NOT_OPENED: &str = "596";

/// The hint for [`NOT_OPENED`].
const NOT_OPENED_HINT: &str = "the account has not opened 1.0, which needs a verified enterprise in mainland China; it may have \
     opened 2.0: --api 2.0 --service CODE";

/// The hint for an error of the service.
pub(crate) fn service_hint(error: &Error) -> &'static str {
    match error.service_code() {
        Some(NOT_OPENED) => NOT_OPENED_HINT,
        _ => HINT,
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
