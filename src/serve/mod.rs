//! An HTTP server that checks images for programs in any language.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use greenlight::serve::{Listen, Server, Tokens};
//!
//! let tokens = Tokens::parse("an-example-of-a-token")?;
//! let listen: Listen = "127.0.0.1:0".parse()?; // any free port
//! let server = Server::builder().listen(listen).tokens(tokens).bind().await?;
//! assert!(server.url().starts_with("http://127.0.0.1:"));
//! # let shutdown = async {};
//! server.run(shutdown).await; // until the future `shutdown` completes
//! # Ok(())
//! # }
//! ```
//!
//! | route | what it does |
//! |---|---|
//! | `POST /v1/check` | checks an image, as the body or in a form |
//! | `POST /v1/check-url` | checks the image at a URL, within the probe's address rule |
//! | `POST /pict-rs` | validates media for pict-rs 0.4.3 and later |
//! | `POST /v1/scan`, `GET /v1/scans/{id}`, `/v1/scans/{id}/events` | submit an image, and return its outcome, with [`Moderation`] |
//! | `POST /callbacks/1.0`, `/callbacks/2.0` | the service's callbacks, with [`Moderation::callbacks`] |
//! | `GET /healthz`, `/readyz`, `/metrics` | the state of the server |
//! | `GET /openapi.json`, `/` | the description of the routes, and a page to try them |
//!
//! # Who may use it
//!
//! With [`Tokens`], each request but those for `/healthz`, `/readyz`, `/openapi.json` and the page
//! needs one of them. Without, the server listens on loopback or a Unix domain socket only, and
//! refuses requests that a browser makes for pages of other sites.

mod address;
mod builder;
mod check;
mod clock;
mod connections;
mod deliveries;
mod guard;
mod health;
mod images;
mod ledger_watch;
mod limits;
mod lines;
mod metrics;
mod moderation;
mod observe;
mod on_outage;
mod openapi;
mod page;
mod refusal;
mod scan;
mod scan_answer;
mod scan_id;
mod scans;
mod schema;
mod tokens;
mod wanted;
mod webhook;

use std::{
    future::{Future, pending},
    sync::Arc,
    time::Duration,
};

use ::axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tokio::{
    sync::watch,
    time::{interval, timeout},
};

use self::{
    address::Socket, deliveries::Deliveries, limits::Room, metrics::Metrics, refusal::Refusal,
    scans::Scans, tokens::Clients,
};
use crate::{
    axum::{UploadPolicy, discard},
    format::Depth,
    pipeline::Run,
    probe::Probe,
    requirements::Requirements,
};

pub use address::Listen;
pub use builder::ServerBuilder;
pub use limits::Limits;
pub use moderation::Moderation;
pub use on_outage::OnOutage;
pub use tokens::Tokens;
pub use webhook::Webhook;

/// The interval between two additions of the recorded durations.
const ADD_UP: Duration = Duration::from_secs(5);

/// What the routes share.
#[derive(Debug)]
struct App {
    requirements: Requirements,
    depth: Depth,
    probe: Probe,
    limits: Limits,
    room: Room,
    clients: Clients,
    metrics: Metrics,
    /// Whether the server ends.
    closing: watch::Sender<bool>,
    /// None for a server that only checks.
    scans: Option<Arc<Scans>>,
}

