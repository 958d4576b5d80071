//! How fast requests are made: account-wide limits, shared by all clones of a client.

use std::{
    num::NonZeroU32,
    sync::{Mutex as StdMutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock as GovernorClock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use super::{clock, retry::Effect};

/// Limits on paid requests and their images, and apart from them on all other requests: the service
/// counts each operation by itself, and a question for outcomes must not wait behind submissions
/// until they expire.
#[derive(Debug)]
pub(super) struct Pace {
    paid: Lane,
    free: Lane,
}

/// Limits on requests and on images, and how far they are slowed.
#[derive(Debug)]
pub(super) struct Lane {
    requests: Limit,
    images: Limit,
    slowness: StdMutex<Slowness>,
}

/// One limit by the generic cell rate algorithm.
#[derive(Debug)]
struct Limit {
    cells: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>,
    rate: NonZeroU32,
    /// Held while waiting, so that those who came first go first.
    turn: Mutex<()>,
}

impl Pace {
    pub(super) fn new(requests: NonZeroU32, images: NonZeroU32) -> Self {
        Self {
            paid: Lane::new(requests, images),
            free: Lane::new(requests, images),
        }
    }

    /// The lane of calls of this effect.
    pub(super) const fn of(&self, effect: Effect) -> &Lane {
        match effect {
            Effect::Paid => &self.paid,
            Effect::Repeatable => &self.free,
        }
    }
}

impl Lane {
    fn new(requests: NonZeroU32, images: NonZeroU32) -> Self {
        let ticks = Ticks {
            start: clock::instant(),
        };
        Self {
            requests: Limit::new(requests, ticks),
            images: Limit::new(images, ticks),
            slowness: StdMutex::new(Slowness::NONE),
        }
    }

    /// Waits until a request with this many images may be sent.
    pub(super) async fn admit(&self, images: u32) {
        let slowness = self.slowness(|slowness| {
            slowness.recover(clock::instant());
            slowness.factor
        });
        self.images.take(images, slowness).await;
        self.requests.take(1, slowness).await;
    }

    /// Halves the pace: the service said that it is too fast.
    pub(super) fn slow_down(&self) {
        self.slowness(|slowness| slowness.double(clock::instant()));
    }

    fn slowness<T>(&self, act: impl FnOnce(&mut Slowness) -> T) -> T {
        act(&mut self.slowness.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Limit {
    fn new(rate: NonZeroU32, ticks: Ticks) -> Self {
        Self {
            cells: RateLimiter::direct_with_clock(Quota::per_second(rate), ticks),
            rate,
            turn: Mutex::new(()),
        }
    }

    /// Takes `count` cells at `slowness` times their price. What costs more than a second's worth
    /// is taken in parts.
    async fn take(&self, count: u32, slowness: u32) {
        let mut left = count.saturating_mul(slowness);
        let _turn = self.turn.lock().await;
        while let Some(part) = NonZeroU32::new(left.min(self.rate.get())) {
            match self.cells.check_n(part) {
                Ok(Ok(())) => left -= part.get(),
                Ok(Err(not_until)) => {
                    sleep(not_until.wait_time_from(self.cells.clock().now())).await;
                }
                // A part is never more than the burst, which is the rate.
                Err(_) => return,
            }
        }
    }
}

/// How many times slower than allowed: doubled when the service complains, halved again for every
/// while without complaint.
#[derive(Debug)]
struct Slowness {
    factor: u32,
    changed: Option<Instant>,
}

impl Slowness {
    const NONE: Self = Self {
        factor: 1,
        changed: None,
    };
    const MOST: u32 = 32;
    /// Complaints that come together are one complaint.
    const TOGETHER: Duration = Duration::from_millis(500);
    const RECOVERY: Duration = Duration::from_secs(5);

    fn double(&mut self, now: Instant) {
        if self
            .changed
            .is_none_or(|changed| now.duration_since(changed) >= Self::TOGETHER)
        {
            self.factor = self.factor.saturating_mul(2).min(Self::MOST);
            self.changed = Some(now);
        }
    }

    fn recover(&mut self, now: Instant) {
        while let Some(changed) = self.changed
            && self.factor > 1
            && now.duration_since(changed) >= Self::RECOVERY
        {
            self.factor /= 2;
            self.changed = Some(changed + Self::RECOVERY);
        }
    }
}

/// The runtime's clock, as governor reads it.
#[derive(Clone, Copy, Debug)]
struct Ticks {
    start: Instant,
}

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        clock::instant().duration_since(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(rate: u32) -> NonZeroU32 {
        NonZeroU32::new(rate).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_of_images_may_go_at_once_and_the_rest_waits_its_turn() {
        let pace = Lane::new(rate(50), rate(10));
        let start = clock::instant();
        pace.admit(10).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        pace.admit(25).await;
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(2_400), "{waited:?}");
        assert!(waited <= Duration::from_millis(2_600), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_complaint_halves_the_pace_and_silence_restores_it() {
        let pace = Lane::new(rate(10), rate(10));
        let time = async |images| {
            let start = clock::instant();
            pace.admit(images).await;
            start.elapsed()
        };
        time(10).await;
        let fair = time(10).await;
        pace.slow_down();
        pace.slow_down();
        let slow = time(10).await;
        assert!(
            slow > fair * 19 / 10 && slow < fair * 21 / 10,
            "{slow:?} {fair:?}"
        );
        sleep(Slowness::RECOVERY).await;
        time(10).await;
        let restored = time(10).await;
        assert!(restored < fair * 11 / 10, "{restored:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn questions_do_not_wait_behind_submissions() {
        let pace = Pace::new(rate(10), rate(10));
        let paid = pace.of(Effect::Paid);
        for _ in 0..5 {
            paid.slow_down();
            sleep(Slowness::TOGETHER).await;
        }
        let start = clock::instant();
        let submitting = async {
            paid.admit(10).await;
            paid.admit(10).await;
            start.elapsed()
        };
        let asking = async {
            pace.of(Effect::Repeatable).admit(0).await;
            start.elapsed()
        };
        let (submitted, asked) = tokio::join!(submitting, asking);
        assert!(submitted > Duration::from_secs(30), "{submitted:?}");
        assert_eq!(asked, Duration::ZERO);
    }

    #[test]
    fn slowness_is_bounded() {
        let mut slowness = Slowness::NONE;
        let mut now = clock::instant();
        for _ in 0..100 {
            now += Slowness::TOGETHER;
            slowness.double(now);
        }
        assert_eq!(slowness.factor, Slowness::MOST);
        slowness.recover(now + 100 * Slowness::RECOVERY);
        assert_eq!(slowness.factor, 1);
    }
}
