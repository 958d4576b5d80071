//! `greenlight serve`, as a process.

#![expect(clippy::disallowed_methods, reason = "the client's side, on loopback")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command},
    thread,
    time::Duration,
};

use super::{
    bench::{Bench, Run, read_line},
    running::signal,
};
use crate::wire::{Reply, read};

const LISTEN: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// A server that is running.
pub(super) struct Server {
    child: Option<Child>,
    pub(super) address: String,
}

impl Server {
    fn start(bench: &Bench, args: &[&str]) -> Self {
        Self::spawn(bench.command(&[&LISTEN, args].concat()))
    }

    /// Starts a server with the sandbox's key in its environment.
    pub(super) fn start_with(bench: &Bench, args: &[&str]) -> Self {
        let mut command = bench.command(&[&LISTEN, args].concat());
        command
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "sandbox-key-id")
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "sandbox-key-secret");
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let line = read_line(child.stdout.as_mut().unwrap());
        let address = line.strip_prefix("listening on http://").expect(&line);
        Self {
            address: address.to_owned(),
            child: Some(child),
        }
    }

    pub(super) fn send(&self, request: &str) -> Reply {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        read(&mut stream)
    }

    /// Kills the server.
    pub(super) fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
    }

    /// Ends the server as a service manager does.
    pub(super) fn end(mut self) -> Run {
        let child = self.child.take().unwrap();
        signal(&child, "TERM");
        Run::of(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn check(headers: &str, image: &str) -> String {
    let len = image.len();
    format!(
        "POST /v1/check?min_width=400 HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {len}\r\n\r\n{image}"
    )
}

#[test]
fn a_server_logs_its_requests_and_ends_when_it_is_asked_to() {
    let bench = Bench::new("serve-log");
    let server = Server::start(&bench, &[]);
    let id = "X-Request-Id: order-17\r\nContent-Type: image/png\r\n";
    assert_eq!(
        server.send(&check(id, "no image, but a secret")).status,
        200
    );
    assert_eq!(
        server
            .send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .status,
        200
    );
    let run = server.end();
    assert_eq!(run.code, Some(0), "{run}");
    let line = run.stderr.lines().find(|line| line.contains("order-17"));
    let line = line.expect(&run.stderr);
    for field in [
        " INFO request ",
        "method=POST",
        "route=\"/v1/check\"",
        "status=200",
        "client=0",
    ] {
        assert!(line.contains(field), "no {field} in {line}");
    }
    for secret in ["secret", "min_width", "healthz"] {
        assert!(!run.stderr.contains(secret), "{run}");
    }
}

#[test]
fn the_log_can_be_json_or_none() {
    let bench = Bench::new("serve-json");
    let server = Server::start(&bench, &["--log-format", "json"]);
    server.send(&check("X-Request-Id: a\r\n", "x"));
    let run = server.end();
    let line = run.stderr.lines().find(|line| line.starts_with('{'));
    let event: serde_json::Value = serde_json::from_str(line.expect(&run.stderr)).unwrap();
    assert_eq!(event["id"], "a");
    assert_eq!(
        (&event["route"], &event["status"]),
        (&"/v1/check".into(), &200.into())
    );

    let server = Server::start(&bench, &["--quiet"]);
    server.send(&check("", "x"));
    assert_eq!(server.end().stderr, "");
}

#[test]
fn tokens_are_read_from_a_file() {
    let bench = Bench::new("serve-tokens");
    bench.write("tokens", "shop-0123456789abcdef\n");
    let server = Server::start(&bench, &["--token-file", "tokens"]);
    assert_eq!(server.send(&check("", "x")).status, 401);
    let token = "Authorization: Bearer shop-0123456789abcdef\r\n";
    assert_eq!(server.send(&check(token, "x")).status, 200);
    let run = server.end();
    assert!(!run.stderr.contains("0123456789"), "{run}");
    assert!(run.stderr.contains("client=1"), "{run}");
}

#[test]
fn options_that_cannot_be_used_are_explained() {
    let bench = Bench::new("serve-options");
    bench.write("short", "secret\n");
    bench.write("empty", "# none\n");
    let table: [(&[&str], &str); 7] = [
        (
            &["--listen", "0.0.0.0:0"],
            "error: 0.0.0.0:0 can be reached from other hosts",
        ),
        (&["--listen", "nowhere"], "write ADDRESS:PORT"),
        (
            &["--listen", "unix:"],
            "write the path of a socket after unix:",
        ),
        (
            &["--listen", "unix:no/such/folder/socket"],
            "listen on unix:no/such/folder/socket: ",
        ),
        (
            &["--token-file", "missing"],
            "error: cannot read missing: No such file or directory",
        ),
        (
            &["--token-file", "short"],
            "error: short: tokens, line 1: fewer than 16 characters",
        ),
        (
            &["--token-file", "empty"],
            "error: empty: tokens: there is none",
        ),
    ];
    for (args, message) in table {
        let run = bench.run(&[&["serve"], args].concat());
        assert_eq!(run.code, Some(2), "{args:?} {run}");
        assert!(run.stderr.contains(message), "{args:?} {run}");
        assert!(!run.stderr.contains("secret"), "{run}");
    }
    let listening = Server::start(&bench, &[]);
    let run = bench.run(&["serve", "--listen", &listening.address]);
    assert_eq!(run.code, Some(2), "{run}");
    let message = format!("error: listen on {}: ", listening.address);
    assert!(
        run.stderr.to_lowercase().contains("address already in use"),
        "{run}"
    );
    assert!(run.stderr.starts_with(&message), "{run}");
}

#[test]
fn a_second_signal_ends_a_server_that_waits_for_a_client() {
    let bench = Bench::new("serve-signals");
    let mut server = Server::start(&bench, &[]);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = "POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\
                Expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The request is in progress once the server asks for its body.
    let mut asked = [0; 12];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100");
    stream.write_all(b"\x89PNG\r\n\x1a\n").unwrap();
    let child = server.child.take().unwrap();
    signal(&child, "TERM");
    // The second signal has to be sent after the first one is handled.
    thread::sleep(Duration::from_secs(1));
    signal(&child, "INT");
    let run = Run::of(child);
    assert_eq!(run.code, Some(130), "{run}");
    assert!(
        run.stderr.contains("finishing the requests in progress"),
        "{run}"
    );
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

#[test]
fn a_sandbox_needs_no_account_and_a_service_is_named() {
    let bench = Bench::new("serve-sandbox");
    let server = Server::start(&bench, &["--sandbox", "--on-outage", "deny"]);
    let ready = server.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(ready.status, 200);
    let scan = "GET /v1/scans/1-0123456789abcdef HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(server.send(scan).code(), "scan/unknown");
    assert_eq!(server.end().code, Some(0));

    let server = Server::start(&bench, &[]);
    assert_eq!(server.send(scan).code(), "request/not-found");
    let run = bench.run(&["serve", "--ledger", "a.db"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("a ledger is named, but no service"),
        "{run}"
    );
    let callbacks = ["--callback-url", "https://a.example", "--callback-uid", "1"];
    let run = bench.run(&[&["serve", "--sandbox"][..], &callbacks].concat());
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("CALLBACK_SEED is not set"), "{run}");
    let run = bench.run(&["serve", "--region", "ap-southeast-1"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("no credentials"), "{run}");
}

/// A service manager's signal ends a request that waits for an outcome, with a response.
#[test]
fn a_signal_ends_a_long_poll() {
    let bench = Bench::new("serve-signal-poll");
    let endpoint = "http://127.0.0.1:1"; // no process listens there
    let mut server = Server::start_with(&bench, &["--endpoint", endpoint, "--ledger", "scans.db"]);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let image = crate::images::png(300, 260, 0);
    let head = crate::wire::head("/v1/scan?wait=30", "image/png", image.len());
    let head = head.replace("Host: test", "Host: localhost");
    stream
        .write_all(&[head.as_bytes(), &image].concat())
        .unwrap();
    let images = bench.path("scans.db.images");
    for _ in 0..100 {
        let names = std::fs::read_dir(&images).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name());
        if names.any(|name| !name.to_string_lossy().starts_with('.')) {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let child = server.child.take().unwrap();
    signal(&child, "TERM");
    let reply = read(&mut stream);
    assert_eq!(reply.status, 202, "{reply:?}");
    assert!(reply.body.contains("not-inspected"), "{reply:?}");
    let run = Run::of(child);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn the_options_of_a_server_have_their_values_and_an_effect() {
    let bench = Bench::new("serve-option-values");
    let wrong = bench.run(&["serve", "--on-outage", "x"]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
    assert!(wrong.stderr.contains("deny, hold, allow"), "{wrong}");
    let help = bench.run(&["serve", "--help"]);
    assert!(help.stdout.contains("--on-outage"), "{help}");
    assert!(!help.stdout.contains("--checked-within"), "{help}");
    // A worker applies it to the lines that `scan` adds.
    let help = bench.run(&["work", "--help"]);
    assert!(help.stdout.contains("--checked-within"), "{help}");
}
