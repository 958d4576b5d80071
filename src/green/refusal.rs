//! The service's no to one task.

use serde::{Deserialize, Serialize};

use super::{
    object::Object,
    retry::{Class, Effect},
};
use crate::error::{Retry, harmless};

/// The service's no to one task, apart from the answer to the whole request.
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

    /// The service's words, made harmless to print.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the service may say otherwise of the same task later.
    pub(super) const fn is_temporary(&self) -> bool {
        matches!(
            Class::of_service_code(self.code),
            Class::Throttled(_) | Class::Temporary
        )
    }

    pub(super) fn is_throttling(&self) -> bool {
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

    /// Whether this is no refusal of the service but its silence: the answer holds nothing about
    /// the task, or no id for it, so the task may have been taken, and billed, without an id to ask
    /// for its outcome by. [`retry`](Self::retry) is [`Retry::Ambiguous`] then, and only then.
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
