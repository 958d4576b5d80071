//! Version 2022-03-02 of the service behind the gateway: one image in a request, parameters in the
//! query or in a form, one level in place of a suggestion.

use std::{collections::HashMap, sync::Arc};

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    State, answers,
    callback::{Callback, Wish},
    error_reply::Request,
    fault::Fault,
    operation::Operation,
    request::{has_scheme, is_data_id},
    status::Status,
    tasks::Held,
};

/// The time for which results are kept: three days, as the service documents.
const KEPT: SignedDuration = SignedDuration::from_hours(72);
const MAX_URL_CHARS: usize = 2_048;
const MAX_DATA_ID: usize = 64;
const MAX_SEED: usize = 64;

/// The parameters of a request, by their names.
type Parameters = HashMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    #[serde(rename = "imageUrl")]
    url: Option<String>,
    oss_bucket_name: Option<String>,
    oss_object_name: Option<String>,
    oss_region_id: Option<String>,
    data_id: Option<String>,
    callback: Option<String>,
    seed: Option<String>,
    crypt_type: Option<String>,
}

/// The answer's envelope: HTTP 200 whatever the code.
pub(super) fn envelope(status: &Status, request_id: &str, data: Option<Value>) -> Value {
    let mut envelope = json!({
        "RequestId": request_id,
        "Code": status.code,
        "Msg": status.message,
    });
    if let (Some(data), Some(envelope)) = (data, envelope.as_object_mut()) {
        envelope.insert("Data".to_owned(), data);
    }
    envelope
}

/// The code and the data of an answer. A code other than 200 may have data.
pub(super) type Answered = (Status, Option<Value>);

/// Does what a request asks for; a fault may change how it goes.
pub(super) fn execute(
    state: &Arc<State>,
    operation: Operation,
    request: &Request<'_>,
    request_id: &str,
    fault: Option<&Fault>,
) -> Answered {
    let failed = |code: i64| (Status::of_v2(code), None);
    match fault {
        Some(Fault::Service(code)) => return failed(*code),
        Some(Fault::ServiceStatus(code)) => return failed(i64::from(*code)),
        Some(Fault::Tasks(code, _)) if operation != Operation::DescribeImageModerationResult => {
            return failed(*code);
        }
        _ => {}
    }
    let parameters = match parameters(operation, request) {
        Ok(parameters) => parameters,
        Err(status) => return (status, None),
    };
    let answer = match operation {
        Operation::ImageModeration => moderate(state, &parameters, request_id, false),
        Operation::ImageBatchModeration => moderate(state, &parameters, request_id, true),
        Operation::ImageAsyncModeration => submit(state, &parameters),
        Operation::DescribeImageModerationResult => return result(state, &parameters, fault),
        Operation::DescribeImageResultExt => details(state, &parameters),
        _ => {
            let endpoint = format!("http://{}", state.address);
            let now = state.clock.now();
            Ok(state.oss.issue_v2(now, &state.ids, &endpoint))
        }
    };
    match answer {
        Ok(_) if matches!(fault, Some(Fault::Missing(_))) => (Status::of_v2(200), None),
        Ok(data) => (Status::of_v2(200), Some(data)),
        Err(status) => (status, None),
    }
}

/// Reads the parameters from where the operation has them.
fn parameters(operation: Operation, request: &Request<'_>) -> Result<Parameters, Status> {
    let query = request.uri.query().unwrap_or_default().as_bytes();
    // The vendor's libraries send these two in a form, and all others in the query.
    let is_form = matches!(
        operation,
        Operation::ImageModeration | Operation::DescribeImageResultExt
    );
    let text = if is_form { request.body } else { query };
    let pairs = url::form_urlencoded::parse(text).into_owned();
    let mut parameters = Parameters::new();
    for (name, value) in pairs {
        if parameters.insert(name.clone(), value).is_some() {
            return Err(Status::new(401, format!("{name} is given more than once")));
        }
    }
    Ok(parameters)
}

fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Status> {
    match parameters.get(name).map(String::as_str) {
        None | Some("") => Err(Status::new(400, format!("{name} is required"))),
        Some(value) => Ok(value),
    }
}

fn services(parameters: &Parameters, are_many: bool) -> Result<Vec<String>, Status> {
    let text = required(parameters, "Service")?;
    let names: Vec<String> = if are_many {
        text.split(',').map(str::to_owned).collect()
    } else {
        vec![text.to_owned()]
    };
    let is_code = |name: &String| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (1..=64).contains(&name.len()) && name.bytes().all(is_allowed)
    };
    match names.iter().find(|name| !is_code(name)) {
        Some(_) => Err(Status::new(401, "Service is not a service code")),
        None => Ok(names),
    }
}

