//! The probe's network: names, addresses, reused connections, and lists.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "tests, with numbers of their own making"
)]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use greenlight::{
    Decision, Dimensions, ImageUrl, Requirements,
    download::{Ending, Phase},
    probe::{AddressPolicy, Header, Mode, ProbeBuilder},
};
use tokio::{
    net::{TcpSocket, TcpStream, UdpSocket},
    time,
};

use crate::probe_server::{Peer, Server, answer, builder, header, ok, png, probe, ranged};

const ASYNC: Requirements = Requirements::ASYNC;

// Names

/// A name server for A records (RFC 1035): `answers` returns the addresses for the n-th query, and a
/// delay.
struct Dns {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Dns {
    async fn start(
        answers: impl Fn(usize) -> (Duration, Vec<Ipv4Addr>) + Send + Sync + 'static,
    ) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut question).await {
                let (pause, addresses) = answers(count.fetch_add(1, Ordering::SeqCst));
                let mut message = question[..len].to_vec();
                message[2..4].copy_from_slice(&[0x81, 0x80]);
                message[6..8].copy_from_slice(&(addresses.len() as u16).to_be_bytes());
                for address in addresses {
                    message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                    message.extend(address.octets());
                }
                let socket = Arc::clone(&socket);
                tokio::spawn(async move {
                    time::sleep(pause).await;
                    let _ = socket.send_to(&message, from).await;
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Returns a probe that uses this name server and may connect to `127.0.0.1` and `127.0.0.3`.
    fn probe(&self) -> ProbeBuilder {
        let server = self.address;
        let policy = AddressPolicy::new().allow("127.0.0.1").unwrap();
        let policy = policy.allow("127.0.0.3").unwrap();
        builder()
            .policy(policy)
            .resolver(move |host| look_up(server, host))
    }
}

/// Queries a name server for the A records of `host`.
async fn look_up(server: SocketAddr, host: String) -> io::Result<Vec<IpAddr>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in host.split('.') {
        question.push(label.len() as u8);
        question.extend(label.bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    socket.send_to(&question, server).await?;
    let mut message = [0; 1500];
    let len = socket.recv(&mut message).await?;
    let records = message[question.len()..len].chunks(16);
    Ok(records
        .map(|record| IpAddr::from(<[u8; 4]>::try_from(&record[12..]).unwrap()))
        .collect())
}

fn named(server: &Server, host: &str) -> ImageUrl {
    ImageUrl::parse(&format!(
        "http://{host}:{}/image.png",
        server.address.port()
    ))
    .unwrap()
}

const GOOD: Ipv4Addr = Ipv4Addr::LOCALHOST;
const BAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// A valid server and, at the same port of an address that is not allowed, a canary.
async fn pair() -> (Server, Server) {
    loop {
        let good = Server::answering(ok("image/png", &png(300, 300, 0))).await;
        let address = SocketAddr::new(BAD.into(), good.address.port()).to_string();
        // Another test may have the port.
        if let Ok(canary) = Server::try_start_at(&address, |peer| async { drop(peer) }).await {
            return (good, canary);
        }
    }
}

#[tokio::test]
async fn only_checked_addresses_are_connected() {
    let (good, canary) = pair().await;
    let dns =
        Dns::start(|number| (Duration::ZERO, vec![if number == 0 { GOOD } else { BAD }])).await;
    let probe = dns.probe().build().unwrap();
    let url = named(&good, "rebinding.example");

    let first = probe.download(&url, &ASYNC).await;
    assert_eq!(first.ending(), &Ending::Complete);
    assert_eq!(first.remote(), Some(good.address));
    assert_eq!(dns.asked(), 1);

    let second = probe.download(&url, &ASYNC).await;
    let Ending::Blocked { target, reason } = second.ending() else {
        panic!("{second:?}");
    };
    assert_eq!(target, "rebinding.example");
    let port = canary.address.port();
    assert_eq!(
        *reason,
        format!(
            "127.0.0.2 is a loopback address: the address policy needs the allow entry 127.0.0.2/32:{port}"
        )
    );
    assert_eq!(canary.seen.connections(), 0);
}

#[tokio::test]
async fn a_redirect_to_the_same_name_is_resolved_and_checked_again() {
    let (_, canary) = pair().await;
    let server = Server::answering(answer("302 Found", &[("Location", "/b")], b"")).await;
    for mode in [Mode::Full, Mode::Header] {
        let dns =
            Dns::start(|number| (Duration::ZERO, vec![if number == 0 { GOOD } else { BAD }])).await;
        let probe = dns.probe().mode(mode).build().unwrap();
        let download = probe
            .download(&named(&server, "rebinding.example"), &ASYNC)
            .await;
        assert!(
            matches!(download.ending(), Ending::Blocked { .. }),
            "{download:?}"
        );
    }
    assert_eq!(server.seen.requests().len(), 2);
    assert_eq!(canary.seen.connections(), 0);
}

#[tokio::test]
async fn only_allowed_addresses_of_a_name_are_tried() {
    let (good, canary) = pair().await;
    let dns = Dns::start(|_| (Duration::ZERO, vec![BAD, GOOD, BAD])).await;
    let probe = dns.probe().build().unwrap();
    let download = probe.download(&named(&good, "mixed.example"), &ASYNC).await;
    assert_eq!(download.ending(), &Ending::Complete);

    // Nor if the allowed one does not respond.
    drop(good);
    time::sleep(Duration::from_millis(50)).await;
    let url = named(&canary, "mixed.example");
    let download = probe.download(&url, &ASYNC).await;
    assert_eq!(
        download.ending(),
        &Ending::Connect("connection refused".to_owned())
    );
    assert_eq!(canary.seen.connections(), 0);
}

#[tokio::test]
async fn the_deadline_bounds_a_slow_name_server() {
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let dns = Dns::start(|_| (Duration::from_secs(2), vec![GOOD])).await;
    let probe = dns
        .probe()
        .deadline(Duration::from_millis(300))
        .build()
        .unwrap();
    let download = probe
        .download(&named(&server, "slow.example"), &ASYNC)
        .await;
    assert_eq!(download.ending(), &Ending::TooSlow);
    assert_eq!(download.phase(), Phase::Resolve);
    assert!(download.elapsed() < Duration::from_secs(2));
    assert_eq!(download.timings().resolve, download.elapsed());
    assert_eq!(server.seen.connections(), 0);
}

#[tokio::test]
async fn a_name_without_an_address_is_a_violation() {
    let dns = Dns::start(|_| (Duration::ZERO, vec![])).await;
    let probe = dns.probe().build().unwrap();
    let url = ImageUrl::parse("http://nothing.example/image.png").unwrap();
    let verdict = probe.check(&url, &ASYNC).await.unwrap();
    let violation = &verdict.violations()[0];
    assert_eq!(violation.code().name(), "download/dns");
    assert_eq!(
        violation.message(),
        "nothing.example cannot be resolved: it has no addresses"
    );
    assert_eq!(verdict.download().unwrap().phase(), Phase::Resolve);
}

#[tokio::test]
async fn a_failure_after_a_redirect_names_the_failing_host() {
    let closed = Server::start(|peer| async { drop(peer) }).await;
    let port = closed.address.port();
    drop(closed);
    time::sleep(Duration::from_millis(20)).await;
    let silent = Server::start(|mut peer| async move {
        peer.send(b"not TLS at all").await;
        peer.close().await;
    })
    .await;
    let tls = silent.address.port();
    for (location, code, message) in [
        (
            "http://nothing.example/".to_owned(),
            "download/dns",
            "nothing.example cannot be resolved",
        ),
        (
            format!("http://other.example:{port}/"),
            "download/connect",
            "no connection to other.example",
        ),
        (
            format!("https://other.example:{tls}/"),
            "download/tls",
            "TLS with other.example",
        ),
    ] {
        let found = answer("302 Found", &[("Location", &location)], b"");
        let server = Server::answering(found).await;
        let probe = builder()
            .resolver(|host| async move {
                Ok(match host.as_str() {
                    "nothing.example" => Vec::new(),
                    _ => vec![GOOD.into()],
                })
            })
            .build()
            .unwrap();
        let url = named(&server, "first.example");
        let verdict = probe.check(&url, &ASYNC).await.unwrap();
        let violation = &verdict.violations()[0];
        assert_eq!(violation.code().name(), code);
        assert!(violation.message().starts_with(message), "{violation}");
        let download = verdict.download().unwrap();
        assert_eq!(download.url(), &url);
        assert_eq!(download.last_url().as_str(), location);
    }
}

// Connections

/// A socket with a full connection queue: another connection waits.
async fn full(address: &str) -> (SocketAddr, tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(connected) = time::timeout(Duration::from_millis(200), open(address)).await {
        held.push(connected);
    }
    (address, listener, held)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test's own end of a connection"
)]
async fn open(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

#[tokio::test]
async fn the_deadline_ends_a_connection_that_is_not_accepted() {
    let (address, _listener, _held) = full("127.0.0.1:0").await;
    let url = ImageUrl::parse(&format!("http://{address}/")).unwrap();
    let probe = builder()
        .deadline(Duration::from_millis(300))
        .build()
        .unwrap();
    let download = probe.download(&url, &ASYNC).await;
    assert_eq!(download.ending(), &Ending::TooSlow);
    assert_eq!(download.phase(), Phase::Connect);
    assert!(download.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn an_unresponsive_address_does_not_block_the_next() {
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let port = server.address.port();
    let (_, _listener, _held) = full(&format!("127.0.0.3:{port}")).await;
    let dns = Dns::start(|_| (Duration::ZERO, vec![OTHER, GOOD])).await;
    let probe = dns.probe().build().unwrap();
    let download = probe.download(&named(&server, "two.example"), &ASYNC).await;
    assert_eq!(download.ending(), &Ending::Complete);
    assert_eq!(download.remote(), Some(server.address));
    assert!(download.elapsed() < Duration::from_secs(2));
}

/// A server's reaction to its first connection.
type First = fn(Peer) -> Pin<Box<dyn Future<Output = ()> + Send>>;

#[tokio::test]
async fn both_families_are_tried_in_turn() {
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    // No IPv6 address responds: each of these is refused or unreachable.
    let dead = (1..=20).map(|last| IpAddr::from([0, 0, 0, 0, 0, 0, 0x7f00, last]));
    let addresses: Vec<_> = dead.chain([GOOD.into()]).collect();
    let probe = builder()
        .policy(
            AddressPolicy::new()
                .allow("::/0")
                .unwrap()
                .allow("127.0.0.1")
                .unwrap(),
        )
        .resolver(move |_| {
            let addresses = addresses.clone();
            async move { Ok(addresses) }
        })
        .build()
        .unwrap();
    let download = probe
        .download(&named(&server, "many.example"), &ASYNC)
        .await;
    assert_eq!(download.ending(), &Ending::Complete, "{download:?}");
    assert!(download.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn long_texts_of_a_server_are_truncated() {
    let kind = "x".repeat(100_000);
    let server = Server::answering(ok(&kind, &png(300, 300, 0))).await;
    let download = probe(Mode::Full).download(&server.url("/x"), &ASYNC).await;
    assert_eq!(download.ending(), &Ending::Complete);
    assert!(download.content_type().unwrap().len() < 600);

    let path = format!("/{}", "x".repeat(10_000));
    let server = Server::answering(answer("302 Found", &[("Location", &path)], b"")).await;
    let download = probe(Mode::Full).download(&server.url("/x"), &ASYNC).await;
    let Ending::Redirects(reason) = download.ending() else {
        panic!("{download:?}");
    };
    assert!(reason.len() < 600);
    assert!(download.hops().iter().all(|hop| hop.url.len() < 600));
}

#[tokio::test]
async fn a_request_without_a_response_is_repeated_once() {
    let image = ok("image/png", &png(300, 300, 0));
    // The reaction to the first connection, and whether the request is repeated on a second.
    let cases: [(&str, First, bool); 5] = [
        ("closes", |peer| Box::pin(async { drop(peer) }), true),
        (
            "closes after the request",
            |mut peer| Box::pin(async move { drop(peer.request().await) }),
            true,
        ),
        (
            "resets after the request",
            |mut peer| {
                Box::pin(async move {
                    peer.request().await;
                    peer.reset();
                })
            },
            true,
        ),
        (
            "closes in the head",
            |mut peer| {
                Box::pin(async move {
                    peer.request().await;
                    peer.send("HTTP/1.1 200").await;
                    peer.close().await;
                })
            },
            false,
        ),
        (
            "closes in the body",
            |mut peer| {
                Box::pin(async move {
                    peer.request().await;
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nGIF")
                        .await;
                    peer.close().await;
                })
            },
            false,
        ),
    ];
    for (name, first, repeats) in cases {
        let image = image.clone();
        let server = Server::start(move |mut peer| {
            let image = image.clone();
            async move {
                if peer.number == 0 {
                    return first(peer).await;
                }
                peer.request().await;
                peer.send(&image).await;
                peer.close().await;
            }
        })
        .await;
        let download = probe(Mode::Full).download(&server.url("/x"), &ASYNC).await;
        assert_eq!(download.retries(), u32::from(repeats), "{name}");
        assert_eq!(
            server.seen.connections(),
            1 + usize::from(repeats),
            "{name}"
        );
        if repeats {
            assert_eq!(download.ending(), &Ending::Complete, "{name}");
        } else {
            assert!(
                matches!(download.ending(), Ending::Incomplete(_)),
                "{name}: {download:?}"
            );
        }
    }

    // At most once.
    let server = Server::start(|peer| async { drop(peer) }).await;
    let download = probe(Mode::Full).download(&server.url("/x"), &ASYNC).await;
    assert_eq!((download.retries(), server.seen.connections()), (1, 2));
    let address = server.address;
    drop(server);
    time::sleep(Duration::from_millis(20)).await;
    let url = ImageUrl::parse(&format!("http://{address}/")).unwrap();
    let download = probe(Mode::Full).download(&url, &ASYNC).await;
    assert!(
        matches!(download.ending(), Ending::Connect(_)),
        "{download:?}"
    );
    assert_eq!(download.retries(), 1);
}

#[tokio::test]
async fn secret_headers_are_not_sent_to_another_origin() {
    let there = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let location = there.url("/image.png").as_str().to_owned();
    let here = Server::start(move |mut peer| {
        let location = location.clone();
        async move {
            let request = peer.request().await.unwrap();
            let next = if request.starts_with("GET /a ") {
                "/b"
            } else {
                &location
            };
            peer.send(answer("302 Found", &[("Location", next)], b""))
                .await;
            peer.close().await;
        }
    })
    .await;
    let probe = builder()
        .header(Header::new("Authorization").with_value("Bearer secret"))
        .header(Header::new("X-Api-Key").with_value("secret"))
        .header(Header::new("Referer").with_value("https://shop.example/"))
        .user_agent("tester/1.0")
        .build()
        .unwrap();
    probe.download(&here.url("/a"), &ASYNC).await;
    let requests = here.seen.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(header(&request, "authorization"), Some("Bearer secret"));
        assert_eq!(header(&request, "x-api-key"), Some("secret"));
        assert_eq!(header(&request, "referer"), Some("https://shop.example/"));
        assert_eq!(header(&request, "user-agent"), Some("tester/1.0"));
    }
    // By default no server learns the URL of the previous hop.
    let silent = crate::probe_server::probe(Mode::Full);
    silent.download(&here.url("/a?token=secret"), &ASYNC).await;
    for request in [&here.seen.requests()[2..], &there.seen.requests()[1..]].concat() {
        assert_eq!(header(&request, "referer"), None);
        assert_eq!(header(&request, "origin"), None);
    }
    let request = &there.seen.requests()[0];
    assert_eq!(header(request, "authorization"), None);
    assert_eq!(header(request, "x-api-key"), None);
    assert_eq!(header(request, "referer"), Some("https://shop.example/"));
}

#[tokio::test]
async fn no_request_sends_a_secret_to_another_origin() {
    // The second request is for the next window, or a plain one after an odd answer.
    for odd in [
        None,
        Some("416 Range Not Satisfiable"),
        Some("403 Forbidden"),
    ] {
        let file = crate::probe_server::jpeg_head(640, 480, 100_000);
        let there = Server::start(move |mut peer| {
            let file = file.clone();
            async move {
                while let Some(request) = peer.request().await {
                    let is_ranged = header(&request, "range").is_some();
                    peer.send(match odd.filter(|_| is_ranged) {
                        Some(status) => answer(status, &[], b""),
                        None => ranged(&request, "image/jpeg", &file),
                    })
                    .await;
                }
            }
        })
        .await;
        let location = there.url("/image.jpg").as_str().to_owned();
        let here = Server::answering(answer("302 Found", &[("Location", &location)], b"")).await;
        let probe = builder()
            .mode(Mode::Header)
            .header(Header::new("Authorization").with_value("Bearer secret"))
            .header(Header::new("Cookie").with_value("session=secret"))
            .build()
            .unwrap();
        probe.download(&here.url("/a"), &ASYNC).await;
        let requests = there.seen.requests();
        assert_eq!(requests.len(), 2, "{odd:?}");
        for request in requests {
            assert_eq!(header(&request, "authorization"), None, "{odd:?}");
            assert_eq!(header(&request, "cookie"), None, "{odd:?}");
        }
    }
}

#[tokio::test]
async fn redirects_are_counted_over_all_requests_of_a_download() {
    // Every range is redirected once more, or back to the first URL.
    for (back, expected) in [
        (false, "more than 1 redirect"),
        (true, "redirects lead back to"),
    ] {
        let file = crate::probe_server::jpeg_head(640, 480, 100_000);
        let server = Server::start(move |mut peer| {
            let file = file.clone();
            async move {
                while let Some(request) = peer.request().await {
                    let is_first = header(&request, "range") == Some("bytes=0-65535");
                    let next = match (request.split(' ').nth(1).unwrap(), is_first) {
                        ("/a", _) => Some("/b"),
                        ("/b", false) => Some(if back { "/a" } else { "/c" }),
                        _ => None,
                    };
                    peer.send(match next {
                        Some(next) => answer("302 Found", &[("Location", next)], b""),
                        None => ranged(&request, "image/jpeg", &file),
                    })
                    .await;
                }
            }
        })
        .await;
        let most = if back { 5 } else { 1 };
        let probe = builder()
            .mode(Mode::Header)
            .max_redirects(most)
            .build()
            .unwrap();
        let download = probe.download(&server.url("/a"), &ASYNC).await;
        let Ending::Redirects(reason) = download.ending() else {
            panic!("{expected}: {:?}", download.ending());
        };
        assert!(reason.starts_with(expected), "{reason}");
    }
}

/// 0.0.0.0 refers to the local host: allowing loopback does not allow it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_connected_peer_is_checked() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.send(ok("image/png", &png(300, 300, 0))).await;
        peer.close().await;
    })
    .await;
    let port = server.address.port();
    let url = ImageUrl::parse(&format!("http://0.0.0.0:{port}/image.png")).unwrap();
    let policy = AddressPolicy::new().allow("0.0.0.0").unwrap();
    let probe = builder().policy(policy.clone()).build().unwrap();
    let download = probe.download(&url, &ASYNC).await;
    assert_eq!(
        download.ending(),
        &Ending::Blocked {
            target: format!("127.0.0.1:{port}"),
            reason: format!(
                "127.0.0.1 is a loopback address: the address policy needs the allow entry 127.0.0.1/32:{port}"
            ),
        }
    );
    assert!(server.seen.requests().is_empty());

    let policy = policy.allow("127.0.0.1").unwrap();
    let probe = builder().policy(policy).build().unwrap();
    let download = probe.download(&url, &ASYNC).await;
    assert_eq!(download.ending(), &Ending::Complete);
    assert_eq!(download.remote(), Some(server.address));
}

// Reused connections

/// Serves images of `N` pixels at `/N.png`, and appends `more` to each response.
async fn sizes<F, A>(more: F) -> Server
where
    F: Fn(Peer) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Option<Peer>> + Send + 'static,
{
    Server::start(move |mut peer| {
        let more = more.clone();
        async move {
            while let Some(request) = peer.request().await {
                let side = request.split(['/', '.']).nth(1).unwrap().parse().unwrap();
                let file = png(side, side, 100_000);
                peer.send(ranged(&request, "image/png", &file)).await;
                match more(peer).await {
                    Some(still) => peer = still,
                    None => return,
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn header_mode_reuses_connections_and_full_mode_does_not() {
    for (mode, connections) in [(Mode::Header, 1), (Mode::Full, 5)] {
        let server = sizes(|peer| async { Some(peer) }).await;
        let probe = probe(mode);
        for side in [300, 400, 500, 600, 700] {
            let url = server.url(&format!("/{side}.png"));
            let verdict = probe.check(&url, &ASYNC).await.unwrap();
            assert_eq!(verdict.decision(), Decision::Accept);
            let dimensions = verdict.inspection().unwrap().dimensions();
            assert_eq!(dimensions, Some(Dimensions::new(side, side)));
            // The rest of the range is read while the verdict is used.
            time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(server.seen.connections(), connections, "{mode:?}");
    }
}

#[tokio::test]
async fn a_short_body_is_drained_to_reuse_the_connection() {
    // A server without support for ranges.
    for (padding, connections) in [(60_000, 1), (2_000_000, 3)] {
        let image = ok("image/png", &png(300, 300, padding));
        let server = Server::start(move |mut peer| {
            let image = image.clone();
            async move { while peer.request().await.is_some() && peer.send(&image).await {} }
        })
        .await;
        let probe = probe(Mode::Header);
        for _ in 0..3 {
            let verdict = probe.check(&server.url("/x"), &ASYNC).await.unwrap();
            assert_eq!(verdict.decision(), Decision::Accept);
            assert!(verdict.download().unwrap().bytes() < 500_000);
            time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(server.seen.connections(), connections, "{padding}");
    }
}

#[tokio::test]
async fn unsolicited_bytes_never_answer_the_next_request() {
    let forged = ok("image/png", &png(999, 999, 0));
    for pause in [0, 1, 20] {
        let sent = Arc::new(AtomicUsize::new(0));
        let (forged, count) = (forged.clone(), Arc::clone(&sent));
        let server = sizes(move |mut peer| {
            let (forged, count) = (forged.clone(), Arc::clone(&count));
            async move {
                time::sleep(Duration::from_millis(pause)).await;
                peer.send(&forged).await;
                count.fetch_add(1, Ordering::SeqCst);
                Some(peer)
            }
        })
        .await;
        let probe = probe(Mode::Header);
        for (number, side) in (1..).zip([300, 400, 500, 600, 700, 800]) {
            let url = server.url(&format!("/{side}.png"));
            let verdict = probe.check(&url, &ASYNC).await.unwrap();
            let dimensions = verdict.inspection().unwrap().dimensions();
            assert_eq!(dimensions, Some(Dimensions::new(side, side)), "{pause} ms");
            // After the next request is sent, its response cannot be distinguished from a forged one.
            while sent.load(Ordering::SeqCst) < number {
                time::sleep(Duration::from_millis(5)).await;
            }
            time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_silently_closed_connection_is_replaced() {
    for pause in [0, 5, 40] {
        let server = sizes(move |peer| async move {
            time::sleep(Duration::from_millis(pause)).await;
            peer.close().await;
            None
        })
        .await;
        let probe = probe(Mode::Header);
        for _ in 0..10 {
            let verdict = probe.check(&server.url("/300.png"), &ASYNC).await.unwrap();
            assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
            time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn ranges_of_a_changed_file_are_not_joined() {
    let old = crate::probe_server::jpeg_head(300, 300, 100_000);
    let new = png(400, 400, 200_000);
    let server = Server::start(move |mut peer| {
        let (old, new) = (old.clone(), new.clone());
        async move {
            while let Some(request) = peer.request().await {
                let is_first = header(&request, "range") == Some("bytes=0-65535");
                let file = if is_first { &old } else { &new };
                peer.send(ranged(&request, "image/jpeg", file)).await;
            }
        }
    })
    .await;
    let verdict = probe(Mode::Header)
        .check(&server.url("/x"), &ASYNC)
        .await
        .unwrap();
    let inspection = verdict.inspection().unwrap();
    assert_eq!(inspection.dimensions(), Some(Dimensions::new(400, 400)));
    assert_eq!(server.seen.requests().len(), 3);
}

// Lists

/// A server that responds after 20 ms and records the number of concurrent requests.
async fn slow(most: Arc<AtomicUsize>) -> Server {
    let now = Arc::new(AtomicUsize::new(0));
    let image = ok("image/png", &png(300, 300, 0));
    Server::start(move |mut peer| {
        let (now, most, image) = (Arc::clone(&now), Arc::clone(&most), image.clone());
        async move {
            while peer.request().await.is_some() {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                time::sleep(Duration::from_millis(20)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                peer.send(&image).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn results_are_in_the_order_of_the_list() {
    let server = sizes(|peer| async {
        time::sleep(Duration::from_millis(3)).await;
        Some(peer)
    })
    .await;
    let sides: Vec<u32> = (0..60).map(|at| 300 + at * 37 % 61).collect();
    let urls: Vec<_> = sides
        .iter()
        .map(|side| server.url(&format!("/{side}.png")))
        .collect();
    for mode in [Mode::Header, Mode::Full] {
        let mut checks = probe(mode).check_all(urls.clone(), &ASYNC);
        let mut found = Vec::new();
        while let Some(verdict) = checks.next().await {
            let verdict = verdict.unwrap();
            assert_eq!(verdict.subject(), &urls[found.len()]);
            found.push(verdict.inspection().unwrap().dimensions().unwrap().width);
        }
        assert_eq!(found, sides);
    }
}

#[tokio::test]
async fn concurrency_is_limited_per_host_and_in_total() {
    let most = Arc::new(AtomicUsize::new(0));
    let server = slow(Arc::clone(&most)).await;
    let urls: Vec<_> = (0..40).map(|at| server.url(&format!("/{at}"))).collect();
    let verdicts: Vec<_> = probe(Mode::Full)
        .check_all(urls.clone(), &ASYNC)
        .collect()
        .await;
    assert!(
        verdicts
            .iter()
            .all(|verdict| verdict.as_ref().unwrap().is_accepted())
    );
    let at_once = most.swap(0, Ordering::SeqCst);
    assert!((4..=8).contains(&at_once), "{at_once}");

    let probe = builder().concurrency_per_host(3).build().unwrap();
    // The limit applies to the probe, for all its callers.
    let mut tasks = tokio::task::JoinSet::new();
    for url in urls.clone() {
        let probe = probe.clone();
        tasks.spawn(async move { probe.check(&url, &ASYNC).await.unwrap().is_accepted() });
    }
    assert!(tasks.join_all().await.into_iter().all(|accepted| accepted));
    let at_once = most.swap(0, Ordering::SeqCst);
    assert!((2..=3).contains(&at_once), "{at_once}");

    // Ten names of one server: only the total limit applies.
    let names = |at: usize| named(&server, &format!("host-{}.example", at % 10));
    let probe = builder()
        .concurrency(5)
        .resolver(|_| async { Ok(vec![GOOD.into()]) })
        .build()
        .unwrap();
    let verdicts: Vec<_> = probe.check_all((0..40).map(names), &ASYNC).collect().await;
    assert_eq!(verdicts.len(), 40);
    let at_once = most.load(Ordering::SeqCst);
    assert!((2..=5).contains(&at_once), "{at_once}");
}

#[tokio::test]
async fn waiting_for_a_host_does_not_count_as_download_time() {
    let most = Arc::new(AtomicUsize::new(0));
    let server = slow(most).await;
    let probe = builder()
        .concurrency_per_host(1)
        .deadline(Duration::from_secs(1))
        .build()
        .unwrap();
    // 60 times 20 ms one after the other is more than the deadline of each.
    let urls = (0..60).map(|at| server.url(&format!("/{at}")));
    let verdicts: Vec<_> = probe.check_all(urls, &ASYNC).collect().await;
    assert!(
        verdicts
            .iter()
            .all(|verdict| verdict.as_ref().unwrap().is_accepted())
    );
}

#[tokio::test]
async fn a_rate_limit_spaces_the_downloads_from_one_host() {
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let probe = builder()
        .pace_per_host(Duration::from_millis(40))
        .build()
        .unwrap();
    let begun = time::Instant::now();
    let urls = (0..6).map(|at| server.url(&format!("/{at}")));
    let verdicts: Vec<_> = probe.check_all(urls, &ASYNC).collect().await;
    assert_eq!(verdicts.len(), 6);
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn reading_ahead_is_bounded() {
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let url = server.url("/x");
    let endless = std::iter::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        url.clone()
    });
    let probe = builder().concurrency(2).build().unwrap();
    let mut checks = probe.check_all(endless, &ASYNC);
    assert_eq!(taken.load(Ordering::SeqCst), 0);
    for _ in 0..20 {
        checks.next().await.unwrap().unwrap();
    }
    let ahead = taken.load(Ordering::SeqCst);
    assert!((20..=40).contains(&ahead), "{ahead}");
    // While no verdict is taken, no further request is sent.
    time::sleep(Duration::from_millis(200)).await;
    assert_eq!(taken.load(Ordering::SeqCst), ahead);
}

/// Waits until a counter reaches `value`.
async fn until(counter: &AtomicUsize, value: usize) {
    let begun = time::Instant::now();
    while counter.load(Ordering::SeqCst) != value {
        assert!(begun.elapsed() < Duration::from_secs(10));
        time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn dropping_a_list_or_a_check_ends_its_downloads() {
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    let server = Server::start(move |mut peer| {
        let open = Arc::clone(&count);
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            // No response is sent: the second request never arrives, only the end.
            peer.request().await;
            peer.request().await;
            open.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let urls: Vec<_> = (0..20).map(|at| server.url(&format!("/{at}"))).collect();
    let probe = builder()
        .concurrency_per_host(20)
        .deadline(Duration::from_secs(60))
        .build()
        .unwrap();
    let mut checks = probe.check_all(urls.clone(), &ASYNC);
    tokio::select! {
        verdict = checks.next() => panic!("{verdict:?}"),
        () = until(&open, 20) => {}
    }
    drop(checks);
    until(&open, 0).await;

    tokio::select! {
        verdict = probe.check(&urls[0], &ASYNC) => panic!("{verdict:?}"),
        () = until(&open, 1) => {}
    }
    until(&open, 0).await;
    // The slots are free again, so another check can run.
    let other = slow(Arc::default()).await;
    assert!(
        probe
            .check(&other.url("/300.png"), &ASYNC)
            .await
            .unwrap()
            .is_accepted()
    );
}

#[tokio::test]
async fn one_slow_host_does_not_delay_the_others() {
    let stuck = Server::start(Peer::stall).await;
    let quick = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let mut urls: Vec<_> = (0..30).map(|at| stuck.url(&format!("/{at}"))).collect();
    let probe = builder()
        .concurrency(10)
        .concurrency_per_host(2)
        .deadline(Duration::from_millis(500))
        .resolver(|_| async { Ok(vec![GOOD.into()]) })
        .build()
        .unwrap();
    urls.push(named(&quick, "quick.example"));
    let mut checks = probe.check_all(urls, &ASYNC);
    // The first two checks of the blocked host take their deadline; the fast host, last in the list,
    // is checked before that.
    let first = checks.next().await.unwrap().unwrap();
    assert_eq!(first.violations()[0].code().name(), "download/too-slow");
    assert_eq!(quick.seen.requests().len(), 1);
}

/// The probe ignores proxies in the environment.
#[cfg(feature = "cli")]
#[tokio::test]
async fn a_proxy_from_the_environment_is_not_used() {
    let proxy = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let url = server.url("/image.png").as_str().to_owned();
    let (address, at) = (server.address, format!("http://{}", proxy.address));
    let done = tokio::task::spawn_blocking(move || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_greenlight"));
        for name in [
            "http_proxy",
            "HTTP_PROXY",
            "https_proxy",
            "HTTPS_PROXY",
            "all_proxy",
            "ALL_PROXY",
        ] {
            command.env(name, &at);
        }
        command
            .args([
                "check",
                "--allow-address",
                &format!("{}/32:{}", address.ip(), address.port()),
            ])
            .arg(url)
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(server.seen.connections(), 1);
    assert_eq!(proxy.seen.connections(), 0);
}

// Secrets

#[test]
fn no_header_value_is_printed() {
    let builder = builder()
        .header(Header::new("Authorization").with_value("secret-1"))
        .header(
            Header::new("Cookie")
                .with_value("secret-2")
                .with_host("images.example"),
        );
    let text = format!("{builder:?} {:?}", builder.clone().build().unwrap());
    assert!(!text.contains("secret"), "{text}");
    assert!(
        text.contains("Authorization") && text.contains("Cookie"),
        "{text}"
    );
}

#[tokio::test]
async fn a_header_that_is_set_twice_is_sent_twice() {
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let mut probe = builder();
    for value in ["image/png", "image/webp"] {
        probe = probe.header(Header::new("Accept").with_value(value));
    }
    let url = ImageUrl::parse(&format!("http://{}/a.png", server.address)).unwrap();
    let download = probe.build().unwrap().download(&url, &ASYNC).await;
    assert_eq!(download.ending(), &Ending::Complete, "{download:?}");
    let request = server.seen.requests().pop().unwrap().to_lowercase();
    let accepted: Vec<_> = request
        .lines()
        .filter_map(|line| line.strip_prefix("accept: "))
        .collect();
    assert_eq!(accepted, ["image/png", "image/webp"], "{request}");
}

#[tokio::test]
async fn a_bound_header_is_sent_to_its_host_only() {
    let other = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let to_other = format!("http://other.example:{}/image.png", other.address.port());
    let server = Server::start(move |mut peer| {
        let to_other = to_other.clone();
        async move {
            while let Some(request) = peer.request().await {
                let there = [("Location", to_other.as_str())];
                let response = if request.starts_with("GET /away ") {
                    answer("302 Found", &there, b"")
                } else {
                    ok("image/png", &png(300, 300, 0))
                };
                peer.send(response).await;
            }
        }
    })
    .await;
    let port = server.address.port();
    let probe = builder()
        .resolver(|_host| async { Ok(vec![GOOD.into()]) })
        .header(Header::new("X-Key").with_value("for all"))
        .header(
            Header::new("X-Key")
                .with_value("bound")
                .with_host(&format!("Images.example:{port}")),
        )
        .header(
            Header::new("Cookie")
                .with_value("at port 80 only")
                .with_host("images.example"),
        )
        .build()
        .unwrap();
    for (host, path, key) in [
        ("images.example", "/a", "bound"),
        ("images.example", "/away", "bound"),
        ("elsewhere.example", "/a", "for all"),
    ] {
        let url = ImageUrl::parse(&format!("http://{host}:{port}{path}")).unwrap();
        let download = probe.download(&url, &ASYNC).await;
        assert_eq!(download.ending(), &Ending::Complete, "{download:?}");
        let request = server.seen.requests().pop().unwrap();
        assert_eq!(header(&request, "x-key"), Some(key), "{host}{path}");
        assert_eq!(header(&request, "cookie"), None);
    }
    let [request] = &other.seen.requests()[..] else {
        panic!()
    };
    assert_eq!(header(request, "x-key"), None);
}
