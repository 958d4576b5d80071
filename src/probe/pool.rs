//! Idle connections that may be used again.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::Poll,
    time::Duration,
};

use hyper::body::{Body, Incoming};
use tokio::{task::JoinSet, time};

use super::{
    clock::{self, Instant},
    connection::Connection,
};

/// The rest of a body that is read so that its connection can be used again, in bytes. More costs
/// more than a new connection does.
const MAX_DRAIN: u64 = 128 * 1024;
/// How long that may take.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(1);
/// Lifetime of an idle connection. Servers close theirs after 5 s and more.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// The destination of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) https: bool,
    pub(super) host: Box<str>,
    pub(super) port: u16,
}

/// Idle connections by origin, at most so many in all.
pub(super) struct Pool {
    capacity: usize,
    idle: Mutex<HashMap<Origin, Vec<Idle>>>,
    drains: Mutex<JoinSet<()>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// A pool that holds `capacity` connections; one of 0 holds none.
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            idle: Mutex::default(),
            drains: Mutex::default(),
        })
    }

    /// Whether a connection to `origin` is idle. It may be unfit by the time it is taken.
    pub(super) fn has(&self, origin: &Origin) -> bool {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.contains_key(origin)
    }

    /// Returns a connection to `origin` that is idle, open and silent.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let held = idle.get_mut(origin)?;
        let mut found = None;
        // The last one was used most recently and is most likely still open.
        while let Some(mut last) = held.pop() {
            if clock::now() - last.since < MAX_IDLE && last.connection.is_idle() {
                found = Some(last.connection);
                break;
            }
        }
        if held.is_empty() {
            idle.remove(origin);
        }
        found
    }

    /// Keeps the connection if it can be used again, once the rest of `body` has been read. That
    /// happens concurrently with the caller's next work, and only if the rest is short.
    pub(super) fn settle(
        self: &Arc<Self>,
        origin: Origin,
        mut connection: Connection,
        mut body: Incoming,
    ) {
        if self.capacity == 0 {
            return;
        }
        // A body of unknown length may have no end.
        if body.size_hint().upper().is_none_or(|rest| rest > MAX_DRAIN) {
            return;
        }
        // Often the rest has been received already.
        loop {
            match connection.try_frame(&mut body) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_))) => return,
                Poll::Ready(None) => return self.put(origin, connection),
                Poll::Pending => break,
            }
        }
        // A strong reference would form a cycle: the pool owns the tasks that drain.
        let pool = Arc::downgrade(self);
        let drain = async move {
            while let Some(frame) = connection.frame(&mut body).await {
                if frame.is_err() {
                    return;
                }
            }
            if let Some(pool) = Weak::upgrade(&pool) {
                pool.put(origin, connection);
            }
        };
        let mut drains = self.drains.lock().unwrap_or_else(PoisonError::into_inner);
        while drains.try_join_next().is_some() {}
        // Bounded as the pool is: it has no room for the connections of more.
        if drains.len() < self.capacity {
            drains.spawn(async move {
                // If the rest does not arrive in time, the connection is dropped with the future.
                drop(time::timeout(MAX_DRAIN_TIME, drain).await);
            });
        }
    }

    fn put(&self, origin: Origin, mut connection: Connection) {
        if !connection.is_idle() {
            return;
        }
        let now = clock::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Counted, not kept in a counter: pools are small, and connections leave in several ways.
        let held: usize = idle.values().map(Vec::len).sum();
        if held >= self.capacity {
            idle.retain(|_, held| {
                held.retain(|idle| now - idle.since < MAX_IDLE);
                !held.is_empty()
            });
            if idle.values().map(Vec::len).sum::<usize>() >= self.capacity {
                return;
            }
        }
        idle.entry(origin).or_default().push(Idle {
            connection,
            since: now,
        });
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
