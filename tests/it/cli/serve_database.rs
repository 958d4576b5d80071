//! `greenlight serve` over a database that is stopped and started again.

#![expect(
    clippy::disallowed_methods,
    reason = "the client side, on loopback, which measures time"
)]

use std::{
    io::Write,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use greenlight::sandbox::Sandbox;
use serde_json::Value;

use super::{
    bench::{Bench, Run},
    serve::Server,
};
use crate::{
    images::png,
    postgres_server::Server as Database,
    wire::{Reply, header, read},
};

/// How long a response may take in addition to `wait`.
const PATIENCE: Duration = Duration::from_secs(8);

fn post(address: &str, target: &str, width: u32) -> Reply {
    let image = png(width, 300, 0);
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n",
        image.len()
    );
    send(address, &[head.as_bytes(), &image].concat())
}

fn get(address: &str, target: &str) -> Reply {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    send(address, request.as_bytes())
}

fn send(address: &str, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(40));
    stream.set_read_timeout(limit).unwrap();
    stream.write_all(request).unwrap();
    read(&mut stream)
}

fn wait_for_ready(address: &str, status: u16, limit: Duration) {
    let begun = Instant::now();
    while get(address, "/readyz").status != status {
        assert!(begun.elapsed() < limit, "/readyz is not {status}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Asserts that a request is refused in time, and is to be repeated.
fn assert_refused(ask: impl FnOnce() -> Reply) {
    let begun = Instant::now();
    let reply = ask();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(header(&reply.head, "retry-after").is_some(), "{reply:?}");
    let problem: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(problem["code"], "server/ledger", "{problem}");
}

#[test]
fn a_server_answers_while_its_database_is_stopped() {
    let Some(database) = Database::start("serve-stopped") else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    let bench = Bench::new("serve-database-stopped");
    let (endpoint, ledger) = (sandbox.endpoint(), database.url());
    let args = ["--endpoint", &endpoint, "--ledger", ledger];
    let more = ["--images", "images", "--poll", "100ms"];
    let policy = ["--on-outage", "allow"];
    let server = Server::start_with(&bench, &[&args[..], &more, &policy].concat());
    let address = server.address.clone();
    let known = post(&address, "/v1/scan?wait=20", 300);
    let known: Value = serde_json::from_str(&known.body).unwrap();
    assert_eq!(known["decision"], "pass");
    let path = format!("/v1/scans/{}?wait=0", known["id"].as_str().unwrap());

    database.stop();
    // Not known to be stopped yet. Nothing is recorded, so not even `allow` advises anything.
    thread::scope(|scope| {
        scope.spawn(|| assert_refused(|| post(&address, "/v1/scan?wait=1", 301)));
        scope.spawn(|| assert_refused(|| post(&address, "/pict-rs", 302)));
        scope.spawn(|| assert_refused(|| get(&address, &path)));
        scope.spawn(|| wait_for_ready(&address, 503, PATIENCE));
    });
    assert_refused(|| post(&address, "/v1/scan?wait=1", 303));
    let begun = Instant::now();
    assert_eq!(get(&address, "/metrics").status, 200);
    assert!(begun.elapsed() < PATIENCE);

    database.start_again();
    wait_for_ready(&address, 200, Duration::from_secs(20));
    let scan = post(&address, "/v1/scan?wait=20", 301);
    let scan: Value = serde_json::from_str(&scan.body).unwrap();
    assert_eq!(scan["decision"], "pass", "{scan}");
    let run = server.end();
    assert_eq!(run.code, Some(0), "{run}");
    let lines = |text: &str| {
        run.stderr
            .lines()
            .filter(|line| line.contains(text))
            .count()
    };
    assert_eq!(lines("WARN the ledger cannot be used"), 1, "{run}");
    assert_eq!(lines("the ledger can be used again"), 1, "{run}");
    assert_eq!(lines("ERROR"), 0, "{run}");
}

/// The database is stopped after the image was recorded: the scan goes on later.
#[test]
fn a_scan_that_is_recorded_is_answered_by_the_policy() {
    let Some(database) = Database::start("serve-waiting") else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // No outcome while a request waits.
    let sandbox = Sandbox::builder().polls(1_000).start();
    let sandbox = runtime.block_on(sandbox).unwrap();
    let bench = Bench::new("serve-database-waiting");
    let (endpoint, ledger) = (sandbox.endpoint(), database.url());
    let args = ["--endpoint", &endpoint, "--ledger", ledger];
    let more = ["--images", "images", "--on-outage", "allow"];
    let server = Server::start_with(&bench, &[&args[..], &more].concat());
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    let mut second = bench.command(&[&listen[..], &args].concat());
    second
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "sandbox-key-id")
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "sandbox-key-secret");
    let second = Run::of(second.spawn().unwrap());
    assert_eq!(second.code, Some(2), "{second}");
    assert!(second.stderr.contains("another server or scan"), "{second}");
    assert!(second.stderr.contains("a ledger of its own"), "{second}");
    let address = &server.address;
    let begun = Instant::now();
    let replies = thread::scope(|scope| {
        let asked = [
            ("/v1/scan?wait=9", 300),
            ("/v1/scan?wait=9&onOutage=hold", 301),
            ("/pict-rs?wait=9", 302),
        ]
        .map(|(target, width)| scope.spawn(move || post(address, target, width)));
        // When all are recorded.
        while sandbox.paid() < 3 {
            let time = begun.elapsed();
            assert!(
                time < Duration::from_secs(8),
                "{time:?}: {}",
                sandbox.paid()
            );
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(200));
        database.stop();
        asked.map(|reply| reply.join().unwrap())
    });
    assert!(begun.elapsed() < Duration::from_secs(9) + PATIENCE);
    for (reply, (status, action)) in
        replies
            .iter()
            .zip([(200, "allow"), (202, "hold"), (200, "allow")])
    {
        assert_eq!(reply.status, status, "{reply:?}");
        let scan: Value = serde_json::from_str(&reply.body).unwrap();
        let found = (&scan["decision"], &scan["action"], &scan["is_final"]);
        let wanted = (&"not-inspected".into(), &action.into(), &false.into());
        assert_eq!(found, wanted, "{scan}");
    }
}
