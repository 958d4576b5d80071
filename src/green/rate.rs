//! Rate limits of an account, shared by all clones of a client.

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

/// Separate limits for paid requests (and their images) and for all other requests: the service
/// counts each operation separately, and a poll must not wait behind submissions until the results
/// expire.
#[derive(Debug)]
pub(super) struct RateLimits {
    paid: Limiter,
    free: Limiter,
}

/// Limits on requests and on images, and the backoff that applies to both.
#[derive(Debug)]
pub(super) struct Limiter {
    requests: Limit,
    images: Limit,
    backoff: StdMutex<Backoff>,
}

/// One limit by the generic cell rate algorithm.
#[derive(Debug)]
struct Limit {
    cells: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>,
    rate: NonZeroU32,
    /// Held while waiting, so that callers are admitted in order.
    turn: Mutex<()>,
}

impl RateLimits {
    pub(super) fn new(requests: NonZeroU32, images: NonZeroU32) -> Self {
        Self {
            paid: Limiter::new(requests, images),
            free: Limiter::new(requests, images),
        }
    }

    /// Returns the limiter for calls of this effect.
    pub(super) const fn of(&self, effect: Effect) -> &Limiter {
        match effect {
            Effect::Paid => &self.paid,
            Effect::Repeatable => &self.free,
        }
    }
}

impl Limiter {
    fn new(requests: NonZeroU32, images: NonZeroU32) -> Self {
        let ticks = Ticks {
            start: clock::instant(),
        };
        Self {
            requests: Limit::new(requests, ticks),
            images: Limit::new(images, ticks),
            backoff: StdMutex::new(Backoff::NONE),
        }
    }

    /// Waits until a request with this many images may be sent.
    pub(super) async fn admit(&self, images: u32) {
        let backoff = self.backoff(|backoff| {
            backoff.recover(clock::instant());
            backoff.factor
        });
        // Images first: a request's cell would be wasted while it waits for its images.
        self.images.take(images, backoff).await;
        self.requests.take(1, backoff).await;
    }

    /// Halves the rate, because the service throttled a request.
    pub(super) fn slow_down(&self) {
        self.backoff(|backoff| backoff.double(clock::instant()));
    }

    fn backoff<T>(&self, act: impl FnOnce(&mut Backoff) -> T) -> T {
        act(&mut self.backoff.lock().unwrap_or_else(PoisonError::into_inner))
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

    /// Waits for `count` times `backoff` cells. More than one second's worth is taken in parts.
    async fn take(&self, count: u32, backoff: u32) {
        let mut left = count.saturating_mul(backoff);
        // tokio's mutex is fair. Without it, a large batch could be overtaken by small ones
        // forever.
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

/// By what factor the rate is reduced: doubled when the service throttles, halved after each
/// [`RECOVERY`](Self::RECOVERY) without throttling.
#[derive(Debug)]
struct Backoff {
    factor: u32,
    changed: Option<Instant>,
}

impl Backoff {
    const NONE: Self = Self {
        factor: 1,
        changed: None,
    };
    const MAX: u32 = 32;
    /// Throttled answers within this time count once.
    const WINDOW: Duration = Duration::from_millis(500);
    const RECOVERY: Duration = Duration::from_secs(5);

    fn double(&mut self, now: Instant) {
        if self
            .changed
            // Requests in flight are throttled together, for one and the same excess.
            .is_none_or(|changed| now.duration_since(changed) >= Self::WINDOW)
        {
            self.factor = self.factor.saturating_mul(2).min(Self::MAX);
            self.changed = Some(now);
        }
    }

    fn recover(&mut self, now: Instant) {
        while let Some(changed) = self.changed
            && self.factor > 1
            && now.duration_since(changed) >= Self::RECOVERY
        {
            self.factor /= 2;
            // From the step's own time, not from now: an idle client recovers in full.
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
    async fn a_second_of_images_is_admitted_immediately_and_the_rest_waits() {
        let limits = Limiter::new(rate(50), rate(10));
        let start = clock::instant();
        limits.admit(10).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        limits.admit(25).await;
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(2_400), "{waited:?}");
        assert!(waited <= Duration::from_millis(2_600), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_the_rate_and_time_restores_it() {
        let limits = Limiter::new(rate(10), rate(10));
        let time = async |images| {
            let start = clock::instant();
            limits.admit(images).await;
            start.elapsed()
        };
        time(10).await;
        let fair = time(10).await;
        limits.slow_down();
        limits.slow_down();
        let slow = time(10).await;
        assert!(
            slow > fair * 19 / 10 && slow < fair * 21 / 10,
            "{slow:?} {fair:?}"
        );
        sleep(Backoff::RECOVERY).await;
        time(10).await;
        let restored = time(10).await;
        assert!(restored < fair * 11 / 10, "{restored:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn polls_do_not_wait_behind_submissions() {
        let limits = RateLimits::new(rate(10), rate(10));
        let paid = limits.of(Effect::Paid);
        for _ in 0..5 {
            paid.slow_down();
            sleep(Backoff::WINDOW).await;
        }
        let start = clock::instant();
        let submitting = async {
            paid.admit(10).await;
            paid.admit(10).await;
            start.elapsed()
        };
        let asking = async {
            limits.of(Effect::Repeatable).admit(0).await;
            start.elapsed()
        };
        let (submitted, asked) = tokio::join!(submitting, asking);
        assert!(submitted > Duration::from_secs(30), "{submitted:?}");
        assert_eq!(asked, Duration::ZERO);
    }

    #[test]
    fn the_backoff_is_bounded() {
        let mut backoff = Backoff::NONE;
        let mut now = clock::instant();
        for _ in 0..100 {
            now += Backoff::WINDOW;
            backoff.double(now);
        }
        assert_eq!(backoff.factor, Backoff::MAX);
        backoff.recover(now + 100 * Backoff::RECOVERY);
        assert_eq!(backoff.factor, 1);
    }
}
