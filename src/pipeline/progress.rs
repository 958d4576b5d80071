//! What a run has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($name:ident, $text:literal;)*) => {
        /// What a run has done so far; what other runs did is in
        /// [`Ledger::stats`](crate::ledger::Ledger::stats).
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
    refused, "Images refused for their URL's text";
    probed, "Images probed";
    accepted, "Images that met the requirements";
    rejected, "Images that did not";
    unreadable, "Images that were given up because they could not be read";
    uploaded, "Files uploaded";
    sent, "Images sent";
    submitted, "Images that got a task id";
    uncertain, "Images whose answer is not known";
    resubmitted, "Images sent again though the first time may have been paid for";
    decided, "Images with an outcome";
    expired, "Images whose result had expired";
    delivered, "Outcomes acknowledged, one for each source";
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}
