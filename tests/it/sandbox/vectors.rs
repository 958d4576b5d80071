//! Requests that the official clients signed (`fixtures/vectors`) are accepted, and
//! rejected after any change.

use greenlight::sandbox::Sandbox;
use serde_json::Value;

use super::{
    raw::{Answer, Request},
    refusal, start,
};

fn vectors(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../../fixtures/vectors/green.json"))
        .expect("the vectors are JSON");
    all[kind].as_array().expect("a list").clone()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_default()
}

/// Returns the request of a vector, as it was sent.
fn request(vector: &Value) -> Request {
    let url = text(vector, "wire_url");
    let (_, rest) = url.split_once("//").expect("an absolute URL");
    let (_, target) = rest.split_once('/').expect("a path");
    let mut request = Request::new(text(vector, "method"), &format!("/{target}"));
    request.body = text(vector, "body_utf8").into();
    for (name, value) in vector["headers"].as_object().expect("headers") {
        let name = name.to_ascii_lowercase();
        request = request.with(&name, value.as_str().expect("text"));
    }
    request.with("authorization", text(vector, "authorization"))
}

async fn ask(vector: &Value, request: &Request, secret: &str) -> Answer {
    let mut builder = Sandbox::builder()
        .key_id(text(vector, "access_key_id"))
        .key_secret(secret);
    if let Some(token) = vector["security_token"].as_str() {
        builder = builder.security_token(token);
    }
    request.ask(&start(builder).await).await
}

#[tokio::test]
async fn requests_signed_by_the_official_clients_are_admitted() {
    let vectors = vectors("roa_hmac_sha1");
    assert_eq!(vectors.len(), 12);
    for vector in vectors {
        let answer = ask(
            &vector,
            &request(&vector),
            text(&vector, "access_key_secret"),
        )
        .await;
        assert_eq!(answer.status, 200, "{}: {}", vector["id"], answer.text());
        assert!(answer.json()["code"].is_i64(), "{}", vector["id"]);
    }
}

#[tokio::test]
async fn a_wrong_secret_shows_the_string_that_was_signed() {
    for vector in vectors("roa_hmac_sha1") {
        let answer = ask(&vector, &request(&vector), "another").await;
        assert_eq!(refusal(&answer), (400, "SignatureDoesNotMatch".to_owned()));
        let message = answer.json();
        let message = message["Message"].as_str().unwrap().to_owned();
        let shown = message.split_once("server string to sign is:").unwrap().1;
        assert_eq!(shown, text(&vector, "string_to_sign"), "{}", vector["id"]);
    }
}

#[tokio::test]
async fn any_change_to_a_signed_request_is_detected() {
    for vector in vectors("roa_hmac_sha1") {
        let good = request(&vector);
        let mut changed = vec![good.clone().with("x-acs-added", "1")];
        for (index, (name, value)) in good.headers.iter().enumerate() {
            let signed = matches!(
                name.as_str(),
                "accept" | "content-type" | "content-md5" | "date"
            );
            if signed || name.starts_with("x-acs-") {
                let mut one = good.clone();
                one.headers[index].1 = format!("{value}x");
                changed.push(one);
                changed.push(good.clone().without(name));
            }
        }
        let joint = if good.target.contains('?') { '&' } else { '?' };
        let mut query = good.clone();
        query.target.extend([joint, 'z', '=', '1']);
        changed.push(query);
        for one in changed {
            let answer = ask(&vector, &one, text(&vector, "access_key_secret")).await;
            assert_ne!(answer.status, 200, "{}: {one:?}", vector["id"]);
        }
    }
}

/// The requests of 2.0 by the official clients, in both styles, and those of a client that signs no more
/// than it must.
fn vectors_v2() -> Vec<Value> {
    let text = include_str!("../../../fixtures/vectors/green-cip.json");
    let all: Value = serde_json::from_str(text).expect("the vectors are JSON");
    let groups = ["acs3_minimal", "acs3_python", "acs3_node", "rpc_hmac_sha1"];
    let groups = groups.map(|group| all[group].as_array().expect("a list").clone());
    groups.concat()
}

/// Returns a request of 2.0, as it was sent.
fn request_v2(vector: &Value) -> Request {
    let mut request = Request::new("POST", text(vector, "wire_target"));
    request.body = text(vector, "body_utf8").into();
    for (name, value) in vector["headers"].as_object().expect("headers") {
        request = request.with(name, value.as_str().expect("text"));
    }
    match vector["authorization"].as_str() {
        Some(authorization) => request.with("authorization", authorization),
        // The RPC style has it in the query.
        None => request,
    }
}

async fn ask_v2(vector: &Value, request: &Request) -> Answer {
    let id = text(vector, "access_key_id");
    let mut builder = Sandbox::builder()
        .key_id(id)
        .key_secret(text(vector, "access_key_secret"));
    if let Some(token) = vector["security_token"].as_str() {
        builder = builder.security_token(token);
    }
    let sandbox = builder.start().await.expect("a port");
    // 2026-11-28T08:00:00Z
    sandbox.set_clock(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_795_852_800));
    request.ask(&sandbox).await
}

#[tokio::test]
async fn requests_of_2_0_by_the_official_clients_are_admitted() {
    let vectors = vectors_v2();
    assert_eq!(vectors.len(), 60);
    for vector in vectors {
        let answer = ask_v2(&vector, &request_v2(&vector)).await;
        assert_eq!(answer.status, 200, "{}: {}", vector["id"], answer.text());
        assert!(answer.json()["Code"].is_i64(), "{}", vector["id"]);
    }
}

#[tokio::test]
async fn any_change_to_a_signed_request_of_2_0_is_detected() {
    for vector in vectors_v2() {
        let good = request_v2(&vector);
        let mut changed = Vec::new();
        let are_headers_signed = vector["authorization"].is_string();
        if are_headers_signed {
            changed.push(good.clone().with("x-acs-added", "1"));
        }
        for (index, (name, value)) in good.headers.iter().enumerate() {
            if !are_headers_signed {
                break;
            }
            if matches!(name.as_str(), "content-type" | "host") || name.starts_with("x-acs-") {
                let mut one = good.clone();
                one.headers[index].1 = format!("{value}x");
                changed.push(one);
                changed.push(good.clone().without(name));
            }
        }
        let mut query = good.clone();
        let joint = if good.target.contains('?') { '&' } else { '?' };
        query.target.extend([joint, 'z', '=', '1']);
        let mut body = good.clone();
        body.body.push(b'x');
        for one in changed.into_iter().chain([query, body]) {
            let answer = ask_v2(&vector, &one).await;
            assert_ne!(answer.status, 200, "{}: {one:?}", vector["id"]);
        }
    }
}
