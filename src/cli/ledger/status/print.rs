//! The state of a ledger in words, and as a table and fields.

use std::time::Duration;

use super::{Class, Status};
use crate::{
    cli::{
        duration, human,
        printer::PrintedLine,
        report::text,
        terminal::{Cell, Row as Cells, Tone},
    },
    ledger::State,
};

impl Status {
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
        Some(format!("{when} ({state} images), if a run is active"))
    }

    fn spend(&self) -> String {
        let Self { tasks, billed, .. } = self;
        let count = self.scenes.len();
        let lost = match self.possibly_billed {
            0 => String::new(),
            lost => format!(", {lost} more perhaps, whose answers were lost"),
        };
        // Explains why the count can exceed tasks times scenes.
        let scenes = u64::try_from(count).unwrap_or(u64::MAX);
        let frames = match billed.saturating_sub(tasks.saturating_mul(scenes)) {
            0 => String::new(),
            frames => {
                format!(", {frames} of them for further frames of animations and long images")
            }
        };
        let open = [State::Sending, State::Uncertain].map(State::name);
        let open = open.iter().filter_map(|state| self.states.get(state));
        let unanswered = match open.sum() {
            0_u64 => String::new(),
            images => format!("; {images} sent without an answer so far, which may be billed too"),
        };
        let unpaid = match self.unpaid {
            0 => String::new(),
            unpaid => format!("; {unpaid} accepted and not submitted yet"),
        };
        let (task, scene) = (plural(*tasks, "task"), plural(scenes, self.api.noun()));
        format!("{task} of {scene}: {billed} billed at most{frames}{lost}{unanswered}{unpaid}")
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
                    human::scene_names(&self.scenes, ",")
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
        if let Some(bad) = human::bad_lines(self.bad_lines) {
            rows.push(pair("list", bad));
        }
        if let Some(text) = self.next_try() {
            rows.push(pair("next try", text));
        }
        if let Some(seconds) = self.oldest_unpolled_seconds {
            let span = duration::rough(Duration::from_secs(seconds));
            rows.push(pair(
                "oldest",
                format!(
                    "{span} without a result, of {}",
                    duration::rough(self.api.terms().retention)
                ),
            ));
        }
        if self.expired > 0 {
            let text = format!("{} results, submitted again", self.expired);
            rows.push(pair("expired", text));
        }
        if self.uploaded_instead > 0 {
            let images = plural(self.uploaded_instead, "image");
            let text = format!("{images} that the service could not download, submitted again");
            rows.push(pair("uploaded", text));
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
        let heading = |text: &str| vec![Cell::new(text).tone(Tone::Heading)];
        rows.push(Cells::new());
        rows.push(heading(
            "images by state, with reasons other than the codes below",
        ));
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
            rows.push(heading("sources by code, each source once per code"));
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
            "bad_lines",
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
            "uploaded_instead",
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
            human::scene_names(&self.scenes, " "),
            self.sources.to_string(),
            self.bad_lines.to_string(),
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
            self.uploaded_instead.to_string(),
            self.unread_lists.join(" "),
        ]
    }
}
