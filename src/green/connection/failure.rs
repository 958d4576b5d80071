//! What a failed attempt means for its call.

use std::time::Duration;

use crate::{
    error::{Error, ErrorKind},
    green::{
        clock,
        http::{Cause, Fault, Reply},
        retry::Class,
    },
};

/// A failed attempt.
#[derive(Debug)]
pub(in crate::green) struct Failure {
    pub(in crate::green) class: Class,
    pub(in crate::green) error: Error,
}

impl Failure {
    /// Classifies a fault of the connection.
    pub(in crate::green) fn of_fault(operation: &str, fault: Fault) -> Self {
        let (class, kind) = match &fault {
            Fault::NotSent(_) => (Class::NotSent, ErrorKind::Network),
            Fault::Lost { cause, .. } => match cause {
                Cause::TooLong => (Class::Ambiguous, ErrorKind::Answer),
                Cause::Http(_) | Cause::Time(_) => (Class::Ambiguous, ErrorKind::Network),
            },
        };
        let error = failed(operation, kind, &fault);
        let error = match fault.into_source() {
            Some(source) => error.with_source(source),
            None => error,
        };
        Self { class, error }
    }

    pub(in crate::green) const fn for_good(error: Error) -> Self {
        Self {
            class: Class::Never,
            error,
        }
    }
}

pub(in crate::green) fn failed(
    operation: &str,
    kind: ErrorKind,
    what: &dyn std::fmt::Display,
) -> Error {
    Error::new(kind, format!("{operation} failed: {what}"))
}

impl Fault {
    /// The received part of the answer.
    pub(in crate::green) const fn part(&self) -> Option<&Reply> {
        match self {
            Self::NotSent(_) => None,
            Self::Lost { part, .. } => part.as_ref(),
        }
    }

    fn into_source(self) -> Option<reqwest::Error> {
        match self {
            Self::NotSent(Cause::Http(error))
            | Self::Lost {
                cause: Cause::Http(error),
                ..
            } => Some(error),
            _ => None,
        }
    }
}

impl Reply {
    pub(in crate::green) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The delay that the service asks for: `x-acs-retry-after` in milliseconds, as the official
    /// libraries read it, or `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
    fn retry_after(&self) -> Option<Duration> {
        let number = |name| count(self.header(name)?.trim());
        // The more precise one first.
        number("x-acs-retry-after")
            .map(Duration::from_millis)
            .or_else(|| number("retry-after").map(Duration::from_secs))
            .or_else(|| self.until(self.header("retry-after")?))
    }

    /// The time until a date, by the `Date` of the answer if it has one. Zero for a past date.
    fn until(&self, date: &str) -> Option<Duration> {
        let date = clock::parse_http_date(date)?;
        let now = self.header("date").and_then(clock::parse_http_date);
        let wait = date.duration_since(now.unwrap_or_else(clock::local_now));
        Some(Duration::try_from(wait).unwrap_or_default())
    }
}

/// A decimal number; one that is too large for its type is the largest.
fn count(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

impl Class {
    /// Adds the delay that the service asks for.
    pub(in crate::green) fn with_retry_after(self, reply: &Reply) -> Self {
        match self {
            Self::Throttled(None) => Self::Throttled(reply.retry_after()),
            other => other,
        }
    }
}
