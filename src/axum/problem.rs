//! The response to an upload that is not accepted.

use std::{fmt, io};

use ::axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{problem::ProblemDocument, verdict::Rejected};

/// The reason why an upload is not accepted. As a response: the status, and a problem document (RFC
/// 9457) with a stable `code` and the image's `violations`.
///
/// | status | code |
/// |---|---|
/// | 400 | `upload/not-multipart`, `upload/malformed`, `upload/missing-field`, `upload/two-fields`, `upload/incomplete` |
/// | 408 | `upload/too-slow` |
/// | 413 | `image/too-large`, `upload/too-large` |
/// | 415 | `image/not-an-image`, `image/format-unsupported`, `image/type-mismatch` (where that is enforced) |
/// | 422 | every other `image/...`, `image/undecided` |
///
/// ```
/// use axum::http::StatusCode;
/// use greenlight::{Inspection, Requirements, axum::Problem};
///
/// let verdict = Requirements::ASYNC.judge(Inspection::of(b"no image"));
/// let problem = Problem::from(verdict.into_result().unwrap_err());
/// assert_eq!(problem.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
/// assert_eq!(problem.code(), "image/not-an-image");
/// assert_eq!(Problem::NotMultipart.code(), "upload/not-multipart");
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Problem {
    /// The image does not meet the route's requirements.
    Refused(Rejected),
    /// The request holds no `multipart/form-data` with a boundary.
    NotMultipart,
    /// The form breaks its own format (RFC 7578).
    Malformed {
        /// The defect of the form.
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
    /// The parts of the form other than the image have too many bytes.
    FormTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The request is over a limit that is not ours: a layer around the route set it.
    RequestTooLarge,
    /// The upload was slower than it may be.
    TooSlow,
    /// The request ended before its body did.
    Incomplete {
        /// The connection's error.
        reason: String,
    },
}

impl Problem {
    /// Returns the response's status.
    #[expect(
        clippy::missing_panics_doc,
        reason = "every status of the table is valid"
    )]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.document().status()).expect("a status between 400 and 422")
    }

    /// The stable code: the first violation's that rejects, or one of `upload/...`.
    pub fn code(&self) -> &'static str {
        self.document().code()
    }

    /// The document in the response's body.
    pub fn document(&self) -> ProblemDocument {
        let (status, code) = match self {
            Self::Refused(rejected) => return ProblemDocument::from(rejected),
            Self::NotMultipart => (400, "upload/not-multipart"),
            Self::Malformed { .. } => (400, "upload/malformed"),
            Self::MissingField { .. } => (400, "upload/missing-field"),
            Self::TwoFields { .. } => (400, "upload/two-fields"),
            Self::Incomplete { .. } => (400, "upload/incomplete"),
            Self::TooSlow => (408, "upload/too-slow"),
            Self::FormTooLarge { .. } | Self::RequestTooLarge => (413, "upload/too-large"),
        };
        ProblemDocument::about_request(status, code, self.to_string())
    }

    /// The verdict, if the image was rejected.
    pub const fn rejected(&self) -> Option<&Rejected> {
        match self {
            Self::Refused(rejected) => Some(rejected),
            _ => None,
        }
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        Self::Refused(rejected)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(rejected) => f.write_str(ProblemDocument::from(rejected).detail()),
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
                write!(
                    f,
                    "the form has over {limit} bytes in addition to the image"
                )
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

/// For code that reads an upload through `tokio_util::io::StreamReader`: the problem is the source.
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = self.document();
        let media_type = HeaderValue::from_static(ProblemDocument::MEDIA_TYPE);
        let headers = [(header::CONTENT_TYPE, media_type)];
        let mut response = (self.status(), headers, document.to_json()).into_response();
        if matches!(self, Self::TooSlow) {
            // RFC 9110, 15.5.9: the server does not wait for the rest.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}
