//! The submitting stage sends accepted images to the service. This is the step that is billed.
//!
//! The order guarantees that no billed call is lost: get a permit, begin the batch (durable), send
//! it, record the response (durable).

mod pending;

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use self::pending::PendingBatch;
use super::{
    Pipeline, Step,
    clock::{self, POLL_INTERVAL},
    failure::{self, RequestFailure},
    lease::held,
    shared::Shared,
    trace,
    uploading::{self, Ready},
};
use crate::{
    error::Error,
    green::{Batch, Submission},
    ids::RequestId,
    ledger::{BatchId, BatchResult, Claimed, Hold, ImageResult, Key, NextStep},
    spawned::joined,
};

pub(super) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let settings = &shared.pipeline.settings;
    let mut sending: JoinSet<Result<(), Error>> = JoinSet::new();
    let mut filling = PendingBatch::default();
    let mut failure = None;
    while !shared.is_stopping() && failure.is_none() {
        filling.keep(&shared).await?;
        let free = settings.requests.saturating_sub(sending.len());
        if free > 0 {
            filling.claim(&shared, free).await?;
            let mut is_sent = false;
            for _ in 0..free {
                if !filling.is_ready(settings.batch, settings.fill_wait) {
                    break;
                }
                let images = filling.take(settings.batch);
                sending.spawn(send(Arc::clone(&shared), images));
                is_sent = true;
            }
            if is_sent {
                continue;
            }
        }
        tokio::select! {
            biased;
            () = shared.stopped() => {}
            Some(sent) = sending.join_next(), if !sending.is_empty() => {
                failure = joined(sent).flatten().err();
            }
            () = shared.to_submit.notified() => filling.is_exhausted = false,
            () = sleep(filling.wait(settings.fill_wait)) => filling.is_exhausted = false,
        }
    }
    // Released before the requests in flight are awaited, which may take long: other processes can
    // submit these images meanwhile.
    let holds = filling
        .take(usize::MAX)
        .iter()
        .map(|image| image.hold)
        .collect();
    shared.pipeline.ledger.release(holds, clock::now()).await?;
    // Never aborted: each may be billed already, and only its response has the task ids.
    while let Some(sent) = sending.join_next().await {
        failure = failure.or(joined(sent).flatten().err());
    }
    failure.map_or(Ok(()), Err)
}

/// The images of one request.
type Group = Vec<Ready>;

/// Submits images. If the service rejects a request because of its content, the images are split in
/// halves until the one that causes it is isolated.
async fn send(shared: Arc<Shared>, images: Vec<Claimed>) -> Result<(), Error> {
    let holds = images.iter().map(|image| image.hold).collect();
    // Uploads may take longer than a lease.
    let ready = held(&shared, holds, uploading::ready(&shared, images)).await?;
    let mut groups = vec![ready];
    while let Some(group) = groups.pop() {
        if group.is_empty() {
            continue;
        }
        let billed = group
            .iter()
            .fold(0_u32, |sum, image| sum.saturating_add(image.task.billed()));
        // The groups that wait for their turn keep their leases too.
        let all: Vec<Hold> = groups.iter().chain([&group]).flatten().map(hold).collect();
        shared.reach(Step::BeforePermit);
        // Before the batch is begun: its time to be sent in would pass while it waits for the rate.
        let permitted = async {
            let _turn = shared
                .submit_turn
                .acquire()
                .await
                .expect("it is never closed");
            let quota = shared.pipeline.settings.submit_quota.as_ref();
            shared.permit(quota, billed).await
        };
        if !held(&shared, all.clone(), permitted).await? {
            shared.pipeline.ledger.release(all, clock::now()).await?;
            return Ok(());
        }
        groups.extend(send_group(&shared, group).await?);
    }
    Ok(())
}

const fn hold(image: &Ready) -> Hold {
    image.hold
}

