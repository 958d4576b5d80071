//! The OpenAPI document of the server.

use std::sync::Arc;

use axum::{extract::State, http::header, response::IntoResponse};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::{App, check, deliveries, health, scan};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "greenlight",
        description = "Decides whether Alibaba Cloud's image moderation can scan an image, before it is uploaded or submitted.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(
        check::check,
        check::check_url,
        check::pict_rs,
        health::healthz,
        health::readyz,
        health::metrics,
    ),
    modifiers(&Security),
    tags(
        (name = "check", description = "Checks images; nothing is submitted or billed"),
        (name = "operation", description = "State of the server"),
    )
)]
struct Document;

/// The routes of a server that submits images.
#[derive(OpenApi)]
#[openapi(
    paths(scan::scan, scan::read, scan::events),
    tags((name = "scan", description = "Submits images, which is billed, and returns the outcomes"))
)]
struct Scans;

/// What the server requests of the application.
#[derive(OpenApi)]
#[openapi(paths(deliveries::scan_final))]
struct Webhooks;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "token",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
        components.add_security_scheme(
            "password",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)),
        );
    }
}

/// Returns the document of a server as JSON.
fn text(has_scans: bool, has_webhook: bool) -> String {
    let mut document = Document::openapi();
    if has_scans {
        document.merge(Scans::openapi());
    }
    if has_webhook {
        let mut webhooks = Webhooks::openapi();
        // utoipa describes a webhook as a path, which OpenAPI 3.1 lists elsewhere.
        document.webhooks = Some(std::mem::take(&mut webhooks.paths));
        document.merge(webhooks);
    }
    document.to_json().expect("names and texts can be written")
}

/// `/openapi.json`
pub(super) async fn document(State(app): State<Arc<App>>) -> impl IntoResponse {
    let webhook = app.scans.as_ref().and_then(|scans| scans.webhook.as_ref());
    let text = text(app.scans.is_some(), webhook.is_some());
    ([(header::CONTENT_TYPE, "application/json")], text)
}
