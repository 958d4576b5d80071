//! `greenlight results`: asks for tasks that were submitted before.

use std::{collections::HashMap, time::Duration};

use super::{
    args::ResultsOptions,
    clock,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    ledger::Outages,
    outcome::ResultReport,
    printer::{self, Printer},
    terminal::{self, Counter, Progress},
};
use crate::{
    error::{Error, Retry},
    green::Api,
};
use greenlight::TaskId;

/// The first and the longest delay between two requests during an outage.
const DELAYS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// Prints a line for each task, in the order given.
pub(crate) async fn run(
    options: ResultsOptions,
    mut interrupt: Interrupt,
) -> Result<Exit, Failure> {
    let service = &options.service;
    let client = service.client()?.credentials(service.chain());
    let api = service.api.api.build(client)?;
    service.key_id().await?;
    let mut printer = Printer::of_some::<ResultReport>(&options.print, &options.only)?;
    let counter = Counter::new("fetched");
    counter.set_total(u64::try_from(options.tasks.len()).unwrap_or(u64::MAX));
    let progress = Progress::of(&counter);
    let mut worst = Exit::Success;
    for tasks in options.tasks.chunks(api.terms().max_results) {
        let reports = tokio::select! {
            biased;
            () = interrupt.wait() => {
                drop(progress);
                let (done, all) = (counter.done(), options.tasks.len());
                terminal::error(&format!("interrupted: {done} of {all} results were fetched"));
                let begun = printer.begin().map(|()| Exit::Interrupted);
                return printer::ended(begun, || Exit::Interrupted);
            }
            reports = ask_patiently(&*api, tasks, options.wait) => reports?,
        };
        for report in reports {
            worst = worst.max(report.exit());
            counter.increment();
            if let Err(error) = printer.print(&report) {
                return printer::ended(Err(error), || worst);
            }
        }
    }
    drop(progress);
    printer::ended(printer.finish().map(|()| worst), || worst)
}

/// Requests results until the service responds, at growing intervals.
async fn ask_patiently(
    api: &dyn Api,
    tasks: &[TaskId],
    patience: Duration,
) -> Result<Vec<ResultReport>, Error> {
    let began = clock::instant();
    let mut outages = Outages::default();
    let [mut delay, longest] = DELAYS;
    loop {
        let error = match ask(api, tasks).await {
            Ok(reports) => {
                outages.report(None);
                return Ok(reports);
            }
            Err(error) => error,
        };
        let lasted = began.elapsed();
        if !matches!(error.retry(), Retry::After(_)) || lasted + delay > patience {
            return Err(error);
        }
        outages.report(Some((lasted, error.report())));
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(longest);
    }
}

async fn ask(api: &dyn Api, tasks: &[TaskId]) -> Result<Vec<ResultReport>, Error> {
    let reports = api.results(tasks).await?;
    let reports: HashMap<_, _> = reports
        .iter()
        .map(|report| (report.task_id(), report))
        .collect();
    let in_order = tasks.iter().map(|task| match reports.get(task) {
        Some(report) => ResultReport::of(report),
        None => ResultReport::unknown(task.to_string()),
    });
    Ok(in_order.collect())
}
