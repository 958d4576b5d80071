//! Callbacks, received by a server that records them.

use std::time::Duration;

use greenlight::sandbox::Sandbox;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sm3::Sm3;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{SCAN, post, sandbox, start};

/// Accepts one request per status, responds with it and returns the bodies.
async fn receive(listener: TcpListener, statuses: &[u16]) -> Vec<String> {
    let mut bodies = Vec::new();
    for status in statuses {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut bytes = Vec::new();
        let body = loop {
            let count = stream.read_buf(&mut bytes).await.expect("a request");
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_lowercase();
                let length = length.split_once("content-length: ").expect("a length").1;
                let length: usize = length.lines().next().expect("it").parse().expect("digits");
                if body.len() == length {
                    assert!(head.starts_with("POST /hook?a=1 HTTP/1.1\r\n"), "{head}");
                    assert!(head.contains("application/x-www-form-urlencoded"), "{head}");
                    break body.to_owned();
                }
            }
            assert!(count > 0, "the request ended early");
        };
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        stream
            .write_all(answer.as_bytes())
            .await
            .expect("an answer");
        bodies.push(body);
    }
    bodies
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it has one");
    (listener, format!("http://{address}/hook?a=1"))
}

fn body(callback: &str, more: &Value) -> Value {
    let mut body = json!({
        "scenes": ["porn"],
        "tasks": [{ "dataId": "d-1", "url": "http://example.com/头像 sexy.png" }],
        "callback": callback,
        "seed": "seed_1",
    });
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}

fn fields(form: &str) -> (String, String) {
    let mut pairs = url::form_urlencoded::parse(form.as_bytes());
    let (checksum, content) = (pairs.next().expect("two"), pairs.next().expect("two"));
    assert_eq!((&*checksum.0, &*content.0), ("checksum", "content"));
    (checksum.1.into_owned(), content.1.into_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).expect("a digit"))
        .collect()
}

/// Waits until the sandbox has recorded this many responses.
async fn noted(sandbox: &Sandbox, callbacks: u64) {
    for _ in 0..500 {
        if sandbox.callbacks() == callbacks {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} callbacks were answered", sandbox.callbacks());
}

#[tokio::test]
async fn a_callback_has_a_checksum_of_its_exact_text() {
    let sandbox = start(Sandbox::builder().uid("42").polls(5)).await;
    for crypt_type in [None, Some("SHA256"), Some("SM3")] {
        let (listener, url) = listener().await;
        let envelope = post(
            &sandbox,
            SCAN,
            &body(&url, &json!({ "cryptType": crypt_type })),
        )
        .await;
        let forms = receive(listener, &[200]).await;
        let (checksum, content) = fields(&forms[0]);
        let signed = format!("42seed_1{content}");
        let asked = match crypt_type {
            Some("SM3") => hex(&Sm3::digest(signed)),
            _ => hex(&Sha256::digest(signed)),
        };
        assert_eq!(checksum, asked);
        let content: Value = serde_json::from_str(&content).unwrap();
        assert_eq!(content["taskId"], envelope["data"][0]["taskId"]);
        assert_eq!(content["dataId"], "d-1");
        assert_eq!(content["results"][0]["suggestion"], "review");
    }
    noted(&sandbox, 3).await;
}

#[tokio::test]
async fn a_callback_is_repeated_until_the_response_is_200() {
    let sandbox = sandbox().await;
    let (listener, url) = listener().await;
    post(&sandbox, SCAN, &body(&url, &json!({}))).await;
    let forms = receive(listener, &[500, 204, 200]).await;
    assert!(forms[0] == forms[1] && forms[1] == forms[2]);
    noted(&sandbox, 1).await;
    assert_eq!(sandbox.callback_tries(), 3);
}

#[tokio::test]
async fn callbacks_are_sent_to_loopback_only() {
    let sandbox = sandbox().await;
    for url in [
        "https://127.0.0.1:9/hook",
        "http://192.0.2.1/hook",
        "http://example.com/hook",
        "http://127.0.0.1.example.com/hook",
        "http://0.0.0.0:9/hook",
    ] {
        let envelope = post(&sandbox, SCAN, &body(url, &json!({}))).await;
        assert_eq!(envelope["code"], 200, "{url}");
    }
    let (listener, url) = listener().await;
    post(&sandbox, SCAN, &body(&url, &json!({}))).await;
    receive(listener, &[200]).await;
    noted(&sandbox, 1).await;
    // Callbacks are sent sequentially, so earlier ones would have been tried by now.
    assert_eq!(sandbox.callback_tries(), 1);
}
