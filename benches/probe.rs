//! Compares the probe with the maximum throughput and with a common implementation.
//!
//!     cargo bench --bench probe --features probe,client
//!     cargo bench --bench probe --features probe,client -- --seconds 5 --rounds 3
//!     cargo bench --bench probe --features probe,client -- names
//!
//! Needs `nginx`, and `wrk` for the maximum (Debian packages of these names). One nginx worker on
//! loopback serves 22 JPEG files of 2.65 MB on average: plain, over TLS, and through a proxy with a
//! round-trip time of 20 ms; 16 requests are in flight. Each contender runs in its own process on one
//! thread. The contenders take turns, and the median of the rounds is printed:
//!
//! * `wrk`: `Range: bytes=0-65535` with keep-alive, without inspecting the response: the maximum;
//! * `header`: `Mode::Header` through `Probe::check_all`;
//! * `full`: `Mode::Full`;
//! * `reqwest`: a loop of `get`, `bytes` and `Inspection::at` at header depth;
//! * `reqwest-range`: the same with the Range.
//!
//! `names` needs neither tool: it measures how long 1,000 names take, alone and among 1,000 whose name
//! server does not respond.
//!
//! The output is probes per second and their ratio to wrk's, the client's CPU time per probe, the
//! bytes that nginx sent per probe, the peak memory, and its growth from 1,000 URLs to 10,000.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark that computes with small numbers"
)]

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use greenlight::{
    Depth, ImageUrl, Inspection, Requirements,
    probe::{AddressPolicy, Mode, Probe},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket, tcp},
    runtime,
    sync::mpsc,
    task::JoinSet,
    time,
};

const FILES: u64 = 22;
const IN_FLIGHT: usize = 16;
const ROUND_TRIP: Duration = Duration::from_millis(20);
const HOST: &str = "images.example";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|one| one != "--bench").collect();
    if let [first, rest @ ..] = &arguments[..]
        && first == "contender"
    {
        return contender(rest);
    }
    if arguments.first().is_some_and(|first| first == "names") {
        return names();
    }
    let option = |name: &str, default: u64| {
        let at = arguments.iter().position(|one| one == name);
        at.map_or(default, |at| arguments[at + 1].parse().unwrap())
    };
    let (seconds, rounds) = (option("--seconds", 3), option("--rounds", 3));
    if !has("nginx", "-v") {
        println!("nginx is not installed: skipping all measurements");
        return;
    }
    let place = Place::new();
    let nginx = Nginx::start(&place);
    let wrk = has("wrk", "-v");
    if !wrk {
        println!("wrk is not installed: printing no ratios");
    }
    println!(
        "{seconds} s per run, {rounds} rounds, {IN_FLIGHT} in flight, one thread, one nginx worker\n"
    );
    let near = [("plain", nginx.plain, false), ("TLS", nginx.tls, true)];
    for (title, port, tls) in near {
        let all = ["wrk", "header", "full", "reqwest", "reqwest-range"];
        table(
            title,
            &place,
            &nginx,
            port,
            tls,
            &all[usize::from(!wrk)..],
            (seconds, rounds),
        );
    }
    for (title, port, tls) in near {
        let far = delayed(port);
        let title = format!("{title}, {} ms round trip", ROUND_TRIP.as_millis());
        let all = ["header", "full", "reqwest", "reqwest-range"];
        table(&title, &place, &nginx, far, tls, &all, (seconds, rounds));
    }
    growth(&place, nginx.plain);
}

fn has(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok()
}

/// The figures of one run.
#[derive(Clone, Copy, Debug)]
struct Run {
    per_second: f64,
    cpu_micros: f64,
    sent_kb: f64,
    memory_mb: f64,
}

