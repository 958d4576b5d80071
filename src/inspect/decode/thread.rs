//! Waiting for a decode: on the calling thread, or asynchronously for a dedicated thread. Needs no
//! runtime.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

/// Runs a future on the calling thread, which sleeps meanwhile.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            // An `unpark` before `park` is not lost, and a spurious return only polls once more.
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `work` on a new thread and waits for its value: `None` when it panics or there is no
/// thread. `work` runs to its end even if nothing waits for it any more.
pub(super) async fn on_new_thread<T, F>(work: F) -> Option<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let slot = Arc::new(Mutex::new(Slot::Empty(None)));
    // Dropped with the closure, so the waiting task is woken too if the work panics.
    let setter = Setter(Arc::clone(&slot));
    let run = move || {
        let value = work();
        setter.set(Some(value));
    };
    thread::Builder::new()
        .name("greenlight-decode".to_owned())
        .spawn(run)
        .ok()?;
    poll_fn(|cx| {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Slot::Empty(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Slot::Set(value) => Poll::Ready(value.take()),
        }
    })
    .await
}

enum Slot<T> {
    Empty(Option<Waker>),
    Set(Option<T>),
}

/// Sets the slot once, also when the work panics.
struct Setter<T>(Arc<Mutex<Slot<T>>>);

impl<T> Setter<T> {
    fn set(&self, value: Option<T>) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Slot::Empty(waker) = &mut *slot {
            let waker = waker.take();
            *slot = Slot::Set(value);
            // A waker may poll in place, which takes the lock.
            drop(slot);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl<T> Drop for Setter<T> {
    fn drop(&mut self) {
        self.set(None);
    }
}
