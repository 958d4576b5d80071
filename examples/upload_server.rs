//! A web page that accepts images, rejects invalid ones during the upload and submits the others to
//! moderation.
//!
//!     cargo run --release --example upload_server --features full
//!
//! Then open <http://127.0.0.1:8080>. Without an account it uses the sandbox, which decides by file
//! names: `porn.jpg` is blocked, `sexy.jpg` needs review. To use an account, set in the environment:
//!
//! * `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET`: the credentials of the account.
//! * `GREENLIGHT_REGION`: the region; default: `ap-southeast-1`.
//! * `GREENLIGHT_PUBLIC_URL`: the URL under which the service downloads images from this server.
//! * `GREENLIGHT_UID` and `GREENLIGHT_SEED`: the account's id, and up to 64 random letters and
//!   digits. With both, results arrive by callback; otherwise the server polls.
//! * `GREENLIGHT_ENDPOINT`: the service's host; default: that of the region.
//!
//! `--api 2.0` uses Image Moderation 2.0, which individuals and new accounts can open; `--service` names its service,
//! by default `baselineCheck_global`, and in regions of mainland China `baselineCheck`.
//!
//! Another argument is the address to listen on. Ctrl-C or, on Unix, SIGTERM ends the server and
//! removes the stored images.
//!
//! Before you expose it to untrusted clients, add a proxy that limits the number of connections and
//! the time for a request head. `axum::serve` has no setting for either.

#![expect(clippy::print_stdout, reason = "a command prints its address")]

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
    Accepted, DataId, ImageUrl, Inspection, Requirements, Scene,
    axum::{ImageField, Problem, SmallReads, Upload, UploadPolicy, callbacks},
    green::{
        Api, Batch, Callback, Client, ClientBuilder, Credentials, FromEnvironment, OutcomeDecision,
        Secret, Suggestion, Task, TaskReport, TaskState, Watch, callback::Verifier,
        v2::ServiceCode,
    },
    sandbox::Sandbox,
};
use metrics::counter;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::{fs, io::AsyncWriteExt, net::TcpListener, sync::broadcast};

/// Number of recent outcomes that are sent to a page when it connects.
const REMEMBERED: usize = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let listener = TcpListener::bind(&arguments.address).await?;
    let folder = tempfile::tempdir()?; // removed when the process ends
    let app = Arc::new(App {
        moderation: Moderation::start(&arguments, folder.path()).await?,
        folder: folder.path().to_owned(),
        outcomes: Outcomes::new(),
        metrics: PrometheusBuilder::new().install_recorder()?,
    });
    println!("moderation by {}", app.moderation.name);
    println!("open http://{}", listener.local_addr()?);

    let mut routes = Router::new()
        .route("/", get(page))
        .route("/page.css", get(style))
        .route("/page.js", get(script))
        .route("/npm/{name}", get(package))
        .route(
            "/upload",
            post(upload).layer(UploadPolicy::new(app.moderation.requirements.clone()).layer()),
        )
        .route("/requirements.json", get(requirements))
        .route("/events", get(events))
        .route("/images/{name}", get(image))
        .route("/metrics", get(measurements))
        .with_state(Arc::clone(&app));
    if let Some((_, verifier)) = app.moderation.callback.clone() {
        let handle = move |report: TaskReport| {
            let report = report.require_scenes(&app.moderation.scenes);
            app.outcomes.publish(&report);
            ready(Ok::<_, Infallible>(()))
        };
        routes = routes.route("/callback", callbacks(verifier, handle));
    }
    tokio::select! {
        served = axum::serve(SmallReads::new(listener), routes) => Ok(served?),
        asked = asked_to_end() => Ok(asked?),
    }
}

/// Waits for Ctrl-C or, on Unix, for SIGTERM, which service managers send. By default either ends
/// the process immediately, without removing its folder.
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

/// The arguments of the command.
struct Arguments {
    address: String,
    is_v2: bool,
    service: Option<String>,
}

