//! The client with a scripted server.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::time::Duration;

use greenlight::{
    DataId, ErrorKind, ImageUrl, Retry, Scene, TaskId,
    green::{Batch, Client, Credentials, OutcomeDecision, Secret, Suggestion, Task, TaskState},
};
use serde_json::{Value, json};

use crate::green_server::{Server, Step};

pub(crate) fn task(name: &str) -> Task {
    let url = ImageUrl::parse(&format!("https://example.com/{name}.jpg?sig=s3cret")).unwrap();
    Task::unchecked(url).with_data_id(DataId::parse(name).unwrap())
}

pub(crate) fn batch(names: &[&str]) -> Batch {
    Batch::new(names.iter().map(|name| task(name))).unwrap()
}

fn ids(names: &[&str]) -> Vec<TaskId> {
    names.iter().map(|id| TaskId::parse(id).unwrap()).collect()
}

#[tokio::test]
async fn a_submission_has_all_documented_headers() {
    let server = Server::steps([Step::json(
        200,
        &json!({"code": 200, "msg": "OK", "requestId": "req-1", "data": [
            {"code": 200, "msg": "OK", "dataId": "b", "taskId": "task-b", "url": "x"},
            {"code": 592, "msg": "DOWNLOAD_TIMEOUT", "dataId": "a", "url": "y"},
        ]}),
    )])
    .await;
    let client = server
        .builder()
        .biz_type("shop")
        .credentials(
            Credentials::new("LTAIexample", Secret::new("s3cr3t")).with_security_token("tok+/=="),
        )
        .build()
        .unwrap();

    let submission = client
        .submit(batch(&["a", "b", "c"]), &[Scene::Porn, Scene::Terrorism])
        .await
        .unwrap();

    assert_eq!(submission.request_id().unwrap().as_str(), "req-1");
    let [a, b, c] = submission.entries() else {
        panic!("three tasks, three entries: {submission:?}");
    };
    assert_eq!(a.result().unwrap_err().code(), 592);
    assert_eq!(b.task_id().unwrap().as_str(), "task-b");
    assert_eq!(c.result().unwrap_err().retry(), Retry::Ambiguous);

    let [request] = &server.requests()[..] else {
        panic!("one request");
    };
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/green/image/asyncscan");
    for (name, value) in [
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("x-acs-security-token", "tok+/=="),
        ("x-acs-signature-method", "HMAC-SHA1"),
        ("x-acs-signature-version", "1.0"),
        ("x-acs-version", "2018-05-09"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert!(request.header("date").unwrap().ends_with(" GMT"));
    assert_eq!(request.header("x-acs-signature-nonce").unwrap().len(), 36);
    assert!(
        request
            .header("authorization")
            .unwrap()
            .starts_with("acs LTAIexample:")
    );
    assert_eq!(
        request.json(),
        json!({"bizType": "shop", "scenes": ["porn", "terrorism"], "tasks": [
            {"dataId": "a", "url": "https://example.com/a.jpg?sig=s3cret"},
            {"dataId": "b", "url": "https://example.com/b.jpg?sig=s3cret"},
            {"dataId": "c", "url": "https://example.com/c.jpg?sig=s3cret"},
        ]})
    );
}

/// Built independently of the client's code.
#[tokio::test]
async fn requests_can_be_signed_with_acs3() {
    use greenlight::green::{ClientInfo, SignatureStyle, sign};
    let answer = json!({"code": 200, "data": []});
    let server = Server::steps([Step::json(200, &answer)]).await;
    let credentials =
        Credentials::new("STS.id", Secret::new("s3cr3t")).with_security_token("tok+/==");
    let client = server
        .builder()
        .signature(SignatureStyle::Acs3)
        .client_info(ClientInfo::new().with_user_nick("名 &+"))
        .credentials(credentials.clone())
        .build()
        .unwrap();
    client.submit(batch(&["a"]), &[Scene::Porn]).await.unwrap();
    let [request] = &server.requests()[..] else {
        panic!("one request");
    };
    let header = |name: &str| request.header(name).unwrap();
    let names = "content-type;host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-date;\
                 x-acs-security-token;x-acs-signature-nonce;x-acs-version";
    let signed: Vec<(&str, &str)> = names.split(';').map(|name| (name, header(name))).collect();
    let signature = sign::acs3(
        &sign::Parts {
            method: "POST",
            path: "/green/image/asyncscan",
            query: &[("ClientInfo", r#"{"userNick":"名 &+"}"#)],
            headers: &signed,
        },
        &credentials,
    );
    assert_eq!(header("authorization"), signature.authorization());
    assert!(header("authorization").contains(names));
    assert_eq!(header("host"), server.url().replace("http://", ""));
    assert_eq!(header("x-acs-action"), "ImageAsyncScan");
    assert_eq!(
        header("x-acs-content-sha256"),
        sign::content_sha256(&request.body)
    );
    let date = header("x-acs-date");
    assert!(date.len() == 20 && date.ends_with('Z'), "{date}");
}

#[tokio::test]
async fn outcomes_are_matched_by_id() {
    let done = |id: &str, suggestion: &str| {
        json!({"code": 200, "msg": "OK", "taskId": id, "dataId": id, "unknown": {"field": [1]},
            "results": [{"scene": "porn", "label": "sexy", "suggestion": suggestion,
                "rate": 88.5, "frames": null, "new": 1}]})
    };
    let processing = |id: &str| json!({"code": 280, "msg": "PROCESSING", "taskId": id});
    let envelope = |data: Vec<Value>| Step::json(200, &json!({"code": 200, "data": data}));
    let server = Server::steps([
        Step::json(
            200,
            &json!({"code": 200, "data": [
                {"code": 200, "dataId": "a", "taskId": "a"},
                {"code": 200, "dataId": "b", "taskId": "b"},
                {"code": 200, "dataId": "c", "taskId": "c"},
            ]}),
        ),
        envelope(vec![processing("a"), processing("b"), processing("c")]),
        envelope(vec![done("b", "review"), processing("a")]),
        envelope(vec![
            done("c", "something-new"),
            json!({"code": 594, "msg": "EXPIRED", "taskId": "a"}),
            done("of-another", "pass"),
        ]),
    ])
    .await;
    let client = server.client();
    let submission = client
        .submit(batch(&["a", "b", "c"]), &[Scene::Porn])
        .await
        .unwrap();
    let reports = client.wait(&submission).await.unwrap();

    let of = |id: &str| reports.iter().find(|r| r.task_id().as_str() == id).unwrap();
    assert_eq!(reports.len(), 3);
    assert!(matches!(of("a").state(), TaskState::Expired));
    let b = of("b").outcome().unwrap();
    assert_eq!(b.decision(), OutcomeDecision::Review);
    assert_eq!(b.results()[0].rate(), Some(88.5));
    assert_eq!(b.results()[0].suggestion(), &Suggestion::Review);
    assert_eq!(
        of("c").outcome().unwrap().decision(),
        OutcomeDecision::Undecided
    );
    assert_eq!(server.requests()[1].json(), json!(["a", "b", "c"]));
    assert_eq!(server.requests()[3].json(), json!(["a", "c"]));
}

#[tokio::test]
async fn unexpected_responses_are_reported_sanitized() {
    let cases: [(&str, &str); 5] = [
        ("<html>\u{1b}[31mBad \u{202e}Gateway</html>", "HTML or XML"),
        ("", "no body"),
        (r#"{"code":200,"data":[{"taskId":"x"#, "cut off"),
        ("null", "not a JSON object"),
        (r#"{"hello":1}"#, "no code"),
    ];
    for (body, expected) in cases {
        let server = Server::steps([Step::text(200, body)]).await;
        let client = server.builder().max_attempts(1).build().unwrap();
        let error = client.results(&ids(&["a"])).await.unwrap_err();
        let report = error.report();
        assert_eq!(error.kind(), ErrorKind::Answer, "{report}");
        assert!(report.contains(expected), "{report}");
        assert!(!report.contains(['\u{1b}', '\u{202e}']), "{report}");
    }
}

#[tokio::test]
async fn rejection_of_the_whole_request_is_an_error_with_its_code() {
    let cases = [
        (
            json!({"code": 400, "msg": "BAD_REQUEST", "requestId": "r"}),
            200,
            "400",
            ErrorKind::Refused,
        ),
        (
            json!({"Code": 400, "Msg": "BAD_REQUEST", "RequestId": "r"}),
            400,
            "400",
            ErrorKind::Refused,
        ),
        (
            json!({"code": 588, "msg": "EXCEED_QUOTA", "requestId": "r"}),
            200,
            "588",
            ErrorKind::Throttled,
        ),
        (
            json!({"Code": "Throttling.User", "Message": "slow", "RequestId": "r"}),
            400,
            "Throttling.User",
            ErrorKind::Throttled,
        ),
        (
            json!({"Code": "InvalidAccessKeyId.NotFound", "Message": "no", "RequestId": "r"}),
            404,
            "InvalidAccessKeyId.NotFound",
            ErrorKind::Refused,
        ),
    ];
    for (body, status, code, kind) in cases {
        let server = Server::steps([Step::json(status, &body)]).await;
        let client = server.builder().max_attempts(1).build().unwrap();
        let error = client
            .submit(batch(&["a"]), &[Scene::Porn])
            .await
            .unwrap_err();
        assert_eq!(error.service_code(), Some(code));
        assert_eq!(error.request_id().unwrap().as_str(), "r");
        assert_eq!(error.kind(), kind, "{error}");
        assert_ne!(error.retry(), Retry::Ambiguous, "{error}");
    }
}

#[tokio::test]
async fn a_lost_reply_to_a_paid_call_is_reported_and_not_repeated() {
    let steps = [
        Step::Close,
        Step::Stall(Duration::from_secs(2)),
        Step::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"code\":200".to_vec()),
        Step::text(200, r#"{"code":200,"data":[{"taskId":"#),
        Step::text(502, "<html>bad gateway</html>"),
    ];
    for step in steps {
        let server = Server::steps([step.clone()]).await;
        let client = server
            .builder()
            .attempt_timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        let error = client
            .submit(batch(&["a", "b"]), &[Scene::Porn])
            .await
            .unwrap_err();
        assert_eq!(
            error.retry(),
            Retry::Ambiguous,
            "{step:?}: {}",
            error.report()
        );
        let named: Vec<_> = error.data_ids().iter().map(AsRef::as_ref).collect();
        assert_eq!(named, ["a", "b"], "{step:?}");
        assert_eq!(server.requests().len(), 1, "{step:?}");
    }
}

#[test]
fn names_and_batches_are_checked_before_anything_is_sent() {
    for bad in ["", "a b", "图", "a/b", &"x".repeat(129)] {
        assert!(DataId::parse(bad).is_err(), "{bad}");
    }
    assert!(DataId::parse(&"x".repeat(128)).is_ok());
    assert_ne!(DataId::random(), DataId::random());
    assert!(Batch::new([]).is_err());
    assert!(Batch::new([task("a"), task("a")]).is_err());
    let many = |count: usize| (0..count).map(|n| task(&n.to_string())).collect::<Vec<_>>();
    assert_eq!(Batch::new(many(50)).unwrap().len(), 50);
    assert!(Batch::new(many(51)).is_err());
    assert!(Batch::with_limit(100, many(100)).is_ok());
}

#[test]
fn only_safe_endpoints_are_accepted() {
    let build = |endpoint: &str| {
        Client::builder()
            .endpoint(endpoint)
            .credentials(Credentials::new("id", Secret::new("secret")))
            .build()
    };
    for good in [
        "https://green.example.com",
        "http://127.0.0.1:8080",
        "http://[::1]:1/",
        "http://localhost:1",
    ] {
        assert!(build(good).is_ok(), "{good}");
    }
    for bad in [
        "http://green.example.com",
        "ftp://127.0.0.1",
        "green",
        "https://user:pw@example.com",
        "https://user:pw@host:99999",
        "user:pw@host",
        "https:/user:a@pw@host:x",
        "ftp://user:pw@host?pw",
        "https://host:99999/?token=pw#pw",
        "https://example.com/path",
    ] {
        let error = build(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{bad}");
        assert!(!error.report().contains("pw"), "{}", error.report());
    }
    let region = |region: &str| {
        Client::builder()
            .region(region)
            .credentials(Credentials::new("a", Secret::new("b")))
            .build()
    };
    assert!(region("ap-southeast-1").is_ok());
    assert!(
        region("me-east-1")
            .unwrap_err()
            .to_string()
            .contains("me-east-1")
    );
}
