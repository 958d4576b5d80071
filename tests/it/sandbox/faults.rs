//! Injected failures on the wire, and the tasks that are billed.

use std::time::Duration;

use greenlight::sandbox::{Fault, Operation, Sandbox, Share, When};
use serde_json::{Value, json};

use super::{
    CREDENTIALS, RESULTS, SCAN, SYNC, one, post,
    raw::{Answer, Request},
    refusal, sandbox, start, tasks,
};

const URLS: [&str; 4] = [
    "http://example.com/a.png",
    "http://example.com/b.png",
    "http://example.com/c.png",
    "http://example.com/d.png",
];

fn scan(sandbox: &Sandbox) -> Request {
    Request::post(SCAN, tasks(&URLS).to_string()).signed_for(sandbox)
}

/// A scan with an injected failure.
async fn faulty(sandbox: &Sandbox, fault: Fault) -> Option<Answer> {
    sandbox.inject(Operation::AsyncScan, fault);
    scan(sandbox).send(sandbox.address()).await
}

fn urls(envelope: &Value) -> Vec<&str> {
    let data = envelope["data"].as_array().expect("data");
    data.iter()
        .map(|element| element["url"].as_str().expect("a URL"))
        .collect()
}

#[tokio::test]
async fn faults_apply_in_order_to_their_operation() {
    let builder = Sandbox::builder()
        .fault(Operation::AsyncScan, Fault::Service(588))
        .fault(Operation::AsyncScan, Fault::Service(500));
    let sandbox = start(builder).await;
    sandbox.inject(Operation::AsyncScan, Fault::Service(580));
    assert_eq!(post(&sandbox, SYNC, &tasks(&URLS)).await["code"], 200);
    for code in [588, 500, 580, 200] {
        let envelope = post(&sandbox, SCAN, &tasks(&URLS)).await;
        assert_eq!(envelope["code"], code);
        assert_eq!(envelope.get("data").is_some(), code == 200);
    }
    assert_eq!(sandbox.paid(), 8);
    assert_eq!(sandbox.requests_of(Operation::AsyncScan), 4);
    assert_eq!(sandbox.requests_of(Operation::SyncScan), 1);
    assert_eq!(sandbox.requests_of(Operation::Results), 0);
}

#[tokio::test]
async fn the_gateway_throttles_in_each_of_its_forms() {
    let sandbox = sandbox().await;
    for status in [400, 429, 503] {
        let wait = Some(Duration::from_millis(1_500));
        let answer = faulty(&sandbox, Fault::Throttled(status, wait))
            .await
            .unwrap();
        assert_eq!(refusal(&answer), (status, "Throttling.User".to_owned()));
        assert_eq!(answer.header("x-acs-retry-after"), Some("1500"));
        let answer = faulty(&sandbox, Fault::Throttled(status, None))
            .await
            .unwrap();
        assert_eq!(refusal(&answer).0, status);
        assert_eq!(answer.header("x-acs-retry-after"), None);
    }
    assert_eq!(sandbox.paid(), 0);
}

#[tokio::test]
async fn gateways_and_proxies_fail_before_or_after() {
    let sandbox = sandbox().await;
    for (fault, status, code, paid) in [
        (Fault::Gateway(500, When::Before), 500, "InternalError", 0),
        (
            Fault::Gateway(503, When::After),
            503,
            "ServiceUnavailable",
            4,
        ),
        (Fault::Html(502, When::Before), 502, "", 4),
        (Fault::Html(502, When::After), 502, "", 8),
        (Fault::Html(200, When::After), 200, "", 12),
    ] {
        let answer = faulty(&sandbox, fault.clone()).await.unwrap();
        assert_eq!(answer.status, status, "{fault:?}");
        if code.is_empty() {
            assert_eq!(answer.header("content-type"), Some("text/html"));
            assert!(answer.text().starts_with("<html>"));
        } else {
            assert_eq!(refusal(&answer).1, code);
        }
        assert_eq!(sandbox.paid(), paid, "{fault:?}");
    }
}

