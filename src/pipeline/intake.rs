//! From a list's lines to noted images: the URL's text is checked, nothing is asked for.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
};

use tokio::sync::mpsc;

use super::{Line, Pipeline, Step, clock, fate, run::Shared};
use crate::{
    error::{Error, ErrorKind},
    image_url::ImageUrl,
    ledger::{Key, Known, NewImage, Reason},
    verdict::Decision,
};

/// How many lines are noted by one call.
const CHUNK: usize = 500;

pub(super) async fn run(
    shared: Arc<Shared>,
    lines: Box<dyn Iterator<Item = Line> + Send>,
) -> Result<(), Error> {
    let (chunks, mut waiting) = mpsc::channel(2);
    let pipeline = shared.pipeline.clone();
    // Lists are read from files and pipes, which block; a runtime that ends would wait for them.
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
    // A list that blocks is not waited for when the run was stopped.
    if waiting.is_closed() {
        if let Err(panicked) = reader.join() {
            std::panic::resume_unwind(panicked);
        }
        shared.intake_done.store(true, Ordering::Release);
    }
    Ok(())
}

fn read(
    pipeline: &Pipeline,
    lines: Box<dyn Iterator<Item = Line> + Send>,
    chunks: &mpsc::Sender<Vec<NewImage>>,
) {
    let mut chunk = Vec::with_capacity(CHUNK);
    for line in lines {
        chunk.push(check(pipeline, line));
        if chunk.len() == CHUNK {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
            if chunks.blocking_send(full).is_err() {
                return;
            }
        }
    }
    if !chunk.is_empty() {
        // Refused only when the run was stopped.
        drop(chunks.blocking_send(chunk));
    }
}

fn check(pipeline: &Pipeline, line: Line) -> NewImage {
    let Line { url: text, source } = line;
    let (key, known) = match ImageUrl::parse(&text) {
        Err(error) => {
            let verdict = crate::verdict::Verdict::of_text(text.clone(), &error);
            let reason = fate::reason(&verdict).unwrap_or_else(|| Reason {
                class: "url/malformed".to_owned(),
                message: error.to_string(),
            });
            (
                Key::of_text(&pipeline.scope, &text),
                Known::Rejected(reason),
            )
        }
        Ok(url) => {
            let key = Key::of_url(&pipeline.scope, &url);
            let verdict = pipeline.settings.requirements.judge_url(url);
            match fate::reason(&verdict) {
                Some(reason) if verdict.decision() == Decision::Reject => {
                    (key, Known::Rejected(reason))
                }
                _ => (key, Known::Checked),
            }
        }
    };
    NewImage {
        key,
        url: text,
        known,
        source,
    }
}

async fn note(shared: &Shared, images: Vec<NewImage>) -> Result<(), Error> {
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
    let delivered = noted.iter().filter(|noted| noted.was_delivered).count();
    shared.counters.delivered_before.add(delivered);
    shared.to_probe.notify_one();
    shared.to_deliver.notify_one();
    Ok(())
}
