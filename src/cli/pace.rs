//! The rate of a run and the time that is left, as every command shows them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime},
};

use super::{clock, duration};
use crate::ledger::Stats;

/// The span over which a rate is measured, as `status` measures it.
const WINDOW: Duration = Duration::from_secs(60);

/// Interval between two samples.
const SAMPLE: Duration = Duration::from_secs(1);

/// Number of estimates. One is shown only if it is not above the oldest of them.
const STEADY: usize = 5;

/// The rate of a count over the last minute, and an estimate from it.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Counts and their times, the oldest first.
    samples: VecDeque<(Instant, u64)>,
    /// The latest estimates of the time left, in seconds, the oldest first.
    estimates: VecDeque<u64>,
}

impl Pace {
    pub(crate) fn start() -> Self {
        Self::start_from(0)
    }

    /// Starts with a count that is not part of the rate.
    pub(crate) fn start_from(done: u64) -> Self {
        Self {
            samples: VecDeque::from([(clock::instant(), done)]),
            estimates: VecDeque::new(),
        }
    }

    /// Returns `, 45/s, 2m left` for the counts that are done and, if it is known, left to do.
    pub(crate) fn read(&mut self, done: u64, left: Option<u64>) -> String {
        self.read_at(clock::instant(), done, left)
    }

    fn read_at(&mut self, now: Instant, done: u64, left: Option<u64>) -> String {
        let is_due = self
            .samples
            .back()
            .is_none_or(|(at, _)| now.saturating_duration_since(*at) >= SAMPLE);
        // The last sample before the window is kept, so that the span covers the whole window.
        while self.samples.len() > 1
            && let Some((at, _)) = self.samples.get(1)
            && now.saturating_duration_since(*at) >= WINDOW
        {
            self.samples.pop_front();
        }
        let (began, before) = self.samples.front().copied().unwrap_or((now, done));
        let rate = Rate {
            count: done.saturating_sub(before),
            span: now.saturating_duration_since(began),
        };
        let seconds = left.and_then(|left| rate.seconds_for(left));
        if is_due {
            self.samples.push_back((now, done));
            match seconds {
                Some(seconds) => self.estimates.push_back(seconds),
                None => self.estimates.clear(),
            }
            while self.estimates.len() > STEADY {
                self.estimates.pop_front();
            }
        }
        let mut text = format!(", {rate}");
        let is_rising = |seconds| self.estimates.front().is_some_and(|first| seconds > *first);
        if let Some(seconds) = seconds
            && seconds > 0
            && !is_rising(seconds)
        {
            text.push_str(", ");
            text.push_str(&duration::rough(Duration::from_secs(seconds)));
            text.push_str(" left");
        }
        text
    }
}

/// A count in a span of time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    pub(crate) count: u64,
    pub(crate) span: Duration,
}

impl Rate {
    /// The rate of submissions in the last minute that a ledger records. Progress leaves the images
    /// of the first request out too.
    pub(crate) fn of_submissions(stats: &Stats, now: SystemTime) -> Self {
        let since = stats.sending_since.unwrap_or(now);
        Self {
            count: stats.sent_since_first,
            span: now.duration_since(since).unwrap_or_default(),
        }
    }

    /// Per second, rounded to a tenth.
    pub(crate) fn per_second(self) -> f64 {
        f64::from(u32::try_from(self.tenths()).unwrap_or(u32::MAX)) / 10.0
    }

    fn tenths(self) -> u64 {
        let millis = u64::try_from(self.span.as_millis()).unwrap_or(u64::MAX);
        self.count.saturating_mul(10_000) / millis.max(1)
    }

