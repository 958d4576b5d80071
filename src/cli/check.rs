//! `greenlight check`: verdicts without an account.

use std::{error::Error as _, ffi::OsString, fs, io, thread, time::Duration};

use super::{
    args::{CheckOptions, InputOptions},
    exit::{Exit, Failure, reason},
    interrupt::Interrupt,
    ledger::{self, Lines},
    printer::{self, Printer},
    report::{Report, Tally},
    terminal,
};
use crate::{
    error::Error,
    pipeline::{CheckedLine, LineChecks, Subject},
};

/// How long what is done is waited for after an interruption.
pub(crate) const WINDING_UP: Duration = Duration::from_secs(1);

/// Checks all sources and prints a line each.
pub(crate) async fn run(options: CheckOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let CheckOptions { input, how } = options;
    let Some(sources) = input.sources(&mut interrupt).await? else {
        return Ok(Exit::Interrupted);
    };
    let noticed = sources.noticed();
    let lines = Lines::new(sources, false);
    let mut checks = LineChecks::start(&how.probe(None)?, &how.requirements(), lines)?;
    let mut printer = Printer::new(how.format, how.csv, "checked");
    count_ahead(&input, &printer);
    let mut tally = Tally::default();
    let exit = async {
        let exit = print_all(&mut checks, &mut printer, &mut tally, &mut interrupt).await?;
        printer.finish(&tally, &noticed)?;
        Ok(exit)
    };
    let exit = exit.await;
    printer::ended(exit, || tally.exit())
}

async fn print_all(
    checks: &mut LineChecks,
    printer: &mut Printer,
    tally: &mut Tally,
    interrupt: &mut Interrupt,
) -> io::Result<Exit> {
    loop {
        let checked = tokio::select! {
            biased;
            () = interrupt.wait() => break,
            checked = checks.next() => checked,
        };
        let Some(checked) = checked else {
            return Ok(tally.exit());
        };
        print(checked, printer, tally)?;
    }
    checks.stop();
    let rest = async {
        while let Some(checked) = checks.next().await {
            print(checked, printer, tally)?;
        }
        Ok::<_, io::Error>(())
    };
    let rest = tokio::time::timeout(WINDING_UP, rest).await;
    tally.leave(checks.left(), rest.is_ok());
    rest.unwrap_or(Ok(()))?;
    let message = format!("interrupted: {}", tally.progress());
    printer.terminal().error(&message);
    Ok(Exit::Interrupted)
}

fn print(checked: CheckedLine, printer: &mut Printer, tally: &mut Tally) -> io::Result<()> {
    let CheckedLine { line, result, .. } = checked;
    let is_bad_line = Lines::is_bad(&line);
    let list_line = Lines::line_of_list(&line);
    let locate = |why| match line.subject {
        Subject::File(_) | Subject::FileBelow { .. } => {
            ledger::located(why, &line.source.origin, line.source.line)
        }
        Subject::Url(_) | Subject::Unusable { .. } => why,
    };
    let result = result.map_err(|error| locate(why(&error)));
    let source = match (line.source.text, line.subject) {
        (Some(text), _) | (None, Subject::Url(text) | Subject::Unusable { text, .. }) => text,
        (None, Subject::File(path) | Subject::FileBelow { path, .. }) => {
            path.to_string_lossy().into_owned()
        }
    };
    let report = match result {
        Ok(verdict) => Report::of(&source, &verdict),
        Err(why) => Report::failed(&source, why),
    };
    let report = report.at(list_line);
    if is_bad_line {
        tally.add_bad(report.exit());
    } else {
        tally.add(&report);
    }
    printer.complain(is_bad_line, &report);
    printer.print(&report)
}

/// Why a source has no verdict.
fn why(error: &Error) -> String {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.map_or_else(
        || error.report(),
        |cause| format!("cannot read: {}", reason(cause)),
    )
}

/// Counts the sources beforehand if there is a progress bar, which needs a length. A list that is not
/// a file can be read only once.
fn count_ahead(input: &InputOptions, printer: &Printer) {
    let bar = printer.terminal().progress().clone();
    let can_be_read_twice = |list: &OsString| fs::metadata(list).is_ok_and(|list| list.is_file());
    if bar.is_hidden()
        || input.standard_input().is_some()
        || !input.from.as_ref().is_none_or(can_be_read_twice)
    {
        return;
    }
    let input = input.clone();
    thread::spawn(move || {
        if let Ok(sources) = input.open() {
            let total = sources.count();
            terminal::set_total(&bar, u64::try_from(total).unwrap_or(u64::MAX));
        }
    });
}
