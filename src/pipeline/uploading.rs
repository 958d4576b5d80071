//! Turns claimed images into tasks: files, and images at URLs that the service could not download, are
//! uploaded to where the service reads them.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{
    Pipeline, Step, clock, facts,
    failure::{self, RequestFailure},
    files,
    shared::Shared,
};
use crate::{
    error::{Error, ErrorKind, RefusalSubject},
    green::{Content, Task},
    image_url::ImageUrl,
    ledger::{Claimed, Hold, Key, Location, NextStep, Reason},
    spawned::joined,
    verdict::{Accepted, Verdict},
};

/// How long an outage of all uploads is tolerated before failures are counted as attempts.
const PATIENCE: Duration = Duration::from_secs(600);

/// The largest image at a URL that is uploaded: its bytes are held in memory.
const MAX_IN_MEMORY: u64 = 32 << 20;

/// An image that is ready to be submitted.
pub(super) struct Ready {
    pub(super) hold: Hold,
    pub(super) task: Task,
    pub(super) attempts: u32,
}

/// Why an image was not submitted.
enum Unsent {
    Image(NextStep),
    /// Every upload will fail.
    Hopeless(Error),
}

impl Unsent {
    fn with_host(self, host: Option<&str>) -> Self {
        match self {
            Self::Image(NextStep::Dead(reason)) => {
                Self::Image(NextStep::Dead(files::with_host(reason, host)))
            }
            Self::Image(NextStep::Retry { at, reason }) => Self::Image(NextStep::Retry {
                at,
                reason: files::with_host(reason, host),
            }),
            unsent => unsent,
        }
    }
}

/// Creates tasks for images. Images that cannot be uploaded are recorded and left out.
pub(super) async fn ready(shared: &Arc<Shared>, images: Vec<Claimed>) -> Result<Vec<Ready>, Error> {
    let mut ready = Vec::with_capacity(images.len());
    let mut unsent = Vec::new();
    let mut hopeless = None;
    let mut uploads = JoinSet::new();
    let mut note = |hold: Hold, attempts, facts: Option<&str>, found: Result<ImageUrl, Unsent>| {
        let task = found.and_then(|url| {
            let task = facts::task(hold.key, url, facts);
            task.ok_or_else(|| Unsent::Image(NextStep::Dead(no_url())))
        });
        match task {
            Ok(task) => ready.push(Ready {
                hold,
                task,
                attempts,
            }),
            Err(Unsent::Image(next)) => unsent.push((hold, next)),
            Err(Unsent::Hopeless(error)) => {
                unsent.push((hold, NextStep::Again { at: clock::now() }));
                hopeless.get_or_insert(error);
            }
        }
    };
    for image in images {
        let (hold, attempts, facts) = (image.hold, image.attempts, image.facts);
        let from = match image.location {
            Location::File(path) => Origin::File(hold.key, path),
            Location::Url(url) => match ImageUrl::parse(&url) {
                Ok(url) if image.by_upload => Origin::Url(url),
                url => {
                    let url = url.map_err(|_| Unsent::Image(NextStep::Dead(no_url())));
                    note(hold, attempts, facts.as_deref(), url);
                    continue;
                }
            },
        };
        let (shared, host) = (Arc::clone(shared), image.host);
        uploads.spawn(async move {
            let url = Box::pin(upload(&shared, from, attempts)).await;
            let url = url.map_err(|unsent| unsent.with_host(host.as_deref()));
            (hold, attempts, facts, url)
        });
    }
    let has_uploads = !uploads.is_empty();
    if has_uploads {
        shared.reach(Step::BeforeUpload);
    }
    while let Some(uploaded) = uploads.join_next().await {
        let (hold, attempts, facts, url) = joined(uploaded)?;
        note(hold, attempts, facts.as_deref(), url);
    }
    if has_uploads {
        shared.reach(Step::AfterUpload);
    }
    if !unsent.is_empty() {
        let ledger = &shared.pipeline.ledger;
        ledger.record_unsent(unsent, clock::now()).await?;
        shared.to_deliver.notify_one();
    }
    match hopeless {
        None => Ok(ready),
        Some(error) => {
            // Nothing is submitted any more: other processes need not wait for these leases.
            let holds = ready.iter().map(|ready| ready.hold).collect();
            shared.pipeline.ledger.release(holds, clock::now()).await?;
            Err(error)
        }
    }
}

/// Returns the reason for a stored row without a usable URL, which is never recorded as accepted.
fn no_url() -> Reason {
    failure::reason_of("url/malformed", "the ledger holds no usable URL".to_owned())
}

/// The origin of an image to upload.
enum Origin {
    File(Key, PathBuf),
    /// An image that the service could not download.
    Url(ImageUrl),
}

