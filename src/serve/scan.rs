//! The routes that submit images, and return their outcomes.

#![allow(
    unused_qualifications,
    reason = "of the macro that describes the routes"
)]

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;

use super::{
    App,
    check::{Answer, Received, accept, is_json, read_url, receive, respond},
    images::{Spool, unstored},
    on_outage::OnOutage,
    refusal::{Refusal, json},
    scan_answer::{ScanAnswer, ScanWanted},
    scan_id::ScanId,
    scans::Scans,
    schema::{self, Problems},
    wanted::Wanted,
};
use crate::{
    axum::Problem,
    error::Error,
    image_url::{ImageUrl, masked},
    ledger::{Key, Row, State as ImageState},
    requirements::Requirements,
    verdict::{Decision, Rejected, Summary, Verdict},
};

/// The time that a request waits by default.
const WAIT: Duration = Duration::from_secs(10);

/// The time that a request of pict-rs waits, whose own time limit is 30 seconds by default.
const MEDIA_WAIT: Duration = Duration::from_secs(25);

/// How often a stream of events compares the state of its scan, which need not be final to change.
const EVENT_WAIT: Duration = Duration::from_secs(1);

/// Scans an image
///
/// The image is the body, the field `image` of a form, or at the URL in a JSON object. It is checked
/// as by `/v1/check`, and submitted if it is accepted. The same bytes are submitted once: a later request gets
/// the same outcome, and with the same `dataId` the same id.
#[utoipa::path(
    post,
    path = "/v1/scan",
    tag = "scan",
    params(Wanted, ScanWanted),
    request_body(content(
        (schema::Image = "application/octet-stream"),
        (schema::Image = "image/*"),
        (schema::Form = "multipart/form-data"),
        (super::check::ByUrl = "application/json"),
    )),
    responses(
        (status = 200, description = "The outcome, or what is advised without one", body = ScanAnswer),
        (status = 202, description = "There is no outcome yet: see `Location`", body = ScanAnswer,
            headers(("Location" = String, description = "The scan"))),
        Problems,
    ),
    security((), ("token" = []), ("password" = []))
)]
pub(super) async fn scan(State((app, scans)): State<WithScans>, request: Request) -> Response {
    let asked = ScanWanted::read(request.uri(), scans.on_outage, WAIT);
    let (asked, wanted) = match asked {
        Ok(asked) => asked,
        Err(refusal) => return app.turn_away(request, refusal),
    };
    let by_status = wanted.by_status();
    let submitted = submit(&app, &scans, "/v1/scan", (&asked, &wanted), request).await;
    let (requirements, submitted) = match submitted {
        Ok(submitted) => submitted,
        Err(response) => return *response,
    };
    let id = match submitted {
        Ok(id) => id,
        Err(rejected) if by_status => return respond(Problem::Refused(rejected)),
        Err(rejected) => {
            let verdict = Answer::of_rejected(&rejected, &requirements);
            let answer = ScanAnswer::rejected(verdict, asked.data_id.as_ref());
            return json(StatusCode::OK, &answer);
        }
    };
    let answer = match outcome(&app, &scans, id, &asked).await {
        Ok(answer) => answer,
        Err(refusal) => return refusal.into_response(),
    };
    if by_status && answer.is_rejected() {
        return answer.refusal().into_response();
    }
    // Another advice than `hold` settles the request, so the client need not ask again.
    if answer.is_final || answer.action != OnOutage::Hold.name() {
        return json(StatusCode::OK, &answer);
    }
    let mut response = json(StatusCode::ACCEPTED, &answer);
    if let Ok(location) = HeaderValue::try_from(format!("/v1/scans/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// What the routes of scans share.
pub(super) type WithScans = (Arc<App>, Arc<Scans>);

/// Validates media for pict-rs by a scan: everything but a pass fails the upload.
pub(super) async fn pict_rs(State((app, scans)): State<WithScans>, request: Request) -> Response {
    let asked = ScanWanted::read(request.uri(), scans.on_outage, MEDIA_WAIT);
    let (asked, wanted) = match asked {
        Ok(asked) => asked,
        Err(refusal) => return app.turn_away(request, refusal),
    };
    let submitted = submit(&app, &scans, "/pict-rs", (&asked, &wanted), request).await;
    let id = match submitted {
        Ok((_, Ok(id))) => id,
        Ok((_, Err(rejected))) => return respond(Problem::Refused(rejected)),
        Err(response) => return *response,
    };
    match outcome(&app, &scans, id, &asked).await {
        Ok(answer) if answer.action == OnOutage::Allow.name() => json(StatusCode::OK, &answer),
        Ok(answer) if answer.decision == "not-inspected" => Refusal::new(
            503,
            "scan/not-inspected",
            "the image was not inspected in time: try again later",
        )
        .retry_after(MEDIA_WAIT)
        .into_response(),
        Ok(answer) if answer.is_rejected() => answer.refusal().into_response(),
        Ok(answer) => {
            let text = format!("the outcome of the scan is {}", answer.decision);
            Refusal::new(422, "scan/not-passed", text).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

type Submitted = (Requirements, Result<ScanId, Rejected>);

/// Receives, checks and enqueues the image of a request.
async fn submit(
    app: &App,
    scans: &Scans,
    route: &'static str,
    (asked, wanted): (&ScanWanted, &Wanted),
    request: Request,
) -> Result<Submitted, Box<Response>> {
    // pict-rs sends the media itself: a body of JSON there names no URL.
    let by_url = route == "/v1/scan" && is_json(request.headers());
    let admitted = wanted
        .requirements(&app.requirements)
        .and_then(|requirements| {
            // Nothing can be recorded, and the images that are received would fill the disk.
            if scans.watch.is_down() {
                return Err(no_ledger());
            }
            let len = accept(request.headers(), &requirements, by_url);
            // Before the body is read: what the server has no room for is refused at the start of
            // the upload, and not at its end.
            let place = app.room.enter(len)?;
            Ok((place, scans.images.spool(len)?, requirements))
        });
    let (_place, mut spool, requirements) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return Err(Box::new(app.turn_away(request, refusal))),
    };
    let refused = |refusal: Refusal| Box::new(refusal.into_response());
    let data_id = asked.data_id.as_ref();
    let (verdict, url, key) = if by_url {
        let url = read_url(request.into_body()).await.map_err(refused)?;
        let key = url_key(scans, &url, &requirements);
        if let Some(key) = key {
            // Before the download, which a recent scan of the URL saves.
            let known = scans.recall(key, data_id).await;
            if let Some(id) = known.map_err(|error| refused(unwritten(scans, &error)))? {
                return Ok((requirements, Ok(id)));
            }
        }
        let verdict = download(app, &url, &requirements, &mut spool).await;
        let verdict = verdict.map_err(refused)?;
        (verdict, Some(masked(&url).into_owned()), key)
    } else {
        match receive(app, request, &requirements, Some(&mut spool)).await {
            Ok(summary) => (Ok(summary), None, None),
            Err(Received::Problem(Problem::Refused(rejected))) => (Err(rejected), None, None),
            Err(Received::Problem(problem)) => return Err(Box::new(respond(problem))),
            Err(Received::Stored(error)) => return Err(refused(unstored(&error))),
        }
    };
    let summary = match verdict {
        Ok(summary) => summary,
        Err(rejected) => {
            app.metrics.checked(route, &rejected.summary());
            return Ok((requirements, Err(rejected)));
        }
    };
    app.metrics.checked(route, &summary);
    let id = scans.add(spool, data_id, url).await;
    let id = id.map_err(|error| refused(unwritten(scans, &error)))?;
    if let Some(key) = key {
        // After `add`, because it refers to the row. A crash in between costs another download, but
        // no submission: the bytes have the same hash.
        let remembered = scans.remember(key, id).await;
        remembered.map_err(|error| refused(unwritten(scans, &error)))?;
    }
    Ok((requirements, Ok(id)))
}

/// Returns the key of a URL that could be downloaded.
fn url_key(scans: &Scans, url: &str, requirements: &Requirements) -> Option<Key> {
    let url = ImageUrl::parse(url).ok()?;
    let key = scans.url_key(&url, requirements);
    let is_usable = requirements.judge_url(url).decision() != Decision::Reject;
    key.filter(|_| is_usable)
}

/// Downloads an image, so that the bytes that are checked are those that are submitted.
async fn download(
    app: &App,
    text: &str,
    requirements: &Requirements,
    spool: &mut Spool,
) -> Result<Result<Summary, Rejected>, Refusal> {
    let url = match ImageUrl::parse(text) {
        Ok(url) => url,
        Err(error) => {
            let verdict = Verdict::of_text(text.to_owned(), &error);
            return Ok(verdict.into_result().map(|accepted| accepted.summary()));
        }
    };
    let fetched = app.probe.fetch(&url, requirements).await;
    let (verdict, bytes) = fetched.map_err(|error| {
        tracing::warn!(error = error.report(), "download");
        Refusal::busy()
    })?;
    let accepted = match verdict.into_result() {
        Ok(accepted) => accepted,
        Err(rejected) => return Ok(Err(rejected)),
    };
    let written = spool.write(&bytes).await;
    written.map_err(|error| unstored(&error))?;
    Ok(Ok(accepted.summary()))
}

/// Waits for the outcome of a scan, but not for longer than the server runs.
async fn outcome(
    app: &App,
    scans: &Scans,
    id: ScanId,
    asked: &ScanWanted,
) -> Result<ScanAnswer, Refusal> {
    let row = tokio::select! {
        row = scans.wait(id, asked.wait) => row,
        () = app.closed() => scans.read(id).await,
    };
    let row = row
        .map_err(|error| unwritten(scans, &error))?
        .ok_or_else(unknown)?;
    Ok(ScanAnswer::of(id, row, asked.on_outage))
}

fn unknown() -> Refusal {
    Refusal::new(404, "scan/unknown", "there is no scan of this id")
}

fn unwritten(scans: &Scans, error: &Error) -> Refusal {
    // An outage is logged once.
    if !scans.watch.is_down() {
        tracing::error!(error = error.report(), "use the ledger");
    }
    no_ledger()
}

fn no_ledger() -> Refusal {
    Refusal::new(503, "server/ledger", "the server cannot use its ledger now")
        .retry_after(Duration::from_secs(5))
}

/// Returns a scan, when it is final or after `wait`
#[utoipa::path(
    get,
    path = "/v1/scans/{id}",
    tag = "scan",
    params(("id" = String, Path, description = "The id of the scan"), ScanWanted),
    responses(
        (status = 200, description = "The scan", body = ScanAnswer),
        (status = 404, description = "There is no such scan", body = schema::Problem,
            content_type = "application/problem+json"),
        Problems,
    ),
    security((), ("token" = []), ("password" = []))
)]
pub(super) async fn read(
    State((app, scans)): State<WithScans>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let found = async {
        let id: ScanId = id.parse().map_err(|()| unknown())?;
        let (asked, _) = ScanWanted::read(&uri, scans.on_outage, WAIT)?;
        outcome(&app, &scans, id, &asked).await
    };
    match found.await {
        Ok(answer) => json(StatusCode::OK, &answer),
        Err(refusal) => refusal.into_response(),
    }
}

/// Sends a scan whenever it changes, until it is final
#[utoipa::path(
    get,
    path = "/v1/scans/{id}/events",
    tag = "scan",
    params(("id" = String, Path, description = "The id of the scan")),
    responses(
        (status = 200, description = "Events named `scan`, each with a scan as JSON", body = String,
            content_type = "text/event-stream"),
        (status = 404, description = "There is no such scan", body = schema::Problem,
            content_type = "application/problem+json"),
        Problems,
    ),
    security((), ("token" = []), ("password" = []))
)]
pub(super) async fn events(
    State((app, scans)): State<WithScans>,
    Path(id): Path<String>,
) -> Response {
    let found = match id.parse() {
        Ok(id) => scans.read(id).await.map(|row| row.map(|row| (id, row))),
        Err(()) => Ok(None),
    };
    let (id, row) = match found {
        Ok(Some(found)) => found,
        Ok(None) => return unknown().into_response(),
        Err(error) => return unwritten(&scans, &error).into_response(),
    };
    let first = Some((row, None));
    let changes = stream::unfold(first, move |next| {
        let (app, scans) = (Arc::clone(&app), Arc::clone(&scans));
        async move {
            let (mut row, sent): (Row, Option<ImageState>) = next?;
            while sent == Some(row.state) {
                row = tokio::select! {
                    // The stream ends if the ledger fails: the client connects again, and gets the
                    // state then.
                    row = scans.wait(id, EVENT_WAIT) => row.ok()??,
                    // An open stream would keep the server from ending until its time limit.
                    () = app.closed() => return None,
                };
            }
            let state = row.state;
            let answer = ScanAnswer::of(id, row.clone(), scans.on_outage);
            let text = serde_json::to_string(&answer).ok()?;
            let event = Event::default().event("scan").data(text);
            let next = (!state.is_final()).then_some((row, Some(state)));
            Some((Ok::<_, Infallible>(event), next))
        }
    });
    Sse::new(changes)
        .keep_alive(KeepAlive::default())
        .into_response()
}
