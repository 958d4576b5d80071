//! The sandbox, used by a client that shares no code with it.

mod callbacks;
mod faults;
mod files;
pub(crate) mod raw;
mod uploads;
mod vectors;

use std::time::Duration;

use greenlight::sandbox::{Sandbox, SandboxBuilder};
use raw::{Answer, DATE, Request};
use serde_json::{Value, json};

const SCAN: &str = "/green/image/asyncscan";
const SYNC: &str = "/green/image/scan";
const RESULTS: &str = "/green/image/results";
const FEEDBACK: &str = "/green/image/feedback";
const CREDENTIALS: &str = "/green/credentials/uploadcredentials";

async fn start(builder: SandboxBuilder) -> Sandbox {
    let sandbox = builder.start().await.expect("loopback can be listened on");
    sandbox.set_clock(raw::date());
    sandbox
}

async fn sandbox() -> Sandbox {
    start(Sandbox::builder()).await
}

fn tasks(urls: &[&str]) -> Value {
    let tasks: Vec<_> = urls.iter().map(|url| json!({ "url": url })).collect();
    json!({ "scenes": ["porn"], "tasks": tasks })
}

/// Posts signed JSON and returns the envelope.
async fn post(sandbox: &Sandbox, target: &str, body: &Value) -> Value {
    let request = Request::post(target, body.to_string()).signed_for(sandbox);
    let answer = request.ask(sandbox).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn one(envelope: &Value) -> &Value {
    let data = envelope["data"].as_array().expect("data is an array");
    assert_eq!(data.len(), 1, "{envelope}");
    &data[0]
}

fn refusal(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    for field in ["RequestId", "HostId", "Code", "Message", "Recommend"] {
        assert!(body[field].is_string(), "{field} is missing: {body}");
    }
    (
        answer.status,
        body["Code"].as_str().unwrap_or_default().to_owned(),
    )
}

#[tokio::test]
async fn the_gateway_rejects_undocumented_signatures() {
    let sandbox = sandbox().await;
    let good = Request::post(SCAN, tasks(&["http://example.com/a.png"]).to_string());
    let signed = || good.clone().signed_for(&sandbox);
    let without = |name| good.clone().without(name).signed_for(&sandbox);
    let with = |name, value| good.clone().with(name, value).signed_for(&sandbox);
    let late = "Tue, 17 Jan 2017 10:32:36 GMT";
    let early = "Tue, 17 Jan 2017 10:00:36 GMT";
    let local = "Tue Jan 17 10:16:36 2017";
    let mut other_body = signed();
    other_body.body[0] = b'[';
    let mut other_query = signed();
    other_query.target.push_str("?clientInfo=1");
    let mut two_dates = signed();
    two_dates.headers.push(("date".to_owned(), DATE.to_owned()));
    let key = sandbox.credentials();
    let table = [
        (
            "no authorization",
            good.clone(),
            400,
            "MissingAuthorization",
        ),
        (
            "not acs",
            good.clone().with("authorization", "Basic Og=="),
            400,
            "InvalidAuthorization",
        ),
        (
            "no signature",
            good.clone().with("authorization", "acs id"),
            400,
            "InvalidAuthorization",
        ),
        (
            "unknown key",
            good.clone().signed("other", key.secret()),
            404,
            "InvalidAccessKeyId.NotFound",
        ),
        (
            "other secret",
            good.clone().signed(key.id(), "other"),
            400,
            "SignatureDoesNotMatch",
        ),
        (
            "header added",
            signed().with("x-acs-added", "1"),
            400,
            "SignatureDoesNotMatch",
        ),
        (
            "header changed",
            signed().with("accept", "*/*"),
            400,
            "SignatureDoesNotMatch",
        ),
        ("query changed", other_query, 400, "SignatureDoesNotMatch"),
        ("body changed", other_body, 400, "ContentMD5NotMatched"),
        (
            "no version",
            without("x-acs-version"),
            400,
            "MissingVersion",
        ),
        (
            "old version",
            with("x-acs-version", "2017-01-12"),
            400,
            "InvalidAction.NotFound",
        ),
        (
            "no method",
            without("x-acs-signature-method"),
            400,
            "MissingSignatureMethod",
        ),
        (
            "other method",
            with("x-acs-signature-method", "HMAC-SM3"),
            400,
            "InvalidSignatureMethod",
        ),
        (
            "other signature version",
            with("x-acs-signature-version", "2.0"),
            400,
            "InvalidSignatureVersion",
        ),
        ("no date", without("date"), 400, "MissingDate"),
        (
            "local date",
            with("date", local),
            400,
            "InvalidTimeStamp.Format",
        ),
        (
            "16 minutes early",
            with("date", early),
            400,
            "InvalidTimeStamp.Expired",
        ),
        (
            "16 minutes late",
            with("date", late),
            400,
            "InvalidTimeStamp.Expired",
        ),
        ("two dates", two_dates, 400, "InvalidParameter.date"),
        (
            "token without need",
            with("x-acs-security-token", "t"),
            400,
            "InvalidSecurityToken.MismatchWithAccessKey",
        ),
    ];
    for (name, request, status, code) in table {
        let answer = request.ask(&sandbox).await;
        assert_eq!(refusal(&answer), (status, code.to_owned()), "{name}");
    }
    assert_eq!(sandbox.paid(), 0);
    assert_eq!(signed().ask(&sandbox).await.json()["code"], 200);
}

#[tokio::test]
async fn a_wrong_signature_gets_the_string_to_sign() {
    let sandbox = sandbox().await;
    let request = Request::post(SCAN, "{}").with("x-acs-signature-nonce", "n");
    let answer = request
        .clone()
        .signed("sandbox-key-id", "?")
        .ask(&sandbox)
        .await;
    let message = answer.json()["Message"].as_str().unwrap().to_owned();
    let (_, text) = message.split_once("server string to sign is:").unwrap();
    assert_eq!(text, request.string_to_sign());
    assert!(!message.contains(sandbox.credentials().secret()));
}

#[tokio::test]
async fn a_nonce_is_accepted_once_with_a_valid_signature() {
    let sandbox = sandbox().await;
    let body = tasks(&["http://example.com/a.png"]).to_string();
    let request = Request::post(SCAN, body).with("x-acs-signature-nonce", "339497c2");
    let forged = request.clone().signed("sandbox-key-id", "other");
    let signed = request.signed_for(&sandbox);
    assert_eq!(
        refusal(&forged.ask(&sandbox).await).1,
        "SignatureDoesNotMatch"
    );
    assert_eq!(signed.ask(&sandbox).await.status, 200);
    let again = signed.ask(&sandbox).await;
    assert_eq!(refusal(&again), (400, "SignatureNonceUsed".to_owned()));
    assert_eq!(sandbox.paid(), 1);
    assert_eq!(sandbox.requests(), 3);
}

#[tokio::test]
async fn a_request_without_a_nonce_is_always_accepted() {
    let sandbox = sandbox().await;
    let body = tasks(&["http://example.com/a.png"]).to_string();
    let signed = Request::post(SCAN, body).signed_for(&sandbox);
    for _ in 0..2 {
        assert_eq!(signed.ask(&sandbox).await.json()["code"], 200);
    }
    assert_eq!(sandbox.paid(), 2);
}

#[tokio::test]
async fn temporary_credentials_need_their_token() {
    let sandbox = start(Sandbox::builder().security_token("CAIS/+=")).await;
    let request = Request::post(CREDENTIALS, "{}");
    let with = |token| request.clone().with("x-acs-security-token", token);
    let missing = request.clone().signed_for(&sandbox).ask(&sandbox).await;
    assert_eq!(refusal(&missing), (400, "MissingSecurityToken".to_owned()));
    let other = with("CAIS").signed_for(&sandbox).ask(&sandbox).await;
    let mismatch = "InvalidSecurityToken.MismatchWithAccessKey".to_owned();
    assert_eq!(refusal(&other), (400, mismatch));
    let good = with("CAIS/+=").signed_for(&sandbox).ask(&sandbox).await;
    assert_eq!(good.json()["code"], 200);
}

#[tokio::test]
async fn query_parameters_are_signed_decoded_and_in_order() {
    let sandbox = sandbox().await;
    let body = tasks(&["http://example.com/a.png"]).to_string();
    for (wire, plain) in [
        ("?b=2&a=1", "?a=1&b=2"),
        (
            "?clientInfo=%7B%22ip%22%3A+%221%22%7D",
            "?clientInfo={\"ip\": \"1\"}",
        ),
        ("?a=%E5%A4%B4%20x", "?a=头 x"),
        ("?a=", "?a="),
        ("?a", "?a"),
        ("?a=", "?a"),
    ] {
        let mut request = Request::post(&format!("{SCAN}{plain}"), body.clone());
        request = request.signed_for(&sandbox);
        request.target = format!("{SCAN}{wire}");
        let answer = request.ask(&sandbox).await;
        assert_eq!(answer.status, 200, "{wire}: {}", answer.text());
    }
}

#[tokio::test]
async fn only_post_to_documented_paths_is_served() {
    let sandbox = sandbox().await;
    for (method, target) in [
        ("GET", SCAN),
        ("POST", "/green/image/unknown"),
        ("POST", "/green/video/asyncscan"),
        ("GET", "/"),
        ("DELETE", "/sandbox-uploads/upload/sandbox/a"),
    ] {
        let answer = Request::new(method, target).ask(&sandbox).await;
        assert!(matches!(answer.status, 404 | 405), "{method} {target}");
    }
    let answer = Request::new("GET", "/green/nothing").ask(&sandbox).await;
    assert_eq!(refusal(&answer), (404, "InvalidApi.NotFound".to_owned()));
    assert_eq!(sandbox.requests(), 0);
}

#[tokio::test]
async fn a_body_above_the_limit_is_rejected_unread() {
    let sandbox = sandbox().await;
    let request = Request::post(SCAN, vec![b' '; (4 << 20) + 1]).signed_for(&sandbox);
    let answer = request.ask(&sandbox).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn hostile_requests_are_rejected() {
    let sandbox = sandbox().await;
    let deep = "[".repeat(100_000);
    let nested = Request::post(SCAN, deep).signed_for(&sandbox);
    assert_eq!(nested.ask(&sandbox).await.json()["code"], 400);
    let mut crowded = Request::post(SCAN, "{}");
    for number in 0..500 {
        crowded = crowded.with(&format!("x-{number}"), "1");
    }
    assert_eq!(crowded.ask(&sandbox).await.status, 431);
    let long = Request::post(SCAN, "{}").with("x-long", &"a".repeat(1 << 20));
    assert!(
        long.send(sandbox.address())
            .await
            .is_none_or(|answer| answer.status == 431)
    );
    let endless = Request::post(SCAN, "{}").with("content-length", "99999999999");
    assert_eq!(endless.ask(&sandbox).await.status, 413);
    let overflow = Request::post(SCAN, "{}").with("content-length", "99999999999999999999");
    assert_eq!(overflow.ask(&sandbox).await.status, 400);
    let chunked = Request::post(SCAN, "zz\r\n")
        .with("transfer-encoding", "chunked")
        .without("content-length");
    assert!(
        chunked
            .send(sandbox.address())
            .await
            .is_none_or(|answer| answer.status >= 400)
    );
    let not_utf8 = Request::post(SCAN, vec![0xFF; 64]).signed_for(&sandbox);
    assert_eq!(not_utf8.ask(&sandbox).await.json()["code"], 400);
    let garbage = Request::new("\u{1}\u{2}", "\u{7f}")
        .send(sandbox.address())
        .await;
    assert!(garbage.is_none_or(|answer| answer.status == 400));
    let envelope = post(&sandbox, SCAN, &tasks(&["http://example.com/a.png"])).await;
    assert_eq!((&envelope["code"], sandbox.paid()), (&json!(200), 1));
}

#[tokio::test]
async fn the_service_rejects_invalid_requests() {
    let sandbox = sandbox().await;
    let task = json!({ "url": "http://example.com/a.png" });
    let scan = |change: Value| {
        let mut body = json!({ "scenes": ["porn"], "tasks": [task] });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let callback = "https://example.com/hook";
    let table = [
        (SCAN, json!({ "tasks": [task] })),
        (SCAN, json!({ "scenes": ["porn"] })),
        (SCAN, json!([])),
        (SCAN, json!("text")),
        (SCAN, scan(json!({ "scenes": [] }))),
        (SCAN, scan(json!({ "scenes": ["weather"] }))),
        (SCAN, scan(json!({ "scenes": "porn" }))),
        (SCAN, scan(json!({ "tasks": [] }))),
        (SCAN, scan(json!({ "tasks": vec![&task; 101] }))),
        (SCAN, scan(json!({ "tasks": [{ "url": 1 }] }))),
        (SCAN, scan(json!({ "callback": callback }))),
        (SCAN, scan(json!({ "seed": "abc" }))),
        (
            SCAN,
            scan(json!({ "callback": "ftp://example.com", "seed": "abc" })),
        ),
        (SCAN, scan(json!({ "callback": callback, "seed": "a-b" }))),
        (SCAN, scan(json!({ "callback": callback, "seed": "" }))),
        (
            SCAN,
            scan(json!({ "callback": callback, "seed": "a".repeat(65) })),
        ),
        (SCAN, scan(json!({ "cryptType": "MD5" }))),
        (SCAN, scan(json!({ "offline": "yes" }))),
        (SYNC, scan(json!({ "callback": callback, "seed": "abc" }))),
        (RESULTS, json!([])),
        (RESULTS, json!({ "taskIds": ["a"] })),
        (RESULTS, json!(vec!["a"; 101])),
        (FEEDBACK, json!({})),
        (
            FEEDBACK,
            json!({ "taskId": "a", "suggestion": "review", "scenes": ["porn"] }),
        ),
        (FEEDBACK, json!({ "taskId": "a", "suggestion": "pass" })),
        (CREDENTIALS, json!([])),
    ];
    for (target, body) in table {
        let envelope = post(&sandbox, target, &body).await;
        assert_eq!(envelope["code"], 400, "{target} {body}: {envelope}");
        assert!(envelope["requestId"].is_string());
        assert!(envelope.get("data").is_none(), "{envelope}");
    }
    assert_eq!(sandbox.paid(), 0);
}

#[tokio::test]
async fn an_invalid_task_is_rejected_alone() {
    let sandbox = sandbox().await;
    let long = format!("http://example.com/{}", "é".repeat(2_030));
    let url = "http://example.com/a.png";
    let table = [
        json!({}),
        json!({ "url": "" }),
        json!({ "url": "ftp://example.com/a.png" }),
        json!({ "url": "/a.png" }),
        json!({ "url": long }),
        json!({ "url": url, "dataId": "" }),
        json!({ "url": url, "dataId": "a b" }),
        json!({ "url": url, "dataId": "头像" }),
        json!({ "url": url, "dataId": "a".repeat(129) }),
        json!({ "url": url, "interval": 0 }),
        json!({ "url": url, "maxFrames": 0 }),
    ];
    for task in table {
        let good = json!({ "url": url, "dataId": "A-z_0.9", "interval": 1, "maxFrames": 5 });
        let body = json!({ "scenes": ["porn"], "tasks": [task, good] });
        let envelope = post(&sandbox, SCAN, &body).await;
        assert_eq!(envelope["code"], 200);
        assert_eq!(envelope["data"][0]["code"], 400, "{task}");
        assert!(envelope["data"][0].get("taskId").is_none());
        assert_eq!(envelope["data"][1]["code"], 200);
        assert_eq!(envelope["data"][1]["dataId"], "A-z_0.9");
    }
    assert_eq!(sandbox.paid(), 11);
}

#[tokio::test]
async fn a_task_is_done_after_the_configured_number_of_polls() {
    let sandbox = start(Sandbox::builder().polls(2)).await;
    let body = json!({
        "bizType": "avatars",
        "scenes": ["porn", "terrorism"],
        "tasks": [{ "dataId": "d1", "url": "http://example.com/gun/my%20weapon.png?porn", "time": 1 }],
    });
    let envelope = post(&sandbox, SCAN, &body).await;
    let id = one(&envelope)["taskId"].as_str().unwrap();
    assert!(id.starts_with("img") && id.len() > 20, "{id}");
    for _ in 0..2 {
        let envelope = post(&sandbox, RESULTS, &json!([id])).await;
        assert_eq!(one(&envelope)["code"], 280);
        assert_eq!(one(&envelope)["msg"], "PROCESSING");
        assert!(one(&envelope).get("results").is_none());
    }
    for _ in 0..2 {
        let envelope = post(&sandbox, RESULTS, &json!([id])).await;
        let done = one(&envelope);
        assert_eq!(
            (&done["code"], &done["dataId"]),
            (&json!(200), &json!("d1"))
        );
        let results = done["results"].as_array().unwrap();
        let said: Vec<_> = results
            .iter()
            .map(|result| [&result["scene"], &result["label"], &result["suggestion"]])
            .collect();
        let normal = [&json!("porn"), &json!("normal"), &json!("pass")];
        let weapon = [&json!("terrorism"), &json!("weapon"), &json!("block")];
        assert_eq!(said, [normal, weapon]);
    }
    assert_eq!((sandbox.paid(), sandbox.billed()), (1, 2));
}

#[tokio::test]
async fn the_name_of_the_image_selects_the_outcome() {
    let sandbox = sandbox().await;
    for (url, label, suggestion) in [
        ("http://example.com/a.png", "normal", "pass"),
        ("http://example.com/PORN1.png", "porn", "block"),
        ("http://example.com/unsexy.png#porn", "sexy", "review"),
        ("http://example.com/%70orn.png", "porn", "block"),
        ("http://example.com/porn/a.png?porn=1", "normal", "pass"),
        ("https://example.com", "normal", "pass"),
    ] {
        let envelope = post(&sandbox, SYNC, &tasks(&[url])).await;
        let result = &one(&envelope)["results"][0];
        assert_eq!(
            (&result["label"], &result["suggestion"]),
            (&json!(label), &json!(suggestion)),
            "{url}"
        );
        assert!(result["rate"].is_f64());
    }
    assert_eq!(sandbox.paid(), 6);
}

#[tokio::test]
async fn unknown_and_expired_tasks_have_expired() {
    let sandbox = start(Sandbox::builder().remember(2)).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let envelope = post(&sandbox, SCAN, &tasks(&["http://example.com/a.png"])).await;
        ids.push(one(&envelope)["taskId"].clone());
    }
    let ask = async |ids: &[Value]| {
        let envelope = post(&sandbox, RESULTS, &json!(ids)).await;
        let data = envelope["data"].as_array().unwrap().clone();
        data.iter()
            .map(|element| element["code"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(ask(&ids).await, [594, 200, 200]);
    assert_eq!(ask(&[json!("img-unknown")]).await, [594]);
    // The clock of the service, not the client's: the request stays as it is.
    sandbox.put_clock_forward(Duration::from_secs(14 * 60));
    assert_eq!(ask(&ids).await, [594, 200, 200]);
    let envelope = post(&sandbox, FEEDBACK, &json!({ "taskId": ids[2] })).await;
    assert_eq!(
        (&envelope["code"], envelope.get("data")),
        (&json!(200), None)
    );
}

#[tokio::test]
async fn a_task_expires_after_an_hour() {
    let sandbox = sandbox().await;
    let envelope = post(&sandbox, SCAN, &tasks(&["http://example.com/a.png"])).await;
    let id = one(&envelope)["taskId"].clone();
    sandbox.put_clock_forward(Duration::from_secs(3_601));
    let request = Request::post(RESULTS, json!([id]).to_string())
        .with("date", "Tue, 17 Jan 2017 11:16:37 GMT")
        .signed_for(&sandbox);
    assert_eq!(one(&request.ask(&sandbox).await.json())["code"], 594);
}

#[tokio::test]
async fn every_response_has_the_sandboxs_date() {
    let sandbox = sandbox().await;
    sandbox.put_clock_back(Duration::from_secs(7_200));
    let answer = Request::post(SCAN, "{}")
        .signed_for(&sandbox)
        .ask(&sandbox)
        .await;
    assert_eq!(refusal(&answer).1, "InvalidTimeStamp.Expired");
    let date = answer.header("date").unwrap();
    assert!(date.starts_with("Tue, 17 Jan 2017 08:16:"), "{date}");
}

#[tokio::test]
async fn a_dropped_sandbox_no_longer_listens() {
    let sandbox = sandbox().await;
    let address = sandbox.address();
    assert_eq!(Request::new("GET", "/").ask(&sandbox).await.status, 404);
    drop(sandbox);
    // The address is free again as soon as the task has ended.
    let mut again = Sandbox::builder().listen(address).start().await;
    for _ in 0..100 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = Sandbox::builder().listen(address).start().await;
    }
    assert_eq!(again.unwrap().address(), address);
}

#[tokio::test]
async fn debug_output_has_no_secrets() {
    let sandbox = start(
        Sandbox::builder()
            .key_id("id")
            .key_secret("very-secret")
            .security_token("very-token"),
    )
    .await;
    let text = format!(
        "{sandbox:?} {:?}",
        Sandbox::builder().key_id("id").key_secret("very-secret")
    );
    assert!(text.contains("\"id\""));
    assert!(!text.contains("very-"), "{text}");
}
