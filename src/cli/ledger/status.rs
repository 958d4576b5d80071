//! `greenlight status`: the progress of a scan.

mod print;

use std::{
    collections::BTreeMap,
    mem,
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::{lines::BAD_LINE, obstacles::Obstacles};
use crate::{
    cli::{
        args::{ApiVersion, StatusOptions},
        clock,
        exit::{Exit, Failure},
        pace::Rate,
        printer::{self, Printer},
    },
    ledger::{Backlog, Ledger, Scope, State, Stats, WorkerStatus},
    pipeline,
};
use greenlight::{CodeCounts, Scene};

/// Prints the counts of a ledger.
pub(crate) async fn run(options: StatusOptions) -> Result<Exit, Failure> {
    let ledger = super::open_to_read(&options.ledger).await?;
    let now = clock::now();
    let stats = ledger.stats(now).await?;
    let backlog = ledger.backlog().await?;
    let (codes, bad_lines) = rows(&*ledger).await?;
    let workers = ledger.workers(now).await?;
    let mut status = Status::of(
        options.ledger.text(),
        ledger.scope(),
        stats,
        &backlog,
        codes,
        now,
    );
    status.bad_lines = bad_lines;
    // The ledger keeps such lines as sources, so that each gets its line of output.
    status.sources = status.sources.saturating_sub(bad_lines);
    status.workers = workers
        .iter()
        .map(|worker| Worker::of(worker, now))
        .collect();
    Obstacles::new(options.obstacles.transaction_age)
        .look(&*ledger)
        .await?;
    let mut printer = Printer::new::<Status>(&options.print)?;
    let printed = printer.print(&status).and_then(|()| printer.finish());
    printer::ended(printed.map(|()| Exit::Success), || Exit::Success)
}

/// Counts sources by the codes of their violations, as the commands that print a line for each, and
/// the lines without a source.
async fn rows(ledger: &dyn Ledger) -> Result<(CodeCounts, u64), Failure> {
    let mut codes = CodeCounts::default();
    let mut bad_lines = 0_u64;
    let mut after = 0;
    while let Some(rows) = super::page(ledger, &mut after, None).await? {
        let reasons = rows.iter().filter_map(|row| row.reason.as_ref());
        let bad = reasons.filter(|reason| reason.class == BAD_LINE).count();
        bad_lines = bad_lines.saturating_add(u64::try_from(bad).unwrap_or(u64::MAX));
        for summary in rows.iter().filter_map(pipeline::summary) {
            codes.add(&summary.violations);
        }
    }
    Ok((codes, bad_lines))
}

/// Removes the lines without a source, which the ledger keeps as images.
fn remove_bad_lines(stats: &mut Stats) {
    let (bad, classes) = mem::take(&mut stats.classes)
        .into_iter()
        .partition(|(_, class, _)| class == BAD_LINE);
    stats.classes = classes;
    let bad: Vec<(State, String, u64)> = bad;
    for (state, count) in &mut stats.states {
        let bad = bad.iter().filter(|(of, ..)| of == state);
        let bad = bad.map(|(.., images)| images).sum();
        *count = count.saturating_sub(bad);
    }
    stats.states.retain(|(_, count)| *count > 0);
}

/// The counts of a ledger, as they are printed.
#[derive(Debug, Serialize)]
struct Status {
    ledger: String,
    account: String,
    #[serde(skip)]
    api: ApiVersion,
    service: String,
    scenes: Vec<Scene>,
    /// Lines that name images.
    sources: u64,
    /// Lines of lists without a source, which are no sources.
    bad_lines: u64,
    /// Sources and lines without one whose outcome is known and that no run printed yet.
    done_not_printed: u64,
    images: u64,
    done: u64,
    left: u64,
    states: BTreeMap<&'static str, u64>,
    /// Images by the reasons that are not codes of `codes`.
    classes: Vec<Class>,
    /// Images by the service's decision: pass, review, block, undecided.
    outcomes: BTreeMap<String, u64>,
    /// Images that were accepted and not submitted yet.
    unpaid: u64,
    /// Sources by the codes of their violations.
    #[serde(flatten)]
    codes: CodeCounts,
    /// Images sent per second in the last minute.
    per_second: f64,
    /// At that rate.
    seconds_left: Option<u64>,
    /// The state in which an image is due next, and the time until then: 0 if it is due as soon as
    /// a run is active.
    next_due: Option<&'static str>,
    next_due_seconds: Option<u64>,
    /// The longest time that an image has waited for its result.
    oldest_unpolled_seconds: Option<u64>,
    /// Task ids received.
    tasks: u64,
    /// The most that is billed for them: each frame that is scanned, for each scene.
    billed: u64,
    /// Images that may have been billed in addition, because a response was lost.
    possibly_billed: u64,
    /// Images submitted again because their result had expired.
    expired: u64,
    /// Images at URLs that are uploaded and submitted again, because the service could not download
    /// them.
    uploaded_instead: u64,
    unread_lists: Vec<String>,
    /// Those at work now, of a ledger that several share.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    workers: Vec<Worker>,
}

#[derive(Debug, Serialize)]
struct Worker {
    name: String,
    seconds: u64,
    per_second: f64,
}

impl Worker {
    fn of(worker: &WorkerStatus, now: SystemTime) -> Self {
        let age = now.duration_since(worker.since).unwrap_or_default();
        let rate = Rate {
            count: worker.sent_last_minute,
            // A worker that has just started has no minute of work to divide by.
            span: age.clamp(Duration::from_secs(1), Duration::from_secs(60)),
        };
        Self {
            name: worker.name.clone(),
            seconds: age.as_secs(),
            per_second: rate.per_second(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Class {
    state: State,
    #[serde(rename = "class")]
    name: String,
    images: u64,
}

impl Status {
    fn of(
        path: String,
        scope: &Scope,
        mut stats: Stats,
        backlog: &Backlog,
        codes: CodeCounts,
        now: SystemTime,
    ) -> Self {
        remove_bad_lines(&mut stats);
        let images = stats.images();
        let states = stats.states.iter();
        let done = states.clone().filter(|(state, _)| state.is_final());
        let done: u64 = done.map(|(_, count)| count).sum();
        let left = images.saturating_sub(done);
        let scenes = u64::try_from(scope.scenes().len()).unwrap_or(u64::MAX);
        let rate = Rate::of_submissions(&stats, now);
        let oldest = stats.oldest_unpolled;
        let next = backlog.due.iter().min_by_key(|(_, at)| *at);
        Self {
            ledger: path,
            account: scope.account().to_owned(),
            api: ApiVersion::of(scope),
            service: scope.service().to_owned(),
            scenes: scope.scenes().to_vec(),
            sources: stats.sources,
            bad_lines: 0,
            done_not_printed: stats.undelivered,
            images,
            done,
            left,
            states: states
                .map(|(state, count)| (state.name(), *count))
                .collect(),
            per_second: rate.per_second(),
            seconds_left: rate.seconds_for(left),
            next_due: next.map(|(state, _)| state.name()),
            next_due_seconds: next
                .map(|(_, at)| at.duration_since(now).unwrap_or_default().as_secs()),
            oldest_unpolled_seconds: oldest
                .map(|since| now.duration_since(since).unwrap_or_default().as_secs()),
            tasks: stats.tasks,
            billed: stats.billed.saturating_mul(scenes),
            possibly_billed: stats.resubmitted.saturating_mul(scenes),
            expired: stats.expired,
            uploaded_instead: stats.by_upload,
            unpaid: stats.count(State::Probed),
            outcomes: stats.decisions.into_iter().collect(),
            unread_lists: stats.unread_lists,
            workers: Vec::new(),
            classes: stats
                .classes
                .into_iter()
                .filter(|(_, class, _)| !is_counted(&codes, class))
                .map(|(state, name, images)| Class {
                    state,
                    name,
                    images,
                })
                .collect(),
            codes,
        }
    }
}

/// Whether a class is a code that sources are counted by: it has one count.
fn is_counted(codes: &CodeCounts, class: &str) -> bool {
    class
        .parse()
        .is_ok_and(|code| codes.rejecting().contains_key(&code))
}