impl Arguments {
    fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            address: "127.0.0.1:8080".to_owned(),
            is_v2: false,
            service: None,
        };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--api" => {
                    parsed.is_v2 = match given.next().as_deref() {
                        Some("1.0") => false,
                        Some("2.0") => true,
                        _ => return Err("--api is 1.0 or 2.0".to_owned()),
                    }
                }
                "--service" => parsed.service = given.next(),
                option if option.starts_with('-') => return Err(format!("unknown: {option}")),
                _ => parsed.address = argument,
            }
        }
        if parsed.service.is_some() && !parsed.is_v2 {
            return Err("--service is of 2.0: add --api 2.0".to_owned());
        }
        Ok(parsed)
    }
}

/// The requirements, with which the page checks images before it sends them.
async fn requirements(State(app): State<Arc<App>>) -> Response {
    let json = json!(app.moderation.requirements).to_string();
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

async fn page() -> Html<&'static str> {
    Html(include_str!("upload_server.html"))
}

async fn style() -> Response {
    let style = include_str!("upload_server.css");
    ([(header::CONTENT_TYPE, "text/css")], style).into_response()
}

async fn script() -> Response {
    let script = include_str!("upload_server.js");
    ([(header::CONTENT_TYPE, "text/javascript")], script).into_response()
}

/// Serves the npm package from the repository, for the check before an upload. The page also works
/// without it.
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

