//! Failures of the file as errors of the crate, with remedies. No type of rusqlite leaves this
//! module.

use std::{path::Path, time::Duration};

use crate::error::{Error, ErrorKind, Retry};

/// A failure of the store. It is `Clone`, because a failed commit fails every call in it.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    kind: FaultKind,
    detail: String,
}

#[derive(Clone, Copy, Debug)]
enum FaultKind {
    /// The file is valid but cannot be used as this ledger.
    Unusable,
    NotADatabase,
    Corrupt,
    ReadOnly,
    Full,
    Busy,
    CannotOpen,
    Stopped,
    Other,
}

impl Fault {
    pub(super) fn unusable(detail: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::Unusable,
            detail: detail.into(),
        }
    }

    /// Returns the failure of a call whose thread ended. The call may have been executed.
    pub(super) fn stopped() -> Self {
        Self {
            kind: FaultKind::Stopped,
            detail: String::new(),
        }
    }

    /// Returns whether missing permissions may be the cause.
    pub(super) const fn is_of_access(&self) -> bool {
        matches!(self.kind, FaultKind::ReadOnly | FaultKind::CannotOpen)
    }

    pub(super) fn into_error(self, operation: &str, path: &Path) -> Error {
        let path = path.display();
        let plain = |what: &str| Error::new(ErrorKind::Io, format!("{operation}: {what}: {path}"));
        let error = match self.kind {
            FaultKind::Unusable => {
                let message = format!("{operation}: {}: {path}", self.detail);
                return Error::new(ErrorKind::Usage, message);
            }
            FaultKind::NotADatabase => {
                let message = format!("{operation}: the file is not a ledger: {path}");
                return Error::new(ErrorKind::Usage, message).with_source(self.detail);
            }
            FaultKind::Corrupt => plain("the file is corrupt; restore a copy or start a new one"),
            FaultKind::ReadOnly => plain("the file is read-only"),
            FaultKind::Full => plain("no space is left for the file"),
            FaultKind::Busy => {
                plain("another process locks the file").with_retry(Retry::After(LOCK_PAUSE))
            }
            FaultKind::CannotOpen => plain("the file cannot be opened or created"),
            FaultKind::Stopped => {
                // The call may have been committed before its response was lost.
                return plain("the ledger's thread has stopped").with_retry(Retry::Ambiguous);
            }
            FaultKind::Other => plain("the file cannot be read or written"),
        };
        error.with_source(self.detail)
    }
}

const LOCK_PAUSE: Duration = Duration::from_secs(1);

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let kind = match error.sqlite_error_code() {
            Some(Code::NotADatabase) => FaultKind::NotADatabase,
            Some(Code::DatabaseCorrupt) => FaultKind::Corrupt,
            Some(Code::ReadOnly) => FaultKind::ReadOnly,
            Some(Code::DiskFull) => FaultKind::Full,
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => FaultKind::Busy,
            Some(Code::CannotOpen) => FaultKind::CannotOpen,
            _ => FaultKind::Other,
        };
        let detail = error.to_string();
        Self { kind, detail }
    }
}
