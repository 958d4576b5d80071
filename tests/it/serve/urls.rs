//! Images at URLs.

use std::net::SocketAddr;

use greenlight::probe::{AddressPolicy, Probe};
use tokio::runtime::Runtime;

use super::{Serving, builder, codes, json, runtime, serve};
use crate::{images::png, probe_server::Server};

const JSON: &str = "application/json";

fn body(url: &str) -> Vec<u8> {
    serde_json::json!({ "url": url }).to_string().into_bytes()
}

/// A server that may reach one address of loopback.
fn reaching(address: SocketAddr, runtime: Runtime) -> Serving {
    let policy = AddressPolicy::new()
        .allow(&format!("{}/32:{}", address.ip(), address.port()))
        .unwrap();
    let probe = Probe::builder().policy(policy).build().unwrap();
    Serving::start(builder().probe(probe), runtime)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn the_image_at_a_url_is_checked() {
    let runtime = runtime();
    let image = answer("200 OK", "Content-Type: image/png\r\n", &png(300, 260, 0));
    let site = runtime.block_on(Server::answering(image));
    let server = reaching(site.address, runtime);
    let url = format!("http://{}/a.png", site.address);
    let reply = server.post("/v1/check-url", JSON, &body(&url));
    let verdict = json(&reply);
    assert_eq!(
        (reply.status, &verdict["decision"]),
        (200, &"accept".into()),
        "{reply:?}"
    );
    assert_eq!(verdict["width"], 300);
    assert_eq!(verdict["download"]["status"], 200);
    let reply = server.post("/v1/check-url?min_width=301", JSON, &body(&url));
    assert_eq!(codes(&reply), ["image/too-small"]);
    let reply = server.post("/v1/check-url?min_width=301&status=http", JSON, &body(&url));
    assert_eq!((reply.status, &*reply.code()), (422, "image/too-small"));
}

#[test]
fn addresses_that_are_not_public_are_refused() {
    let runtime = runtime();
    let secret = answer("200 OK", "Content-Type: image/png\r\n", &png(300, 260, 0));
    let inside = runtime.block_on(Server::answering(secret));
    let location = format!("Location: http://{}/secret.png\r\n", inside.address);
    let redirect = runtime.block_on(Server::answering(answer("302 Found", &location, b"")));
    let server = reaching(redirect.address, runtime);
    let direct = format!("http://{}/a.png", inside.address);
    let by_redirect = format!("http://{}/a.png", redirect.address);
    for url in [
        &*direct,
        &*by_redirect,
        "http://localhost/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:7f00:1]/a.png",
        &server.url,
    ] {
        let reply = server.post("/v1/check-url", JSON, &body(url));
        assert_eq!(reply.status, 200, "{url} {reply:?}");
        assert_eq!(json(&reply)["decision"], "reject", "{url} {reply:?}");
        assert_eq!(codes(&reply), ["url/private-address"], "{url} {reply:?}");
        let reply = server.post("/v1/check-url?status=http", JSON, &body(url));
        assert_eq!(
            (reply.status, &*reply.code()),
            (422, "url/private-address"),
            "{url}"
        );
    }
    assert_eq!(
        inside.seen.connections(),
        0,
        "a private address was connected to"
    );
}

#[test]
fn a_text_that_is_not_a_url_is_rejected() {
    let server = serve();
    for (text, code) in [
        ("no url", "url/malformed"),
        ("ftp://a.example/a.png", "url/scheme"),
        ("", "url/malformed"),
    ] {
        let reply = server.post("/v1/check-url", JSON, &body(text));
        assert_eq!(codes(&reply), [code], "{reply:?}");
        let reply = server.post("/v1/check-url?status=http", JSON, &body(text));
        assert_eq!((reply.status, &*reply.code()), (422, code), "{reply:?}");
    }
}

#[test]
fn a_request_that_names_no_url_is_a_problem() {
    let server = serve();
    let long = body(&"x".repeat(70_000));
    let table: [(&str, &[u8], u16, &str); 8] = [
        (JSON, b"", 400, "request/json"),
        (JSON, b"{", 400, "request/json"),
        (JSON, b"[]", 400, "request/json"),
        (JSON, b"{}", 400, "request/json"),
        (JSON, br#"{"url": 1}"#, 400, "request/json"),
        (
            JSON,
            br#"{"url": "http://a.example/", "file": "/etc/passwd"}"#,
            400,
            "request/json",
        ),
        (JSON, &long, 413, "request/too-large"),
        (
            "text/plain",
            br#"{"url": "http://a.example/"}"#,
            415,
            "request/media-type",
        ),
    ];
    for (media_type, body, status, code) in table {
        let reply = server.post("/v1/check-url", media_type, body);
        assert_eq!((reply.status, &*reply.code()), (status, code), "{reply:?}");
    }
}
