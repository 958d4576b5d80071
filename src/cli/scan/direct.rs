//! `greenlight scan` without a ledger: what is not done at its end is lost.
//!
//! Lines stand in a queue in the order of the sources, from their check to their outcome; the
//! front one is printed as soon as it is settled. The queue is bounded: while it is full nothing
//! more is checked.

use std::{io, sync::Arc, time::Duration};

use super::{
    HINT,
    queue::Queue,
    submitter::{Event, Submitter},
};
use crate::{
    cli::{
        args::ScanOptions,
        check,
        checker::{Checked, Checker},
        exit::{Exit, Failure},
        interrupt::Interrupt,
        outcome::{ScanOutcome, ScanReport},
        pipeline::Pipeline,
        printer::{self, Printer},
        report::Tally,
    },
    green::{Batch, DataId, Task},
    sandbox::Sandbox,
};

/// How many lines may be under way: 40 full batches.
const MOST_LINES: usize = 40 * Batch::MAX;

/// How long a request that is under way is waited for without a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Checks, submits and prints a line for each source.
pub(super) async fn run(options: ScanOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let sandbox = options.start_sandbox().await?.map(Arc::new);
    let ScanOptions {
        input, settings, ..
    } = options;
    let client = settings.client(sandbox.as_deref()).await?;
    let how = &settings.check;
    let checker = Checker::new(how)?.for_scan(how, &client, sandbox.clone())?;
    let checks = check::start(&input, how, checker)?;
    let printer = Printer::new(how.format, "scanned");
    check::count_ahead(&input, &printer);
    if let Some(sandbox) = &sandbox {
        let message = format!(
            "a sandbox at {} stands in for the service: outcomes are made up from file names",
            sandbox.endpoint()
        );
        printer.terminal().note(&message);
    }
    let mut scan = Scan {
        checks,
        submitter: Submitter::start(client, settings.scenes()),
        batch: Vec::new(),
        queue: Queue::default(),
        printer,
        tally: Tally::default(),
        input_ended: false,
        keeps_sandbox: sandbox,
    };
    let exit = scan.run(&mut interrupt).await;
    scan.end(exit)
}

struct Scan {
    checks: Pipeline<Checked>,
    submitter: Submitter,
    /// What was accepted and waits for its batch to be full.
    batch: Vec<(u64, Task)>,
    queue: Queue<ScanReport>,
    printer: Printer,
    tally: Tally,
    input_ended: bool,
    /// It serves local files until the last outcome is there.
    #[expect(dead_code, reason = "held, not read")]
    keeps_sandbox: Option<Arc<Sandbox>>,
}

/// Why a scan came to its end.
enum End {
    /// Every line is printed.
    Done,
    Interrupted,
    /// The service refuses everything.
    Hopeless(String),
}

impl Scan {
    async fn run(&mut self, interrupt: &mut Interrupt) -> io::Result<End> {
        let end = loop {
            self.print_settled()?;
            let is_full = self.queue.len() >= MOST_LINES;
            if self.input_ended || is_full || self.batch.len() == Batch::MAX {
                self.send();
            }
            if self.input_ended && self.queue.len() == 0 {
                return Ok(End::Done);
            }
            tokio::select! {
                biased;
                () = interrupt.wait() => break End::Interrupted,
                event = self.submitter.next() => {
                    if let Some(reason) = self.note(event) {
                        break End::Hopeless(reason);
                    }
                }
                checked = self.checks.next(), if !self.input_ended && !is_full => {
                    match checked {
                        Some(checked) => self.take(checked),
                        None => self.input_ended = true,
                    }
                }
            }
        };
        self.wind_up().await?;
        Ok(end)
    }

