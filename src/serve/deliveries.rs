//! Delivers outcomes from the ledger's outbox to the application.

#![allow(
    unused_qualifications,
    reason = "of the macro that describes the message"
)]

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{task::JoinSet, time::sleep};
use utoipa::ToSchema;

use super::{
    App, clock,
    scan_answer::ScanAnswer,
    scan_id::ScanId,
    scans::Scans,
    webhook::{Attempt, Webhook},
};
use crate::{
    error::Error,
    ledger::{Delivery, DeliveryId, Undelivered},
};

/// Attempts at a time. A receiver that does not respond delays as many.
const CONCURRENT: usize = 32;

/// How often the ledger is read for deliveries that are due again.
const LOOK: Duration = Duration::from_secs(1);

/// How long an attempt is held in addition to its time limit, so that no other process repeats it.
const MARGIN: Duration = Duration::from_secs(5);

/// The deliveries of a server.
#[derive(Debug)]
pub(super) struct Deliveries {
    work: Arc<Work>,
    running: JoinSet<()>,
}

#[derive(Debug)]
struct Work {
    app: Arc<App>,
    scans: Arc<Scans>,
    webhook: Webhook,
}

/// A message about a final scan. It is the same in each attempt.
#[derive(Serialize, ToSchema)]
struct Message {
    /// `scan.final`
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    /// The scan.
    data: ScanAnswer,
}

/// Reports a final scan to the application
///
/// As the Standard Webhooks specification asks. Other responses than 2xx are failed attempts, which are
/// repeated with the same `webhook-id`.
#[utoipa::path(
    post,
    path = "scan.final",
    tag = "scan",
    params(
        ("webhook-id" = String, Header, description = "The id of the message, the same in each attempt"),
        ("webhook-timestamp" = u64, Header, description = "The time of the attempt, in seconds since 1970"),
        ("webhook-signature" = String, Header,
            description = "`v1,` and the Base64 of an HMAC-SHA256 over id, timestamp and body, one for each secret"),
    ),
    request_body = Message,
    responses(
        (status = 204, description = "The application has stored the outcome"),
        (status = 410, description = "The application does not want this message again"),
    ),
)]
#[expect(dead_code, reason = "describes a request of the server")]
pub(super) fn scan_final() {}

impl Deliveries {
    /// Returns the deliveries, if the application has a webhook.
    pub(super) fn new(app: &Arc<App>) -> Option<Self> {
        let scans = app.scans.clone()?;
        let webhook = scans.webhook.clone()?;
        let app = Arc::clone(app);
        Some(Self {
            work: Arc::new(Work {
                app,
                scans,
                webhook,
            }),
            running: JoinSet::new(),
        })
    }

    /// Delivers what is due, without an end. Cancel safe.
    pub(super) async fn run(&mut self) {
        loop {
            let free = CONCURRENT.saturating_sub(self.running.len());
            if free > 0 {
                // No more than are attempted immediately: the hold of a delivery that waits would
                // end.
                for delivery in self.work.claim(free).await {
                    let work = Arc::clone(&self.work);
                    self.running
                        .spawn(async move { work.deliver(delivery).await });
                }
            }
            let has_more = self.running.len() >= CONCURRENT;
            tokio::select! {
                Some(_) = self.running.join_next() => {
                    // The next claim fills the places of all that have ended.
                    while self.running.try_join_next().is_some() {}
                }
                // Not while all places are taken: the notification is kept until one is free.
                () = self.work.scans.decided.notified(), if !has_more => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Waits for the attempts that are being made.
    pub(super) async fn finish(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

impl Work {
    async fn claim(&self, limit: usize) -> Vec<Delivery> {
        let hold = self.webhook.time() + MARGIN;
        let ledger = &self.scans.ledger;
        let due = ledger.due_deliveries(limit, hold, clock::now()).await;
        due.unwrap_or_else(|error| {
            tracing::error!(error = error.report(), "read the outbox");
            Vec::new()
        })
    }

    async fn deliver(&self, delivery: Delivery) {
        let Delivery {
            outcome: Undelivered { id, row, .. },
            attempts,
            ..
        } = delivery;
        let scan = ScanId::of(&row);
        // With the id of the delivery: receivers ignore a message that they know, and a later
        // outcome of the same scan must not be ignored.
        let message_id = format!("scan_{scan}_{}", id.0);
        let message = Message {
            kind: "scan.final",
            data: ScanAnswer::of(scan, row, self.scans.on_outage),
        };
        let body = serde_json::to_string(&message).expect("texts and numbers can be written");
        let attempt = self.webhook.post(&message_id, body, clock::now()).await;
        let failed = attempts.saturating_add(1);
        let (result, recorded) = match attempt {
            Attempt::Delivered => {
                tracing::debug!(id = message_id, "delivered an outcome");
                let ledger = &self.scans.ledger;
                // After the response: a crash in between repeats the message under the same id, and
                // loses none.
                let acknowledged = ledger.acknowledge(vec![id], clock::now()).await;
                ("delivered", acknowledged)
            }
            Attempt::Failed {
                reason,
                retry_after,
            } => {
                let delay = self.webhook.delay(failed, retry_after, fastrand::f64());
                let seconds = delay.map(|delay| delay.as_secs());
                tracing::warn!(
                    id = message_id,
                    failed,
                    reason,
                    seconds,
                    "an outcome was not delivered"
                );
                self.postpone(id, delay).await
            }
            Attempt::Gone => {
                tracing::warn!(
                    id = message_id,
                    "the application wants no outcomes: status 410"
                );
                self.postpone(id, None).await
            }
        };
        self.app.metrics.delivered(result);
        if let Err(error) = recorded {
            // It is repeated when the hold ends, under the same id.
            tracing::error!(error = error.report(), id = message_id, "record a delivery");
        }
    }

    async fn postpone(
        &self,
        id: DeliveryId,
        delay: Option<Duration>,
    ) -> (&'static str, Result<(), Error>) {
        let at = delay.and_then(|delay| clock::now().checked_add(delay));
        let result = if at.is_some() { "failed" } else { "abandoned" };
        (result, self.scans.ledger.postpone(vec![(id, at)]).await)
    }
}
