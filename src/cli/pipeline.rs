//! Many checks at once, their results in the order of the sources, in bounded memory.
//!
//! One thread goes through the sources. For each it puts an empty slot into the window, a bounded
//! queue, and gives the work with the slot's other end to a thread (files) or a task (URLs). The
//! printer takes slots in order and waits for each to be filled. A full window holds the thread up,
//! so a slow source lets at most a window of later results wait behind it.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc as blocking,
    },
    thread,
};

use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc, oneshot},
};

/// What is done with one item.
pub(crate) trait Work: Send + Sync + 'static {
    type Item: Send + 'static;
    type Output: Send + 'static;

    /// Where the item is worked on.
    fn place(&self, item: &Self::Item) -> Place;

    /// Works on it, holding the thread.
    fn block(&self, item: Self::Item) -> Self::Output;

    /// Works on it, waiting for the network.
    fn wait(&self, item: Self::Item) -> impl Future<Output = Self::Output> + Send;

    /// What the item is called.
    fn name(&self, item: &Self::Item) -> String;

    /// What is said of the item of that name when the work on it panicked.
    fn panicked(&self, name: String) -> Self::Output;
}

/// Where an item is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On one of a few threads.
    Thread,
    /// In a task.
    Task,
}

/// How much goes on at the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) threads: usize,
    pub(crate) tasks: usize,
    /// How many items may be begun beyond the one that is printed next.
    pub(crate) window: usize,
}

/// A running pipeline.
pub(crate) struct Pipeline<T> {
    slots: mpsc::Receiver<oneshot::Receiver<T>>,
    control: Arc<Control>,
    head: Option<oneshot::Receiver<T>>,
}

struct Control {
    stopped: AtomicBool,
    /// Items that were counted but not begun after the stop.
    left: AtomicU64,
    permits: Arc<Semaphore>,
}

type Job<W> = (<W as Work>::Item, oneshot::Sender<<W as Work>::Output>);

impl<T: Send + 'static> Pipeline<T> {
    /// Begins to work on `items`. Must be called within a tokio runtime.
    pub(crate) fn start<W, I>(work: &Arc<W>, items: I, limits: Limits) -> Self
    where
        W: Work<Output = T>,
        I: Iterator<Item = W::Item> + Send + 'static,
    {
        let (slots_in, slots) = mpsc::channel(limits.window);
        let control = Arc::new(Control {
            stopped: AtomicBool::new(false),
            left: AtomicU64::new(0),
            permits: Arc::new(Semaphore::new(limits.tasks)),
        });
        let feeder = Feeder {
            work: Arc::clone(work),
            control: Arc::clone(&control),
            slots: slots_in,
            jobs: start_threads(work, &control, limits.threads),
            runtime: Handle::current(),
        };
        thread::spawn(move || feeder.feed(items));
        Self {
            slots,
            control,
            head: None,
        }
    }

    /// The next result, in the order of the items. Can be dropped and called again.
    pub(crate) async fn next(&mut self) -> Option<T> {
        loop {
            let head = match &mut self.head {
                Some(head) => head,
                None => self.head.insert(self.slots.recv().await?),
            };
            let result = head.await;
            self.head = None;
            // An empty slot is one whose work was given up after a stop.
            match result {
                Ok(result) => return Some(result),
                Err(_) => self.control.leave(1),
            }
        }
    }

    /// Begins nothing new. What follows from [`next_done`](Self::next_done) is what is done already.
    pub(crate) fn stop(&self) {
        self.control.stopped.store(true, Ordering::SeqCst);
        self.control.permits.close();
    }

    /// After a stop: the next result that is there, passing over those that are not.
    pub(crate) async fn next_done(&mut self) -> Option<T> {
        loop {
            let mut slot = match self.head.take() {
                Some(head) => head,
                None => self.slots.recv().await?,
            };
            match slot.try_recv() {
                Ok(result) => return Some(result),
                Err(_) => self.control.leave(1),
            }
        }
    }

    /// How many items were not worked on so far.
    pub(crate) fn left(&self) -> u64 {
        self.control.left.load(Ordering::SeqCst)
    }
}

impl Control {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn leave(&self, items: u64) {
        self.left.fetch_add(items, Ordering::SeqCst);
    }
}

struct Feeder<W: Work> {
    work: Arc<W>,
    control: Arc<Control>,
    slots: mpsc::Sender<oneshot::Receiver<W::Output>>,
    jobs: blocking::SyncSender<Job<W>>,
    runtime: Handle,
}

