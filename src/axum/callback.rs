//! The route that takes the service's callbacks.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Bytes,
    extract::DefaultBodyLimit,
    http::StatusCode,
    routing::{MethodRouter, post},
};

use crate::{
    error::{Error, ErrorKind},
    green::{TaskId, TaskReport, callback::Verifier},
};

/// The longest callback that is read, in bytes.
const MAX_BODY: usize = 4 << 20;

/// Makes the route that takes the service's callbacks and gives each task's result to `handle`,
/// once. What is no result yet ([`TaskState::is_final`](crate::green::TaskState::is_final)) is given
/// as often as it comes.
///
/// A callback whose checksum is wrong is answered with 403, one that is not the result of a task
/// with 400. One that is right is answered with 200 after `handle` succeeded, and at once if it did
/// before; if it fails, the answer is 500 and the service sends it again. While it runs, a
/// repetition is answered with 503. Ids of the last 65 536 tasks are remembered, in this process
/// only: whoever runs several, or restarts, needs `handle` to be idempotent.
///
/// ```
/// use axum::Router;
/// use greenlight::{
///     axum::callbacks,
///     green::{Callback, TaskReport, callback::Verifier},
/// };
///
/// async fn store(report: TaskReport) -> Result<(), std::io::Error> {
///     Ok(()) // a row in a database
/// }
///
/// let callback = Callback::new("https://example.com/moderation", "seed_of_32_random_letters")?;
/// let verifier = Verifier::new("1234567890123456", &callback);
/// let app: Router = Router::new().route("/moderation", callbacks(verifier, store));
/// # Ok::<(), greenlight::Error>(())
/// ```
pub fn callbacks<S, H, F, E>(verifier: Verifier, handle: H) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    H: Fn(TaskReport) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Send + 'static,
{
    let seen = Arc::new(Seen::default());
    let verifier = Arc::new(verifier);
    post(move |body: Bytes| async move {
        let report = match verifier.open(&body) {
            Ok(report) => report,
            Err(error) => return refusal(&error),
        };
        let turn = match seen.begin(report.task_id()) {
            Begun::Turn(turn) => turn,
            Begun::Done => return StatusCode::OK,
            Begun::Running => return StatusCode::SERVICE_UNAVAILABLE,
        };
        let is_final = report.state().is_final();
        match handle(report).await {
            Ok(()) => {
                if is_final {
                    turn.done();
                }
                StatusCode::OK
            }
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    })
    .layer(DefaultBodyLimit::max(MAX_BODY))
}

fn refusal(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::Credentials => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Tasks whose results were handled or are being handled.
#[derive(Debug, Default)]
struct Seen {
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    /// Whether each is done.
    states: HashMap<TaskId, bool>,
    /// Those that are done, oldest first.
    done: VecDeque<TaskId>,
}

enum Begun {
    Turn(Turn),
    Done,
    Running,
}

impl Seen {
    const MOST: usize = 65_536;

    fn begin(self: &Arc<Self>, id: &TaskId) -> Begun {
        self.with(|tasks| match tasks.states.get(id) {
            Some(true) => Begun::Done,
            Some(false) => Begun::Running,
            None => {
                tasks.states.insert(id.clone(), false);
                Begun::Turn(Turn {
                    seen: Arc::clone(self),
                    id: id.clone(),
                })
            }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Tasks) -> T) -> T {
        act(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The handling of one task's result. Dropped undone, by an error or because the connection went,
/// it lets the next repetition have its turn.
struct Turn {
    seen: Arc<Seen>,
    id: TaskId,
}

impl Turn {
    fn done(self) {
        self.seen.with(|tasks| {
            tasks.states.insert(self.id.clone(), true);
            tasks.done.push_back(self.id.clone());
            if tasks.done.len() > Seen::MOST
                && let Some(oldest) = tasks.done.pop_front()
            {
                tasks.states.remove(&oldest);
            }
        });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.seen.with(|tasks| {
            if tasks.states.get(&self.id) == Some(&false) {
                tasks.states.remove(&self.id);
            }
        });
    }
}
