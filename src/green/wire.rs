//! What goes over the wire: requests as the service's pages write them, answers read leniently.
//!
//! The pages, their tables and their samples disagree about capitals, absent and null fields, so an
//! answer is read field by field: a name is looked up as written and with a capital, a value of
//! another type counts as absent, and what is not known here is let be.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    ids::{DataId, RequestId, TaskId},
    options::{ClientInfo, CryptType, ScanOptions},
    scene::{Scene, Suggestion},
    task::Batch,
};
use crate::error::harmless;

pub(super) const ASYNC_SCAN: &str = "/green/image/asyncscan";
pub(super) const FEEDBACK: &str = "/green/image/feedback";
pub(super) const RESULTS: &str = "/green/image/results";
pub(super) const SYNC_SCAN: &str = "/green/image/scan";
pub(super) const UPLOAD_CREDENTIALS: &str = "/green/credentials/uploadcredentials";

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
            seed: callback.map(|callback| callback.seed.as_str()),
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
    pub(super) request_id: Option<RequestId>,
    pub(super) data: Vec<Object>,
}

/// `{"Code","Message","RequestId","HostId","Recommend"}`.
#[derive(Debug)]
pub(super) struct GatewayError {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) request_id: Option<RequestId>,
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

impl Answer {
    pub(super) fn parse(body: &[u8]) -> Result<Self, NotAnAnswer> {
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let foreign = NotAnAnswer(match first {
            None => "the answer has no body",
            Some(b'<') => "the answer is HTML or XML, not JSON",
            Some(_) => "the answer is not a JSON object",
        });
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            if error.is_eof() && first == Some(&b'{') {
                NotAnAnswer("the answer's JSON is cut off")
            } else {
                foreign
            }
        })?;
        let Value::Object(map) = value else {
            return Err(foreign);
        };
        Self::from_object(&Object(map)).ok_or(NotAnAnswer("the answer has no code"))
    }

    fn from_object(object: &Object) -> Option<Self> {
        let request_id = object.text("requestId").map(RequestId::new);
        let message = object
            .text("msg")
            .or_else(|| object.text("message"))
            .unwrap_or_default()
            .to_owned();
        if let Some(code) = object.code() {
            return Some(Self::Service(Envelope {
                code,
                message,
                request_id,
                data: object.objects("data"),
            }));
        }
        let code = object.text("code")?.to_owned();
        Some(Self::Gateway(GatewayError {
            code,
            message,
            request_id,
        }))
    }
}

/// A JSON object read leniently.
#[derive(Clone, Debug)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().map(Self)
    }

    /// The field of this name, as written or with a capital; null counts as absent.
    fn get(&self, name: &str) -> Option<&Value> {
        let found = self.0.get(name).or_else(|| {
            let mut letters = name.chars();
            let first = letters.next()?.to_ascii_uppercase();
            let capital: String = std::iter::once(first).chain(letters).collect();
            self.0.get(&capital)
        });
        found.filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        let number = value
            .as_f64()
            .or_else(|| value.as_str()?.trim().parse().ok());
        number.filter(|number| number.is_finite())
    }

    /// The texts in a list; a text that stands alone counts as a list of one.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Array(values)) => values
                .iter()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
            Some(Value::String(text)) => vec![text.clone()],
            _ => Vec::new(),
        }
    }

    /// The field as JSON text.
    pub(super) fn json(&self, name: &str) -> Option<String> {
        self.get(name).map(ToString::to_string)
    }

    /// The service's numeric code, which some write as a text.
    pub(super) fn code(&self) -> Option<u16> {
        let value = self.get("code")?;
        value
            .as_u64()
            .and_then(|code| u16::try_from(code).ok())
            .or_else(|| value.as_str()?.parse().ok())
    }

    /// How many values are in a list, whatever they are.
    pub(super) fn count(&self, name: &str) -> usize {
        match self.get(name) {
            Some(Value::Array(values)) => values.len(),
            Some(_) => 1,
            None => 0,
        }
    }

    /// The objects in a list; one that stands alone counts as a list of one.
    pub(super) fn objects(&self, name: &str) -> Vec<Self> {
        match self.get(name) {
            Some(Value::Array(values)) => values
                .iter()
                .filter_map(|value| value.as_object().cloned().map(Self))
                .collect(),
            Some(Value::Object(map)) => vec![Self(map.clone())],
            _ => Vec::new(),
        }
    }
}
