//! Everything but the checks: state, metrics, ids, the description and the page.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{json, serve};
use crate::{images::png, wire::header};

#[test]
fn the_state_is_served() {
    let server = serve();
    for path in ["/healthz", "/readyz"] {
        let reply = server.get(path);
        assert_eq!((reply.status, &*reply.body), (200, r#"{"status":"ok"}"#));
        assert_eq!(header(&reply.head, "cache-control"), Some("no-store"));
    }
}

#[test]
fn metrics_count_requests_verdicts_and_problems() {
    let server = serve();
    server.post("/v1/check", "image/png", &png(300, 260, 0));
    server.post("/v1/check", "image/png", b"this is not an image at all");
    server.post("/v1/check?for=v3", "image/png", b"");
    server.get("/no/such/route");
    let text = server.get("/metrics").body;
    for line in [
        r#"greenlight_requests_total{route="/v1/check",status="200"} 2"#,
        r#"greenlight_requests_total{route="/v1/check",status="400"} 1"#,
        r#"greenlight_requests_total{route="other",status="404"} 1"#,
        r#"greenlight_checks_total{route="/v1/check",decision="accept"} 1"#,
        r#"greenlight_checks_total{route="/v1/check",decision="reject"} 1"#,
        r#"greenlight_violations_total{code="image/not-an-image"} 1"#,
        r#"greenlight_problems_total{code="request/query"} 1"#,
        r#"greenlight_request_duration_seconds_count{route="/v1/check"} 3"#,
        "greenlight_uploads_in_progress 0",
        "greenlight_bytes_in_progress 0",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no {line} in {text}"
        );
    }
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<_> = names.collect();
    assert!(names.len() > 6, "{text}");
    assert!(
        names.iter().all(|name| name.starts_with("greenlight_")),
        "{names:?}"
    );
}

#[test]
fn every_response_has_a_request_id() {
    let server = serve();
    let id = |given: &str| {
        let reply = server.request("GET", "/healthz", &[("X-Request-Id", given)], b"");
        header(&reply.head, "x-request-id").unwrap().to_owned()
    };
    assert_eq!(id("order-17.retry_2"), "order-17.retry_2");
    for unsafe_id in ["a b", "a\"b", "\u{e4}", &"x".repeat(65), ""] {
        let replaced = id(unsafe_id);
        assert_eq!(replaced.len(), 36, "{unsafe_id} {replaced}");
    }
    let problem = server.get("/no/such/route");
    let one = header(&problem.head, "x-request-id").unwrap();
    assert_ne!(one, id(""));
}

#[test]
fn unknown_routes_and_methods_are_problems() {
    let server = serve();
    let reply = server.get("/v1/no-such-route");
    assert_eq!((reply.status, &*reply.code()), (404, "request/not-found"));
    let reply = server.get("/v1/check");
    assert_eq!((reply.status, &*reply.code()), (405, "request/method"));
    assert_eq!(header(&reply.head, "allow"), Some("POST"));
}

#[test]
fn the_description_matches_the_responses() {
    let server = serve();
    let document = json(&server.get("/openapi.json"));
    assert!(
        document["openapi"].as_str().unwrap().starts_with("3.1"),
        "{document}"
    );
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    let expected = [
        "/healthz",
        "/metrics",
        "/pict-rs",
        "/readyz",
        "/v1/check",
        "/v1/check-url",
    ];
    assert_eq!(described, BTreeSet::from(expected));

    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let schema = |name: &str| keys(&document["components"]["schemas"][name]["properties"]);
    // A verdict by requirements that differ from the default, so that it has all keys.
    let verdict = json(&server.post("/v1/check?for=sync", "image/png", b"this is not an image"));
    assert_eq!(keys(&verdict), schema("Verdict"));
    assert_eq!(keys(&verdict["violations"][0]), schema("Violation"));
    let mut problem = keys(&json(&server.get("/no/such/route")));
    problem.insert("missing".to_owned()); // of undecided images only
    assert_eq!(problem, schema("Problem"));
}

#[test]
fn the_page_uses_nothing_but_its_own_files() {
    let server = serve();
    let page = server.get("/");
    assert_eq!(page.status, 200);
    let policy = header(&page.head, "content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for inline in [
        " style=",
        "<style",
        " onclick=",
        "javascript:",
        "http://",
        "https://",
    ] {
        assert!(!page.body.contains(inline), "{inline}");
    }
    for (file, media_type) in [("page.css", "text/css"), ("page.js", "text/javascript")] {
        assert!(page.body.contains(file));
        let reply = server.get(&format!("/{file}"));
        let found = header(&reply.head, "content-type").unwrap();
        assert!(found.starts_with(media_type), "{found}");
        assert_eq!(
            header(&reply.head, "x-content-type-options"),
            Some("nosniff")
        );
    }
}
