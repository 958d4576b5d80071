//! `greenlight check`: verdicts without an account.

use std::{ffi::OsString, fs, io, num::NonZeroUsize, sync::Arc, thread, time::Duration};

use super::{
    args::{CheckOptions, CheckSettings, InputOptions},
    checker::{Checked, Checker},
    exit::{Exit, Failure},
    interrupt::Interrupt,
    pipeline::{Limits, Pipeline},
    printer::{self, Printer},
    report::Tally,
    source::Noticed,
    terminal,
};

/// How long what is done is waited for after an interruption.
pub(crate) const WINDING_UP: Duration = Duration::from_secs(1);

/// Checks all sources and prints a line each.
pub(crate) async fn run(options: CheckOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let CheckOptions { input, how } = options;
    let (mut checks, noticed) = start(&input, &how, Checker::new(&how)?)?;
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
    checks: &mut Pipeline<Checked>,
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
        print(&checked, printer, tally)?;
    }
    checks.stop();
    let rest = async {
        while let Some(checked) = checks.next_done().await {
            print(&checked, printer, tally)?;
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

fn print(checked: &Checked, printer: &mut Printer, tally: &mut Tally) -> io::Result<()> {
    if checked.is_bad_line {
        tally.add_bad(checked.report.exit());
    } else {
        tally.add(&checked.report);
    }
    printer.complain(checked.is_bad_line, &checked.report);
    printer.print(&checked.report)
}

/// Begins to check all sources that the options name.
pub(crate) fn start(
    input: &InputOptions,
    how: &CheckSettings,
    checker: Checker,
) -> Result<(Pipeline<Checked>, Arc<Noticed>), Failure> {
    let concurrency = usize::from(how.concurrency);
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let limits = Limits {
        threads: concurrency.min(processors),
        tasks: concurrency,
        window: concurrency.saturating_mul(4).saturating_add(64),
    };
    let sources = input.sources()?;
    let noticed = sources.noticed();
    let checks = Pipeline::start(&Arc::new(checker), sources, limits);
    Ok((checks, noticed))
}

/// Goes through the sources beforehand if there is a bar to be given a length. A list that is not a
/// file can be read only once.
pub(crate) fn count_ahead(input: &InputOptions, printer: &Printer) {
    let bar = printer.terminal().progress().clone();
    let can_be_read_twice = |list: &OsString| fs::metadata(list).is_ok_and(|list| list.is_file());
    if bar.is_hidden()
        || input.standard_input().is_some()
        || !input.from.as_ref().is_none_or(can_be_read_twice)
    {
        return;
    }
    if let Ok(sources) = input.sources() {
        thread::spawn(move || {
            let total = sources.count();
            terminal::set_total(&bar, u64::try_from(total).unwrap_or(u64::MAX));
        });
    }
}
