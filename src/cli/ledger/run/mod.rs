//! `greenlight scan` and `greenlight resume`: runs the pipeline and prints a line for each source
//! when it is final, in the order of the sources.

mod end;
mod tell;

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{self, MissedTickBehavior};

use self::end::End;
use super::{
    lines::{self, Lines},
    location::{Guard, Role},
    outage::Outages,
    place::LedgerPlace,
    progress::Watch,
    reach::Reach,
    setup::Setup,
};
use crate::{
    cli::{
        args::{PrintOptions, ResumeOptions, ScanOptions, ScanSettings},
        clock,
        exit::{Exit, Failure},
        interrupt::Interrupt,
        outcome::ScanReport,
        printer::Printer,
        source::{Noticed, Sources},
        tally::Tally,
        terminal::{self, Progress, STDOUT},
    },
    error::Error,
    ledger::{Ledger, Row, State, Stats, Undelivered},
    pipeline::Run,
};

/// Interval between two updates of the progress.
const SHOW: Duration = Duration::from_millis(200);

/// Hides the time left after this long without progress.
const STILL: Duration = Duration::from_secs(10);

/// Waits this long for requests in flight before it prints that it waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many outcomes are acknowledged at a time.
const PAGE: usize = 500;

/// Default time without a result after which a scan ends whose ledger is temporary.
const WAIT: Duration = Duration::from_secs(600);

/// Scans the sources, and continues with what the ledger at `place` holds.
pub(crate) async fn scan(
    options: ScanOptions,
    sources: Sources,
    place: LedgerPlace,
    interrupt: Interrupt,
) -> Result<Exit, Failure> {
    let ScanOptions {
        input,
        mut settings,
        print,
        only,
        ..
    } = options;
    let printer = Printer::of_some::<ScanReport>(&print, &only)?;
    let Setup {
        ledger,
        pipeline,
        guard,
    } = Setup::begin(&settings, &place, Role::Print).await?;
    if place.is_temporary() {
        // No later run can continue this one, so it must end by itself.
        settings.wait.get_or_insert(WAIT);
    }
    let mut lists = Vec::new();
    if !input.sources.is_empty() {
        lists.push(lines::ARGUMENTS.to_owned());
    }
    lists.extend(sources.list_name());
    let before = ledger.stats(clock::now()).await?;
    for list in &lists {
        // Before the first line is read, so that `resume` can report a list that a killed run did
        // not read to its end.
        ledger.mark_list(list.clone(), false).await?;
    }
    // The exit code must count every source that the user names, those of earlier runs too.
    let pipeline = pipeline.deliver_again(true);
    let sandbox = place.sandbox().cloned();
    let noticed = sources.noticed();
    let run = pipeline
        .start(Lines::new(sources, settings.ledger.location().is_shared()).served_by(sandbox));
    let mut job = Job::new(run, (ledger, guard), settings, &before, place, printer);
    job.lists = lists;
    job.holds_back = holds_back(&print);
    job.noticed = noticed;
    job.note_sandbox();
    job.work(interrupt).await
}

/// Continues with what the ledger holds.
pub(crate) async fn resume(options: ResumeOptions, interrupt: Interrupt) -> Result<Exit, Failure> {
    let ResumeOptions {
        settings,
        print,
        only,
    } = options;
    let printer = Printer::of_some::<ScanReport>(&print, &only)?;
    let place = LedgerPlace::named(&settings.ledger);
    let Setup {
        ledger,
        pipeline,
        guard,
    } = Setup::reopen(&settings, &place, Role::Print).await?;
    let before = ledger.stats(clock::now()).await?;
    let run = pipeline.resume();
    let mut job = Job::new(run, (ledger, guard), settings, &before, place, printer);
    job.holds_back = holds_back(&print);
    Job::tell_unread(&before.unread_lists);
    job.work(interrupt).await
}

