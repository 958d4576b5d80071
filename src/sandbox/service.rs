//! The service behind the gateway: executes requests and builds responses as its pages document
//! them.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    State, answers,
    callback::{Callback, Wish},
    fault::Fault,
    operation::Operation,
    request::{FeedbackRequest, Mode, ScanRequest, check_scan, check_task, read},
    status::Status,
    tasks::Held,
};

/// Maximum number of task ids per poll (a dated copy of the results page).
const MAX_TASK_IDS: usize = 100;

/// The time for which results are kept: one hour, as the service documents.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

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

/// Executes a request, with its fault if it has one.
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
        // An object is put by another way, and 2.0 is executed elsewhere.
        _ => Err(Status::of(404)),
    }
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
            _ => check_task(state, &task).and(match state.download_code(&url) {
                Some(code) if mode == Mode::Sync => Err(Status::of(code)),
                _ => Ok(()),
            }),
        };
        if status.is_ok() {
            let held = Held {
                data_id: task.data_id,
                url,
                scenes: Arc::clone(&scenes),
                made: now,
                kept: KEPT,
                polls: 0,
            };
            let id = state.ids.task();
            if let Some(wish) = &wish
                && let Some(callback) = Callback::new(&state.uid, wish, &done(state, &id, &held))
            {
                // The queue is full only if the caller does not respond to callbacks: this one is
                // dropped.
                let _ = state.callbacks.try_send(callback);
            }
            // Counted for each accepted task, whatever the response will be.
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
            (_, Some(task)) => done(state, id, &task),
        })
        .collect();
    Ok(Some(arrange(elements, fault)))
}

/// A finished task, as results and callbacks report it.
fn done(state: &State, id: &str, task: &Held) -> Value {
    if let Some(code) = state.download_code(&task.url) {
        return element(id, Some(task), code);
    }
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
