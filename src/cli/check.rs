//! `greenlight check`: verdicts without an account.

use std::{error::Error as _, ffi::OsString, fs, io, sync::Arc, thread, time::Duration};

use super::{
    args::{CheckOptions, InputOptions},
    clock,
    exit::{Exit, Failure, reason},
    interrupt::Interrupt,
    ledger::{self, Lines},
    name,
    printer::{self, Printer},
    report::Report,
    source::Noticed,
    tally::Tally,
    terminal::{self, Counter, Progress},
};

use crate::{
    error::Error,
    pipeline::{CheckedLine, LineChecks, Subject},
};
use greenlight::{Provenance, Requirements};

/// Time for checks in flight after an interruption.
const WINDING_UP: Duration = Duration::from_secs(1);

/// Checks all sources and prints one line for each.
pub(crate) async fn run(options: CheckOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let CheckOptions {
        input,
        how,
        print,
        only,
    } = options;
    let Some(sources) = input.sources(&mut interrupt).await? else {
        return Ok(Exit::Interrupted);
    };
    let noticed = sources.noticed();
    let requirements = how.requirements(&Requirements::ASYNC)?;
    let lines = Lines::new(sources, false);
    let mut run = Run {
        checks: LineChecks::start(&how.probe(&requirements, None)?, &requirements, lines)?,
        provenance: Provenance::new(&requirements, clock::now()),
        printer: Printer::of_some::<Report>(&print, &only)?,
        counter: Counter::new("checked"),
        tally: Tally::default(),
    };
    let progress = Progress::of(&run.counter);
    count_ahead(&input, &run.counter);
    let exit = run.print_all(&mut interrupt).await;
    drop(progress);
    let Run { printer, tally, .. } = run;
    let exit = exit.and_then(|exit| finish(exit, printer, &tally, &noticed));
    printer::ended(exit, || tally.exit())
}

/// Ends the output. That of an interrupted run replaces no file.
fn finish(exit: Exit, mut printer: Printer, tally: &Tally, noticed: &Noticed) -> io::Result<Exit> {
    printer.summarize(tally, noticed)?;
    if exit == Exit::Interrupted {
        terminal::error(&format!("interrupted: {}", tally.progress()));
    } else {
        printer.finish()?;
    }
    Ok(exit)
}

struct Run {
    checks: LineChecks,
    /// That of a verdict, at any time.
    provenance: Provenance,
    printer: Printer,
    counter: Arc<Counter>,
    tally: Tally,
}

impl Run {
    async fn print_all(&mut self, interrupt: &mut Interrupt) -> io::Result<Exit> {
        loop {
            let checked = tokio::select! {
                biased;
                // First, because results could be ready at every poll.
                () = interrupt.wait() => break,
                checked = self.checks.next() => checked,
            };
            let Some(checked) = checked else {
                return Ok(self.tally.exit());
            };
            self.print(checked)?;
        }
        self.checks.stop();
        let rest = async {
            while let Some(checked) = self.checks.next().await {
                self.print(checked)?;
            }
            Ok::<_, io::Error>(())
        };
        let rest = tokio::time::timeout(WINDING_UP, rest).await;
        self.tally.leave(self.checks.left(), rest.is_ok());
        rest.unwrap_or(Ok(()))?;
        Ok(Exit::Interrupted)
    }

    fn print(&mut self, checked: CheckedLine) -> io::Result<()> {
        let CheckedLine { line, result, .. } = checked;
        let is_bad_line = Lines::is_bad(&line);
        let list_line = Lines::line_of_list(&line);
        let locate = |why| match line.subject {
            Subject::File(_) | Subject::FileBelow { .. } => {
                ledger::located(why, &line.source.origin, line.source.line)
            }
            Subject::Url(_) | Subject::CheckedUrl { .. } | Subject::Unusable { .. } => why,
        };
        let result = result.map_err(|error| locate(why(&error)));
        let source_base64 = match &line.subject {
            Subject::File(path) | Subject::FileBelow { path, .. } => name::encoded(path),
            Subject::Url(_) | Subject::CheckedUrl { .. } | Subject::Unusable { .. } => None,
        };
        let source = match (line.source.text, line.subject) {
            (Some(text), _)
            | (
                None,
                Subject::Url(text)
                | Subject::CheckedUrl { url: text, .. }
                | Subject::Unusable { text, .. },
            ) => text,
            (None, Subject::File(path) | Subject::FileBelow { path, .. }) => name::shown(&path),
        };
        let report = match result {
            Ok(verdict) => Report::of(&source, &verdict),
            Err(why) => Report::failed(&source, why),
        };
        let report = Report {
            source_base64,
            provenance: Some(self.provenance.clone().with_time(clock::now())),
            list: list_line.map(|_| line.source.origin),
            line: list_line,
            ..report
        };
        if is_bad_line {
            self.tally.add_bad(report.exit());
        } else {
            self.tally.add(&report);
        }
        self.counter.increment();
        self.printer.complain(is_bad_line, &report);
        self.printer.print(&report)
    }
}

/// Returns the reason why a source has no verdict.
fn why(error: &Error) -> String {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.map_or_else(
        || error.report(),
        |cause| format!("cannot read: {}", reason(cause)),
    )
}

/// Counts the sources beforehand, for the time that is left. A list that is not a file can be read
/// only once.
pub(crate) fn count_ahead(input: &InputOptions, counter: &Arc<Counter>) {
    let can_be_read_twice = |list: &OsString| fs::metadata(list).is_ok_and(|list| list.is_file());
    if !terminal::shows_progress()
        || input.standard_input().is_some()
        || !input.from.as_ref().is_none_or(can_be_read_twice)
    {
        return;
    }
    let (input, counter) = (input.clone(), Arc::clone(counter));
    thread::spawn(move || {
        if let Ok(sources) = input.open() {
            counter.set_total(u64::try_from(sources.count()).unwrap_or(u64::MAX));
        }
    });
}
