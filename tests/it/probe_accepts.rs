//! Server behavior outside the specifications that the probe accepts. The lines of
//! `docs/what-the-probe-accepts.md` are these cases.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use greenlight::{
    Decision, Requirements,
    download::{Ending, TlsFault},
    probe::Mode,
};

use crate::{
    probe_accepts_odd,
    probe_server::{Server, answer, builder, header, ok, png, probe, range},
    probe_tls::{self, Authority, HOST},
};

const ASYNC: Requirements = Requirements::ASYNC;
const PAGE: &str = include_str!("../../docs/what-the-probe-accepts.md");

/// Header lines added to the head of a good image's response, and the codes of the verdict; it
/// accepts if they are empty or warnings.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn heads() -> Vec<(&'static str, Vec<u8>, Decision, &'static [&'static str])> {
    let text = |line: &str| line.as_bytes().to_vec();
    let many = |count: usize, len: usize| {
        let value = "a".repeat(len);
        let lines: Vec<_> = (0..count)
            .map(|at| format!("X-{at}: {value}\r\n"))
            .collect();
        lines.concat().into_bytes()
    };
    let accept = Decision::Accept;
    let coding: &[&str] = &["download/unknown-encoding"];
    vec![
        (
            "a folded header line",
            text("X-A: one\r\n two\r\n\tthree\r\n"),
            accept,
            &[],
        ),
        (
            "a folded Content-Type",
            text("Content-Type:\r\n image/png\r\n"),
            accept,
            &[],
        ),
        (
            "a folded line before any header",
            text(" one\r\n"),
            accept,
            &[],
        ),
        (
            "a blank before the colon",
            text("X-A : one\r\nContent-Type\t: image/png\r\n"),
            accept,
            &[],
        ),
        (
            "blanks in a header name",
            text("X A: one\r\nCache Control: no-store\r\n"),
            accept,
            &[],
        ),
        (
            "a header name with odd bytes",
            b"X\xe9\xa0(@): one\r\n\"\": two\r\n".to_vec(),
            accept,
            &[],
        ),
        ("an empty header name", text(": one\r\n"), accept, &[]),
        (
            "control bytes in a value",
            b"X-A: one\x01\x08\x7f\r\nX-B: \x1b[0m\r\n".to_vec(),
            accept,
            &[],
        ),
        (
            "a value beyond ASCII",
            b"X-A: \xe9\xff\r\n".to_vec(),
            accept,
            &[],
        ),
        (
            "a header line without a colon",
            text("nonsense\r\nanother line\r\n"),
            accept,
            &[],
        ),
        ("101 to 4,000 header lines", many(4_000, 60), accept, &[]),
        ("a head of 390 KB", many(390, 990), accept, &[]),
        (
            "one header value of 300 KB",
            many(1, 300 << 10),
            accept,
            &[],
        ),
        (
            "the same length twice",
            text("Content-Length: LEN\r\n"),
            accept,
            &[],
        ),
        (
            "`Content-Encoding: aws-chunked`",
            text("Content-Encoding: aws-chunked\r\n"),
            accept,
            coding,
        ),
        (
            "`Content-Encoding: chunked`",
            text("Content-Encoding: chunked\r\n"),
            accept,
            coding,
        ),
        (
            "`Content-Encoding: utf-8`",
            text("Content-Encoding: UTF-8\r\n"),
            accept,
            coding,
        ),
        (
            "`Content-Encoding: image/png`",
            text("Content-Encoding: image/png\r\n"),
            accept,
            coding,
        ),
        (
            "an empty `Content-Encoding`",
            text("Content-Encoding:\r\n"),
            accept,
            coding,
        ),
        (
            "`Content-Encoding: none, binary`",
            text("Content-Encoding: none, binary\r\n"),
            accept,
            coding,
        ),
        (
            "`Content-Encoding: identity`",
            text("Content-Encoding: identity\r\n"),
            accept,
            &[],
        ),
        (
            "`Content-Encoding` gzip, x-gzip, br, deflate, zstd or compress",
            text("Content-Encoding: aws-chunked, GZIP\r\n"),
            Decision::Reject,
            &["download/encoding"],
        ),
        (
            "two lengths that differ",
            text("Content-Length: 7\r\n"),
            Decision::Reject,
            &["download/protocol"],
        ),
        (
            "two lengths that differ, one with a blank before its colon",
            text("Content-Length : 7\r\n"),
            Decision::Reject,
            &["download/protocol"],
        ),
        (
            "a second length that is folded",
            text("Content-Length: 7\r\n 7\r\n"),
            Decision::Reject,
            &["download/protocol"],
        ),
        (
            "a length that is not a number",
            text("Content-Length: -7\r\n"),
            Decision::Reject,
            &["download/protocol"],
        ),
        (
            "a NUL byte in a head",
            b"X-A: one\0two\r\n".to_vec(),
            Decision::Reject,
            &["download/protocol"],
        ),
        (
            "a CR without LF in a head",
            b"X-A: one\rtwo\r\n".to_vec(),
            accept,
            &[],
        ),
        (
            "a line that ends with CR CR LF",
            text("X-A: one\r\r\n"),
            accept,
            &[],
        ),
        (
            "a head of 600 KB",
            many(600, 990),
            Decision::Reject,
            &["download/protocol"],
        ),
        (
            "more than 4,096 header lines",
            many(5_100, 1),
            Decision::Reject,
            &["download/protocol"],
        ),
    ]
}

