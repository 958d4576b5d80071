//! Problem documents (RFC 9457) for HTTP servers of any kind.

use crate::verdict::{Code, Decision, Missing, Rejected, Severity, Violation};

/// The response to an upload that is not accepted: a status and a problem document (RFC 9457) with
/// a stable `code` and the image's `violations`.
///
/// | status | code |
/// |---|---|
/// | 413 | `image/too-large` |
/// | 415 | `image/not-an-image`, `image/format-unsupported`, `image/type-mismatch` (where that is enforced) |
/// | 422 | every other `image/...`, `image/undecided` |
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use greenlight::{Inspection, ProblemDocument, Requirements};
///
/// let verdict = Requirements::ASYNC.judge(Inspection::of(b"no image"));
/// let problem = ProblemDocument::from(&verdict.into_result().unwrap_err());
/// assert_eq!(problem.status(), 415);
/// assert_eq!(ProblemDocument::MEDIA_TYPE, "application/problem+json");
/// assert!(problem.to_json().starts_with(
///     r#"{"type":"about:blank","title":"Unsupported Media Type","status":415,"detail":"not an image"#
/// ));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ProblemDocument {
    /// RFC 9457, section 4.2.1: `code` says more than a URI could.
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    violations: Vec<Violation>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    missing: Vec<&'static str>,
}

impl ProblemDocument {
    /// The `Content-Type` of the document.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A document about anything but the image.
    #[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "axum's are"))]
    pub(crate) fn about_request(status: u16, code: &'static str, detail: String) -> Self {
        Self {
            r#type: "about:blank",
            title: title(status),
            status,
            detail,
            code,
            violations: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// The status of the response.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The status in words.
    pub const fn title(&self) -> &'static str {
        self.title
    }

    /// The violation and its remedy, in one line. Not stable.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The stable code: that of the first violation that rejects, or `image/undecided`.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Returns the document as JSON.
    #[cfg(feature = "serde")]
    #[expect(
        clippy::missing_panics_doc,
        reason = "texts and numbers can be written"
    )]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers can be written")
    }
}

impl From<&Rejected> for ProblemDocument {
    fn from(rejected: &Rejected) -> Self {
        let mut violations = rejected.violations().iter();
        let reason = violations.find(|violation| violation.severity() == Severity::Reject);
        let status = match reason.map(Violation::code) {
            Some(Code::ImageTooLarge) => 413,
            Some(
                Code::ImageNotAnImage | Code::ImageFormatUnsupported | Code::ImageTypeMismatch,
            ) => 415,
            _ => 422,
        };
        // A rejection does not depend on the facts that are missing.
        let missing = match rejected.decision() {
            Decision::Inconclusive => rejected.missing(),
            Decision::Accept | Decision::Reject => &[],
        };
        Self {
            r#type: "about:blank",
            title: title(status),
            status,
            detail: reason.map_or_else(|| rejected.to_string(), ToString::to_string),
            code: reason.map_or("image/undecided", |reason| reason.code().name()),
            violations: rejected.violations().to_vec(),
            missing: missing.iter().copied().map(Missing::description).collect(),
        }
    }
}

/// RFC 9110, section 15.5, in the words of the `http` crate.
const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Unprocessable Entity",
    }
}
