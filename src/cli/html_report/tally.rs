//! Counting a run's lines in bounded memory, however many there are.

use std::collections::{BTreeMap, HashMap};

use super::{
    counts::{Counts, Histogram, Host, NAMES, Points},
    entry::{ReportEntry, cut},
    made::Made,
    rows::{Rows, Thumbnails},
};
use crate::cli::outcome::ScanOutcome;
use greenlight::Severity;

/// Hosts that are counted.
const HOSTS: usize = 50_000;

/// The counts of a run.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) total: u64,
    /// Images that were checked: those that could be read.
    pub(super) checked: u64,
    pub(super) bytes: u64,
    pub(super) decisions: Counts,
    pub(super) outcomes: Counts,
    pub(super) formats: Counts,
    pub(super) rejecting: Counts,
    pub(super) warning: Counts,
    pub(super) made: Made,
    pub(super) scenes: BTreeMap<String, Counts>,
    pub(super) sizes: Histogram,
    pub(super) times: Histogram,
    pub(super) points: Points,
    hosts: HashMap<String, Host>,
    pub(super) other_hosts: u64,
    pub(super) rows: Rows,
    /// Images that are not done yet.
    pub(super) pending: u64,
    /// Those of them that were submitted.
    pub(super) waiting: u64,
    /// Lines of the input that could not be read, the first of them with its number and reason.
    pub(super) unreadable: u64,
    pub(super) first_unreadable: Option<(u64, String)>,
}

impl Tally {
    pub(super) fn new(thumbnails: Thumbnails) -> Self {
        Self {
            total: 0,
            checked: 0,
            bytes: 0,
            decisions: Counts::default(),
            outcomes: Counts::default(),
            formats: Counts::default(),
            rejecting: Counts::default(),
            warning: Counts::default(),
            made: Made::default(),
            scenes: BTreeMap::new(),
            sizes: Histogram::of_sizes(),
            times: Histogram::of_times(),
            points: Points::default(),
            hosts: HashMap::new(),
            other_hosts: 0,
            rows: Rows::new(thumbnails),
            pending: 0,
            waiting: 0,
            unreadable: 0,
            first_unreadable: None,
        }
    }

    pub(super) fn add(&mut self, entry: &ReportEntry) {
        self.count(entry);
        self.add_host(entry);
        if !entry.is_fine() {
            self.rows.add(entry);
        }
    }

    pub(super) fn add_pending(&mut self, mut entry: ReportEntry) {
        // What has no result yet has no outcome, as `status` counts it.
        let is_waiting = entry.outcome.take().as_deref() == Some(ScanOutcome::Undecided.name());
        self.count(&entry);
        self.pending = self.pending.saturating_add(1);
        self.waiting = self.waiting.saturating_add(is_waiting.into());
    }

    fn count(&mut self, entry: &ReportEntry) {
        self.total = self.total.saturating_add(1);
        self.checked = self.checked.saturating_add(entry.was_checked().into());
        self.decisions.add(&entry.decision);
        if let Some(outcome) = &entry.outcome {
            self.outcomes.add(outcome);
        }
        self.formats
            .add(entry.format.as_deref().unwrap_or("unknown"));
        for (code, severity) in entry.codes() {
            let counts = match severity {
                Severity::Warn => &mut self.warning,
                Severity::Reject => &mut self.rejecting,
            };
            counts.add(code);
        }
        self.made.add(entry);
        for result in entry.results.iter().flatten() {
            let scene = cut(&result.scene, 60);
            if self.scenes.len() < NAMES || self.scenes.contains_key(&scene) {
                self.scenes
                    .entry(scene)
                    .or_default()
                    .add(&result.suggestion);
            }
        }
        if let Some(bytes) = entry.bytes {
            self.bytes = self.bytes.saturating_add(bytes);
            self.sizes.add(bytes);
        }
        if let Some(elapsed) = entry
            .download
            .as_ref()
            .and_then(|download| download.elapsed_ms)
        {
            self.times.add(elapsed);
        }
        if let (Some(width), Some(height)) = (entry.width, entry.height) {
            self.points.add((width, height, entry.decision == "accept"));
        }
    }

    pub(super) fn add_unreadable(&mut self, line: u64, reason: String) {
        self.unreadable = self.unreadable.saturating_add(1);
        self.first_unreadable.get_or_insert((line, reason));
    }

    /// Returns a message about the lines that could not be read, if there were any.
    pub(super) fn complaint(&self) -> Option<String> {
        let (line, reason) = self.first_unreadable.as_ref()?;
        let lines = self.unreadable;
        Some(format!(
            "cannot read every line: lines without a result: {lines}, the first is line {line}: {reason}"
        ))
    }

    fn add_host(&mut self, entry: &ReportEntry) {
        let Some(name) = entry.host() else { return };
        if self.hosts.len() >= HOSTS && !self.hosts.contains_key(&name) {
            self.other_hosts = self.other_hosts.saturating_add(1);
            return;
        }
        let host = self.hosts.entry(name).or_default();
        host.total = host.total.saturating_add(1);
        if entry.decision != "accept" {
            host.failed = host.failed.saturating_add(1);
        }
    }

    /// The hosts with most failures, without those that have none.
    pub(super) fn worst_hosts(&self, most: usize) -> Vec<(String, Host)> {
        let mut hosts: Vec<_> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.failed > 0)
            .map(|(name, host)| (name.clone(), *host))
            .collect();
        // By name where the counts are equal, so that the same lines give the same page.
        hosts.sort_by(|one, other| {
            other
                .1
                .failed
                .cmp(&one.1.failed)
                .then_with(|| one.0.cmp(&other.0))
        });
        hosts.truncate(most);
        hosts
    }
}
