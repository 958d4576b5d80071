//! Scans: accepted images become files in a folder, and a pipeline over the ledger submits them.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::routing::MethodRouter;
use tokio::{
    sync::{Notify, broadcast},
    time::{interval, sleep, timeout_at},
};

use super::{
    clock,
    images::{Images, Spool},
    ledger_watch::{LedgerWatch, bounded, bounded_at, end_of_calls},
    metrics::{Metrics, Submissions},
    moderation::Moderation,
    on_outage::OnOutage,
    scan_id::ScanId,
    webhook::Webhook,
};
use crate::{
    axum::callbacks,
    error::{Error, ErrorKind},
    green::callback::Verifier,
    ids::DataId,
    image_url::ImageUrl,
    ledger::{Key, Known, Ledger, Location, NewImage, Row, Rows, Source, State, Undelivered},
    pipeline::{Line, Pipeline, Queue, Run, Subject},
    requirements::Requirements,
};

/// How often a waiting request reads the ledger, which another process may have changed.
const LOOK: Duration = Duration::from_secs(1);

/// Delay before the pipeline is started again after the ledger failed.
const RESTART: Duration = Duration::from_secs(1);

const NO_LEDGER: &str = "the ledger cannot be used";

/// Outcomes that a waiting request may miss before it reads the ledger anyway.
const HEARD: usize = 1_024;

/// Interval between two removals of files that no image needs.
const SWEEP: Duration = Duration::from_secs(60);

/// The scans of a server.
#[derive(Debug)]
pub(super) struct Scans {
    pub(super) ledger: Arc<dyn Ledger>,
    queue: Queue,
    pipeline: Pipeline,
    pub(super) images: Images,
    pub(super) watch: LedgerWatch,
    url_age: Option<Duration>,
    pub(super) on_outage: OnOutage,
    verifier: Option<Verifier>,
    pub(super) webhook: Option<Webhook>,
    /// The numbers of rows that are final.
    finals: broadcast::Sender<i64>,
    /// There may be outcomes to deliver.
    pub(super) decided: Notify,
    /// What keeps images from being scanned.
    obstacle: Mutex<Option<&'static str>>,
    /// What pipelines submitted that were started again.
    earlier: Mutex<Submissions>,
    /// The last outcome that is in the metrics. A pipeline that is started again returns some twice.
    counted: AtomicI64,
}

impl Scans {
    /// Creates the folder, and starts to work on what the ledger has.
    pub(super) fn start(moderation: Moderation) -> io::Result<(Self, Run)> {
        let images = Images::open(&moderation.folder, moderation.max_held)?;
        let run = moderation.pipeline.open();
        let scans = Self {
            ledger: Arc::clone(moderation.pipeline.ledger()),
            queue: run.queue(),
            pipeline: moderation.pipeline,
            images,
            watch: LedgerWatch::default(),
            url_age: moderation.url_age,
            on_outage: moderation.on_outage,
            verifier: moderation.verifier,
            webhook: moderation.webhook,
            finals: broadcast::channel(HEARD).0,
            decided: Notify::new(),
            obstacle: Mutex::default(),
            earlier: Mutex::default(),
            counted: AtomicI64::new(0),
        };
        Ok((scans, run))
    }

    /// Enqueues an accepted image. The same bytes with the same ids are the same scan.
    pub(super) async fn add(
        &self,
        spool: Spool,
        data_id: Option<&DataId>,
        url: Option<String>,
    ) -> Result<ScanId, Error> {
        let name = spool.name();
        // Until the image is enqueued, so that no sweep removes the file in between. Others that have
        // the lock may be waiting for the ledger.
        let locked = async { Ok(self.images.lock(&name).await) };
        let _name = bounded(locked).await?;
        let path = self.images.path(&name);
        let persisted = self.images.persist(spool, &path).await;
        persisted.map_err(|error| {
            let message = "store the image";
            Error::new(ErrorKind::Io, message).with_source(error)
        })?;
        let subject = Subject::File(path.clone());
        let source = source(data_id, url);
        let (key, noted) = bounded(self.queue.add(Line { subject, source })).await?;
        // The outcome is known, so the file is not needed. A dead image may be retried.
        if noted.state.is_final() && noted.state != State::Dead {
            self.images.remove(&path);
        }
        Ok(ScanId::new(noted.number, &key))
    }

