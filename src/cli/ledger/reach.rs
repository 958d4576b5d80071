//! A ledger that cannot be reached: one warning, one message when it can, and an end in order for an
//! interrupted command.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};

use super::outage::{Change, Reported};
use crate::{
    cli::{clock, duration, interrupt::Interrupt, terminal},
    ledger::Ledger,
    pipeline::Stopper,
};

/// How often the state of the ledger is read, which is in memory.
const LOOK: Duration = Duration::from_millis(200);

/// How long an interrupted command waits for the ledger, to record the responses to its requests. Service
/// managers kill a process that takes much longer.
const GRACE: Duration = Duration::from_secs(60);

/// The command was interrupted while its ledger could not be reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abandoned {
    /// The images that were sent and of which no response is recorded.
    pub(super) unrecorded: usize,
}

impl Abandoned {
    /// What is lost, as the end of a sentence.
    pub(super) fn consequence(self, settle: Duration) -> String {
        match self.unrecorded {
            0 => String::new(),
            count => format!(
                "; {count} {} sent without a recorded response, and {} submitted again {} after that",
                if count == 1 {
                    "image was"
                } else {
                    "images were"
                },
                if count == 1 { "is" } else { "are" },
                duration::rough(settle)
            ),
        }
    }
}

/// Reports when the ledger cannot be reached.
#[derive(Debug)]
pub(super) struct Reach {
    ledger: Arc<dyn Ledger>,
    interrupt: Interrupt,
    reported: Reported,
    /// When the interrupt was seen.
    interrupted: Option<Instant>,
}

impl Reach {
    pub(super) fn new(ledger: &Arc<dyn Ledger>, interrupt: &Interrupt) -> Self {
        Self {
            ledger: Arc::clone(ledger),
            interrupt: interrupt.clone(),
            reported: Reported::default(),
            interrupted: None,
        }
    }

    /// Awaits `work`, which uses the ledger, and reports meanwhile when that cannot be reached. Drops
    /// `work` if the command is interrupted then and has nothing to record, or waited a minute for
    /// the ledger. `run` is the run that works.
    pub(super) async fn during<T>(
        &mut self,
        run: Option<&Stopper>,
        work: impl Future<Output = T>,
    ) -> Result<T, Abandoned> {
        tokio::select! {
            biased;
            done = work => {
                self.look();
                Ok(done)
            }
            abandoned = self.watch(run) => Err(abandoned),
        }
    }

    async fn watch(&mut self, run: Option<&Stopper>) -> Abandoned {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let is_out = self.look();
            if !self.interrupt.is_seen() {
                continue;
            }
            let now = clock::instant();
            let since = *self.interrupted.get_or_insert(now);
            if let Some(run) = run {
                run.stop();
            }
            let unrecorded = run.map_or(0, Stopper::unrecorded);
            // Claims need not be released: without a connection of this worker they are free, at the
            // latest when their leases end.
            if is_out && (unrecorded == 0 || now.duration_since(since) >= GRACE) {
                return Abandoned { unrecorded };
            }
        }
    }

    /// Reports a change. Returns whether the ledger cannot be reached.
    fn look(&mut self) -> bool {
        let outage = self.ledger.unreachable();
        let is_out = outage.is_some();
        let outage = outage.map(|outage| (outage.lasted, outage.error));
        match self.reported.note(outage) {
            Some(Change::Began(lasted, error)) => terminal::warning(&format!(
                "the ledger has been unreachable for {}, waiting for it: {error}",
                duration::rough(lasted)
            )),
            Some(Change::Ended(lasted)) => terminal::note(&format!(
                "the ledger can be reached again after {}",
                duration::rough(lasted)
            )),
            None => {}
        }
        is_out
    }
}
