//! The probe with hostile servers: its finding, duration and memory, and that it never connects to a
//! denied address.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "tests, with numbers of their own making"
)]

mod tls;
mod trial;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time};

use crate::{
    probe_server::{Peer, answer, jpeg_head, ok, png, range, ranged},
    probe_tls::Authority,
};
use trial::{BOTH, Behavior, CANARY, FULL, HEADER, Lag, Named};

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    answer.extend(format!("{:x}\r\n", body.len()).into_bytes());
    answer.extend(body);
    answer.extend(b"\r\n");
    answer
}

fn one_byte_chunks(body: &[u8]) -> Vec<u8> {
    let chunks = body
        .iter()
        .map(|byte| [b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
    chunks.flatten().collect()
}

fn with(mut start: Vec<u8>, end: &[u8]) -> Vec<u8> {
    start.extend(end);
    start
}

fn stalls() -> Vec<Behavior> {
    let file = png(300, 300, 0);
    let whole = ok("image/png", &file);
    vec![
        Named("says nothing", BOTH).serve(Peer::stall).too_slow(),
        Named("stops in the status line", BOTH)
            .answer_and_stall("HTTP/1.1 20")
            .too_slow(),
        Named("stops in the headers", BOTH)
            .answer_and_stall("HTTP/1.1 200 OK\r\nContent-Type: ima")
            .too_slow(),
        Named("stops after the head", BOTH)
            .answer_and_stall("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            .too_slow(),
        Named("stops in the body", FULL)
            .answer_and_stall(&whole[..whole.len() / 2])
            .too_slow(),
        Named("stops in a chunk's size", BOTH)
            .answer_and_stall("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10")
            .too_slow(),
        Named("stops before the last chunk", FULL)
            .answer_and_stall(chunked(&file))
            .too_slow(),
        Named("trickles the status line", BOTH)
            .trickle("HTTP/1.1 200 ", vec![b'x'; 10_000])
            .too_slow(),
        Named("trickles an endless header", BOTH)
            .trickle("HTTP/1.1 200 OK\r\nX: ", vec![b'x'; 10_000])
            .too_slow(),
        Named("trickles the body", FULL)
            .trickle(&whole[..80], &whole[80..])
            .too_slow(),
        Named("trickles interim answers", BOTH)
            .trickle("", b"HTTP/1.1 100 Continue\r\n\r\n".repeat(500))
            .too_slow(),
        Named("trickles chunks of one byte", FULL)
            .trickle(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                one_byte_chunks(&file),
            )
            .too_slow(),
        Named("redirects slowly", BOTH)
            .serve(|mut peer| async move {
                let request = peer.request().await.unwrap();
                time::sleep(Duration::from_millis(800)).await;
                let at = request.split([' ', '/']).nth(2).unwrap().len();
                let next = format!("/{}", "x".repeat(at + 1));
                peer.send(answer("302 Found", &[("Location", &next)], b""))
                    .await;
                peer.close().await;
            })
            .too_slow(),
    ]
}

fn floods() -> Vec<Behavior> {
    let image = png(300, 300, 8 << 20);
    let start = image[..100].to_vec();
    let more = vec![b'.'; 64 << 10];
    vec![
        Named("floods with interim answers", BOTH)
            .endless("", b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000))
            .malformed(),
        Named("never ends its status line", BOTH)
            .endless("HTTP/1.1 200 ", more.clone())
            .malformed(),
        Named("never ends a header", BOTH)
            .endless("HTTP/1.1 200 OK\r\nX: ", more.clone())
            .malformed(),
        Named("never ends its headers", BOTH)
            .endless("HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n".repeat(100))
            .malformed(),
        Named("never ends a body without a length", FULL)
            .endless(
                with(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), &start),
                more.clone(),
            )
            .is("refused", &["image/too-large"]),
        Named("never ends a chunk", FULL)
            .endless(
                with(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n".to_vec(),
                    &start,
                ),
                more.clone(),
            )
            .is("refused", &["image/too-large"]),
        Named("never ends a chunk's extension", BOTH)
            .endless(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;",
                more.clone(),
            )
            .malformed(),
        Named("never ends its trailers", FULL)
            .endless(
                with(chunked(&png(300, 300, 0)), b"0\r\n"),
                b"X-Trailer: value\r\n".repeat(1000),
            )
            .malformed(),
        Named("redirects with an endless body", BOTH)
            .endless(
                "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n",
                more.clone(),
            )
            .is("blocked", &["url/private-address"]),
        Named("fails with an endless body", BOTH)
            .endless("HTTP/1.1 500 Oops\r\n\r\n", more.clone())
            .is("status", &["download/status"]),
        Named("announces 8 EiB", BOTH)
            .endless(
                "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
                more.clone(),
            )
            .is("refused", &["image/too-large"]),
        Named("sends a gzip bomb", BOTH)
            .endless("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", more)
            .is("encoded", &["download/encoding"]),
        Named("redirects to a location of 100 KB", BOTH)
            .answer(answer(
                "302 Found",
                &[("Location", &"x".repeat(100_000))],
                b"",
            ))
            .is("redirects", &["download/redirects"]),
        Named("redirects to a location of 1 MB", BOTH)
            .answer(answer(
                "302 Found",
                &[("Location", &"x".repeat(1 << 20))],
                b"",
            ))
            .malformed(),
    ]
}

fn lengths_and_chunks() -> Vec<Behavior> {
    let file = png(300, 300, 0);
    let head = |headers: &str| {
        with(
            format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n").into_bytes(),
            &file,
        )
    };
    let malformed = [
        ("announces a negative length", "Content-Length: -1"),
        ("announces a length in hexadecimal", "Content-Length: 0x10"),
        (
            "announces two lengths",
            "Content-Length: 10\r\nContent-Length: 11",
        ),
        (
            "sends a chunk size that is none",
            "Transfer-Encoding: chunked\r\n\r\nzz",
        ),
        (
            "sends a negative chunk size",
            "Transfer-Encoding: chunked\r\n\r\n-1",
        ),
        (
            "sends a chunk size that overflows",
            "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff",
        ),
        (
            "does not end its chunk",
            "Transfer-Encoding: chunked\r\n\r\n2\r\nBMx\r\n0\r\n",
        ),
        ("sends NUL in a header", "Header: \0"),
    ];
    let mut all: Vec<_> = malformed
        .into_iter()
        .map(|(name, headers)| Named(name, BOTH).answer(head(headers)).malformed())
        .collect();
    let len = file.len();
    all.extend([
        Named("announces more than it sends", FULL)
            .answer(head(&format!("Content-Length: {}", len + 1)))
            .incomplete(),
        Named("announces less than it sends", FULL)
            .answer(head(&format!("Content-Length: {}", len - 1)))
            .is("complete", &["image/truncated"]),
        Named("announces nothing and sends nothing", BOTH)
            .answer("HTTP/1.1 200 OK\r\n\r\n")
            .is("complete", &["image/empty"]),
        Named("announces and sends an empty body", BOTH)
            .answer(answer("200 OK", &[], b""))
            .is("complete", &["image/empty"]),
        Named("sends less than its chunk", FULL)
            .answer(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nGIF8",
            )
            .incomplete(),
        Named("leaves the last chunk out", FULL)
            .answer(chunked(&file))
            .incomplete(),
        Named("sends chunks and a length that contradicts them", FULL)
            .answer(with(
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{len:x}\r\n"
                )
                .into_bytes(),
                &with(file.clone(), b"\r\n0\r\n\r\n"),
            ))
            .is("complete", &[]),
        Named("sends the body in chunks of one byte", FULL)
            .answer(with(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
                &with(one_byte_chunks(&file), b"0\r\n\r\n"),
            ))
            .is("complete", &[]),
    ]);
    all
}

