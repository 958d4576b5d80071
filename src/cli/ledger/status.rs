//! `greenlight status`: how far a scan is.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::obstacles::Obstacles;
use crate::{
    cli::{
        args::StatusOptions,
        clock, duration,
        exit::{Exit, Failure},
        human,
        pace::Rate,
        printer::{self, PrintedLine, Printer},
        report::text,
        terminal::{Cell, Row as Cells, Tone},
    },
    ledger::{Backlog, Ledger, Scope, State, Stats, WorkerStatus},
};
use greenlight::{CodeCounts, Violation};

/// Counts what the ledger holds.
pub(crate) async fn run(options: StatusOptions) -> Result<Exit, Failure> {
    let ledger = super::open_to_read(&options.ledger).await?;
    let now = clock::now();
    let stats = ledger.stats(now).await?;
    let backlog = ledger.backlog().await?;
    let codes = codes(&*ledger).await?;
    let workers = ledger.workers(now).await?;
    let mut status = Status::of(
        options.ledger.text(),
        ledger.scope(),
        stats,
        &backlog,
        codes,
        now,
    );
    status.workers = workers
        .iter()
        .map(|worker| Worker::of(worker, now))
        .collect();
    Obstacles::new(options.obstacles.transaction_age)
        .look(&*ledger)
        .await?;
    let mut printer = Printer::new(&options.print)?;
    let printed = printer.print(&status).and_then(|()| printer.finish());
    printer::ended(printed.map(|()| Exit::Success), || Exit::Success)
}

/// Counts sources by the codes of their violations, as the commands that print a line for each.
async fn codes(ledger: &dyn Ledger) -> Result<CodeCounts, Failure> {
    let mut codes = CodeCounts::default();
    let mut after = 0;
    while let Some(rows) = super::page(ledger, &mut after, None).await? {
        let facts = rows.iter().filter_map(|row| row.facts.as_deref());
        for facts in facts.filter_map(|facts| serde_json::from_str::<Facts>(facts).ok()) {
            codes.add(&facts.violations);
        }
    }
    Ok(codes)
}

/// The part of an image's facts that is counted.
#[derive(Deserialize)]
struct Facts {
    violations: Vec<Violation>,
}

/// What a ledger holds, as it is printed.
#[derive(Debug, Serialize)]
struct Status {
    ledger: String,
    account: String,
    service: String,
    scenes: Vec<String>,
    /// Lines that name images.
    sources: u64,
    /// Of them those whose outcome is known and that no run printed yet.
    done_not_printed: u64,
    images: u64,
    done: u64,
    left: u64,
    states: BTreeMap<&'static str, u64>,
    classes: Vec<Class>,
    /// Images by the service's decision: pass, review, block, undecided.
    outcomes: BTreeMap<String, u64>,
    /// Images that were accepted and not submitted yet.
    unpaid: u64,
    /// Images by the codes of their violations.
    #[serde(flatten)]
    codes: CodeCounts,
    /// Images sent per second in the last minute.
    per_second: f64,
    /// At that rate.
    seconds_left: Option<u64>,
    /// The state in which an image is due next, and in how long: 0 for at once, as soon as a run is at
    /// work.
    next_due: Option<&'static str>,
    next_due_seconds: Option<u64>,
    /// How long the image waits for its result that waits longest.
    oldest_unpolled_seconds: Option<u64>,
    /// Task ids received.
    tasks: u64,
    /// What is billed for them at most: each frame that is looked at, for each scene.
    billed: u64,
    /// What may have been billed in addition, because a response was lost.
    possibly_billed: u64,
    /// Images submitted again because their result had expired.
    expired: u64,
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
        stats: Stats,
        backlog: &Backlog,
        codes: CodeCounts,
        now: SystemTime,
    ) -> Self {
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
            service: scope.service().to_owned(),
            scenes: scope.scenes().to_vec(),
            sources: stats.sources,
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
            unpaid: stats.count(State::Probed),
            outcomes: stats.decisions.into_iter().collect(),
            unread_lists: stats.unread_lists,
            workers: Vec::new(),
            codes,
            classes: stats
                .classes
                .into_iter()
                .map(|(state, name, images)| Class {
                    state,
                    name,
                    images,
                })
                .collect(),
        }
    }

    fn time_left(&self) -> String {
        match self.seconds_left {
            _ if self.left == 0 => "nothing is left to do".to_owned(),
            Some(seconds) => {
                let span = duration::rough(Duration::from_secs(seconds));
                format!("{span} at {:.1} images per second", self.per_second)
            }
            None => "unknown: no rate in the last minute".to_owned(),
        }
    }

    fn outcomes(&self) -> String {
        if self.outcomes.is_empty() {
            return "none yet".to_owned();
        }
        let outcomes = self.outcomes.iter();
        let outcomes: Vec<_> = outcomes
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        outcomes.join(", ")
    }

    fn next_try(&self) -> Option<String> {
        let (state, seconds) = (self.next_due?, self.next_due_seconds?);
        let when = if seconds == 0 {
            "at once".to_owned()
        } else {
            let span = duration::rough(Duration::from_secs(seconds));
            format!("in {span}")
        };
        Some(format!(
            "{when}, for what is {state}, while a run is at work"
        ))
    }

    fn spend(&self) -> String {
        let Self { tasks, billed, .. } = self;
        let count = self.scenes.len();
        let lost = match self.possibly_billed {
            0 => String::new(),
            lost => format!(", {lost} more perhaps, whose answers were lost"),
        };
        // Why this can be more than tasks times scenes.
        let scenes = u64::try_from(count).unwrap_or(u64::MAX);
        let frames = match billed.saturating_sub(tasks.saturating_mul(scenes)) {
            0 => String::new(),
            frames => {
                format!(", {frames} of them for further frames of animations and long images")
            }
        };
        let unpaid = match self.unpaid {
            0 => String::new(),
            unpaid => format!("; {unpaid} accepted and not submitted yet"),
        };
        let (task, scene) = (plural(*tasks, "task"), plural(scenes, "scene"));
        format!("{task} of {scene}: {billed} billed at most{frames}{lost}{unpaid}")
    }
}

fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

const LABEL: usize = 10;
const STATE: usize = 12;

impl PrintedLine for Status {
    fn heading() -> Option<Cells> {
        None
    }

    fn rows(&self) -> Vec<Cells> {
        let pair = |label: &str, text: String| {
            let label = Cell::new(label).left(LABEL).tone(Tone::Heading);
            vec![label, Cell::new(text)]
        };
        let mut rows = vec![
            pair("ledger", self.ledger.clone()),
            pair(
                "scope",
                format!(
                    "{} at {}, {}",
                    self.account,
                    self.service,
                    self.scenes.join(",")
                ),
            ),
            pair(
                "sources",
                format!(
                    "{}, {} done and not printed yet",
                    self.sources, self.done_not_printed
                ),
            ),
            pair(
                "images",
                format!("{}, {} done, {} left", self.images, self.done, self.left),
            ),
            pair("outcomes", self.outcomes()),
            pair("time left", self.time_left()),
            pair("spend", self.spend()),
        ];
        if let Some(text) = self.next_try() {
            rows.push(pair("next try", text));
        }
        if let Some(seconds) = self.oldest_unpolled_seconds {
            let span = duration::rough(Duration::from_secs(seconds));
            rows.push(pair(
                "oldest",
                format!("{span} without a result, of an hour"),
            ));
        }
        if self.expired > 0 {
            let text = format!("{} results, submitted again", self.expired);
            rows.push(pair("expired", text));
        }
        for worker in &self.workers {
            let span = duration::rough(Duration::from_secs(worker.seconds));
            let text = format!(
                "{}, for {span}, {:.1} images per second",
                worker.name, worker.per_second
            );
            rows.push(pair("worker", text));
        }
        for list in &self.unread_lists {
            let text =
                format!("`{list}` is not read to its end: give it to `greenlight scan` again");
            rows.push(pair("unread", text));
        }
        rows.push(Cells::new());
        for (state, count) in &self.states {
            let name = Cell::new(*state).left(STATE);
            rows.push(vec![name, Cell::new(count.to_string()).right(9)]);
            let classes = self
                .classes
                .iter()
                .filter(|class| class.state.name() == *state);
            rows.extend(classes.map(|class| {
                let count = Cell::new(class.images.to_string()).right(9);
                let class = Cell::new(&*class.name).tone(Tone::Faint);
                vec![Cell::new("").left(STATE), count, class]
            }));
        }
        let mut codes = human::code_rows(&self.codes, STATE + 9).peekable();
        if codes.peek().is_some() {
            rows.push(Cells::new());
        }
        rows.extend(codes);
        rows
    }

    fn columns() -> Vec<&'static str> {
        vec![
            "ledger",
            "account",
            "service",
            "scenes",
            "sources",
            "done_not_printed",
            "images",
            "done",
            "left",
            "states",
            "classes",
            "outcomes",
            "unpaid",
            "rejecting",
            "warnings",
            "per_second",
            "seconds_left",
            "next_due",
            "next_due_seconds",
            "oldest_unpolled_seconds",
            "tasks",
            "billed",
            "possibly_billed",
            "expired",
            "unread_lists",
        ]
    }

    fn fields(&self) -> Vec<String> {
        let states: Vec<_> = self
            .states
            .iter()
            .map(|(state, count)| format!("{state}:{count}"))
            .collect();
        let outcomes: Vec<_> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{outcome}:{count}"))
            .collect();
        let classes: Vec<_> = self
            .classes
            .iter()
            .map(
                |Class {
                     state,
                     name,
                     images,
                 }| format!("{state}:{name}:{images}"),
            )
            .collect();
        vec![
            self.ledger.clone(),
            self.account.clone(),
            self.service.clone(),
            self.scenes.join(" "),
            self.sources.to_string(),
            self.done_not_printed.to_string(),
            self.images.to_string(),
            self.done.to_string(),
            self.left.to_string(),
            states.join(" "),
            classes.join(" "),
            outcomes.join(" "),
            self.unpaid.to_string(),
            human::flat_codes(self.codes.rejecting()),
            human::flat_codes(self.codes.warnings()),
            self.per_second.to_string(),
            text(self.seconds_left),
            self.next_due.unwrap_or_default().to_owned(),
            text(self.next_due_seconds),
            text(self.oldest_unpolled_seconds),
            self.tasks.to_string(),
            self.billed.to_string(),
            self.possibly_billed.to_string(),
            self.expired.to_string(),
            self.unread_lists.join(" "),
        ]
    }
}
