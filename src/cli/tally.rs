//! What a run printed, counted for its summary and its exit code.

use std::collections::BTreeMap;

use super::{
    exit::Exit,
    outcome::{ScanOutcome, ScanReport},
    report::Report,
};
use greenlight::{CodeCounts, Decision};

/// Counts over all sources.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    outcomes: BTreeMap<ScanOutcome, u64>,
    decisions: BTreeMap<Decision, u64>,
    codes: CodeCounts,
    worst: Exit,
    /// What was printed for lines without a source.
    bad: u64,
    left: String,
}

impl Tally {
    pub(crate) fn add(&mut self, report: &Report) {
        self.worst = self.worst.max(report.exit());
        self.count(report);
    }

    /// Counts what was printed for lines of a list without a source, which are no sources.
    pub(crate) fn add_bad(&mut self, exit: Exit) {
        self.worst = self.worst.max(exit);
        self.bad = self.bad.saturating_add(1);
    }

    pub(crate) const fn bad(&self) -> u64 {
        self.bad
    }

    /// All that was printed.
    pub(crate) fn printed(&self) -> u64 {
        self.sources().saturating_add(self.bad)
    }

    pub(crate) fn add_scan(&mut self, report: &ScanReport) {
        self.worst = self.worst.max(report.exit());
        count(&mut self.outcomes, report.outcome);
        self.count(&report.check);
    }

    /// Notes how many sources are not done at the end, if that is known exactly.
    pub(crate) fn leave(&mut self, sources: u64, is_exact: bool) {
        let at_least = if is_exact { "" } else { "at least " };
        self.left = format!("{at_least}{sources}");
    }

    /// How much was done before the end, and how much was not.
    pub(crate) fn progress(&self) -> String {
        format!("{} done, {} left", self.printed(), self.left)
    }

    fn count(&mut self, report: &Report) {
        count(&mut self.decisions, report.summary.decision);
        self.codes.add(&report.summary.violations);
    }

    pub(crate) fn sources(&self) -> u64 {
        self.decisions.values().sum()
    }

    pub(crate) fn decisions(&self) -> impl Iterator<Item = (Decision, u64)> {
        self.decisions
            .iter()
            .map(|(decision, times)| (*decision, *times))
    }

    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (ScanOutcome, u64)> {
        self.outcomes
            .iter()
            .map(|(outcome, times)| (*outcome, *times))
    }

    pub(crate) const fn codes(&self) -> &CodeCounts {
        &self.codes
    }

    /// How the worst of them lets the command end.
    pub(crate) const fn exit(&self) -> Exit {
        self.worst
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    let times = counts.entry(key).or_default();
    *times = times.saturating_add(1);
}