/// Accepts one image: it is stored under its id while it is checked, and removed if it is rejected.
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
            // Counts bytes saved by a rejection, at most as many as an accepted image may have,
            // because the announced length is untrusted.
            let saved = match (length, facts) {
                (Some(length), Some(_)) => {
                    let max = app.moderation.requirements.max_bytes();
                    u64::min(length, max).saturating_sub(seen)
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
    // Removed when it is dropped: after a rejection, and when the client disconnects.
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

/// Returns the client's file name, reduced to characters that are safe in a path and a URL.
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

/// The moderation service in use.
struct Moderation {
    name: String,
    /// The client of either API: from here on the two are used alike.
    api: Arc<dyn Api>,
    /// What images are scanned for: scenes, or the service of 2.0.
    scenes: Vec<Scene>,
    requirements: Requirements,
    /// The interval between polls, if it is not the default.
    poll_interval: Option<Duration>,
    /// The base URL of the stored images.
    images: String,
    /// Set if results arrive by callback.
    callback: Option<(Callback, Verifier)>,
    _sandbox: Option<Sandbox>,
}

impl Moderation {
    async fn start(arguments: &Arguments, folder: &Path) -> Result<Self, Box<dyn Error>> {
        match setting("ALIBABA_CLOUD_ACCESS_KEY_ID") {
            Some(_) => Self::account(arguments),
            None => Self::sandbox(arguments, folder).await,
        }
    }

    /// Builds the client of the API that the arguments name.
    fn new(
        arguments: &Arguments,
        client: ClientBuilder,
        region: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let is_mainland = region.starts_with("cn-");
        let (api, scenes, requirements): (Arc<dyn Api>, _, _) = if arguments.is_v2 {
            let default = if is_mainland {
                "baselineCheck"
            } else {
                "baselineCheck_global"
            };
            let service: ServiceCode = arguments.service.as_deref().unwrap_or(default).parse()?;
            let requirements = if is_mainland {
                Requirements::V2_MAINLAND
            } else {
                Requirements::V2
            };
            let client = client.build_v2()?;
            (Arc::new(client), vec![service.to_scene()], requirements)
        } else {
            let scenes = vec![Scene::Porn, Scene::Terrorism];
            (Arc::new(client.build()?), scenes, Requirements::ASYNC)
        };
        Ok(Self {
            name: format!("the service in {region}"),
            api,
            scenes,
            requirements,
            poll_interval: None,
            images: String::new(),
            callback: None,
            _sandbox: None,
        })
    }

    async fn sandbox(arguments: &Arguments, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::builder().polls(1).serve(folder).start().await?;
        let key = sandbox.credentials();
        let client = Client::builder()
            .endpoint(&sandbox.endpoint())
            .credentials(Credentials::new(key.id(), Secret::new(key.secret())));
        let here = folder.join("x");
        fs::write(&here, "").await?;
        let images = sandbox.url_for(&here)?;
        fs::remove_file(&here).await?;
        Ok(Self {
            name: format!("the sandbox at {}", sandbox.endpoint()),
            poll_interval: Some(Duration::from_millis(500)),
            images: images.trim_end_matches('x').to_owned(),
            _sandbox: Some(sandbox),
            ..Self::new(arguments, client, "")?
        })
    }

    fn account(arguments: &Arguments) -> Result<Self, Box<dyn Error>> {
        let public = setting("GREENLIGHT_PUBLIC_URL")
            .ok_or("GREENLIGHT_PUBLIC_URL is not set: the service could not download the images")?;
        let region = setting("GREENLIGHT_REGION").unwrap_or_else(|| "ap-southeast-1".to_owned());
        let callback = match (setting("GREENLIGHT_UID"), setting("GREENLIGHT_SEED")) {
            (Some(uid), Some(seed)) => {
                let callback = Callback::new(&format!("{public}/callback"), Secret::new(&seed))?;
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
            images: format!("{public}/images/"),
            callback,
            ..Self::new(arguments, client, &region)?
        })
    }

    /// Submits an image, and polls for its outcome unless that arrives by callback.
    async fn look_at(
        &self,
        id: &DataId,
        accepted: &Accepted,
        name: &str,
    ) -> Result<Option<TaskReport>, Box<dyn Error + Send + Sync>> {
        let url = ImageUrl::parse(&format!("{}{name}", self.images))?;
        let stored = self
            .requirements
            .judge_stored(accepted, url)
            .into_result()?;
        let batch = Batch::new([Task::new(stored).with_data_id(id.clone())])?;
        let callback = self.callback.as_ref().map(|(callback, _)| callback);
        let submission = self.api.submit(batch, &self.scenes, callback).await?;
        for entry in submission.entries() {
            entry.result().map_err(ToString::to_string)?;
        }
        if self.callback.is_some() {
            return Ok(None);
        }
        let mut watch = Watch::from_submission(Arc::clone(&self.api), &submission);
        if let Some(interval) = self.poll_interval {
            watch = watch.with_poll_interval(interval);
        }
        Ok(watch.next().await?)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only place that reads the environment"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

async fn moderate(app: Arc<App>, id: DataId, accepted: Accepted, name: String) {
    match app.moderation.look_at(&id, &accepted, &name).await {
        Ok(Some(report)) => app.outcomes.publish(&report),
        Ok(None) => {} // arrives by callback
        Err(error) => app
            .outcomes
            .publish_as(&id, "unscanned", &error.to_string()),
    }
}

/// The outcomes of the images, for the open pages.
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

    fn publish(&self, report: &TaskReport) {
        let Some(id) = report.data_id() else {
            return; // every task is submitted with a data id
        };
        let (decision, detail) = match report.state() {
            TaskState::Done(outcome) => {
                let found: Vec<_> = outcome
                    .results()
                    .iter()
                    .filter(|result| *result.suggestion() != Suggestion::Pass)
                    .map(|result| format!("{} ({})", result.label(), result.scene()))
                    .collect();
                let decision = match outcome.decision() {
                    OutcomeDecision::Pass => "pass",
                    OutcomeDecision::Review => "review",
                    OutcomeDecision::Block => "block",
                    _ => "undecided",
                };
                (decision, found.join(", "))
            }
            TaskState::Failed(refusal) => ("unscanned", refusal.to_string()),
            _ => ("undecided", "no outcome in time".to_owned()),
        };
        self.publish_as(id, decision, &detail);
    }

    fn publish_as(&self, id: &DataId, decision: &'static str, detail: &str) {
        counter!("greenlight_outcomes_total", "decision" => decision).increment(1);
        let event =
            json!({ "id": id.as_str(), "decision": decision, "detail": detail }).to_string();
        let mut recent = self.recent.lock().expect("no panic while it is locked");
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(event.clone());
        let _ = self.sender.send(event); // fails if no page is open
    }

    /// Returns the recent outcomes, followed by later ones.
    fn follow(&self) -> impl Stream<Item = String> + use<> {
        let recent = self.recent.lock().expect("no panic while it is locked");
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

/// Serves a stored image to the service. Its name cannot be guessed.
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
