//! The probe with correct servers and with common errors.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "tests, with numbers of their own making"
)]

use std::time::Duration;

use greenlight::{
    Code, Decision, Depth, Dimensions, Format, ImageUrl, Missing, Requirements,
    download::{Download, Ending, Phase},
    probe::{AddressPolicy, Header, Mode, Probe},
};

use crate::probe_server::{
    self as server, Peer, Server, answer, builder, header, jpeg_head, ok, png, probe, ranged,
};

const ASYNC: Requirements = Requirements::ASYNC;

async fn download(server: &Server, mode: Mode) -> Download {
    probe(mode)
        .download(&server.url("/image.png"), &ASYNC)
        .await
}

/// The codes of the violations that a download leads to.
fn codes(download: &Download) -> Vec<&'static str> {
    #[cfg(feature = "serde")]
    super::facts::assert_download_is_kept(download);
    let verdict = ASYNC.judge_download(download.clone());
    verdict
        .violations()
        .iter()
        .map(|violation| violation.code().name())
        .collect()
}

#[tokio::test]
async fn a_valid_image_is_accepted_in_full_mode() {
    let file = png(640, 480, 0);
    let server = Server::answering(ok("image/png", &file)).await;
    let verdict = probe(Mode::Full)
        .check(&server.url("/image.png"), &ASYNC)
        .await
        .unwrap();
    assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
    assert_eq!(verdict.violations(), []);

    let download = verdict.download().unwrap();
    assert_eq!(download.ending(), &Ending::Complete);
    assert_eq!(download.phase(), Phase::Body);
    assert_eq!(download.status(), Some(200));
    assert_eq!(download.remote(), Some(server.address));
    assert_eq!(download.http_version(), Some("HTTP/1.1"));
    assert_eq!(download.content_type(), Some("image/png"));
    assert_eq!(download.content_length(), Some(file.len() as u64));
    assert_eq!(download.bytes(), file.len() as u64);
    assert_eq!(download.inspection().format(), Some(Format::Png));
    assert_eq!(download.inspection().depth(), Depth::Structure);
    let timings = download.timings();
    let sum = timings.resolve + timings.connect + timings.tls + timings.first_byte + timings.body;
    assert_eq!(sum, download.elapsed());
    assert_eq!(timings.tls, Duration::ZERO);
}

#[tokio::test]
async fn a_request_has_identity_encoding_and_no_other_headers() {
    let server = Server::answering(ok("image/png", &png(256, 256, 0))).await;
    let url = ImageUrl::parse(&format!(
        "http://{}/a%20b.png?size=large&q=%C3%A9#part",
        server.address
    ))
    .unwrap();
    probe(Mode::Full).download(&url, &ASYNC).await;
    let host = format!("host: {}", server.address);
    let agent = format!("user-agent: greenlight/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        server.seen.requests()[0].lines().collect::<Vec<_>>(),
        [
            "GET /a%20b.png?size=large&q=%C3%A9 HTTP/1.1",
            host.as_str(),
            agent.as_str(),
            "accept: */*",
            "accept-encoding: identity",
            "",
        ]
    );
}

#[tokio::test]
async fn header_mode_uses_the_size_in_content_range() {
    let file = png(640, 480, 3_000_000);
    let len = file.len() as u64;
    let server = Server::start(move |mut peer| {
        let file = file.clone();
        async move {
            while let Some(request) = peer.request().await {
                peer.send(ranged(&request, "image/png", &file)).await;
            }
        }
    })
    .await;
    let verdict = probe(Mode::Header)
        .check(&server.url("/image.png"), &ASYNC)
        .await
        .unwrap();
    assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
    let download = verdict.download().unwrap();
    assert_eq!(download.ending(), &Ending::Stopped);
    assert_eq!(download.status(), Some(206));
    assert_eq!(download.content_length(), Some(len));
    assert!(download.bytes() <= 65_536);
    let inspection = verdict.inspection().unwrap();
    assert_eq!(inspection.dimensions(), Some(Dimensions::new(640, 480)));
    assert_eq!(inspection.len(), Some(len));
    assert_eq!(inspection.depth(), Depth::Header);
    assert_eq!(
        header(&server.seen.requests()[0], "range"),
        Some("bytes=0-65535")
    );
}

