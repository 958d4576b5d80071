//! The contenders, each in a process of its own.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use greenlight::{
    Depth, ImageUrl, Inspection, Requirements,
    probe::{AddressPolicy, Mode, Probe},
};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    runtime,
    task::JoinSet,
};

use super::{HOST, IN_FLIGHT, files::FILES};
use crate::process::peak_memory;

const RANGE: &str = "bytes=0-65535";

/// Runs one contender: prints probes, seconds and the peak memory.
pub(crate) fn run(arguments: &[String]) {
    let [name, scheme, port, seconds, root] = arguments else {
        panic!("probe CONTENDER SCHEME PORT SECONDS ROOT");
    };
    let until = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
    let base = format!("{scheme}://{HOST}:{port}");
    let urls = (0..)
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
            "reqwest-range" => plain_loop(urls, Some(RANGE), &root).await,
            "raw-range" => raw(scheme == "https", port.parse().unwrap(), until, &root).await,
            other => panic!("no contender: {other}"),
        }
    });
    let elapsed = begun.elapsed().as_secs_f64();
    println!("{done} {elapsed} {}", peak_memory());
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

fn tls(root: &[u8]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(root) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

async fn plain_loop(
    urls: impl Iterator<Item = String>,
    range: Option<&'static str>,
    root: &[u8],
) -> u64 {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(root))
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

/// Requests ranges on connections that are kept open, without looking at the responses.
async fn raw(is_tls: bool, port: u16, until: Instant, root: &[u8]) -> u64 {
    let connector = tokio_rustls::TlsConnector::from(Arc::new(tls(root)));
    let mut running = JoinSet::new();
    for first in 0..IN_FLIGHT as u64 {
        let connector = connector.clone();
        running.spawn(async move {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .unwrap();
            stream.set_nodelay(true).unwrap();
            if is_tls {
                let name = ServerName::try_from(HOST).unwrap();
                let stream = connector.connect(name, stream).await.unwrap();
                ranges(stream, first, until).await
            } else {
                ranges(stream, first, until).await
            }
        });
    }
    running.join_all().await.into_iter().sum()
}

async fn ranges(stream: impl AsyncRead + AsyncWrite + Unpin, first: u64, until: Instant) -> u64 {
    let mut stream = BufReader::with_capacity(80_000, stream);
    let mut body = vec![0; 65_536];
    let mut done = 0;
    while Instant::now() < until {
        let path = (first + done) % FILES;
        let request = format!("GET /{path}.jpg HTTP/1.1\r\nHost: {HOST}\r\nRange: {RANGE}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let len = head.split("content-length: ").nth(1).unwrap();
        let len: usize = len.split("\r\n").next().unwrap().parse().unwrap();
        stream.read_exact(&mut body[..len]).await.unwrap();
        done += 1;
    }
    done
}