#[tokio::test]
async fn codes_may_equal_the_status_and_names_be_capitalized() {
    let sandbox = sandbox().await;
    let answer = faulty(&sandbox, Fault::ServiceStatus(588)).await.unwrap();
    assert_eq!((answer.status, &answer.json()["code"]), (588, &json!(588)));
    assert_eq!(sandbox.paid(), 0);
    let answer = faulty(&sandbox, Fault::Capitalised).await.unwrap().json();
    assert_eq!(
        (&answer["Code"], &answer["Msg"]),
        (&json!(200), &json!("OK"))
    );
    assert!(answer["RequestId"].is_string());
    assert_eq!(answer["Data"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn a_connection_closes_without_a_response() {
    let sandbox = sandbox().await;
    assert!(faulty(&sandbox, Fault::Close(When::Before)).await.is_none());
    assert_eq!(sandbox.paid(), 0);
    assert!(faulty(&sandbox, Fault::Close(When::After)).await.is_none());
    assert_eq!(sandbox.paid(), 4);
    assert_eq!(sandbox.requests(), 2);
}

#[tokio::test]
async fn bodies_are_empty_truncated_or_too_short() {
    let sandbox = sandbox().await;
    let whole = scan(&sandbox).ask(&sandbox).await.body.len();
    let empty = faulty(&sandbox, Fault::Empty).await.unwrap();
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    let cut = faulty(&sandbox, Fault::CutBody).await.unwrap();
    assert_eq!(
        cut.header("content-length"),
        Some(&*cut.body.len().to_string())
    );
    let short = faulty(&sandbox, Fault::ShortBody).await.unwrap();
    assert_eq!(short.header("content-length"), Some(&*whole.to_string()));
    for answer in [cut, short] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.len(), whole / 2);
        assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
    }
    assert_eq!(sandbox.paid(), 16);
}

#[tokio::test]
async fn a_delayed_request_runs_after_the_client_disconnects() {
    let sandbox = sandbox().await;
    let delay = Fault::Delay(Duration::from_secs(600));
    let impatient = tokio::time::timeout(Duration::from_millis(500), faulty(&sandbox, delay));
    assert!(impatient.await.is_err());
    assert_eq!(sandbox.paid(), 4);
    let short = Fault::Delay(Duration::from_millis(1));
    assert_eq!(faulty(&sandbox, short).await.unwrap().json()["code"], 200);
    assert_eq!(sandbox.paid(), 8);
}

#[tokio::test]
async fn single_tasks_fail_when_submitted_and_are_not_paid_for() {
    let sandbox = sandbox().await;
    for (share, codes, paid) in [
        (Share::All, [588, 588, 588, 588], 0),
        (Share::Half, [588, 200, 588, 200], 2),
        (Share::First, [588, 200, 200, 200], 5),
    ] {
        let answer = faulty(&sandbox, Fault::Tasks(588, share)).await.unwrap();
        let envelope = answer.json();
        assert_eq!(
            (&envelope["code"], urls(&envelope)),
            (&json!(200), URLS.to_vec())
        );
        for (element, code) in envelope["data"].as_array().unwrap().iter().zip(codes) {
            assert_eq!(element["code"], code);
            assert_eq!(element.get("taskId").is_some(), code == 200);
        }
        assert_eq!(sandbox.paid(), paid);
    }
}

#[tokio::test]
async fn elements_are_reordered_or_missing() {
    let sandbox = sandbox().await;
    let shuffled = faulty(&sandbox, Fault::Shuffled).await.unwrap().json();
    let mut found = urls(&shuffled);
    assert_ne!(found, URLS);
    assert!(found.iter().zip(URLS).all(|(found, asked)| *found != asked));
    found.sort_unstable();
    assert_eq!(found, URLS);
    for (share, left, paid) in [
        (Share::First, &URLS[1..], 8),
        (Share::Half, &[URLS[1], URLS[3]][..], 12),
        (Share::All, &[], 16),
    ] {
        let answer = faulty(&sandbox, Fault::Missing(share)).await.unwrap();
        assert_eq!(urls(&answer.json()), left);
        assert_eq!(sandbox.paid(), paid);
    }
}

#[tokio::test]
async fn results_fail_or_are_missing() {
    let sandbox = sandbox().await;
    let made = scan(&sandbox).ask(&sandbox).await.json();
    let ids: Vec<_> = made["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|element| element["taskId"].clone())
        .collect();
    let ask = async |fault: Option<Fault>| {
        if let Some(fault) = fault {
            sandbox.inject(Operation::Results, fault);
        }
        let envelope = post(&sandbox, RESULTS, &json!(ids)).await;
        let data = envelope["data"].as_array().unwrap().clone();
        data.iter()
            .map(|element| element["code"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ask(Some(Fault::Tasks(592, Share::Half))).await,
        [592, 200, 592, 200]
    );
    assert_eq!(ask(Some(Fault::Missing(Share::Half))).await, [200, 200]);
    assert_eq!(ask(Some(Fault::Shuffled)).await, [200; 4]);
    assert_eq!(ask(None).await, [200; 4]);
    assert_eq!(ask(Some(Fault::Forgotten)).await, [594; 4]);
    assert_eq!(ask(None).await, [594; 4]);
    assert_eq!(sandbox.paid(), 4);
}

#[tokio::test]
async fn faults_apply_to_other_operations() {
    let sandbox = sandbox().await;
    sandbox.inject(Operation::UploadCredentials, Fault::Service(596));
    let envelope = post(&sandbox, CREDENTIALS, &json!({})).await;
    assert_eq!(
        (&envelope["code"], envelope.get("data")),
        (&json!(596), None)
    );
    sandbox.inject(Operation::SyncScan, Fault::Tasks(480, Share::All));
    let envelope = post(&sandbox, SYNC, &tasks(&URLS[..1])).await;
    assert_eq!(one(&envelope)["msg"], "DOWNLOAD_FAILED");
    assert_eq!(sandbox.paid(), 0);
}
