//! The probing stage checks enqueued images.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::{self, JoinError, JoinSet},
    time::{Instant, sleep},
};

use super::{
    Pipeline, Step,
    clock::{self, POLL_INTERVAL},
    facts, failure, files,
    shared::Shared,
};
use crate::{
    error::Error,
    image_url::ImageUrl,
    ledger::{Claimed, Finding, Hold, Judgement, Key, Location, NextStep, Reason, Work},
    spawned::joined,
    verdict::{Decision, Missing, Verdict},
};

/// Number of findings to collect before they are recorded in one call.
const RECORD: usize = 64;

/// Calls of [`record`] at a time. Each waits for a durable write, which the ledger shares among calls.
const RECORDS: usize = 4;

/// The class of an image with an inconclusive verdict.
const UNDECIDED: &str = "probe/undecided";
/// The class of an image that was retried and whose source the ledger does not have.
const NOT_STORED: &str = "source/not-stored";
/// The class of an image whose check panicked.
const PANICKED: &str = "probe/panicked";

pub(super) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let mut probes = Probes::new();
    let mut ended = probes.work(&shared).await;
    // Checks in progress can be repeated at no cost.
    probes.running.abort_all();
    while let Some(found) = probes.running.join_next_with_id().await {
        probes.keep_finding(&shared, found);
    }
    // Not aborted: the ledger may have granted the claim, and only its result names the images to
    // release.
    while let Some(claimed) = probes.claiming.join_next().await {
        let claimed = joined(claimed).flatten();
        ended = ended.and(claimed.map(|images| probes.waiting.extend(images)));
    }
    while let Some(recorded) = probes.recording.join_next().await {
        ended = ended.and(joined(recorded).flatten());
    }
    ended?;
    // Images that were not checked are due for other processes now, not at the end of their lease.
    let ledger = &shared.pipeline.ledger;
    ledger.release(probes.holds(), clock::now()).await?;
    if probes.findings.is_empty() {
        return Ok(());
    }
    record(shared, probes.findings).await
}

/// The checks in progress, and the calls of the ledger before and after them. All three continue at the same time, so
/// that no check waits for the durable write of another.
struct Probes {
    claiming: JoinSet<Result<Vec<Claimed>, Error>>,
    /// Claimed images whose checks have not begun.
    waiting: VecDeque<Claimed>,
    running: JoinSet<Finding>,
    /// The lease and the failed attempts of each image that is checked.
    held: HashMap<task::Id, (Hold, u32)>,
    held_since: Instant,
    findings: Vec<Finding>,
    recording: JoinSet<Result<(), Error>>,
}

impl Probes {
    fn new() -> Self {
        Self {
            claiming: JoinSet::new(),
            waiting: VecDeque::new(),
            running: JoinSet::new(),
            held: HashMap::new(),
            held_since: clock::instant(),
            findings: Vec::new(),
            recording: JoinSet::new(),
        }
    }

    /// Checks images until the run is stopped or a call of the ledger fails.
    async fn work(&mut self, shared: &Arc<Shared>) -> Result<(), Error> {
        let probes = shared.pipeline.settings.probes;
        // Whether there may be images to claim.
        let mut has_more = true;
        while !shared.is_stopping() {
            // Twice as many as are checked at a time, so that checks rarely wait for the ledger.
            let free = (2 * probes).saturating_sub(self.running.len() + self.waiting.len());
            // Claimed in bundles, because each call is one durable write.
            if has_more && self.claiming.is_empty() && free >= probes.div_ceil(2) {
                // A notification during the claim sets it again.
                has_more = false;
                self.claiming.spawn(claim(Arc::clone(shared), free));
            }
            self.keep(shared).await?;
            tokio::select! {
                biased;
                () = shared.stopped() => {}
                Some(claimed) = self.claiming.join_next(), if !self.claiming.is_empty() => {
                    let claimed = joined(claimed).flatten()?;
                    // Less than was asked for is all there was.
                    has_more |= claimed.len() >= probes.div_ceil(2);
                    self.waiting.extend(claimed);
                }
                Some(recorded) = self.recording.join_next(), if !self.recording.is_empty() => {
                    joined(recorded).flatten()?;
                    if self.running.is_empty() {
                        shared.to_settle.notify_one();
                    }
                }
                Some(found) = self.running.join_next_with_id(), if !self.running.is_empty() => {
                    self.keep_finding(shared, found);
                }
                () = shared.to_probe.notified() => has_more = true,
                () = sleep(POLL_INTERVAL) => has_more = true,
            }
            while let Some(found) = self.running.try_join_next_with_id() {
                self.keep_finding(shared, found);
            }
            self.start(shared);
            self.record(shared);
        }
        Ok(())
    }

