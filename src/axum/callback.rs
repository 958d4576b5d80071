//! The route for the service's callbacks.

use std::{
    collections::{HashMap, VecDeque},
    future::{Future, poll_fn},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{DefaultBodyLimit, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, post},
};

use tokio::time::timeout;

use super::{Problem, UploadPolicy, body::Upstream};
use crate::{
    error::{Error, ErrorKind},
    green::{TaskReport, callback::Verifier},
    ids::TaskId,
};

/// The longest callback that is read, in bytes. The result of one image is a few KB; that of an
/// animation with hundreds of frames in every scene stays below this, its escapes included.
const MAX_BODY: usize = 1 << 20;

/// What the bodies that are being read may hold together, in bytes.
const MAX_HELD: usize = 16 << 20;

/// The time limit for one body, in addition to the minimum rate of [`UploadPolicy`].
const MAX_TIME: Duration = Duration::from_secs(30);

/// Returns the route for the service's callbacks, which passes each task's result to `handle`,
/// once. A state that is not final ([`TaskState::is_final`](crate::green::TaskState::is_final)) is
/// passed each time it arrives.
///
/// A callback whose checksum is wrong is answered with 403, one that is not the result of a task
/// with 400. A valid one is answered with 200 after `handle` succeeded, and immediately if it did
/// before; if it fails, the answer is 500 and the service sends it again. While it runs, a
/// repetition is answered with 503. Ids of the last 65 536 tasks are remembered, in this process
/// only: with several processes, or after a restart, `handle` must be idempotent.
///
/// A body is read before its checksum can be verified, so its cost is bounded:
/// 1 MB for each (413), 30 seconds and the minimum rate of [`UploadPolicy::default`] (408), and
/// 16 MB for all that are being read (503, and the service sends it again). Every 503 has a
/// `Retry-After` of 30 seconds, after which none of these bodies is read any more.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use axum::http::Request;
/// # use hyper::service::Service as _;
/// use axum::Router;
/// use greenlight::{
///     axum::callbacks,
///     green::{Callback, Secret, TaskReport, callback::Verifier},
/// };
///
/// async fn store(report: TaskReport) -> Result<(), std::io::Error> {
///     Ok(()) // a row in a database
/// }
///
/// let seed = Secret::new("seed_of_32_random_letters");
/// let callback = Callback::new("https://example.com/moderation", seed)?;
/// let verifier = Verifier::new("1234567890123456", &callback);
/// let app: Router = Router::new().route("/moderation", callbacks(verifier, store));
/// # let body = "checksum=6aea63d2fc7307e72736ca5c5c0d498f1923e16e3f21c2f403246d86e24a821f\
/// #     &content=%7B%22code%22%3A200%2C%22taskId%22%3A%22img-1%22%7D";
/// # let app = hyper_util::service::TowerToHyperService::new(app);
/// # let response = app.call(Request::post("/moderation").body(body.to_owned())?).await?;
/// # assert_eq!(response.status(), 200);
/// # let response = app.call(Request::post("/moderation").body(body.replace("img-1", "img-2"))?).await?;
/// # assert_eq!(response.status(), 403);
/// # Ok(())
/// # }
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
    let held = Arc::new(AtomicUsize::new(0));
    post(move |request: Request| async move {
        // At the minimum rate a body of the largest size would hold its share for two minutes.
        let status = match timeout(MAX_TIME, read(request, held)).await {
            Ok(Ok(body)) => deliver(&body, &verifier, &seen, handle).await,
            Ok(Err(status)) => status,
            Err(_elapsed) => StatusCode::REQUEST_TIMEOUT,
        };
        respond(status)
    })
    .layer(DefaultBodyLimit::disable())
}

/// Passes the result in `body` to `handle`, unless that was done before.
async fn deliver<H, F, E>(
    body: &[u8],
    verifier: &Verifier,
    seen: &Arc<Seen>,
    handle: H,
) -> StatusCode
where
    H: Fn(TaskReport) -> F,
    F: Future<Output = Result<(), E>>,
{
    let report = match verifier.open(body) {
        Ok(report) => report,
        Err(error) => return refusal(&error),
    };
    let turn = match seen.begin(report.task_id()) {
        Begun::Turn(turn) => turn,
        Begun::Done => return StatusCode::OK,
        Begun::Running => return StatusCode::SERVICE_UNAVAILABLE,
    };
    let is_final = report.state().is_final();
    if handle(report).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    if is_final {
        turn.done();
    }
    StatusCode::OK
}

fn respond(status: StatusCode) -> Response {
    let mut response = status.into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = HeaderValue::from(MAX_TIME.as_secs());
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// Bytes of the budget that a body holds.
struct Held {
    budget: Arc<AtomicUsize>,
    bytes: usize,
}

impl Held {
    /// Acquires more of the budget, if there is enough.
    fn grow(&mut self, bytes: usize) -> bool {
        let taken = self
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(bytes).filter(|held| *held <= MAX_HELD)
            })
            .is_ok();
        if taken {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        taken
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a body within its bounds.
async fn read(request: Request, budget: Arc<AtomicUsize>) -> Result<Vec<u8>, StatusCode> {
    let (head, body) = request.into_parts();
    // The service repeats a callback, so its connection need not survive a rejection.
    let policy = UploadPolicy::default().with_drain(0, Duration::ZERO);
    let mut upstream = Upstream::new(body, &head.headers, &policy);
    if upstream
        .announced_len()
        .is_some_and(|len| usize::try_from(len).map_or(true, |len| len > MAX_BODY))
    {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut held = Held { budget, bytes: 0 };
    let mut bytes = Vec::new();
    loop {
        let chunk = poll_fn(|cx| upstream.poll_chunk(cx)).await;
        let Some(chunk) = chunk.map_err(|problem: Problem| problem.status())? else {
            return Ok(bytes);
        };
        if bytes.len().saturating_add(chunk.len()) > MAX_BODY {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        // Before the bytes are kept, so that the budget is never exceeded.
        if !held.grow(chunk.len()) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        bytes.extend_from_slice(&chunk);
    }
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

/// The handling of one task's result. Dropped undone, by an error or because the connection closed,
/// it lets the next repetition have its turn.
struct Turn {
    seen: Arc<Seen>,
    id: TaskId,
}

impl Turn {
    fn done(self) {
        self.seen.with(|tasks| {
            tasks.states.insert(self.id.clone(), true);
            // Only finished ones are forgotten: forgetting one that runs would run it twice at a
            // time.
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
