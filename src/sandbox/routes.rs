//! The routes, and their HTTP responses.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody as _, to_bytes},
    extract::{Request, State as Shared},
    http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri, header},
    middleware,
    routing::{any, get, put},
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    State,
    clock::http_date,
    error_reply::{ErrorReply, Request as Received},
    fault::{Fault, When},
    files::{self, empty, set},
    operation::Operation,
    serve::{Broken, HangUp},
    service, service_v2,
    status::Status,
};

/// The largest body of an operation: a hundred tasks with long URLs, escaped, take less.
const MAX_BODY: usize = 4 << 20;
/// The largest object.
const MAX_OBJECT: usize = 32 << 20;
/// Maximum size of the bodies that are read concurrently, in megabytes; the next one waits.
pub(super) const ROOM: usize = 256;
/// The time limit for receiving a body.
const BODY_TIME: Duration = Duration::from_secs(30);

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", any(operation))
        .route("/green/{*operation}", any(operation))
        .route("/files/{*path}", get(file))
        .route("/published/{*path}", get(published))
        .route("/{bucket}/{*key}", put(object))
        .fallback(nothing)
        .layer(middleware::map_response_with_state(
            Arc::clone(&state),
            dated,
        ))
        .with_state(state)
}

/// Dates every answer by the sandbox's clock, from which a client can learn its own error.
async fn dated(Shared(state): Shared<Arc<State>>, mut response: Response<Body>) -> Response<Body> {
    let date = http_date(state.clock.now());
    set(&mut response, header::DATE, &date);
    response
}

async fn nothing(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response<Body> {
    let refusal = ErrorReply::new(
        StatusCode::NOT_FOUND,
        "InvalidApi.NotFound",
        "Specified api is not found, please check your url and method.",
    );
    refused(&refusal, &state.ids.request(), host(&headers))
}

async fn file(
    Shared(state): Shared<Arc<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    if !state.is_own_host(&uri, &headers) {
        return empty(StatusCode::MISDIRECTED_REQUEST);
    }
    let path = uri.path().strip_prefix("/files/");
    match path.and_then(|path| state.files.below(path)) {
        Some(path) => files::serve(&method, &headers, path).await,
        None => empty(StatusCode::NOT_FOUND),
    }
}

async fn published(
    Shared(state): Shared<Arc<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    if !state.is_own_host(&uri, &headers) {
        return empty(StatusCode::MISDIRECTED_REQUEST);
    }
    let path = uri.path().strip_prefix("/published/");
    match path.and_then(|path| state.files.published(path)) {
        Some(path) => files::serve(&method, &headers, path).await,
        None => empty(StatusCode::NOT_FOUND),
    }
}

async fn object(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    let asked = Operation::Upload;
    state.count(|counts| *counts.requests.entry(asked).or_default() += 1);
    let request_id = state.ids.request();
    let fault = state.plan.take(asked);
    let failed = |status: u16| {
        let message = "We encountered an internal error. Please try again.";
        ErrorReply::new(status_code(status), "InternalError", message)
    };
    let put = match fault {
        Some(Fault::Close(When::Before)) => return hang_up(),
        Some(Fault::Gateway(status, When::Before)) => Err(failed(status)),
        _ => put_object(&state, request).await,
    };
    delay(fault.as_ref()).await;
    let put = match fault {
        Some(Fault::Close(When::After)) => return hang_up(),
        Some(Fault::Gateway(status, When::After)) => Err(failed(status)),
        _ => put,
    };
    let mut response = match put {
        Ok(tag) => {
            let mut response = empty(StatusCode::OK);
            set(&mut response, header::ETAG, &tag);
            response
        }
        Err(refusal) => store_error(&refusal, &request_id),
    };
    let name = HeaderName::from_static("x-oss-request-id");
    set(&mut response, name, &request_id);
    response
}

/// Stores the object and returns its tag.
async fn put_object(state: &State, request: Request) -> Result<String, ErrorReply> {
    let (parts, body) = request.into_parts();
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
    let (bucket, key) = path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or_default();
    let now = state.clock.now();
    state.oss.admit(bucket, key, &parts.headers, now)?;
    let body = read(state, body, MAX_OBJECT).await?;
    state.oss.keep(key, &parts.headers, body)
}

/// A refusal as the object store writes it.
fn store_error(refusal: &ErrorReply, request_id: &str) -> Response<Body> {
    let ErrorReply {
        code,
        message,
        status,
    } = refusal;
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message><RequestId>{request_id}</RequestId></Error>\n"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = *status;
    set(&mut response, header::CONTENT_TYPE, "application/xml");
    response
}

/// Handles an operation of the service, with the next fault of its plan.
async fn operation(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let asked = Operation::of(&parts).filter(|_| parts.method == Method::POST);
    let Some(asked) = asked else {
        return nothing(Shared(state), parts.headers).await;
    };
    state.count(|counts| *counts.requests.entry(asked).or_default() += 1);
    let request_id = state.ids.request();
    let fault = state.plan.take(asked);
    let host = host(&parts.headers);
    // Before the body is read: such a server would not read it either.
    if let Some(response) = before(fault.as_ref(), &request_id, host) {
        return response;
    }
    let admitted = match read(&state, body, MAX_BODY).await {
        Err(refusal) => Err(refusal),
        Ok(body) => {
            let request = Received {
                is_v2: asked.is_v2(),
                method: &parts.method,
                uri: &parts.uri,
                headers: &parts.headers,
                body: &body,
            };
            let now = state.clock.now();
            let admitted = state.gateway.admit(&request, &state.key, now);
            admitted.map(|()| body)
        }
    };
    let body = match admitted {
        Err(refusal) => return refused(&refusal, &request_id, host),
        Ok(body) => body,
    };
    let answer = if asked.is_v2() {
        let request = Received {
            is_v2: true,
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            body: &body,
        };
        let fault = fault.as_ref();
        let (status, data) = service_v2::execute(&state, asked, &request, &request_id, fault);
        service_v2::envelope(&status, &request_id, data)
    } else {
        let (status, data) = match service::execute(&state, asked, &body, fault.as_ref()) {
            Ok(data) => (Status::of(200), data),
            Err(status) => (status, None),
        };
        service::envelope(&status, &request_id, data)
    };
    // After the execution: a client that gives up while it waits was billed.
    delay(fault.as_ref()).await;
    after(fault.as_ref(), &answer, &request_id, host)
}

async fn delay(fault: Option<&Fault>) {
    if let Some(Fault::Delay(time)) = fault {
        tokio::time::sleep(*time).await;
    }
}

/// The response that replaces executing the request.
fn before(fault: Option<&Fault>, request_id: &str, host: &str) -> Option<Response<Body>> {
    match fault? {
        Fault::Throttled(status, wait) => {
            let refusal = ErrorReply::new(
                status_code(*status),
                "Throttling.User",
                "Request was denied due to user flow control.",
            );
            let mut response = refused(&refusal, request_id, host);
            if let Some(wait) = wait {
                let name = HeaderName::from_static("x-acs-retry-after");
                set(&mut response, name, &wait.as_millis().to_string());
            }
            Some(response)
        }
        Fault::Gateway(status, When::Before) => Some(gateway_failure(*status, request_id, host)),
        Fault::Html(status, When::Before) => Some(page(*status)),
        Fault::Close(When::Before) => Some(hang_up()),
        _ => None,
    }
}

/// The response to a request that was executed.
fn after(fault: Option<&Fault>, answer: &Value, request_id: &str, host: &str) -> Response<Body> {
    let text = answer.to_string();
    match fault {
        Some(Fault::Gateway(status, When::After)) => gateway_failure(*status, request_id, host),
        Some(Fault::Html(status, When::After)) => page(*status),
        Some(Fault::Close(When::After)) => hang_up(),
        Some(Fault::ServiceStatus(status)) => json_response(status_code(*status), text),
        Some(Fault::Capitalised) => json_response(StatusCode::OK, capitalised(answer).to_string()),
        Some(Fault::Empty) => json_response(StatusCode::OK, Body::empty()),
        Some(Fault::CutBody) => json_response(StatusCode::OK, first_half(&text)),
        Some(Fault::ShortBody) => {
            let mut response = json_response(StatusCode::OK, Body::empty());
            set(
                &mut response,
                header::CONTENT_LENGTH,
                &text.len().to_string(),
            );
            *response.body_mut() = Body::new(Broken::after(first_half(&text)));
            response
        }
        _ => json_response(StatusCode::OK, text),
    }
}

fn capitalised(answer: &Value) -> Value {
    let fields = answer.as_object().into_iter().flatten();
    let renamed = fields.map(|(name, value)| {
        let name = match name.as_str() {
            "code" => "Code",
            "msg" => "Msg",
            "requestId" => "RequestId",
            "data" => "Data",
            other => other,
        };
        (name.to_owned(), value.clone())
    });
    Value::Object(renamed.collect())
}

fn first_half(text: &str) -> Bytes {
    let (half, _) = text.as_bytes().split_at(text.len() / 2);
    Bytes::copy_from_slice(half)
}

fn hang_up() -> Response<Body> {
    let mut response = empty(StatusCode::OK);
    response.extensions_mut().insert(HangUp);
    response
}

fn page(status: u16) -> Response<Body> {
    let status = status_code(status);
    let body = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n\
         <center><h1>{status}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, "text/html");
    response
}

