//! A per-task rejection by the service.

use serde::{Deserialize, Serialize};

use super::{
    object::Object,
    retry::{Class, Effect},
};
use crate::{error::Retry, sanitize::harmless};

/// A per-task rejection by the service, in an answer that is a success as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    code: u16,
    message: String,
}

impl Refusal {
    pub(super) fn of(element: &Object<'_>) -> Self {
        Self {
            code: element.code().unwrap_or(0),
            message: harmless(element.message(), 400),
        }
    }

    pub(super) fn unanswered(what: &str) -> Self {
        Self {
            code: 0,
            message: what.to_owned(),
        }
    }

    /// The service's code: 480, 588 and so on; 0 when the answer holds nothing about the task.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The service's message, sanitized.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same task may succeed later.
    pub(super) const fn is_temporary(&self) -> bool {
        matches!(
            Class::of_service_code(self.code),
            Class::Throttled(_) | Class::Temporary
        )
    }

    /// Whether the service refused the task because of its rate or quota only.
    pub(crate) fn is_throttling(&self) -> bool {
        matches!(Class::of_service_code(self.code), Class::Throttled(_))
    }

    /// Whether the same image may be submitted again: [`Retry::Ambiguous`] when the answer does not
    /// say whether the task was taken.
    pub fn retry(&self) -> Retry {
        match self.code {
            0 => Retry::Ambiguous,
            code => Class::of_service_code(code).verdict(Effect::Paid),
        }
    }

    /// Whether the answer has no entry for the task, or no id for it, so that the task may have been
    /// accepted, and billed, without an id to poll. [`retry`](Self::retry) is [`Retry::Ambiguous`] then, and only then.
    pub const fn is_ambiguous(&self) -> bool {
        self.code == 0
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.message.as_str()) {
            (0, message) => f.write_str(message),
            (code, "") => write!(f, "{code}"),
            (code, message) => write!(f, "{code} {message}"),
        }
    }
}
