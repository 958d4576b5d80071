//! Limits of concurrency: over all, and per key such as a host.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use super::clock::{self, Instant};

/// The table of hosts is pruned only above this size.
const MIN_PRUNED: usize = 1024;

/// The limits of a probe and its clones, or of its resolver.
#[derive(Debug)]
pub(super) struct Limits {
    all: Arc<Semaphore>,
    per_host: usize,
    interval: Duration,
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    known: HashMap<Box<str>, Arc<Host>>,
    /// The table size that triggers the next prune.
    prune_at: usize,
}

#[derive(Debug)]
struct Host {
    permits: Arc<Semaphore>,
    /// Before this, no other download from the host begins.
    next: Mutex<Option<Instant>>,
}

/// A host's permit, and the one over all once it has started. Dropping it returns both.
#[derive(Debug)]
pub(super) struct Slot {
    limits: Arc<Limits>,
    name: Box<str>,
    /// `None` only while it is dropped, or not yet acquired.
    own: Option<OwnedSemaphorePermit>,
    all: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// Waits for the permit over all.
    pub(super) async fn start(&mut self) {
        self.all = Arc::clone(&self.limits.all).acquire_owned().await.ok();
    }
}

impl Limits {
    pub(super) fn new(all: usize, per_host: usize, interval: Duration) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(all)),
            per_host,
            interval,
            hosts: Mutex::default(),
        })
    }

    /// Waits for the host's permit and its next start. The permit over all is acquired after it, by
    /// [`Slot::start`], so that a task that waits for its host does not block others.
    pub(super) async fn enter(self: &Arc<Self>, name: &str) -> Slot {
        // Declared first, so that it is dropped last and finds the host unused.
        let mut slot = Slot {
            limits: Arc::clone(self),
            name: name.into(),
            own: None,
            all: None,
        };
        let host = self.host(name);
        // The semaphores are never closed.
        slot.own = Arc::clone(&host.permits).acquire_owned().await.ok();
        if !self.interval.is_zero() {
            time::sleep_until(self.turn(&host)).await;
        }
        slot
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.known.get(name) {
            return Arc::clone(host);
        }
        // A host is removed when its last slot is dropped, except one whose next start is in the
        // future. Pruning at twice the size keeps the cost of an insertion constant on average.
        if hosts.known.len() >= hosts.prune_at {
            let now = clock::now();
            hosts.known.retain(|_, host| !self.is_unused(host, now));
            hosts.prune_at = hosts.known.len().saturating_mul(2).max(MIN_PRUNED);
        }
        let host = Arc::new(Host {
            permits: Arc::new(Semaphore::new(self.per_host)),
            next: Mutex::new(None),
        });
        hosts.known.insert(name.into(), Arc::clone(&host));
        host
    }

    /// Whether a host may be forgotten: it is not in use, and another download may begin
    /// immediately.
    fn is_unused(&self, host: &Arc<Host>, now: Instant) -> bool {
        Arc::strong_count(host) == 1
            && host.permits.available_permits() == self.per_host
            && host
                .next
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_none_or(|next| next <= now)
    }

    /// When the next download from the host may begin.
    fn turn(&self, host: &Host) -> Instant {
        let now = clock::now();
        let mut next = host.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(clock::after(turn, self.interval));
        turn
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // The permits first: a host with a permit in use is not unused.
        (self.own, self.all) = (None, None);
        let mut hosts = self
            .limits
            .hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_unused = |host| self.limits.is_unused(host, clock::now());
        if hosts.known.get(&self.name).is_some_and(is_unused) {
            hosts.known.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn hosts_are_forgotten_once_their_interval_has_passed() {
        let limits = Limits::new(8, 2, Duration::from_secs(1));
        for at in 0..10 * MIN_PRUNED {
            drop(limits.enter(&format!("host-{at}.example")).await);
            time::advance(Duration::from_millis(10)).await;
        }
        let known = limits.hosts.lock().unwrap().known.len();
        assert!((100..=2 * MIN_PRUNED).contains(&known), "{known}");
    }
}
