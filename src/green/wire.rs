//! What goes over the wire: requests as the service's pages write them, and its answers.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    ids::{DataId, TaskId},
    object::{MAX_WEIGHT, Object, weight, without_mark},
    options::{ClientInfo, CryptType, ScanOptions},
    scene::{Scene, Suggestion},
    task::Batch,
};
use crate::sanitize::harmless;

pub(super) const ASYNC_SCAN: &str = "/green/image/asyncscan";
pub(super) const FEEDBACK: &str = "/green/image/feedback";
pub(super) const RESULTS: &str = "/green/image/results";
pub(super) const SYNC_SCAN: &str = "/green/image/scan";
pub(super) const UPLOAD_CREDENTIALS: &str = "/green/credentials/uploadcredentials";

/// The name that the operation of a path has at the gateway.
pub(super) fn action(path: &str) -> &'static str {
    match path {
        ASYNC_SCAN => "ImageAsyncScan",
        FEEDBACK => "ImageScanFeedback",
        RESULTS => "ImageAsyncScanResults",
        SYNC_SCAN => "ImageSyncScan",
        _ => "UploadCredentials",
    }
}

/// The body of `/green/image/scan` and `/green/image/asyncscan`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_type: Option<&'a str>,
    scenes: &'a [Scene],
    #[serde(skip_serializing_if = "Option::is_none")]
    callback: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crypt_type: Option<CryptType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offline: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extras: Option<&'a Map<String, Value>>,
    tasks: Vec<TaskRequest<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskRequest<'a> {
    data_id: &'a DataId,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_frames: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_info: Option<&'a ClientInfo>,
}

impl<'a> ScanRequest<'a> {
    pub(super) fn new(
        batch: &'a Batch,
        options: &'a ScanOptions,
        biz_type: Option<&'a str>,
    ) -> Self {
        let callback = options.callback.as_ref();
        let tasks = batch.tasks().map(|(data_id, task)| TaskRequest {
            data_id,
            url: task.url().as_str(),
            time: task.created().and_then(epoch_millis),
            interval: task.interval(),
            max_frames: task.max_frames(),
            client_info: task.client_info(),
        });
        Self {
            biz_type: options.biz_type.as_deref().or(biz_type),
            scenes: &options.scenes,
            callback: callback.map(|callback| callback.url.as_str()),
            seed: callback.map(|callback| callback.seed.expose()),
            crypt_type: callback.map(|callback| callback.crypt_type),
            offline: options.near_line,
            extras: options.extras.as_ref(),
            tasks: tasks.collect(),
        }
    }
}

/// Milliseconds since 1970, as the official samples write times.
fn epoch_millis(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// The body of `/green/image/feedback`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FeedbackRequest<'a> {
    pub(super) task_id: &'a TaskId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suggestion: Option<&'a Suggestion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) scenes: &'a [Scene],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<&'a str>,
}

/// What an answer is, once it is known to be one of the service's.
#[derive(Debug)]
pub(super) enum Answer {
    /// The service's envelope.
    Service(Envelope),
    /// The gateway's refusal, before the service was reached.
    Gateway(GatewayError),
}

/// `{"code","msg","requestId","data"}`.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) code: u16,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
    pub(super) data: Vec<Object<'static>>,
}

/// `{"Code","Message","RequestId","HostId","Recommend"}`.
#[derive(Debug)]
pub(super) struct GatewayError {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
}

/// Why a body is not an answer of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAnAnswer(&'static str);

impl NotAnAnswer {
    /// The reason, with the beginning of the body.
    pub(super) fn shown(self, body: &str) -> String {
        let beginning = match harmless(body.trim(), 120) {
            text if text.is_empty() => "(nothing)".to_owned(),
            text => format!("`{text}`"),
        };
        format!("{}; the body begins: {beginning}", self.0)
    }
}

impl Envelope {
    /// Represents a code that is missing or is not a number.
    pub(super) const NO_CODE: u16 = 0;

