//! The routes that check an image and submit nothing.

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest as _, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{
    App, clock,
    images::Spool,
    refusal::{ProblemCode, Refusal, json},
    schema::{self, Problems},
    wanted::Wanted,
};
use crate::{
    axum::{ImageBody, ImageField, Problem},
    image_url::ImageUrl,
    requirements::{Provenance, Requirements},
    verdict::{Missing, Rejected, Summary, Verdict},
};

/// The longest body of a request that names a URL, in bytes.
const MAX_JSON: usize = 64 << 10;

/// How long the body of such a request may take.
const JSON_TIME: Duration = Duration::from_secs(10);

/// The verdict on an image.
#[derive(Serialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    summary: Summary,
    missing: Vec<Missing>,
    #[serde(flatten)]
    provenance: Provenance,
}

impl Answer {
    fn new(summary: Summary, missing: Vec<Missing>, requirements: &Requirements) -> Self {
        Self {
            summary,
            missing,
            provenance: Provenance::new(requirements, clock::now()),
        }
    }

    pub(super) fn of_rejected(rejected: &Rejected, requirements: &Requirements) -> Self {
        Self::new(
            rejected.summary(),
            rejected.missing().to_vec(),
            requirements,
        )
    }
}

/// Checks an image
///
/// The image is the body, or the field `image` of a form (`multipart/form-data`). It is rejected as
/// soon as the received bytes prove it invalid, before the upload ends. Nothing is submitted.
#[utoipa::path(
    post,
    path = "/v1/check",
    tag = "check",
    params(Wanted),
    request_body(content(
        (schema::Image = "application/octet-stream"),
        (schema::Image = "image/*"),
        (schema::Form = "multipart/form-data"),
    )),
    responses((status = 200, description = "The verdict", body = schema::Verdict), Problems),
    security((), ("token" = []), ("password" = []))
)]
pub(super) async fn check(State(app): State<Arc<App>>, request: Request) -> Response {
    let wanted = Wanted::read(request.uri());
    inspect(&app, "/v1/check", wanted, request).await
}

/// Validates media for pict-rs
///
/// The contract of `external_validation` in pict-rs 0.4.3 and later: the body is the media, and every
/// status but 2xx fails the upload.
#[utoipa::path(
    post,
    path = "/pict-rs",
    tag = "check",
    params(Wanted),
    request_body(content((schema::Image = "image/*"), (schema::Image = "application/octet-stream"))),
    responses((status = 200, description = "The image is accepted", body = schema::Verdict), Problems),
    security((), ("token" = []), ("password" = []))
)]
pub(super) async fn pict_rs(State(app): State<Arc<App>>, request: Request) -> Response {
    let wanted = Wanted::read(request.uri()).map(Wanted::with_status);
    inspect(&app, "/pict-rs", wanted, request).await
}

async fn inspect(
    app: &App,
    route: &'static str,
    wanted: Result<Wanted, Refusal>,
    request: Request,
) -> Response {
    let admitted = wanted.and_then(|wanted| {
        let requirements = wanted.requirements(&app.requirements)?;
        let len = accept(request.headers(), &requirements, false);
        Ok((wanted, requirements, app.room.enter(len)?))
    });
    let (wanted, requirements, _place) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return app.turn_away(request, refusal),
    };
    let verdict = match receive(app, request, &requirements, None).await {
        Ok(summary) => Ok(summary),
        Err(Received::Problem(Problem::Refused(rejected))) => Err(rejected),
        Err(Received::Problem(problem)) => return respond(problem),
        Err(Received::Stored(_)) => return Refusal::busy().into_response(),
    };
    answer(app, route, &wanted, &requirements, verdict)
}

/// Returns how many bytes of an image a request may have in memory or on disk.
pub(super) fn accept(headers: &HeaderMap, requirements: &Requirements, by_url: bool) -> u64 {
    let max = requirements.max_bytes();
    match announced(headers) {
        // The length of a JSON body says nothing about the image that it names.
        Some(len) if !by_url => len.min(max),
        _ => max,
    }
}

/// Why an image was not received.
pub(super) enum Received {
    Problem(Problem),
    /// It could not be stored.
    Stored(io::Error),
}

