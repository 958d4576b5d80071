//! The client: operations of the service, each one call.

mod builder;
mod call;
mod http;

use std::sync::Arc;

pub use builder::ClientBuilder;

use self::{call::Call, http::Http};
use super::{
    clock::Clock,
    credentials::Cache,
    endpoint::Endpoint,
    ids::TaskId,
    outcome::{Submission, TaskReport},
    retry::{Budget, Effect},
    scene::Scene,
    task::Batch,
    wire::{ASYNC_SCAN, RESULTS, ScanRequest},
};
use crate::error::{Error, ErrorKind};

/// The client of one account in one region. Clones share connections, credentials and limits.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    api_version: String,
    biz_type: Option<String>,
    settings: Settings,
    credentials: Cache,
    clock: Clock,
    budget: Budget,
    http: Http,
}

/// How long and how often is tried.
#[derive(Clone, Debug)]
struct Settings {
    deadline: std::time::Duration,
    attempt_timeout: std::time::Duration,
    attempts: u32,
    poll: super::poll::Rhythm,
}

impl Client {
    /// How many tasks one request for results asks about at most.
    pub const MAX_RESULTS: usize = 100;

    /// Starts a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Submits a batch to the asynchronous scan. Each image is billed once per scene.
    ///
    /// Tasks are refused one by one: see [`Submission::entries`]. If the future is dropped, the
    /// request may or may not have been sent.
    ///
    /// # Errors
    ///
    /// When the whole request was refused or could not be made. With
    /// [`Retry::Ambiguous`](crate::Retry::Ambiguous) it was sent and not answered: it may have been
    /// done and billed, was not repeated, and [`Error::data_ids`] names its tasks.
    pub async fn submit(&self, batch: Batch, scenes: &[Scene]) -> Result<Submission, Error> {
        check_scenes(scenes)?;
        let body = to_json(&ScanRequest::new(
            &batch,
            scenes,
            self.inner.biz_type.as_deref(),
        ))?;
        let envelope = self
            .call(Call {
                operation: "submit",
                path: ASYNC_SCAN,
                body,
                effect: Effect::Paid,
                data_ids: batch.tasks().map(|(id, _)| id).collect(),
                timeout: self.inner.settings.attempt_timeout,
            })
            .await?;
        Ok(Submission::join(&batch, &envelope))
    }

    /// Asks once for the results of tasks. Asking is repeatable, and tasks are matched by id: one
    /// that the answer does not hold is not in the list.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for no id or more than [`MAX_RESULTS`](Self::MAX_RESULTS); else when
    /// the service could not be asked.
    pub async fn results(&self, tasks: &[TaskId]) -> Result<Vec<TaskReport>, Error> {
        if tasks.is_empty() || tasks.len() > Self::MAX_RESULTS {
            return Err(Error::new(
                ErrorKind::Usage,
                format!(
                    "ask about 1 to {} tasks at a time, not {}",
                    Self::MAX_RESULTS,
                    tasks.len()
                ),
            ));
        }
        let envelope = self
            .call(Call {
                operation: "results",
                path: RESULTS,
                body: to_json(&tasks)?,
                effect: Effect::Repeatable,
                data_ids: Vec::new(),
                timeout: self.inner.settings.attempt_timeout,
            })
            .await?;
        let reports = envelope.data.iter().filter_map(TaskReport::of);
        Ok(reports
            .filter(|report| tasks.contains(report.task_id()))
            .collect())
    }

    pub(super) fn rhythm(&self) -> &super::poll::Rhythm {
        &self.inner.settings.poll
    }
}

fn check_scenes(scenes: &[Scene]) -> Result<(), Error> {
    if scenes.is_empty() {
        return Err(Error::new(
            ErrorKind::Usage,
            "name at least one scene: without one nothing is looked for",
        ));
    }
    Ok(())
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| {
        Error::new(ErrorKind::Usage, "cannot write the request").with_source(error)
    })
}
