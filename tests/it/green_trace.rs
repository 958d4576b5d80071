//! The content of the spans of attempts.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use greenlight::{
    Scene,
    green::{Credentials, Secret},
};
use serde_json::json;
use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::NoSubscriber,
};

use crate::{
    green::batch,
    green_server::{Server, Step},
};

/// Writes all events into one text.
#[derive(Clone, Default)]
struct Collector {
    text: Arc<Mutex<String>>,
    spans: Arc<AtomicU64>,
}

struct Writer<'a>(&'a mut String);

impl Visit for Writer<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Collector {
    fn write(&self, visit: impl FnOnce(&mut Writer<'_>)) {
        visit(&mut Writer(&mut self.text.lock().unwrap()));
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("greenlight")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write(|writer| {
            write!(writer.0, "\n[{}] ", span.metadata().name()).unwrap();
            span.record(writer);
        });
        Id::from_u64(self.spans.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.write(|writer| values.record(writer));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.write(|writer| event.record(writer));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn each_attempt_has_a_span_with_number_and_message() {
    // With one subscriber, a callsite that a thread without it reaches first is disabled for good, and
    // threads of other tests do. With two, each is asked.
    let _other = Dispatch::new(NoSubscriber::default());
    let collector = Collector::default();
    let _guard = tracing::subscriber::set_default(collector.clone());
    let elsewhere = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(submit_in_two_attempts());
    });
    elsewhere.join().unwrap();
    submit_in_two_attempts().await;

    let text = collector.text.lock().unwrap().clone();
    let attempts: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("[green.attempt]"))
        .collect();
    assert_eq!(attempts.len(), 2, "{text}");
    for (line, parts) in attempts.iter().zip([
        [
            "operation=\"submit\"",
            "attempt=1",
            "code=\"588\"",
            "request_id=\"req-1\"",
            "status=200",
        ],
        [
            "operation=\"submit\"",
            "attempt=2",
            "code=\"200\"",
            "request_id=\"req-2\"",
            "status=200",
        ],
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
    for secret in ["s3cr3t", "t0k3n", "sig=", "example.com"] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// The server is busy once.
async fn submit_in_two_attempts() {
    let server = Server::steps([
        Step::json(
            200,
            &json!({"code": 588, "msg": "EXCEED_QUOTA", "requestId": "req-1"}),
        ),
        Step::json(
            200,
            &json!({"code": 200, "msg": "OK", "requestId": "req-2", "data": []}),
        ),
    ])
    .await;
    let client = server
        .builder()
        .credentials(
            Credentials::new("LTAI", Secret::new("s3cr3t-key")).with_security_token("t0k3n"),
        )
        .build()
        .unwrap();
    client.submit(batch(&["a"]), &[Scene::Porn]).await.unwrap();
}
