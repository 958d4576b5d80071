//! Servers that are killed: their scans and deliveries are in the ledger.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the client's side, on loopback, which prints the bill"
)]

use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use greenlight::sandbox::Sandbox;
use serde_json::Value;

use super::{bench::Bench, serve::Server};
use crate::{
    images::png,
    serve::webhooks::{Act, Receiver},
    wire::try_read,
};

/// Requests at a time.
const CLIENTS: usize = 8;

/// Images in the requests to the service that a kill can interrupt: eight of 50.
const IN_FLIGHT: u64 = 400;

/// The scans of the service, in each of which two scenes are billed.
const SCENES: u64 = 2;

/// Posts an image. Returns the id of its scan, `None` if the server was killed.
fn post(address: &str, number: usize) -> Option<String> {
    let number = u32::try_from(number).unwrap();
    let image = png(300 + number % 64, 256 + number / 64, 0);
    let len = image.len();
    let head = format!(
        "POST /v1/scan?wait=0 HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {len}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(&[head.as_bytes(), &image].concat()).ok()?;
    let reply = try_read(&mut stream)?;
    let scan: Value = serde_json::from_str(&reply.body).expect(&reply.body);
    assert!([200, 202].contains(&reply.status), "{reply:?}");
    Some(scan["id"].as_str().unwrap().to_owned())
}

/// Posts the images with these numbers, and calls `each` after each response. Returns the scans that
/// have an id, and the numbers of the images that have none.
fn post_all(
    address: &str,
    numbers: &[usize],
    each: impl Fn(usize) + Sync,
) -> (Vec<String>, Vec<usize>) {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::new(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(&number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let id = post(address, number);
                    let mut done = done.lock().unwrap();
                    match id {
                        Some(id) => done.0.push(id),
                        None => done.1.push(number),
                    }
                    let count = done.0.len();
                    drop(done);
                    each(count);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

/// A server is killed when half of the scans have an id. Their clients repeat what got no response.
fn scans_survive_a_kill(name: &str, scans: usize, ledger: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    let bench = Bench::new(name);
    let endpoint = sandbox.endpoint();
    let args = [
        "--endpoint",
        &endpoint,
        "--ledger",
        ledger,
        "--images",
        "images",
        "--poll",
        "100ms",
        "--settle",
        "2s",
        "--rate",
        "1000",
        "--quiet",
    ];
    let server = Server::start_with(&bench, &args);
    let address = server.address.clone();
    let server = Mutex::new(Some(server));
    let numbers: Vec<usize> = (0..scans).collect();
    let (mut ids, unknown) = post_all(&address, &numbers, |count| {
        if count >= scans / 2
            && let Some(server) = server.lock().unwrap().take()
        {
            server.kill();
        }
    });
    assert!(!unknown.is_empty(), "the kill interrupts the clients");

    let server = Server::start_with(&bench, &args);
    let (others, unknown) = post_all(&server.address, &unknown, |_| {});
    assert_eq!(unknown, [0; 0]);
    ids.extend(others);
    assert_eq!(ids.len(), scans);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), scans, "each image has its own id");
    for id in &ids {
        let request = format!("GET /v1/scans/{id}?wait=30 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let reply = server.send(&request);
        let scan: Value = serde_json::from_str(&reply.body).expect(&reply.body);
        let found = (reply.status, &scan["decision"]);
        assert_eq!(found, (200, &"pass".into()), "{scan}");
    }
    let paid = sandbox.paid();
    let status = bench.run(&["status", "--ledger", ledger, "--format", "jsonl"]);
    let ambiguous = status.json()[0]["possibly_billed"].as_u64().unwrap() / SCENES;
    let scans = u64::try_from(scans).unwrap();
    println!("{scans} scans, {paid} paid, {ambiguous} sent again");
    assert!(ambiguous <= IN_FLIGHT, "{status}");
    assert!(
        (scans..=scans + ambiguous).contains(&paid),
        "{paid}: {status}"
    );

    let known = post(&server.address, 0).unwrap();
    assert!(ids.contains(&known), "a known image has its scan");
    assert_eq!(sandbox.paid(), paid);
    let run = server.end();
    assert_eq!(run.code, Some(0), "{run}");
    let left = std::fs::read_dir(bench.path("images")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name());
    let images = left.filter(|name| !name.to_string_lossy().starts_with(".greenlight-"));
    assert_eq!(images.count(), 0, "their files are removed");
}

#[test]
fn a_killed_server_continues_its_scans() {
    scans_survive_a_kill("serve-killed", 80, "scans.db");
}

#[test]
#[ignore = "slow: a thousand scans"]
fn a_killed_server_continues_a_thousand_scans() {
    scans_survive_a_kill("serve-killed-1000", 1_000, "scans.db");
}

#[cfg(feature = "postgres")]
#[test]
fn a_killed_server_continues_its_scans_over_postgresql() {
    if let Some(url) = crate::postgres_server::fresh_url() {
        scans_survive_a_kill("serve-killed-postgres", 80, &url);
    }
}

#[cfg(feature = "postgres")]
#[test]
#[ignore = "slow: a thousand scans"]
fn a_killed_server_continues_a_thousand_scans_over_postgresql() {
    if let Some(url) = crate::postgres_server::fresh_url() {
        scans_survive_a_kill("serve-killed-postgres-1000", 1_000, &url);
    }
}

/// The server is killed while the application is processing the message, before its response.
#[test]
fn a_killed_server_delivers_an_outcome_again_with_the_same_id() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    let receiver = Receiver::new(&[Act::Hang]);
    let bench = Bench::new("serve-webhook-killed");
    bench.write("secrets", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    let (endpoint, url) = (sandbox.endpoint(), format!("http://{}/", receiver.address));
    let args = [
        "--endpoint",
        &endpoint,
        "--ledger",
        "scans.db",
        "--poll",
        "100ms",
        "--quiet",
        "--webhook",
        &url,
        "--webhook-secret-file",
        "secrets",
        "--webhook-timeout",
        "1s",
    ];
    let server = Server::start_with(&bench, &args);
    post(&server.address, 0).unwrap();
    let first = receiver.wait(1).remove(0);
    server.kill();

    let server = Server::start_with(&bench, &args);
    let messages = receiver.wait(2);
    assert_eq!(messages[1].id(), first.id());
    assert_eq!(messages[1].body, first.body);
    assert_eq!(server.end().code, Some(0));
    assert_eq!(receiver.messages().len(), 2);
}
