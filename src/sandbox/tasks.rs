//! The tasks that the sandbox remembers.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

/// Maximum number of bytes of the tasks' text.
const MAX_BYTES: usize = 64 << 20;

/// A task that was paid for.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) data_id: Option<String>,
    pub(super) url: String,
    pub(super) scenes: Arc<[String]>,
    pub(super) made: Timestamp,
    /// The time for which the result is kept.
    pub(super) kept: SignedDuration,
    /// The number of polls of its result.
    pub(super) polls: u32,
}

impl Held {
    fn bytes(&self) -> usize {
        self.url.len() + self.data_id.as_ref().map_or(0, String::len)
    }
}

/// Tasks by their id; the oldest are forgotten first.
#[derive(Debug)]
pub(super) struct Tasks {
    most: usize,
    held: HashMap<String, Held>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Tasks {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            held: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }

    pub(super) fn add(&mut self, id: String, task: Held) {
        self.bytes += task.bytes();
        self.order.push_back(id.clone());
        self.held.insert(id, task);
        // By bytes, too, because a client chooses the length of a URL.
        while self.order.len() > self.most || self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if let Some(task) = self.held.remove(&oldest) {
                self.bytes -= task.bytes();
            }
        }
    }

    /// The task, counted as asked for once more; `None` for one that is not known, or not any
    /// more.
    pub(super) fn poll(&mut self, id: &str, now: Timestamp) -> Option<Held> {
        let task = self.held.get_mut(id)?;
        if now.duration_since(task.made) > task.kept {
            return None;
        }
        task.polls = task.polls.saturating_add(1);
        Some(task.clone())
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        self.held.contains_key(id)
    }

    pub(super) fn forget_all(&mut self) {
        *self = Self::new(self.most);
    }
}
