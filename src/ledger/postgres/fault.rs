//! Failures of the database, as errors of the crate. No type of the driver leaves this module.

use std::{error::Error as StdError, time::Duration};

use tokio_postgres::error::SqlState;

use super::super::stored::Invalid;
use crate::{
    error::{Error, ErrorKind, Retry},
    sanitize::harmless,
};

/// A failure of one call.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database works but cannot be used as this ledger.
    Unusable(String),
    /// A table contains a value that no version writes.
    Invalid(String),
    /// The database did not respond within this time.
    Silent(Duration),
    Database(tokio_postgres::Error),
}

impl Fault {
    pub(super) fn unusable(detail: impl Into<String>) -> Self {
        Self::Unusable(detail.into())
    }

    fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Database(error) => error.code(),
            _ => None,
        }
    }

    /// Returns whether the server reported it.
    pub(super) fn is_response(&self) -> bool {
        self.code().is_some()
    }

    /// Returns whether the transaction was rolled back because of a conflict with another one.
    pub(super) fn is_conflict(&self) -> bool {
        let conflicts = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
        ];
        self.code().is_some_and(|code| conflicts.contains(code))
    }

    /// Returns whether the connection was lost or refused, so that a new one may work.
    pub(super) fn is_lost(&self) -> bool {
        let error = match self {
            Self::Silent(_) => return true,
            Self::Unusable(_) | Self::Invalid(_) => return false,
            Self::Database(error) => error,
        };
        match error.code() {
            // Class 08 is "connection exception", 57P is "operator intervention".
            Some(code) => {
                code.code().starts_with("08")
                    || code.code().starts_with("57P")
                    || *code == SqlState::TOO_MANY_CONNECTIONS
                    // The server ended the session of a process that hung within a transaction.
                    || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            }
            None => error.is_closed() || is_io(error),
        }
    }

    /// Returns whether the server is starting and will accept connections later.
    pub(super) fn is_starting(&self) -> bool {
        self.code() == Some(&SqlState::CANNOT_CONNECT_NOW)
    }

    pub(super) fn into_error(self, operation: &str, place: &str) -> Error {
        let is_lost = self.is_lost();
        let (what, cause) = match self {
            Self::Unusable(detail) => {
                return Error::new(ErrorKind::Usage, format!("{operation}: {detail}: {place}"));
            }
            Self::Invalid(detail) => (detail, None),
            Self::Silent(limit) => (
                "the database cannot be reached".to_owned(),
                Some(format!("it does not respond within {}", seconds(limit))),
            ),
            Self::Database(error) => {
                let (what, cause) = reported(&error, is_lost);
                (what.to_owned(), Some(harmless(&cause, 400)))
            }
        };
        // The call may have been committed before the connection was lost.
        let retry = if is_lost {
            Retry::Ambiguous
        } else {
            Retry::Never
        };
        let message = format!("{operation}: {what}: {place}");
        let error = Error::new(ErrorKind::Io, message).with_retry(retry);
        match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }
}

/// Returns what failed and why.
fn reported(error: &tokio_postgres::Error, is_lost: bool) -> (&'static str, String) {
    let Some(reported) = error.as_db_error() else {
        let what = if is_lost {
            "the database cannot be reached"
        } else {
            "the database cannot be used"
        };
        return (what, causes(error));
    };
    let detail = reported.detail().unwrap_or_default();
    let space = if detail.is_empty() { "" } else { ": " };
    let code = reported.code().code();
    let cause = format!("{}{space}{detail} ({code})", reported.message());
    ("the database reported an error", cause)
}

fn seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    let unit = if seconds == 1 { "second" } else { "seconds" };
    format!("{seconds} {unit}")
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn causes(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

impl From<Invalid> for Fault {
    fn from(Invalid(why): Invalid) -> Self {
        Self::Invalid(why)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// Returns the backoff before reconnection attempt `attempt` (from 0).
pub(super) fn backoff(attempt: u32) -> Duration {
    let millis = 50_u64.saturating_mul(1 << attempt.min(7));
    Duration::from_millis(millis.min(5_000))
}
