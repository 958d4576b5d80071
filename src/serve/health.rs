//! The state of the server.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, ledger_watch::bounded, refusal::json};

/// The state of the server.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or what keeps the server from serving.
    status: &'static str,
}

/// Returns whether the process serves requests
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    responses((status = 200, description = "It does", body = Health))
)]
pub(super) async fn healthz() -> Response {
    json(StatusCode::OK, &Health { status: "ok" })
}

/// Returns whether new requests are welcome
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "They are", body = Health),
        (status = 503, description = "They are not", body = Health),
    )
)]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    // A load balancer stops sending requests here while those in progress are finished.
    if app.is_closing() {
        let status = "shutting down";
        return json(StatusCode::SERVICE_UNAVAILABLE, &Health { status });
    }
    if let Some(status) = app.scans.as_ref().and_then(|scans| scans.obstacle()) {
        return json(StatusCode::SERVICE_UNAVAILABLE, &Health { status });
    }
    json(StatusCode::OK, &Health { status: "ok" })
}

/// Returns the metrics, in the text format of Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain"),
        (status = 401, description = "The request has no known token", body = super::schema::Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "The request is of a page of another site", body = super::schema::Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "The token's requests per second are used up", body = super::schema::Problem,
            content_type = "application/problem+json"),
    ),
    security((), ("token" = []), ("password" = []))
)]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    let images = app.scans.as_ref().map(|scans| scans.images.usage());
    let outbox = match &app.scans {
        // Without a webhook nothing is delivered, and the counts would be of outcomes that a run
        // acknowledges.
        Some(scans) if scans.webhook.is_some() => bounded(scans.ledger.outbox_counts()).await.ok(),
        _ => None,
    };
    let text = app.metrics.render(&app.room, images, outbox);
    ([(header::CONTENT_TYPE, media_type)], text).into_response()
}