#[tokio::test]
async fn header_mode_requests_larger_ranges_until_it_can_decide() {
    let mut file = jpeg_head(640, 480, 700_000);
    file.resize(2_000_000, 0);
    let server = Server::start(move |mut peer| {
        let file = file.clone();
        async move {
            while let Some(request) = peer.request().await {
                peer.send(ranged(&request, "image/jpeg", &file)).await;
            }
        }
    })
    .await;
    let verdict = probe(Mode::Header)
        .check(&server.url("/image.jpg"), &ASYNC)
        .await
        .unwrap();
    assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
    let requests = server.seen.requests();
    let ranges: Vec<_> = requests
        .iter()
        .filter_map(|request| header(request, "range"))
        .collect();
    assert_eq!(
        ranges,
        [
            "bytes=0-65535",
            "bytes=65536-589823",
            "bytes=589824-4784127"
        ]
    );
}

#[tokio::test]
async fn header_mode_reads_the_body_if_ranges_are_unsupported() {
    let file = png(640, 480, 500_000);
    let server = Server::answering(ok("image/png", &file)).await;
    let verdict = probe(Mode::Header)
        .check(&server.url("/image.png"), &ASYNC)
        .await
        .unwrap();
    assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
    assert_eq!(verdict.download().unwrap().status(), Some(200));
    assert!(verdict.download().unwrap().bytes() < 400_000);
}

#[tokio::test]
async fn header_mode_does_not_guess_a_size() {
    let file = png(640, 480, 100_000);
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    chunked.extend(format!("{:x}\r\n", file.len()).into_bytes());
    chunked.extend(&file);
    chunked.extend(b"\r\n0\r\n\r\n");
    let server = Server::answering(chunked).await;
    let verdict = probe(Mode::Header)
        .check(&server.url("/image.png"), &ASYNC)
        .await
        .unwrap();
    assert_eq!(verdict.decision(), Decision::Inconclusive, "{verdict:?}");
    assert_eq!(verdict.missing(), [Missing::Size]);
}

#[tokio::test]
async fn odd_responses_to_a_range_get_one_plain_request() {
    let file = png(640, 480, 100_000);
    let part = |range: &str| {
        answer(
            "206 Partial Content",
            &[("Content-Range", range)],
            &file[..65_536],
        )
    };
    let odd = [
        answer("416 Range Not Satisfiable", &[], b""),
        answer("403 Forbidden", &[], b"no"),
        answer("206 Partial Content", &[], &file[..65_536]),
        part("bytes 1-65536/200000"),
        part("bytes 0-65534/200000"),
        part("bytes 0-65535/65535"),
        part("bytes 65535-0/200000"),
        part("bytes 0-99999/200000"),
        part("pixels 0-65535/200000"),
        part("bytes 0-65535"),
        part("bytes 0-65535/99999999999999999999999"),
        part("bytes */200000"),
        part("bytes -1-65535/200000"),
    ];
    for odd in odd {
        let text = String::from_utf8_lossy(&odd[..150.min(odd.len())]).into_owned();
        let whole = ok("image/png", &file);
        let server = Server::start(move |mut peer| {
            let (odd, whole) = (odd.clone(), whole.clone());
            async move {
                while let Some(request) = peer.request().await {
                    let ranged = server::range(&request).is_some();
                    peer.send(if ranged { &odd } else { &whole }).await;
                }
            }
        })
        .await;
        let verdict = probe(Mode::Header)
            .check(&server.url("/image.png"), &ASYNC)
            .await
            .unwrap();
        assert_eq!(verdict.decision(), Decision::Accept, "{text}: {verdict:?}");
        assert_eq!(server.seen.requests().len(), 2, "{text}");
    }
}

