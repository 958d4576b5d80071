//! The probe against servers that mean no good: what it finds, how long it takes, how much it
//! takes, and that it never connects where it must not.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "tests, with numbers of their own making"
)]

use std::{pin::Pin, sync::Arc, time::Duration};

use greenlight::{
    Download, Requirements, Verdict,
    download::Ending,
    probe::{AddressPolicy, Mode},
};
use tokio::{task::JoinSet, time};

use crate::probe_server::{Peer, Server, answer, builder, jpeg_head, ok, png};

/// A small limit, so that little has to cross the wire before it is reached.
const ASKED: Requirements = Requirements::ASYNC.with_max_bytes(1 << 20);

/// Whatever a server does, no more than this comes over the wire: twice the limit, and what heads
/// and TLS may take, with a last read.
const MOST_RECEIVED: u64 = (3 << 20) + (512 << 10);

/// Whatever a server does, a probe ends within this time. Where it is the deadline that ends it, a
/// shorter one is set, to be quick.
const MOST_ELAPSED: Duration = Duration::from_millis(3300);

const FULL: &[Mode] = &[Mode::Full];
const HEADER: &[Mode] = &[Mode::Header];
const BOTH: &[Mode] = &[Mode::Full, Mode::Header];

type Serve = Arc<dyn Fn(Peer) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// One way to misbehave, and what the probe makes of it.
struct Behaviour {
    name: &'static str,
    modes: &'static [Mode],
    serve: Serve,
    ending: &'static str,
    codes: &'static [&'static str],
}

/// A behaviour in the making: its name and the modes that it is tried in.
struct Named(&'static str, &'static [Mode]);

impl Named {
    fn serve<F, A>(self, serve: F) -> Told
    where
        F: Fn(Peer) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        Told(self, Arc::new(move |peer| Box::pin(serve(peer))))
    }

    /// Answers the request with `bytes` and closes.
    fn answer(self, bytes: impl Into<Vec<u8>>) -> Told {
        self.then(bytes, Peer::close)
    }

    /// Answers the request with `bytes` and leaves the connection open.
    fn answer_and_stall(self, bytes: impl Into<Vec<u8>>) -> Told {
        self.then(bytes, Peer::stall)
    }

    /// Answers the request with `start`, then with `more` without end.
    fn endless(self, start: impl Into<Vec<u8>>, more: impl Into<Vec<u8>>) -> Told {
        let more: Arc<[u8]> = more.into().into();
        self.then(start, move |mut peer| {
            let more = Arc::clone(&more);
            async move { while peer.send(&more).await {} }
        })
    }

    /// Answers the request with `start`, then with `rest` byte by byte.
    fn trickle(self, start: impl Into<Vec<u8>>, rest: impl Into<Vec<u8>>) -> Told {
        let rest: Arc<[u8]> = rest.into().into();
        self.then(start, move |mut peer| {
            let rest = Arc::clone(&rest);
            async move {
                peer.trickle(&rest, Duration::from_millis(5)).await;
            }
        })
    }

    fn then<F, A>(self, bytes: impl Into<Vec<u8>>, then: F) -> Told
    where
        F: Fn(Peer) -> A + Send + Sync + Clone + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let bytes: Arc<[u8]> = bytes.into().into();
        self.serve(move |mut peer| {
            let (bytes, then) = (Arc::clone(&bytes), then.clone());
            async move {
                if peer.request().await.is_some() && peer.send(&bytes).await {
                    then(peer).await;
                }
            }
        })
    }
}

struct Told(Named, Serve);

impl Told {
    fn is(self, ending: &'static str, codes: &'static [&'static str]) -> Behaviour {
        let Self(Named(name, modes), serve) = self;
        Behaviour {
            name,
            modes,
            serve,
            ending,
            codes,
        }
    }

    fn too_slow(self) -> Behaviour {
        self.is("too-slow", &["download/too-slow"])
    }

    fn malformed(self) -> Behaviour {
        self.is("protocol", &["download/protocol"])
    }

    fn incomplete(self) -> Behaviour {
        self.is("incomplete", &["download/incomplete"])
    }
}

fn name_of(ending: &Ending) -> &'static str {
    match ending {
        Ending::Complete => "complete",
        Ending::Stopped => "stopped",
        Ending::Refused { .. } => "refused",
        Ending::TooSlow => "too-slow",
        Ending::Blocked { .. } => "blocked",
        Ending::Dns(_) => "dns",
        Ending::Connect(_) => "connect",
        Ending::Tls(..) => "tls",
        Ending::Redirects(_) => "redirects",
        Ending::Status => "status",
        Ending::Reset(_) => "reset",
        Ending::Incomplete(_) => "incomplete",
        Ending::Protocol(_) => "protocol",
        Ending::Encoded(_) => "encoded",
        _ => "another",
    }
}

fn codes(verdict: &Verdict<greenlight::ImageUrl>) -> Vec<&'static str> {
    let violations = verdict.violations().iter();
    violations
        .map(|violation| violation.code().name())
        .collect()
}

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

