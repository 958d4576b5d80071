//! A thread that owns a connection and executes all waiting calls in one transaction.
//!
//! A durable commit costs one disk write regardless of its size, so concurrent calls share one:
//! with 32 calls in flight, about 30 times as many calls per second.

use std::{
    sync::Mutex,
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;

/// Capacity of the thread's queue.
// Callers wait when it is full, so a slow disk does not let calls pile up in memory.
const QUEUE: usize = 1024;

/// A connection on a dedicated thread.
pub(super) struct Worker {
    /// `None` while the worker is being dropped.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The transactions of a worker.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// Up to this many calls per durable transaction.
    Write(usize),
    /// One call per transaction, which reads a consistent snapshot.
    Read,
}

impl Worker {
    pub(super) fn start(name: &str, db: Connection, mode: Mode) -> Result<Self, std::io::Error> {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&db, waiting, mode))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Executes `work` on the thread and returns its result after the commit.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let call = Call {
            // In an `Option`, because `run` takes `&mut self` and has to move it out.
            work: Some(work),
            done: None,
            reply,
        };
        let jobs = self.jobs.as_ref().ok_or_else(Fault::stopped)?;
        jobs.send(Box::new(call))
            .await
            .map_err(|_| Fault::stopped())?;
        answer.await.map_err(|_| Fault::stopped())?
    }
}

/// Waits until all queued calls are done and the file is closed.
impl Drop for Worker {
    fn drop(&mut self) {
        // First, because the thread ends only when the channel is closed, and `join` waits for it.
        self.jobs = None;
        let thread = self.thread.lock().ok().and_then(|mut slot| slot.take());
        if let Some(thread) = thread {
            // A panic of the thread was already reported to the callers.
            drop(thread.join());
        }
    }
}

fn work(db: &Connection, mut waiting: mpsc::Receiver<Box<dyn Job>>, mode: Mode) {
    let most = match mode {
        Mode::Write(most) => most.max(1),
        Mode::Read => 1,
    };
    while let Some(first) = waiting.blocking_recv() {
        let mut group = vec![first];
        while group.len() < most
            // Only calls that wait already: a lone call is committed at once.
            && let Ok(next) = waiting.try_recv()
        {
            group.push(next);
        }
        commit(db, group, mode);
    }
}

/// Runs a group of calls in one transaction. A failed call is rolled back alone; if the commit
/// fails, all calls fail.
fn commit(db: &Connection, mut group: Vec<Box<dyn Job>>, mode: Mode) {
    let begin = match mode {
        // Takes the write lock first: a transaction that has read cannot wait for it later, because
        // SQLite fails it if another process wrote in between (`SQLITE_BUSY_SNAPSHOT`).
        Mode::Write(_) => "BEGIN IMMEDIATE",
        Mode::Read => "BEGIN",
    };
    let outcome = match execute(db, begin) {
        Ok(()) => run(db, &mut group),
        Err(fault) => Err(fault),
    };
    if outcome.is_err() && !db.is_autocommit() {
        // Nothing is written either way. If the connection is unusable, the next `BEGIN` fails.
        drop(execute(db, "ROLLBACK"));
    }
    for job in group {
        // After the commit: a caller that has its result can rely on it.
        job.answer(outcome.clone());
    }
}

fn run(db: &Connection, group: &mut [Box<dyn Job>]) -> Result<(), Fault> {
    for job in group {
        execute(db, "SAVEPOINT call")?;
        if let Err(fault) = job.run(db) {
            // SQLite may roll back the whole transaction itself if the disk is full or fails.
            if db.is_autocommit() {
                return Err(fault);
            }
            execute(db, "ROLLBACK TO call")?;
        }
        // In both cases: `ROLLBACK TO` undoes the changes and keeps the savepoint.
        execute(db, "RELEASE call")?;
    }
    execute(db, "COMMIT")
}

fn execute(db: &Connection, sql: &str) -> Result<(), Fault> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// A type-erased call.
trait Job: Send {
    /// Executes the call. It must be rolled back if this returns an error.
    fn run(&mut self, db: &Connection) -> Result<(), Fault>;

    /// Sends the result to the caller.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

struct Call<T, F> {
    work: Option<F>,
    done: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, Fault> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), Fault> {
        let work = self.work.take().ok_or_else(Fault::stopped)?;
        let done = self.done.insert(work(db));
        done.as_ref().map(|_| ()).map_err(Fault::clone)
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let answer = match (self.done, committed) {
            (Some(Err(fault)), _) | (_, Err(fault)) => Err(fault),
            (Some(Ok(done)), Ok(())) => Ok(done),
            (None, Ok(())) => Err(Fault::stopped()),
        };
        // The caller may have dropped its future.
        drop(self.reply.send(answer));
    }
}