impl From<Problem> for Received {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Reads the image of a request, as the body or in a form, into `spool` if there is one.
pub(super) async fn receive(
    app: &App,
    mut request: Request,
    requirements: &Requirements,
    mut spool: Option<&mut Spool>,
) -> Result<Summary, Received> {
    let policy = app.policy(requirements);
    request.extensions_mut().insert(policy);
    let mut upload = if is_form(request.headers()) {
        ImageField::from_request(request, &()).await?.0
    } else {
        ImageBody::from_request(request, &()).await?.0
    };
    while let Some(chunk) = upload.chunk().await? {
        if let Some(spool) = &mut spool {
            spool.write(&chunk).await.map_err(Received::Stored)?;
        }
    }
    Ok(upload.finish().await?.summary())
}

/// The request of a check by URL.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ByUrl {
    /// The http or https URL of the image.
    #[schema(example = "https://example.com/image.png")]
    url: String,
}

/// Checks the image at a URL
///
/// The image is downloaded within the time that its requirements set. Addresses that are not public
/// are refused, for every redirect again. Nothing is submitted.
#[utoipa::path(
    post,
    path = "/v1/check-url",
    tag = "check",
    params(Wanted),
    request_body = ByUrl,
    responses((status = 200, description = "The verdict", body = schema::Verdict), Problems),
    security((), ("token" = []), ("password" = []))
)]
pub(super) async fn check_url(State(app): State<Arc<App>>, request: Request) -> Response {
    let admitted = Wanted::read(request.uri()).and_then(|wanted| {
        if !is_json(request.headers()) {
            return Err(Refusal::new(
                415,
                "request/media-type",
                "the request is not application/json",
            ));
        }
        let requirements = wanted.requirements(&app.requirements)?;
        // The bytes of a download are inspected as they arrive, and the probe bounds their number.
        Ok((wanted, requirements, app.room.enter(0)?))
    });
    let (wanted, requirements, _place) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return app.turn_away(request, refusal),
    };
    let url = match read_url(request.into_body()).await {
        Ok(url) => url,
        Err(refusal) => return refusal.into_response(),
    };
    let verdict = match ImageUrl::parse(&url) {
        Ok(url) => match app.probe.check(&url, &requirements).await {
            Ok(verdict) => settle(verdict),
            Err(error) => {
                tracing::warn!(error = error.report(), "check by URL");
                return Refusal::busy().into_response();
            }
        },
        Err(error) => settle(Verdict::of_text(url, &error)),
    };
    answer(&app, "/v1/check-url", &wanted, &requirements, verdict)
}

fn settle<S>(verdict: Verdict<S>) -> Result<Summary, Rejected> {
    verdict.into_result().map(|accepted| accepted.summary())
}

pub(super) async fn read_url(body: Body) -> Result<String, Refusal> {
    let wrong = |detail: String| Refusal::bad_request("request/json", detail);
    let body = match timeout(JSON_TIME, to_bytes(body, MAX_JSON)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return Err(Refusal::new(
                413,
                "request/too-large",
                format!("the request was interrupted, or has over {MAX_JSON} bytes"),
            ));
        }
        Err(_elapsed) => {
            return Err(Refusal::new(
                408,
                "request/too-slow",
                "the request is too slow",
            ));
        }
    };
    let read: ByUrl =
        serde_json::from_slice(&body).map_err(|error| wrong(format!("the request: {error}")))?;
    Ok(read.url)
}

/// The response to a verdict.
fn answer(
    app: &App,
    route: &'static str,
    wanted: &Wanted,
    requirements: &Requirements,
    verdict: Result<Summary, Rejected>,
) -> Response {
    let answer = match verdict {
        Ok(summary) => Answer::new(summary, Vec::new(), requirements),
        Err(rejected) => {
            let answer = Answer::of_rejected(&rejected, requirements);
            if wanted.by_status() {
                app.metrics.checked(route, &answer.summary);
                return respond(Problem::Refused(rejected));
            }
            answer
        }
    };
    app.metrics.checked(route, &answer.summary);
    json(StatusCode::OK, &answer)
}

/// A problem of an upload, with its code for the log.
pub(super) fn respond(problem: Problem) -> Response {
    let code = ProblemCode(problem.code());
    let mut response = problem.into_response();
    response.extensions_mut().insert(code);
    response
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    let len = headers.get(header::CONTENT_LENGTH)?;
    len.to_str().ok()?.parse().ok()
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim()
}

fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).eq_ignore_ascii_case("multipart/form-data")
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).eq_ignore_ascii_case("application/json")
}
