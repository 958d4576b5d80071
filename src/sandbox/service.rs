//! The service behind the gateway: requests as it documents them, answers as it gives them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    State, answers,
    callback::{Callback, Wish},
    fault::Fault,
    tasks::Held,
};

/// Most tasks of one request (a dated copy of the asynchronous page; the samples say 50).
const MAX_TASKS: usize = 100;
/// Most task ids of one question (a dated copy of the results page).
const MAX_TASK_IDS: usize = 100;
const MAX_URL_CHARS: usize = 2_048;
const MAX_DATA_ID: usize = 128;
const MAX_SEED: usize = 64;

/// What is asked of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `/green/image/asyncscan`
    AsyncScan,
    /// `/green/image/results`
    Results,
    /// `/green/image/scan`
    SyncScan,
    /// `/green/image/feedback`
    Feedback,
    /// `/green/credentials/uploadcredentials`
    UploadCredentials,
    /// The PUT of an object.
    Upload,
}

impl Operation {
    /// The operation at a path.
    pub(super) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/green/image/asyncscan" => Self::AsyncScan,
            "/green/image/results" => Self::Results,
            "/green/image/scan" => Self::SyncScan,
            "/green/image/feedback" => Self::Feedback,
            "/green/credentials/uploadcredentials" => Self::UploadCredentials,
            _ => return None,
        })
    }
}

/// A code and what it says, in the answer's envelope or in one of its elements.
#[derive(Debug)]
pub(super) struct Status {
    code: i64,
    message: String,
}

impl Status {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(400, format!("BAD_REQUEST: {}", message.into()))
    }

    /// The documented word of a code.
    pub(super) fn of(code: i64) -> Self {
        let word = match code {
            200 => "OK",
            280 => "PROCESSING",
            400 => "BAD_REQUEST",
            401 => "NOT_ALLOWED",
            403 => "FORBIDDEN",
            404 => "NOT_FOUND",
            480 => "DOWNLOAD_FAILED",
            500 => "GENERAL_ERROR",
            580 => "DB_FAILED",
            581 => "TIMEOUT",
            585 => "CACHE_FAILED",
            586 => "ALGO_FAILED",
            587 => "MQ_FAILED",
            588 => "EXCEED_QUOTA",
            589 => "TOO_LARGE",
            590 => "BAD_FORMAT",
            591 => "CONNECTION_POOL_FULL",
            592 => "DOWNLOAD_TIMEOUT",
            594 => "EXPIRED",
            596 => "PERMISSION_DENY",
            _ => "ERROR",
        };
        Self::new(code, word)
    }
}

/// The answer's envelope: HTTP 200 whatever the code.
pub(super) fn envelope(status: &Status, request_id: &str, data: Option<Value>) -> Value {
    let mut envelope = json!({
        "code": status.code,
        "msg": status.message,
        "requestId": request_id,
    });
    if let (Some(data), Some(envelope)) = (data, envelope.as_object_mut()) {
        envelope.insert("data".to_owned(), data);
    }
    envelope
}

