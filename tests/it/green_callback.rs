//! Results that the service sends by callback.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]
#![allow(
    clippy::disallowed_methods,
    clippy::format_collect,
    reason = "a client of its own, and short texts"
)]

use greenlight::{
    ErrorKind,
    green::{Callback, CryptType, OutcomeDecision, Secret, callback::Verifier},
};
use serde_json::{Value, json};

const UID: &str = "1234567890123456";
const SEED: &str = "seed_0123456789";

#[test]
fn only_the_documented_checksum_is_accepted() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../fixtures/vectors/green.json")).unwrap();
    let vectors = vectors["callback_checksum"].as_array().unwrap();
    assert!(vectors.len() >= 3);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let (uid, seed, content) = (text("uid"), text("seed"), text("content").as_bytes());
        let checksum = text("checksum_sha256_hex");
        if seed.is_empty() {
            // The service has no callback without a seed.
            assert!(Callback::new("https://example.com/hook", Secret::new(seed)).is_err());
            continue;
        }
        let right = verifier(uid, seed);
        assert!(right.verify(content, checksum));
        assert!(right.verify(content, &checksum.to_uppercase()));
        assert!(!verifier("2", seed).verify(content, checksum));
        assert!(!verifier(uid, "other").verify(content, checksum));
        assert!(!right.verify(b"{}", checksum));
        for wrong in [
            "",
            "00",
            checksum.trim_start_matches(|c| c != '0'),
            &format!("{checksum}0"),
            &checksum.replace(|c| c > '0', "g"),
        ] {
            assert!(!right.verify(content, wrong), "{wrong}");
        }
    }
}

#[test]
fn sm3_agrees_with_the_standard() {
    let documented = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
    let verify = |crypt_type| {
        let callback = Callback::new("https://example.com/hook", Secret::new("b")).unwrap();
        let verifier = Verifier::new("a", &callback.with_crypt_type(crypt_type));
        verifier.verify(b"c", documented)
    };
    assert!(verify(CryptType::Sm3));
    assert!(!verify(CryptType::Sha256));
}

fn content(task_id: &str) -> String {
    json!({"code": 200, "msg": "OK", "dataId": "图", "taskId": task_id, "url": "https://e/a+b.jpg",
        "results": [{"scene": "porn", "label": "normal", "suggestion": "pass", "rate": 99.9}]})
    .to_string()
}

