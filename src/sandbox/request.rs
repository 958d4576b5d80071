//! Requests as the service documents them, and the rules by which it rejects them.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{State, answers, status::Status};

/// Most tasks of one request (a dated copy of the asynchronous page; the samples say 50).
const MAX_TASKS: usize = 100;
const MAX_URL_CHARS: usize = 2_048;
const MAX_DATA_ID: usize = 128;
const MAX_SEED: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Async,
    Sync,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanRequest {
    // It has no effect here, and is read so that a value of another type is rejected.
    #[serde(rename = "bizType")]
    _biz_type: Option<String>,
    #[serde(default)]
    pub(super) scenes: Vec<String>,
    #[serde(default)]
    pub(super) tasks: Vec<TaskRequest>,
    pub(super) callback: Option<String>,
    pub(super) seed: Option<String>,
    pub(super) crypt_type: Option<String>,
    #[serde(rename = "offline")]
    _offline: Option<bool>,
    #[serde(rename = "extras")]
    _extras: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskRequest {
    pub(super) data_id: Option<String>,
    pub(super) url: Option<String>,
    interval: Option<u32>,
    max_frames: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FeedbackRequest {
    pub(super) task_id: Option<String>,
    pub(super) suggestion: Option<String>,
    #[serde(default)]
    pub(super) scenes: Vec<String>,
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Status> {
    serde_json::from_slice(body).map_err(|error| Status::bad(error.to_string()))
}

pub(super) fn check_scan(request: &ScanRequest, mode: Mode) -> Result<(), Status> {
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

pub(super) fn check_task(state: &State, task: &TaskRequest) -> Result<(), Status> {
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
    if let Some(data_id) = &task.data_id
        && (data_id.len() > MAX_DATA_ID || !is_data_id(data_id))
    {
        return Err(Status::bad(
            "dataId is 1 to 128 letters, digits, _, - and .",
        ));
    }
    if task.interval == Some(0) || task.max_frames == Some(0) {
        return Err(Status::bad("interval and maxFrames are at least 1"));
    }
    match url.strip_prefix("oss://") {
        Some(object) => state.oss.check(object),
        None => Ok(()),
    }
}

/// Whether an id has the characters that both APIs accept.
pub(super) fn is_data_id(id: &str) -> bool {
    let good = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
    !id.is_empty() && id.chars().all(good)
}

pub(super) fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    schemes.iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    })
}
