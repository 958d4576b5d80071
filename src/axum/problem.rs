//! What is answered when an upload is not taken.

use std::{fmt, io};

use ::axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::verdict::{Code, Decision, Rejected, Severity, Violation};

/// Why an upload is not taken. As a response: the status, and a problem document (RFC 9457) with a
/// stable `code` and the image's `violations`.
///
/// | status | code |
/// |---|---|
/// | 400 | `upload/not-multipart`, `upload/malformed`, `upload/missing-field`, `upload/two-fields`, `upload/incomplete` |
/// | 408 | `upload/too-slow` |
/// | 413 | `image/too-large`, `upload/too-large` |
/// | 415 | `image/not-an-image`, `image/format-unsupported`, `image/type-mismatch` (where that is enforced) |
/// | 422 | every other `image/...`, `image/undecided` |
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Problem {
    /// The image does not meet the route's requirements.
    Refused(Rejected),
    /// The request holds no `multipart/form-data` with a boundary.
    NotMultipart,
    /// The form breaks its own format (RFC 7578).
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The form has no file in the image's field.
    MissingField {
        /// The field's name.
        name: String,
        /// The names of the fields that the form has, up to the first 16, shortened.
        present: Vec<String>,
    },
    /// The form has more than one field for the image.
    TwoFields {
        /// The fields' name.
        name: String,
    },
    /// What the form holds besides the image has too many bytes.
    FormTooLarge {
        /// How many are taken.
        limit: u64,
    },
    /// The request is over a limit that is not ours: a layer around the route set it.
    RequestTooLarge,
    /// The upload was slower than it may be.
    TooSlow,
    /// The request ended before its body did.
    Incomplete {
        /// What the connection says.
        reason: String,
    },
}

impl Problem {
    /// The response's status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused(rejected) => match reason(rejected).map(Violation::code) {
                Some(Code::ImageTooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
                Some(
                    Code::ImageNotAnImage | Code::ImageFormatUnsupported | Code::ImageTypeMismatch,
                ) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            },
            Self::FormTooLarge { .. } | Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotMultipart
            | Self::Malformed { .. }
            | Self::MissingField { .. }
            | Self::TwoFields { .. }
            | Self::Incomplete { .. } => StatusCode::BAD_REQUEST,
        }
    }

    /// The stable code: the first violation's that rejects, or one of `upload/...`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(rejected) => match reason(rejected) {
                Some(violation) => violation.code().name(),
                None => "image/undecided",
            },
            Self::NotMultipart => "upload/not-multipart",
            Self::Malformed { .. } => "upload/malformed",
            Self::MissingField { .. } => "upload/missing-field",
            Self::TwoFields { .. } => "upload/two-fields",
            Self::FormTooLarge { .. } | Self::RequestTooLarge => "upload/too-large",
            Self::TooSlow => "upload/too-slow",
            Self::Incomplete { .. } => "upload/incomplete",
        }
    }

    /// The verdict, if it is the image that is refused.
    pub const fn rejected(&self) -> Option<&Rejected> {
        match self {
            Self::Refused(rejected) => Some(rejected),
            _ => None,
        }
    }
}

/// The first violation that rejects.
fn reason(rejected: &Rejected) -> Option<&Violation> {
    rejected
        .violations()
        .iter()
        .find(|violation| violation.severity() == Severity::Reject)
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        Self::Refused(rejected)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(rejected) => match reason(rejected) {
                Some(violation) => violation.fmt(f),
                None => rejected.fmt(f),
            },
            Self::NotMultipart => {
                f.write_str("the request is not multipart/form-data with a boundary")
            }
            Self::Malformed { reason } => write!(f, "the form cannot be read: {reason}"),
            Self::MissingField { name, present } if present.is_empty() => {
                write!(f, "the form has no field {name:?}")
            }
            Self::MissingField { name, present } => {
                let present: Vec<_> = present.iter().map(|name| format!("{name:?}")).collect();
                let present = present.join(", ");
                write!(
                    f,
                    "the form has no file in a field {name:?}; its fields are {present}"
                )
            }
            Self::TwoFields { name } => {
                write!(
                    f,
                    "the form has more than one field {name:?}: send one image"
                )
            }
            Self::FormTooLarge { limit } => {
                write!(f, "the form holds over {limit} bytes besides the image")
            }
            Self::RequestTooLarge => {
                f.write_str("the request has more bytes than the server takes")
            }
            Self::TooSlow => f.write_str("the upload is too slow: try again on a faster network"),
            Self::Incomplete { reason } => write!(f, "the upload ended early: {reason}"),
        }
    }
}

impl std::error::Error for Problem {}

/// For whoever reads an upload as a reader (`StreamReader` of tokio-util): the problem is inside.
impl From<Problem> for io::Error {
    fn from(problem: Problem) -> Self {
        let kind = match problem {
            Problem::TooSlow => io::ErrorKind::TimedOut,
            Problem::Incomplete { .. } => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, problem)
    }
}

/// RFC 9457, section 3. The type is `about:blank`: `code` says more than a URI of ours could.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    violations: &'a [Violation],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [&'static str],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let document = Document {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code(),
            violations: self.rejected().map_or(&[], Rejected::violations),
            // Of an image that is rejected anyway nobody asks what else is unknown.
            missing: match self.rejected() {
                Some(rejected) if rejected.decision() == Decision::Inconclusive => {
                    rejected.missing()
                }
                _ => &[],
            },
        };
        let body = serde_json::to_vec(&document).expect("a document of strings and numbers");
        let media_type = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, media_type)], body).into_response();
        if matches!(self, Self::TooSlow) {
            // RFC 9110, 15.5.9: the server does not wait for the rest.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}
