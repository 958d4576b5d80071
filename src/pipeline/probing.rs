//! From noted to accepted images.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use super::{
    Step, clock, facts, fate,
    run::{LOOK_AGAIN, Shared},
};
use crate::{
    error::Error,
    image_url::ImageUrl,
    ledger::{Claimed, Fate, Finding, Hold, Judgement, Reason, Work},
    verdict::{Decision, Verdict},
};

/// How many findings are recorded by one call, if as many are there.
const RECORD: usize = 64;

/// The class of an image that could not be decided on.
const UNDECIDED: &str = "probe/undecided";

pub(super) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let settings = &shared.pipeline.settings;
    let mut running = JoinSet::new();
    let mut findings = Vec::new();
    let mut is_dry = false;
    while !shared.is_stopping() {
        let free = settings.probes.saturating_sub(running.len());
        // In bundles: one call is one durable write.
        if !is_dry && free >= settings.probes.div_ceil(4) {
            is_dry = claim(&shared, free, &mut running).await? < free;
        }
        tokio::select! {
            biased;
            () = shared.stopped() => {}
            Some(found) = running.join_next(), if !running.is_empty() => {
                findings.extend(found);
            }
            () = shared.to_probe.notified() => is_dry = false,
            () = sleep(LOOK_AGAIN) => is_dry = false,
        }
        while findings.len() < RECORD
            && let Some(found) = running.try_join_next()
        {
            findings.extend(found);
        }
        if findings.len() >= RECORD || (!findings.is_empty() && running.len() < settings.probes / 2)
        {
            record(&shared, std::mem::take(&mut findings)).await?;
        }
    }
    // A probe takes no longer than its deadline.
    while let Some(found) = running.join_next().await {
        findings.extend(found);
    }
    if findings.is_empty() {
        return Ok(());
    }
    record(&shared, findings).await
}

/// Answers how many images there were.
async fn claim(
    shared: &Arc<Shared>,
    most: usize,
    running: &mut JoinSet<Finding>,
) -> Result<usize, Error> {
    let pipeline = &shared.pipeline;
    let lease = pipeline.settings.lease;
    let claims = pipeline
        .ledger
        .claim(Work::Probe, most, lease, clock::now());
    let claimed = claims.await?;
    let count = claimed.len();
    for image in claimed {
        running.spawn(probe(Arc::clone(shared), image));
    }
    Ok(count)
}

async fn probe(shared: Arc<Shared>, image: Claimed) -> Finding {
    let pipeline = &shared.pipeline;
    let hold = image.hold;
    let url = match ImageUrl::parse(&image.url) {
        Ok(url) => url,
        Err(error) => {
            let verdict = Verdict::of_text(image.url, &error);
            let reason = fate::reason(&verdict).unwrap_or_else(|| undecided(&verdict));
            return finding(hold, Judgement::Rejected(reason), None);
        }
    };
    let requirements = &pipeline.settings.requirements;
    if let Ok(verdict) = pipeline.probe.check(&url, requirements).await {
        return judge(&shared, hold, image.attempts, verdict);
    }
    // This machine could not ask: not the image's fault.
    let at = clock::now() + Duration::from_secs(1);
    finding(hold, Judgement::Unreachable(Fate::Again { at }), None)
}

fn judge(shared: &Shared, hold: Hold, attempts: u32, verdict: Verdict<ImageUrl>) -> Finding {
    let most = shared.pipeline.settings.probe_attempts;
    let judgement = match verdict.decision() {
        Decision::Accept => Judgement::Accepted,
        Decision::Inconclusive => Judgement::Unreachable(fate::retry(
            undecided(&verdict),
            attempts,
            most,
            clock::now(),
        )),
        Decision::Reject => {
            let reason = fate::reason(&verdict).unwrap_or_else(|| undecided(&verdict));
            if fate::may_pass(&verdict) {
                Judgement::Unreachable(fate::retry(reason, attempts, most, clock::now()))
            } else {
                Judgement::Rejected(reason)
            }
        }
    };
    let (facts, _) = facts::of(verdict);
    finding(hold, judgement, Some(facts))
}

fn undecided<S>(verdict: &Verdict<S>) -> Reason {
    Reason {
        class: UNDECIDED.to_owned(),
        message: format!("unknown: {}", verdict.missing().join(", ")),
    }
}

const fn finding(hold: Hold, judgement: Judgement, facts: Option<String>) -> Finding {
    Finding {
        hold,
        judgement,
        facts,
    }
}

async fn record(shared: &Shared, findings: Vec<Finding>) -> Result<(), Error> {
    let count = |which: fn(&Judgement) -> bool| {
        let chosen = findings.iter().filter(|finding| which(&finding.judgement));
        chosen.count()
    };
    let accepted = count(|judgement| matches!(judgement, Judgement::Accepted));
    let rejected = count(|judgement| matches!(judgement, Judgement::Rejected(_)));
    let unreadable = count(|judgement| matches!(judgement, Judgement::Unreachable(Fate::Dead(_))));
    let probed = findings.len();
    shared.reach(Step::BeforeFindings);
    let ledger = &shared.pipeline.ledger;
    ledger.record_findings(findings, clock::now()).await?;
    shared.reach(Step::AfterFindings);
    shared.counters.probed.add(probed);
    shared.counters.accepted.add(accepted);
    shared.counters.rejected.add(rejected);
    shared.counters.unreadable.add(unreadable);
    if accepted > 0 {
        shared.to_submit.notify_one();
    }
    shared.to_deliver.notify_one();
    Ok(())
}
