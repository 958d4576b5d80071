//! What both ways of signing share: the request, the refusal, and the checks before a signature.

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};

/// Maximum difference between a request's date and the gateway's clock.
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// The reason why the gateway refuses a request.
#[derive(Debug)]
pub(super) struct ErrorReply {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
}

impl ErrorReply {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    pub(super) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::bad(
            &format!("Missing{parameter}"),
            format!("{parameter} is mandatory for this action."),
        )
    }
}

/// The parts of a request that the gateway checks.
pub(super) struct Request<'a> {
    /// Whether it is of version 2022-03-02.
    pub(super) is_v2: bool,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// A header as text; it may occur at most once.
pub(super) fn text<'a>(
    request: &'a Request<'_>,
    name: &str,
) -> Result<Option<&'a str>, ErrorReply> {
    let mut values = request.headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let parameter = || format!("InvalidParameter.{name}");
    // Two values would be signed as one by some clients and as two by others.
    if values.next().is_some() {
        return Err(ErrorReply::bad(
            &parameter(),
            format!("{name} is given more than once."),
        ));
    }
    std::str::from_utf8(value.as_bytes())
        .map(Some)
        .map_err(|_| ErrorReply::bad(&parameter(), format!("{name} is not UTF-8.")))
}

/// Rejects a date that is too far from `now`.
pub(super) fn check_age(date: Timestamp, now: Timestamp) -> Result<(), ErrorReply> {
    if now.duration_since(date).abs() > MAX_SKEW {
        return Err(ErrorReply::bad(
            "InvalidTimeStamp.Expired",
            "Specified time stamp or date value is expired.",
        ));
    }
    Ok(())
}
