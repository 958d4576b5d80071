//! The notices of a run on standard error.

use std::time::{Duration, Instant};

use super::Job;
use crate::{
    cli::{clock, duration, list::place_of, terminal},
    error::Error,
};

/// Reports a standstill after this long without progress.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Maximum number of shared data IDs to print.
const MOST_SHARED: usize = 20;

impl Job {
    /// Prints how many images were not probed because the list states a check.
    pub(super) fn note_earlier_checks(&self) {
        if self.settings.checked_within.is_none() {
            return;
        }
        let progress = self.run.progress();
        let probed = progress.probed.saturating_sub(progress.checked_before);
        let rest = if probed > 0 {
            format!(
                ", {probed} probed: their checks are not recent, not accepted, incomplete, or of another \
                 version or other requirements"
            )
        } else {
            String::new()
        };
        let message = format!(
            "{} taken from the list's checks{rest}",
            progress.checked_before
        );
        terminal::note(&message);
    }

    /// Prints that a sandbox replaces the service.
    pub(super) fn note_sandbox(&self) {
        if let Some(sandbox) = self.place.sandbox() {
            let message = format!(
                "a sandbox at {} replaces the service: outcomes are made up from file names",
                sandbox.endpoint()
            );
            terminal::note(&message);
        }
    }

    /// Reports the lists that earlier runs did not read to their end.
    pub(super) fn tell_unread(lists: &[String]) {
        for list in lists {
            let message = format!(
                "`{list}` was not read to its end: give it to `greenlight scan` again, which does \
                 nothing twice"
            );
            terminal::note(&message);
        }
    }

    /// Reports why some images of another run are not due yet.
    pub(super) fn tell_unanswered(&self) {
        if self.unanswered > 0 {
            let images = if self.unanswered == 1 {
                "image"
            } else {
                "images"
            };
            let message = format!(
                "{} {images} were sent by a run that ended before it had the answer: unless one \
                 still comes, they are submitted again {} after that",
                self.unanswered,
                duration::rough(self.settings.settle)
            );
            terminal::note(&message);
        }
    }

    pub(super) async fn tell_shared_data_ids(&self) -> Result<(), Error> {
        let shared = self
            .ledger
            // One more than is printed, which shows that there are others.
            .shared_data_ids(self.last_row, MOST_SHARED + 1)
            .await?;
        for same in shared.iter().take(MOST_SHARED) {
            let [first, second] = &same.places;
            let message = format!(
                "the data id `{}` is at {} places, the first of which are {} and {}: each gets its \
                 outcome",
                same.data_id,
                same.count,
                place_of(&first.0, first.1),
                place_of(&second.0, second.1)
            );
            terminal::error(&message);
        }
        if shared.len() > MOST_SHARED {
            terminal::error("and more data ids are at several places");
        }
        Ok(())
    }

    pub(super) fn explain_wait(told_at: &mut Option<Instant>) {
        if told_at.is_some_and(|at| clock::instant() >= at) {
            *told_at = None;
            let message = "waiting for the answers to requests that were sent; Ctrl-C ends at once, \
                           but images without an answer may then be billed twice";
            terminal::note(message);
        }
    }

    /// Whether the time that the user set has passed without progress. Reports a lack of progress
    /// once.
    pub(super) fn is_tired(&mut self) -> bool {
        let progress = self.run.progress();
        let moved = [
            progress.lines,
            progress.probed,
            progress.uploaded,
            progress.submitted,
            progress.decided,
        ];
        let moved = moved.into_iter().fold(0, u64::saturating_add);
        if moved != self.news.1 {
            self.news = (clock::instant(), moved);
            self.stall_reported = false;
        }
        let stands_still = self.news.0.elapsed();
        // An outage is reported by itself.
        let is_unexplained = self.run.outage().is_none()
            && self.ledger.unreachable().is_none()
            && !self.stall_reported;
        if stands_still >= STANDSTILL && is_unexplained {
            self.stall_reported = true;
            let message = format!(
                "nothing has moved for {}: `greenlight status{}` says what is waited for",
                duration::rough(stands_still),
                self.settings.ledger.argument()
            );
            terminal::note(&message);
        }
        self.settings.wait.is_some_and(|wait| stands_still >= wait)
    }
}
