//! Which outcomes count as a pass, and which tasks are polled again.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::time::Duration;

use greenlight::{
    Scene, TaskId,
    green::{OutcomeDecision, ScanOptions, TaskReport, TaskState, callback},
};
use serde_json::{Value, json};

use crate::{
    green::batch,
    green_server::{Server, Step},
};

fn envelope(data: &Value) -> Step {
    Step::json(200, &json!({"code": 200, "msg": "OK", "data": data}))
}

fn says(scene: &str, suggestion: &str) -> Value {
    json!({"scene": scene, "label": "x", "suggestion": suggestion, "rate": 99})
}

#[tokio::test]
async fn a_pass_needs_a_result_for_every_requested_scene() {
    use OutcomeDecision::{Block, Pass, Review, Undecided};
    // The result; then the decision with and without the requested scenes.
    let cases = [
        (
            json!([says("porn", "pass"), says("terrorism", "pass")]),
            Pass,
            Pass,
        ),
        (
            json!([says("PORN", "pass"), says("Terrorism", "pass")]),
            Pass,
            Pass,
        ),
        (json!([says("porn", "pass")]), Undecided, Pass),
        (json!(says("porn", "pass")), Undecided, Pass),
        (json!([says("porn", "block")]), Block, Block),
        (json!([says("terrorism", "review"), null]), Review, Review),
        (json!([says("porn", "pass"), null]), Undecided, Undecided),
        (
            json!([says("porn", "pass"), "terrorism"]),
            Undecided,
            Undecided,
        ),
        (
            json!([says("porn", "pass"), says("terrorism", "pass"), 7]),
            Undecided,
            Undecided,
        ),
        (
            json!([says("porn", "pass"), {"suggestion": "pass"}]),
            Undecided,
            Undecided,
        ),
        (
            json!([says("porn", "pass"), {"scene": "terrorism"}]),
            Undecided,
            Undecided,
        ),
        (json!(null), Undecided, Undecided),
        (json!([]), Undecided, Undecided),
        (json!("pass"), Undecided, Undecided),
    ];
    for (results, asked, unasked) in cases {
        let task = json!({"code": 200, "dataId": "a", "taskId": "t", "results": results});
        let done = envelope(&json!([task]));
        let server = Server::steps(vec![done; 4]).await;
        let client = server.client();
        let scenes = [Scene::Porn, Scene::Terrorism];

        let submission = client.submit(batch(&["a"]), &scenes).await.unwrap();
        let waited = client.wait(&submission).await.unwrap();
        let decision = waited[0].outcome().unwrap().decision();
        assert_eq!(decision, asked, "waited for: {task}");

        let options = ScanOptions::new(&scenes);
        let scanned = client.scan(batch(&["a"]), &options).await.unwrap();
        let decision = scanned[0].result().unwrap().decision();
        assert_eq!(decision, asked, "at once: {task}");

        let ids = [TaskId::parse("t").unwrap()];
        let reports = client.results(&ids).await.unwrap();
        let decision = reports[0].outcome().unwrap().decision();
        assert_eq!(decision, unasked, "by id: {task}");
    }
}

#[tokio::test]
async fn a_temporary_code_does_not_end_a_task() {
    for code in [500, 503, 580, 581, 585, 588, 591] {
        let refused = json!({"code": code, "msg": "LATER", "taskId": "t"});
        let done = json!({"code": 200, "taskId": "t", "results": [says("porn", "block")]});
        let server = Server::steps([
            envelope(&json!([{"code": 200, "dataId": "a", "taskId": "t"}])),
            envelope(&json!([refused])),
            envelope(&json!([refused])),
            envelope(&json!([done])),
        ])
        .await;
        let client = server.client();
        let submission = client.submit(batch(&["a"]), &[Scene::Porn]).await.unwrap();
        let reports = client.wait(&submission).await.unwrap();
        let decision = reports[0]
            .outcome()
            .map(greenlight::green::Outcome::decision);
        assert_eq!(decision, Some(OutcomeDecision::Block), "{code}");
    }
}

#[tokio::test]
async fn a_persistent_code_is_reported_when_the_wait_ends() {
    let refused = json!([{"code": 585, "msg": "CACHE_FAILED", "taskId": "t"}]);
    let server = Server::with(move |_| envelope(&refused)).await;
    let limit = Duration::from_millis(100);
    let client = server.builder().wait_at_most(limit).build().unwrap();
    let mut watch = client.watch([TaskId::parse("t").unwrap()]);
    let report = watch.next().await.unwrap().unwrap();
    let TaskState::Failed(refusal) = report.state() else {
        panic!("{report:?}");
    };
    assert_eq!(refusal.code(), 585);
    assert!(watch.next().await.unwrap().is_none());
    assert!(server.requests().len() > 1, "asked again");
}

#[test]
fn a_report_can_be_stored() {
    let contents = [
        json!({"code": 280, "taskId": "t"}),
        json!({"code": 594, "taskId": "t", "dataId": "photo-1"}),
        json!({"code": 480, "taskId": "t", "msg": "download failed"}),
        json!({"code": 586, "taskId": "t"}),
        json!({"code": 588, "taskId": "t", "dataId": "photo-1"}),
        json!({"code": 200, "taskId": "t", "results": [says("porn", "block")]}),
    ];
    for content in contents {
        let report = callback::parse(content.to_string().as_bytes()).unwrap();
        let stored = serde_json::to_string(&report).unwrap();
        let read: TaskReport = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, report, "{stored}");
        if let (TaskState::Failed(read), TaskState::Failed(refusal)) =
            (read.state(), report.state())
        {
            assert_eq!(read.retry(), refusal.retry(), "{stored}");
        }
    }
}

#[test]
fn a_stored_report_names_its_state() {
    let content = json!({"code": 588, "taskId": "t", "msg": "busy"});
    let report = callback::parse(content.to_string().as_bytes()).unwrap();
    let refusal =
        json!({"code": 588, "message": "busy", "class": "throttled", "subject": "request"});
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        json!({"task_id": "t", "state": {"failed": refusal}})
    );
}
