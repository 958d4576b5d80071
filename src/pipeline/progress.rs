//! The counts of a run.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($name:ident, $text:literal;)*) => {
        /// The counts of a run so far. [`Ledger::stats`](crate::ledger::Ledger::stats) returns those
        /// of all runs.
        ///
        /// ```
        /// use greenlight::pipeline::{Progress, Run};
        ///
        /// /// Returns how many results this run waits for.
        /// fn pending(run: &Run) -> u64 {
        ///     let Progress { submitted, decided, expired, .. } = run.progress();
        ///     submitted.saturating_sub(decided + expired)
        /// }
        /// ```
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Progress {
            $(#[doc = concat!($text, ".")] pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Counter,)*
        }

        impl Counters {
            pub(super) fn read(&self) -> Progress {
                Progress { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    lines, "Lines read";
    images, "Images that were new to the ledger";
    delivered_before, "Lines whose outcome was acknowledged in an earlier run";
    refused, "Images rejected because of the text of their URL";
    probed, "Images probed";
    accepted, "Images that met the requirements";
    checked_before, "Images accepted without a probe because of an earlier check";
    rejected, "Images that did not meet the requirements";
    unreadable, "Images abandoned because they could not be read";
    uploaded, "Images uploaded";
    sent, "Images sent";
    submitted, "Images with a task id";
    uncertain, "Images sent without a known response";
    resubmitted, "Images submitted again although the first submission may have been billed";
    decided, "Images with an outcome";
    expired, "Images whose result had expired";
    delivered, "Outcomes acknowledged, one per source";
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}