fn table(
    title: &str,
    place: &Place,
    nginx: &Nginx,
    port: u16,
    tls: bool,
    contenders: &[&'static str],
    (seconds, rounds): (u64, u64),
) {
    let mut runs: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
    for _ in 0..rounds {
        for name in contenders {
            runs.entry(name)
                .or_default()
                .push(run(name, place, nginx, port, tls, seconds));
        }
    }
    println!("| {title} | probes/s | to wrk | CPU µs | sent KB | memory MB |");
    println!("|---|---|---|---|---|---|");
    let middle = |name: &str, value: fn(&Run) -> f64| median(runs[name].iter().map(value));
    for name in contenders {
        let ratio = runs.contains_key("wrk").then(|| {
            // Compared with wrk of the same round, because other load varies between rounds.
            let pairs = runs[name].iter().zip(&runs["wrk"]);
            let ratio = median(pairs.map(|(run, wrk)| run.per_second / wrk.per_second));
            format!("{ratio:.2}")
        });
        println!(
            "| {name} | {:.0} | {} | {:.0} | {:.0} | {:.0} |",
            middle(name, |run| run.per_second),
            ratio.unwrap_or_default(),
            middle(name, |run| run.cpu_micros),
            middle(name, |run| run.sent_kb),
            middle(name, |run| run.memory_mb),
        );
    }
    println!();
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn run(name: &str, place: &Place, nginx: &Nginx, port: u16, tls: bool, seconds: u64) -> Run {
    nginx.forget();
    let cpu = children_cpu();
    let (count, elapsed, memory_mb) = if name == "wrk" {
        wrk(place, port, tls, seconds)
    } else {
        let scheme = if tls { "https" } else { "http" };
        let output = Command::new(env::current_exe().unwrap())
            .args([
                "contender",
                name,
                scheme,
                &port.to_string(),
                &seconds.to_string(),
                "0",
            ])
            .arg(place.0.join("root.pem"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let output: Vec<f64> = output
            .split(' ')
            .map(|one| one.trim().parse().unwrap())
            .collect();
        (output[0], output[1], output[2])
    };
    let cpu = children_cpu() - cpu;
    let (requests, sent) = nginx.sent();
    Run {
        per_second: count / elapsed,
        cpu_micros: cpu * 1e6 / count,
        sent_kb: sent / count.min(requests).max(1.0) / 1000.0,
        memory_mb,
    }
}

fn wrk(place: &Place, port: u16, tls: bool, seconds: u64) -> (f64, f64, f64) {
    let scheme = if tls { "https" } else { "http" };
    let mut child = Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{IN_FLIGHT}"),
            &format!("-d{seconds}s"),
            "-s",
        ])
        .arg(place.0.join("wrk.lua"))
        .arg(format!("{scheme}://127.0.0.1:{port}/"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(seconds) / 2);
    let memory = status_mb(&child.id().to_string(), "VmHWM:");
    let mut output = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut output).unwrap();
    child.wait().unwrap();
    let rate = output.split("Requests/sec:").nth(1).unwrap();
    let rate: f64 = rate.split_whitespace().next().unwrap().parse().unwrap();
    (rate * seconds as f64, seconds as f64, memory)
}

/// Prints the memory of a list, and of one ten times as long.
fn growth(place: &Place, port: u16) {
    let memory = |count: u64| {
        let output = Command::new(env::current_exe().unwrap())
            .args([
                "contender",
                "header",
                "http",
                &port.to_string(),
                "60",
                &count.to_string(),
            ])
            .arg(place.0.join("root.pem"))
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        output
            .split(' ')
            .nth(2)
            .unwrap()
            .trim()
            .parse::<f64>()
            .unwrap()
    };
    let (short, long) = (memory(1_000), memory(10_000));
    println!("memory, header mode: {short:.1} MB at 1 000 URLs, {long:.1} MB at 10 000");
}

// Names

/// Prints how long 1,000 good names take, alone and among 1,000 that do not respond.
fn names() {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for round in 0..3 {
            let alone = good_names(round, false).await;
            let among = good_names(round, true).await;
            let ratio = among.as_secs_f64() / alone.as_secs_f64();
            println!(
                "1,000 good names: alone {alone:.2?}, among 1,000 dead ones {among:.2?}: {ratio:.2}"
            );
        }
    });
}

/// Returns how long it takes until all of 1,000 good names are checked.
async fn good_names(round: u32, with_dead: bool) -> Duration {
    let dns = name_server().await;
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let file: Arc<[u8]> = jpeg(1, 50_000).into();
        loop {
            let (mut stream, _) = server.accept().await.unwrap();
            let file = Arc::clone(&file);
            tokio::spawn(async move {
                let mut request = [0; 2_048];
                let _ = stream.read(&mut request).await;
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.len());
                let _ = stream.write_all(&[head.as_bytes(), &file].concat()).await;
            });
        }
    });
    let probe = Probe::builder()
        .policy(AddressPolicy::new().allow("127.0.0.1").unwrap())
        .name_servers([dns])
        .depth(Depth::Header)
        .build()
        .unwrap();
    let begun = Instant::now();
    let (mut good, mut dead) = (JoinSet::new(), JoinSet::new());
    for at in 0..1_000 {
        let check = |kind: &str| {
            let url = format!("http://{kind}{at}-{round}.example:{port}/image.jpg");
            let (probe, url) = (probe.clone(), ImageUrl::parse(&url).unwrap());
            async move { probe.download(&url, &Requirements::ASYNC).await }
        };
        if with_dead {
            dead.spawn(check("dead"));
        }
        good.spawn(check("good"));
    }
    while let Some(download) = good.join_next().await {
        let download = download.unwrap();
        assert_eq!(download.status(), Some(200), "{download:?}");
    }
    serving.abort();
    begun.elapsed()
}

