//! The progress of a run, and the time it will take.

use crate::{
    cli::{
        pace::{Pace, Rate},
        terminal::Gauge,
    },
    ledger::{State, Stats},
    pipeline::Progress,
};

/// The counts at the beginning of a run, and its rate.
#[derive(Debug)]
pub(super) struct Watch {
    /// From the first submission.
    pace: Option<Pace>,
    /// Images that were left to do before the run.
    to_check: u64,
    to_submit: u64,
    to_decide: u64,
}

impl Watch {
    pub(super) fn start(before: &Stats) -> Self {
        let count = |states: &[State]| {
            let counts = states.iter().map(|state| before.count(*state));
            counts.fold(0_u64, u64::saturating_add)
        };
        Self {
            pace: None,
            to_check: count(&[State::Received, State::Checked, State::Unreachable]),
            to_submit: count(&[
                State::Probed,
                State::Sending,
                State::Uncertain,
                State::Expired,
            ]),
            to_decide: count(&[State::Submitted]),
        }
    }

    /// The three steps, and in words the rate and, while something moves, the time left, or how far
    /// the list is read.
    pub(super) fn read(
        &mut self,
        now: &Progress,
        has_read_all: bool,
        is_moving: bool,
    ) -> (Vec<Gauge>, String) {
        let refused = now.refused + now.rejected + now.unreadable;
        let to_check = self.to_check.saturating_add(now.images);
        let to_submit = self.to_submit.saturating_add(now.accepted);
        let to_decide = self.to_decide.saturating_add(now.submitted);
        let gauge = |verb, done: u64, total| Gauge {
            verb,
            done: done.min(total),
            total: Some(total),
        };
        let steps = vec![
            gauge("checked", refused + now.accepted, to_check),
            gauge("submitted", now.submitted, to_submit),
            gauge("decided", now.decided, to_decide),
        ];
        let done = refused + now.decided;
        let all = to_check + self.to_submit + self.to_decide;
        let left = has_read_all.then(|| all.saturating_sub(done));
        let left = left.filter(|_| is_moving);
        // The rate is that of submissions after the first, as `status` has it.
        if self.pace.is_none() && now.submitted > 0 {
            self.pace = Some(Pace::start_from(now.submitted));
        }
        let pace = match &mut self.pace {
            Some(pace) => pace.read(now.submitted, left),
            None => format!(", {}", Rate::default()),
        };
        let read = if has_read_all {
            String::new()
        } else {
            format!(", {} lines read so far", now.lines)
        };
        (steps, pace + &read)
    }
}