    /// The key under which the scan of a URL is recorded, if it is. It depends on the requirements,
    /// because the image was checked by them.
    pub(super) fn url_key(&self, url: &ImageUrl, requirements: &Requirements) -> Option<Key> {
        self.url_age?;
        let scope = self.ledger.scope();
        let text = format!("{} {}", Key::of_url(scope, url), requirements.fingerprint());
        Some(Key::of_text(scope, &text))
    }

    /// Returns the last scan of a URL, if it is recent and not dead.
    pub(super) async fn recall(
        &self,
        url: Key,
        data_id: Option<&DataId>,
    ) -> Result<Option<ScanId>, Error> {
        let age = self.url_age.unwrap_or_default();
        let since = clock::now().checked_sub(age);
        let since = since.unwrap_or(std::time::SystemTime::UNIX_EPOCH);
        let end = end_of_calls();
        let known = bounded_at(end, self.ledger.recall_url(url, since));
        let Some(number) = known.await? else {
            return Ok(None);
        };
        let row = bounded_at(end, self.row(number)).await?;
        // These have no result of the service, and another download may give one.
        let usable = |row: &Row| !matches!(row.state, State::Dead | State::Rejected);
        let Some(row) = row.filter(usable) else {
            return Ok(None);
        };
        if row.source.data_id.as_deref() == data_id.map(DataId::as_str) {
            return Ok(Some(ScanId::of(&row)));
        }
        // Another data id is another scan, which gets the outcome of the same image.
        let image = NewImage {
            key: row.key,
            location: row.location,
            known: Known::Checked,
            facts: None,
            source: source(data_id, row.source.text),
            deliver_again: false,
        };
        // No run enqueues it, so the webhook is woken here: the image may be final already.
        let enqueued = self.ledger.enqueue(vec![image], clock::now());
        let noted = bounded_at(end, enqueued).await?;
        self.decided.notify_one();
        let noted = noted.first();
        Ok(noted.map(|noted| ScanId::new(noted.number, &row.key)))
    }

    /// Records the scan of a URL.
    pub(super) async fn remember(&self, url: Key, scan: ScanId) -> Result<(), Error> {
        let now = clock::now();
        bounded(self.ledger.remember_url(url, scan.number(), now)).await
    }

    async fn row(&self, number: i64) -> Result<Option<Row>, Error> {
        let rows = Rows {
            after: number.saturating_sub(1),
            limit: 1,
            state: None,
        };
        let mut rows = self.ledger.rows(rows).await?.into_iter();
        Ok(rows.next().filter(|row| row.number == number))
    }

    /// Returns the scan, as it is now.
    pub(super) async fn read(&self, id: ScanId) -> Result<Option<Row>, Error> {
        let row = bounded(self.row(id.number())).await?;
        // The id has a part of the key, so a guessed number returns nothing.
        Ok(row.filter(|row| ScanId::of(row) == id))
    }

    /// Returns the scan when it is final, or after `time`. If the ledger fails meanwhile, the scan is
    /// as it was before.
    pub(super) async fn wait(&self, id: ScanId, time: Duration) -> Result<Option<Row>, Error> {
        let deadline = clock::instant() + time;
        // Before the row is read, so that an outcome in between is not missed.
        let mut finals = self.finals.subscribe();
        let mut last = None;
        loop {
            let row = match (self.read(id).await, last) {
                (Ok(row), _) | (Err(_), Some(row)) => row,
                (Err(error), None) => return Err(error),
            };
            let is_final = row.as_ref().is_none_or(|row| row.state.is_final());
            if is_final || clock::instant() >= deadline {
                return Ok(row);
            }
            let until = deadline.min(clock::instant() + LOOK);
            let heard = async {
                loop {
                    match finals.recv().await {
                        Ok(number) if number != id.number() => {}
                        // Missed, or the one that is awaited.
                        _ => return,
                    }
                }
            };
            let _ = timeout_at(until, heard).await;
            last = Some(row);
        }
    }

