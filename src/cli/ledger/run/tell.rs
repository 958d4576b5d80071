//! What a run says of itself on standard error.

use std::time::{Duration, Instant};

use super::Job;
use crate::{
    cli::{clock, duration},
    error::Error,
};

/// Reports a standstill after this long without progress.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Reports an outage of the service after this long.
const HICCUP: Duration = Duration::from_secs(3);

/// The most shared data ids that are reported.
const MOST_SHARED: usize = 20;

impl Job {
    /// Prints that a sandbox replaces the service.
    pub(super) fn note_sandbox(&self) {
        if let Some(sandbox) = self.place.sandbox() {
            let message = format!(
                "a sandbox at {} replaces the service: outcomes are made up from file names",
                sandbox.endpoint()
            );
            self.printer.terminal().note(&message);
        }
    }

    /// Tells which lists earlier runs did not read to their end.
    pub(super) fn tell_unread(&self, lists: &[String]) {
        for list in lists {
            let message = format!(
                "`{list}` was not read to its end: give it to `greenlight scan` again, which does \
                 nothing twice"
            );
            self.printer.terminal().note(&message);
        }
    }

    /// Tells why some of what another run left takes its time.
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
            self.printer.terminal().note(&message);
        }
    }

    /// Tells once that the service does nothing and why; for how long is said with the progress.
    pub(super) fn tell_outage(&mut self) -> String {
        let outage = self.run.outage();
        let Some(outage) = outage.filter(|outage| outage.lasted >= HICCUP) else {
            self.outage_reported = false;
            return String::new();
        };
        let lasted = duration::rough(outage.lasted);
        if !self.outage_reported {
            self.outage_reported = true;
            let message = format!(
                "the service has done nothing for {lasted}, and is asked again and again: {}",
                outage.error
            );
            self.printer.terminal().note(&message);
        }
        format!(", nothing done by the service for {lasted}")
    }

    pub(super) async fn tell_shared_data_ids(&self) -> Result<(), Error> {
        let shared = self
            .ledger
            .shared_data_ids(self.last_row, MOST_SHARED + 1)
            .await?;
        for same in shared.iter().take(MOST_SHARED) {
            let [first, second] = &same.places;
            let message = format!(
                "the data id `{}` is used {} times, first in {} line {} and {} \
                 line {}: each gets its outcome",
                same.data_id, same.count, first.0, first.1, second.0, second.1
            );
            self.printer.terminal().error(&message);
        }
        if shared.len() > MOST_SHARED {
            self.printer
                .terminal()
                .error("and more data ids are used several times");
        }
        Ok(())
    }

    pub(super) fn explain_wait(&self, told_at: &mut Option<Instant>) {
        if told_at.is_some_and(|at| clock::instant() >= at) {
            *told_at = None;
            let message = "waiting for the answers to requests that were sent; Ctrl-C ends at once, \
                           and loses nothing either";
            self.printer.terminal().note(message);
        }
    }

    /// Whether the user waits no longer. Tells if nothing moves.
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
        if stands_still >= STANDSTILL && !self.stall_reported {
            self.stall_reported = true;
            let message = format!(
                "nothing has moved for {}: `greenlight status{}` says what is waited for",
                duration::rough(stands_still),
                self.settings.ledger.argument()
            );
            self.printer.terminal().note(&message);
        }
        self.settings.wait.is_some_and(|wait| stands_still >= wait)
    }
}
