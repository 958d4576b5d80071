//! `greenlight work`: processes images of a ledger that several machines share.

use std::time::Duration;

use tokio::time::{self, MissedTickBehavior};

use super::{
    location::Role,
    obstacles::Obstacles,
    outage::Outages,
    place::LedgerPlace,
    progress::Watch,
    reach::{Abandoned, Reach},
    setup::Setup,
};
use crate::{
    cli::{
        args::WorkOptions,
        clock,
        exit::{Exit, Failure},
        interrupt::Interrupt,
        terminal::{self, Progress},
    },
    ledger::Ledger,
    pipeline::Run,
};

/// Interval between two updates of the progress.
const SHOW: Duration = Duration::from_millis(200);

/// Interval between two queries for new work.
const LOOK: Duration = Duration::from_secs(1);

/// Probes, uploads, submits and polls until it is interrupted or, if asked, nothing is left to do.
pub(crate) async fn run(options: WorkOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let place = LedgerPlace::named(&options.settings.ledger);
    if !options.settings.ledger.location().is_shared() {
        return Err(Failure::new("a ledger in a file has one run at a time")
            .hint("--ledger postgres://… names one that several share; `greenlight resume` works on a file's"));
    }
    let Setup {
        ledger,
        pipeline,
        guard: _guard,
    } = Setup::reopen(&options.settings, &place, Role::Work).await?;
    let progress = Progress::begin();
    let mut notices = Notices {
        outages: Outages::default(),
        obstacles: Obstacles::new(options.obstacles.transaction_age),
    };
    let mut reach = Reach::new(&ledger, &interrupt);
    let ended = |abandoned| end_without(abandoned, options.settings.settle);
    loop {
        let counted = reach.during(None, ledger.stats(clock::now())).await;
        let stats = match counted {
            Ok(counted) => counted?,
            Err(abandoned) => return ended(abandoned),
        };
        let mut watch = Watch::start(&stats);
        let mut run = pipeline.resume();
        let stopper = run.stopper();
        let driving = drive(
            (&mut run, &*ledger),
            &mut watch,
            (&progress, &mut notices),
            &mut interrupt,
        );
        let goes_on = match reach.during(Some(&stopper), driving).await {
            Ok(driven) => driven?,
            Err(abandoned) => return ended(abandoned),
        };
        if !goes_on || options.until_done {
            return Ok(Exit::Success);
        }
        let waiting = has_work(&*ledger, &mut notices, &mut interrupt);
        let has_work = match reach.during(None, waiting).await {
            Ok(waited) => waited?,
            Err(abandoned) => return ended(abandoned),
        };
        if !has_work {
            return Ok(Exit::Success);
        }
    }
}

/// Ends without the ledger. A worker that leaves nothing unrecorded loses nothing.
fn end_without(abandoned: Abandoned, settle: Duration) -> Result<Exit, Failure> {
    if abandoned.unrecorded == 0 {
        return Ok(Exit::Success);
    }
    Err(Failure::new(format!(
        "stopped while the ledger could not be reached{}",
        abandoned.consequence(settle)
    )))
}

/// Waits until an image needs work. Returns `false` if it is interrupted first. The counts at the start of a run read
/// all images, so an idle worker must not start one every second.
async fn has_work(
    ledger: &dyn Ledger,
    notices: &mut Notices,
    interrupt: &mut Interrupt,
) -> Result<bool, Failure> {
    loop {
        notices.obstacles.look(ledger).await?;
        tokio::select! {
            biased;
            () = interrupt.wait() => return Ok(false),
            () = time::sleep(LOOK) => {}
        }
        if !ledger.backlog().await?.due.is_empty() {
            return Ok(true);
        }
    }
}

/// Notices that are printed once.
struct Notices {
    outages: Outages,
    obstacles: Obstacles,
}

/// Runs until nothing is left to do. Returns whether it was not interrupted: what was sent is
/// finished and the rest released then, as a scheduler that stops a process expects.
async fn drive(
    (run, ledger): (&mut Run, &dyn Ledger),
    watch: &mut Watch,
    (progress, notices): (&Progress, &mut Notices),
    interrupt: &mut Interrupt,
) -> Result<bool, Failure> {
    let stopper = run.stopper();
    let mut ticks = time::interval(SHOW);
    // A suspended process must not catch up on the updates that it missed.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let mut goes_on = true;
    loop {
        let done = run.progress();
        tokio::select! {
            biased;
            () = interrupt.wait(), if goes_on => {
                goes_on = false;
                stopper.stop();
            }
            _ = ticks.tick() => {
                let outage = notices.outages.note(run.outage());
                let (steps, pace) = watch.read(&done, true, outage.is_empty());
                if outage.is_empty() || terminal::has_bars() {
                    progress.show(&steps, &format!("{pace}{outage}"));
                }
                notices.obstacles.look(ledger).await?;
            }
            finished = run.finish() => {
                finished?;
                // The service may have recovered since the last tick.
                notices.outages.note(run.outage());
                return Ok(goes_on);
            }
        }
    }
}
