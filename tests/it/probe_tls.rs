//! The probe over TLS and HTTP/2, with generated certificates.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "tests, with numbers of their own making"
)]

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use greenlight::{
    Decision, ImageUrl, Requirements,
    download::{Download, Ending, Phase, TlsFault},
    probe::{HttpVersions, Mode, Probe, ProbeBuilder},
};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::probe_server::{Peer, Server, builder, ok, png};

const ASYNC: Requirements = Requirements::ASYNC;
pub(crate) const HOST: &str = "images.example";

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Sets a server up with a certificate for `name`, changed by `change`.
    pub(crate) fn acceptor(
        &self,
        name: &str,
        protocols: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> TlsAcceptor {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        acceptor(&certificate, &key, protocols)
    }

    /// Sets a server up with the authority's own certificate.
    pub(crate) fn self_signed(&self) -> TlsAcceptor {
        acceptor(self.0.as_ref(), self.0.key(), &[])
    }

    /// Returns the root certificate for a probe that trusts this authority.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Returns a probe that trusts this authority and resolves every name to loopback.
    pub(crate) fn probe(&self) -> ProbeBuilder {
        builder()
            .resolver(|_host| async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })
            .root_certificates(self.pem().as_bytes())
    }
}

fn acceptor(certificate: &Certificate, key: &KeyPair, protocols: &[&str]) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A server that serves an image over TLS and HTTP/1.1.
pub(crate) async fn http1(acceptor: TlsAcceptor) -> Server {
    Server::start(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(peer.stream).await else {
                return;
            };
            let mut head = [0; 4096];
            while stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                let answer = ok("image/png", &png(300, 300, 0));
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

pub(crate) fn url(server: &Server, host: &str) -> ImageUrl {
    ImageUrl::parse(&format!(
        "https://{host}:{}/image.png",
        server.address.port()
    ))
    .unwrap()
}

async fn download(probe: &Probe, server: &Server) -> Download {
    probe.download(&url(server, HOST), &ASYNC).await
}

#[tokio::test]
async fn an_image_over_tls_is_accepted_where_the_issuer_is_trusted() {
    let authority = Authority::new();
    let server = http1(authority.acceptor(HOST, &["http/1.1"], |_| {})).await;
    for mode in [Mode::Full, Mode::Header] {
        let probe = authority.probe().mode(mode).build().unwrap();
        let verdict = probe.check(&url(&server, HOST), &ASYNC).await.unwrap();
        assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
        let download = verdict.download().unwrap();
        assert_eq!(download.http_version(), Some("HTTP/1.1"));
        assert!(download.timings().tls > Duration::ZERO);
        assert!(download.received() > download.bytes() + 500);
    }
}

#[tokio::test]
async fn certificate_errors_are_distinguished() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(3000, 1, 1);
    let cases = [
        (authority.acceptor(HOST, &[], expired), TlsFault::Expired),
        (authority.acceptor(HOST, &[], early), TlsFault::NotYetValid),
        (
            authority.acceptor("other.example", &[], |_| {}),
            TlsFault::WrongHost,
        ),
        (
            authority.acceptor("*.images.example", &[], |_| {}),
            TlsFault::WrongHost,
        ),
        (
            stranger.acceptor(HOST, &[], |_| {}),
            TlsFault::UnknownIssuer,
        ),
        (stranger.self_signed(), TlsFault::UnknownIssuer),
    ];
    for (acceptor, expected) in cases {
        let server = http1(acceptor).await;
        let download = download(&authority.probe().build().unwrap(), &server).await;
        let Ending::Tls(fault, _) = download.ending() else {
            panic!("{expected:?}: {:?}", download.ending());
        };
        assert_eq!(*fault, expected);
        assert_eq!(download.phase(), Phase::Tls);
        let verdict = ASYNC.judge_download(download);
        assert_eq!(verdict.violations()[0].code().name(), "download/tls");
    }
}

#[tokio::test]
async fn a_certificate_for_an_address_is_valid_for_it() {
    let authority = Authority::new();
    let server = http1(authority.acceptor("127.0.0.1", &[], |_| {})).await;
    let probe = authority.probe().build().unwrap();
    let download = probe.download(&url(&server, "127.0.0.1"), &ASYNC).await;
    assert_eq!(download.ending(), &Ending::Complete);
    let download = self::download(&probe, &server).await;
    assert!(matches!(
        download.ending(),
        Ending::Tls(TlsFault::WrongHost, _)
    ));
}

#[tokio::test]
async fn handshake_failures_are_distinguished() {
    let authority = Authority::new();
    let probe = || authority.probe().deadline(Duration::from_millis(500));

    let plain = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let answer = Server::start(|mut peer| async move {
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.close().await;
    })
    .await;
    let alert = Server::start(|mut peer| async move {
        // internal_error (RFC 8446, 6)
        peer.send([0x15, 3, 3, 0, 2, 2, 80]).await;
        peer.close().await;
    })
    .await;
    for server in [&answer, &alert] {
        let download = download(&probe().build().unwrap(), server).await;
        assert!(
            matches!(download.ending(), Ending::Tls(TlsFault::Other, _)),
            "{:?}",
            download.ending()
        );
        assert_eq!(download.retries(), 0);
    }

    let closes = Server::start(|peer| async { drop(peer) }).await;
    let resets = Server::start(|mut peer| async move {
        let mut byte = [0];
        let _ = peer.stream.read(&mut byte).await;
        peer.reset();
    })
    .await;
    for server in [&closes, &resets] {
        let download = download(&probe().build().unwrap(), server).await;
        assert!(
            matches!(download.ending(), Ending::Tls(TlsFault::Cut, _)),
            "{:?}",
            download.ending()
        );
        assert_eq!(download.retries(), 1);
        assert_eq!(server.seen.connections(), 2);
    }

    let silent = Server::start(Peer::stall).await;
    let endless = Server::start(|mut peer| async move {
        // Handshake records of type 22 that never complete a message.
        while peer.send([0x16, 3, 3, 0, 1, 2]).await {
            time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // A server that expects a request line waits for the rest of it.
    for server in [&silent, &endless, &plain] {
        let download = download(&probe().build().unwrap(), server).await;
        assert!(
            matches!(download.ending(), Ending::TooSlow | Ending::Tls(..)),
            "{:?}",
            download.ending()
        );
        assert_eq!(download.phase(), Phase::Tls);
        assert!(download.elapsed() < Duration::from_secs(2));
    }
}

// HTTP/2

pub(crate) type Respond = h2::server::SendResponse<Bytes>;

/// An HTTP/2 server over TLS that passes every request to `answer`.
pub(crate) async fn http2<F, A>(acceptor: TlsAcceptor, answer: F) -> Server
where
    F: Fn(usize, Respond) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let count = Arc::new(AtomicUsize::new(0));
    Server::start(move |peer| {
        let (acceptor, answer, count) = (acceptor.clone(), answer.clone(), Arc::clone(&count));
        async move {
            if let Ok(stream) = acceptor.accept(peer.stream).await {
                let counted = move |respond| answer(count.fetch_add(1, Ordering::SeqCst), respond);
                speak_http2(stream, counted).await;
            }
        }
    })
    .await
}

/// Passes every request of a connection to `answer`.
pub(crate) async fn speak_http2<S, F, A>(stream: S, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Respond) -> A,
    A: Future<Output = ()> + Send + 'static,
{
    // The client's flow control limits the bytes to send, not a buffer of this server.
    let mut server = h2::server::Builder::new();
    server.max_send_buffer_size(16 << 20);
    let Ok(mut connection) = server.handshake(stream).await else {
        return;
    };
    while let Some(Ok((_request, respond))) = connection.accept().await {
        tokio::spawn(answer(respond));
    }
}

/// Sends as much of `body` as flow control allows.
pub(crate) async fn send(mut respond: Respond, headers: &[(&str, &str)], body: Bytes, end: bool) {
    let mut head = http::Response::builder().status(200);
    for (name, value) in headers {
        head = head.header(*name, *value);
    }
    let Ok(mut stream) = respond.send_response(head.body(()).unwrap(), false) else {
        return;
    };
    let mut rest = body;
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len().min(16_384));
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let Some(Ok(room)) = room else {
            return;
        };
        let piece = rest.split_to(room.min(rest.len()));
        if stream.send_data(piece, end && rest.is_empty()).is_err() {
            return;
        }
    }
    if !end {
        time::sleep(Duration::from_secs(10)).await;
    }
}

fn h2_probe(authority: &Authority, mode: Mode) -> Probe {
    authority
        .probe()
        .mode(mode)
        .deadline(Duration::from_secs(2))
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_image_over_http2_is_accepted() {
    let authority = Authority::new();
    let file = Bytes::from(png(300, 300, 200_000));
    let len = file.len().to_string();
    let server = http2(authority.acceptor(HOST, &["h2", "http/1.1"], |_| {}), {
        move |_, respond| {
            let (file, len) = (file.clone(), len.clone());
            async move {
                let headers = [("content-type", "image/png"), ("content-length", &*len)];
                send(respond, &headers, file, true).await;
            }
        }
    })
    .await;
    for mode in [Mode::Full, Mode::Header] {
        let probe = h2_probe(&authority, mode);
        let verdict = probe.check(&url(&server, HOST), &ASYNC).await.unwrap();
        assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
        assert_eq!(verdict.download().unwrap().http_version(), Some("HTTP/2"));
    }
    // Without TLS, HTTP/2 is used only if no other version is allowed.
    let plain = Server::start(|peer| async move {
        let answer = |respond| send(respond, &[], png(300, 300, 0).into(), true);
        speak_http2(peer.stream, answer).await;
    })
    .await;
    let probe = builder()
        .http_versions(HttpVersions::Http2)
        .build()
        .unwrap();
    let download = probe.download(&plain.url("/image.png"), &ASYNC).await;
    assert_eq!(download.ending(), &Ending::Complete);
    assert_eq!(download.http_version(), Some("HTTP/2"));
    // The versions are configurable.
    let server = http1(authority.acceptor(HOST, &["http/1.1"], |_| {})).await;
    let probe = authority
        .probe()
        .http_versions(HttpVersions::Http2)
        .build()
        .unwrap();
    assert!(matches!(
        self::download(&probe, &server).await.ending(),
        Ending::Tls(TlsFault::Other, _)
    ));
    let probe = authority
        .probe()
        .http_versions(HttpVersions::Http1)
        .build()
        .unwrap();
    assert_eq!(
        self::download(&probe, &server).await.ending(),
        &Ending::Complete
    );
}

#[tokio::test]
async fn http2_connections_are_reused_after_unread_bodies() {
    let authority = Authority::new();
    let file = Bytes::from(png(300, 300, 4_000_000));
    let len = file.len().to_string();
    let server = http2(authority.acceptor(HOST, &["h2"], |_| {}), {
        move |_, respond| {
            let (file, len) = (file.clone(), len.clone());
            async move {
                // Ranges are not supported: the probe reads a part of the whole file each time.
                let headers = [("content-type", "image/png"), ("content-length", &*len)];
                send(respond, &headers, file, true).await;
            }
        }
    })
    .await;
    let probe = h2_probe(&authority, Mode::Header);
    let mut received = 0;
    for _ in 0..100 {
        let verdict = probe.check(&url(&server, HOST), &ASYNC).await.unwrap();
        assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
        received += verdict.download().unwrap().received();
    }
    assert!(received < 100 * 200_000, "{received}");
}

/// A server can send one window per round trip: an image must not be too slow only because the server
/// is distant.
#[tokio::test]
async fn full_mode_reads_ahead_and_header_mode_does_not() {
    let authority = Authority::new();
    for (mode, expected) in [(Mode::Full, 2 << 20..=8 << 20), (Mode::Header, 1..=65_535)] {
        let ahead = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&ahead);
        let server = http2(authority.acceptor(HOST, &["h2"], |_| {}), {
            move |_, mut respond: Respond| {
                let ahead = Arc::clone(&seen);
                async move {
                    let head = http::Response::new(());
                    let mut stream = respond.send_response(head, false).unwrap();
                    stream.reserve_capacity(16 << 20);
                    let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
                    ahead.store(room.unwrap().unwrap(), Ordering::SeqCst);
                    stream.send_data(png(300, 300, 0).into(), true).unwrap();
                }
            }
        })
        .await;
        let answered = download(&h2_probe(&authority, mode), &server).await;
        assert!(
            matches!(answered.ending(), Ending::Complete | Ending::Stopped),
            "{answered:?}"
        );
        let ahead = ahead.load(Ordering::SeqCst);
        assert!(expected.contains(&ahead), "{mode:?}: {ahead}");
    }
}

#[tokio::test]
async fn http2_resets_and_goaway_are_distinguished() {
    use h2::Reason;
    let authority = Authority::new();
    let acceptor = || authority.acceptor(HOST, &["h2"], |_| {});
    let probe = h2_probe(&authority, Mode::Full);

    // Refused streams were not processed, so they are requested once more.
    let refuses = http2(acceptor(), |number, mut respond: Respond| async move {
        if number == 0 {
            respond.send_reset(Reason::REFUSED_STREAM);
        } else {
            send(respond, &[], png(300, 300, 0).into(), true).await;
        }
    })
    .await;
    let answered = download(&probe, &refuses).await;
    assert_eq!(answered.ending(), &Ending::Complete);
    assert_eq!(answered.retries(), 1);

    for reason in [
        Reason::INTERNAL_ERROR,
        Reason::CANCEL,
        Reason::ENHANCE_YOUR_CALM,
    ] {
        let resets = http2(acceptor(), move |_, mut respond: Respond| async move {
            respond.send_reset(reason);
        })
        .await;
        let reset = download(&probe, &resets).await;
        assert!(matches!(reset.ending(), Ending::Reset(_)), "{reset:?}");
        assert_eq!(reset.retries(), 0);
    }

    let later = http2(acceptor(), |_, mut respond: Respond| async move {
        let head = http::Response::builder().body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream
            .send_data(Bytes::from(png(300, 300, 0)).slice(..100), false)
            .unwrap();
        time::sleep(Duration::from_millis(50)).await;
        stream.send_reset(Reason::INTERNAL_ERROR);
    })
    .await;
    let reset = download(&probe, &later).await;
    assert!(matches!(reset.ending(), Ending::Reset(_)), "{reset:?}");

    let lies = http2(acceptor(), |_, respond| async move {
        let headers = [("content-length", "5000")];
        send(respond, &headers, png(300, 300, 0).into(), true).await;
    })
    .await;
    let lied = download(&probe, &lies).await;
    assert!(matches!(lied.ending(), Ending::Protocol(_)), "{lied:?}");

    let stalls = http2(acceptor(), |_, respond| async move {
        send(respond, &[], png(300, 300, 0).into(), false).await;
    })
    .await;
    let stalled = download(&probe, &stalls).await;
    assert_eq!(stalled.ending(), &Ending::TooSlow);
    assert_eq!(stalled.phase(), Phase::Body);
}