/// Submits one request. Returns the groups to submit again, in smaller parts.
async fn send_group(shared: &Shared, mut group: Group) -> Result<Vec<Group>, Error> {
    let Pipeline {
        ledger, settings, ..
    } = &shared.pipeline;
    shared.reach(Step::BeforeBegin);
    // Read before the durable write, whose duration counts against the time to send in.
    let now = clock::now();
    // Durable before anything is sent. After a crash in between these images are uncertain; as
    // images that are merely due they would be submitted, and billed, again.
    let begun = ledger
        .begin_batch(
            group.iter().map(hold).collect(),
            settings.settle_after(),
            now,
        )
        .await?;
    // An image whose lease ended belongs to another process now.
    group.retain(|image| begun.keys.contains(&image.hold.key));
    let quota = settings.submit_quota.as_ref();
    if group.is_empty() {
        shared.unused(quota).await?;
        return Ok(Vec::new());
    }
    // If this process was suspended in between, others may have sent these images already.
    let late = clock::now().duration_since(now).unwrap_or_default();
    if late > settings.settle_after().saturating_sub(settings.send_limit) {
        let next = NextStep::Again { at: clock::now() };
        let request_id = None;
        let not_sent = BatchResult::Refused { request_id, next };
        ledger
            .record_answer(begun.batch, not_sent, clock::now())
            .await?;
        shared.unused(quota).await?;
        return Ok(Vec::new());
    }
    let batch = Batch::new(group.iter().map(|image| image.task.clone()))?;
    // Until the response is recorded, at the end of this function.
    let _sending = shared.sending(group.len());
    shared.counters.sent.add(group.len());
    shared.reach(Step::BeforeSend);
    let scenes = shared.pipeline.scenes();
    let callback = settings.callback.as_ref();
    let submission = shared.pipeline.api.submit(batch, scenes, callback);
    // A request must have ended before `settle_after`, or an image could be in flight twice.
    let sent = timeout(settings.send_limit, submission).await;
    shared.reach(Step::AfterSend);
    let parts = match sent {
        Ok(Ok(submission)) => {
            // The task ids first: they were paid for, and the other call may fail.
            answered(shared, begun.batch, &group, &submission).await?;
            shared.succeeded(quota).await?;
            Vec::new()
        }
        Ok(Err(error)) => not_answered(shared, begun.batch, group, error).await?,
        // The service may have executed it all the same: as uncertain as a lost response.
        Err(_too_long) => {
            let limit = settings.send_limit;
            let error = format!("submit: no response within {limit:?}");
            shared.outage.failed_for(error);
            unknown(shared, begun.batch, group.len()).await?;
            shared.failed(quota, POLL_INTERVAL).await?;
            Vec::new()
        }
    };
    shared.reach(Step::AfterAnswer);
    shared.to_poll.notify_one();
    shared.to_deliver.notify_one();
    Ok(parts)
}

async fn answered(
    shared: &Shared,
    batch: BatchId,
    group: &[Ready],
    submission: &Submission,
) -> Result<(), Error> {
    let Pipeline {
        ledger, settings, ..
    } = &shared.pipeline;
    let now = clock::now();
    let mut entries = Vec::with_capacity(group.len());
    let mut is_throttled = false;
    for submitted in submission.entries() {
        let Some(key) = Key::parse(submitted.data_id().as_str()) else {
            continue;
        };
        let image = group.iter().find(|image| image.hold.key == key);
        let attempts = image.map_or(0, |image| image.attempts);
        match submitted.result() {
            Ok(task) => entries.push((key, ImageResult::Task(task.clone()))),
            Err(refusal) => {
                is_throttled |= refusal.is_throttling();
                let next = failure::of_refusal(settings, refusal, "submit", attempts);
                entries.extend(next.map(|next| (key, ImageResult::Refused(next))));
            }
        }
    }
    let taken = submission.task_ids().count();
    let request_id = submission.request_id().map(RequestId::as_str);
    trace::submitted(group.len(), taken, request_id);
    // Images without an entry may have been accepted: the ledger marks them as uncertain.
    let doubtful = group.len().saturating_sub(entries.len());
    let answer = BatchResult::Answered {
        request_id: submission.request_id().cloned(),
        poll_at: clock::after(now, settings.poll_interval),
        expires_at: clock::after(now, settings.retention),
        entries,
        strays: submission.strays().to_vec(),
    };
    ledger.record_answer(batch, answer, now).await?;
    shared.counters.submitted.add(taken);
    shared.counters.uncertain.add(doubtful);
    if is_throttled {
        let quota = settings.submit_quota.as_ref();
        shared.slow_down(quota, Duration::from_secs(1)).await?;
    }
    Ok(())
}

