//! What counts as a pass, and what is asked for again.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use greenlight::{OutcomeDecision, Scene, TaskId, green::ScanOptions};
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
async fn a_pass_needs_a_readable_result_for_every_scene_asked() {
    use OutcomeDecision::{Block, Pass, Review, Undecided};
    // What was answered; then the decision, and the decision of who does not know what was asked.
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
