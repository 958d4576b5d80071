//! The types that the OpenAPI document describes and that no route has as a type.

use utoipa::{IntoResponses, ToSchema};

/// The bytes of an image.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes a body")]
pub(super) struct Image(Vec<u8>);

/// A form with an image.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body")]
pub(super) struct Form {
    /// The image, as a file.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
}

/// The verdict on an image.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the JSON of `Summary` and `Provenance`")]
pub(super) struct Verdict {
    /// `accept`, `reject`, or `inconclusive` if a fact is missing.
    decision: Decision,
    /// The format, once known.
    #[schema(required)]
    format: Option<String>,
    /// Pixels in a row.
    #[schema(required)]
    width: Option<u32>,
    /// Rows.
    #[schema(required)]
    height: Option<u32>,
    /// The size in bytes: counted, or else as declared.
    #[schema(required)]
    bytes: Option<u64>,
    /// Complete frames, once their number is final.
    #[schema(required)]
    frames: Option<u32>,
    /// What is wrong with the image, warnings included.
    violations: Vec<Violation>,
    /// How the download went, if there was one.
    #[schema(required)]
    download: Option<Download>,
    /// The names of the facts that are missing for a decision.
    missing: Vec<String>,
    /// The version of this server.
    version: String,
    /// A fingerprint of the requirements: equal ones are equal requirements.
    requirements: String,
    /// The settings of the requirements that differ from those of the asynchronous scan.
    #[schema(value_type = Option<Object>, nullable = false)]
    settings: Option<serde_json::Map<String, serde_json::Value>>,
    /// The time of the verdict, in milliseconds since 1970.
    checked_at: u64,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes JSON")]
enum Decision {
    Accept,
    Reject,
    Inconclusive,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes JSON")]
enum Severity {
    Warn,
    Reject,
}

/// A requirement that is not met.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON")]
struct Violation {
    /// The stable code.
    #[schema(example = "image/too-small")]
    code: String,
    /// Whether it stops the image.
    severity: Severity,
    /// What is wrong and how to fix it, in one line. Not stable.
    message: String,
    /// The measured value.
    #[schema(required, inline)]
    measured: Option<Measure>,
    /// The limit.
    #[schema(required, inline)]
    limit: Option<Measure>,
}

/// A number in the unit that the code implies, or a text.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes JSON")]
enum Measure {
    Number(u64),
    Text(String),
}

/// A download.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON")]
struct Download {
    /// The status of the last response.
    #[schema(required)]
    status: Option<u16>,
    /// How many responses there were, redirects included.
    hops: u32,
    /// Its duration in milliseconds.
    elapsed_ms: u64,
    /// The received bytes of the body.
    bytes: u64,
}

/// A problem document (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the JSON of `ProblemDocument`")]
pub(super) struct Problem {
    r#type: String,
    title: String,
    status: u16,
    /// What is wrong and how to fix it, in one line. Not stable.
    detail: String,
    /// The stable code.
    #[schema(example = "image/too-small")]
    code: String,
    /// What is wrong with the image.
    violations: Vec<Violation>,
    /// The facts that are missing for a decision, in words.
    missing: Option<Vec<String>>,
}

/// The responses to a request without a verdict, and with `status=http` to a rejected image.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes responses")]
pub(super) enum Problems {
    /// The query or the body is malformed.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// The request has no known token.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// Without a token: the request is of a page of another site.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// The upload is too slow.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// The image, the form or the request is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// It is not an image, or its format is not accepted.
    #[response(status = 415, content_type = "application/problem+json")]
    Unsupported(Problem),
    /// The image does not meet another requirement, or is undecided.
    #[response(status = 422, content_type = "application/problem+json")]
    Unmet(Problem),
    /// The token's requests per second are used up; see `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// The server is full; see `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Full(Problem),
}