impl App {
    fn policy(&self, requirements: &Requirements) -> UploadPolicy {
        UploadPolicy::new(requirements.clone())
            .with_depth(self.depth)
            .with_min_rate(self.limits.min_rate, self.limits.patience)
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Completes when the server begins to end.
    async fn closed(&self) {
        // The sender is a part of this.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Refuses a request without reading it. Its body is discarded within bounds, because many clients
    /// write their whole request before they read.
    fn turn_away(&self, request: Request, refusal: Refusal) -> Response {
        discard(request, &self.policy(&self.requirements));
        refusal.into_response()
    }
}

/// A server that is bound to its address.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::serve::Server;
/// use tokio::sync::oneshot;
///
/// let server = Server::builder().listen("127.0.0.1:0".parse()?).bind().await?;
/// println!("listening on {}", server.url());
/// let (stop, stopped) = oneshot::channel::<()>();
/// let running = tokio::spawn(server.run(async { drop(stopped.await) }));
/// stop.send(()).expect("the server is running"); // the requests in progress are finished
/// running.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    socket: Socket,
    run: Option<Run>,
    url: String,
    app: Arc<App>,
}

impl Server {
    /// Returns a server to be set up.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Returns the address: `http://ADDRESS:PORT`, or `unix:PATH`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves requests until `shutdown` completes. Then it accepts no more connections, finishes the
    /// requests in progress within [`Limits::with_shutdown_time`], and returns. Images that were
    /// submitted are in the ledger.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let app = &self.app;
        let shutdown = async {
            shutdown.await;
            app.closing.send_replace(true);
        };
        let served = connections::run(self.socket, routes(app), &app.limits, shutdown);
        let mut ticks = interval(ADD_UP);
        let add_up = async {
            loop {
                ticks.tick().await;
                app.metrics.add_up();
            }
        };
        let mut deliveries = Deliveries::new(app);
        let run = &mut self.run;
        let work = async {
            if let (Some(scans), Some(run)) = (&app.scans, run.as_mut()) {
                scans.drive(run, &app.metrics).await;
            }
            // Only `served` ends the server. A run that has ended, or none, must not.
            pending::<()>().await;
        };
        let deliver = async {
            if let Some(deliveries) = &mut deliveries {
                deliveries.run().await;
            }
            pending::<()>().await;
        };
        let tidy = async {
            if let Some(scans) = &app.scans {
                scans.tidy().await;
            }
            pending::<()>().await;
        };
        let watch = async {
            if let Some(scans) = &app.scans {
                scans.watch.run(&*scans.ledger).await;
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = served => {}
            () = add_up => {}
            () = work => {}
            () = deliver => {}
            () = tidy => {}
            () = watch => {}
        }
        if let (Some(scans), Some(run)) = (&app.scans, &mut self.run) {
            // After the connections have ended, because requests in progress still add images.
            run.stopper().stop();
            let finish = async {
                // What was sent is recorded.
                scans.drive(run, &app.metrics).await;
                if let Some(deliveries) = &mut deliveries {
                    deliveries.finish().await;
                }
            };
            let _ = timeout(app.limits.shutdown_time, finish).await;
        }
    }
}

fn routes(app: &Arc<App>) -> Router {
    let images = match &app.scans {
        Some(scans) => Router::new()
            .route("/v1/scan", post(scan::scan))
            .route("/v1/scans/{id}", get(scan::read))
            .route("/v1/scans/{id}/events", get(scan::events))
            .route("/pict-rs", post(scan::pict_rs))
            .with_state((Arc::clone(app), Arc::clone(scans))),
        None => Router::new().route("/pict-rs", post(check::pict_rs)),
    };
    let callbacks = app.scans.as_ref().and_then(|scans| scans.callbacks());
    let callbacks = callbacks.map(|route| Router::new().route("/callbacks/{api}", route));
    images
        .route("/v1/check", post(check::check))
        .route("/v1/check-url", post(check::check_url))
        .route("/metrics", get(health::metrics))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(app),
            guard::check,
        ))
        // Outside the guard: the service has no token, and the checksum of its callbacks is
        // verified.
        .merge(callbacks.unwrap_or_default())
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/openapi.json", get(openapi::document))
        .route("/", get(page::html))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .method_not_allowed_fallback(|| async {
            Refusal::new(405, "request/method", "this route has no such method")
        })
        .fallback(|| async { Refusal::new(404, "request/not-found", "there is no such route") })
        // The extractors have limits of their own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(
            Arc::clone(app),
            observe::record,
        ))
        .with_state(Arc::clone(app))
}
