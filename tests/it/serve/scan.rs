//! Scans: submissions to the sandbox over a ledger.

use std::{
    fs,
    io::{Read, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use greenlight::{
    ledger::{Ledger as _, OutboxCounts, SqliteLedger},
    probe::{AddressPolicy, Probe},
    sandbox::Sandbox,
    serve::{Moderation, OnOutage},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Serving, builder, json, request, runtime};
use crate::{
    images::png,
    pipeline::{pipeline, scope},
    probe_server,
    wire::{FORM, Reply, header, image_form},
};

const PNG: &str = "image/png";

/// A folder with a ledger, which several servers use in turn.
pub(super) struct Place {
    folder: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn images(&self) -> PathBuf {
        self.folder.path().join("images")
    }

    fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(&self.folder.path().join("ledger.db"), &scope()).unwrap()
    }

    pub(super) fn outbox_counts(&self) -> OutboxCounts {
        runtime().block_on(self.ledger().outbox_counts()).unwrap()
    }

    pub(super) fn moderation(&self, endpoint: &str) -> Moderation {
        let pipeline = pipeline(endpoint, "sandbox-key-secret", Arc::new(self.ledger()));
        Moderation::new(pipeline, &self.images())
    }

    /// A server that submits to `endpoint`.
    pub(super) fn serve(&self, endpoint: &str, policy: OnOutage, runtime: Runtime) -> Serving {
        let moderation = self.moderation(endpoint).on_outage(policy);
        Serving::start(builder().moderation(moderation), runtime)
    }
}

/// A sandbox, and a server that submits to it.
fn moderated() -> (Sandbox, Serving, Place) {
    let runtime = runtime();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    let place = Place::new();
    let server = place.serve(&sandbox.endpoint(), OnOutage::Hold, runtime);
    (sandbox, server, place)
}

/// A free port, on which nothing listens.
pub(super) fn unused() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

pub(super) fn id(scan: &Value) -> &str {
    scan["id"].as_str().expect("the scan has an id")
}

fn read(server: &Serving, id: &str) -> Value {
    let reply = server.get(&format!("/v1/scans/{id}?wait=30"));
    assert_eq!(reply.status, 200, "{reply:?}");
    json(&reply)
}

#[test]
fn an_image_is_scanned_as_a_body_and_in_a_form() {
    let (sandbox, server, place) = moderated();
    let image = png(300, 260, 1_000);
    for (media_type, body) in [(PNG, image.clone()), (FORM, image_form(&image))] {
        let reply = server.post("/v1/scan?wait=30&dataId=order-17", media_type, &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        let scan = json(&reply);
        assert_eq!(
            (&scan["decision"], &scan["action"]),
            (&"pass".into(), &"allow".into())
        );
        assert_eq!(
            (&scan["is_final"], &scan["data_id"]),
            (&true.into(), &"order-17".into())
        );
        assert_eq!(scan["results"][0]["scene"], "porn", "{scan}");
        assert!(scan["task_id"].is_string(), "{scan}");
        assert_eq!(read(&server, id(&scan)), scan);
    }
    assert_eq!(sandbox.paid(), 1, "equal bytes are submitted once");
    let kept = fs::read_dir(place.images()).unwrap().count();
    assert_eq!(kept, 0, "the file is removed once there is an outcome");
}

#[test]
fn concurrent_requests_for_the_same_bytes_share_one_submission() {
    let (sandbox, server, _place) = moderated();
    let image = png(300, 260, 50_000);
    let ids: Vec<String> = thread::scope(|scope| {
        let scans: Vec<_> = (0..12)
            .map(|number| {
                let (server, image) = (&server, &image);
                let path = format!("/v1/scan?wait=30&dataId=user-{}", number % 3);
                scope.spawn(move || {
                    let scan = json(&server.post(&path, PNG, image));
                    assert_eq!(scan["decision"], "pass", "{scan}");
                    id(&scan).to_owned()
                })
            })
            .collect();
        scans.into_iter().map(|scan| scan.join().unwrap()).collect()
    });
    let mut different = ids.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 3, "one id for each data id: {ids:?}");
    assert_eq!(sandbox.paid(), 1);
}

#[test]
fn a_rejected_image_is_not_submitted() {
    let (sandbox, server, place) = moderated();
    for (image, code, status) in [
        (b"this is not an image".to_vec(), "image/not-an-image", 415),
        (png(100, 100, 0), "image/too-small", 422),
    ] {
        let reply = server.post("/v1/scan", PNG, &image);
        let scan = json(&reply);
        assert_eq!(
            (reply.status, &scan["decision"]),
            (200, &"rejected".into()),
            "{reply:?}"
        );
        assert_eq!(
            (&scan["id"], &scan["action"]),
            (&Value::Null, &"deny".into())
        );
        assert_eq!(scan["verdict"]["violations"][0]["code"], code);
        let reply = server.post("/v1/scan?status=http", PNG, &image);
        assert_eq!((reply.status, &*reply.code()), (status, code));
    }
    assert_eq!(sandbox.requests(), 0);
    assert_eq!(fs::read_dir(place.images()).unwrap().count(), 0);
}

/// The requirements of a request may allow what the service does not scan.
#[test]
fn an_image_that_only_the_request_allows_is_rejected_with_a_reason() {
    let (sandbox, server, _place) = moderated();
    let image = png(210, 210, 0);
    for route in ["/v1/scan?for=v2&status=http", "/pict-rs?for=v2"] {
        let reply = server.post(route, PNG, &image);
        assert_eq!((reply.status, &*reply.code()), (422, "scan/rejected"));
        assert!(reply.body.contains("210x210 pixels"), "{reply:?}");
    }
    assert_eq!(sandbox.paid(), 0);
}

#[test]
fn a_scan_can_be_awaited_later() {
    let (_sandbox, server, _place) = moderated();
    let reply = server.post("/v1/scan?wait=0", PNG, &png(300, 260, 0));
    let scan = json(&reply);
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(
        (&scan["decision"], &scan["action"]),
        (&"not-inspected".into(), &"hold".into())
    );
    let location = header(&reply.head, "location").unwrap();
    assert_eq!(location, format!("/v1/scans/{}", id(&scan)));
    assert_eq!(read(&server, id(&scan))["decision"], "pass");
}

#[test]
fn events_follow_a_scan_to_its_end() {
    let (_sandbox, server, _place) = moderated();
    let scan = json(&server.post("/v1/scan?wait=0", PNG, &png(300, 260, 0)));
    let mut stream = server.connect();
    let path = format!("/v1/scans/{}/events", id(&scan));
    let headers = [("Connection", "close")];
    stream
        .write_all(&request("GET", &path, &headers, b""))
        .unwrap();
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("the stream ends with the scan");
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = events
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let (last, before) = events.split_last().expect("there is an event");
    assert_eq!(
        (&last["decision"], &last["is_final"]),
        (&"pass".into(), &true.into())
    );
    assert!(
        before
            .iter()
            .all(|event| event["decision"] == "not-inspected"),
        "{events:?}"
    );
}

#[test]
fn unknown_scans_and_unusable_queries_are_problems() {
    let (_sandbox, server, _place) = moderated();
    let scan = json(&server.post("/v1/scan?wait=30", PNG, &png(300, 260, 0)));
    let (number, _) = id(&scan).split_once('-').unwrap();
    let guessed = format!("{number}-0123456789abcdef");
    for unknown in [
        "1",
        "x",
        "99-0123456789abcdef",
        "-1-0123456789abcdef",
        &guessed,
    ] {
        for path in [
            format!("/v1/scans/{unknown}"),
            format!("/v1/scans/{unknown}/events"),
        ] {
            let reply = server.get(&path);
            assert_eq!(
                (reply.status, &*reply.code()),
                (404, "scan/unknown"),
                "{path}"
            );
        }
    }
    for query in [
        "wait=31",
        "wait=-1",
        "wait=x",
        "dataId=a/b",
        "dataId=",
        "onOutage=allow",
        "onOutage=x",
        "x=1",
    ] {
        let reply = server.post(&format!("/v1/scan?{query}"), PNG, &png(300, 260, 0));
        assert_eq!(
            (reply.status, &*reply.code()),
            (400, "request/query"),
            "{query} {reply:?}"
        );
    }
    // The spelling of the response.
    let reply = server.post("/v1/scan?data_id=x", PNG, &png(300, 260, 0));
    let detail = json(&reply)["detail"].to_string();
    for name in ["data_id", "wait", "dataId", "onOutage", "for", "strict"] {
        assert!(detail.contains(&format!("`{name}`")), "{name} {detail}");
    }
}

#[test]
fn an_image_that_was_not_inspected_is_never_a_pass() {
    let endpoint = format!("http://{}", unused());
    let image = png(300, 260, 0);
    let scan = |server: &Serving, query: &str| -> Reply {
        server.post(&format!("/v1/scan?wait=1{query}"), PNG, &image)
    };
    for (policy, query, status, action) in [
        (OnOutage::Hold, "", 202, "hold"),
        (OnOutage::Hold, "&onOutage=deny", 200, "deny"),
        (OnOutage::Deny, "", 200, "deny"),
        (OnOutage::Allow, "", 200, "allow"),
        (OnOutage::Allow, "&onOutage=hold", 202, "hold"),
    ] {
        let place = Place::new();
        let server = place.serve(&endpoint, policy, runtime());
        let reply = scan(&server, query);
        let answer = json(&reply);
        assert_eq!(
            (reply.status, &answer["action"]),
            (status, &action.into()),
            "{reply:?}"
        );
        assert_eq!(answer["decision"], "not-inspected", "{reply:?}");
        assert_eq!(answer["is_final"], false);
        let media = if policy == OnOutage::Allow { 200 } else { 503 };
        let reply = server.post("/pict-rs?wait=1", PNG, &image);
        assert_eq!(reply.status, media, "{policy} {reply:?}");
    }
    let place = Place::new();
    let server = place.serve(&endpoint, OnOutage::Deny, runtime());
    for stricter in ["hold", "allow"] {
        let reply = scan(&server, &format!("&onOutage={stricter}"));
        assert_eq!((reply.status, &*reply.code()), (400, "request/query"));
    }
}

#[test]
fn scans_continue_after_an_outage_and_a_restart() {
    let address = unused();
    let endpoint = format!("http://{address}");
    let place = Place::new();
    let mut server = place.serve(&endpoint, OnOutage::Hold, runtime());
    let ids: Vec<String> = (0..5)
        .map(|number| {
            let scan = json(&server.post("/v1/scan?wait=0", PNG, &png(300, 260 + number, 0)));
            id(&scan).to_owned()
        })
        .collect();
    let reports = |server: &Serving| server.get("/readyz").body.contains("cannot be reached");
    assert!((0..300).any(|_| {
        thread::sleep(Duration::from_millis(100));
        reports(&server)
    }));
    assert_eq!(server.get("/readyz").status, 503);
    server.begin_shutdown();
    server.ended();
    drop(server);

    let runtime = runtime();
    let sandbox = runtime
        .block_on(Sandbox::builder().listen(address).start())
        .unwrap();
    let server = place.serve(&endpoint, OnOutage::Hold, runtime);
    for id in &ids {
        let deadline = (0..6).map(|_| read(&server, id));
        let last = deadline.into_iter().find(|scan| scan["is_final"] == true);
        assert_eq!(last.expect("it ends")["decision"], "pass");
    }
    assert_eq!(sandbox.paid(), 5);
    assert_eq!(fs::read_dir(place.images()).unwrap().count(), 0);
    assert!((0..100).any(|_| {
        thread::sleep(Duration::from_millis(100));
        server.get("/readyz").status == 200
    }));
}

#[test]
fn an_image_at_a_url_is_downloaded_and_scanned() {
    let runtime = runtime();
    let image = png(300, 260, 0);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        image.len()
    );
    let site = probe_server::Server::answering([head.as_bytes(), &image].concat());
    let site = runtime.block_on(site);
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    let place = Place::new();
    let moderation = place.moderation(&sandbox.endpoint());
    let allowed = format!("127.0.0.1/32:{}", site.address.port());
    let policy = AddressPolicy::new().allow(&allowed).unwrap();
    let probe = Probe::builder().policy(policy).build().unwrap();
    let builder = builder().moderation(moderation).probe(probe);
    let server = Serving::start(builder, runtime);
    let by_url = |url: &str| {
        let body = serde_json::json!({ "url": url }).to_string();
        json(&server.post("/v1/scan?wait=30", "application/json", body.as_bytes()))
    };
    let private = by_url(&server.url);
    assert_eq!(private["decision"], "rejected");
    let code = &private["verdict"]["violations"][0]["code"];
    assert_eq!(code, "url/private-address", "{private}");
    let malformed = by_url("no url");
    let code = &malformed["verdict"]["violations"][0]["code"];
    assert_eq!(code, "url/malformed", "{malformed}");
    assert_eq!(sandbox.requests(), 0);
    let scan = by_url(&format!("http://{}/a.png", site.address));
    assert_eq!(scan["decision"], "pass", "{scan}");
    // The same bytes as an upload are known.
    let scan = json(&server.post("/v1/scan?wait=30", PNG, &image));
    assert_eq!((&scan["decision"], sandbox.paid()), (&"pass".into(), 1));
    let reply = server.post("/v1/scan", "application/json", b"{}");
    assert_eq!((reply.status, &*reply.code()), (400, "request/json"));
}

