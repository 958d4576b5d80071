//! Counts in bounded memory.

use std::collections::BTreeMap;

use super::{entry::cut, words::grouped};

/// Distinct names that are counted; further ones are counted together.
pub(super) const NAMES: usize = 100;
/// Points of the plot of dimensions that are kept.
const POINTS: usize = 4_096;
/// Download times are counted in steps of so many milliseconds, the last one open.
const TIME_STEP_MS: u64 = 200;
const TIME_STEPS: usize = 16;
/// Sizes are counted in powers of two from 1 KiB, the first and last open.
const SIZE_STEPS: usize = 17;

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
    /// Counts of sizes in bytes.
    pub(super) fn of_sizes() -> Self {
        Self::new(SIZE_STEPS, size_step, size_label)
    }

    /// Counts of times in milliseconds.
    pub(super) fn of_times() -> Self {
        Self::new(TIME_STEPS, |time| time / TIME_STEP_MS, time_label)
    }

    fn new(steps: usize, step: fn(u64) -> u64, label: fn(usize) -> String) -> Self {
        Self {
            counts: vec![0; steps],
            step,
            label,
        }
    }

    pub(super) fn add(&mut self, number: u64) {
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
    pub(super) fn add(&mut self, point: (u32, u32, bool)) {
        if self.seen.is_multiple_of(self.stride) {
            if self.kept.len() == POINTS {
                // Every second point, not the last ones, so that those that are left cover the
                // whole run.
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
