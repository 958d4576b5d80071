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

/// The limits of a probe and its clones.
#[derive(Debug)]
pub(super) struct Limits {
    all: Arc<Semaphore>,
    per_host: usize,
    pace: Duration,
    hosts: Mutex<HashMap<Box<str>, Arc<Host>>>,
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
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        let host = Arc::new(Host {
            permits: Arc::new(Semaphore::new(self.per_host)),
            next: Mutex::new(None),
        });
        hosts.insert(name.into(), Arc::clone(&host));
        host
    }

    /// When the next download from the host may begin.
    fn turn(&self, host: &Host) -> Instant {
        let now = clock::now();
        let mut next = host.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.pace);
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
        // A host that nobody uses is forgotten, unless its pace must be remembered.
        let unused = hosts.get(&self.name).is_some_and(|host| {
            Arc::strong_count(host) == 1
                && host.permits.available_permits() == self.limits.per_host
                && host
                    .next
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .is_none_or(|next| next <= clock::now())
        });
        if unused {
            hosts.remove(&self.name);
        }
    }
}