#[tokio::test]
async fn heads_are_read_as_curl_reads_them() {
    let file = png(300, 300, 0);
    for (name, lines, decision, codes) in heads() {
        let lines = match str::from_utf8(&lines) {
            Ok(text) => text.replace("LEN", &file.len().to_string()).into_bytes(),
            Err(_) => lines,
        };
        let mut response =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", file.len()).into_bytes();
        // The first line of a head is special to parsers of folded lines.
        if name.ends_with("before any header") {
            response = b"HTTP/1.1 200 OK\r\n".to_vec();
            response.extend(&lines);
            response.extend(format!("Content-Length: {}\r\n\r\n", file.len()).into_bytes());
        } else {
            response.extend(&lines);
            response.extend(b"\r\n");
        }
        response.extend(&file);
        let server = Server::answering(response).await;
        for mode in [Mode::Full, Mode::Header] {
            let verdict = probe(mode)
                .check(&server.url("/image.png"), &ASYNC)
                .await
                .unwrap();
            let found: Vec<_> = verdict
                .violations()
                .iter()
                .map(|one| one.code().name())
                .collect();
            assert_eq!(
                verdict.decision(),
                decision,
                "{name}, {mode:?}: {verdict:?}"
            );
            assert_eq!(found, codes, "{name}, {mode:?}");
            assert!(verdict.download().unwrap().received() < 1 << 20, "{name}");
        }
    }
}

#[tokio::test]
async fn a_folded_content_type_is_read() {
    let file = png(300, 300, 0);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type :\r\n text/plain\r\nContent-Length: {}\r\n\r\n",
        file.len()
    );
    let server = Server::answering([head.as_bytes(), &file].concat()).await;
    let download = probe(Mode::Full)
        .download(&server.url("/image.png"), &ASYNC)
        .await;
    assert_eq!(download.content_type(), Some("text/plain"));
}

#[tokio::test]
async fn an_unregistered_coding_is_a_warning() {
    let file = png(300, 300, 0);
    let server = Server::answering(answer(
        "200 OK",
        &[("Content-Encoding", "aws-chunked")],
        &file,
    ))
    .await;
    let verdict = probe(Mode::Full)
        .check(&server.url("/image.png"), &ASYNC)
        .await
        .unwrap();
    let [warning] = verdict.violations() else {
        panic!("{verdict:?}")
    };
    assert!(warning.message().contains("`aws-chunked`"), "{warning}");
    assert_eq!(
        verdict.download().unwrap().unregistered_coding(),
        Some("aws-chunked")
    );
    // The coding of a redirect does not apply to the image.
    let good = Server::answering(ok("image/png", &file)).await;
    let place = good.url("/image.png").to_string();
    let there = [("Location", place.as_str()), ("Content-Encoding", "utf-8")];
    let server = Server::answering(answer("302 Found", &there, b"")).await;
    let verdict = probe(Mode::Full)
        .check(&server.url("/image.png"), &ASYNC)
        .await
        .unwrap();
    assert!(verdict.violations().is_empty(), "{verdict:?}");
}