fn gateway_failure(status: u16, request_id: &str, host: &str) -> Response<Body> {
    let (code, message) = if status == 503 {
        (
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
        )
    } else {
        (
            "InternalError",
            "The request processing has failed due to some unknown error.",
        )
    };
    let refusal = ErrorReply::new(status_code(status), code, message);
    refused(&refusal, request_id, host)
}

/// A refusal as the gateway writes it.
fn refused(refusal: &ErrorReply, request_id: &str, host: &str) -> Response<Body> {
    let body = json!({
        "RequestId": request_id,
        "HostId": host,
        "Code": refusal.code,
        "Message": refusal.message,
        "Recommend": "",
    });
    json_response(refusal.status, body.to_string())
}

fn json_response(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    set(
        &mut response,
        header::CONTENT_TYPE,
        "application/json;charset=UTF-8",
    );
    response
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn host(headers: &HeaderMap) -> &str {
    headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("127.0.0.1")
}

/// Reads a body within its size and time limits, once there is room for it.
async fn read(state: &State, body: Body, most: usize) -> Result<Bytes, ErrorReply> {
    let too_large = || {
        ErrorReply::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            format!("The request body is not whole or has more than {most} bytes."),
        )
    };
    let announced = body.size_hint().upper().map(usize::try_from);
    let size = match announced {
        Some(Ok(size)) if size <= most => size,
        None => most,
        Some(_) => return Err(too_large()),
    };
    let share = u32::try_from(size >> 20)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let whole = async {
        let _room = state.room.acquire_many(share).await;
        to_bytes(body, most).await
    };
    match tokio::time::timeout(BODY_TIME, whole).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(ErrorReply::new(
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeout",
            "The request body did not come in time.",
        )),
    }
}