    /// The time that so many more take; none if nothing was counted.
    pub(crate) fn seconds_for(self, left: u64) -> Option<u64> {
        let millis = u64::try_from(self.span.as_millis()).unwrap_or(u64::MAX);
        let all = left.saturating_mul(millis);
        (self.count > 0).then(|| all.div_ceil(self.count).div_ceil(1_000))
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = self.tenths();
        if tenths >= 100 || tenths.is_multiple_of(10) {
            write!(f, "{}/s", tenths / 10)
        } else {
            write!(f, "{}.{}/s", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown after each of the counts, a second apart.
    fn shown(counts: &[(u64, Option<u64>)]) -> Vec<String> {
        let mut pace = Pace::start();
        let began = pace.samples.front().unwrap().0;
        let mut at = began;
        let counts = counts.iter().map(|(done, left)| {
            at += Duration::from_secs(1);
            pace.read_at(at, *done, *left)
        });
        counts.collect()
    }

    #[test]
    fn the_rate_and_the_time_left_are_shown() {
        assert_eq!(shown(&[(0, Some(10))]), [", 0/s"]);
        assert_eq!(shown(&[(45, Some(90))]), [", 45/s, 2s left"]);
        assert_eq!(shown(&[(45, Some(0))]), [", 45/s"]);
        assert_eq!(shown(&[(45, None)]), [", 45/s"]);
        assert_eq!(shown(&[(1, None), (3, None)]), [", 1/s", ", 1.5/s"]);
        let huge = shown(&[(1, Some(u64::MAX))]);
        assert!(huge[0].starts_with(", 1/s, "), "{huge:?}");
    }

    #[test]
    fn a_rising_estimate_is_hidden() {
        let slower: Vec<_> = (1..20).map(|second| (100 + second, Some(10_000))).collect();
        let shown_slower = shown(&slower);
        let with_time = shown_slower.iter().filter(|text| text.contains("left"));
        assert_eq!(with_time.count(), 1, "the first alone: {shown_slower:?}");
        let steady: Vec<_> = (1..20).map(|s| (s * 100, Some(10_000 - s * 100))).collect();
        let shown_steady = shown(&steady);
        assert!(
            shown_steady.iter().all(|text| text.contains("left")),
            "{shown_steady:?}"
        );
    }

    /// Requests with 100 images each, at these seconds, as progress and `status` count them.
    #[test]
    fn progress_and_status_agree() {
        let epoch = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for sent in [
            &[0][..],
            &[0, 2, 4, 6, 8],
            &[0, 10, 20, 30, 40, 50, 60, 70, 80],
        ] {
            let mut pace = Pace::start_from(100);
            let began = pace.samples.front().unwrap().0;
            for second in 1..=100_u64 {
                let done = sent.iter().filter(|at| **at <= second).count();
                let done = u64::try_from(done * 100).unwrap();
                let shown = pace.read_at(began + Duration::from_secs(second), done, None);
                let recent: Vec<_> = sent
                    .iter()
                    .filter(|at| **at <= second && **at + 60 > second)
                    .collect();
                let mut stats = Stats::default();
                if let Some(first) = recent.first() {
                    stats.sending_since = Some(epoch + Duration::from_secs(**first));
                    stats.sent_since_first = u64::try_from((recent.len() - 1) * 100).unwrap();
                }
                let status = Rate::of_submissions(&stats, epoch + Duration::from_secs(second));
                let progress = shown.trim_start_matches(", ").trim_end_matches("/s");
                let progress: f64 = progress.parse().unwrap();
                let status = status.per_second();
                // The window of progress begins between two requests, that of `status` at one,
                // which it does not count. Both are rounded to a tenth.
                let one_request = 100.0 / 60.0;
                let tolerance = if second < 60 { 1.0 } else { one_request + 0.2 };
                assert!(
                    (progress - status).abs() <= tolerance,
                    "{sent:?} after {second} s: {progress} and {status}"
                );
            }
        }
    }

    #[test]
    fn the_rate_is_that_of_the_last_minute() {
        let counts: Vec<_> = (1..=200_u64).map(|s| (s.min(100) * 10, None)).collect();
        let shown = shown(&counts);
        assert_eq!(shown[99], ", 10/s");
        assert_eq!(shown[199], ", 0/s");
    }
}
