//! Uploads over loopback: compares the extractor with axum's own `Multipart`, and measures the cost
//! of a rejection.
//!
//!     cargo bench --bench upload --features axum
//!
//! The server is a separate process, so that its memory can be distinguished from the clients'. Both
//! share the machine's cores; only the ratios within one run are meaningful.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark panics on failure and prints its figures"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the client's side, on loopback, and its clock"
)]

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../tests/it/images.rs"]
mod images;

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
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

const MB: usize = 1 << 20;

fn main() {
    match env::args().nth(1).as_deref() {
        Some("serve") => serve(env::args().nth(2).as_deref() == Some("small")),
        Some("--bench") => bench(&Scale {
            bytes: 19 * MB,
            rounds: 15,
            uploads: 256,
        }),
        // `cargo test --benches` only checks that it runs.
        _ => bench(&Scale {
            bytes: MB,
            rounds: 1,
            uploads: 8,
        }),
    }
}

struct Scale {
    bytes: usize,
    rounds: usize,
    uploads: usize,
}

fn bench(scale: &Scale) {
    let server = Server::start(Reads::Small);
    println!(
        "{} MB images, {} rounds, medians",
        scale.bytes / MB,
        scale.rounds
    );

    let images = [
        ("jpeg", photo(scale.bytes)),
        ("png", images::png(300, 300, scale.bytes)),
    ];
    for (name, image) in &images {
        let form = form(image);
        let (mut ours, mut axums) = (Vec::new(), Vec::new());
        for _ in 0..scale.rounds {
            axums.push(server.time("/axum", &form, 200));
            ours.push(server.time("/greenlight", &form, 200));
        }
        // Compares consecutive runs, because other load varies between rounds.
        let ratio = median(
            axums
                .iter()
                .zip(&ours)
                .map(|(axums, ours)| axums.div_duration_f64(*ours))
                .collect(),
        );
        let (ours, axums) = (median(ours), median(axums));
        println!(
            "{name}: extractor {:.0} MB/s, axum's Multipart to nowhere {:.0} MB/s, ratio {:.2}",
            rate(form.len(), ours),
            rate(form.len(), axums),
            ratio,
        );
    }

    let mut bad = images::gif(16, 16);
    bad.resize(scale.bytes, 0);
    let bad = form(&bad);
    let (mut refusal, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        refusal.push(server.time_to_answer("/greenlight", &bad, 422));
        whole.push(server.time_to_answer("/axum", &bad, 200));
    }
    let (refusal, whole) = (median(refusal), median(whole));
    println!(
        "bad upload: rejected after {:.2} ms, completely read after {:.2} ms: {:.0} times sooner",
        refusal.as_secs_f64() * 1e3,
        whole.as_secs_f64() * 1e3,
        whole.as_secs_f64() / refusal.as_secs_f64(),
    );

    // Separate servers, so that memory retained by the allocator does not count.
    drop(server);
    let form = form(&images[0].1);
    for (path, reads) in [
        ("/greenlight", Reads::Small),
        ("/greenlight", Reads::Hyper),
        ("/axum", Reads::Hyper),
    ] {
        let server = Server::start(reads);
        let before = server.memory("VmRSS");
        server.flood(path, scale.uploads, &form);
        println!(
            "{} uploads in flight to {path}, {}: at most {:.1} MB, {before:.1} MB before",
            scale.uploads,
            match reads {
                Reads::Small => "through SmallReads",
                Reads::Hyper => "with hyper's own buffers",
            },
            server.memory("VmHWM"),
        );
    }
}

/// How the server reads from its sockets.
#[derive(Clone, Copy)]
enum Reads {
    Small,
    Hyper,
}

/// Returns a JPEG whose bytes are mostly coded pixels, as in a photo: noise with stuffed 0xFF bytes.
fn photo(bytes: usize) -> Vec<u8> {
    let mut file = images::jpeg(0);
    file.truncate(file.len() - 2);
    let mut state = 1_u32;
    while file.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = state.to_be_bytes()[0];
        file.push(noise);
        if noise == 0xff {
            file.push(0);
        }
    }
    file.extend(b"\xff\xd9");
    file
}

/// The server's process.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(reads: Reads) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .arg("serve")
            .args(matches!(reads, Reads::Small).then_some("small"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Self {
            child,
            address: address.trim().to_owned(),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Returns the time from the first byte to the response, for a client that writes before it reads.
    fn time(&self, path: &str, form: &[u8], status: u16) -> Duration {
        let mut stream = self.connect();
        let start = Instant::now();
        stream.write_all(head(path, form.len()).as_bytes()).unwrap();
        stream.write_all(form).unwrap();
        assert_eq!(answer(&mut stream), status);
        start.elapsed()
    }

    /// Returns the time from the first byte to the response, for a client that reads while it writes.
    fn time_to_answer(&self, path: &str, form: &[u8], status: u16) -> Duration {
        let mut reader = self.connect();
        let mut writer = reader.try_clone().unwrap();
        thread::scope(|scope| {
            let start = Instant::now();
            scope.spawn(move || {
                let _ = writer.write_all(head(path, form.len()).as_bytes());
                let _ = writer.write_all(form);
            });
            assert_eq!(answer(&mut reader), status);
            start.elapsed()
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

    /// Returns a figure of the process in MB.
    fn memory(&self, name: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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

fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_unstable_by(|one, other| one.partial_cmp(other).unwrap());
    values[values.len() / 2]
}

fn rate(bytes: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(bytes).unwrap()) / 1e6 / time.as_secs_f64()
}

#[tokio::main]
async fn serve(is_small: bool) {
    // Clients wait until all uploads are half complete, which takes no account of time-outs.
    let policy = UploadPolicy::new(Requirements::ASYNC).with_min_rate(0, Duration::from_secs(600));
    let app = Router::new()
        .route("/greenlight", post(upload).layer(policy.layer()))
        .route("/axum", post(to_nowhere).layer(DefaultBodyLimit::disable()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    if is_small {
        axum::serve(SmallReads::new(listener), app).await.unwrap();
    } else {
        axum::serve(listener, app).await.unwrap();
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
