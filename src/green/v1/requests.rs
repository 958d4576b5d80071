//! The requests of 1.0, as the service's pages write them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::green::{
    ids::{DataId, TaskId},
    options::{ClientInfo, CryptType, ScanOptions},
    scene::{Scene, Suggestion},
    task::Batch,
};

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
