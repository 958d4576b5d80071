//! A web page that takes images, refuses the bad ones while they are still uploading and submits
//! the others to moderation.
//!
//!     cargo run --release --example upload_server --features full
//!
//! Then open <http://127.0.0.1:8080>. Without an account the moderation is the sandbox, which goes
//! by file names: `porn.jpg` is blocked, `sexy.jpg` is for review. With one, from the environment:
//!
//! * `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET`: whose bill it goes on.
//! * `GREENLIGHT_REGION`: `ap-southeast-1` unless set.
//! * `GREENLIGHT_PUBLIC_URL`: where the service reaches this server. It must, to see the images.
//! * `GREENLIGHT_UID` and `GREENLIGHT_SEED`: the account's id, and up to 64 random letters and
//!   digits. With them the results come by callback, without they are asked for.
//! * `GREENLIGHT_ENDPOINT`: in place of the region's host.
//!
//! The address to listen on is the first argument. Ctrl-c ends the server and removes what it stored;
//! on Unix, SIGTERM does too.
//!
//! To be set before strangers reach it: a proxy that limits how many connections there are and how
//! long a request's head may take. `axum::serve` has no setting for either.

#![expect(clippy::print_stdout, reason = "a command says where it listens")]

use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    ffi::OsStr,
    future::ready,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, StatusCode, header},
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::{Stream, StreamExt, stream};
use greenlight::{
    Accepted, Batch, Client, DataId, ImageUrl, Inspection, OutcomeDecision, Requirements, Scene,
    Suggestion, Task, TaskReport, TaskState,
    axum::{ImageField, Problem, SmallReads, Upload, UploadPolicy, callbacks},
    green::{Callback, FromEnvironment, ScanOptions, callback::Verifier},
    sandbox::Sandbox,
};
use metrics::counter;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::{fs, io::AsyncWriteExt, net::TcpListener, sync::broadcast};

const REQUIREMENTS: Requirements = Requirements::ASYNC;
const SCENES: [Scene; 2] = [Scene::Porn, Scene::Terrorism];

/// How many outcomes a page that connects anew is told.
const REMEMBERED: usize = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    let folder = tempfile::tempdir()?; // it goes with the process
    let app = Arc::new(App {
        moderation: Moderation::start(folder.path()).await?,
        folder: folder.path().to_owned(),
        outcomes: Outcomes::new(),
        metrics: PrometheusBuilder::new().install_recorder()?,
    });
    println!("moderation by {}", app.moderation.name);
    println!("open http://{}", listener.local_addr()?);

    let mut routes = Router::new()
        .route("/", get(page))
        .route("/npm/{name}", get(package))
        .route(
            "/upload",
            post(upload).layer(UploadPolicy::new(REQUIREMENTS).layer()),
        )
        .route("/events", get(events))
        .route("/images/{name}", get(image))
        .route("/metrics", get(measurements))
        .with_state(Arc::clone(&app));
    if let Some((_, verifier)) = app.moderation.callback.clone() {
        let handle = move |report: TaskReport| {
            app.outcomes.tell(&report);
            ready(Ok::<_, Infallible>(()))
        };
        routes = routes.route("/callback", callbacks(verifier, handle));
    }
    tokio::select! {
        served = axum::serve(SmallReads::new(listener), routes) => Ok(served?),
        asked = asked_to_end() => Ok(asked?),
    }
}

/// Waits for ctrl-c or, on Unix, for SIGTERM, which service managers send. Either would otherwise end
/// the process at once, and leave its folder behind.
async fn asked_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

struct App {
    moderation: Moderation,
    folder: PathBuf,
    outcomes: Outcomes,
    metrics: PrometheusHandle,
}

async fn page() -> Html<&'static str> {
    Html(include_str!("upload_server.html"))
}

/// Serves the npm package from the repository, for the check before an upload. The page works without it.
async fn package(UrlPath(name): UrlPath<String>) -> Response {
    let content_type = match Path::new(&name).extension().and_then(OsStr::to_str) {
        Some("js") => "text/javascript",
        Some("wasm") => "application/wasm",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("npm");
    if !name.chars().all(is_harmless) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match fs::read(folder.join(name)).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, content_type)], bytes).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Takes one image: stored under its id while it is judged, and thrown away again if it is refused.