impl<W: Work> Feeder<W> {
    fn feed(self, items: impl Iterator<Item = W::Item>) {
        for item in items {
            if self.control.is_stopped() {
                self.control.leave(1);
                continue;
            }
            let (fill, slot) = oneshot::channel();
            if self.slots.blocking_send(slot).is_err() {
                return; // Nobody takes results any more.
            }
            match self.work.place(&item) {
                Place::Thread => {
                    if self.jobs.send((item, fill)).is_err() {
                        return;
                    }
                }
                Place::Task => self.spawn(item, fill),
            }
        }
    }

    fn spawn(&self, item: W::Item, fill: oneshot::Sender<W::Output>) {
        let permits = Arc::clone(&self.control.permits);
        let Ok(permit) = self.runtime.block_on(permits.acquire_owned()) else {
            return; // Stopped: the slot stays empty.
        };
        let work = Arc::clone(&self.work);
        self.runtime.spawn(async move {
            let name = work.name(&item);
            let task = Arc::clone(&work);
            let done = tokio::spawn(async move { task.wait(item).await }).await;
            drop(permit);
            // An error here is a panic: the task is never cancelled.
            let _ = fill.send(done.unwrap_or_else(|_| work.panicked(name)));
        });
    }
}

fn start_threads<W: Work>(
    work: &Arc<W>,
    control: &Arc<Control>,
    threads: usize,
) -> blocking::SyncSender<Job<W>> {
    let (jobs_in, jobs) = blocking::sync_channel::<Job<W>>(threads.saturating_mul(4));
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..threads {
        let (work, control, jobs) = (Arc::clone(work), Arc::clone(control), Arc::clone(&jobs));
        thread::spawn(move || {
            loop {
                let job = jobs.lock().ok().and_then(|jobs| jobs.recv().ok());
                let Some((item, fill)) = job else { return };
                if !control.is_stopped() {
                    // A mistake in a parser must not take the rest of the list with it.
                    let name = work.name(&item);
                    let done = panic::catch_unwind(AssertUnwindSafe(|| work.block(item)));
                    let _ = fill.send(done.unwrap_or_else(|_| work.panicked(name)));
                }
            }
        });
    }
    jobs_in
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Doubles numbers, on a thread or in a task; one of them panics.
    struct Doubling;

    impl Work for Doubling {
        type Item = u64;
        type Output = Result<u64, String>;

        fn place(&self, item: &u64) -> Place {
            match item % 3 {
                0 => Place::Task,
                _ => Place::Thread,
            }
        }

        fn block(&self, item: u64) -> Self::Output {
            assert!(item != 1_000 && item != 1_001, "as the test wants it");
            Ok(item * 2)
        }

        async fn wait(&self, item: u64) -> Self::Output {
            // Tasks overtake each other.
            for _ in 0..item % 7 {
                tokio::task::yield_now().await;
            }
            assert_ne!(item, 1_002, "as the test wants it");
            Ok(item * 2)
        }

        fn name(&self, item: &u64) -> String {
            item.to_string()
        }

        fn panicked(&self, name: String) -> Self::Output {
            Err(name)
        }
    }

    const LIMITS: Limits = Limits {
        threads: 2,
        tasks: 5,
        window: 8,
    };

    #[tokio::test]
    async fn at_most_a_window_is_begun_ahead_and_order_is_kept() {
        let begun = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&begun);
        let items = (0..100_000_u64).inspect(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let mut pipeline = Pipeline::start(&Arc::new(Doubling), items, LIMITS);
        let mut taken = 0;
        while let Some(result) = pipeline.next().await {
            match taken {
                1_000..=1_002 => assert_eq!(result, Err(taken.to_string())),
                _ => assert_eq!(result, Ok(taken * 2)),
            }
            taken += 1;
            // The window, and one item that waits for room in it.
            let ahead = begun.load(Ordering::SeqCst) - taken;
            assert!(ahead <= 9, "{ahead} ahead at {taken}");
        }
        assert_eq!(taken, 100_000);
    }

    #[tokio::test]
    async fn after_a_stop_everything_is_either_done_or_left() {
        let mut pipeline = Pipeline::start(&Arc::new(Doubling), 0..900_u64, LIMITS);
        let mut done = 0;
        for _ in 0..100 {
            assert_eq!(pipeline.next().await, Some(Ok(done * 2)));
            done += 1;
        }
        pipeline.stop();
        while pipeline.next_done().await.is_some() {
            done += 1;
        }
        assert_eq!(done + pipeline.left(), 900);
    }
}