    /// Starts as many checks as may run at a time.
    fn start(&mut self, shared: &Arc<Shared>) {
        while self.running.len() < shared.pipeline.settings.probes
            && let Some(image) = self.waiting.pop_front()
        {
            let held = (image.hold, image.attempts);
            let probe = self.running.spawn(probe(Arc::clone(shared), image));
            self.held.insert(probe.id(), held);
        }
    }

    /// Begins to record the findings if there are many, or if few checks are left: waiting for a full call would delay
    /// what the next stage can submit.
    fn record(&mut self, shared: &Arc<Shared>) {
        let is_due = self.findings.len() >= RECORD
            || self.running.len() < shared.pipeline.settings.probes / 2;
        if is_due && !self.findings.is_empty() && self.recording.len() < RECORDS {
            let findings = std::mem::take(&mut self.findings);
            self.recording.spawn(record(Arc::clone(shared), findings));
        }
    }

    fn holds(&self) -> Vec<Hold> {
        let waiting = self.waiting.iter().map(|image| image.hold);
        waiting
            .chain(self.held.values().map(|&(hold, _)| hold))
            .collect()
    }

    /// Extends the leases of checks that take long.
    async fn keep(&mut self, shared: &Shared) -> Result<(), Error> {
        let lease = shared.pipeline.settings.lease;
        if self.held_since.elapsed() < lease / 3 {
            return Ok(());
        }
        self.held_since = clock::instant();
        let ledger = &shared.pipeline.ledger;
        ledger
            .extend(self.holds(), lease, clock::now())
            .await
            .map(drop)
    }

    fn keep_finding(&mut self, shared: &Shared, found: Result<(task::Id, Finding), JoinError>) {
        let finding = self.finding(shared, found);
        self.findings.extend(finding);
    }

