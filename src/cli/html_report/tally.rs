//! Counting a run's lines in bounded memory, however many there are.

use std::collections::{BTreeMap, HashMap};

use super::{
    entry::{ReportEntry, cut},
    made::Made,
    page::Thumbnails,
    rows::Rows,
    words::grouped,
};
use greenlight::Severity;

/// Distinct names that are counted; further ones are counted together.
const NAMES: usize = 100;
/// Hosts that are counted.
const HOSTS: usize = 50_000;
/// Points of the plot of dimensions that are kept.
const POINTS: usize = 4_096;
/// Download times are counted in steps of so many milliseconds, the last one open.
const TIME_STEP_MS: u64 = 200;
const TIME_STEPS: usize = 16;
/// Sizes are counted in powers of two from 1 KiB, the first and last open.
const SIZE_STEPS: usize = 17;

/// The decision on images that were not checked yet.
pub(super) const NOT_CHECKED: &str = "not checked yet";

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
    /// Lines of the input that could not be read, the first of them with its number and reason.
    pub(super) unreadable: u64,
    pub(super) first_unreadable: Option<(u64, String)>,
}

/// Counts by name; the number of names is bounded, because they come from a file.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub(super) fn add(&mut self, name: &str) {
        let name = match name {
            "" => "(none)",
            name if self.0.len() < NAMES || self.0.contains_key(name) => name,
            _ => "(others)",
        };
        *self.0.entry(cut(name, 120)).or_default() += 1;
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

/// Counts by steps of a number.
#[derive(Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    step: fn(u64) -> u64,
    label: fn(usize) -> String,
}

impl Histogram {
    fn new(steps: usize, step: fn(u64) -> u64, label: fn(usize) -> String) -> Self {
        Self {
            counts: vec![0; steps],
            step,
            label,
        }
    }

    fn add(&mut self, number: u64) {
        let last = self.counts.len().saturating_sub(1);
        let step = usize::try_from((self.step)(number)).map_or(last, |step| step.min(last));
        if let Some(count) = self.counts.get_mut(step) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Returns the number that a step begins at.
    pub(super) fn label(&self, step: usize) -> String {
        (self.label)(step)
    }
}

/// A host's share of the run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Host {
    pub(super) total: u64,
    pub(super) failed: u64,
}

/// Widths and heights; beyond a bound every second one is dropped.
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

    /// One point in so many is kept.
    pub(super) const fn stride(&self) -> u64 {
        self.stride
    }
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
            sizes: Histogram::new(SIZE_STEPS, size_step, size_label),
            times: Histogram::new(TIME_STEPS, |time| time / TIME_STEP_MS, time_label),
            points: Points::default(),
            hosts: HashMap::new(),
            other_hosts: 0,
            rows: Rows::new(thumbnails),
            pending: 0,
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

    pub(super) fn add_pending(&mut self, entry: &ReportEntry) {
        self.count(entry);
        self.pending = self.pending.saturating_add(1);
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

/// The size that a step begins at.
fn size_label(step: usize) -> String {
    let open = if step + 1 == SIZE_STEPS {
        "\u{2265}"
    } else {
        ""
    };
    match step {
        0 => "0".to_owned(),
        1..=10 => format!("{open}{} KiB", 1_u64 << (step - 1)),
        _ => format!("{open}{} MiB", 1_u64 << (step - 11)),
    }
}

/// The time that a step begins at, in milliseconds.
fn time_label(step: usize) -> String {
    let open = if step + 1 == TIME_STEPS {
        "\u{2265}"
    } else {
        ""
    };
    let from = u64::try_from(step).unwrap_or_default() * TIME_STEP_MS;
    format!("{open}{}", grouped(from))
}