async fn upload(shared: &Shared, from: Origin, attempts: u32) -> Result<ImageUrl, Unsent> {
    let pipeline = &shared.pipeline;
    let Ok(_turn) = shared.uploads.acquire().await else {
        return Err(Unsent::Image(NextStep::Again { at: clock::now() }));
    };
    // The wait for the turn may have been long.
    if shared.is_stopping() {
        return Err(Unsent::Image(NextStep::Again { at: clock::now() }));
    }
    // An `Accepted` does not outlive the process that checked the image.
    let (accepted, content) = match from {
        Origin::File(key, path) => of_file(shared, key, path, attempts).await?,
        Origin::Url(url) => of_url(shared, &url, attempts).await?,
    };
    let uploaded = tokio::select! {
        biased;
        // Nothing is billed yet, so the upload can be aborted.
        () = shared.stopped() => return Err(Unsent::Image(NextStep::Again { at: clock::now() })),
        uploaded = pipeline.api.upload(accepted, &content) => uploaded,
    };
    match uploaded {
        Ok(accepted) => {
            shared.upload_outage.ended();
            shared.counters.uploaded.add(1);
            Ok(accepted.into_subject())
        }
        Err(error) => Err(failed(shared, error, attempts)),
    }
}

async fn of_file(
    shared: &Shared,
    key: Key,
    path: PathBuf,
    attempts: u32,
) -> Result<(Accepted, Content), Unsent> {
    let judged = shared.judge_file(path.clone(), key).await;
    let (verdict, sha256) = judged.map_err(|reason| unreadable(shared, reason, attempts))?;
    let accepted = accepted(verdict).map_err(|reason| Unsent::Image(NextStep::Dead(reason)))?;
    // Hashed again during the upload: a file that changes now is not submitted under this key.
    Ok((accepted, Content::file(&path).with_sha256(sha256)))
}

/// Downloads the image again, because its bytes are not kept.
async fn of_url(
    shared: &Shared,
    url: &ImageUrl,
    attempts: u32,
) -> Result<(Accepted, Content), Unsent> {
    let Pipeline {
        probe, settings, ..
    } = &shared.pipeline;
    let max = settings.requirements.max_bytes().min(MAX_IN_MEMORY);
    // A larger image is rejected before more of it is held.
    let requirements = settings.requirements.clone().with_max_bytes(max);
    let Ok((verdict, bytes)) = probe.fetch(url, &requirements).await else {
        // Local resources were missing, which does not depend on the image.
        let at = clock::after(clock::now(), Duration::from_secs(1));
        return Err(Unsent::Image(NextStep::Again { at }));
    };
    let may_pass = failure::may_pass(&verdict);
    match accepted(verdict.without_subject()) {
        Ok(accepted) => Ok((accepted, Content::bytes(bytes))),
        Err(reason) if may_pass => Err(Unsent::Image(counted(shared, reason, attempts))),
        Err(reason) => Err(Unsent::Image(NextStep::Dead(reason))),
    }
}

fn accepted(verdict: Verdict) -> Result<Accepted, Reason> {
    let reason = failure::reason(&verdict);
    verdict.into_result().map_err(|rejected| {
        reason.unwrap_or_else(|| failure::reason_of("probe/undecided", rejected.to_string()))
    })
}

/// Returns the next step for an image whose file can no longer be read.
fn unreadable(shared: &Shared, reason: Reason, attempts: u32) -> Unsent {
    if !files::may_pass(&reason) {
        return Unsent::Image(NextStep::Dead(reason));
    }
    Unsent::Image(counted(shared, reason, attempts))
}

fn counted(shared: &Shared, reason: Reason, attempts: u32) -> NextStep {
    let max = shared.pipeline.settings.submit_attempts;
    failure::retry(reason, attempts, max, clock::now())
}

fn failed(shared: &Shared, error: Error, attempts: u32) -> Unsent {
    match error.kind() {
        // The file changed after the check.
        ErrorKind::Changed => return Unsent::Image(NextStep::Dead(files::changed())),
        ErrorKind::Io => {
            let cause = std::error::Error::source(&error);
            let reason = match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
                Some(cause) => files::unreadable(cause),
                None => failure::reason_of("file/unreadable", error.report()),
            };
            return unreadable(shared, reason, attempts);
        }
        _ => {}
    }
    match RequestFailure::of(&error) {
        // An upload may be repeated: nothing is billed before the image is submitted.
        RequestFailure::Unknown => later(shared, &error, Duration::ZERO, attempts),
        RequestFailure::Later { pause, .. } => later(shared, &error, pause, attempts),
        RequestFailure::Content { .. } | RequestFailure::Hopeless => match of_object(&error) {
            Some(reason) => Unsent::Image(counted(shared, reason, attempts)),
            None => Unsent::Hopeless(error),
        },
    }
}

/// Retries later. While all uploads fail, the attempt is not counted.
fn later(shared: &Shared, error: &Error, pause: Duration, attempts: u32) -> Unsent {
    let lasted = shared.upload_outage.lasted();
    shared.upload_outage.failed(error);
    let pause = shared.upload_outage.pause().max(pause);
    // The first failure is counted: it may be about this image only.
    if !lasted.is_zero() && lasted < PATIENCE {
        let at = clock::after(clock::now(), pause);
        return Unsent::Image(NextStep::Again { at });
    }
    let class = format!("upload/{}", error.kind().name());
    let reason = failure::reason_of(&class, error.report());
    Unsent::Image(counted(shared, reason, attempts))
}

/// Returns the reason if the object store rejected this object only, and not every upload.
fn of_object(error: &Error) -> Option<Reason> {
    let code = error
        .service_code()
        .filter(|_| error.subject() == RefusalSubject::Image)?;
    Some(failure::reason_of(
        &format!("upload/{code}"),
        error.to_string(),
    ))
}
