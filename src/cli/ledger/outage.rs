//! A service that does nothing: one message when it fails, and one when it recovers.

use std::time::Duration;

use crate::{
    cli::{duration, terminal},
    pipeline::Outage,
};

/// An outage shorter than this is not reported.
const SHORT: Duration = Duration::from_secs(3);

/// What the user knows of the service.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    /// How long the outage that was reported lasted when it was last seen.
    reported: Option<Duration>,
}

impl Outages {
    /// Reports a change of a run's outage, and returns what progress shows of it.
    pub(crate) fn note(&mut self, outage: Option<Outage>) -> String {
        self.report(outage.map(|outage| (outage.lasted, outage.error)))
    }

    /// The same for an outage of which the duration and the latest error are known.
    pub(crate) fn report(&mut self, outage: Option<(Duration, String)>) -> String {
        let Some((lasted, error)) = outage.filter(|(lasted, _)| *lasted >= SHORT) else {
            if let Some(lasted) = self.reported.take() {
                let lasted = duration::rough(lasted);
                terminal::note(&format!("the service responds again after {lasted}"));
            }
            return String::new();
        };
        let text = duration::rough(lasted);
        if self.reported.is_none() {
            terminal::note(&format!(
                "the service has done nothing for {text}, retrying at growing intervals: {error}"
            ));
        }
        self.reported = Some(lasted);
        format!(", nothing done by the service for {text}")
    }
}