fn stalls() -> Vec<Behaviour> {
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
                time::sleep(Duration::from_millis(120)).await;
                let at = request.split([' ', '/']).nth(2).unwrap().len();
                let next = format!("/{}", "x".repeat(at + 1));
                peer.send(answer("302 Found", &[("Location", &next)], b""))
                    .await;
                peer.close().await;
            })
            .too_slow(),
    ]
}

fn floods() -> Vec<Behaviour> {
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

fn lengths_and_chunks() -> Vec<Behaviour> {
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
            "announces a length that overflows",
            "Content-Length: 99999999999999999999999",
        ),
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
        ("sends a header without a colon", "Header"),
        ("sends NUL in a header", "Header: \0"),
        (
            "sends a header with a space in its name",
            "Content-Length : 5",
        ),
        ("folds a header", "Header: a\r\n b"),
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

fn protocol() -> Vec<Behaviour> {
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
            .is("reset", &["download/incomplete"]),
        Named("resets in the head", BOTH)
            .then("HTTP/1.1 200 OK\r\nContent-", |peer| async {
                time::sleep(Duration::from_millis(30)).await;
                peer.reset();
            })
            .is("reset", &["download/incomplete"]),
        Named("resets in the body", FULL)
            .then(ok("image/png", &file)[..500].to_vec(), |peer| async {
                time::sleep(Duration::from_millis(30)).await;
                peer.reset();
            })
            .is("reset", &["download/incomplete"]),
    ]);
    all
}

fn contents() -> Vec<Behaviour> {
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

/// Answers a Range request with a part that `range` describes.
fn part(range: &str, body: &[u8]) -> Vec<u8> {
    answer("206 Partial Content", &[("Content-Range", range)], body)
}

fn ranges() -> Vec<Behaviour> {
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
                        let (first, last) = crate::probe_server::range(&request).unwrap();
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

/// Redirects to every kind of address that is not public, and to the canary by every name it has.
fn redirects(canary: &Server) -> Vec<Behaviour> {
    let port = canary.address.port();
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
    ];
    let mut all: Vec<_> = hosts
        .into_iter()
        .map(|host| {
            let location = format!("http://{host}:{port}/image.png");
            Named("redirects to an address that is not public", BOTH)
                .answer(answer("302 Found", &[("Location", &location)], b""))
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_server_gets_more_than_its_finding() {
    let canary = canary().await;
    let mut all = stalls();
    all.extend(floods());
    all.extend(lengths_and_chunks());
    all.extend(protocol());
    all.extend(contents());
    all.extend(ranges());
    all.extend(redirects(&canary));
    let names: std::collections::BTreeSet<_> = all.iter().map(|one| one.name).collect();
    assert!(names.len() >= 60, "{} behaviours", names.len());

    let mut found = Vec::new();
    let mut probes = JoinSet::new();
    for behaviour in all {
        for mode in behaviour.modes {
            let serve = Arc::clone(&behaviour.serve);
            let server = Server::start(move |peer| serve(peer)).await;
            let is_slow = behaviour.ending == "too-slow";
            let (name, ending, codes) = (behaviour.name, behaviour.ending, behaviour.codes);
            probes.spawn(async move {
                let download = one(&server, *mode, is_slow).await;
                let faults = faults(&download, ending, codes).into_iter();
                let named = faults.map(|fault| format!("{name} ({mode:?}): {fault}"));
                named.collect::<Vec<_>>()
            });
            // As many at a time as a small machine serves without being slow itself.
            if probes.len() >= 16 {
                found.extend(probes.join_next().await.unwrap().unwrap());
            }
        }
    }
    found.extend(probes.join_all().await.into_iter().flatten());
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(canary.seen.connections(), 0);
}

/// A server at an address that no probe here may connect to.
async fn canary() -> Server {
    Server::start_at("127.0.0.2:0", |mut peer| async move {
        peer.send(ok("image/png", &png(300, 300, 0))).await;
    })
    .await
}

async fn one(server: &Server, mode: Mode, is_slow: bool) -> Download {
    let deadline = if is_slow { 400 } else { 3000 };
    let policy = AddressPolicy::new().allow("127.0.0.1").unwrap();
    let probe = builder()
        .policy(policy)
        .mode(mode)
        .deadline(Duration::from_millis(deadline))
        .build()
        .unwrap();
    probe.download(&server.url("/x"), &ASKED).await
}

/// What is not as expected of a download.
fn faults(download: &Download, ending: &str, expected: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    if name_of(download.ending()) != ending {
        faults.push(format!("{:?} and not {ending}", download.ending()));
    }
    let found = codes(&ASKED.judge_download(download.clone()));
    if found != expected {
        faults.push(format!("{found:?} and not {expected:?}"));
    }
    if download.elapsed() > MOST_ELAPSED {
        faults.push(format!("took {:?}", download.elapsed()));
    }
    if download.received() > MOST_RECEIVED || download.bytes() > ASKED.max_bytes() + 1 {
        faults.push(format!(
            "{} bytes came, {} of body",
            download.received(),
            download.bytes()
        ));
    }
    faults
}
