//! The limits of each API, and when results are polled by default.

use std::time::Duration;

use super::task::{Batch, Task};

/// The limits of an API.
///
/// ```
/// use greenlight::green::Terms;
///
/// /// The number of requests that submit so many images.
/// fn requests(images: usize, terms: &Terms) -> usize {
///     images.div_ceil(terms.max_tasks)
/// }
///
/// assert_eq!(requests(1_000, &Terms::V1), 20);
/// assert_eq!(requests(1_000, &Terms::V2), 1_000);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The maximum number of images in one submission.
    pub max_tasks: usize,
    /// The maximum number of tasks in one request for results.
    pub max_results: usize,
    /// The maximum number of frames of an animation that are scanned by default.
    pub frame_cap: u32,
    /// Default limits of an account: the images submitted per second, and the requests for results
    /// it may make.
    pub per_second: u32,
    /// How long the service keeps results.
    pub retention: Duration,
    /// How long after its submission a task may be missing from the results before it counts as
    /// expired, if that is before the end of the retention.
    pub missing_for: Duration,
    /// The interval between a submission and its first poll, and the shortest between polls.
    pub poll_interval: Duration,
    /// The longest interval between polls: it grows with the age of a task, to half of it. With
    /// zero it does not grow.
    pub max_poll_interval: Duration,
    /// Default number of requests in flight.
    pub in_flight: usize,
}

impl Terms {
    /// The terms of 1.0 (asynchronous moderation page, 2026-03; pages on the operations' limits,
    /// 70409 and 84456).
    pub const V1: Self = Self {
        max_tasks: Batch::MAX,
        max_results: 100,
        frame_cap: Task::FRAME_CAP,
        per_second: 50,
        retention: Duration::from_secs(60 * 60),
        // A result that 1.0 no longer has is reported with code 594, so absence means nothing.
        missing_for: Duration::MAX,
        poll_interval: Duration::from_secs(5),
        max_poll_interval: Duration::ZERO,
        in_flight: 8,
    };

    /// The terms of 2.0 (pages 467826, 2638108 and 2669855, 2026). A large model (`…ByVL`) accepts
    /// ten calls per second only. No page states an interval for polls, or how many asynchronous
    /// submissions per second are accepted: the rate is that of `ImageModeration` and
    /// `DescribeImageModerationResult`. Of two statements on how long results are kept, three days
    /// is the shorter.
    pub const V2: Self = Self {
        max_tasks: 1,
        max_results: 1,
        // The name of the parameter that selects more frames is documented on no page.
        frame_cap: 1,
        per_second: 100,
        retention: Duration::from_secs(3 * 24 * 60 * 60),
        missing_for: Duration::from_secs(60 * 60),
        poll_interval: Duration::from_secs(5),
        max_poll_interval: Duration::from_secs(30),
        // More than in 1.0, because each request has one image only.
        in_flight: 64,
    };
}

/// Returns the delay between a poll and the next, for a task of this age.
pub(crate) fn poll_delay(age: Duration, shortest: Duration, longest: Duration) -> Duration {
    // `max` is last: without a longest interval, as in 1.0, the shortest applies.
    (age / 2).min(longest).max(shortest)
}

/// When results are polled.
#[derive(Clone, Debug)]
pub(super) struct PollConfig {
    /// The delay before the first request, and the shortest between requests.
    pub(super) interval: Duration,
    /// The longest delay between requests.
    pub(super) max_interval: Duration,
    /// The time limit for all polling.
    pub(super) limit: Duration,
    /// How long the service keeps results.
    pub(super) kept: Duration,
    /// The time for which a task may be missing from the results.
    pub(super) missing_for: Duration,
}

impl PollConfig {
    pub(super) const fn of(terms: &Terms) -> Self {
        Self {
            interval: terms.poll_interval,
            max_interval: terms.max_poll_interval,
            limit: terms.retention,
            kept: terms.retention,
            missing_for: terms.missing_for,
        }
    }
}