/// Whether what is printed is discarded if the process dies: a file is replaced at the end only.
fn holds_back(print: &PrintOptions) -> bool {
    print.to.output.as_os_str() != STDOUT
}

struct Job {
    run: Run,
    ledger: Arc<dyn Ledger>,
    /// Keeps other runs from printing.
    guard: Guard,
    settings: ScanSettings,
    /// Lists that are marked when they are read.
    lists: Vec<String>,
    printer: Printer,
    /// Whether outcomes are acknowledged at the end only.
    holds_back: bool,
    progress: Option<Progress>,
    tally: Tally,
    /// What was noticed of the list that is read.
    noticed: Arc<Noticed>,
    watch: Watch,
    /// Images whose answer no earlier run had.
    unanswered: u64,
    /// The last row before the run.
    last_row: i64,
    /// The time of the latest progress, and the counts' sum by then.
    news: (Instant, u64),
    /// Whether the lack of progress was reported.
    stall_reported: bool,
    outages: Outages,
    /// Images that were submitted before the run and are not decided.
    awaited: u64,
    place: LedgerPlace,
    /// The last row that was printed in order.
    printed_through: i64,
}

impl Job {
    fn new(
        run: Run,
        (ledger, guard): (Arc<dyn Ledger>, Guard),
        settings: ScanSettings,
        before: &Stats,
        place: LedgerPlace,
        printer: Printer,
    ) -> Self {
        Self {
            run,
            ledger,
            guard,
            lists: Vec::new(),
            printer,
            holds_back: false,
            progress: Some(Progress::begin()),
            settings,
            tally: Tally::default(),
            noticed: Arc::default(),
            watch: Watch::start(before),
            unanswered: before.count(State::Sending) + before.count(State::Uncertain),
            last_row: before.last_row,
            news: (clock::instant(), 0),
            stall_reported: false,
            outages: Outages::default(),
            awaited: before.count(State::Submitted),
            place,
            printed_through: 0,
        }
    }

    async fn work(mut self, mut interrupt: Interrupt) -> Result<Exit, Failure> {
        self.tell_unanswered();
        let mut reach = Reach::new(&self.ledger, &interrupt);
        let stopper = self.run.stopper();
        let driven = reach.during(Some(&stopper), Box::pin(self.drive(&mut interrupt)));
        let end = match driven.await {
            Ok(end) => end,
            Err(abandoned) => return Ok(self.abandon(abandoned)),
        };
        // The service may have recovered since the last tick.
        self.outages.note(self.run.outage());
        // If the ledger fails, that is known already.
        drop(self.note_lists().await);
        self.end(end).await
    }

