//! Lines in order, each settled at its own time.

use std::collections::VecDeque;

/// A queue whose entries are settled in any order and leave in theirs.
#[derive(Debug)]
pub(super) struct Queue<T> {
    entries: VecDeque<Entry<T>>,
    /// The front entry's number.
    first: u64,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    is_settled: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
        }
    }
}

impl<T> Queue<T> {
    /// Adds an entry at the end and numbers it.
    pub(super) fn push(&mut self, value: T) -> u64 {
        let number = self
            .first
            .saturating_add(u64::try_from(self.entries.len()).unwrap_or(u64::MAX));
        self.entries.push_back(Entry {
            value,
            is_settled: false,
        });
        number
    }

    /// An entry that is still in the queue.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.entry(number).map(|entry| &mut entry.value)
    }

    /// Lets an entry leave once it is at the front.
    pub(super) fn settle(&mut self, number: u64) {
        if let Some(entry) = self.entry(number) {
            entry.is_settled = true;
        }
    }

    pub(super) fn pop_settled(&mut self) -> Option<T> {
        if !self.entries.front()?.is_settled {
            return None;
        }
        let entry = self.entries.pop_front()?;
        self.first = self.first.saturating_add(1);
        Some(entry.value)
    }

    /// All entries, and whether they are settled.
    pub(super) fn drain(&mut self) -> Vec<(T, bool)> {
        let entries = self.entries.drain(..);
        entries
            .map(|entry| (entry.value, entry.is_settled))
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry<T>> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_in_order_whenever_they_are_settled() {
        let mut queue = Queue::default();
        let [a, b, c] = ["a", "b", "c"].map(|name| queue.push(name));
        queue.settle(b);
        assert_eq!(queue.pop_settled(), None);
        queue.settle(a);
        assert_eq!(queue.pop_settled(), Some("a"));
        assert_eq!(queue.pop_settled(), Some("b"));
        assert_eq!(queue.pop_settled(), None);
        assert_eq!(queue.get_mut(a), None, "gone");
        let d = queue.push("d");
        queue.settle(d);
        assert_eq!(queue.get_mut(c), Some(&mut "c"));
        assert_eq!(queue.drain(), [("c", false), ("d", true)]);
        assert_eq!(queue.len(), 0);
    }
}
