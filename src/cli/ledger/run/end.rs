//! How a run ends, and how the user continues.

use std::io;

use super::Job;
use crate::{
    cli::{
        args::ScanSettings,
        duration,
        exit::{Exit, Failure, service_hint},
        ledger::{page, reach::Abandoned},
        printer, terminal,
    },
    error::{Error, ErrorKind},
    ledger::State,
};

/// Why a run ended.
pub(super) enum End {
    Done,
    Interrupted,
    /// Nothing was done for the time that the user set.
    Tired,
    Failed(Error),
    /// Another process may print now.
    Lost,
    /// Standard output was closed, or cannot be written.
    Unwritable(io::Error),
}

impl Job {
    pub(super) async fn end(mut self, end: End) -> Result<Exit, Failure> {
        self.progress = None;
        let end = if self.place.is_temporary() {
            self.print_rest(end).await
        } else {
            end
        };
        self.note_earlier_checks();
        let end = match end {
            End::Unwritable(_) => end,
            end => match self.printer.summarize(&self.tally, &self.noticed) {
                Ok(()) => end,
                Err(error) => End::Unwritable(error),
            },
        };
        let end = match end {
            End::Unwritable(_) => end,
            end => self.finish_output().await.err().unwrap_or(end),
        };
        if self.place.is_temporary() {
            return self.end_unkept(end);
        }
        let how = self.how_to_go_on();
        let printed = self.tally.printed();
        match end {
            End::Done => Ok(self.tally.exit()),
            End::Interrupted => {
                let message = format!("interrupted: {printed} done and printed, the rest is kept");
                terminal::failure(&Failure::new(message).hint(how));
                Ok(Exit::Interrupted)
            }
            End::Lost => {
                let message =
                    format!("another run prints this ledger now: {printed} done and printed");
                Err(Failure::new(message).hint(how))
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
                terminal::note(&how);
                Ok(exit)
            }
            End::Failed(error) => {
                let message = format!("stopped, {printed} done and printed: {}", error.report());
                let hint = match error.kind() {
                    ErrorKind::Io => how,
                    _ => format!("{}; then {how}", service_hint(&error)),
                };
                Err(Failure::new(message).hint(hint))
            }
        }
    }

    /// Ends without the ledger. What was printed and not acknowledged is printed again by the next
    /// run, and an output that is held back is not moved into its place.
    pub(super) fn abandon(mut self, abandoned: Abandoned) -> Exit {
        self.progress = None;
        let message = format!(
            "interrupted while the ledger could not be reached: {} done and printed, the rest is \
             kept{}",
            self.tally.printed(),
            abandoned.consequence(self.settings.settle)
        );
        terminal::failure(&Failure::new(message).hint(self.how_to_go_on()));
        Exit::Interrupted
    }

    /// Prints what was paid for or decided and not printed yet, since its ledger is removed with the
    /// scan.
    async fn print_rest(&mut self, end: End) -> End {
        if matches!(end, End::Done | End::Unwritable(_)) {
            return end;
        }
        let same = self.settings.service.argument();
        let mut left = 0_u64;
        let mut after = self.printed_through;
        loop {
            let rows = match page(&*self.ledger, &mut after, None).await {
                Ok(Some(rows)) => rows,
                Ok(None) => break,
                Err(error) => return End::Failed(error),
            };
            for row in rows {
                let error = match (&row.task_id, row.state) {
                    (Some(id), State::Submitted) => Some(format!(
                        "not waited for: `greenlight results {id}{same}` asks again"
                    )),
                    (_, state) if state.is_final() => None,
                    // They may have been billed, so they are printed, too.
                    (_, State::Sending | State::Uncertain) => None,
                    _ => {
                        left = left.saturating_add(1);
                        continue;
                    }
                };
                if let Err(error) = self.print(&row, error) {
                    return End::Unwritable(error);
                }
            }
        }
        self.tally.leave(left, self.run.has_read_all());
        end
    }

    /// How a run ends of which nothing is kept.
    fn end_unkept(&self, end: End) -> Result<Exit, Failure> {
        let progress = self.tally.progress();
        match end {
            End::Done => Ok(self.tally.exit()),
            End::Interrupted => {
                terminal::failure(&Failure::new(format!("interrupted: {progress}")));
                Ok(Exit::Interrupted)
            }
            End::Tired => {
                let message = format!("{}: {progress}", self.why_tired());
                Err(Failure::new(match self.run.outage() {
                    Some(outage) => format!("{message}: {}", outage.error),
                    None => message,
                }))
            }
            // A temporary ledger is a file, which is never lost.
            End::Lost => Err(Failure::new(format!("stopped: {progress}"))),
            End::Unwritable(error) => printer::ended(Err(error), || self.tally.exit()),
            End::Failed(error) => {
                let message = format!("stopped, {progress}: {}", error.report());
                Err(Failure::new(message).hint(service_hint(&error)))
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
                "`greenlight resume{same}` continues where this ended; pass this scan's other \
                 options too, where it has them"
            );
        }
        "the list was not read to its end: run the same `greenlight scan` again; it prints every \
         line and pays for nothing twice"
            .to_owned()
    }
}
