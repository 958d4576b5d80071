//! Outages: one message when one is seen, and one when it has ended.

use std::{mem, time::Duration};

use crate::{
    cli::{duration, terminal},
    pipeline::Outage,
};

/// An outage shorter than this is not reported.
const SHORT: Duration = Duration::from_secs(3);

/// How long the outage that was reported lasted when it was last seen.
#[derive(Debug, Default)]
pub(super) struct Reported(Option<Duration>);

/// What to report of an outage.
#[derive(Debug)]
pub(super) enum Change {
    /// How long it has lasted, and its latest error.
    Began(Duration, String),
    /// How long it lasted.
    Ended(Duration),
}

impl Reported {
    /// Notes the present outage, if there is one: how long it has lasted, and its latest error.
    pub(super) fn note(&mut self, outage: Option<(Duration, String)>) -> Option<Change> {
        let outage = outage.filter(|(lasted, _)| *lasted >= SHORT);
        let lasted = outage.as_ref().map(|(lasted, _)| *lasted);
        match (mem::replace(&mut self.0, lasted), outage) {
            (None, Some((lasted, error))) => Some(Change::Began(lasted, error)),
            (Some(lasted), None) => Some(Change::Ended(lasted)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// How long the reported outage has lasted.
    const fn lasted(&self) -> Option<Duration> {
        self.0
    }
}

/// What the user knows of the service.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    reported: Reported,
}

impl Outages {
    /// Reports a change of a run's outage, and returns what progress shows of it.
    pub(crate) fn note(&mut self, outage: Option<Outage>) -> String {
        self.report(outage.map(|outage| (outage.lasted, outage.error)))
    }

    /// The same for an outage of which the duration and the latest error are known.
    pub(crate) fn report(&mut self, outage: Option<(Duration, String)>) -> String {
        match self.reported.note(outage) {
            Some(Change::Began(lasted, error)) => terminal::note(&format!(
                "the service has done nothing for {}, retrying at growing intervals: {error}",
                duration::rough(lasted)
            )),
            Some(Change::Ended(lasted)) => terminal::note(&format!(
                "the service responds again after {}",
                duration::rough(lasted)
            )),
            None => {}
        }
        self.reported.lasted().map_or_else(String::new, |lasted| {
            format!(
                ", nothing done by the service for {}",
                duration::rough(lasted)
            )
        })
    }
}