#[tokio::test]
async fn short_ranges_do_not_cause_many_requests() {
    let file = jpeg_head(640, 480, 100_000);
    let file = [file, vec![0; 100_000]].concat();
    for (always, size, expected) in [
        (false, 1, Decision::Accept),
        (false, 65_535, Decision::Accept),
        (true, 1, Decision::Reject),
    ] {
        let file = file.clone();
        let server = Server::start(move |mut peer| {
            let file = file.clone();
            async move {
                while let Some(request) = peer.request().await {
                    let range = server::range(&request).or_else(|| always.then_some((0, 0)));
                    let Some((first, _)) = range else {
                        peer.send(ok("image/jpeg", &file)).await;
                        continue;
                    };
                    let last = first + size - 1;
                    let range = format!("bytes {first}-{last}/*");
                    let headers = [("Content-Range", range.as_str())];
                    let part = answer("206 Partial Content", &headers, &file[first..=last]);
                    peer.send(part).await;
                }
            }
        })
        .await;
        let verdict = probe(Mode::Header)
            .check(&server.url("/image.jpg"), &ASYNC)
            .await
            .unwrap();
        assert_eq!(verdict.decision(), expected, "{size}: {verdict:?}");
        let requests = server.seen.requests();
        let ranges: Vec<_> = requests
            .iter()
            .map(|request| header(request, "range"))
            .collect();
        assert_eq!(ranges, [Some("bytes=0-65535"), None], "{size}");
    }
}

#[tokio::test]
async fn a_range_of_unknown_total_length_may_suffice() {
    let file = png(640, 480, 1_000);
    let range = format!("bytes 0-{}/*", file.len() - 1);
    let part = answer("206 Partial Content", &[("Content-Range", &range)], &file);
    let server = Server::answering(part).await;
    let download = download(&server, Mode::Header).await;
    assert_eq!(download.ending(), &Ending::Stopped);
    assert_eq!(server.seen.requests().len(), 1);
}

#[tokio::test]
async fn redirects_are_followed_and_hops_recorded() {
    let file = png(300, 300, 0);
    let server = Server::start(move |mut peer| {
        let file = file.clone();
        async move {
            let request = peer.request().await.unwrap();
            let answer = match request.split(' ').nth(1).unwrap() {
                "/a?key=secret" => answer("301 Moved", &[("Location", "/b")], b""),
                "/b" => answer("302 Found", &[("Location", "c/d?x=1#f")], b"moved"),
                "/c/d?x=1" => answer("307 Temporary", &[("Location", "../e.png")], b""),
                "/e.png" => ok("image/png", &file),
                _ => answer("404 Not Found", &[], b""),
            };
            peer.send(answer).await;
            peer.close().await;
        }
    })
    .await;
    for mode in [Mode::Full, Mode::Header] {
        let verdict = probe(mode)
            .check(&server.url("/a?key=secret"), &ASYNC)
            .await
            .unwrap();
        assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
        let download = verdict.download().unwrap();
        let hops: Vec<_> = download
            .hops()
            .iter()
            .map(|hop| (hop.url.rsplit('/').next().unwrap(), hop.status))
            .collect();
        assert_eq!(
            hops,
            [
                ("a?\u{2026}", 301),
                ("b", 302),
                ("d?\u{2026}", 307),
                ("e.png", 200)
            ]
        );
    }
}

