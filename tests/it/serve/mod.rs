//! The HTTP server, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]
#![allow(clippy::disallowed_methods, reason = "the client's side, on loopback")]

mod access;
#[cfg(all(feature = "ledger", feature = "sandbox"))]
mod callbacks;
mod check;
#[cfg(all(feature = "ledger", feature = "sandbox"))]
mod held;
#[cfg(all(feature = "ledger", feature = "sandbox"))]
mod known_urls;
mod limits;
#[cfg(all(feature = "ledger", feature = "sandbox"))]
mod outage;
mod pages;
#[cfg(all(feature = "ledger", feature = "sandbox"))]
mod scan;
mod urls;
#[cfg(all(feature = "ledger", feature = "sandbox"))]
pub(crate) mod webhooks;

use std::{
    fmt::Write as _,
    io::Write,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use greenlight::serve::{Limits, Listen, Server, ServerBuilder};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

use crate::wire::{Reply, read};

/// How long a client waits. A test that reaches it has failed.
const WAIT: Duration = Duration::from_secs(20);

/// A server that ends with the test.
struct Serving {
    url: String,
    shutdown: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
    runtime: Runtime,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// A builder for a free port of loopback.
fn builder() -> ServerBuilder {
    Server::builder().listen("127.0.0.1:0".parse::<Listen>().unwrap())
}

fn serve() -> Serving {
    Serving::start(builder(), runtime())
}

fn limited(limits: Limits) -> Serving {
    Serving::start(builder().limits(limits), runtime())
}

impl Serving {
    fn start(builder: ServerBuilder, runtime: Runtime) -> Self {
        let server = runtime.block_on(builder.bind()).unwrap();
        let url = server.url().to_owned();
        let (shutdown, asked) = oneshot::channel::<()>();
        let running = runtime.spawn(server.run(async {
            let _ = asked.await;
        }));
        Self {
            url,
            shutdown: Some(shutdown),
            running: Some(running),
            runtime,
        }
    }

    fn address(&self) -> SocketAddr {
        self.url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        stream.set_write_timeout(Some(WAIT)).unwrap();
        stream
    }

    /// Writes the whole request before it reads.
    fn send(&self, request: &[u8]) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        read(&mut stream)
    }

    fn post(&self, path: &str, media_type: &str, body: &[u8]) -> Reply {
        self.request("POST", path, &[("Content-Type", media_type)], body)
    }

    fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], b"")
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send(&request(method, path, headers, body))
    }

    /// Begins the shutdown.
    fn begin_shutdown(&mut self) {
        let _ = self.shutdown.take().unwrap().send(());
    }

    /// Waits for the end of the server.
    fn ended(&mut self) {
        let running = self.running.take().unwrap();
        let ended = self
            .runtime
            .block_on(async { tokio::time::timeout(WAIT, running).await });
        ended.expect("the server ends").unwrap();
    }
}

/// A request with its whole body.
fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "Content-Length: {}\r\n\r\n", body.len()).unwrap();
    [head.as_bytes(), body].concat()
}

fn json(reply: &Reply) -> serde_json::Value {
    serde_json::from_str(&reply.body).expect(&reply.body)
}

/// The codes of a verdict's violations.
fn codes(reply: &Reply) -> Vec<String> {
    let verdict = json(reply);
    let violations = verdict["violations"].as_array().unwrap();
    let codes = violations.iter().map(|violation| &violation["code"]);
    codes
        .map(|code| code.as_str().unwrap().to_owned())
        .collect()
}