    /// Returns the finding of a completed check; `None` if the check was aborted.
    fn finding(
        &mut self,
        shared: &Shared,
        found: Result<(task::Id, Finding), JoinError>,
    ) -> Option<Finding> {
        let id = match &found {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        // Its lease stays in `held`, and is released at the end of the run.
        if matches!(&found, Err(error) if error.is_cancelled()) {
            return None;
        }
        let (hold, attempts) = self.held.remove(&id)?;
        Some(found.map_or_else(
            |_panicked| {
                let message = "a mistake in this program kept it from being read".to_owned();
                let reason = failure::reason_of(PANICKED, message);
                unreachable(shared, hold, reason, attempts)
            },
            |(_, finding)| finding,
        ))
    }
}

async fn claim(shared: Arc<Shared>, max: usize) -> Result<Vec<Claimed>, Error> {
    let Pipeline {
        ledger, settings, ..
    } = &shared.pipeline;
    let claims = ledger.claim(Work::Probe, max, settings.lease, clock::now());
    claims.await
}

async fn probe(shared: Arc<Shared>, image: Claimed) -> Finding {
    let hold = image.hold;
    match image.location {
        Location::Url(url) => probe_url(&shared, hold, image.attempts, url, image.facts).await,
        Location::File(path) => match shared.judge_file(path, hold.key).await {
            Ok((verdict, sha256)) => {
                let key = Key::of_content(&shared.pipeline.scope, &sha256);
                // Only while the name rejects the image, the image is not that of the content.
                if key != hold.key && verdict.decision() != Decision::Reject {
                    return finding(hold, Judgement::Renamed(key), None);
                }
                judge(&shared, hold, image.attempts, &verdict)
            }
            Err(reason) => {
                let reason = files::with_host(reason, image.host.as_deref());
                unreachable(&shared, hold, reason, image.attempts)
            }
        },
    }
}

async fn probe_url(
    shared: &Shared,
    hold: Hold,
    attempts: u32,
    url: String,
    facts: Option<String>,
) -> Finding {
    let pipeline = &shared.pipeline;
    let parsed = ImageUrl::parse(&url);
    let key = match &parsed {
        Ok(url) => Key::of_url(&pipeline.scope, url),
        Err(_) => Key::of_text(&pipeline.scope, &url),
    };
    // After a retry: a line without a readable source has only its text here, and a URL with a
    // password is stored without it.
    if key != hold.key {
        let message = "the ledger does not have the source as it was listed: scan the list again";
        let reason = failure::reason_of(NOT_STORED, message.to_owned());
        return finding(hold, Judgement::Rejected(reason), None);
    }
    let url = match parsed {
        Ok(url) => url,
        Err(error) => {
            let verdict = Verdict::of_text(url, &error);
            let reason = failure::reason(&verdict).unwrap_or_else(|| undecided(&verdict));
            return finding(hold, Judgement::Rejected(reason), None);
        }
    };
    let billed = facts.and_then(|facts| facts::billed_by_earlier(&facts, &pipeline.settings));
    // A list must not submit an address of the network that checks it.
    if let Some(billed) = billed.filter(|_| pipeline.probe.allows_literal(&url)) {
        shared.counters.checked_before.add(1);
        return Finding {
            billed,
            ..finding(hold, Judgement::Accepted, None)
        };
    }
    let requirements = &pipeline.settings.requirements;
    if let Ok(verdict) = pipeline.probe.check(&url, requirements).await {
        return judge(shared, hold, attempts, &verdict);
    }
    // Local resources were missing, which does not depend on the image.
    let at = clock::now() + Duration::from_secs(1);
    finding(hold, Judgement::Unreachable(NextStep::Again { at }), None)
}

fn judge<S>(shared: &Shared, hold: Hold, attempts: u32, verdict: &Verdict<S>) -> Finding {
    let settings = &shared.pipeline.settings;
    let max = settings.probe_attempts;
    let judgement = match verdict.decision() {
        Decision::Accept => Judgement::Accepted,
        Decision::Inconclusive => Judgement::Unreachable(failure::retry(
            undecided(verdict),
            attempts,
            max,
            clock::now(),
        )),
        Decision::Reject => {
            let reason = failure::reason(verdict).unwrap_or_else(|| undecided(verdict));
            if failure::may_pass(verdict) {
                Judgement::Unreachable(failure::retry(reason, attempts, max, clock::now()))
            } else {
                Judgement::Rejected(reason)
            }
        }
    };
    let cap = settings.frame_cap;
    Finding {
        billed: facts::billed(verdict, cap),
        ..finding(hold, judgement, Some(facts::of(verdict, settings, cap)))
    }
}

/// Returns the finding for an image that could not be read.
fn unreachable(shared: &Shared, hold: Hold, reason: Reason, attempts: u32) -> Finding {
    let max = shared.pipeline.settings.probe_attempts;
    let next = if files::may_pass(&reason) {
        failure::retry(reason, attempts, max, clock::now())
    } else {
        NextStep::Dead(reason)
    };
    finding(hold, Judgement::Unreachable(next), None)
}

fn undecided<S>(verdict: &Verdict<S>) -> Reason {
    let message = format!("unknown: {}", Missing::in_words(verdict.missing()));
    failure::reason_of(UNDECIDED, message)
}

const fn finding(hold: Hold, judgement: Judgement, facts: Option<String>) -> Finding {
    Finding {
        hold,
        judgement,
        facts,
        billed: 0,
    }
}

async fn record(shared: Arc<Shared>, findings: Vec<Finding>) -> Result<(), Error> {
    let count = |which: fn(&Judgement) -> bool| {
        let chosen = findings.iter().filter(|finding| which(&finding.judgement));
        chosen.count()
    };
    let accepted = count(|judgement| matches!(judgement, Judgement::Accepted));
    let rejected = count(|judgement| matches!(judgement, Judgement::Rejected(_)));
    let unreadable =
        count(|judgement| matches!(judgement, Judgement::Unreachable(NextStep::Dead(_))));
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