#[tokio::test]
async fn redirects_end_at_the_limit_and_in_loops() {
    let found = |location: &str| answer("302 Found", &[("Location", location)], b"");
    let cases = [
        (found("/x"), "redirects lead back to"),
        (
            answer("302 Found", &[], b""),
            "302 without a Location leads nowhere",
        ),
        (found("file:///etc/passwd"), "302 leads to scheme `file`"),
        (
            found("data:image/png;base64,AAAA"),
            "302 leads to scheme `data`",
        ),
        (found("ftp://example.com/"), "302 leads to scheme `ftp`"),
        (found("http://"), "302 with a Location that is not a URL"),
        (
            found("http://exa mple/"),
            "302 with a Location that is not a URL",
        ),
        (
            answer("302 Found", &[("Location", "/b"), ("Location", "/c")], b""),
            "302 with two Locations",
        ),
    ];
    for (answer, expected) in cases {
        let server = Server::answering(answer).await;
        let download = probe(Mode::Full).download(&server.url("/x"), &ASYNC).await;
        let Ending::Redirects(reason) = download.ending() else {
            panic!("{expected}: {:?}", download.ending());
        };
        assert!(reason.starts_with(expected), "{reason}");
        assert_eq!(codes(&download), ["download/redirects"]);
    }

    let server = Server::start(|mut peer| async move {
        let request = peer.request().await.unwrap();
        let at: u32 = request.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        peer.send(answer(
            "302 Found",
            &[("Location", &format!("/{}", at + 1))],
            b"",
        ))
        .await;
    })
    .await;
    for (max, count) in [(0, "0 redirects"), (1, "1 redirect"), (5, "5 redirects")] {
        let probe = builder().max_redirects(max).build().unwrap();
        let download = probe.download(&server.url("/0"), &ASYNC).await;
        let expected = Ending::Redirects(format!("more than {count}"));
        assert_eq!(download.ending(), &expected);
        assert_eq!(download.hops().len(), max + 1);
    }
}

#[tokio::test]
async fn a_redirect_to_a_url_with_credentials_is_rejected() {
    let canary = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    for user in ["user:s3cr3t@", "user@", ":s3cr3t@"] {
        let location = format!("http://{user}{}/image.png", canary.address);
        let server = Server::answering(answer("302 Found", &[("Location", &location)], b"")).await;
        for mode in [Mode::Full, Mode::Header] {
            let verdict = probe(mode).check(&server.url("/x"), &ASYNC).await.unwrap();
            let [violation] = verdict.violations() else {
                panic!("{verdict:?}");
            };
            assert_eq!(violation.code(), Code::UrlCredentials, "{user}");
            assert_eq!(
                violation.message(),
                "302 leads to a URL with a user name or password: use the URL of the image itself"
            );
            assert!(!format!("{verdict:?}").contains("s3cr3t"), "{verdict:?}");
        }
    }
    assert_eq!(canary.seen.connections(), 0);
}

#[tokio::test]
async fn an_address_that_is_not_public_is_never_connected_to() {
    let canary = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let port = canary.address.port();
    let literals = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "\u{ff11}27.0.0.1",
    ];
    for host in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:7f00:1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "localhost",
    ] {
        let url = ImageUrl::parse(&format!("http://{host}:{port}/image.png")).unwrap();
        for mode in [Mode::Full, Mode::Header] {
            let probe = Probe::builder().mode(mode).build().unwrap();
            let verdict = probe.check(&url, &ASYNC).await.unwrap();
            let violation = &verdict.violations()[0];
            assert_eq!(violation.code(), Code::UrlPrivateAddress, "{host}");
            let message = violation.message();
            assert!(message.contains("the allow entry "), "{host}: {message}");
        }
    }
    // By a redirect from an allowed server, in any notation.
    for host in literals {
        let location = format!("http://{host}:{port}/image.png");
        let server = Server::answering(answer("302 Found", &[("Location", &location)], b"")).await;
        let policy = AddressPolicy::new()
            .allow(&server.address.to_string())
            .unwrap();
        let probe = Probe::builder().policy(policy).build().unwrap();
        let download = probe.download(&server.url("/x"), &ASYNC).await;
        assert!(
            matches!(download.ending(), Ending::Blocked { .. }),
            "{host}: {:?}",
            download.ending()
        );
        assert_eq!(codes(&download), ["url/private-address"]);
        assert_eq!(download.hops().len(), 1);
    }
    assert_eq!(canary.seen.connections(), 0);
}