#[tokio::test]
async fn a_range_that_fails_gets_one_plain_request() {
    let file = png(300, 300, 100_000);
    for (status, decision, requests) in [
        ("400 Bad Request", Decision::Accept, 2),
        ("401 Unauthorized", Decision::Accept, 2),
        ("404 Not Found", Decision::Accept, 2),
        ("405 Method Not Allowed", Decision::Accept, 2),
        ("406 Not Acceptable", Decision::Accept, 2),
        ("500 Internal Server Error", Decision::Accept, 2),
        ("501 Not Implemented", Decision::Accept, 2),
        ("503 Service Unavailable", Decision::Accept, 2),
        ("599 Odd", Decision::Accept, 2),
        ("204 No Content", Decision::Reject, 1),
        ("304 Not Modified", Decision::Reject, 1),
    ] {
        let file = file.clone();
        let server = Server::start(move |mut peer| {
            let file = file.clone();
            async move {
                while let Some(request) = peer.request().await {
                    let odd = answer(status, &[], b"");
                    let whole = ok("image/png", &file);
                    peer.send(if range(&request).is_some() {
                        odd
                    } else {
                        whole
                    })
                    .await;
                }
            }
        })
        .await;
        let verdict = probe(Mode::Header)
            .check(&server.url("/image.png"), &ASYNC)
            .await
            .unwrap();
        assert_eq!(verdict.decision(), decision, "{status}: {verdict:?}");
        assert_eq!(server.seen.requests().len(), requests, "{status}");
    }
    // A server that always fails gets two requests.
    let server = Server::answering(answer("500 Internal Server Error", &[], b"")).await;
    let download = probe(Mode::Header)
        .download(&server.url("/image.png"), &ASYNC)
        .await;
    assert_eq!(download.ending(), &Ending::Status);
    assert_eq!(server.seen.requests().len(), 2);
}

/// A body in chunks of 1,000 bytes.
fn chunked(file: &[u8], end: &str) -> Vec<u8> {
    let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in file.chunks(1_000) {
        response.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        response.extend(chunk);
        response.extend(b"\r\n");
    }
    response.extend(end.as_bytes());
    response
}

#[tokio::test]
async fn a_chunked_body_in_the_first_window_has_a_known_size() {
    let file = png(640, 480, 20_000);
    let server = Server::answering(chunked(&file, "0\r\n\r\n")).await;
    let verdict = probe(Mode::Header)
        .check(&server.url("/image.png"), &ASYNC)
        .await
        .unwrap();
    assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
    let len = u64::try_from(file.len()).unwrap();
    assert_eq!(verdict.download().unwrap().inspection().len(), Some(len));

    let server = Server::answering(chunked(&file, "")).await;
    let download = probe(Mode::Header)
        .download(&server.url("/image.png"), &ASYNC)
        .await;
    assert!(
        matches!(download.ending(), Ending::Incomplete(_)),
        "{download:?}"
    );

    // A larger one is not read to its end.
    let large = png(640, 480, 400_000);
    let server = Server::answering(chunked(&large, "0\r\n\r\n")).await;
    let verdict = probe(Mode::Header)
        .check(&server.url("/image.png"), &ASYNC)
        .await
        .unwrap();
    assert_eq!(verdict.missing(), [greenlight::Missing::Size]);
    assert!(verdict.download().unwrap().bytes() < 200_000);
}

#[tokio::test]
async fn a_location_in_a_legacy_encoding_is_followed() {
    for (location, path) in [
        // "é" in ISO 8859-1, "中" in GBK, and the same in UTF-8.
        (&b"/caf\xe9.png?a=\xd6\xd0"[..], "/caf%E9.png?a=%D6%D0"),
        ("/café.png".as_bytes(), "/caf%C3%A9.png"),
    ] {
        let location = location.to_vec();
        let server = Server::start(move |mut peer| {
            let location = location.clone();
            async move {
                while let Some(request) = peer.request().await {
                    let mut response = ok("image/png", &png(300, 300, 0));
                    if request.starts_with("GET /first ") {
                        response =
                            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ".to_vec();
                        response.extend(&location);
                        response.extend(b"\r\n\r\n");
                    }
                    peer.send(response).await;
                }
            }
        })
        .await;
        let verdict = probe(Mode::Full)
            .check(&server.url("/first"), &ASYNC)
            .await
            .unwrap();
        assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
        let last = server.seen.requests().pop().unwrap();
        assert!(last.starts_with(&format!("GET {path} ")), "{last}");
    }
}