    /// Runs until everything is done, or until nothing is in flight after a stop.
    async fn drive(&mut self, interrupt: &mut Interrupt) -> End {
        let mut ticks = time::interval(SHOW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // An interval begins with a tick, when there is nothing to show yet.
        ticks.reset();
        // The reason to stop, and when to print that it waits for requests in flight.
        let mut stop: Option<(End, Option<Instant>)> = None;
        loop {
            tokio::select! {
                biased;
                // First, because outcomes could be ready at every poll.
                () = interrupt.wait(), if stop.is_none() => {
                    stop = Some(self.stop(End::Interrupted));
                }
                _ = ticks.tick() => {
                    if let Some((_, told_at)) = &mut stop {
                        Self::explain_wait(told_at);
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
                        // The run is still driven to its end, because what was sent must be
                        // recorded. Outcomes that are not printed are not acknowledged, so the next
                        // run prints them.
                        let cannot_print = matches!(stop, Some((End::Unwritable(_) | End::Lost, _)));
                        if !cannot_print && let Err(end) = self.deliver(outcomes).await {
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

    /// Stops the run: requests in flight are finished, the rest is in the ledger.
    fn stop(&self, end: End) -> (End, Option<Instant>) {
        self.run.stopper().stop();
        (end, Some(clock::instant() + PATIENCE))
    }

    /// Prints outcomes, and acknowledges them only then.
    async fn deliver(&mut self, outcomes: Vec<Undelivered>) -> Result<(), End> {
        let mut printed = Vec::with_capacity(outcomes.len());
        let mut rest = VecDeque::from(outcomes);
        while let Some(outcome) = rest.pop_front() {
            if !self.guard.is_held() {
                // The lock ends with its connection, so another run may have printed this line.
                rest.push_front(outcome);
                self.regain(&mut rest).await?;
                continue;
            }
            // A failed print ends the loop before any acknowledgment: lines that were printed may
            // be printed again, none is lost.
            self.print(&outcome.row, None).map_err(End::Unwritable)?;
            self.printed_through = self.printed_through.max(outcome.row.number);
            printed.push(outcome);
        }
        if self.holds_back {
            return Ok(());
        }
        self.run.acknowledge(&printed).await.map_err(End::Failed)
    }

    /// Acquires the right to print again, and keeps in `rest` what no other run printed meanwhile.
    async fn regain(&mut self, rest: &mut VecDeque<Undelivered>) -> Result<(), End> {
        if !self.guard.regain().await.map_err(End::Failed)? {
            return Err(End::Lost);
        }
        if let Some(first) = rest.front() {
            let before = first.row.number.saturating_sub(1);
            let left = self.ledger.ordered(before, rest.len()).await;
            let left = left.map_err(End::Failed)?.outcomes;
            rest.retain(|outcome| left.iter().any(|left| left.id == outcome.id));
        }
        Ok(())
    }

    /// Moves the output into its place, and only then acknowledges its rows.
    async fn finish_output(&mut self) -> Result<(), End> {
        if !self.guard.is_held() {
            self.regain(&mut VecDeque::new()).await?;
        }
        self.printer.finish().map_err(End::Unwritable)?;
        let mut after = 0;
        while self.holds_back && after < self.printed_through {
            let read = self.ledger.ordered(after, PAGE).await;
            let read = read.map_err(End::Failed)?;
            let mut printed = read.outcomes;
            printed.retain(|outcome| outcome.row.number <= self.printed_through);
            let acknowledged = self.run.acknowledge(&printed).await;
            acknowledged.map_err(End::Failed)?;
            // The next row is not final.
            if read.through <= after {
                break;
            }
            after = read.through;
        }
        Ok(())
    }

    /// Prints the line of a source, with an error that replaces its own if there is one.
    fn print(&mut self, row: &Row, error: Option<String>) -> io::Result<()> {
        let class = row.reason.as_ref().map(|reason| &*reason.class);
        let is_bad_line = class == Some(lines::BAD_LINE);
        let mut report = ScanReport::from(row.clone());
        if error.is_some() {
            report.check.error = error;
        }
        self.printer.complain(is_bad_line, &report.check);
        self.printer.print(&report)?;
        if is_bad_line {
            self.tally.add_bad(report.exit());
        } else {
            self.tally.add_scan(&report);
        }
        Ok(())
    }

    fn show(&mut self) {
        let outage = self.outages.note(self.run.outage());
        let is_moving = outage.is_empty() && self.news.0.elapsed() < STILL;
        let has_read_all = self.run.has_read_all();
        let progress = self.run.progress();
        let (steps, pace) = self.watch.read(&progress, has_read_all, is_moving);
        if let Some(bars) = &self.progress
            && (outage.is_empty() || terminal::has_bars())
        {
            bars.show(&steps, &format!("{pace}{outage}"));
        }
    }

    /// Marks lists that were read to their end, and reports what is wrong with them as a whole.
    async fn note_lists(&mut self) -> Result<(), Error> {
        if self.lists.is_empty() || !self.run.has_read_all() {
            return Ok(());
        }
        for list in std::mem::take(&mut self.lists) {
            self.ledger.mark_list(list, true).await?;
        }
        self.tell_shared_data_ids().await
    }
}