/// Computes a checksum independently of the library.
fn checksum(content: &[u8]) -> String {
    use sha2::Digest as _;
    let mut text = format!("{UID}{SEED}").into_bytes();
    text.extend(content);
    sha2::Sha256::digest(&text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn form(checksum: &str, content: &[u8]) -> Vec<u8> {
    let quoted: String = content.iter().map(|byte| format!("%{byte:02X}")).collect();
    format!("checksum={checksum}&content={quoted}").into_bytes()
}

fn verifier(uid: &str, seed: &str) -> Verifier {
    let callback = Callback::new("https://example.com/hook", Secret::new(seed));
    Verifier::new(uid, &callback.unwrap())
}

#[test]
fn a_callback_is_parsed_only_with_a_valid_checksum() {
    let content = content("task-1");
    let right = checksum(content.as_bytes());
    let report = verifier(UID, SEED)
        .open(&form(&right, content.as_bytes()))
        .unwrap();
    assert_eq!(report.task_id().as_str(), "task-1");
    assert_eq!(report.outcome().unwrap().decision(), OutcomeDecision::Pass);

    let kind = |form: &[u8]| verifier(UID, SEED).open(form).unwrap_err().kind();
    let other = self::content("task-2");
    assert_eq!(
        kind(&form(&right, other.as_bytes())),
        ErrorKind::Credentials
    );
    assert_eq!(kind(b""), ErrorKind::Credentials);
    assert_eq!(kind(b"content=%"), ErrorKind::Credentials);
    assert_eq!(kind(b"checksum=%ff&content=%zz+"), ErrorKind::Credentials);
    for nonsense in [&b"{}"[..], b"", b"[1]", b"\xff\xfe", b"{\"code\":200}"] {
        assert_eq!(
            kind(&form(&checksum(nonsense), nonsense)),
            ErrorKind::Answer
        );
    }
    assert!(!format!("{:?}", verifier(UID, SEED)).contains(SEED));
}

#[test]
fn a_callback_is_checked_before_it_is_sent() {
    for (url, seed) in [
        ("ftp://example.com", "s"),
        ("not a url", "s"),
        ("https://example.com", ""),
        ("https://example.com", "a-b"),
        ("https://example.com", &"s".repeat(65)),
    ] {
        assert!(
            Callback::new(url, Secret::new(seed)).is_err(),
            "{url} {seed}"
        );
    }
    let shown = format!(
        "{:?}",
        Callback::new("https://example.com/?k=v", Secret::new(SEED)).unwrap()
    );
    assert!(!shown.contains(SEED) && !shown.contains("k=v"), "{shown}");
}

#[cfg(feature = "axum")]
mod route {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use axum::{Router, body::Body, extract::Request, routing::MethodRouter};
    use futures_util::stream;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    async fn post(address: std::net::SocketAddr, body: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /hook HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn each_result_is_handled_once_unless_that_fails() {
        let handled = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&handled);
        let handle = move |_| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            async move {
                if number == 0 {
                    Err("the database is away")
                } else {
                    Ok(())
                }
            }
        };
        let app: Router = Router::new().route(
            "/hook",
            greenlight::axum::callbacks(verifier(UID, SEED), handle),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });

        let content = content("task-1");
        let right = form(&checksum(content.as_bytes()), content.as_bytes());
        assert_eq!(post(address, &right).await, 500);
        assert_eq!(post(address, &right).await, 200);
        assert_eq!(post(address, &right).await, 200);
        assert_eq!(handled.load(Ordering::SeqCst), 2);
        let forged = form(&"0".repeat(64), content.as_bytes());
        assert_eq!(post(address, &forged).await, 403);
        assert_eq!(post(address, &form(&checksum(b"{}"), b"{}")).await, 400);
        assert_eq!(handled.load(Ordering::SeqCst), 2);
        // A callback without a result does not prevent the one with the result.
        let early = br#"{"code": 280, "taskId": "task-2"}"#;
        assert_eq!(post(address, &form(&checksum(early), early)).await, 200);
        let late = br#"{"code": 200, "taskId": "task-2", "results": []}"#;
        for _ in 0..2 {
            assert_eq!(post(address, &form(&checksum(late), late)).await, 200);
        }
        assert_eq!(handled.load(Ordering::SeqCst), 4);
    }

    /// The route without a socket, so that the test controls time.
    type Route = TowerToHyperService<MethodRouter>;

    fn route() -> Route {
        let handle = |_| async { Ok::<_, std::convert::Infallible>(()) };
        TowerToHyperService::new(greenlight::axum::callbacks(verifier(UID, SEED), handle))
    }

    /// Posts a body in chunks, one per second, and then stalls. Counts in `sent` the chunks that the
    /// server read.
    async fn post_slowly(route: Route, chunks: usize, bytes: usize, sent: Arc<AtomicUsize>) -> u16 {
        let stream = stream::unfold(0, move |number| {
            let sent = Arc::clone(&sent);
            async move {
                if number > 0 {
                    sent.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                if number == chunks {
                    std::future::pending::<()>().await;
                }
                Some((Ok::<_, std::io::Error>(vec![b'x'; bytes]), number + 1))
            }
        });
        let request = Request::post("/").body(Body::from_stream(stream)).unwrap();
        route.call(request).await.unwrap().status().as_u16()
    }

    /// Returns how a body in chunks ends, and after how many seconds.
    async fn end_of(chunks: usize, bytes: usize) -> (u16, u64) {
        let start = tokio::time::Instant::now();
        let status = post_slowly(route(), chunks, bytes, Arc::default()).await;
        (status, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_or_endless_callback_is_aborted() {
        // Silent from the start, silent later, and below the minimum rate.
        for (chunks, bytes) in [(0, 0), (1, 1_000), (1_000, 1_000)] {
            let (status, seconds) = end_of(chunks, bytes).await;
            assert_eq!(status, 408, "{chunks} x {bytes}");
            assert!(
                (10..=12).contains(&seconds),
                "{chunks} x {bytes}: {seconds} s"
            );
        }
        // Above the minimum rate, without end.
        assert_eq!(end_of(1_000, 10_000).await, (408, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_callback_that_is_too_large_is_rejected() {
        let announced = Body::from(vec![b'x'; (1 << 20) + 1]);
        let request = Request::post("/").body(announced).unwrap();
        assert_eq!(route().call(request).await.unwrap().status(), 413);
        let (status, seconds) = end_of(1_000, 300_000).await;
        assert_eq!((status, seconds), (413, 3));
        // As large as allowed: it is read, and its checksum is wrong.
        let largest = Body::from(vec![b'x'; 1 << 20]);
        let request = Request::post("/").body(largest).unwrap();
        assert_eq!(route().call(request).await.unwrap().status(), 403);
    }

    #[tokio::test(start_paused = true)]
    async fn callbacks_share_a_budget_of_memory() {
        let route = route();
        let sent = Arc::new(AtomicUsize::new(0));
        let mut held = tokio::task::JoinSet::new();
        for _ in 0..16 {
            held.spawn(post_slowly(route.clone(), 1, 1 << 20, Arc::clone(&sent)));
        }
        while sent.load(Ordering::SeqCst) < 16 {
            tokio::task::yield_now().await;
        }
        let small = || Request::post("/").body(Body::from("x=1")).unwrap();
        let response = route.call(small()).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "30");
        // The memory of aborted requests is available to others.
        held.shutdown().await;
        assert_eq!(route.call(small()).await.unwrap().status(), 403);
    }
}
