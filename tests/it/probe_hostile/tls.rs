//! Server errors in TLS and in HTTP/2.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "tests, with numbers of their own making"
)]

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use rcgen::{CertificateParams, date_time_ymd};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::trial::{BOTH, Behavior, CANARY, FULL, Named, Setup};
use crate::{
    probe_server::{Peer, ok, png},
    probe_tls::{Authority, HOST, Respond, send, speak_http2},
};

pub(super) fn all(authority: &Authority) -> Vec<Behavior> {
    let mut all = certificates(authority);
    all.extend(handshakes());
    all.extend(over_tls(authority));
    all.extend(http2(authority));
    all.extend(frames(authority));
    all
}

fn certificates(authority: &Authority) -> Vec<Behavior> {
    let stranger = Authority::new();
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(3000, 1, 1);
    let faulty = [
        (
            "shows an expired certificate",
            authority.acceptor(HOST, &[], expired),
        ),
        (
            "shows a certificate of the future",
            authority.acceptor(HOST, &[], early),
        ),
        (
            "shows a certificate for another host",
            authority.acceptor("other.example", &[], |_| {}),
        ),
        (
            "shows a certificate of a stranger's",
            stranger.acceptor(HOST, &[], |_| {}),
        ),
        ("shows a certificate of its own", stranger.self_signed()),
    ];
    let behaviors = faulty.into_iter().map(|(name, acceptor)| {
        Named(name, BOTH)
            .serve_tls(&acceptor, |mut stream| async move {
                let _ = stream.write_all(&ok("image/png", &png(300, 300, 0))).await;
            })
            .tls()
    });
    behaviors.collect()
}

fn handshakes() -> Vec<Behavior> {
    let plain = "HTTP/1.1 400 Bad Request\r\n\r\n";
    vec![
        Named("answers TLS in plain HTTP", BOTH)
            .serve_https(move |mut peer| async move {
                peer.send(plain).await;
                peer.close().await;
            })
            .tls(),
        Named("answers TLS with an alert", BOTH)
            .serve_https(|mut peer| async move {
                // internal_error (RFC 8446, 6)
                peer.send([0x15, 3, 3, 0, 2, 2, 80]).await;
                peer.close().await;
            })
            .tls(),
        Named("closes in the handshake", BOTH)
            .serve_https(Peer::close)
            .tls(),
        Named("resets in the handshake", BOTH)
            .serve_https(|mut peer| async move {
                let _ = peer.stream.read(&mut [0]).await;
                peer.reset();
            })
            .tls(),
        Named("stalls in the handshake", BOTH)
            .serve_https(Peer::stall)
            .too_slow(),
        Named("stalls in a handshake record", BOTH)
            .serve_https(|mut peer| async move {
                peer.send([0x16, 3, 3, 0x20, 0, 2]).await;
                peer.stall().await;
            })
            .too_slow(),
        Named("trickles a handshake message of 64 KB", BOTH)
            .serve_https(|mut peer| async move {
                peer.send([0x16, 3, 3, 0x20, 0, 2, 0, 0xff, 0xff]).await;
                peer.trickle(&[0; 8000], Duration::from_millis(5)).await;
            })
            .too_slow(),
        Named("floods with handshake records", BOTH)
            .serve_https(|mut peer| async move {
                // Fragments of a ServerHello of 16 MB.
                let mut sent = peer.send([0x16, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff]).await;
                let piece = [&[0x16, 3, 3, 0x20, 0][..], &[0; 0x2000]].concat();
                while sent {
                    sent = peer.send(&piece).await;
                }
            })
            .tls(),
    ]
}

fn over_tls(authority: &Authority) -> Vec<Behavior> {
    let acceptor = authority.acceptor(HOST, &["http/1.1"], |_| {});
    vec![
        Named("ends a body without TLS' farewell", FULL)
            .serve_tls(&acceptor, |mut stream| async move {
                request(&mut stream).await;
                // No length: only close_notify distinguishes the end from truncation (RFC 8446, 6.1).
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                stream.write_all(&png(300, 300, 0)).await.unwrap();
                stream.flush().await.unwrap();
                let (mut tcp, _) = stream.into_inner();
                tcp.shutdown().await.unwrap();
                while tcp.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
            })
            .incomplete(),
        Named("redirects from https to the canary", BOTH)
            .serve_tls(&acceptor, |mut stream| async move {
                request(&mut stream).await;
                let port = stream.get_ref().0.local_addr().unwrap().port();
                let answer = format!(
                    "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://{CANARY}:{port}/\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = stream.shutdown().await;
            })
            .is("blocked", &["url/private-address"]),
        Named("stops over TLS after the head", FULL)
            .serve_tls(&acceptor, |mut stream| async move {
                request(&mut stream).await;
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
                stream.write_all(head).await.unwrap();
                stream.flush().await.unwrap();
                time::sleep(Duration::from_secs(10)).await;
            })
            .too_slow(),
        Named("floods with empty TLS records", BOTH)
            .serve_tls(&acceptor, |mut stream| async move {
                request(&mut stream).await;
                let (mut tcp, _) = stream.into_inner();
                // Records that no key opens: the first is the last.
                let record = [0x17, 3, 3, 0, 20].into_iter().chain([0; 20]);
                let records: Vec<u8> = record.cycle().take(25 * 1000).collect();
                while tcp.write_all(&records).await.is_ok() {}
            })
            .malformed(),
    ]
}

/// Reads what a client sends first.
async fn request(stream: &mut TlsStream<TcpStream>) {
    let mut head = [0; 4096];
    assert!(stream.read(&mut head).await.unwrap() > 0);
}

/// Hands every request of HTTP/2 to `answer`.
fn requests<F, A>(named: Named, acceptor: &TlsAcceptor, answer: F) -> Setup
where
    F: Fn(Respond) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    named.serve_tls(acceptor, move |stream| speak_http2(stream, answer.clone()))
}