    /// Puts a checked source at the end of the queue, and in the batch if it may be submitted.
    fn take(&mut self, checked: Checked) {
        self.printer.complain(checked.is_bad_line, &checked.report);
        let mut report = ScanReport::unsubmitted(checked.report);
        let Some(accepted) = checked.accepted else {
            let number = self.queue.push(report);
            self.queue.settle(number);
            return;
        };
        let data_id = DataId::random();
        report.data_id = Some(data_id.to_string());
        let task = Task::new(accepted).with_data_id(data_id);
        report.check.summary.violations.extend(task.warning());
        let number = self.queue.push(report);
        self.batch.push((number, task));
    }

    fn send(&mut self) {
        if !self.batch.is_empty() {
            self.submitter.submit(std::mem::take(&mut self.batch));
        }
    }

    /// Writes down what became of tasks. Returns why nothing can be submitted at all, if so.
    fn note(&mut self, event: Event) -> Option<String> {
        match event {
            Event::Submitted { number, task_id } => {
                if let Some(report) = self.queue.get_mut(number) {
                    report.task_id = Some(task_id.to_string());
                    report.outcome = ScanOutcome::Undecided;
                }
                None
            }
            Event::NotSubmitted {
                number,
                why,
                is_certain,
            } => {
                if let Some(report) = self.queue.get_mut(number) {
                    if !is_certain {
                        report.outcome = ScanOutcome::Undecided;
                    }
                    report.check.error = Some(why);
                }
                self.queue.settle(number);
                None
            }
            Event::Done { number, state } => {
                if let Some(report) = self.queue.get_mut(number) {
                    report.note(&state);
                }
                self.queue.settle(number);
                None
            }
            Event::Lost { number, why } => {
                if let Some(report) = self.queue.get_mut(number) {
                    report.check.error = Some(why);
                }
                self.queue.settle(number);
                None
            }
            Event::Hopeless(why) => Some(why),
        }
    }

    fn print_settled(&mut self) -> io::Result<()> {
        while let Some(report) = self.queue.pop_settled() {
            self.print(&report)?;
        }
        Ok(())
    }

    fn print(&mut self, report: &ScanReport) -> io::Result<()> {
        self.tally.add_scan(report);
        self.printer.print(report)
    }

    /// Ends before everything is done: what was paid for is not lost, nothing more is.
    async fn wind_up(&mut self) -> io::Result<()> {
        self.checks.stop();
        let mut stopped = self.submitter.stop();
        if tokio::time::timeout(PATIENCE, &mut stopped).await.is_err() {
            let message = "waiting for the answer to a request that was sent; Ctrl-C ends at once";
            self.printer.terminal().note(message);
            let _ = stopped.await;
        }
        while let Some(event) = self.submitter.next_now() {
            self.note(event);
        }
        let rest = async {
            while let Some(checked) = self.checks.next_done().await {
                self.take(checked);
            }
        };
        // A list from standard input may never end.
        let rest = tokio::time::timeout(check::WINDING_UP, rest).await;
        let mut left = self.checks.left();
        for (mut report, is_settled) in self.queue.drain() {
            match (&report.task_id, is_settled) {
                (_, true) => {}
                (Some(id), false) => {
                    let why = format!("not waited for: `greenlight results {id}` asks again");
                    report.check.error = Some(why);
                }
                (None, false) => {
                    left = left.saturating_add(1);
                    continue;
                }
            }
            self.tally.add_scan(&report);
            self.printer.print(&report)?;
        }
        self.tally.leave(left, rest.is_ok());
        Ok(())
    }

    fn end(mut self, end: io::Result<End>) -> Result<Exit, Failure> {
        let end = end.and_then(|end| {
            self.printer.finish(&self.tally)?;
            Ok(end)
        });
        let progress = self.tally.progress();
        let exit = match end {
            Ok(End::Done) => Ok(self.tally.exit()),
            Ok(End::Interrupted) => {
                let message = format!("interrupted: {progress}");
                self.printer.terminal().error(&message);
                Ok(Exit::Interrupted)
            }
            Ok(End::Hopeless(why)) => {
                let message = format!("stopped, {progress}: {why}");
                return Err(Failure::new(message).hint(HINT));
            }
            Err(error) => Err(error),
        };
        printer::ended(exit, || self.tally.exit())
    }
}
