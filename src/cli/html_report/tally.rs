//! Counting a run's lines in bounded memory, however many there are.

use std::collections::{BTreeMap, HashMap};

use super::entry::{Entry, Listed, cut};
use crate::verdict::Severity;

/// More different names than this are counted together.
const NAMES: usize = 100;
/// More hosts than this are counted together.
const HOSTS: usize = 50_000;
/// The most lines that are listed.
const LISTED: usize = 2_000;
/// The most points in the plot of dimensions.
const POINTS: usize = 4_096;
/// A download's time is counted in steps of this many milliseconds, the last one open.
pub(super) const TIME_STEP_MS: u64 = 200;
const TIME_STEPS: usize = 16;
/// Sizes are counted in powers of two from 1 KiB, the first and last open.
const SIZE_STEPS: usize = 17;

/// The decision on images that were not checked yet.
pub(super) const NOT_CHECKED: &str = "not checked yet";

/// What a run's lines add up to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) total: u64,
    pub(super) bytes: u64,
    pub(super) decisions: Counts,
    pub(super) outcomes: Counts,
    pub(super) formats: Counts,
    pub(super) rejecting: Counts,
    pub(super) warning: Counts,
    pub(super) scenes: BTreeMap<String, Counts>,
    pub(super) sizes: [u64; SIZE_STEPS],
    pub(super) times: [u64; TIME_STEPS],
    pub(super) points: Points,
    hosts: HashMap<String, Host>,
    pub(super) other_hosts: u64,
    pub(super) listed: Vec<Listed>,
    pub(super) not_fine: u64,
    /// Images that are not done yet.
    pub(super) pending: u64,
    /// Lines of the input that could not be read, the first of them with its number and reason.
    pub(super) unreadable: u64,
    pub(super) first_unreadable: Option<(u64, String)>,
}

/// How often each name occurred; bounded, as names come from a file.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<String, u64>);

impl Counts {
    fn add(&mut self, name: &str) {
        let name = match name {
            "" => "(none)",
            name if self.0.len() < NAMES || self.0.contains_key(name) => name,
            _ => "(others)",
        };
        *self.0.entry(cut(name, 60)).or_default() += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Most frequent first.
    pub(super) fn sorted(&self) -> Vec<(String, u64)> {
        let mut counts: Vec<_> = self
            .0
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .collect();
        counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        counts
    }
}

/// A host's share of the run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Host {
    pub(super) total: u64,
    pub(super) failed: u64,
}

/// Widths and heights, thinned evenly when there are too many to draw.
#[derive(Debug)]
pub(super) struct Points {
    kept: Vec<(u32, u32, bool)>,
    stride: u64,
    seen: u64,
}

impl Default for Points {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            stride: 1,
            seen: 0,
        }
    }
}

impl Points {
    fn add(&mut self, point: (u32, u32, bool)) {
        if self.seen.is_multiple_of(self.stride) {
            if self.kept.len() == POINTS {
                let mut keep = false;
                self.kept.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.stride = self.stride.saturating_mul(2);
            }
            self.kept.push(point);
        }
        self.seen = self.seen.saturating_add(1);
    }

    /// Width, height and whether the image was accepted.
    pub(super) fn kept(&self) -> &[(u32, u32, bool)] {
        &self.kept
    }

    /// One in so many is kept.
    pub(super) const fn stride(&self) -> u64 {
        self.stride
    }
}

impl Tally {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.count(entry);
        self.add_host(entry);
        if !entry.is_fine() {
            self.not_fine = self.not_fine.saturating_add(1);
            if self.listed.len() < LISTED {
                self.listed.push(Listed::of(entry));
            }
        }
    }

    pub(super) fn add_pending(&mut self, entry: &Entry) {
        self.count(entry);
        self.pending = self.pending.saturating_add(1);
    }

    fn count(&mut self, entry: &Entry) {
        self.total = self.total.saturating_add(1);
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
            bump(&mut self.sizes, size_step(bytes));
        }
        if let Some(elapsed) = entry
            .download
            .as_ref()
            .and_then(|download| download.elapsed_ms)
        {
            bump(&mut self.times, elapsed / TIME_STEP_MS);
        }
        if let (Some(width), Some(height)) = (entry.width, entry.height) {
            self.points.add((width, height, entry.decision == "accept"));
        }
    }

    /// How many images have a decision.
    pub(super) fn checked(&self) -> u64 {
        self.total.saturating_sub(self.decisions.get(NOT_CHECKED))
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
            "cannot read every line: {lines} are no results, the first is line {line}: {reason}"
        ))
    }

    fn add_host(&mut self, entry: &Entry) {
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

    /// The hosts with most failures, and only such that have one.
    pub(super) fn worst_hosts(&self, most: usize) -> Vec<(String, Host)> {
        let mut hosts: Vec<_> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.failed > 0)
            .map(|(name, host)| (name.clone(), *host))
            .collect();
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

/// The step of a size: 0 below 1 KiB, then one for each power of two.
fn size_step(bytes: u64) -> u64 {
    (bytes >> 10)
        .checked_ilog2()
        .map_or(0, |power| u64::from(power) + 1)
}

/// What a step of the sizes is called: the size it begins at.
pub(super) fn size_label(step: usize) -> String {
    match step {
        0 => "<1K".to_owned(),
        1..=10 => format!("{}K", 1_u64 << (step - 1)),
        _ => format!("{}M", 1_u64 << (step - 11)),
    }
}

fn bump(steps: &mut [u64], step: u64) {
    let last = steps.len().saturating_sub(1);
    let step = usize::try_from(step).unwrap_or(last).min(last);
    if let Some(count) = steps.get_mut(step) {
        *count = count.saturating_add(1);
    }
}
