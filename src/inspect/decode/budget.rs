//! Bytes of memory that all decodes of the process share, granted in the order of the requests.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

#[derive(Debug)]
pub(super) struct Budget {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: u64,
    next_ticket: u64,
    waiting: VecDeque<(u64, Waker)>,
}

impl Budget {
    pub(super) const fn new(bytes: u64) -> Self {
        Self {
            state: Mutex::new(State {
                free: bytes,
                next_ticket: 0,
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Waits for `bytes`, which must not be more than the budget has in all.
    pub(super) const fn claim(&'static self, bytes: u64) -> Claim {
        Claim {
            budget: self,
            bytes,
            ticket: None,
        }
    }

    /// Acquires `bytes` if they are free now and no one waits.
    pub(super) fn take(&'static self, bytes: u64) -> Option<Share> {
        let mut state = self.lock();
        let is_free = state.waiting.is_empty();
        state.free = state.free.checked_sub(bytes).filter(|_| is_free)?;
        Some(Share {
            budget: self,
            bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Wakes the first in the queue.
    fn wake_first(&self) {
        if let Some((_, waker)) = self.waiting.front() {
            waker.wake_by_ref();
        }
    }
}

/// A place in the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub(super) struct Claim {
    budget: &'static Budget,
    bytes: u64,
    ticket: Option<u64>,
}

impl Future for Claim {
    type Output = Share;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Share> {
        let budget = self.budget;
        let mut state = budget.lock();
        // Only the first in the queue may take: small claims must not overtake a large one forever.
        let is_first = match state.waiting.front() {
            None => true,
            Some((first, _)) => Some(*first) == self.ticket,
        };
        if is_first && let Some(left) = state.free.checked_sub(self.bytes) {
            state.free = left;
            if self.ticket.take().is_some() {
                state.waiting.pop_front();
            }
            // The next claim may fit in what is left.
            state.wake_first();
            return Poll::Ready(Share {
                budget,
                bytes: self.bytes,
            });
        }
        let held = self.ticket;
        let place = state
            .waiting
            .iter_mut()
            .find(|(ticket, _)| Some(*ticket) == held);
        if let Some((_, waker)) = place {
            // A future may be polled from another task than before.
            waker.clone_from(cx.waker());
        } else {
            let ticket = state.next_ticket;
            state.next_ticket = ticket.wrapping_add(1);
            state.waiting.push_back((ticket, cx.waker().clone()));
            self.ticket = Some(ticket);
        }
        Poll::Pending
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut state = self.budget.lock();
            state.waiting.retain(|(waiting, _)| *waiting != ticket);
            // If this claim was the first, it may have received the wake-up that the next one
            // needs.
            state.wake_first();
        }
    }
}

/// Bytes of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: &'static Budget,
    bytes: u64,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.free = state.free.saturating_add(self.bytes);
        state.wake_first();
    }
}