#[tokio::test]
async fn a_status_without_an_image_is_a_violation() {
    let file = png(300, 300, 0);
    for (status, body, says) in [
        ("204 No Content", &b""[..], "the response has no body"),
        ("300 Multiple Choices", &file, "several URLs"),
        ("304 Not Modified", &b""[..], "no condition"),
        ("305 Use Proxy", &b""[..], "not followed"),
        ("401 Unauthorized", &b"no"[..], "authentication is required"),
        ("404 Not Found", &file, "nothing was found at this URL"),
        ("416 Range Not Satisfiable", &b""[..], "no Range header"),
        ("500 Internal Server Error", &file, "the server failed"),
        ("503 Service Unavailable", &b""[..], "the server failed"),
    ] {
        let server =
            Server::answering(answer(status, &[("Content-Type", "image/png")], body)).await;
        let download = download(&server, Mode::Full).await;
        assert_eq!(download.ending(), &Ending::Status, "{status}");
        assert_eq!(codes(&download), ["download/status"], "{status}");
        let verdict = ASYNC.judge_download(download);
        let message = verdict.violations()[0].message();
        assert!(message.contains(says), "{message}");
    }
}

#[tokio::test]
async fn a_partial_content_that_was_not_requested_is_read_if_it_is_all() {
    let file = png(300, 300, 0);
    let last = file.len() - 1;
    let total = file.len();
    let all = format!("bytes 0-{last}/{total}");
    let unknown = format!("bytes 0-{last}/*");
    let part = format!("bytes 0-{last}/{}", total + 1);
    let end = format!("bytes 1-{total}/{}", total + 1);
    for (range, ending) in [
        (None, Ending::Complete),
        (Some(&all), Ending::Complete),
        (Some(&unknown), Ending::Complete),
        (Some(&part), Ending::Status),
        (Some(&end), Ending::Status),
    ] {
        let headers: Vec<_> = range
            .iter()
            .map(|range| ("Content-Range", range.as_str()))
            .collect();
        let partial = answer("206 Partial Content", &headers, &file);
        let download = download(&Server::answering(partial).await, Mode::Full).await;
        assert_eq!(download.ending(), &ending, "{range:?}");
        let verdict = ASYNC.judge_download(download);
        if ending == Ending::Complete {
            assert!(verdict.is_accepted(), "{range:?}: {verdict:?}");
        } else {
            let message = verdict.violations()[0].message();
            assert!(message.contains("no Range header"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_compressed_body_is_reported_and_not_decompressed() {
    for (name, value, coding) in [
        ("Content-Encoding", "gzip", "gzip"),
        ("Content-Encoding", "identity, br", "br"),
        ("Transfer-Encoding", "gzip, chunked", "gzip"),
    ] {
        let server = Server::answering(answer("200 OK", &[(name, value)], &[0; 1000])).await;
        let download = download(&server, Mode::Full).await;
        assert_eq!(download.ending(), &Ending::Encoded(coding.to_owned()));
        assert_eq!(codes(&download), ["download/encoding"]);
        assert_eq!(download.bytes(), 0);
    }
    // A value that is not a coding, as misconfigured servers send, does not affect the body.
    for value in [
        "identity",
        "none",
        "utf-8",
        "UTF8",
        "binary",
        "identity, none",
        "",
    ] {
        let headers = [("Content-Encoding", value)];
        let server = Server::answering(answer("200 OK", &headers, &png(300, 300, 0))).await;
        let download = download(&server, Mode::Full).await;
        assert_eq!(download.ending(), &Ending::Complete, "{value}");
    }
    let mut unframed = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n".to_vec();
    unframed.extend(png(300, 300, 0));
    let server = Server::answering(unframed).await;
    assert_eq!(
        download(&server, Mode::Full).await.ending(),
        &Ending::Complete
    );
}

#[tokio::test]
async fn a_download_stops_at_the_first_fatal_fact() {
    // The announced length is enough.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 20971521\r\n\r\n";
    let server = Server::answering(head).await;
    let huge = download(&server, Mode::Full).await;
    assert_eq!(
        huge.ending(),
        &Ending::Refused {
            rule: Code::ImageTooLarge
        }
    );
    assert_eq!(huge.bytes(), 0);

    // The dimensions are.
    let server = Server::answering(ok("image/png", &png(100, 100, 5_000_000))).await;
    let small = download(&server, Mode::Full).await;
    assert_eq!(
        small.ending(),
        &Ending::Refused {
            rule: Code::ImageTooSmall
        }
    );
    assert!(small.bytes() < 1_000_000, "{}", small.bytes());

    // A body without a length is read to one byte more than the limit.
    let requirements = ASYNC.with_max_bytes(100_000);
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.extend(png(300, 300, 900_000));
    let server = Server::answering(endless).await;
    let endless = probe(Mode::Full)
        .download(&server.url("/image.png"), &requirements)
        .await;
    assert_eq!(
        endless.ending(),
        &Ending::Refused {
            rule: Code::ImageTooLarge
        }
    );
    assert_eq!(endless.bytes(), 100_001);
}

#[tokio::test]
async fn a_deadline_reports_the_phase_that_it_ended() {
    let quick = || {
        builder()
            .deadline(Duration::from_millis(300))
            .build()
            .unwrap()
    };
    let silent = Server::start(Peer::stall).await;
    let download = quick().download(&silent.url("/image.png"), &ASYNC).await;
    assert_eq!(download.ending(), &Ending::TooSlow);
    assert_eq!(download.phase(), Phase::FirstByte);
    assert_eq!(codes(&download), ["download/too-slow"]);
    assert!(download.elapsed() < Duration::from_secs(2));

    let half = Server::start(|mut peer| async move {
        peer.request().await;
        peer.send(&ok("image/png", &png(300, 300, 0))[..200]).await;
        peer.stall().await;
    })
    .await;
    let download = quick().download(&half.url("/image.png"), &ASYNC).await;
    assert_eq!(download.ending(), &Ending::TooSlow);
    assert_eq!(download.phase(), Phase::Body);
    assert_eq!(download.inspection().format(), Some(Format::Png));
    assert_eq!(codes(&download), ["download/too-slow"]);
}

/// The beginning of a PNG of 240 megapixels with less than 1 MB of data that decompresses to 960 MB.
fn bomb() -> Vec<u8> {
    // RFC 1951: a block of fixed codes that holds one zero, then one whose codes of one bit each are
    // the match of 258 bytes, which a code of one bit for the distance 1 follows.
    let mut data = b"\x78\x01\x62\0\xb0\x03\x07\x02\0\0\0\0\x40\xfe\xaf\x8d\x50".to_vec();
    data.resize(960_000_000 / 258 / 4, 0x55);
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    file.extend(30_000_u32.to_be_bytes());
    file.extend(8_000_u32.to_be_bytes());
    file.extend([8, 6, 0, 0, 0]);
    let crc = crc32fast::hash(&file[12..]);
    file.extend(crc.to_be_bytes());
    file.extend((data.len() as u32 + 1).to_be_bytes());
    file.extend(b"IDAT");
    file.extend(data);
    file
}

#[tokio::test]
async fn the_deadline_bounds_work_too() {
    let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    answer.extend(bomb());
    let server = Server::start(move |mut peer| {
        let answer = answer.clone();
        async move {
            peer.request().await;
            peer.send(answer).await;
            peer.stall().await;
        }
    })
    .await;
    let probe = builder()
        .depth(Depth::Payload)
        .deadline(Duration::from_millis(50))
        .build()
        .unwrap();
    let download = probe.download(&server.url("/bomb.png"), &ASYNC).await;
    assert_eq!(download.ending(), &Ending::TooSlow);
    assert!(
        download.elapsed() < Duration::from_millis(500),
        "{:?} for {} bytes",
        download.elapsed(),
        download.bytes()
    );
}

#[tokio::test]
async fn any_deadline_and_rate_can_be_set() {
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    for longest in [Duration::MAX, Duration::from_secs(u64::MAX / 4)] {
        let probe = builder()
            .deadline(longest)
            .pace_per_host(longest)
            .build()
            .unwrap();
        let asked = ASYNC.with_download_time(longest);
        let verdict = probe.check(&server.url("/x"), &asked).await.unwrap();
        assert_eq!(verdict.decision(), Decision::Accept);
    }
}

#[tokio::test]
async fn an_early_end_and_a_reset_are_distinguished() {
    let file = png(300, 300, 0);
    let whole = ok("image/png", &file);
    let cut = Server::answering(&whole[..whole.len() - 10]).await;
    let download_cut = download(&cut, Mode::Full).await;
    assert!(
        matches!(download_cut.ending(), Ending::Incomplete(_)),
        "{download_cut:?}"
    );
    assert_eq!(codes(&download_cut), ["download/incomplete"]);

    let reset = Server::start(move |mut peer| {
        let whole = whole.clone();
        async move {
            peer.request().await;
            peer.send(&whole[..whole.len() - 10]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            peer.reset();
        }
    })
    .await;
    let download = download(&reset, Mode::Full).await;
    assert!(
        matches!(download.ending(), Ending::Reset(_)),
        "{download:?}"
    );
    assert_eq!(codes(&download), ["download/incomplete"]);
}

#[tokio::test]
async fn a_url_rejected_by_its_text_is_not_requested() {
    let server = Server::answering(ok("image/png", &png(300, 300, 0))).await;
    let url = ImageUrl::parse(&format!("http://user:pass@{}/x", server.address)).unwrap();
    let verdict = probe(Mode::Full).check(&url, &ASYNC).await.unwrap();
    assert_eq!(verdict.violations()[0].code(), Code::UrlCredentials);
    assert!(verdict.download().is_none());
    assert_eq!(server.seen.connections(), 0);
}

#[test]
fn a_probe_that_cannot_be_built_names_the_cause() {
    let error = builder()
        .header(Header::new("Host").with_value("example.com"))
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "probe cannot be set up: header is the probe's own: Host"
    );
    assert!(
        builder()
            .header(Header::new("a b").with_value("c"))
            .build()
            .is_err()
    );
    assert!(
        builder()
            .header(Header::new("a").with_value("b\r\nc: d"))
            .build()
            .is_err()
    );
    assert!(builder().user_agent("a\nb").build().is_err());
    assert!(builder().concurrency(0).build().is_err());
    assert!(builder().root_certificates(b"no pem").build().is_err());
}

#[tokio::test]
async fn rejected_formats_are_named() {
    for (path, words) in crate::fixtures::NAMED {
        // Header mode does not read the footer of a TGA.
        let modes = [Mode::Full, Mode::Header];
        for mode in modes
            .into_iter()
            .take(2 - usize::from(path.ends_with("tga")))
        {
            let file = crate::fixtures::bytes(path);
            let server = Server::answering(ok("image/png", file)).await;
            let url = server.url("/image");
            let verdict = probe(mode).check(&url, &ASYNC).await.unwrap();
            let violations = verdict.violations();
            let found = violations
                .iter()
                .find(|violation| violation.code() == Code::ImageFormatUnsupported);
            let message = found
                .unwrap_or_else(|| panic!("{path}: {verdict:?}"))
                .message();
            assert!(message.starts_with(words), "{path}, {mode:?}: {message}");
        }
    }
}
