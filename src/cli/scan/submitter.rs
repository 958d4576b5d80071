//! Submits batches one after the other and watches their tasks.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinHandle,
};

use crate::{
    error::{Error, Retry},
    green::{Batch, Client, Scene, Submission, Task, TaskId, TaskState},
};

/// What became of a task. `number` is its line's.
#[derive(Debug)]
pub(super) enum Event {
    /// It was taken.
    Submitted { number: u64, task_id: TaskId },
    /// It was not taken, or perhaps was.
    NotSubmitted {
        number: u64,
        why: String,
        is_certain: bool,
    },
    /// It is as it will be.
    Done { number: u64, state: TaskState },
    /// It was taken, and cannot be asked for.
    Lost { number: u64, why: String },
    /// The first request was refused for good: so would be all others.
    Hopeless(String),
}

/// Takes batches and gives events. Both queues are unbounded here: the number of lines under way is
/// bounded by who calls.
pub(super) struct Submitter {
    jobs: Option<UnboundedSender<Vec<(u64, Task)>>>,
    events: UnboundedReceiver<Event>,
    /// Keeps `events` open between jobs.
    _open: UnboundedSender<Event>,
    is_stopped: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

impl Submitter {
    pub(super) fn start(client: Client, scenes: Vec<Scene>) -> Self {
        let (jobs, jobs_out) = mpsc::unbounded_channel();
        let (events_in, events) = mpsc::unbounded_channel();
        let is_stopped = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            client,
            scenes,
            events: events_in.clone(),
            is_stopped: Arc::clone(&is_stopped),
        };
        Self {
            jobs: Some(jobs),
            events,
            _open: events_in,
            is_stopped,
            task: Some(tokio::spawn(worker.run(jobs_out))),
        }
    }

    /// Submits the tasks as one batch, after those before.
    pub(super) fn submit(&self, tasks: Vec<(u64, Task)>) {
        if let Some(jobs) = &self.jobs {
            // The worker ends only after a stop.
            let _ = jobs.send(tasks);
        }
    }

    /// The next event. Can be dropped and called again.
    pub(super) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// The next event that is there already.
    pub(super) fn next_now(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Submits nothing more. What is given back is done when the request under way is answered.
    pub(super) fn stop(&mut self) -> JoinHandle<()> {
        self.is_stopped.store(true, Ordering::SeqCst);
        self.jobs = None;
        self.task.take().unwrap_or_else(|| tokio::spawn(async {}))
    }
}

struct Worker {
    client: Client,
    scenes: Vec<Scene>,
    events: UnboundedSender<Event>,
    is_stopped: Arc<AtomicBool>,
}

impl Worker {
    async fn run(self, mut jobs: UnboundedReceiver<Vec<(u64, Task)>>) {
        let mut was_answered = false;
        while let Some(job) = jobs.recv().await {
            if self.is_stopped.load(Ordering::SeqCst) {
                return;
            }
            let (numbers, tasks): (Vec<_>, Vec<_>) = job.into_iter().unzip();
            let submitted = match Batch::new(tasks) {
                Ok(batch) => self.client.submit(batch, &self.scenes).await,
                Err(error) => Err(error),
            };
            match submitted {
                Ok(submission) => {
                    was_answered = true;
                    self.submitted(&numbers, &submission);
                }
                Err(error) => {
                    let is_hopeless = !was_answered && error.retry() == Retry::Never;
                    if is_hopeless {
                        self.tell(Event::Hopeless(error.report()));
                    }
                    self.refused(&numbers, &error);
                    if is_hopeless {
                        return;
                    }
                }
            }
        }
    }

    fn submitted(&self, numbers: &[u64], submission: &Submission) {
        let mut taken = HashMap::new();
        for (number, entry) in numbers.iter().zip(submission.entries()) {
            let number = *number;
            match entry.result() {
                Ok(task_id) => {
                    let task_id = task_id.clone();
                    taken.insert(task_id.clone(), number);
                    self.tell(Event::Submitted { number, task_id });
                }
                Err(refusal) => self.tell(Event::NotSubmitted {
                    number,
                    why: format!("the service did not take it: {refusal}"),
                    is_certain: refusal.retry() != Retry::Ambiguous,
                }),
            }
        }
        tokio::spawn(watch(
            self.client.clone(),
            submission.scenes().to_vec(),
            taken,
            self.events.clone(),
        ));
    }

    fn refused(&self, numbers: &[u64], error: &Error) {
        for number in numbers {
            self.tell(Event::NotSubmitted {
                number: *number,
                why: error.report(),
                is_certain: error.retry() != Retry::Ambiguous,
            });
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the command is about to end.
        let _ = self.events.send(event);
    }
}

/// Gives each task's state when it is final, or when the time for waiting is over.
async fn watch(
    client: Client,
    scenes: Vec<Scene>,
    mut open: HashMap<TaskId, u64>,
    events: UnboundedSender<Event>,
) {
    let mut watch = client.watch(open.keys().cloned()).for_scenes(&scenes);
    let why = loop {
        match watch.next().await {
            Ok(Some(report)) => {
                if let Some(number) = open.remove(report.task_id()) {
                    let state = report.into_state();
                    let _ = events.send(Event::Done { number, state });
                }
            }
            Ok(None) => break "the service does not answer about this task".to_owned(),
            Err(error) => break error.report(),
        }
    };
    for number in open.into_values() {
        let why = why.clone();
        let _ = events.send(Event::Lost { number, why });
    }
}
