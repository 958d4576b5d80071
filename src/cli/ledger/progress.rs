//! How far a run is, and how long it will take.

use std::time::{Duration, Instant};

use crate::{
    cli::{clock, duration, terminal::Gauge},
    ledger::{State, Stats},
    pipeline::Progress,
};

/// A run seen from its beginning.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    /// What was left to do before.
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
            began: clock::instant(),
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
        &self,
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
            total,
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
        let pace = pace(done, left.unwrap_or(0), self.began.elapsed());
        let read = if has_read_all {
            String::new()
        } else {
            format!(", {} lines read so far", now.lines)
        };
        (steps, pace + &read)
    }
}

/// `, 45/s, 2m left`.
fn pace(done: u64, left: u64, took: Duration) -> String {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_second = done.saturating_mul(1000) / millis;
    let mut text = format!(", {per_second}/s");
    if done > 0 && left > 0 {
        let millis = millis.saturating_mul(left) / done;
        text.push_str(", ");
        text.push_str(&duration::rough(Duration::from_millis(millis)));
        text.push_str(" left");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_says_what_is_known() {
        let second = Duration::from_secs(1);
        assert_eq!(pace(0, 10, second), ", 0/s");
        assert_eq!(pace(45, 90, second), ", 45/s, 2s left");
        assert_eq!(pace(45, 0, second), ", 45/s");
        assert_eq!(
            pace(1, u64::MAX, Duration::ZERO),
            ", 1000/s, 213503982334d 14h left"
        );
    }
}
