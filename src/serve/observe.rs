//! Request ids, the log and the metrics of every request.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use super::{App, clock, guard::Client, refusal::ProblemCode};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A longer id of a client is replaced.
const MAX_ID: usize = 64;

/// Routes that monitoring requests all the time.
const QUIET: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Serves a request, and records it. The log has no image, URL, query or token.
pub(super) async fn record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = id_of(&request);
    let started = clock::instant();
    let method = request.method().clone();
    // The pattern and not the path: paths of clients would make any number of time series.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let mut response = next.run(request).await;
    let took = started.elapsed();
    let status = response.status().as_u16();
    let client = response
        .extensions()
        .get()
        .map_or(0, |Client(number)| *number);
    let code = response.extensions().get().map(|ProblemCode(code)| *code);
    app.metrics.requested(route, status, took);
    if let Some(code) = code {
        app.metrics.problem(code);
    }
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let id_text = id.to_str().unwrap_or_default();
    let code = code.unwrap_or_default();
    if QUIET.contains(&route) {
        tracing::debug!(id = id_text, %method, route, status, ms, client, code, "request");
    } else {
        tracing::info!(id = id_text, %method, route, status, ms, client, code, "request");
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    if !headers.contains_key(header::CACHE_CONTROL) {
        let no_store = HeaderValue::from_static("no-store");
        headers.insert(header::CACHE_CONTROL, no_store);
    }
    response
}

/// Returns the client's id if it is safe to log, else a random one.
fn id_of(request: &Request) -> HeaderValue {
    let is_safe = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=MAX_ID).contains(&bytes.len()) && bytes.iter().all(is_plain)
    };
    let given = request.headers().get(REQUEST_ID).filter(is_safe).cloned();
    given.unwrap_or_else(|| {
        let id = uuid::Uuid::new_v4().to_string();
        HeaderValue::try_from(id).expect("hexadecimal digits and hyphens")
    })
}