    /// Whether the request as a whole was done. The service's own code decides, whatever the HTTP
    /// status is: how the two relate is not documented. An answer that holds a task id is taken for one
    /// whatever its own code is: an id that was paid for is not dropped.
    pub(super) fn is_success(&self) -> bool {
        self.code == 200 || self.names_tasks()
    }

    fn names_tasks(&self) -> bool {
        self.data.iter().any(|element| element.task_id().is_some())
    }

    /// Puts every text that is shown to people through `clean`.
    pub(super) fn clean(&mut self, clean: impl Fn(&str) -> String) {
        self.message = clean(&self.message);
        self.request_id = self.request_id.as_deref().map(&clean);
        for element in &mut self.data {
            element.clean_message(&clean);
        }
    }

    /// What is whole in a body that is not: it was cut off, or is damaged elsewhere. `None` if that
    /// names no task.
    pub(super) fn salvaged(body: &[u8]) -> Option<Self> {
        let mut left = MAX_WEIGHT;
        let light = elements(body).map_while(|element| {
            left = left.checked_sub(weight(element))?;
            Some(element)
        });
        let parsed = light.filter_map(Object::parse);
        let envelope = Self {
            code: Self::NO_CODE,
            message: String::new(),
            request_id: None,
            data: parsed.collect(),
        };
        envelope.names_tasks().then_some(envelope)
    }
}

/// The texts of the objects in lists in an object (or in a list), as far as they are whole: where
/// an answer has the elements of its `data`.
fn elements(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let level = match body.iter().find(|byte| matches!(byte, b'{' | b'[')) {
        Some(b'[') => 1,
        _ => 2,
    };
    let (mut depth, mut begun) = (0_usize, None);
    let (mut in_text, mut escaped) = (false, false);
    body.iter().enumerate().filter_map(move |(at, byte)| {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return None;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                if depth == level {
                    begun = Some(at);
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == level {
                    return body.get(begun.take()?..=at);
                }
            }
            _ => {}
        }
        None
    })
}

impl Answer {
    /// Reads a body. Bytes that are not UTF-8 make the text they are in unusable, not the answer.
    pub(super) fn parse(body: &[u8]) -> Result<Self, NotAnAnswer> {
        let body = without_mark(body);
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let foreign = NotAnAnswer(match first {
            None => "the answer has no body",
            Some(b'<') => "the answer is HTML or XML, not JSON",
            Some(_) => "the answer is not a JSON object",
        });
        if weight(body) > MAX_WEIGHT {
            return Err(NotAnAnswer("the answer has too many values"));
        }
        let text = String::from_utf8_lossy(body);
        let value: Value = serde_json::from_str(&text).map_err(|error| {
            if error.is_eof() && first == Some(&b'{') {
                NotAnAnswer("the answer's JSON is cut off")
            } else {
                foreign
            }
        })?;
        let Value::Object(map) = value else {
            return Err(foreign);
        };
        Self::from_object(map.into()).ok_or(NotAnAnswer("the answer has no code"))
    }

    /// The answer with every text that is shown to people put through `clean`.
    pub(super) fn cleaned(self, clean: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Service(mut envelope) => {
                envelope.clean(clean);
                Self::Service(envelope)
            }
            Self::Gateway(error) => Self::Gateway(GatewayError {
                code: clean(&error.code),
                message: clean(&error.message),
                request_id: error.request_id.as_deref().map(&clean),
            }),
        }
    }

    fn from_object(mut object: Object<'static>) -> Option<Self> {
        let request_id = object.text("requestId").map(str::to_owned);
        let message = object.message().to_owned();
        let data = object.take_objects("data");
        // Ids are paid for, whatever the code beside them is.
        let names_tasks = data.iter().any(|element| element.task_id().is_some());
        if let Some(code) = object.code().or(names_tasks.then_some(Envelope::NO_CODE)) {
            return Some(Self::Service(Envelope {
                code,
                message,
                request_id,
                data,
            }));
        }
        Some(Self::Gateway(GatewayError {
            code: object.word("code")?,
            message,
            request_id,
        }))
    }
}
