//! What a failure means for the next attempt: pure classification.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{ErrorKind, RefusalSubject, Retry};

/// The class of a failed attempt, which decides whether it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Class {
    /// Too fast; with the delay that the service asks for, if any.
    // A refused task never has a delay, so none is stored.
    Throttled(#[serde(skip)] Option<Duration>),
    /// The service failed for now and says to try again.
    Temporary,
    /// Possibly a transient failure: one more attempt.
    Once,
    /// No connection was made, so nothing was sent.
    NotSent,
    /// The service reported clock skew. Retried once if the answer let us correct it.
    Clock,
    /// The service rejects the key. Retried once if the source has a newer one.
    Key,
    /// It was sent, at least in part, and the service did not answer.
    Ambiguous,
    /// Not with the same request.
    Never,
}

/// Whether a call may be made twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Each execution is billed.
    Paid,
    /// It is idempotent.
    Repeatable,
}

impl Class {
    /// Returns the class of a gateway's code (page on client errors, 434846).
    pub(super) fn of_gateway_code(code: &str, status: u16) -> Self {
        match code {
            _ if code.starts_with("Throttling") => Self::Throttled(None),
            _ if code.starts_with("InvalidTimeStamp") => Self::Clock,
            _ if ["InvalidSecurityToken", "InvalidAccessKeyId"]
                .iter()
                .any(|name| code.starts_with(name)) =>
            {
                Self::Key
            }
            // Every attempt has its own nonce. If it was used, the request arrived twice, and the
            // other arrival had the response.
            "SignatureNonceUsed" => Self::Ambiguous,
            _ if code.starts_with("ServiceUnavailable") => Self::Temporary,
            _ if status == 429 => Self::Throttled(None),
            // "Failed due to some unknown error": the gateway does not know whether the service did
            // it before that.
            _ if status >= 500 => Self::Ambiguous,
            _ => Self::Never,
        }
    }

    /// Returns the class of the object store's code or HTTP status, for an upload, which is
    /// repeatable.
    pub(super) fn of_store_code(code: &str, status: u16) -> Self {
        match (code, status) {
            ("RequestTimeTooSkewed", _) => Self::Clock,
            ("InvalidAccessKeyId" | "SecurityTokenExpired" | "InvalidSecurityToken", _) => {
                Self::Key
            }
            (_, 429 | 503) => Self::Throttled(None),
            (_, 500..) => Self::Temporary,
            _ => Self::Never,
        }
    }

    /// The class of a response whose body is not the service's: an intermediary responded, or the
    /// response was corrupted. A proxy may respond in place of the service after the service
    /// executed the request, with any status: a filter that blocks the response returns 403. It is
    /// certain only that a proxy that requires a password forwards nothing before, and that a
    /// server without such a page or method is not the service (RFC 9110, 15.5.5, 15.5.6 and
    /// 15.5.8): a wrong endpoint ends a run immediately.
    pub(super) const fn of_foreign_answer(status: u16, effect: Effect) -> Self {
        match (status, effect) {
            (429, Effect::Repeatable) => Self::Throttled(None),
            // Redirects and other client errors of a proxy will be the same next time.
            (404 | 405 | 407, _) | (300..=499, Effect::Repeatable) => Self::Never,
            _ => Self::Ambiguous,
        }
    }

    /// Returns what the caller may do.
    pub(super) fn verdict(self, effect: Effect) -> Retry {
        match (self, effect) {
            (Self::Throttled(wait), _) => Retry::After(wait.unwrap_or(THROTTLED_BASE)),
            (Self::Temporary | Self::NotSent | Self::Once, _)
            | (Self::Ambiguous, Effect::Repeatable) => Retry::After(BASE),
            (Self::Ambiguous, Effect::Paid) => Retry::Ambiguous,
            (Self::Clock | Self::Key | Self::Never, _) => Retry::Never,
        }
    }

    /// The kind of error for an answer of this class.
    pub(super) const fn kind(self) -> ErrorKind {
        match self {
            Self::Throttled(_) => ErrorKind::Throttled,
            Self::Temporary => ErrorKind::Service,
            Self::NotSent => ErrorKind::Network,
            Self::Once | Self::Clock | Self::Key | Self::Ambiguous | Self::Never => {
                ErrorKind::Refused
            }
        }
    }
}

/// Whether the object store refused one object, or every upload of the account.
pub(super) const fn subject_of_store(status: u16) -> RefusalSubject {
    match status {
        400 | 402 | 405..=499 => RefusalSubject::Image,
        _ => RefusalSubject::Request,
    }
}

// The base when throttled and the cap are those of the AWS SDKs' standard retry mode.
const BASE: Duration = Duration::from_millis(100);
const THROTTLED_BASE: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(20);

/// The longest wait before attempt `attempt` + 1: doubles from a tenth of a second (a second when
/// throttled) to twenty.
pub(super) fn ceiling(class: Class, attempt: u32) -> Duration {
    let base = match class {
        Class::Throttled(_) => THROTTLED_BASE,
        _ => BASE,
    };
    // Sixteen doublings exceed the cap by far, and more than 31 would overflow the shift.
    let doublings = attempt.saturating_sub(1).min(16);
    base.saturating_mul(1 << doublings).min(CAP)
}

/// The wait before the next attempt: full jitter (a random part of [`ceiling`], `random` being in
/// [0, 1)), on top of what the service asked for.
pub(super) fn delay(class: Class, attempt: u32, random: f64) -> Duration {
    let asked = match class {
        Class::Throttled(Some(asked)) => asked,
        // The cause is removed, so there is no reason to wait.
        Class::Clock | Class::Key => return Duration::ZERO,
        _ => Duration::ZERO,
    };
    asked.saturating_add(ceiling(class, attempt).mul_f64(random.clamp(0.0, 1.0)))
}

/// Whether another attempt is worth it, deadline and budget aside. `attempt` counts those made.
pub(super) const fn may_repeat(class: Class, effect: Effect, attempt: u32, most: u32) -> bool {
    let most = match class {
        Class::Throttled(_) | Class::Temporary | Class::NotSent => most,
        Class::Ambiguous => match effect {
            // The one row that costs money: a second attempt may be a second bill.
            Effect::Paid => 1,
            Effect::Repeatable => most,
        },
        Class::Once | Class::Clock | Class::Key => 2,
        Class::Never => 1,
    };
    attempt < most
}

/// A store of repetitions shared by all calls, so that an outage fails fast: each repetition takes
/// from it, each success puts a little back.
#[derive(Debug)]
pub(super) struct Budget {
    left: std::sync::atomic::AtomicU32,
}

impl Budget {
    // Fifty repetitions, and one more for every five successes.
    const FULL: u32 = 500;
    const COST: u32 = 10;
    const REFUND: u32 = 2;

    pub(super) const fn new() -> Self {
        Self {
            left: std::sync::atomic::AtomicU32::new(Self::FULL),
        }
    }

    /// Consumes one repetition, if there is one.
    pub(super) fn take(&self) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        self.left
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(Self::COST))
            .is_ok()
    }

    /// Records a success.
    pub(super) fn refund(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        let _ = self.left.fetch_update(Relaxed, Relaxed, |left| {
            Some(left.saturating_add(Self::REFUND).min(Self::FULL))
        });
    }
}
