//! Uploads over loopback: compares the extractor with axum's own `Multipart`, and measures the cost
//! of a rejection.
//!
//! The server is a separate process, so that its memory can be distinguished from the clients'. Both
//! share the machine's cores; only the ratios within one run are meaningful.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Multipart},
    routing::post,
};
use greenlight::{
    Requirements,
    axum::{ImageField, Problem, SmallReads, UploadPolicy},
};

use futures_util::StreamExt as _;

use crate::{
    harness::{Kind, Rounds, Scale, Side, Suite, Unit},
    images, pictures, process,
};

pub(crate) fn run(suite: &mut Suite) {
    let is_quick = suite.scale <= Scale::Quick;
    let rounds = Rounds::Exactly(if is_quick { 3 } else { 15 });
    for format in ["jpeg", "png"] {
        let name = format!("upload/structure/{format}/19MB");
        if suite.wants(&name) {
            let server = Server::start(Reads::Small);
            let form = form(&pictures::picture(format, 19_000_000));
            let time = |path| server.time(path, &form, 200);
            let sides = vec![
                Side::new("greenlight", Kind::Ours, || time("/greenlight")),
                Side::new("axum-multipart", Kind::Peer, || time("/axum")),
                Side::new("read-and-drop", Kind::Limit, || time("/raw")),
            ];
            suite.compare(&name, Unit::Nanoseconds, Some(form.len()), rounds, sides);
        }
    }
    let name = "upload/rejection/gif/19MB";
    if suite.wants(name) {
        let server = Server::start(Reads::Small);
        let mut bad = images::gif(16, 16);
        bad.resize(19_000_000, 0);
        let bad = form(&bad);
        let sides = vec![
            Side::new("greenlight", Kind::Ours, || {
                server.time_to_answer("/greenlight", &bad, 422)
            }),
            Side::new("axum-multipart", Kind::Peer, || {
                server.time_to_answer("/axum", &bad, 200)
            }),
        ];
        suite.compare(name, Unit::Nanoseconds, None, rounds, sides);
    }
    memory(suite);
}

/// The server's peak memory while many uploads are half complete. A separate server for each, so that
/// memory retained by the allocator does not count.
fn memory(suite: &mut Suite) {
    let (uploads, name) = if suite.scale <= Scale::Quick {
        (8, "upload/memory/jpeg/8-in-flight")
    } else {
        (256, "upload/memory/jpeg/256-in-flight")
    };
    if !suite.wants(name) {
        return;
    }
    let form = form(&pictures::picture("jpeg", 19_000_000));
    let peak = |path: &'static str, reads| {
        let form = &form;
        move || {
            let server = Server::start(reads);
            server.flood(path, uploads, form);
            server.child.memory("VmHWM")
        }
    };
    let sides = vec![
        Side::new("greenlight", Kind::Ours, peak("/greenlight", Reads::Small)),
        Side::new(
            "greenlight-with-hyper-reads",
            Kind::Ours,
            peak("/greenlight", Reads::Hyper),
        ),
        Side::new("axum-multipart", Kind::Peer, peak("/axum", Reads::Hyper)),
    ];
    suite.compare(name, Unit::Bytes, None, Rounds::Exactly(1), sides);
}

/// How the server reads from its sockets.
#[derive(Clone, Copy)]
enum Reads {
    Small,
    Hyper,
}

/// The server's process.
struct Server {
    child: process::Server,
    address: String,
}

impl Server {
    fn start(reads: Reads) -> Self {
        let reads = match reads {
            Reads::Small => "small",
            Reads::Hyper => "hyper",
        };
        let mut child = process::Server::start(&["upload", reads]);
        let address = child.line();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Returns the nanoseconds from the first byte to the response, for a client that writes before it reads.
    fn time(&self, path: &str, form: &[u8], status: u16) -> f64 {
        let mut stream = self.connect();
        let start = Instant::now();
        stream.write_all(head(path, form.len()).as_bytes()).unwrap();
        stream.write_all(form).unwrap();
        assert_eq!(answer(&mut stream), status);
        start.elapsed().as_secs_f64() * 1e9
    }

    /// Returns the nanoseconds from the first byte to the response, for a client that reads while it writes.
    fn time_to_answer(&self, path: &str, form: &[u8], status: u16) -> f64 {
        let mut reader = self.connect();
        let mut writer = reader.try_clone().unwrap();
        thread::scope(|scope| {
            let start = Instant::now();
            scope.spawn(move || {
                let _ = writer.write_all(head(path, form.len()).as_bytes());
                let _ = writer.write_all(form);
            });
            assert_eq!(answer(&mut reader), status);
            start.elapsed().as_secs_f64() * 1e9
        })
    }

    /// Starts uploads that are all half complete at one moment.
    fn flood(&self, path: &str, uploads: usize, form: &[u8]) {
        let half = Arc::new(Barrier::new(uploads));
        thread::scope(|scope| {
            for _ in 0..uploads {
                let half = Arc::clone(&half);
                thread::Builder::new()
                    .stack_size(128 << 10)
                    .spawn_scoped(scope, move || {
                        let mut stream = self.connect();
                        let (first, second) = form.split_at(form.len() / 2);
                        stream.write_all(head(path, form.len()).as_bytes()).unwrap();
                        stream.write_all(first).unwrap();
                        half.wait();
                        stream.write_all(second).unwrap();
                        assert_eq!(answer(&mut stream), 200);
                    })
                    .unwrap();
            }
        });
    }
}

fn head(path: &str, len: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: multipart/form-data; \
         boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW\r\nContent-Length: {len}\r\n\r\n"
    )
}

fn form(image: &[u8]) -> Vec<u8> {
    [
        b"------WebKitFormBoundary7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"image\"; \
          filename=\"photo\"\r\n\r\n"
            .as_slice(),
        image,
        b"\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n",
    ]
    .concat()
}

/// Returns the status of the response.
fn answer(stream: &mut TcpStream) -> u16 {
    let mut line = [0; 12];
    stream.read_exact(&mut line).unwrap();
    std::str::from_utf8(&line[9..]).unwrap().parse().unwrap()
}

#[tokio::main]
pub(crate) async fn serve(arguments: &[String]) {
    // Clients wait until all uploads are half complete, which takes no account of time-outs.
    let policy = UploadPolicy::new(Requirements::ASYNC).with_min_rate(0, Duration::from_secs(600));
    let app = Router::new()
        .route("/greenlight", post(upload).layer(policy.layer()))
        .route("/axum", post(to_nowhere).layer(DefaultBodyLimit::disable()))
        .route("/raw", post(read).layer(DefaultBodyLimit::disable()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let serving = async {
        if arguments == ["small"] {
            axum::serve(SmallReads::new(listener), app).await
        } else {
            axum::serve(listener, app).await
        }
    };
    tokio::select! {
        served = serving => served.unwrap(),
        stopped = tokio::task::spawn_blocking(process::wait_for_parent) => stopped.unwrap(),
    }
}

async fn upload(ImageField(image): ImageField) -> Result<(), Problem> {
    image.finish().await.map(|_| ())
}

async fn to_nowhere(mut multipart: Multipart) {
    while let Some(mut field) = multipart.next_field().await.unwrap() {
        while field.chunk().await.unwrap().is_some() {}
    }
}

async fn read(body: axum::body::Body) {
    let mut body = body.into_data_stream();
    while body.next().await.is_some() {}
}
