//! Conversion of times between the local clock and the database's.

use std::{sync::Arc, time::SystemTime};

use super::{
    super::{
        BatchResult, Finding, ImageResult, Judgement, NextStep, TaskUpdate, Update,
        time::{from_millis, to_millis},
    },
    Inner,
    pool::Mode,
};
use crate::error::Error;

impl Inner {
    /// Compares the clocks again.
    pub(super) async fn measure(&self) -> Result<(), Error> {
        let args = (Arc::clone(&self.offset), self.clock.clone());
        let measured = self
            .pool
            .run("compare clocks", Mode::Read, args, |db, args| {
                Box::pin(args.0.measure(db, &args.1))
            });
        measured.await
    }

    /// Converts a local time to the database's clock.
    pub(super) fn time(&self, local: SystemTime) -> i64 {
        to_millis(local).saturating_add(self.offset.millis())
    }

    pub(super) fn shift(&self, local: SystemTime) -> SystemTime {
        from_millis(self.time(local))
    }

    /// Converts a time of the database's clock to the local clock.
    pub(super) fn local(&self, time: SystemTime) -> SystemTime {
        from_millis(to_millis(time).saturating_sub(self.offset.millis()))
    }

    pub(super) fn number(&self) -> Option<i32> {
        self.worker.as_ref().map(|worker| worker.number)
    }

    pub(super) fn next(&self, next: NextStep) -> NextStep {
        match next {
            NextStep::Again { at } => NextStep::Again { at: self.shift(at) },
            NextStep::Retry { at, reason } => NextStep::Retry {
                at: self.shift(at),
                reason,
            },
            NextStep::Upload { at, otherwise } => NextStep::Upload {
                at: self.shift(at),
                otherwise: Box::new(self.next(*otherwise)),
            },
            NextStep::Dead(reason) => NextStep::Dead(reason),
        }
    }

    pub(super) fn answer(&self, answer: BatchResult) -> BatchResult {
        match answer {
            BatchResult::Answered {
                request_id,
                poll_at,
                expires_at,
                entries,
                strays,
            } => BatchResult::Answered {
                request_id,
                poll_at: self.shift(poll_at),
                expires_at: self.shift(expires_at),
                entries: entries
                    .into_iter()
                    .map(|(key, entry)| match entry {
                        ImageResult::Refused(next) => (key, ImageResult::Refused(self.next(next))),
                        entry @ ImageResult::Task(_) => (key, entry),
                    })
                    .collect(),
                strays,
            },
            BatchResult::Refused { request_id, next } => BatchResult::Refused {
                request_id,
                next: self.next(next),
            },
            BatchResult::Unknown => BatchResult::Unknown,
        }
    }

    pub(super) fn update(&self, mut update: TaskUpdate) -> TaskUpdate {
        update.update = match update.update {
            Update::Processing { poll_at } => Update::Processing {
                poll_at: self.shift(poll_at),
            },
            Update::Failed(next) => Update::Failed(self.next(next)),
            update @ (Update::Decided(_) | Update::Expired) => update,
        };
        update
    }

    pub(super) fn finding(&self, mut finding: Finding) -> Finding {
        finding.judgement = match finding.judgement {
            Judgement::Unreachable(next) => Judgement::Unreachable(self.next(next)),
            judgement => judgement,
        };
        finding
    }
}
