//! The intake stage enqueues the lines of a list. Of a URL only the text is checked, without
//! network access; a file is read to compute its hash.

pub(super) mod note;

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
};

use tokio::sync::mpsc;

use super::{Line, Pipeline, Step, Subject, clock, shared::Shared};
use crate::{
    error::{Error, ErrorKind},
    ledger::{Enqueued, Known, NewImage},
};

/// Maximum number of lines per `enqueue` call, and of files among them, which take longer.
const CHUNK: usize = 500;
const FILES: usize = 64;

pub(super) async fn run(
    shared: Arc<Shared>,
    lines: Box<dyn Iterator<Item = Line> + Send>,
) -> Result<(), Error> {
    // One chunk is enqueued while the next is checked. More would only hold more lines in memory.
    let (chunks, mut waiting) = mpsc::channel(2);
    let pipeline = shared.pipeline.clone();
    // Reading a list may block, and a runtime that shuts down would wait for a blocking task.
    let reader = thread::Builder::new()
        .name("pipeline-list".to_owned())
        .spawn(move || read(&pipeline, lines, &chunks))
        .map_err(|error| {
            Error::new(ErrorKind::Io, "read the list: start a thread").with_source(error)
        })?;
    loop {
        let chunk = tokio::select! {
            biased;
            () = shared.stopped() => break,
            chunk = waiting.recv() => chunk,
        };
        let Some(images) = chunk else { break };
        note(&shared, images).await?;
    }
    // A stopped run does not wait for a list that blocks.
    if waiting.is_closed() {
        if let Err(panicked) = reader.join() {
            std::panic::resume_unwind(panicked);
        }
        // After the last `enqueue`: a stage that reads it before the backlog knows that the backlog
        // has every line.
        shared.intake_done.store(true, Ordering::Release);
    }
    Ok(())
}

fn read(
    pipeline: &Pipeline,
    mut lines: Box<dyn Iterator<Item = Line> + Send>,
    chunks: &mpsc::Sender<Vec<NewImage>>,
) {
    loop {
        let mut files = 0;
        let mut chunk = Vec::with_capacity(CHUNK);
        while chunk.len() < CHUNK
            && files < FILES
            && let Some(line) = lines.next()
        {
            files += usize::from(matches!(
                line.subject,
                Subject::File(_) | Subject::FileBelow { .. }
            ));
            chunk.push(line);
        }
        // The channel is closed only when the run was stopped.
        if chunk.is_empty() || chunks.blocking_send(check(pipeline, chunk, files)).is_err() {
            return;
        }
    }
}

/// Checks lines in order; if there are files among them, on as many threads as processors.
fn check(pipeline: &Pipeline, lines: Vec<Line>, files: usize) -> Vec<NewImage> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    if files < 2 || threads < 2 {
        return lines
            .into_iter()
            .map(|line| note::check(pipeline, line))
            .collect();
    }
    let part = lines.len().div_ceil(threads.min(files));
    let mut rest = lines;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        // Contiguous parts, so that the results are in the order of the lines.
        let later = rest.split_off(rest.len().min(part));
        parts.push(std::mem::replace(&mut rest, later));
    }
    thread::scope(|scope| {
        let running: Vec<_> = parts
            .into_iter()
            .map(|part| {
                scope.spawn(move || {
                    let checked = part.into_iter().map(|line| note::check(pipeline, line));
                    checked.collect::<Vec<_>>()
                })
            })
            .collect();
        let done = running.into_iter().flat_map(|part| match part.join() {
            Ok(images) => images,
            Err(panicked) => std::panic::resume_unwind(panicked),
        });
        done.collect()
    })
}

pub(super) async fn note(shared: &Shared, images: Vec<NewImage>) -> Result<Vec<Enqueued>, Error> {
    let lines = images.len();
    let refused: Vec<bool> = images
        .iter()
        .map(|image| matches!(image.known, Known::Rejected(_)))
        .collect();
    shared.reach(Step::BeforeEnqueue);
    let noted = shared.pipeline.ledger.enqueue(images, clock::now()).await?;
    shared.reach(Step::AfterEnqueue);
    shared.counters.lines.add(lines);
    let new = noted.iter().filter(|noted| noted.new_image).count();
    shared.counters.images.add(new);
    let refused = noted.iter().zip(refused);
    let refused = refused.filter(|(noted, refused)| noted.new_image && *refused);
    shared.counters.refused.add(refused.count());
    let delivered = noted.iter().filter(|noted| noted.was_delivered);
    if shared.pipeline.settings.deliver_again {
        delivered.for_each(|noted| shared.deliver_again(noted.number));
    } else {
        shared.counters.delivered_before.add(delivered.count());
    }
    shared.to_probe.notify_one();
    shared.to_deliver.notify_one();
    Ok(noted)
}