async fn not_answered(
    shared: &Shared,
    batch: BatchId,
    group: Group,
    error: Error,
) -> Result<Vec<Group>, Error> {
    let settings = &shared.pipeline.settings;
    let request_id = error.request_id().cloned();
    let refuse = |next| {
        let request_id = request_id.clone();
        let refused = BatchResult::Refused { request_id, next };
        shared
            .pipeline
            .ledger
            .record_answer(batch, refused, clock::now())
    };
    match RequestFailure::of(&error) {
        // Neither repeated nor refused: a callback decides these images, or the end of their time.
        RequestFailure::Unknown => {
            shared.outage.failed(&error);
            unknown(shared, batch, group.len()).await?;
            let quota = settings.submit_quota.as_ref();
            shared.failed(quota, POLL_INTERVAL).await?;
        }
        RequestFailure::Later { pause, slow } => {
            shared.outage.failed(&error);
            let quota = settings.submit_quota.as_ref();
            let pause = if slow {
                shared.outage.pause().max(pause)
            } else {
                shared.failed(quota, pause).await?
            };
            let at = clock::after(clock::now(), pause);
            refuse(NextStep::Again { at }).await?;
            if slow {
                shared.slow_down(quota, pause).await?;
            }
        }
        RequestFailure::Content {
            reason,
            may_pass,
            subject,
        } => {
            // The service works, and refuses this request only.
            shared.succeeded(settings.submit_quota.as_ref()).await?;
            let attempts = group.first().map_or(0, |image| image.attempts);
            let of_image = || failure::of_image(settings, reason, may_pass, subject, attempts);
            return refused(shared, group, of_image, refuse).await;
        }
        // Nothing was executed and no image is at fault: a later run can submit them.
        RequestFailure::Hopeless => {
            let at = clock::now();
            refuse(NextStep::Again { at }).await?;
            return Err(error);
        }
    }
    Ok(Vec::new())
}

/// Takes the next step for a single image; splits a larger group in halves, which keep their
/// leases.
async fn refused<'a, F>(
    shared: &Shared,
    group: Group,
    of_image: impl FnOnce() -> NextStep,
    refuse: impl Fn(NextStep) -> F,
) -> Result<Vec<Group>, Error>
where
    F: Future<Output = Result<crate::ledger::Stray, Error>> + 'a,
{
    let mut images = group;
    if images.len() == 1 {
        refuse(of_image()).await?;
        return Ok(Vec::new());
    }
    // Not due before the lease ends: this call is about to send the halves itself.
    let at = clock::after(clock::now(), shared.pipeline.settings.lease);
    refuse(NextStep::Again { at }).await?;
    // Bisection: one bad image among 50 is isolated by about seven refused requests, which are not
    // billed.
    let right = images.split_off(images.len() / 2);
    // The first half is last, because `send` takes the last group first.
    Ok(vec![right, images])
}

async fn unknown(shared: &Shared, batch: BatchId, images: usize) -> Result<(), Error> {
    let ledger = &shared.pipeline.ledger;
    ledger
        .record_answer(batch, BatchResult::Unknown, clock::now())
        .await?;
    shared.counters.uncertain.add(images);
    Ok(())
}
