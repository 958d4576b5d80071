//! Responses that hyper refuses and curl accepts: the status line, the framing, the status.

#![allow(clippy::unwrap_used, reason = "tests")]

use greenlight::{Decision, Requirements, probe::Mode};

use crate::probe_server::{Server, answer, ok, png, probe, range};

const ASYNC: Requirements = Requirements::ASYNC;

/// A response as a row of `docs/what-the-probe-accepts.md` describes it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    responses: Vec<Vec<u8>>,
    /// The code of the rejection; `None` if the image is accepted.
    code: Option<&'static str>,
}

/// The body in chunks of 1,000 bytes.
fn chunks(file: &[u8], line_end: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in file.chunks(1_000) {
        body.extend(format!("{:x}{line_end}", chunk.len()).into_bytes());
        body.extend(chunk);
        body.extend(line_end.as_bytes());
    }
    body.extend(format!("0{line_end}{line_end}").into_bytes());
    body
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(crate) fn responses(file: &[u8]) -> Vec<Case> {
    const PROTOCOL: Option<&str> = Some("download/protocol");
    const CHUNKED: &str = "Transfer-Encoding: chunked";
    let len = file.len();
    let length = format!("Content-Length: {len}");
    let head = |line: &str, fields: &[&str], end: &str| {
        let lines = [&[line], fields, &[""]].concat();
        lines
            .iter()
            .flat_map(|line| [*line, end])
            .collect::<String>()
            .into_bytes()
    };
    let with = |head: Vec<u8>, body: &[u8]| [head.as_slice(), body].concat();
    let status = |line: &str| with(head(line, &[&length], "\r\n"), file);
    let fields = |fields: &[&str]| with(head("HTTP/1.1 200 OK", fields, "\r\n"), file);
    let chunked = |line: &str, fields: &[&str], body: &[u8]| with(head(line, fields, "\r\n"), body);
    let ok = "HTTP/1.1 200 OK";
    let all = chunks(file, "\r\n");
    let case = |name, responses, code| Case {
        name,
        responses,
        code,
    };
    vec![
        case(
            "two blanks in the status line",
            vec![status("HTTP/1.1  200 OK")],
            None,
        ),
        case(
            "no blank after the status",
            vec![status("HTTP/1.1 200OK")],
            None,
        ),
        case(
            "a status line with `HTTP/2`",
            vec![status("HTTP/2 200 OK"), status("HTTP/2.0 200 OK")],
            None,
        ),
        case(
            "a status line with `http/1.1`",
            vec![status("http/1.1 200 OK"), status("Http/1.0 200 OK")],
            None,
        ),
        case(
            "`HTTP/1.2`, `HTTP/3` or another version",
            vec![
                status("HTTP/1.2 200 OK"),
                status("HTTP/3 200 OK"),
                status("ICY 200 OK"),
            ],
            PROTOCOL,
        ),
        case(
            "a status of four digits",
            vec![status("HTTP/1.1 2000 OK")],
            PROTOCOL,
        ),
        case(
            "an empty line before the status line",
            vec![status("\r\nHTTP/1.1 200 OK")],
            None,
        ),
        case(
            "every line of the head ends with CR CR LF",
            vec![with(head(ok, &[&length], "\r\r\n"), file)],
            None,
        ),
        case(
            "every line of the head ends with LF",
            vec![with(head(ok, &[&length], "\n"), file)],
            None,
        ),
        case(
            "a length with a plus sign",
            vec![fields(&[&format!("Content-Length: +{len}")])],
            None,
        ),
        case(
            "a length with text after its digits",
            vec![
                fields(&[&format!("{length};")]),
                fields(&[&format!("{length} bytes")]),
                fields(&[&format!("{length}.0")]),
            ],
            None,
        ),
        case(
            "a length with a folded line after its digits",
            vec![fields(&[&length, " 0"])],
            None,
        ),
        case(
            "a length that is folded before its digits",
            vec![fields(&["Content-Length:", &format!("\t{len}")])],
            None,
        ),
        case(
            "a length with an empty folded line",
            vec![fields(&[&length, "  "])],
            None,
        ),
        case(
            "a length of 26 digits",
            vec![fields(&[&format!("Content-Length: {}", "9".repeat(26))])],
            None,
        ),
        case(
            "an empty length",
            vec![fields(&["Content-Length:"])],
            PROTOCOL,
        ),
        case(
            "a length and `Transfer-Encoding: chunked`",
            vec![chunked(ok, &["Content-Length: 7", CHUNKED], &all)],
            None,
        ),
        case(
            "an empty Transfer-Encoding",
            vec![fields(&[&length, "Transfer-Encoding:"])],
            None,
        ),
        case(
            "`Transfer-Encoding: identity`",
            vec![fields(&[&length, "Transfer-Encoding: identity"])],
            None,
        ),
        case(
            "chunks in HTTP/1.0",
            vec![
                chunked("HTTP/1.0 200 OK", &[CHUNKED], &all),
                chunked("HTTP/1.0 200 OK", &["Content-Length: 7", CHUNKED], &all),
            ],
            None,
        ),
        case(
            "`Transfer-Encoding: chunked, chunked`",
            vec![
                chunked(ok, &["Transfer-Encoding: chunked, chunked"], &all),
                chunked(ok, &[CHUNKED, CHUNKED], &all),
            ],
            None,
        ),
        case(
            "chunks whose lines end with LF",
            vec![
                chunked(ok, &[CHUNKED], &chunks(file, "\n")),
                chunked("HTTP/1.0 200 OK", &[CHUNKED], &chunks(file, "\n")),
            ],
            None,
        ),
        case(
            "a chunk whose size is not a number",
            vec![chunked(ok, &[CHUNKED], &with(b"zz\r\n".to_vec(), &all))],
            PROTOCOL,
        ),
        case(
            "a chunk that is longer than its size",
            vec![chunked(
                ok,
                &[CHUNKED],
                &with(b"1\r\nxx\r\n".to_vec(), &all),
            )],
            PROTOCOL,
        ),
        case(
            "a body of chunks that ends early",
            vec![chunked(ok, &[CHUNKED], &all[..all.len() - 4]), {
                let body = chunks(file, "\n");
                chunked(ok, &[CHUNKED], &body[..body.len() - 1])
            }],
            Some("download/incomplete"),
        ),
        case(
            "an image with status 201, 202, 203 or 226",
            ["201 Created", "202 Accepted", "203 x", "226 IM Used"]
                .map(|line| status(&format!("HTTP/1.1 {line}")))
                .to_vec(),
            None,
        ),
        case(
            "300 or another 3xx with a Location",
            [
                "300 Multiple Choices",
                "304 Not Modified",
                "305 Use Proxy",
                "309 Odd",
            ]
            .map(|line| answer(line, &[("Location", "/there.png")], b""))
            .to_vec(),
            None,
        ),
    ]
}

#[tokio::test]
async fn odd_responses_are_read_as_curl_reads_them() {
    let file = png(300, 300, 3_000);
    for Case {
        name,
        responses,
        code,
    } in responses(&file)
    {
        for response in responses {
            let head = String::from_utf8_lossy(&response[..response.len().min(90)]).into_owned();
            let there = ok("image/png", &file);
            let server = Server::start(move |mut peer| {
                let (response, there) = (response.clone(), there.clone());
                async move {
                    let Some(request) = peer.request().await else {
                        return;
                    };
                    let is_there = request.starts_with("GET /there.png ");
                    peer.send(if is_there { there } else { response }).await;
                    peer.close().await;
                }
            })
            .await;
            for mode in [Mode::Full, Mode::Header] {
                let before = server.seen.requests().len();
                let verdict = probe(mode)
                    .check(&server.url("/image.png"), &ASYNC)
                    .await
                    .unwrap();
                let found: Vec<_> = verdict
                    .violations()
                    .iter()
                    .map(|one| one.code().name())
                    .collect();
                let wanted = if code.is_some() {
                    Decision::Reject
                } else {
                    Decision::Accept
                };
                assert_eq!(
                    verdict.decision(),
                    wanted,
                    "{name}, {head:?}, {mode:?}: {verdict:?}"
                );
                assert_eq!(
                    found,
                    code.into_iter().collect::<Vec<_>>(),
                    "{name}, {head:?}, {mode:?}"
                );
                assert!(
                    server.seen.requests().len() - before <= 3,
                    "{name}, {head:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_empty_transfer_coding_does_not_keep_the_connection_waiting() {
    let file = png(300, 300, 0);
    let response = answer("200 OK", &[("Transfer-Encoding", "")], &file);
    let server = Server::start(move |mut peer| {
        let response = response.clone();
        async move {
            while peer.request().await.is_some() {
                peer.send(&response).await;
            }
        }
    })
    .await;
    for mode in [Mode::Full, Mode::Header] {
        let verdict = probe(mode)
            .check(&server.url("/image.png"), &ASYNC)
            .await
            .unwrap();
        assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
        assert!(verdict.violations().is_empty(), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_close_at_a_range_gets_one_plain_request() {
    let file = png(300, 300, 100_000);
    for resets in [false, true] {
        let file = file.clone();
        let server = Server::start(move |mut peer| {
            let file = file.clone();
            async move {
                while let Some(request) = peer.request().await {
                    if range(&request).is_none() {
                        peer.send(ok("image/png", &file)).await;
                    } else if resets {
                        return peer.reset();
                    } else {
                        return peer.close().await;
                    }
                }
            }
        })
        .await;
        let verdict = probe(Mode::Header)
            .check(&server.url("/image.png"), &ASYNC)
            .await
            .unwrap();
        assert_eq!(verdict.decision(), Decision::Accept, "{verdict:?}");
        let requests = server.seen.requests();
        assert!(requests.len() <= 3, "{requests:?}");
    }
}
