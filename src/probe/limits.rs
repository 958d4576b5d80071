//! How many downloads run at a time, in all and from one host.

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

/// So few hosts are remembered without a look at them.
const SMALL_CROWD: usize = 1024;

/// The limits of a probe and its clones.
#[derive(Debug)]
pub(super) struct Limits {
    all: Arc<Semaphore>,
    per_host: usize,
    pace: Duration,
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    known: HashMap<Box<str>, Arc<Host>>,
    /// With how many those are looked for whose pace need be remembered no longer.
    crowd: usize,
}

#[derive(Debug)]
struct Host {
    permits: Arc<Semaphore>,
    /// Before this, no other download from the host begins.
    next: Mutex<Option<Instant>>,
}

/// The right to run one download. Dropping it gives the right back.
#[derive(Debug)]
pub(super) struct Slot {
    limits: Arc<Limits>,
    name: Box<str>,
    /// `None` only while it is dropped.
    permits: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Limits {
    pub(super) fn new(all: usize, per_host: usize, pace: Duration) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(all)),
            per_host,
            pace,
            hosts: Mutex::default(),
        })
    }

    /// Waits for a slot: first for the host's, so that one that waits for its host keeps no other
    /// from running. `None` never comes, as the semaphores are never closed.
    pub(super) async fn enter(self: &Arc<Self>, name: &str) -> Option<Slot> {
        // First of all, so that it is dropped last and finds the host unused.
        let mut slot = Slot {
            limits: Arc::clone(self),
            name: name.into(),
            permits: None,
        };
        let host = self.host(name);
        let own = Arc::clone(&host.permits).acquire_owned().await.ok()?;
        if !self.pace.is_zero() {
            time::sleep_until(self.turn(&host)).await;
        }
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        slot.permits = Some((own, all));
        Some(slot)
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.known.get(name) {
            return Arc::clone(host);
        }
        if hosts.known.len() >= hosts.crowd {
            let now = clock::now();
            hosts.known.retain(|_, host| !self.is_unused(host, now));
            hosts.crowd = hosts.known.len().saturating_mul(2).max(SMALL_CROWD);
        }
        let host = Arc::new(Host {
            permits: Arc::new(Semaphore::new(self.per_host)),
            next: Mutex::new(None),
        });
        hosts.known.insert(name.into(), Arc::clone(&host));
        host
    }

    /// Whether a host may be forgotten: nobody holds it, and another download may begin at once.
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
        *next = Some(clock::after(turn, self.pace));
        turn
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.permits = None;
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
    async fn hosts_are_forgotten_once_their_pace_has_passed() {
        let limits = Limits::new(8, 2, Duration::from_secs(1));
        for at in 0..10 * SMALL_CROWD {
            drop(limits.enter(&format!("host-{at}.example")).await);
            time::advance(Duration::from_millis(10)).await;
        }
        let known = limits.hosts.lock().unwrap().known.len();
        assert!((100..=2 * SMALL_CROWD).contains(&known), "{known}");
    }
}
