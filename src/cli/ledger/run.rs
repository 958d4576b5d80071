//! `greenlight scan` with a ledger, and `greenlight resume`: the pipeline at work, a line for each
//! source as it becomes final, in the order of the sources.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::time::{self, MissedTickBehavior};

use super::{
    lines::{self, Lines},
    progress::Watch,
    setup::Setup,
};
use crate::{
    cli::{
        args::{InputOptions, ScanSettings},
        clock,
        exit::{Exit, Failure},
        interrupt::Interrupt,
        outcome::ScanReport,
        printer::{self, Printer},
        report::Tally,
        scan, terminal,
    },
    error::{Error, ErrorKind},
    ledger::{Ledger, SqliteLedger, Stats, Undelivered},
    pipeline::Run,
};

/// How often bars are drawn.
const DRAW: Duration = Duration::from_millis(200);

/// How often a line is written where there are no bars.
const WRITE: Duration = Duration::from_secs(1);

/// How long a request that is under way is waited for without a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many data ids that places share are told.
const MOST_SHARED: usize = 20;

/// Scans what the arguments name, and goes on with what the ledger holds.
pub(crate) async fn scan(
    input: InputOptions,
    settings: ScanSettings,
    interrupt: Interrupt,
) -> Result<Exit, Failure> {
    let sources = input.sources()?;
    let Setup {
        ledger,
        pipeline,
        lock,
    } = Setup::begin(&settings).await?;
    let mut lists = Vec::new();
    if !input.sources.is_empty() {
        lists.push(lines::ARGUMENTS.to_owned());
    }
    lists.extend(sources.list_name());
    let before = ledger.stats(clock::now()).await?;
    for list in &lists {
        ledger.mark_list(list.clone(), false).await?;
    }
    let run = pipeline.start(Lines::new(sources));
    let job = Job::new(run, ledger, settings, &before, lists);
    let exit = job.work(interrupt).await;
    lock.release();
    exit
}

/// Goes on with what the ledger holds.
pub(crate) async fn resume(settings: ScanSettings, interrupt: Interrupt) -> Result<Exit, Failure> {
    let Setup {
        ledger,
        pipeline,
        lock,
    } = Setup::reopen(&settings).await?;
    let before = ledger.stats(clock::now()).await?;
    let run = pipeline.resume();
    let job = Job::new(run, ledger, settings, &before, Vec::new());
    for list in &before.unread_lists {
        let message = format!(
            "`{list}` was not read to its end: give it to `greenlight scan` again, which does \
             nothing twice"
        );
        job.printer.terminal().note(&message);
    }
    let exit = job.work(interrupt).await;
    lock.release();
    exit
}

struct Job {
    run: Run,
    ledger: std::sync::Arc<SqliteLedger>,
    settings: ScanSettings,
    /// Lists that are marked when they are read.
    lists: Vec<String>,
    printer: Printer,
    tally: Tally,
    watch: Watch,
    /// When something was last decided, and how much was then.
    news: (Instant, u64),
}

/// Why a run came to its end.
enum End {
    Done,
    Interrupted,
    /// No result came in the time that the user gives.
    Tired,
    Failed(Error),
    /// Nobody reads on, or nothing can be written.
    Unwritable(io::Error),
}

impl Job {
    fn new(
        run: Run,
        ledger: std::sync::Arc<SqliteLedger>,
        settings: ScanSettings,
        before: &Stats,
        lists: Vec<String>,
    ) -> Self {
        Self {
            run,
            ledger,
            lists,
            printer: Printer::for_run(settings.check.format),
            settings,
            tally: Tally::default(),
            watch: Watch::start(before),
            news: (clock::instant(), 0),
        }
    }

    async fn work(mut self, mut interrupt: Interrupt) -> Result<Exit, Failure> {
        let end = self.drive(&mut interrupt).await;
        let is_read = self.note_lists().await;
        self.end(end, is_read.unwrap_or(false))
    }

    /// Runs to the end, or to a good place to stop at.
    async fn drive(&mut self, interrupt: &mut Interrupt) -> End {
        let every = if self.printer.terminal().has_gauges() {
            DRAW
        } else {
            WRITE
        };
        let mut ticks = time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        // Why it is to stop, and when the user is told what it waits for.
        let mut stop: Option<(End, Option<Instant>)> = None;
        loop {
            tokio::select! {
                biased;
                () = interrupt.wait(), if stop.is_none() => {
                    stop = Some(self.stop(End::Interrupted));
                }
                _ = ticks.tick() => {
                    if let Some((_, told_at)) = &mut stop {
                        self.explain_wait(told_at);
                    } else {
                        self.show();
                        if let Err(error) = self.note_lists().await {
                            stop = Some(self.stop(End::Failed(error)));
                        } else if self.is_tired() {
                            stop = Some(self.stop(End::Tired));
                        }
                    }
                }
                outcomes = self.run.next_in_order() => match outcomes {
                    Ok(Some(outcomes)) => {
                        let cannot_print = matches!(stop, Some((End::Unwritable(_), _)));
                        if !cannot_print && let Err(end) = self.deliver(&outcomes).await {
                            stop = Some(self.stop(end));
                        }
                    }
                    Ok(None) => return stop.map_or(End::Done, |(end, _)| end),
                    Err(error) => return match stop {
                        Some((End::Unwritable(reason), _)) => End::Unwritable(reason),
                        _ => End::Failed(error),
                    },
                },
            }
        }
    }