    /// Returns the route of the service's callbacks, if they are accepted.
    pub(super) fn callbacks<S>(&self) -> Option<MethodRouter<S>>
    where
        S: Clone + Send + Sync + 'static,
    {
        let verifier = self.verifier.clone()?;
        let pipeline = self.pipeline.clone();
        Some(callbacks(verifier, move |report| {
            let pipeline = pipeline.clone();
            // The service sends a callback again that fails.
            async move { bounded(pipeline.record_callback(&report)).await.map(drop) }
        }))
    }

    /// Returns what keeps images from being scanned.
    pub(super) fn obstacle(&self) -> Option<&'static str> {
        if self.watch.is_down() {
            return Some(NO_LEDGER);
        }
        *self.obstacle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn earlier(&self) -> MutexGuard<'_, Submissions> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_obstacle(&self, obstacle: Option<&'static str>) {
        *self.obstacle.lock().unwrap_or_else(PoisonError::into_inner) = obstacle;
    }

    /// Works on the ledger until the run is stopped.
    pub(super) async fn drive(&self, run: &mut Run, metrics: &Metrics) {
        let mut ticks = interval(LOOK);
        loop {
            let next = tokio::select! {
                _ = ticks.tick() => {
                    self.set_obstacle(run.outage().map(|_| "the service cannot be reached"));
                    metrics.submitted(*self.earlier() + Submissions::of(run.progress()));
                    continue;
                }
                next = run.next() => next,
            };
            let ended = match next {
                // Acknowledged before the files are removed: after a crash in between, a sweep
                // removes them.
                Ok(Some(outcomes)) => match self.acknowledge(run, &outcomes).await {
                    Ok(()) => {
                        self.finished(&outcomes, metrics).await;
                        continue;
                    }
                    Err(error) => error,
                },
                Ok(None) => return,
                Err(error) => error,
            };
            // `/readyz` reports it, so that a load balancer sends requests elsewhere.
            self.set_obstacle(Some(NO_LEDGER));
            tracing::error!(error = ended.report(), "the pipeline ended");
            sleep(RESTART).await;
            // The next run counts from zero, and a counter of the metrics must not decrease.
            *self.earlier() += Submissions::of(run.progress());
            *run = self.pipeline.open();
        }
    }

    /// Acknowledges outcomes, unless they have to be delivered first.
    async fn acknowledge(&self, run: &Run, outcomes: &[Undelivered]) -> Result<(), Error> {
        if self.webhook.is_some() {
            self.decided.notify_one();
            return Ok(());
        }
        run.acknowledge(outcomes).await
    }

    /// Removes the files of images with an outcome, and wakes the requests that wait for them.
    async fn finished(&self, outcomes: &[Undelivered], metrics: &Metrics) {
        for Undelivered { id, row, .. } in outcomes {
            let mut received = None;
            // A dead image may be retried.
            if let Location::File(path) = &row.location
                && row.state != State::Dead
                // A ledger may have rows of files that are the user's.
                && self.images.contain(path)
                && let Some(name) = path.file_name()
            {
                let _name = self.images.lock(&name.to_string_lossy()).await;
                received = self.images.remove(path);
            }
            if self.counted.fetch_max(id.0, Ordering::Relaxed) < id.0 {
                let took = received.and_then(|time| clock::now().duration_since(time).ok());
                metrics.scanned(row, took);
            }
            // No request may be waiting.
            let _ = self.finals.send(row.number);
        }
    }

    /// Removes files that no image needs, now and regularly.
    pub(super) async fn tidy(&self) {
        let mut ticks = interval(SWEEP);
        loop {
            ticks.tick().await;
            if let Err(error) = self.images.sweep(&*self.ledger).await {
                tracing::warn!(error = error.report(), "remove images");
            }
        }
    }
}

fn source(data_id: Option<&DataId>, url: Option<String>) -> Source {
    Source {
        origin: "serve".to_owned(),
        line: 1,
        data_id: data_id.map(ToString::to_string),
        // A path would make the row depend on the folder.
        text: Some(url.unwrap_or_else(|| "upload".to_owned())),
    }
}
