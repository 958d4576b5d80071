//! A server of JPEG files in memory, with ranges.

use std::{convert::Infallible, fs, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use super::HOST;
use crate::process;

pub(super) const FILES: u64 = 22;

/// The server's process.
pub(super) struct Server {
    _child: process::Server,
    plain: u16,
    tls: u16,
    /// A file with the server's certificate.
    pub(super) root: PathBuf,
}

impl Server {
    pub(super) fn start() -> Self {
        let mut child = process::Server::start(&["files"]);
        let (plain, tls) = (child.line().parse().unwrap(), child.line().parse().unwrap());
        let root = PathBuf::from(child.line());
        Self {
            _child: child,
            plain,
            tls,
            root,
        }
    }

    pub(super) fn port(&self, scheme: &str) -> u16 {
        if scheme == "https" {
            self.tls
        } else {
            self.plain
        }
    }
}

/// Runs the server; prints both ports and the file with its certificate.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve() {
    // From 100 KB to 5.2 MB, 2.65 MB on average.
    let files = (0..FILES).map(|at| jpeg(at, (100_000 + at * 5_100_000 / (FILES - 1)) as usize));
    let files: Arc<[Bytes]> = files.map(Bytes::from).collect();
    let key = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("bench-root-{}.pem", std::process::id()));
    fs::write(&root, key.cert.pem()).unwrap();
    let private = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], PrivateKeyDer::from(private))
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secure = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", plain.local_addr().unwrap().port());
    println!("{}", secure.local_addr().unwrap().port());
    println!("{}", root.display());
    let stop = tokio::task::spawn_blocking(process::wait_for_parent);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = plain.accept() => {
                let (stream, _) = accepted.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(connection(stream, Arc::clone(&files)));
            }
            accepted = secure.accept() => {
                let (stream, _) = accepted.unwrap();
                stream.set_nodelay(true).unwrap();
                let (acceptor, files) = (acceptor.clone(), Arc::clone(&files));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(stream, files).await;
                    }
                });
            }
            _ = &mut stop => break,
        }
    }
    fs::remove_file(root).unwrap();
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, files: Arc<[Bytes]>) {
    let service = service_fn(|request| {
        let files = Arc::clone(&files);
        async move { Ok::<_, Infallible>(respond(&files, &request)) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that has seen enough closes its connection.
    let _ = connection.await;
}

fn respond(files: &[Bytes], request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let name = request.uri().path().trim_matches('/');
    let number: usize = name.trim_end_matches(".jpg").parse().unwrap();
    let file = files[number].clone();
    let response = Response::builder().header(header::CONTENT_TYPE, "image/jpeg");
    let range = request.headers().get(header::RANGE);
    let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes=0-"));
    let response = match range.and_then(|last| last.parse::<usize>().ok()) {
        Some(last) => {
            let end = file.len().min(last + 1);
            let range = format!("bytes 0-{}/{}", end - 1, file.len());
            let response = response.status(206).header(header::CONTENT_RANGE, range);
            response.body(Full::new(file.slice(..end)))
        }
        None => response.body(Full::new(file)),
    };
    response.unwrap()
}

/// Returns a JPEG with up to 40 KB of EXIF data before the frame header, and noise after it, which no
/// contender reads.
pub(super) fn jpeg(number: u64, len: usize) -> Vec<u8> {
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