    /// Has the run take up nothing more: what was sent is finished, the rest is in the ledger.
    fn stop(&self, end: End) -> (End, Option<Instant>) {
        self.run.stopper().stop();
        (end, Some(clock::instant() + PATIENCE))
    }

    fn explain_wait(&self, told_at: &mut Option<Instant>) {
        if told_at.is_some_and(|at| clock::instant() >= at) {
            *told_at = None;
            let message = "waiting for the answers to requests that were sent; Ctrl-C ends at once, \
                           and loses nothing either";
            self.printer.terminal().note(message);
        }
    }

    /// Prints outcomes, and only then says that they are printed.
    async fn deliver(&mut self, outcomes: &[Undelivered]) -> Result<(), End> {
        for outcome in outcomes {
            let class = outcome.row.reason.as_ref().map(|reason| &*reason.class);
            let is_bad_line = class == Some(lines::BAD_LINE);
            let report = ScanReport::from(outcome.row.clone());
            self.tally.add_scan(&report);
            self.printer.complain(is_bad_line, &report.check);
            self.printer.print(&report).map_err(End::Unwritable)?;
        }
        self.run.acknowledge(outcomes).await.map_err(End::Failed)
    }

    fn show(&mut self) {
        let (steps, pace) = self.watch.read(&self.run.progress());
        self.printer.terminal_mut().show(&steps, &pace);
    }

    /// Whether the user waits no longer.
    fn is_tired(&mut self) -> bool {
        let Some(wait) = self.settings.wait else {
            return false;
        };
        let progress = self.run.progress();
        let done = progress
            .probed
            .saturating_add(progress.submitted)
            .saturating_add(progress.decided);
        if done != self.news.1 {
            self.news = (clock::instant(), done);
        }
        self.news.0.elapsed() >= wait
    }

    /// Notes lists that are read now, and tells what is wrong with them as a whole. Answers whether
    /// all are read.
    async fn note_lists(&mut self) -> Result<bool, Error> {
        if self.lists.is_empty() {
            return Ok(self.run.has_read_all());
        }
        if !self.run.has_read_all() {
            return Ok(false);
        }
        for list in std::mem::take(&mut self.lists) {
            self.ledger.mark_list(list, true).await?;
        }
        self.tell_delivered_before();
        self.tell_shared_data_ids().await?;
        Ok(true)
    }

    fn tell_delivered_before(&self) {
        let count = self.run.progress().delivered_before;
        if count > 0 {
            let (sources, are) = if count == 1 {
                ("source", "is")
            } else {
                ("sources", "are")
            };
            let message = format!(
                "{count} {sources} done in an earlier run {are} not printed again: `greenlight \
                 export{}` prints all",
                self.settings.ledger.argument()
            );
            self.printer.terminal().note(&message);
        }
    }

    async fn tell_shared_data_ids(&self) -> Result<(), Error> {
        let shared = self.ledger.shared_data_ids(MOST_SHARED + 1).await?;
        for same in shared.iter().take(MOST_SHARED) {
            let [first, second] = &same.places;
            let message = format!(
                "the data id `{}` stands at {} places, the first of which are {} line {} and {} \
                 line {}: each gets its outcome",
                same.data_id, same.count, first.0, first.1, second.0, second.1
            );
            self.printer.terminal().error(&message);
        }
        if shared.len() > MOST_SHARED {
            self.printer
                .terminal()
                .error("and more data ids stand at several places");
        }
        Ok(())
    }

    fn end(mut self, end: End, is_read: bool) -> Result<Exit, Failure> {
        self.printer.terminal().finish();
        let end = match end {
            End::Unwritable(_) => end,
            end => match self.printer.finish(&self.tally) {
                Ok(()) => end,
                Err(error) => End::Unwritable(error),
            },
        };
        let how = self.how_to_go_on(is_read);
        let printed = self.tally.sources();
        match end {
            End::Done => Ok(self.tally.exit()),
            End::Interrupted => {
                let message = format!("interrupted: {printed} done and printed, the rest is kept");
                terminal::failure(&Failure::new(message).hint(how));
                Ok(Exit::Interrupted)
            }
            End::Tired => {
                let message = format!("no result came in time: {printed} done and printed");
                Err(Failure::new(message).hint(how))
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

    fn how_to_go_on(&self, is_read: bool) -> String {
        let ScanSettings {
            ledger, service, ..
        } = &self.settings;
        let same = format!("{}{}", ledger.argument(), service.argument());
        if is_read {
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