async fn upload(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    image: Result<ImageField, Problem>,
) -> Response {
    let id = DataId::random();
    let stored = match image {
        Ok(ImageField(image)) => store(&app, &id, image).await,
        Err(problem) => Err(Failure::Problem(problem)),
    };
    match stored {
        Ok((accepted, name)) => {
            let answer = describe(&id, &accepted);
            count(
                "accept",
                accepted.inspection().map_or(0, Inspection::bytes_seen),
                0,
            );
            tokio::spawn(moderate(app, id, accepted, name));
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, answer.to_string()).into_response()
        }
        Err(Failure::Problem(problem)) => {
            let length = headers.get(header::CONTENT_LENGTH);
            let length = length.and_then(|text| text.to_str().ok()?.parse().ok());
            let facts = problem
                .rejected()
                .and_then(|rejected| rejected.inspection());
            let seen = facts.map_or(0, Inspection::bytes_seen);
            // Only a refused image saves bytes, and never more than an accepted one may have: the
            // announced length is a stranger's word.
            let saved = match (length, facts) {
                (Some(length), Some(_)) => {
                    u64::min(length, REQUIREMENTS.max_bytes()).saturating_sub(seen)
                }
                _ => 0,
            };
            count(problem.code(), seen, saved);
            problem.into_response()
        }
        Err(Failure::Storage(error)) => {
            count("failed", 0, 0);
            (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}

enum Failure {
    Problem(Problem),
    Storage(io::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Storage(error)
    }
}

async fn store(app: &App, id: &DataId, mut image: Upload) -> Result<(Accepted, String), Failure> {
    let name = format!("{id}-{}", harmless(image.file_name().unwrap_or("image")));
    // Removed when it is dropped: after a refusal, and when the client goes away.
    let stored = NamedTempFile::new_in(&app.folder)?;
    let mut file = fs::File::from_std(stored.reopen()?);
    while let Some(chunk) = image.chunk().await? {
        file.write_all(&chunk).await?;
    }
    let accepted = image.finish().await?;
    file.flush().await?;
    stored
        .persist(app.folder.join(&name))
        .map_err(|failed| failed.error)?;
    Ok((accepted, name))
}

/// What a client calls a file, reduced to what is harmless in a path and a URL.
fn harmless(name: &str) -> String {
    let tail: Vec<char> = name
        .chars()
        .filter(|c| is_harmless(*c))
        .rev()
        .take(40)
        .collect();
    tail.into_iter().rev().collect()
}

const fn is_harmless(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn describe(id: &DataId, accepted: &Accepted) -> serde_json::Value {
    let facts = accepted.inspection();
    let dimensions = facts.and_then(Inspection::dimensions);
    let warnings: Vec<_> = accepted
        .warnings()
        .iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "id": id.as_str(),
        "format": facts.and_then(Inspection::format).map(|format| format.to_string()),
        "width": dimensions.map(|dimensions| dimensions.width),
        "height": dimensions.map(|dimensions| dimensions.height),
        "warnings": warnings,
    })
}

fn count(verdict: &'static str, seen: u64, saved: u64) {
    counter!("greenlight_uploads_total", "verdict" => verdict).increment(1);
    counter!("greenlight_upload_bytes_seen_total").increment(seen);
    counter!("greenlight_upload_bytes_saved_total").increment(saved);
}

/// Who looks at the images.
struct Moderation {
    name: String,
    client: Client,
    /// Where the service finds the stored images.
    images: String,
    /// Set if results are sent, and not asked for.
    callback: Option<(Callback, Verifier)>,
    _sandbox: Option<Sandbox>,
}

impl Moderation {
    async fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        match setting("ALIBABA_CLOUD_ACCESS_KEY_ID") {
            Some(_) => Self::account(),
            None => Self::sandbox(folder).await,
        }
    }

    async fn sandbox(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::builder().polls(1).serve(folder).start().await?;
        let key = sandbox.credentials();
        let client = Client::builder()
            .endpoint(&sandbox.endpoint())
            .credentials(greenlight::Credentials::new(key.id(), key.secret()))
            .poll_interval(Duration::from_millis(500))
            .build()?;
        let here = folder.join("x");
        fs::write(&here, "").await?;
        let images = sandbox.url_for(&here)?;
        fs::remove_file(&here).await?;
        Ok(Self {
            name: format!("the sandbox at {}", sandbox.endpoint()),
            client,
            images: images.trim_end_matches('x').to_owned(),
            callback: None,
            _sandbox: Some(sandbox),
        })
    }

    fn account() -> Result<Self, Box<dyn Error>> {
        let public = setting("GREENLIGHT_PUBLIC_URL")
            .ok_or("GREENLIGHT_PUBLIC_URL is not set: the service would not find the images")?;
        let region = setting("GREENLIGHT_REGION").unwrap_or_else(|| "ap-southeast-1".to_owned());
        let callback = match (setting("GREENLIGHT_UID"), setting("GREENLIGHT_SEED")) {
            (Some(uid), Some(seed)) => {
                let callback = Callback::new(&format!("{public}/callback"), &seed)?;
                let verifier = Verifier::new(&uid, &callback);
                Some((callback, verifier))
            }
            _ => None,
        };
        let mut client = Client::builder()
            .region(&region)
            .credentials(FromEnvironment);
        if let Some(endpoint) = setting("GREENLIGHT_ENDPOINT") {
            client = client.endpoint(&endpoint);
        }
        Ok(Self {
            client: client.build()?,
            name: format!("the service in {region}"),
            images: format!("{public}/images/"),
            callback,
            _sandbox: None,
        })
    }

    /// Submits an image, and asks for its outcome unless that comes by itself.
    async fn look_at(
        &self,
        id: &DataId,
        accepted: &Accepted,
        name: &str,
    ) -> Result<Option<TaskReport>, Box<dyn Error + Send + Sync>> {
        let url = ImageUrl::parse(&format!("{}{name}", self.images))?;
        let stored = REQUIREMENTS.judge_stored(accepted, url).into_result()?;
        let batch = Batch::new([Task::new(stored).with_data_id(id.clone())])?;
        let mut options = ScanOptions::new(&SCENES);
        if let Some((callback, _)) = &self.callback {
            options = options.with_callback(callback.clone());
        }
        let submission = self.client.submit_with(batch, &options).await?;
        for entry in submission.entries() {
            entry.result().map_err(ToString::to_string)?;
        }
        if self.callback.is_some() {
            return Ok(None);
        }
        Ok(self.client.wait(&submission).await?.pop())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

async fn moderate(app: Arc<App>, id: DataId, accepted: Accepted, name: String) {
    match app.moderation.look_at(&id, &accepted, &name).await {
        Ok(Some(report)) => app.outcomes.tell(&report),
        Ok(None) => {} // it will come by callback
        Err(error) => app
            .outcomes
            .tell_as(&id, "failed", &format!("failed: {error}")),
    }
}

/// What became of the images, for the pages that are open.
struct Outcomes {
    sender: broadcast::Sender<String>,
    recent: Mutex<VecDeque<String>>,
}

impl Outcomes {
    fn new() -> Self {
        Self {
            sender: broadcast::channel(REMEMBERED).0,
            recent: Mutex::default(),
        }
    }

    fn tell(&self, report: &TaskReport) {
        let Some(id) = report.data_id() else {
            return; // every task is submitted with one
        };
        let (decision, text) = match report.state() {
            TaskState::Done(outcome) => {
                let found: Vec<_> = outcome
                    .results()
                    .iter()
                    .filter(|result| *result.suggestion() != Suggestion::Pass)
                    .map(|result| format!("{} ({})", result.label(), result.scene()))
                    .collect();
                let found = found.join(", ");
                match outcome.decision() {
                    OutcomeDecision::Pass => ("pass", "passed".to_owned()),
                    OutcomeDecision::Review => ("review", format!("to be reviewed: {found}")),
                    OutcomeDecision::Block => ("block", format!("blocked: {found}")),
                    _ => ("undecided", format!("undecided: {found}")),
                }
            }
            TaskState::Failed(refusal) => ("failed", format!("could not be scanned: {refusal}")),
            _ => ("undecided", "no outcome in time".to_owned()),
        };
        self.tell_as(id, decision, &text);
    }

    fn tell_as(&self, id: &DataId, decision: &'static str, text: &str) {
        counter!("greenlight_outcomes_total", "decision" => decision).increment(1);
        let event = json!({ "id": id.as_str(), "decision": decision, "text": text }).to_string();
        let mut recent = self.recent.lock().expect("nobody panics with it");
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(event.clone());
        let _ = self.sender.send(event); // nobody may be looking
    }

    /// The recent ones, and then each as it comes.
    fn follow(&self) -> impl Stream<Item = String> + use<> {
        let recent = self.recent.lock().expect("nobody panics with it");
        let receiver = self.sender.subscribe();
        let coming = stream::unfold(receiver, async |mut receiver| {
            loop {
                match receiver.recv().await {
                    Ok(event) => return Some((event, receiver)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        });
        stream::iter(recent.clone()).chain(coming)
    }
}

async fn events(State(app): State<Arc<App>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = app.outcomes.follow();
    Sse::new(events.map(|event| Ok(Event::default().data(event)))).keep_alive(KeepAlive::default())
}

/// A stored image, for the service to look at. Its name is not to be guessed.
async fn image(State(app): State<Arc<App>>, UrlPath(name): UrlPath<String>) -> Response {
    if name.starts_with('.') || !name.chars().all(is_harmless) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match fs::read(app.folder.join(name)).await {
        Ok(bytes) => bytes.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn measurements(State(app): State<Arc<App>>) -> String {
    app.metrics.render()
}