#[tokio::test]
async fn host_labels_with_underscores_and_hyphens_are_resolved() {
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let any = |_host| async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) };
    let probe = builder().resolver(any).build().unwrap();
    for host in [
        "my_bucket.example",
        "_a.example",
        "a-.example",
        "-a.example",
        "a--b_.example",
    ] {
        let text = format!("http://{host}:{}/image.png", server.address.port());
        let url = greenlight::ImageUrl::parse(&text).unwrap();
        let verdict = probe.check(&url, &ASYNC).await.unwrap();
        assert_eq!(verdict.decision(), Decision::Accept, "{host}: {verdict:?}");
        let last = server.seen.requests().pop().unwrap();
        assert!(header(&last, "host").unwrap().starts_with(host), "{last}");
    }
}

#[tokio::test]
async fn headers_over_http2_may_take_128_kb() {
    let authority = Authority::new();
    for (count, decision) in [
        (24, Decision::Accept),
        (110, Decision::Accept),
        (300, Decision::Reject),
    ] {
        let file = png(300, 300, 0);
        let server = probe_tls::http2(
            authority.acceptor(HOST, &["h2"], |_| {}),
            move |_, respond| {
                let file = file.clone();
                async move {
                    let names: Vec<_> = (0..count).map(|at| format!("x-{at}")).collect();
                    let value = "a".repeat(1_000);
                    let mut headers = vec![("content-type", "image/png")];
                    headers.extend(names.iter().map(|name| (name.as_str(), value.as_str())));
                    probe_tls::send(respond, &headers, file.into(), true).await;
                }
            },
        )
        .await;
        let url = probe_tls::url(&server, HOST);
        let probe = authority.probe().build().unwrap();
        let verdict = probe.check(&url, &ASYNC).await.unwrap();
        assert_eq!(verdict.decision(), decision, "{count}: {verdict:?}");
    }
}

#[tokio::test]
async fn an_alert_for_unsupported_tls_is_inconclusive() {
    let authority = Authority::new();
    // handshake_failure, protocol_version, insufficient_security (RFC 8446, 6)
    for alert in [40, 70, 71] {
        let server = Server::start(move |mut peer| async move {
            peer.send([0x15, 3, 3, 0, 2, 2, alert]).await;
            peer.close().await;
        })
        .await;
        let probe = authority.probe().build().unwrap();
        let verdict = probe
            .check(&probe_tls::url(&server, HOST), &ASYNC)
            .await
            .unwrap();
        assert_eq!(verdict.decision(), Decision::Inconclusive, "{verdict:?}");
        assert_eq!(server.seen.connections(), 1, "another attempt cannot help");
        let [violation] = verdict.violations() else {
            panic!("{verdict:?}")
        };
        assert_eq!(violation.code().name(), "download/tls-unsupported");
        assert!(
            violation.message().contains("the service may succeed"),
            "{violation}"
        );
    }
    // Its name in a URL is fine, and rustls has no type for it.
    let url = format!("https://a-.example:{}/a.png", 4430);
    let probe = authority
        .probe()
        .deadline(Duration::from_millis(300))
        .build()
        .unwrap();
    let url = greenlight::ImageUrl::parse(&url).unwrap();
    let ending = probe.download(&url, &ASYNC).await;
    assert!(
        !matches!(ending.ending(), Ending::Tls(TlsFault::Other, _)),
        "{ending:?}"
    );
}

/// `openssl s_server` on loopback.
struct Openssl {
    child: Child,
    address: SocketAddr,
}