#[test]
fn media_of_pict_rs_is_scanned() {
    let (sandbox, server, _place) = moderated();
    let reply = server.post("/pict-rs", PNG, &png(300, 260, 0));
    assert_eq!(
        (reply.status, &json(&reply)["decision"]),
        (200, &"pass".into())
    );
    assert_eq!(sandbox.paid(), 1);
    let reply = server.post("/pict-rs", PNG, b"this is not an image");
    assert_eq!((reply.status, &*reply.code()), (415, "image/not-an-image"));
}

#[test]
fn the_description_names_the_routes_of_scans() {
    let (_sandbox, server, _place) = moderated();
    let document = json(&server.get("/openapi.json"));
    for path in [
        "/v1/scan",
        "/v1/scans/{id}",
        "/v1/scans/{id}/events",
        "/v1/check",
    ] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let scan = json(&server.post("/v1/scan?wait=30", PNG, &png(300, 260, 0)));
    let properties = &document["components"]["schemas"]["ScanAnswer"]["properties"];
    for key in scan.as_object().unwrap().keys() {
        assert!(properties[key].is_object(), "{key}");
    }
}

/// A shutdown ends requests that wait for an outcome, with a complete response.
#[test]
fn a_shutdown_ends_long_polls_and_event_streams() {
    let place = Place::new();
    let endpoint = format!("http://{}", unused());
    let mut server = place.serve(&endpoint, OnOutage::Hold, runtime());
    let scan = json(&server.post("/v1/scan?wait=0", PNG, &png(300, 260, 0)));
    let begin = |method: &str, path: &str, media_type: &str, body: &[u8]| {
        let mut stream = server.connect();
        let headers = [("Content-Type", media_type)];
        let request = request(method, path, &headers, body);
        stream.write_all(&request).unwrap();
        stream
    };
    let poll = begin("GET", &format!("/v1/scans/{}?wait=30", id(&scan)), PNG, b"");
    let post = begin("POST", "/v1/scan?wait=30", PNG, &png(300, 261, 0));
    let mut events = begin("GET", &format!("/v1/scans/{}/events", id(&scan)), PNG, b"");
    let mut first = [0; 256];
    let length = events.read(&mut first).unwrap();
    assert!(first[..length].starts_with(b"HTTP/1.1 200 "));
    // The other two are waiting as well.
    thread::sleep(Duration::from_millis(500));
    server.begin_shutdown();
    for (mut stream, status) in [(poll, 200), (post, 202)] {
        let reply = crate::wire::read(&mut stream);
        assert_eq!(
            (reply.status, &json(&reply)["decision"]),
            (status, &"not-inspected".into())
        );
        let mut rest = Vec::new();
        assert_eq!(stream.read_to_end(&mut rest).unwrap(), 0, "it is closed");
    }
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert!(
        rest.ends_with("0\r\n\r\n"),
        "the last chunk is sent: {rest}"
    );
    server.ended();
}
