//! One thread that owns a connection and does what it is sent, as much of it as waits in one
//! transaction.
//!
//! A durable commit costs a write to the disk whatever is in it, so calls that come together share
//! one: with 32 in flight that is some 30 times as many calls a second.

use std::{
    sync::Mutex,
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;

/// Calls that wait for the thread before callers are made to wait.
const QUEUE: usize = 1024;

/// A connection on a thread of its own.
pub(super) struct Worker {
    /// `None` while it is being dropped.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How a worker commits.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// Up to so many calls in one durable transaction.
    Write(usize),
    /// Each call by itself, in a transaction that sees one state of the file.
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

    /// Does `work` on the thread, and answers when it is committed.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let call = Call {
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

/// Waits until everything that was sent is done and the file is closed.
impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        let thread = self.thread.lock().ok().and_then(|mut slot| slot.take());
        if let Some(thread) = thread {
            // A panic there was already reported to whoever called.
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
            && let Ok(next) = waiting.try_recv()
        {
            group.push(next);
        }
        commit(db, group, mode);
    }
}

/// Runs a group of calls in one transaction. One that fails is undone alone; if the commit fails,
/// all have failed.
fn commit(db: &Connection, mut group: Vec<Box<dyn Job>>, mode: Mode) {
    let begin = match mode {
        Mode::Write(_) => "BEGIN IMMEDIATE",
        Mode::Read => "BEGIN",
    };
    let outcome = match execute(db, begin) {
        Ok(()) => run(db, &mut group),
        Err(fault) => Err(fault),
    };
    if outcome.is_err() && !db.is_autocommit() {
        // The file is as it was before either way; the next `BEGIN` says if the connection is not.
        drop(execute(db, "ROLLBACK"));
    }
    for job in group {
        job.answer(outcome.clone());
    }
}

fn run(db: &Connection, group: &mut [Box<dyn Job>]) -> Result<(), Fault> {
    for job in group {
        execute(db, "SAVEPOINT call")?;
        if let Err(fault) = job.run(db) {
            // SQLite may undo the whole transaction by itself when the disk is full or fails.
            if db.is_autocommit() {
                return Err(fault);
            }
            execute(db, "ROLLBACK TO call")?;
        }
        execute(db, "RELEASE call")?;
    }
    execute(db, "COMMIT")
}

fn execute(db: &Connection, sql: &str) -> Result<(), Fault> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// A call whose types are hidden.
trait Job: Send {
    /// Does the work. `Err` says that it is to be undone.
    fn run(&mut self, db: &Connection) -> Result<(), Fault>;

    /// Gives the caller what it waits for.
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
        // A caller that is gone does not want it.
        drop(self.reply.send(answer));
    }
}