impl Openssl {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-naccept",
                "8",
                "-www",
            ])
            .args(["-cert", "leaf.pem", "-key", "leaf.key"])
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ACCEPT ")?.parse().ok())
            .unwrap();
        Self { child, address }
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> bool {
    Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// An authority and a certificate that it issued, by the `openssl` command.
fn issue(folder: &Path, key: &[&str], digest: &str) {
    let subject = format!("/CN={HOST}");
    let name = format!("subjectAltName=DNS:{HOST}");
    let ca = [
        "req",
        "-x509",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ];
    assert!(openssl(folder, &[&ca, key].concat()));
    let request = [
        "req", "-new", "-nodes", "-subj", &subject, "-addext", &name, "-keyout", "leaf.key",
        "-out", "leaf.csr",
    ];
    assert!(openssl(folder, &[&request, key].concat()));
    let sign = [
        "x509",
        "-req",
        "-in",
        "leaf.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-copy_extensions",
        "copy",
        "-days",
        "30",
        "-out",
        "leaf.pem",
        digest,
    ];
    assert!(openssl(folder, &sign));
}

const EC_384: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
const EC_521: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"];
const RSA: &[&str] = &["-newkey", "rsa:2048"];

#[tokio::test]
async fn openssl_servers_with_unsupported_tls_are_inconclusive() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if !openssl(folder, &["version"]) {
        eprintln!("not tested: there is no openssl command");
        return;
    }
    let mut issued = None;
    for (name, key, digest, arguments, speaks) in [
        (
            "curve P-521 only",
            RSA,
            "-sha256",
            &["-curves", "P-521"][..],
            false,
        ),
        ("TLS 1.3, RSA", RSA, "-sha256", &["-tls1_3"], true),
        (
            "CBC only",
            RSA,
            "-sha256",
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"],
            false,
        ),
        (
            "static RSA only",
            RSA,
            "-sha256",
            &["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
            false,
        ),
        (
            "TLS 1.2, P-384 with SHA-384",
            EC_384,
            "-sha384",
            &["-tls1_2"],
            true,
        ),
        ("P-521", EC_521, "-sha512", &[], false),
        ("P-384 with SHA-512", EC_384, "-sha512", &[], false),
    ] {
        if issued != Some((key, digest)) {
            issue(folder, key, digest);
            issued = Some((key, digest));
        }
        let server = Openssl::start(folder, arguments);
        let root = std::fs::read(folder.join("ca.pem")).unwrap();
        let any = |_host| async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) };
        let probe = builder()
            .resolver(any)
            .root_certificates(&root)
            .build()
            .unwrap();
        let url = format!("https://{HOST}:{}/image.png", server.address.port());
        let url = greenlight::ImageUrl::parse(&url).unwrap();
        let verdict = probe.check(&url, &ASYNC).await.unwrap();
        let codes: Vec<_> = verdict
            .violations()
            .iter()
            .map(|one| one.code().name())
            .collect();
        if speaks {
            assert_eq!(
                verdict.download().unwrap().status(),
                Some(200),
                "{name}: {verdict:?}"
            );
        } else {
            assert_eq!(codes, ["download/tls-unsupported"], "{name}: {verdict:?}");
            assert_eq!(
                verdict.decision(),
                Decision::Inconclusive,
                "{name}: {verdict:?}"
            );
        }
    }
}

#[tokio::test]
async fn texts_of_certificates_are_short() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("other.example", &[], |params| {
        let names = (0..800).map(|at| format!("{at}.a-long-name-of-another-host.example"));
        params
            .subject_alt_names
            .extend(names.map(|name| rcgen::SanType::DnsName(name.try_into().unwrap())));
    });
    let server = probe_tls::http1(acceptor).await;
    let probe = authority.probe().build().unwrap();
    let download = probe.download(&probe_tls::url(&server, HOST), &ASYNC).await;
    let Ending::Tls(TlsFault::WrongHost, text) = download.ending() else {
        panic!("{download:?}")
    };
    assert!(text.chars().count() <= 501, "{} characters", text.len());
    let verdict = ASYNC.judge_download(download);
    assert!(verdict.violations()[0].message().len() < 700);
}

#[test]
fn every_line_of_the_page_has_a_test() {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| "));
    let rows: Vec<Vec<&str>> = rows
        .map(|row| {
            row.split(" | ")
                .map(|cell| cell.trim_end_matches(" |"))
                .collect()
        })
        .collect();
    let sources = [
        include_str!("probe_accepts.rs"),
        include_str!("probe_accepts_odd.rs"),
        include_str!("probe.rs"),
        include_str!("probe_hostile.rs"),
        include_str!("probe_network.rs"),
        include_str!("probe_tls.rs"),
    ];
    let cases: Vec<_> = heads().into_iter().map(|(name, ..)| name).collect();
    let odd = probe_accepts_odd::responses(b"");
    let odd: Vec<_> = odd.into_iter().map(|case| case.name).collect();
    let (mut listed, mut listed_odd) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|row| row[0] != "the server sends") {
        let test = row.last().unwrap().trim_matches('`');
        let exists = sources
            .iter()
            .any(|source| source.contains(&format!("fn {test}(")));
        assert!(exists, "{row:?}");
        if test == "heads_are_read_as_curl_reads_them" {
            listed.push(row[0]);
        }
        if test == "odd_responses_are_read_as_curl_reads_them" {
            listed_odd.push(row[0]);
        }
    }
    assert!(rows.len() > cases.len());
    assert_eq!(listed, cases);
    assert_eq!(listed_odd, odd);
}
