//! Webhooks: outcomes from the outbox to receivers on loopback that fail in every way.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use greenlight::{
    green::Secret,
    probe::{AddressPolicy, Probe, ProbeBuilder},
    sandbox::Sandbox,
    serve::{OnOutage, Webhook},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::{
    Serving, json, runtime,
    scan::{Place, id, unused},
};
use crate::{images::png, wire::header};

const KEY: &[u8] = b"an example of a key, of over 24 bytes";

/// What a receiver does with a message.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Responds with this status and these headers.
    Respond(u16, String),
    /// Closes the connection.
    Close,
    /// Keeps the connection open without a response.
    Hang,
}

pub(crate) const fn status(status: u16) -> Act {
    Act::Respond(status, String::new())
}

/// A message that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    at: Instant,
}

impl Message {
    pub(crate) fn id(&self) -> &str {
        header(&self.head, "webhook-id").expect(&self.head)
    }

    fn scan(&self) -> Value {
        let message: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(message["type"], "scan.final");
        message["data"].clone()
    }

    /// Verifies the signature by the specification's text.
    fn is_signed(&self) -> bool {
        let timestamp = header(&self.head, "webhook-timestamp").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
        mac.update(format!("{}.{timestamp}.", self.id()).as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        header(&self.head, "webhook-signature") == Some(&*expected)
    }
}

/// The application's side.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Receiver {
    pub(crate) fn new(acts: &[Act]) -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), acts)
    }

    /// Acts as `acts` in the order of the messages, and then responds with 204.
    pub(crate) fn at(address: SocketAddr, acts: &[Act]) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            messages: Arc::default(),
        };
        let messages = Arc::clone(&receiver.messages);
        let acts = acts.to_vec();
        thread::spawn(move || {
            let mut hanging = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Some(message) = receive(&mut stream) else {
                    continue;
                };
                let mut messages = messages.lock().unwrap();
                let act = acts.get(messages.len()).cloned().unwrap_or(status(204));
                messages.push(message);
                drop(messages);
                match act {
                    Act::Respond(status, headers) => {
                        let head =
                            format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: 0\r\n\r\n");
                        let _ = stream.write_all(head.as_bytes());
                    }
                    Act::Close => {}
                    Act::Hang => hanging.push(stream),
                }
            }
        });
        receiver
    }

    fn url(&self) -> String {
        format!("http://{}/hooks?of=scans", self.address)
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// Waits until so many messages have arrived.
    pub(crate) fn wait(&self, count: usize) -> Vec<Message> {
        for _ in 0..400 {
            let messages = self.messages();
            if messages.len() >= count {
                return messages;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{} of {count} messages arrived", self.messages().len());
    }
}

fn receive(stream: &mut TcpStream) -> Option<Message> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let len = header(&head, "content-length").unwrap().parse().unwrap();
    let mut body = vec![0; len];
    stream.read_exact(&mut body).ok()?;
    let at = Instant::now();
    Some(Message { head, body, at })
}

fn secret() -> Secret {
    Secret::new(&format!("whsec_{}", STANDARD.encode(KEY)))
}

/// A webhook whose attempts follow each other quickly.
fn hasty(url: &str, connections: ProbeBuilder, attempts: usize) -> Webhook {
    let delays = vec![Duration::from_millis(50); attempts - 1];
    let webhook = Webhook::new(url, &secret(), connections).unwrap();
    webhook
        .with_delays(delays)
        .with_time(Duration::from_secs(4))
}

/// A server that reports to a webhook.
fn reporting(webhook: Webhook) -> (Sandbox, Serving, Place) {
    let runtime = runtime();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    let place = Place::new();
    let moderation = place.moderation(&sandbox.endpoint()).webhook(webhook);
    let server = Serving::start(super::builder().moderation(moderation), runtime);
    (sandbox, server, place)
}

fn scan(server: &Serving, size: u32, data_id: &str) -> Value {
    let path = format!("/v1/scan?wait=30&dataId={data_id}");
    let scan = json(&server.post(&path, "image/png", &png(300, 256 + size, 0)));
    assert_eq!(scan["decision"], "pass", "{scan}");
    scan
}

/// The reported scans, sorted by their data ids.
fn reported(messages: &[Message]) -> Vec<Value> {
    let mut scans: Vec<Value> = messages.iter().map(Message::scan).collect();
    scans.sort_by_key(|scan| scan["data_id"].as_str().map(str::to_owned));
    scans
}

/// Waits for a value in the metrics.
fn metric(server: &Serving, line: &str) {
    for _ in 0..200 {
        let metrics = server.get("/metrics").body;
        if metrics.lines().any(|found| found == line) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("no {line} in {}", server.get("/metrics").body);
}

#[test]
fn an_outcome_is_reported_once_per_scan_and_signed() {
    let receiver = Receiver::new(&[]);
    let webhook = hasty(&receiver.url(), Probe::builder(), 3);
    let (_sandbox, server, _place) = reporting(webhook);
    let first = scan(&server, 0, "order-1");
    let second = scan(&server, 0, "order-2");
    scan(&server, 0, "order-1");
    let messages = receiver.wait(2);
    assert_eq!(reported(&messages), [first, second]);
    assert_ne!(messages[0].id(), messages[1].id());
    for message in &messages {
        assert!(
            message
                .head
                .starts_with("POST /hooks?of=scans HTTP/1.1\r\n")
        );
        assert_eq!(
            header(&message.head, "content-type"),
            Some("application/json")
        );
        assert!(message.is_signed(), "{message:?}");
    }
    metric(&server, "greenlight_webhooks_pending 0");
    metric(
        &server,
        "greenlight_webhook_attempts_total{result=\"delivered\"} 2",
    );
    assert_eq!(
        receiver.messages().len(),
        2,
        "a repeated request is no new scan"
    );
}

#[test]
fn failed_attempts_are_repeated_with_the_same_id_and_no_redirect_is_followed() {
    let elsewhere = Receiver::new(&[]);
    let redirect = format!("Location: {}\r\n", elsewhere.url());
    let acts = [
        status(500),
        Act::Close,
        Act::Hang,
        Act::Respond(307, redirect),
        status(404),
    ];
    let receiver = Receiver::new(&acts);
    let (_sandbox, server, _place) = reporting(hasty(&receiver.url(), Probe::builder(), 9));
    scan(&server, 0, "a");
    let messages = receiver.wait(acts.len() + 1);
    for message in &messages {
        assert_eq!(message.id(), messages[0].id());
        assert_eq!(message.body, messages[0].body);
        assert!(message.is_signed());
    }
    metric(&server, "greenlight_webhooks_pending 0");
    assert_eq!(elsewhere.messages().len(), 0);
}

#[test]
fn a_delivery_waits_as_long_as_the_receiver_asks_for() {
    let wait = Act::Respond(503, "Retry-After: 3\r\n".to_owned());
    let receiver = Receiver::new(&[wait]);
    let (_sandbox, server, _place) = reporting(hasty(&receiver.url(), Probe::builder(), 3));
    scan(&server, 0, "a");
    let messages = receiver.wait(2);
    let waited = messages[1].at - messages[0].at;
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
}

#[test]
fn an_abandoned_delivery_is_reported_and_its_scan_still_responds() {
    let failures = [status(500), status(500), status(410)];
    let receiver = Receiver::new(&failures);
    let (_sandbox, server, _place) = reporting(hasty(&receiver.url(), Probe::builder(), 2));
    let exhausted = scan(&server, 0, "a");
    metric(&server, "greenlight_webhooks_abandoned 1");
    let gone = scan(&server, 1, "b");
    metric(&server, "greenlight_webhooks_abandoned 2");
    metric(&server, "greenlight_webhooks_pending 0");
    metric(
        &server,
        "greenlight_webhook_attempts_total{result=\"abandoned\"} 2",
    );
    for scan in [exhausted, gone] {
        let reply = server.get(&format!("/v1/scans/{}", id(&scan)));
        assert_eq!((reply.status, json(&reply)), (200, scan));
    }
    assert_eq!(receiver.messages().len(), 3);
}

#[test]
fn a_receiver_that_hangs_delays_no_other_delivery() {
    let receiver = Receiver::new(&[Act::Hang, Act::Hang]);
    let webhook = hasty(&receiver.url(), Probe::builder(), 3);
    let (_sandbox, server, _place) = reporting(webhook.with_time(Duration::from_secs(60)));
    for number in 0..6 {
        scan(&server, number, "a");
    }
    receiver.wait(6);
    metric(&server, "greenlight_webhooks_pending 2");
}

#[test]
fn deliveries_continue_after_a_restart() {
    let address = unused();
    let url = format!("http://{address}/");
    let keeper = runtime();
    let sandbox = keeper.block_on(Sandbox::start()).unwrap();
    let place = Place::new();
    let start = |runtime| {
        let moderation = place.moderation(&sandbox.endpoint());
        let webhook = hasty(&url, Probe::builder(), 500);
        Serving::start(
            super::builder().moderation(moderation.webhook(webhook)),
            runtime,
        )
    };
    let mut server = start(runtime());
    let scans = [scan(&server, 0, "a"), scan(&server, 1, "b")];
    metric(&server, "greenlight_webhooks_pending 2");
    server.begin_shutdown();
    server.ended();
    drop(server);
    let receiver = Receiver::at(address, &[]);
    let server = start(runtime());
    assert_eq!(reported(&receiver.wait(2)), scans);
    metric(&server, "greenlight_webhooks_pending 0");
}

/// The name of a receiver resolves to an address that is not allowed, and later to one that is.
#[test]
fn a_name_is_resolved_and_checked_for_each_attempt() {
    let receiver = Receiver::new(&[]);
    let port = receiver.address.port();
    let policy = AddressPolicy::new().allow(&format!("127.0.0.1/32:{port}"));
    let answers = Arc::new(Mutex::new(vec![
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([127, 0, 0, 9]),
        IpAddr::from([127, 0, 0, 9]),
    ]));
    let connections = Probe::builder()
        .policy(policy.unwrap())
        .resolver(move |_name| {
            let mut answers = answers.lock().unwrap();
            let answer = if answers.len() > 1 {
                answers.pop()
            } else {
                answers.first().copied()
            };
            async move { Ok(answer.into_iter().collect()) }
        });
    let webhook = hasty(&format!("http://app.example:{port}/"), connections, 5);
    let (_sandbox, server, _place) = reporting(webhook);
    scan(&server, 0, "a");
    receiver.wait(1);
    metric(
        &server,
        "greenlight_webhook_attempts_total{result=\"failed\"} 2",
    );
    metric(
        &server,
        "greenlight_webhook_attempts_total{result=\"delivered\"} 1",
    );
}

/// Without a webhook the outcomes are acknowledged as soon as they are known.
#[test]
fn without_a_webhook_nothing_waits_in_the_outbox() {
    let runtime = runtime();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    let place = Place::new();
    let server = place.serve(&sandbox.endpoint(), OnOutage::Hold, runtime);
    scan(&server, 0, "a");
    let metrics = server.get("/metrics").body;
    assert!(
        !metrics.contains("greenlight_webhooks_pending"),
        "{metrics}"
    );
    drop(server);
    let counts = place.outbox_counts();
    assert_eq!((counts.pending, counts.abandoned), (0, 0));
}

#[test]
fn the_description_has_the_message() {
    let receiver = Receiver::new(&[]);
    let (_sandbox, server, _place) = reporting(hasty(&receiver.url(), Probe::builder(), 3));
    let document = json(&server.get("/openapi.json"));
    let message = &document["webhooks"]["scan.final"]["post"]["requestBody"]["content"];
    let schema = message["application/json"]["schema"]["$ref"].as_str();
    assert_eq!(schema, Some("#/components/schemas/Message"), "{message}");
    let schema = &document["components"]["schemas"]["Message"]["properties"];
    assert_eq!(
        schema["data"]["$ref"], "#/components/schemas/ScanAnswer",
        "{schema}"
    );
    assert!(schema["type"].is_object(), "{schema}");
    assert!(document["paths"]["scan.final"].is_null());
}