/// Reads the image, and what is wrong with it; the URL that its name is taken from.
fn image(state: &State, parameters: &Parameters) -> Result<(Image, String), Status> {
    let text = required(parameters, "ServiceParameters")?;
    let image: Image = serde_json::from_str(text)
        .map_err(|error| Status::new(401, format!("ServiceParameters: {error}")))?;
    if let Some(data_id) = &image.data_id {
        if data_id.len() > MAX_DATA_ID {
            return Err(Status::new(402, "dataId has more than 64 characters"));
        }
        if !is_data_id(data_id) {
            return Err(Status::new(401, "dataId is letters, digits, _, - and ."));
        }
    }
    let url = match (&image.url, &image.oss_bucket_name, &image.oss_object_name) {
        (Some(url), None, None) => {
            if url.chars().count() > MAX_URL_CHARS {
                return Err(Status::new(402, "imageUrl has more than 2048 characters"));
            }
            if !has_scheme(url, &["http://", "https://"]) {
                return Err(Status::new(401, "imageUrl is neither http nor https"));
            }
            url.clone()
        }
        (None, Some(bucket), Some(key)) => {
            let object = format!("{bucket}/{key}");
            // What a bucket of the caller's own holds is not known here.
            if image.oss_region_id.is_none() && state.oss.check(&object).is_err() {
                return Err(Status::of_v2(404));
            }
            format!("oss://{object}")
        }
        _ => {
            return Err(Status::new(
                400,
                "imageUrl, or bucket and object, is required",
            ));
        }
    };
    if let (Some(_), seed) = (&image.callback, image.seed.as_deref()) {
        let is_seed = |seed: &str| {
            (1..=MAX_SEED).contains(&seed.len())
                && seed
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !seed.is_some_and(is_seed) {
            return Err(Status::new(400, "a callback needs a seed"));
        }
    }
    Ok((image, url))
}

/// The synchronous scan, with one service or with several.
fn moderate(
    state: &State,
    parameters: &Parameters,
    request_id: &str,
    are_many: bool,
) -> Result<Value, Status> {
    let services = services(parameters, are_many)?;
    let (image, url) = image(state, parameters)?;
    if let Some(code) = state.download_code(&url) {
        return Err(Status::of_v2(code));
    }
    // After the download: only code 200 is billed, for each service.
    state.count(|counts| counts.pay(services.len()));
    let mut data = answers::risk(&url);
    if let Some(data_id) = &image.data_id {
        data["DataId"] = json!(data_id);
    }
    if are_many {
        let part = |service: &String| {
            let mut part = answers::risk(&url);
            part["Service"] = json!(service);
            part
        };
        data["Results"] = services.iter().map(part).collect();
    }
    let held = held(state, image.data_id, url, services);
    state
        .tasks
        .lock()
        .expect("no holder panics")
        // A synchronous scan has no `ReqId`: its details are requested by the id of its request.
        .add(request_id.to_owned(), held);
    Ok(data)
}

fn held(state: &State, data_id: Option<String>, url: String, services: Vec<String>) -> Held {
    Held {
        data_id,
        url,
        scenes: services.into(),
        made: state.clock.now(),
        kept: KEPT,
        polls: 0,
    }
}

fn submit(state: &State, parameters: &Parameters) -> Result<Value, Status> {
    let services = services(parameters, false)?;
    let (image, url) = image(state, parameters)?;
    let wish = image.callback.zip(image.seed).map(|(url, seed)| Wish {
        url,
        seed,
        crypt_type: image.crypt_type,
    });
    let held = held(state, image.data_id, url, services);
    let id = state.ids.request();
    state.count(|counts| counts.pay(1));
    if let Some(wish) = &wish
        && state.download_code(&held.url).is_none()
        && let Some(callback) = Callback::v2(&state.uid, wish, &id, &done(&id, &held))
    {
        let _ = state.callbacks.try_send(callback);
    }
    let mut data = json!({ "ReqId": &id });
    if let Some(data_id) = &held.data_id {
        data["DataId"] = json!(data_id);
    }
    state.tasks.lock().expect("no holder panics").add(id, held);
    Ok(data)
}

fn result(state: &State, parameters: &Parameters, fault: Option<&Fault>) -> Answered {
    let id = match required(parameters, "ReqId") {
        Ok(id) => id,
        Err(status) => return (status, None),
    };
    let mut tasks = state.tasks.lock().expect("no holder panics");
    if let Some(Fault::Forgotten) = fault {
        tasks.forget_all();
    }
    match (fault, tasks.poll(id, state.clock.now())) {
        // The service has one code for an id that is polled too early and one that is not kept.
        (_, None) => (Status::of_v2(409), None),
        (Some(Fault::Missing(_)), Some(_)) => (Status::of_v2(200), None),
        (Some(Fault::Tasks(code, _)), Some(_)) => (Status::of_v2(*code), None),
        (_, Some(task)) if task.polls <= state.polls => {
            let data = json!({ "ReqId": id, "DataId": task.data_id });
            (Status::of_v2(280), Some(data))
        }
        (_, Some(task)) => match state.download_code(&task.url) {
            Some(code) => (Status::of_v2(code), None),
            None => (Status::of_v2(200), Some(done(id, &task))),
        },
    }
}

/// A finished task, as the results and a callback tell it.
fn done(id: &str, task: &Held) -> Value {
    let mut data = answers::risk(&task.url);
    data["ReqId"] = json!(id);
    if let Some(data_id) = &task.data_id {
        data["DataId"] = json!(data_id);
    }
    data
}

fn details(state: &State, parameters: &Parameters) -> Result<Value, Status> {
    let id = required(parameters, "ReqId")?;
    let kinds = required(parameters, "InfoType")?;
    let known = ["customImage", "textInImage", "publicFigure"];
    if kinds.split(',').any(|kind| !known.contains(&kind)) {
        return Err(Status::new(401, "InfoType is not known"));
    }
    if !state.tasks.lock().expect("no holder panics").knows(id) {
        return Err(Status::of_v2(409));
    }
    Ok(json!({
        "CustomImage": [],
        "TextInImage": { "OcrDatas": [], "RiskWords": [], "CustomTexts": [] },
        "PublicFigure": [],
    }))
}
