//! How a run ends, and how the user goes on.

use std::io;

use super::Job;
use crate::{
    cli::{
        args::ScanSettings,
        duration,
        exit::{Exit, Failure},
        printer, scan, terminal,
    },
    error::{Error, ErrorKind},
};

/// Why a run came to its end.
pub(super) enum End {
    Done,
    Interrupted,
    /// Nothing moved in the time that the user gives.
    Tired,
    Failed(Error),
    /// Nobody reads on, or nothing can be written.
    Unwritable(io::Error),
}

impl Job {
    pub(super) fn end(mut self, end: End) -> Result<Exit, Failure> {
        self.printer.terminal().finish();
        let end = match end {
            End::Unwritable(_) => end,
            end => match self.printer.finish(&self.tally) {
                Ok(()) => end,
                Err(error) => End::Unwritable(error),
            },
        };
        let how = self.how_to_go_on();
        let printed = self.tally.sources();
        match end {
            End::Done => Ok(self.tally.exit()),
            End::Interrupted => {
                let message = format!("interrupted: {printed} done and printed, the rest is kept");
                terminal::failure(&Failure::new(message).hint(how));
                Ok(Exit::Interrupted)
            }
            End::Tired => {
                let message = format!("{}: {printed} done and printed", self.why_tired());
                let failure = Failure::new(match self.run.outage() {
                    Some(outage) => format!("{message}: {}", outage.error),
                    None => message,
                });
                Err(failure.hint(how))
            }
            End::Unwritable(error) => {
                let exit = printer::ended(Err(error), || self.tally.exit());
                let exit = exit.map_err(|failure| failure.hint(how.clone()))?;
                self.printer.terminal().note(&how);
                Ok(exit)
            }
            End::Failed(error) => {
                let message = format!("stopped, {printed} done and printed: {}", error.report());
                let hint = match error.kind() {
                    ErrorKind::Io => how,
                    _ => format!("{}; then {how}", scan::HINT),
                };
                Err(Failure::new(message).hint(hint))
            }
        }
    }

    fn why_tired(&self) -> String {
        let is_awaited = self.awaited > 0 || self.run.progress().submitted > 0;
        match self.run.outage() {
            Some(outage) => {
                let lasted = duration::rough(outage.lasted);
                format!("the service has done nothing for {lasted}")
            }
            None if is_awaited => "no result came in time".to_owned(),
            None => "nothing could be submitted in time".to_owned(),
        }
    }

    fn how_to_go_on(&self) -> String {
        let ScanSettings {
            ledger, service, ..
        } = &self.settings;
        let same = format!("{}{}", ledger.argument(), service.argument());
        if self.run.has_read_all() {
            return format!(
                "`greenlight resume{same}` goes on where this ended; give it the other options of \
                 this scan too"
            );
        }
        "the list was not read to its end: run the same `greenlight scan` again, it goes on where \
         this ended and does nothing twice"
            .to_owned()
    }
}