fn http2(authority: &Authority) -> Vec<Behavior> {
    let acceptor = authority.acceptor(HOST, &["h2"], |_| {});
    let image = Bytes::from(png(300, 300, 0));
    let begun = image.slice(..100);
    let endless = Bytes::from(png(300, 300, 4 << 20));
    let reasons = [
        ("resets its stream", Reason::INTERNAL_ERROR),
        ("cancels its stream", Reason::CANCEL),
        ("resets its stream for calm", Reason::ENHANCE_YOUR_CALM),
        ("refuses every stream", Reason::REFUSED_STREAM),
    ];
    let mut all: Vec<_> = reasons
        .into_iter()
        .map(|(name, reason)| {
            requests(
                Named(name, BOTH),
                &acceptor,
                move |mut respond| async move {
                    respond.send_reset(reason);
                },
            )
            .reset()
        })
        .collect();
    all.extend([
        requests(
            Named("resets its stream in the body", FULL),
            &acceptor,
            move |mut respond| {
                let begun = begun.clone();
                async move {
                    let head = http::Response::new(());
                    let mut stream = respond.send_response(head, false).unwrap();
                    stream.send_data(begun, false).unwrap();
                    time::sleep(Duration::from_millis(50)).await;
                    stream.send_reset(Reason::INTERNAL_ERROR);
                }
            },
        )
        .reset(),
        requests(Named("lies over HTTP/2 of its length", FULL), &acceptor, {
            let image = image.clone();
            move |respond| {
                let image = image.clone();
                async move { send(respond, &[("content-length", "5000")], image, true).await }
            }
        })
        .malformed(),
        requests(Named("stops its stream in the body", FULL), &acceptor, {
            move |respond| {
                let image = image.clone();
                async move { send(respond, &[], image, false).await }
            }
        })
        .too_slow(),
        requests(
            Named("never ends a body over HTTP/2", FULL),
            &acceptor,
            move |respond| {
                let endless = endless.clone();
                async move { send(respond, &[], endless, true).await }
            },
        )
        .is("refused", &["image/too-large"]),
        requests(
            Named("compresses the body over HTTP/2", BOTH),
            &acceptor,
            |respond| async move {
                send(
                    respond,
                    &[("content-encoding", "br")],
                    vec![0; 1000].into(),
                    true,
                )
                .await;
            },
        )
        .is("encoded", &["download/encoding"]),
        requests(
            Named(
                "redirects over HTTP/2 to an address that is not public",
                BOTH,
            ),
            &acceptor,
            |mut respond| async move {
                let head = http::Response::builder().status(302);
                let head = head
                    .header("location", "https://10.0.0.1/")
                    .body(())
                    .unwrap();
                let _ = respond.send_response(head, true);
            },
        )
        .is("blocked", &["url/private-address"]),
    ]);
    all
}

/// A frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn frames(authority: &Authority) -> Vec<Behavior> {
    let acceptor = authority.acceptor(HOST, &["h2"], |_| {});
    let flood = |name, start: Vec<u8>, more: Vec<u8>| {
        Named(name, BOTH).serve_tls(&acceptor, move |mut stream| {
            let (start, more) = (start.clone(), more.repeat(20));
            async move {
                let mut sent = stream.write_all(&start).await;
                while sent.is_ok() {
                    sent = stream.write_all(&more).await;
                }
            }
        })
    };
    let settings = frame(4, 0, 0, &[]);
    // Literal header field without indexing: `x: ` and 100 bytes (RFC 7541, 6.2.2).
    let field = [&[0, 1, b'x', 100][..], &[b'y'; 100]].concat();
    let headers = [settings.clone(), frame(1, 0, 1, &field)].concat();
    let with_settings = |name, more| flood(name, settings.clone(), more);
    vec![
        with_settings("floods with settings", settings.clone()).malformed(),
        with_settings("floods with pings", frame(6, 0, 0, &[0; 8])).malformed(),
        with_settings("floods with unknown frames", frame(0xbe, 0, 0, &[0; 1000])).malformed(),
        with_settings("floods with window updates", frame(8, 0, 0, &[0, 0, 0, 1])).malformed(),
        with_settings("sends data for no stream", frame(0, 0, 99, &[0; 100])).malformed(),
        flood(
            "floods with continuations",
            headers.clone(),
            frame(9, 0, 1, &field),
        )
        .malformed(),
        flood(
            "floods with empty continuations",
            headers,
            frame(9, 0, 1, &[]),
        )
        .malformed(),
        flood(
            "agrees on HTTP/2 and sends garbage",
            Vec::new(),
            b"garbage".repeat(100),
        )
        .malformed(),
    ]
}
