//! `greenlight plan`: what a scan would submit and cost.

use serde::Serialize;

use super::{
    args::{PlanOptions, Price},
    check,
    exit::{Exit, Failure},
    human,
    interrupt::Interrupt,
    ledger::Lines,
    printer::{self, PrintedLine, Printer},
    report::text,
    source::Noticed,
    terminal::{self, Cell, Counter, Progress, Row, Tone},
};
use crate::{ledger::Scope, pipeline::Plan};
use greenlight::{CodeCounts, Scene};

/// Checks all sources, and prints the counts and the cost.
pub(crate) async fn run(options: PlanOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let PlanOptions {
        input,
        check: how,
        scenes,
        api,
        price,
        print,
    } = options;
    let scope = Scope::new(&api.api.chosen(&scenes)?);
    let Some(sources) = input.sources(&mut interrupt).await? else {
        return Ok(Exit::Interrupted);
    };
    let noticed = sources.noticed();
    let lines = Lines::new(sources, false);
    let mut printer = Printer::new::<PlanReport>(&print)?;
    let requirements = how.requirements(&api.api.requirements(None))?;
    let probe = how.probe(&requirements, None)?;
    let planning = Plan::start(&probe, &requirements, &scope, lines)?;
    let mut planning = planning.with_terms(&api.api.terms());
    let counter = Counter::new("checked");
    let progress = Progress::of(&counter);
    check::count_ahead(&input, &counter);
    let is_whole = loop {
        let more = tokio::select! {
            biased;
            () = interrupt.wait() => break false,
            more = planning.advance() => more,
        };
        if !more {
            break true;
        }
        counter.increment();
    };
    drop(progress);
    let plan = planning.plan();
    let report = PlanReport::of(&plan, &noticed, scope.scenes().to_vec(), price, is_whole);
    let report = PlanReport {
        noun: api.api.noun(),
        ..report
    };
    let mut printed = printer.print(&report);
    noticed.hints().for_each(terminal::hint);
    if is_whole {
        printed = printed.and_then(|()| printer.finish());
    } else {
        terminal::error("interrupted: the plan is of what was checked");
    }
    printer::ended(printed.map(|()| report.exit()), || report.exit())
}

/// The plan of a scan, as it is printed.
#[derive(Debug, Serialize)]
struct PlanReport {
    sources: u64,
    duplicates: u64,
    accepted: u64,
    rejected: u64,
    undecided: u64,
    unreadable: u64,
    /// Lines of the list without a source, which are no sources.
    bad_lines: u64,
    /// Further lines within quoted fields that seem to hold rows.
    quoted_lines: u64,
    #[serde(flatten)]
    codes: CodeCounts,
    scenes: Vec<Scene>,
    /// The noun for scenes.
    #[serde(skip)]
    noun: &'static str,
    requests: u64,
    billed_per_scene: u64,
    billed: u64,
    price: Option<String>,
    cost: Option<String>,
    complete: bool,
}

impl PlanReport {
    fn of(
        plan: &Plan,
        noticed: &Noticed,
        scenes: Vec<Scene>,
        price: Option<Price>,
        complete: bool,
    ) -> Self {
        let cost = price.map(|price| Price {
            millionths: plan.cost(price.millionths),
        });
        Self {
            // The plan counts lines without a source as unreadable; here they are counted separately.
            sources: plan.lines().saturating_sub(noticed.bad()),
            duplicates: plan.duplicates(),
            accepted: plan.accepted(),
            rejected: plan.rejected(),
            undecided: plan.undecided(),
            unreadable: plan.unreadable().saturating_sub(noticed.bad()),
            bad_lines: noticed.bad_lines(),
            quoted_lines: noticed.quoted_lines(),
            codes: plan.codes().clone(),
            scenes,
            noun: "scene",
            requests: plan.requests(),
            billed_per_scene: plan.billed_per_scene(),
            billed: plan.billed(),
            price: price.map(Price::to_cents),
            cost: cost.map(Price::to_cents),
            complete,
        }
    }

    const fn exit(&self) -> Exit {
        if !self.complete {
            Exit::Interrupted
        } else if self.undecided > 0 || self.unreadable > 0 || self.bad_lines > 0 {
            Exit::Failed
        } else if self.rejected > 0 {
            Exit::Rejected
        } else {
            Exit::Success
        }
    }
}

const LABEL: usize = 10;

impl PrintedLine for PlanReport {
    fn heading() -> Option<Row> {
        None
    }

    fn rows(&self) -> Vec<Row> {
        let pair = |label: &str, text: String| {
            let label = Cell::new(label).left(LABEL).tone(Tone::Heading);
            vec![label, Cell::new(text)]
        };
        let checked = format!(
            "{} accept, {} reject, {} inconclusive",
            self.accepted,
            self.rejected,
            self.undecided.saturating_add(self.unreadable)
        );
        let again = match self.duplicates {
            1 => "duplicate",
            _ => "duplicates",
        };
        let mut rows = vec![
            pair(
                "sources",
                format!("{} ({} {again})", self.sources, self.duplicates),
            ),
            pair("decisions", checked),
        ];
        if let Some(bad) = human::bad_lines(self.bad_lines) {
            rows.push(pair("list", bad));
        }
        if let Some(quoted) = human::quoted_lines(self.quoted_lines) {
            rows.push(pair("list", quoted));
        }
        rows.extend(human::code_rows(&self.codes, LABEL));
        let scenes = human::scene_names(&self.scenes, ",");
        let once = match self.duplicates {
            0 => "",
            _ => "; duplicates are billed once",
        };
        let billed = format!(
            "at most {} images for each {} ({scenes}), {} in all{}",
            self.billed_per_scene, self.noun, self.billed, once
        );
        rows.push(pair("requests", self.requests.to_string()));
        rows.push(pair("billed", billed));
        if let (Some(price), Some(cost)) = (&self.price, &self.cost) {
            rows.push(pair(
                "cost",
                format!("at most {cost}, at {price} per thousand"),
            ));
        }
        rows
    }

    fn columns() -> Vec<&'static str> {
        vec![
            "sources",
            "duplicates",
            "accepted",
            "rejected",
            "undecided",
            "unreadable",
            "bad_lines",
            "quoted_lines",
            "rejecting",
            "warnings",
            "scenes",
            "requests",
            "billed_per_scene",
            "billed",
            "price",
            "cost",
            "complete",
        ]
    }

    fn fields(&self) -> Vec<String> {
        vec![
            self.sources.to_string(),
            self.duplicates.to_string(),
            self.accepted.to_string(),
            self.rejected.to_string(),
            self.undecided.to_string(),
            self.unreadable.to_string(),
            self.bad_lines.to_string(),
            self.quoted_lines.to_string(),
            human::flat_codes(self.codes.rejecting()),
            human::flat_codes(self.codes.warnings()),
            human::scene_names(&self.scenes, " "),
            self.requests.to_string(),
            self.billed_per_scene.to_string(),
            self.billed.to_string(),
            text(self.price.as_ref()),
            text(self.cost.as_ref()),
            self.complete.to_string(),
        ]
    }
}