fn protocol() -> Vec<Behavior> {
    let file = png(300, 300, 0);
    let malformed: [(&str, &[u8]); 9] = [
        ("answers in HTTP/0.9", &file),
        (
            "answers in HTTP/2",
            b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0d\0\x04\0\xa0\0\0\0\x06\0\0@\0",
        ),
        (
            "answers in TLS",
            b"\x15\x03\x01\0\x02\x02\x46\x15\x03\x01\0\x02\x02\x46",
        ),
        ("answers in SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("answers in FTP", b"220 ready\r\n500 what\r\n"),
        (
            "answers with a status of letters",
            b"HTTP/1.1 abc OK\r\n\r\n",
        ),
        (
            "answers with a status of 4 digits",
            b"HTTP/1.1 1000 OK\r\n\r\n",
        ),
        ("answers with a status of 099", b"HTTP/1.1 099 OK\r\n\r\n"),
        ("answers with zeros", &[0; 4096]),
    ];
    let mut all: Vec<_> = malformed
        .into_iter()
        .map(|(name, bytes)| Named(name, BOTH).answer(bytes).malformed())
        .collect();
    all.extend([
        Named("answers in HTTP/1.0", FULL)
            .answer(with(b"HTTP/1.0 200 OK\r\n\r\n".to_vec(), &file))
            .is("complete", &[]),
        Named("sends hints first", FULL)
            .answer(with(
                b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_vec(),
                &ok("image/png", &file),
            ))
            .is("complete", &[]),
        Named("switches protocols", BOTH)
            .answer("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            .is("status", &["download/status"]),
        Named("closes at once", BOTH)
            .serve(Peer::close)
            .incomplete(),
        Named("closes after the request", BOTH)
            .answer("")
            .incomplete(),
        Named("closes in the head", BOTH)
            .answer("HTTP/1.1 200 OK\r\nContent-")
            .incomplete(),
        Named("closes after the head", BOTH)
            .answer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            .incomplete(),
        Named("resets after the request", BOTH)
            .then("", |peer| async { peer.reset() })
            .reset(),
        Named("resets in the head", BOTH)
            .then("HTTP/1.1 200 OK\r\nContent-", |peer| async {
                time::sleep(Duration::from_millis(30)).await;
                peer.reset();
            })
            .reset(),
        Named("resets in the body", FULL)
            .then(ok("image/png", &file)[..500].to_vec(), |peer| async {
                time::sleep(Duration::from_millis(30)).await;
                peer.reset();
            })
            .reset(),
    ]);
    all
}

fn contents() -> Vec<Behavior> {
    let file = png(300, 300, 0);
    let page = b"<!DOCTYPE html><html><title>Please log in</title></html>";
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".repeat(5);
    let encoded = |name, value| {
        Named("compresses the body", BOTH)
            .answer(answer("200 OK", &[(name, value)], &gzip))
            .is("encoded", &["download/encoding"])
    };
    let status = |status, body: &[u8]| {
        Named("answers with a status", FULL)
            .answer(answer(status, &[("Content-Type", "image/png")], body))
            .is("status", &["download/status"])
    };
    vec![
        encoded("Content-Encoding", "gzip"),
        encoded("Content-Encoding", "deflate"),
        encoded("Content-Encoding", "br"),
        encoded("Content-Encoding", "zstd"),
        encoded("Content-Encoding", "identity, gzip"),
        encoded("Content-Encoding", "aes128gcm"),
        status("204 No Content", b""),
        status("205 Reset Content", b""),
        status("304 Not Modified", b""),
        status("404 Not Found", &file),
        status("429 Too Many Requests", b"slow down"),
        status("503 Service Unavailable", &file),
        status("999 Request Denied", &file),
        Named("compresses without saying so", BOTH)
            .answer(ok("image/png", &gzip))
            .is("refused", &["image/not-an-image", "image/type-mismatch"]),
        Named("sends a page", BOTH)
            .answer(ok("text/html", page))
            .is(
                "refused",
                &["download/web-page", "image/format-unsupported"],
            ),
        Named("sends a page as an image", BOTH)
            .answer(ok("image/png", page))
            .is(
                "refused",
                &[
                    "download/web-page",
                    "image/format-unsupported",
                    "image/type-mismatch",
                ],
            ),
        Named("sends JSON", BOTH)
            .answer(ok("application/json", &br#"{"error":"no"}"#.repeat(10)))
            .is("refused", &["image/not-an-image"]),
        Named("sends an image as text", FULL)
            .answer(ok("text/plain", &file))
            .is("complete", &["download/content-type"]),
        Named("sends an image as a page", FULL)
            .answer(ok("text/html", &file))
            .is("complete", &["image/type-mismatch"]),
        Named("sends an image as bytes", FULL)
            .answer(ok("application/octet-stream", &file))
            .is("complete", &[]),
        Named("sends an image that is cut", FULL)
            .answer(ok("image/png", &file[..file.len() - 20]))
            .is("complete", &["image/truncated"]),
        Named("sends more after the image", FULL)
            .answer(ok("image/png", &with(file.clone(), b"<?php")))
            .is("complete", &["image/trailing-bytes"]),
    ]
}

/// Responds to a Range request with the part that `range` describes.
fn part(range: &str, body: &[u8]) -> Vec<u8> {
    answer("206 Partial Content", &[("Content-Range", range)], body)
}

fn ranges() -> Vec<Behavior> {
    let endless = jpeg_head(300, 300, 3 << 20);
    let window = endless[..65_536].to_vec();
    vec![
        Named("stops in a part", HEADER)
            .answer_and_stall(&part("bytes 0-65535/900000", &window)[..20_000])
            .too_slow(),
        Named("announces a part of 8 EiB", HEADER)
            .answer(part("bytes 0-65535/9223372036854775807", &window))
            .is("refused", &["image/too-large"]),
        Named("sends windows without end and never says the size", HEADER)
            .serve(move |mut peer| {
                let endless = endless.clone();
                async move {
                    while let Some(request) = peer.request().await {
                        let (first, last) = range(&request).unwrap();
                        let last = last.min(endless.len() - 1);
                        let range = format!("bytes {first}-{last}/*");
                        if !peer.send(part(&range, &endless[first..=last])).await {
                            return;
                        }
                    }
                }
            })
            .is("refused", &["image/too-large"]),
        Named("sends a part in chunks that is longer than it says", HEADER)
            .answer(with(
                b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-65535/900000\r\nTransfer-Encoding: chunked\r\n\r\n10400\r\n"
                    .to_vec(),
                &with(jpeg_head(300, 300, 3 << 20)[..66_560].to_vec(), b"\r\n0\r\n\r\n"),
            ))
            .malformed(),
        Named("sends a part in chunks that is shorter than it says", HEADER)
            .answer(with(
                b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-65535/900000\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n"
                    .to_vec(),
                &with(window[..1024].to_vec(), b"\r\n0\r\n\r\n"),
            ))
            .malformed(),
        Named("compresses a part", HEADER)
            .answer(answer(
                "206 Partial Content",
                &[
                    ("Content-Range", "bytes 0-65535/900000"),
                    ("Content-Encoding", "gzip"),
                ],
                &window,
            ))
            .is("encoded", &["download/encoding"]),
        Named("always answers 416", HEADER)
            .answer(answer("416 Range Not Satisfiable", &[], b""))
            .is("status", &["download/status"]),
        Named("always answers 403", HEADER)
            .answer(answer("403 Forbidden", &[], b""))
            .is("status", &["download/status"]),
        Named("always answers with a part", HEADER)
            .answer(answer("206 Partial Content", &[], &window))
            .is("status", &["download/status"]),
    ]
}

/// Redirects to every kind of address that is not public, and to the canary by all its names.
fn redirects() -> Vec<Behavior> {
    let hosts = [
        "127.0.0.2",
        "127.2",
        "2130706434",
        "0x7f.2",
        "0177.0.0.2",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "[::127.0.0.2]",
        "[64:ff9b::7f00:2]",
        "[2002:7f00:2::]",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fc00::1]",
        "[::]",
        "[::1]",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[ff02::1]",
        "[2001:db8::1]",
        "[2001::1]",
        CANARY,
    ];
    let mut all: Vec<_> = hosts
        .into_iter()
        .map(|host| {
            Named("redirects to an address that is not public", BOTH)
                .serve(move |mut peer| async move {
                    // The canary listens at the same port as this server.
                    let port = peer.stream.local_addr().unwrap().port();
                    let location = format!("http://{host}:{port}/image.png");
                    peer.request().await;
                    peer.send(answer("302 Found", &[("Location", &location)], b""))
                        .await;
                    peer.close().await;
                })
                .is("blocked", &["url/private-address"])
        })
        .collect();
    let nowhere = [
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "gopher://x/",
        "ftp://127.0.0.2/",
        "http://",
        "//",
        "http://[::1",
        "http://a b/",
        "about:blank",
        "/x",
    ];
    all.extend(nowhere.into_iter().map(|location| {
        Named("redirects to nowhere", BOTH)
            .answer(answer("307 Temporary", &[("Location", location)], b""))
            .is("redirects", &["download/redirects"])
    }));
    all.push(
        Named("redirects in a circle", BOTH)
            .serve(|mut peer| async move {
                let request = peer.request().await.unwrap();
                let next = if request.starts_with("GET /x ") {
                    "/y"
                } else {
                    "/x"
                };
                peer.send(answer("301 Moved", &[("Location", next)], b""))
                    .await;
                peer.close().await;
            })
            .is("redirects", &["download/redirects"]),
    );
    all
}

/// Servers that exploit the reuse of connections.
fn reuse() -> Vec<Behavior> {
    let image = png(300, 300, 100_000);
    let forged = ok("text/html", b"<!DOCTYPE html><html>");
    let poisoned = image.clone();
    let mut all = vec![
        Named("poisons its connection", HEADER)
            .serve(move |mut peer| {
                let (image, forged) = (poisoned.clone(), forged.clone());
                async move {
                    while let Some(request) = peer.request().await {
                        // In one write: after the next request is sent, its response cannot be
                        // distinguished from this one.
                        let both = with(ranged(&request, "image/png", &image), &forged);
                        peer.send(both).await;
                    }
                }
            })
            .is("stopped", &[])
            .times(5),
    ];
    all.push(
        Named("closes after each answer without saying so", HEADER)
            .serve(move |mut peer| {
                let image = image.clone();
                async move {
                    let request = peer.request().await.unwrap();
                    peer.send(ranged(&request, "image/png", &image)).await;
                    peer.close().await;
                }
            })
            .is("stopped", &[])
            .times(5),
    );
    all.push(
        Named("answers once and never again", HEADER)
            .serve(|mut peer| async move {
                if peer.number == 0 {
                    let request = peer.request().await.unwrap();
                    let file = jpeg_head(300, 300, 100_000);
                    peer.send(ranged(&request, "image/jpeg", &file)).await;
                }
                peer.stall().await;
            })
            .too_slow(),
    );
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_causes_at_most_one_violation() {
    let authority = Authority::new();
    let root: Arc<str> = authority.pem().into();
    let mut all = stalls();
    all.extend(floods());
    all.extend(lengths_and_chunks());
    all.extend(protocol());
    all.extend(contents());
    all.extend(ranges());
    all.extend(redirects());
    all.extend(reuse());
    all.extend(tls::all(&authority));
    let names: BTreeSet<_> = all.iter().map(|one| one.name).collect();
    assert!(names.len() >= 60, "{} behaviors", names.len());

    let lag = Arc::new(Lag::measure());
    let (slow, quick): (Vec<_>, Vec<_>) = all.into_iter().partition(Behavior::is_slow);
    // Trials that use the processor run few at a time; trials that only wait run together.
    let mut found = try_all(quick, 4, &root, &lag).await;
    found.extend(try_all(slow, usize::MAX, &root, &lag).await);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Tries each behavior in each of its modes, several at a time, and returns the deviations.
async fn try_all(
    behaviors: Vec<Behavior>,
    at_once: usize,
    root: &Arc<str>,
    lag: &Arc<Lag>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut trials = JoinSet::new();
    for behavior in behaviors.into_iter().map(Arc::new) {
        for mode in behavior.modes {
            let (behavior, root, lag) = (Arc::clone(&behavior), Arc::clone(root), Arc::clone(lag));
            trials.spawn(async move { behavior.faults(*mode, root.as_bytes(), &lag).await });
            if trials.len() >= at_once {
                found.extend(trials.join_next().await.unwrap().unwrap());
            }
        }
    }
    found.extend(trials.join_all().await.into_iter().flatten());
    found
}
