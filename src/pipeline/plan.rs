//! The dry run: what a run would do and cost, without an account.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Line, facts};
use crate::{
    error::Error,
    green::Batch,
    image_url::ImageUrl,
    ledger::{Key, Scope},
    probe::{Checks, Probe},
    requirements::Requirements,
    verdict::{Code, Decision, Verdict, Violation},
};

/// What a run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    lines: u64,
    duplicates: u64,
    accepted: u64,
    rejected: u64,
    undecided: u64,
    unreadable: u64,
    billed_per_scene: u64,
    scenes: u64,
    violations: BTreeMap<&'static str, u64>,
}

impl Plan {
    /// Lines read.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Lines whose image stood on a line before: paid for once.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Images that would be submitted.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Images that would be rejected.
    pub const fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Images that could not be decided on.
    pub const fn undecided(&self) -> u64 {
        self.undecided
    }

    /// Images that this machine could not ask for.
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Requests to submit.
    pub fn requests(&self) -> u64 {
        self.accepted
            .div_ceil(u64::try_from(Batch::MAX).unwrap_or(u64::MAX))
    }

    /// Images that would be billed for each scene, at most: each frame that is looked at counts.
    pub const fn billed_per_scene(&self) -> u64 {
        self.billed_per_scene
    }

    /// Images that would be billed for all scenes, at most.
    pub const fn billed(&self) -> u64 {
        self.billed_per_scene.saturating_mul(self.scenes)
    }

    /// What it would cost at most, at `price` for a thousand images of one scene, in the same unit
    /// as the price (the smallest of a currency, to be exact), rounded up.
    pub const fn cost(&self, price: u64) -> u64 {
        self.billed().saturating_mul(price).div_ceil(1000)
    }

    /// How many images have a violation of each code, warnings included.
    pub const fn violations(&self) -> &BTreeMap<&'static str, u64> {
        &self.violations
    }

    fn add(&mut self, verdict: Verdict<ImageUrl>) {
        self.note(&verdict);
        let (_, task) = facts::of(verdict);
        if let Some(task) = task {
            self.billed_per_scene = self.billed_per_scene.saturating_add(task.billed().into());
        }
    }

    fn note<S>(&mut self, verdict: &Verdict<S>) {
        let count = match verdict.decision() {
            Decision::Accept => &mut self.accepted,
            Decision::Reject => &mut self.rejected,
            Decision::Inconclusive => &mut self.undecided,
        };
        *count = count.saturating_add(1);
        let codes: HashSet<Code> = verdict.violations().iter().map(Violation::code).collect();
        for code in codes {
            let count = self.violations.entry(code.name()).or_default();
            *count = count.saturating_add(1);
        }
    }
}

/// A dry run at work.
#[derive(Debug)]
pub struct Planning {
    checks: Checks<Lines>,
    tally: Arc<Mutex<Plan>>,
}

impl Plan {
    /// Starts a dry run over a list. Nothing is submitted and nothing is kept but the keys of the
    /// images, 16 bytes each, to find duplicates by.
    ///
    /// ```no_run
    /// # use greenlight::{Probe, Requirements, ledger::Scope, pipeline::{Line, Plan}};
    /// # async fn example(lines: Vec<Line>) -> Result<(), greenlight::Error> {
    /// let scope = Scope::new("", "", &["porn", "ad"]);
    /// let mut planning = Plan::start(&Probe::new(), &Requirements::ASYNC, &scope, lines);
    /// while planning.advance().await? {}
    /// let plan = planning.plan();
    /// println!("{} of {} would be submitted", plan.accepted(), plan.lines());
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<L>(probe: &Probe, requirements: &Requirements, scope: &Scope, lines: L) -> Planning
    where
        L: IntoIterator<Item = Line>,
        L::IntoIter: Send + 'static,
    {
        let plan = Self {
            scenes: u64::try_from(scope.scenes().len()).unwrap_or(u64::MAX),
            ..Self::default()
        };
        let tally = Arc::new(Mutex::new(plan));
        let lines = Lines {
            list: Box::new(lines.into_iter()),
            seen: HashSet::new(),
            scope: scope.clone(),
            tally: Arc::clone(&tally),
        };
        Planning {
            checks: probe.check_all(lines, requirements),
            tally,
        }
    }
}

impl Planning {
    /// Waits for one more image to be judged; `false` when there is none left.
    ///
    /// # Errors
    ///
    /// None so far: an image that this machine could not ask for is counted as
    /// [`unreadable`](Plan::unreadable).
    pub async fn advance(&mut self) -> Result<bool, Error> {
        let Some(checked) = self.checks.next().await else {
            return Ok(false);
        };
        let mut plan = lock(&self.tally);
        match checked {
            Ok(verdict) => plan.add(verdict),
            Err(_) => plan.unreadable = plan.unreadable.saturating_add(1),
        }
        Ok(true)
    }

    /// What is known so far.
    pub fn plan(&self) -> Plan {
        lock(&self.tally).clone()
    }
}

fn lock(tally: &Mutex<Plan>) -> std::sync::MutexGuard<'_, Plan> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The distinct URLs of a list. Lines that hold none are judged on the way.
struct Lines {
    list: Box<dyn Iterator<Item = Line> + Send>,
    seen: HashSet<[u8; 16]>,
    scope: Scope,
    tally: Arc<Mutex<Plan>>,
}

impl Iterator for Lines {
    type Item = ImageUrl;

    fn next(&mut self) -> Option<ImageUrl> {
        loop {
            let line = self.list.next()?;
            let parsed = ImageUrl::parse(&line.url);
            let key = match &parsed {
                Ok(url) => Key::of_url(&self.scope, url),
                Err(_) => Key::of_text(&self.scope, &line.url),
            };
            let mut plan = lock(&self.tally);
            plan.lines = plan.lines.saturating_add(1);
            let head = key.as_bytes().first_chunk().copied().unwrap_or_default();
            if !self.seen.insert(head) {
                plan.duplicates = plan.duplicates.saturating_add(1);
                continue;
            }
            match parsed {
                Ok(url) => return Some(url),
                Err(error) => plan.note(&Verdict::of_text(line.url, &error)),
            }
        }
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}