/// Runs a name server that resolves every name to 127.0.0.1, but does not respond for dead names.
async fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1_500];
        loop {
            let (_, from) = socket.recv_from(&mut query).await.unwrap();
            if query[13..].starts_with(b"dead") {
                continue;
            }
            let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
            let is_a = query[end - 3] == 1;
            let mut answer = query[..end].to_vec();
            answer[2..4].copy_from_slice(&[0x81, 0x80]);
            answer[6..12].copy_from_slice(&[0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}

// Contenders

/// Runs one contender in this process: prints probes, seconds and the peak memory.
fn contender(arguments: &[String]) {
    let [name, scheme, port, seconds, count, root] = arguments else {
        panic!("contender NAME SCHEME PORT SECONDS COUNT ROOT");
    };
    let until = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
    let most = match count.parse().unwrap() {
        0 => u64::MAX,
        count => count,
    };
    let base = format!("{scheme}://{HOST}:{port}");
    let urls = (0..most)
        .take_while(move |_| Instant::now() < until)
        .map(move |at| format!("{base}/{}.jpg", at % FILES));
    let root = fs::read(root).unwrap();
    let begun = Instant::now();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let done = runtime.block_on(async {
        match name.as_str() {
            "header" => greenlight_probe(urls, Mode::Header, &root).await,
            "full" => greenlight_probe(urls, Mode::Full, &root).await,
            "reqwest" => plain_loop(urls, None, &root).await,
            "reqwest-range" => plain_loop(urls, Some("bytes=0-65535"), &root).await,
            other => panic!("no contender: {other}"),
        }
    });
    let elapsed = begun.elapsed().as_secs_f64();
    println!("{done} {elapsed} {}", status_mb("self", "VmHWM:"));
}

async fn greenlight_probe(urls: impl Iterator<Item = String>, mode: Mode, root: &[u8]) -> u64 {
    let probe = Probe::builder()
        .policy(AddressPolicy::new().allow("127.0.0.1").unwrap())
        .resolver(|_| async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })
        .root_certificates(root)
        .concurrency(IN_FLIGHT)
        .concurrency_per_host(IN_FLIGHT)
        .mode(mode)
        .depth(Depth::Header)
        .build()
        .unwrap();
    let urls = urls.map(|url| ImageUrl::parse(&url).unwrap());
    let mut checks = probe.check_all(urls, &Requirements::ASYNC);
    let mut done = 0;
    while let Some(verdict) = checks.next().await {
        let verdict = verdict.unwrap();
        assert!(verdict.is_accepted(), "{verdict:?}");
        done += 1;
    }
    done
}

async fn plain_loop(
    urls: impl Iterator<Item = String>,
    range: Option<&'static str>,
    root: &[u8],
) -> u64 {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(root) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .resolve(HOST, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .no_proxy()
        .build()
        .unwrap();
    let mut running = JoinSet::new();
    let mut done = 0;
    for url in urls {
        if running.len() == IN_FLIGHT {
            running.join_next().await.unwrap().unwrap();
            done += 1;
        }
        let mut request = client.get(url);
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        running.spawn(async move {
            let bytes = request.send().await.unwrap().bytes().await.unwrap();
            let inspection = Inspection::at(Depth::Header, &bytes);
            assert!(inspection.dimensions().is_some());
        });
    }
    done + running.join_all().await.len() as u64
}

// Measurements

/// Returns the CPU seconds of the child processes that have ended.
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    // cutime and cstime, in hundredths of a second (proc(5)).
    let ticks: f64 = fields[13].parse::<f64>().unwrap() + fields[14].parse::<f64>().unwrap();
    ticks / 100.0
}

fn status_mb(process: &str, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<f64>()
        .unwrap()
        / 1024.0
}

// Servers

/// Creates a folder with the files, the certificates and the configurations.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("greenlight-bench-{}", process::id()));
        fs::create_dir_all(path.join("files")).unwrap();
        for at in 0..FILES {
            // From 100 KB to 5.2 MB, 2.65 MB on average.
            let len = 100_000 + at * 5_100_000 / (FILES - 1);
            fs::write(path.join(format!("files/{at}.jpg")), jpeg(at, len as usize)).unwrap();
        }
        let script = format!(
            "local at = 0\nrequest = function()\n  at = (at + 1) % {FILES}\n  \
             return wrk.format('GET', '/' .. at .. '.jpg', {{ ['Host'] = '{HOST}', ['Range'] = 'bytes=0-65535' }})\nend\n"
        );
        fs::write(path.join("wrk.lua"), script).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns a JPEG with up to 40 KB of EXIF data before the frame header, and noise after it, which no
/// contender reads.
fn jpeg(number: u64, len: usize) -> Vec<u8> {
    let exif = 2 + (number as usize * 7_919) % 40_000;
    let mut file = vec![0xff, 0xd8, 0xff, 0xe1];
    file.extend((exif as u16).to_be_bytes());
    file.resize(4 + exif, 0);
    file.extend([0xff, 0xc0, 0, 17, 8, 4, 0, 6, 0, 3]);
    file.extend([1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
    let mut state = number + 1;
    while file.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        file.extend((state >> 32).to_le_bytes());
    }
    file
}

struct Nginx {
    child: Child,
    plain: u16,
    tls: u16,
    log: PathBuf,
}

impl Nginx {
    fn start(place: &Place) -> Self {
        let (plain, tls) = (free_port(), free_port());
        let key =
            rcgen::generate_simple_self_signed([HOST.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        fs::write(place.0.join("root.pem"), key.cert.pem()).unwrap();
        fs::write(place.0.join("key.pem"), key.signing_key.serialize_pem()).unwrap();
        let here = place.0.display();
        let configuration = format!(
            "daemon off; worker_processes 1; pid {here}/pid; error_log {here}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
               types {{ image/jpeg jpg; }}\n\
               sendfile on; tcp_nodelay on; keepalive_requests 100000000;\n\
               log_format sent '$bytes_sent'; access_log {here}/sent.log sent buffer=64k flush=100ms;\n\
               client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c;\n\
               uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;\n\
               server {{ listen 127.0.0.1:{plain}; root {here}/files; }}\n\
               server {{ listen 127.0.0.1:{tls} ssl; root {here}/files;\n\
                 ssl_certificate {here}/root.pem; ssl_certificate_key {here}/key.pem; }}\n\
             }}\n"
        );
        let path = place.0.join("nginx.conf");
        fs::write(&path, configuration).unwrap();
        let child = nginx(&path);
        let log = place.0.join("sent.log");
        thread::sleep(Duration::from_millis(500));
        Self {
            child,
            plain,
            tls,
            log,
        }
    }

    /// Empties the log.
    fn forget(&self) {
        thread::sleep(Duration::from_millis(300));
        fs::File::create(&self.log).unwrap().flush().unwrap();
    }

    /// Returns how many responses and bytes were sent since.
    fn sent(&self) -> (f64, f64) {
        thread::sleep(Duration::from_millis(300));
        let log = fs::read_to_string(&self.log).unwrap();
        let sent = log
            .lines()
            .filter_map(|line| line.trim_matches('\0').parse::<f64>().ok());
        sent.fold((0.0, 0.0), |(count, sum), one| (count + 1.0, sum + one))
    }
}

fn nginx(configuration: &Path) -> Child {
    let mut command = Command::new("nginx");
    command.arg("-c").arg(configuration).stderr(Stdio::null());
    command.spawn().unwrap()
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // nginx ends its worker on SIGTERM; `Child::kill` sends SIGKILL.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Runs a proxy to `port` with a round-trip time of [`ROUND_TRIP`], also for opening a connection.
fn delayed(port: u16) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                tokio::spawn(relay(near, port));
            }
        });
    });
    own
}

async fn relay(near: TcpStream, port: u16) {
    // Delays the connection by the round trip that loopback does not have.
    time::sleep(ROUND_TRIP).await;
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::join!(one_way(near_in, far_out), one_way(far_in, near_out));
}

/// Forwards bytes, each after half a round trip.
async fn one_way(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf) {
    // The bytes in flight: up to 64 chunks, which corresponds to a window of 4 MB.
    let (sender, mut receiver) = mpsc::channel::<(time::Instant, Vec<u8>)>(64);
    let reading = async move {
        loop {
            let mut piece = vec![0; 64 << 10];
            match from.read(&mut piece).await {
                Ok(len @ 1..) => piece.truncate(len),
                _ => return,
            }
            let due = time::Instant::now() + ROUND_TRIP / 2;
            if sender.send((due, piece)).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, piece)) = receiver.recv().await {
            time::sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}