/// Does what a request asks for; a fault may change how it goes.
pub(super) fn execute(
    state: &Arc<State>,
    operation: Operation,
    body: &[u8],
    fault: Option<&Fault>,
) -> Result<Option<Value>, Status> {
    match fault {
        Some(Fault::Service(code)) => return Err(Status::of(*code)),
        Some(Fault::ServiceStatus(code)) => return Err(Status::of(i64::from(*code))),
        _ => {}
    }
    match operation {
        Operation::AsyncScan => scan(state, body, fault, Mode::Async),
        Operation::SyncScan => scan(state, body, fault, Mode::Sync),
        Operation::Results => results(state, body, fault),
        Operation::Feedback => feedback(state, body),
        Operation::UploadCredentials => {
            read::<serde_json::Map<String, Value>>(body)?;
            // By the address, not by the request's Host: an official client leaves the port out.
            let endpoint = format!("http://{}", state.address);
            let now = state.clock.now();
            Ok(Some(state.oss.issue(now, &state.ids, &endpoint)))
        }
        Operation::Upload => Err(Status::of(404)), // an object is put by another way
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Async,
    Sync,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScanRequest {
    #[serde(rename = "bizType")]
    _biz_type: Option<String>,
    #[serde(default)]
    scenes: Vec<String>,
    #[serde(default)]
    tasks: Vec<TaskRequest>,
    callback: Option<String>,
    seed: Option<String>,
    crypt_type: Option<String>,
    #[serde(rename = "offline")]
    _offline: Option<bool>,
    #[serde(rename = "extras")]
    _extras: Option<serde_json::Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskRequest {
    data_id: Option<String>,
    url: Option<String>,
    interval: Option<u32>,
    max_frames: Option<u32>,
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Status> {
    serde_json::from_slice(body).map_err(|error| Status::bad(error.to_string()))
}

fn scan(
    state: &Arc<State>,
    body: &[u8],
    fault: Option<&Fault>,
    mode: Mode,
) -> Result<Option<Value>, Status> {
    let request: ScanRequest = read(body)?;
    check_scan(&request, mode)?;
    let scenes: Arc<[String]> = request.scenes.into();
    let wish = request.callback.zip(request.seed).map(|(url, seed)| Wish {
        url,
        seed,
        crypt_type: request.crypt_type,
    });
    let now = state.clock.now();
    let mut elements = Vec::with_capacity(request.tasks.len());
    for (index, task) in request.tasks.into_iter().enumerate() {
        let url = task.url.clone().unwrap_or_default();
        let mut element = json!({ "dataId": &task.data_id, "url": &url });
        let status = match fault {
            Some(Fault::Tasks(code, share)) if share.takes(index) => Err(Status::of(*code)),
            _ => check_task(state, &task),
        };
        if status.is_ok() {
            let held = Held {
                data_id: task.data_id,
                url,
                scenes: Arc::clone(&scenes),
                made: now,
                polls: 0,
            };
            let id = state.ids.task();
            if let Some(wish) = &wish
                && let Some(callback) = Callback::new(&state.uid, wish, &done(&id, &held))
            {
                // A full queue is a caller's who does not answer: it loses this one.
                let _ = state.callbacks.try_send(callback);
            }
            state.count(|counts| counts.pay(scenes.len()));
            element["taskId"] = json!(id);
            if mode == Mode::Sync {
                element["results"] = json!(answers::results(&held.url, &held.scenes));
            }
            state.tasks.lock().expect("no holder panics").add(id, held);
        }
        let status = status.err().unwrap_or_else(|| Status::of(200));
        finish(&mut element, &status);
        elements.push(element);
    }
    Ok(Some(arrange(elements, fault)))
}

/// Sets an element's code; what it has no value for is left out.
fn finish(element: &mut Value, status: &Status) {
    element["code"] = json!(status.code);
    element["msg"] = json!(status.message);
    if let Some(fields) = element.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}

/// The elements in the answer's order, which is not documented.
fn arrange(mut elements: Vec<Value>, fault: Option<&Fault>) -> Value {
    match fault {
        Some(Fault::Shuffled) => {
            elements.reverse();
            let middle = elements.len() / 2;
            elements.rotate_left(middle);
        }
        Some(Fault::Missing(share)) => {
            let mut index = 0;
            elements.retain(|_| {
                index += 1;
                !share.takes(index - 1)
            });
        }
        _ => {}
    }
    Value::Array(elements)
}

fn check_scan(request: &ScanRequest, mode: Mode) -> Result<(), Status> {
    if request.scenes.is_empty() {
        return Err(Status::bad("scenes is required"));
    }
    if let Some(scene) = request
        .scenes
        .iter()
        .find(|scene| !answers::is_scene(scene))
    {
        return Err(Status::bad(format!("scene is not known: {scene}")));
    }
    match request.tasks.len() {
        0 => return Err(Status::bad("tasks is required")),
        count if count > MAX_TASKS => {
            return Err(Status::bad(format!("{count} tasks, at most {MAX_TASKS}")));
        }
        _ => {}
    }
    if mode == Mode::Sync && request.callback.is_some() {
        return Err(Status::bad("callback is for the asynchronous scan only"));
    }
    match (&request.callback, &request.seed) {
        (None, None) => {}
        (Some(_), None) => return Err(Status::bad("seed is required with callback")),
        // Stricter than documented: a seed alone has no use.
        (None, Some(_)) => return Err(Status::bad("seed without callback")),
        (Some(callback), Some(seed)) => {
            if !has_scheme(callback, &["http://", "https://"]) {
                return Err(Status::bad("callback is neither http nor https"));
            }
            let good = |character: char| character.is_ascii_alphanumeric() || character == '_';
            if seed.is_empty() || seed.len() > MAX_SEED || !seed.chars().all(good) {
                return Err(Status::bad("seed is 1 to 64 letters, digits and _"));
            }
        }
    }
    match request.crypt_type.as_deref() {
        None | Some("SHA256" | "SM3") => Ok(()),
        Some(other) => Err(Status::bad(format!("cryptType is not known: {other}"))),
    }
}

fn check_task(state: &State, task: &TaskRequest) -> Result<(), Status> {
    let url = match task.url.as_deref() {
        None | Some("") => return Err(Status::bad("url is required")),
        Some(url) => url,
    };
    if url.chars().count() > MAX_URL_CHARS {
        return Err(Status::bad(format!(
            "url has more than {MAX_URL_CHARS} characters"
        )));
    }
    if !has_scheme(url, &["http://", "https://", "oss://"]) {
        return Err(Status::bad("url is neither http, https nor oss"));
    }
    if let Some(data_id) = &task.data_id {
        let good = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
        if data_id.is_empty() || data_id.len() > MAX_DATA_ID || !data_id.chars().all(good) {
            return Err(Status::bad(
                "dataId is 1 to 128 letters, digits, _, - and .",
            ));
        }
    }
    if task.interval == Some(0) || task.max_frames == Some(0) {
        return Err(Status::bad("interval and maxFrames are at least 1"));
    }
    match url.strip_prefix("oss://") {
        Some(object) => state.oss.check(object),
        None => Ok(()),
    }
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    schemes.iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    })
}

fn results(state: &State, body: &[u8], fault: Option<&Fault>) -> Result<Option<Value>, Status> {
    let ids: Vec<String> = read(body)?;
    if ids.is_empty() || ids.len() > MAX_TASK_IDS {
        return Err(Status::bad(format!(
            "1 to {MAX_TASK_IDS} task ids are taken"
        )));
    }
    let now = state.clock.now();
    let mut tasks = state.tasks.lock().expect("no holder panics");
    if let Some(Fault::Forgotten) = fault {
        tasks.forget_all();
    }
    let elements = ids
        .iter()
        .enumerate()
        .map(|(index, id)| match (fault, tasks.poll(id, now)) {
            (_, None) => element(id, None, 594),
            (Some(Fault::Tasks(code, share)), Some(task)) if share.takes(index) => {
                element(id, Some(&task), *code)
            }
            (_, Some(task)) if task.polls <= state.polls => element(id, Some(&task), 280),
            (_, Some(task)) => done(id, &task),
        })
        .collect();
    Ok(Some(arrange(elements, fault)))
}

/// A finished task, as the results and a callback tell it.
fn done(id: &str, task: &Held) -> Value {
    let mut done = element(id, Some(task), 200);
    done["results"] = json!(answers::results(&task.url, &task.scenes));
    done
}

fn element(id: &str, task: Option<&Held>, code: i64) -> Value {
    let mut element = json!({
        "taskId": id,
        "dataId": task.and_then(|task| task.data_id.as_ref()),
        "url": task.map(|task| &task.url),
    });
    finish(&mut element, &Status::of(code));
    element
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeedbackRequest {
    task_id: Option<String>,
    suggestion: Option<String>,
    #[serde(default)]
    scenes: Vec<String>,
}

fn feedback(state: &State, body: &[u8]) -> Result<Option<Value>, Status> {
    let request: FeedbackRequest = read(body)?;
    let id = request
        .task_id
        .ok_or_else(|| Status::bad("taskId is required"))?;
    match request.suggestion.as_deref() {
        None => {}
        Some("pass" | "block") if !request.scenes.is_empty() => {}
        Some("pass" | "block") => return Err(Status::bad("suggestion needs scenes")),
        Some(_) => return Err(Status::bad("suggestion is pass or block")),
    }
    if let Some(scene) = request
        .scenes
        .iter()
        .find(|scene| !answers::is_scene(scene))
    {
        return Err(Status::bad(format!("scene is not known: {scene}")));
    }
    if !state.tasks.lock().expect("no holder panics").knows(&id) {
        return Err(Status::of(594));
    }
    Ok(None)
}
