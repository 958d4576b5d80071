//! Classifies failures into the next step for an image; pure functions.

use std::time::{Duration, SystemTime};

use super::{Settings, clock, trace};
use crate::{
    download::Download,
    error::{Error, ErrorKind, RefusalSubject, Retry},
    green::Refusal,
    ledger::{NextStep, Reason},
    verdict::{Code, Verdict, Violation},
};

/// Returns the backoff after `attempts` failed attempts: one second, doubled each time, at most a
/// minute.
fn rest(attempts: u32) -> Duration {
    // Six doublings reach the cap, and many more would overflow.
    let doublings = attempts.min(6);
    Duration::from_secs(1 << doublings).min(Duration::from_secs(60))
}

/// Returns a retry after a backoff, or `Dead` if this was the last of `max_attempts`.
pub(super) fn retry(reason: Reason, attempts: u32, max_attempts: u32, now: SystemTime) -> NextStep {
    if attempts.saturating_add(1) >= max_attempts {
        return NextStep::Dead(reason);
    }
    let wait = rest(attempts);
    trace::retried(&reason, attempts, wait);
    let at = clock::after(now, wait);
    NextStep::Retry { at, reason }
}

/// Returns the next step after the service rejected one image; `None` if the image may have been
/// accepted.
pub(super) fn of_refusal(
    settings: &Settings,
    refusal: &Refusal,
    stage: &str,
    attempts: u32,
) -> Option<NextStep> {
    let reason = Reason {
        class: format!("{stage}/{}", refusal.code()),
        message: refusal.to_string(),
    };
    match refusal.retry() {
        // The task may exist: only a callback, or time, decides.
        Retry::Ambiguous => None,
        // `Again` does not count as an attempt: throttling says nothing about the image.
        Retry::After(pause) if refusal.is_throttling() => Some(NextStep::Again {
            at: clock::after(clock::now(), pause),
        }),
        verdict => Some(of_image(
            settings,
            reason,
            verdict != Retry::Never,
            refusal.subject(),
            attempts,
        )),
    }
}

/// Returns the next step after a definite failure of one image.
pub(super) fn of_image(
    settings: &Settings,
    reason: Reason,
    may_pass: bool,
    subject: RefusalSubject,
    attempts: u32,
) -> NextStep {
    let now = clock::now();
    let next = if may_pass {
        retry(reason, attempts, settings.submit_attempts, now)
    } else {
        NextStep::Dead(reason)
    };
    // The ledger takes `otherwise` if the image was uploaded before, so it is uploaded once.
    if settings.upload_fallback && subject == RefusalSubject::Download {
        let otherwise = Box::new(next);
        return NextStep::Upload { at: now, otherwise };
    }
    next
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// A longer `Retry-After` is capped: the pause is stored in the ledger, so an excessive one would
/// stop all its users.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// The effect of an error on a whole request.
#[derive(Debug)]
pub(super) enum RequestFailure {
    /// The request may have been executed.
    Unknown,
    /// The request was not executed and may be repeated after `pause`. If `slow`, the shared rate
    /// is suspended as well.
    Later { pause: Duration, slow: bool },
    /// The request was rejected because of its content: a single image may be the cause.
    Content {
        reason: Reason,
        /// Whether the same image may be accepted later.
        may_pass: bool,
        subject: RefusalSubject,
    },
    /// Every request will fail.
    Hopeless,
}

impl RequestFailure {
    pub(super) fn of(error: &Error) -> Self {
        match error.retry() {
            // Never `Later`: a repeated request that was executed before is billed twice.
            Retry::Ambiguous => Self::Unknown,
            // 2.0 refuses the request for its only image: the image needs the next step, not the
            // request.
            Retry::After(_) if error.subject() == RefusalSubject::Download => Self::of_final(error),
            Retry::After(pause) => Self::Later {
                pause: pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE),
                slow: error.kind() == ErrorKind::Throttled,
            },
            Retry::Never => Self::of_final(error),
        }
    }

    fn of_final(error: &Error) -> Self {
        match error.service_code() {
            Some(code) if error.subject() != RefusalSubject::Request => Self::Content {
                reason: Reason {
                    class: format!("submit/{code}"),
                    message: error.to_string(),
                },
                may_pass: error.retry() != Retry::Never,
                subject: error.subject(),
            },
            _ => Self::Hopeless,
        }
    }
}

/// Returns whether another attempt to read the image may succeed.
pub(super) fn may_pass<S>(verdict: &Verdict<S>) -> bool {
    let status = verdict.download().and_then(Download::status);
    rejections(verdict).all(|violation| match violation.code() {
        Code::DownloadDns
        | Code::DownloadConnect
        | Code::DownloadTooSlow
        | Code::DownloadIncomplete
        | Code::DownloadProtocol => true,
        Code::DownloadStatus => {
            // 408, 425, 429 and the server's own errors are temporary.
            status.is_some_and(|status| matches!(status, 408 | 425 | 429 | 500..=599))
        }
        _ => false,
    })
}

pub(super) fn rejections<S>(verdict: &Verdict<S>) -> impl Iterator<Item = &Violation> {
    let rejects = |violation: &&Violation| violation.severity() == crate::verdict::Severity::Reject;
    verdict.violations().iter().filter(rejects)
}

pub(super) fn reason_of(class: &str, message: String) -> Reason {
    Reason {
        class: class.to_owned(),
        message,
    }
}

/// Returns the first violation that rejects, as a reason.
pub(super) fn reason<S>(verdict: &Verdict<S>) -> Option<Reason> {
    rejections(verdict).next().map(|violation| Reason {
        class: violation.code().name().to_owned(),
        message: violation.message().to_owned(),
    })
}
