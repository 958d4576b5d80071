//! Responses: as JSON, and as problem documents (RFC 9457) to requests that are not served.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::problem::ProblemDocument;

/// A response with a JSON body.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("texts and numbers can be written");
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Why a request is not served. The stable code begins with `request/` if the client has to change
/// the request, and with `server/` if the same request can be served later.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    detail: String,
    retry_after: Option<Duration>,
}

/// The code of a problem document, for the log and the metrics.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProblemCode(pub(super) &'static str);

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// A request that cannot be served now, for a reason of this host.
    pub(super) fn busy() -> Self {
        let busy = Self::new(
            503,
            "server/busy",
            "the server cannot serve this request now",
        );
        busy.retry_after(Duration::from_secs(1))
    }

    /// A request that the client has to change.
    pub(super) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(400, code, detail)
    }

    /// Tells the client when to repeat the request.
    pub(super) const fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let document = ProblemDocument::about_request(self.status, self.code, self.detail);
        let media_type = HeaderValue::from_static(ProblemDocument::MEDIA_TYPE);
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let headers = [(header::CONTENT_TYPE, media_type)];
        let mut response = (status, headers, document.to_json()).into_response();
        let headers = response.headers_mut();
        if let Some(time) = self.retry_after {
            // Whole seconds (RFC 9110, 10.2.3), rounded up.
            let seconds = time.as_millis().div_ceil(1_000).max(1);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // A 401 must name a scheme (RFC 9110, 15.5.2).
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"greenlight\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(ProblemCode(self.code));
        response
    }
}
