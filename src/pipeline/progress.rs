//! The counts of a run.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($name:ident, $text:literal;)*) => {
        /// The counts of a run so far. [`Ledger::stats`](crate::ledger::Ledger::stats) returns those
        /// of all runs.
        ///
        /// ```
        /// # #[cfg(feature = "ledger")]
        /// # #[tokio::main]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// # use greenlight::{Scene, green::{Client, Credentials, Secret}, ledger::*, pipeline::*, probe::Probe};
        /// # let folder = tempfile::tempdir()?;
        /// # let scope = Scope::new(&[Scene::Porn]);
        /// # let ledger = SqliteLedger::open(&folder.path().join("images.db"), &scope)?;
        /// # let key = Credentials::new("LTAIexample", Secret::new("example"));
        /// # let client = Client::builder().endpoint("http://127.0.0.1:1").credentials(key).build()?;
        /// # let pipeline = Pipeline::new(client, Probe::new(), std::sync::Arc::new(ledger), scope);
        /// use greenlight::pipeline::{Progress, Run};
        ///
        /// /// Returns how many results this run waits for.
        /// fn pending(run: &Run) -> u64 {
        ///     let Progress { submitted, decided, expired, .. } = run.progress();
        ///     submitted.saturating_sub(decided + expired)
        /// }
        ///
        /// let subject = Subject::File("fixtures/images/png/empty.png".into());
        /// let mut run = pipeline.start([Line { subject, source: Source::default() }]);
        /// run.finish().await?;
        /// assert_eq!((run.progress().rejected, pending(&run)), (1, 0));
        /// # Ok(())
        /// # }
        /// # #[cfg(not(feature = "ledger"))]
        /// # fn main() {}
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
