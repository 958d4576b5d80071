//! For each failure of the service: the result for the caller, and the number of requests.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{num::NonZeroU32, time::Duration};

use greenlight::{
    ErrorKind, Retry, Scene, TaskId,
    green::{Client, Credentials, Secret, TaskState},
};
use serde_json::{Value, json};

use crate::{
    green::batch,
    green_server::{Request, Server, Step},
};

fn accepted(request: &Request) -> Step {
    let data: Vec<Value> = request.json()["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| {
            let id = task["dataId"].as_str().unwrap();
            json!({"code": 200, "dataId": id, "taskId": format!("task-{id}")})
        })
        .collect();
    Step::json(200, &json!({"code": 200, "msg": "OK", "data": data}))
}

/// Serves the steps, then accepts all submissions.
async fn failing_first(steps: Vec<Step>) -> Server {
    let mut steps = steps.into_iter();
    Server::with(move |request| steps.next().unwrap_or_else(|| accepted(request))).await
}

fn service(code: u16) -> Step {
    Step::json(
        200,
        &json!({"code": code, "msg": "MESSAGE", "requestId": "r"}),
    )
}

fn gateway(status: u16, code: &str, message: &str) -> Step {
    let body = json!({"Code": code, "Message": message, "RequestId": "r", "HostId": "h"});
    Step::json(status, &body)
}

#[tokio::test]
async fn requests_are_repeated_only_if_not_executed() {
    let cases: Vec<(&str, Step, usize, Option<ErrorKind>)> = vec![
        ("500", service(500), 2, None),
        ("580", service(580), 2, None),
        ("581", service(581), 2, None),
        ("585", service(585), 2, None),
        ("591", service(591), 2, None),
        ("503", service(503), 2, None),
        ("a 5xx that no page names", service(504), 2, None),
        (
            "500 with HTTP 500",
            Step::json(500, &json!({"code": 500, "msg": "GENERAL_ERROR"})),
            2,
            None,
        ),
        (
            "503 of the gateway",
            gateway(503, "ServiceUnavailable", "busy"),
            2,
            None,
        ),
        (
            "500 of the gateway",
            gateway(500, "InternalError", "oops"),
            1,
            Some(ErrorKind::Service),
        ),
        (
            "503 without a body",
            Step::text(503, ""),
            1,
            Some(ErrorKind::Answer),
        ),
        ("400", service(400), 1, Some(ErrorKind::Refused)),
        ("401", service(401), 1, Some(ErrorKind::Refused)),
        ("403", service(403), 1, Some(ErrorKind::Refused)),
        ("408", service(408), 1, Some(ErrorKind::Refused)),
        ("411", service(411), 1, Some(ErrorKind::Refused)),
        ("589", service(589), 1, Some(ErrorKind::Refused)),
        ("590", service(590), 1, Some(ErrorKind::Refused)),
        ("596", service(596), 1, Some(ErrorKind::Refused)),
        ("an unknown code", service(777), 1, Some(ErrorKind::Refused)),
        (
            "a wrong key",
            gateway(404, "InvalidAccessKeyId.NotFound", "no such key"),
            1,
            Some(ErrorKind::Refused),
        ),
        (
            "a nonce that arrived before",
            gateway(400, "SignatureNonceUsed", "used"),
            1,
            Some(ErrorKind::Refused),
        ),
        (
            "a redirect",
            Step::text(302, ""),
            1,
            Some(ErrorKind::Answer),
        ),
        (
            "HTML 502",
            Step::text(502, "<html>"),
            1,
            Some(ErrorKind::Answer),
        ),
        (
            "HTML 200",
            Step::text(200, "<html>"),
            1,
            Some(ErrorKind::Answer),
        ),
        ("closed", Step::Close, 1, Some(ErrorKind::Network)),
    ];
    for (name, step, requests, kind) in cases {
        let server = failing_first(vec![step]).await;
        let result = server.client().submit(batch(&["a"]), &[Scene::Porn]).await;
        match (result, kind) {
            (Ok(submission), None) => {
                assert_eq!(submission.task_ids().count(), 1, "{name}");
            }
            (Err(error), Some(kind)) => assert_eq!(error.kind(), kind, "{name}: {error}"),
            (result, _) => panic!("{name}: {result:?}"),
        }
        assert_eq!(server.requests().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn every_attempt_has_its_own_nonce_and_signature() {
    let server = failing_first(vec![service(500), service(500)]).await;
    server
        .client()
        .submit(batch(&["a"]), &[Scene::Porn])
        .await
        .unwrap();
    let requests = server.requests();
    let header = |name: &str| {
        let mut values: Vec<_> = requests.iter().map(|r| r.header(name).unwrap()).collect();
        values.sort_unstable();
        values.dedup();
        values.len()
    };
    assert_eq!(requests.len(), 3);
    assert_eq!(header("x-acs-signature-nonce"), 3);
    assert_eq!(header("authorization"), 3);
}

#[tokio::test]
async fn a_wait_beyond_the_clocks_range_is_reported() {
    let hour = Duration::from_secs(3600);
    let date = "Sat, 01 Jan 2050 00:00:00 GMT";
    let in_an_hour = "Sat, 01 Jan 2050 01:00:00 GMT";
    let slow = || gateway(429, "Throttling", "slow");
    let cases = [
        (
            slow().with_header("x-acs-retry-after", "1000000000000"),
            Duration::from_secs(1_000_000_000),
        ),
        (
            slow().with_header("x-acs-retry-after", "99999999999999999999999"),
            Duration::from_millis(u64::MAX),
        ),
        (
            slow().with_header("retry-after", "99999999999999999999999"),
            Duration::from_secs(u64::MAX),
        ),
        (
            slow()
                .with_header("date", date)
                .with_header("retry-after", in_an_hour),
            hour,
        ),
    ];
    for (step, wait) in cases {
        let server = failing_first(vec![step.clone()]).await;
        let client = server.builder().deadline(Duration::MAX).max_attempts(1);
        let client = client.build().unwrap();
        let error = client.submit(batch(&["a"]), &[Scene::Porn]).await;
        assert_eq!(error.unwrap_err().retry(), Retry::After(wait), "{step:?}");
        // And it is not shortened to fit.
        let server = failing_first(vec![step.clone()]).await;
        let error = server.client().submit(batch(&["a"]), &[Scene::Porn]).await;
        assert_eq!(error.unwrap_err().retry(), Retry::After(wait), "{step:?}");
        assert_eq!(server.requests().len(), 1, "{step:?}");
    }
    // Without a date in the response, the local clock applies; a time in the past means no wait.
    let server = failing_first(vec![slow().with_header("retry-after", in_an_hour)]).await;
    let error = server.client().submit(batch(&["a"]), &[Scene::Porn]).await;
    let retry = error.unwrap_err().retry();
    assert!(
        matches!(retry, Retry::After(wait) if wait > hour),
        "{retry:?}"
    );
    let passed = slow().with_header("retry-after", "Tue, 17 Jan 2017 10:16:36 GMT");
    let server = failing_first(vec![passed]).await;
    let taken = server.client().submit(batch(&["a"]), &[Scene::Porn]).await;
    assert!(taken.is_ok());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn limits_beyond_the_clocks_range_are_unlimited() {
    let server = failing_first(vec![service(500)]).await;
    let client = server
        .builder()
        .deadline(Duration::MAX)
        .attempt_timeout(Duration::MAX)
        .upload_deadline(Duration::MAX)
        .poll_interval(Duration::MAX)
        .wait_at_most(Duration::from_millis(20))
        .build()
        .unwrap();
    let submission = client.submit(batch(&["a"]), &[Scene::Porn]).await.unwrap();
    let reports = client.wait(&submission).await.unwrap();
    assert_eq!(reports.len(), 1);
    assert!(matches!(reports[0].state(), TaskState::Processing));
    let server = failing_first(vec![service(400)]).await;
    let client = server.builder().poll_interval(Duration::MAX);
    let mut watch = client
        .build()
        .unwrap()
        .watch(submission.task_ids().cloned());
    let next = tokio::time::timeout(Duration::from_millis(20), watch.next()).await;
    assert!(next.is_err(), "waits");
}

#[tokio::test]
async fn throttling_waits_as_long_as_the_service_requests() {
    let throttled = [
        gateway(400, "Throttling.User", "slow").with_header("x-acs-retry-after", "1"),
        gateway(429, "Throttling", "slow").with_header("retry-after", "0"),
        service(588),
    ];
    for step in throttled {
        let server = failing_first(vec![step.clone()]).await;
        let result = server.client().submit(batch(&["a"]), &[Scene::Porn]).await;
        assert!(result.is_ok(), "{step:?}");
        assert_eq!(server.requests().len(), 2, "{step:?}");
    }
    // Longer than the deadline: returned immediately.
    let asked = gateway(400, "Throttling", "slow").with_header("x-acs-retry-after", "3600000");
    let server = failing_first(vec![asked]).await;
    let error = server
        .client()
        .submit(batch(&["a"]), &[Scene::Porn])
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(3600)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_outage_fails_fast_after_the_retry_budget() {
    let server = Server::with(|_| service(500)).await;
    let fast = NonZeroU32::new(10_000).unwrap();
    let client = server.builder().requests_per_second(fast).build().unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let client = client.clone();
        calls.spawn(async move { client.results(&[TaskId::parse("a").unwrap()]).await });
    }
    let failed = calls
        .join_all()
        .await
        .iter()
        .filter(|result| result.is_err())
        .count();
    // Sixty calls would make 120 repetitions; all clones together have fifty.
    assert_eq!((failed, server.requests().len()), (60, 60 + 50));
}

#[tokio::test]
async fn clock_skew_is_corrected_and_remembered() {
    let expired = gateway(400, "InvalidTimeStamp.Expired", "expired")
        .with_header("date", &shifted_date(server_now(), 3600));
    let server = failing_first(vec![expired]).await;
    let client = server.client();
    client.submit(batch(&["a"]), &[Scene::Porn]).await.unwrap();
    client.submit(batch(&["b"]), &[Scene::Porn]).await.unwrap();
    let dates: Vec<_> = server
        .requests()
        .iter()
        .map(|request| seconds(request.header("date").unwrap()))
        .collect();
    assert_eq!(dates.len(), 3);
    assert!(
        (3_590..=3_610).contains(&(dates[1] - dates[0])),
        "{dates:?}"
    );
    assert!((0..=10).contains(&(dates[2] - dates[1])), "{dates:?}");
}

#[tokio::test]
async fn implausible_clock_skew_is_ignored() {
    let years = 10 * 366 * 24 * 60 * 60;
    for date in [shifted_date(server_now(), years), "yesterday".to_owned()] {
        let expired =
            gateway(400, "InvalidTimeStamp.Expired", "expired").with_header("date", &date);
        let server = failing_first(vec![expired]).await;
        let error = server
            .client()
            .submit(batch(&["a"]), &[Scene::Porn])
            .await
            .unwrap_err();
        assert_eq!(error.retry(), Retry::Never);
        assert_eq!(server.requests().len(), 1);
    }
}

fn server_now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn shifted_date(now: i64, by: i64) -> String {
    let time = jiff::Timestamp::from_second(now + by).unwrap();
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .unwrap()
}

fn seconds(date: &str) -> i64 {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .unwrap()
        .as_second()
}

#[tokio::test]
async fn without_clock_skew_the_request_is_not_repeated() {
    let expired = gateway(400, "InvalidTimeStamp.Expired", "expired")
        .with_header("date", &shifted_date(server_now(), 0));
    let server = failing_first(vec![expired]).await;
    let error = server
        .client()
        .submit(batch(&["a"]), &[Scene::Porn])
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_rejected_signature_is_explained_without_secrets() {
    let server = Server::with(|request| {
        let message = format!(
            "Specified signature is not matched. server string to sign is:POST\n\
             application/json\n{}\ntext/plain\n{}\nx-acs-security-token:{}\n/green/image/asyncscan",
            request.header("content-md5").unwrap(),
            request.header("date").unwrap(),
            request.header("x-acs-security-token").unwrap(),
        );
        gateway(400, "SignatureDoesNotMatch", &message)
    })
    .await;
    let client = server
        .builder()
        .credentials(Credentials::new("LTAI", Secret::new("s3cr3t")).with_security_token("t0k3n"))
        .build()
        .unwrap();
    let error = client
        .submit(batch(&["a"]), &[Scene::Porn])
        .await
        .unwrap_err();
    let report = error.report();
    assert!(
        report.contains("line 4: the service has `text/plain`"),
        "{report}"
    );
    assert!(
        report.contains("the client signed `application/json`"),
        "{report}"
    );
    for secret in ["s3cr3t", "t0k3n", "sig="] {
        assert!(
            !report.contains(secret) && !format!("{error:?}").contains(secret),
            "{report}"
        );
    }
    assert_eq!(error.retry(), Retry::Never);
}

#[tokio::test]
async fn an_echoing_server_cannot_leak_secrets() {
    let server = Server::with(|request| {
        let echo: String = request
            .headers
            .iter()
            .fold(String::new(), |echo, (name, value)| {
                format!("{echo}{name}: {value}\n")
            });
        let token = request.header("x-acs-security-token").unwrap();
        Step::text(500, &format!("<pre>{}{token}{echo}</pre>", "x".repeat(100)))
    })
    .await;
    let client = server
        .builder()
        .credentials(
            Credentials::new("LTAI", Secret::new("s3cr3t"))
                .with_security_token("t0k3n-of-a-session"),
        )
        .build()
        .unwrap();
    let error = client
        .submit(batch(&["a"]), &[Scene::Porn])
        .await
        .unwrap_err();
    let shown = format!("{} {error:?} {client:?}", error.report());
    for secret in ["s3cr3t", "t0k3n", "sig="] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn a_closed_port_is_retried_and_not_ambiguous() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::builder()
        .endpoint(&format!("http://{address}"))
        .credentials(Credentials::new("id", Secret::new("secret")))
        .build()
        .unwrap();
    let error = client
        .submit(batch(&["a"]), &[Scene::Porn])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(matches!(error.retry(), Retry::After(_)));
    assert_eq!(error.attempts(), 3);
    assert!(error.data_ids().is_empty());
}

#[tokio::test]
async fn no_task_id_in_a_response_is_lost() {
    let server = Server::steps([Step::json(
        200,
        &json!({"code": 500, "msg": "PARTLY", "data": [
            {"code": 200, "dataId": "c", "taskId": "task-c"},
            {"code": 200, "dataId": "a", "taskId": "task-a"},
            {"code": 200, "dataId": "a", "taskId": "task-a-again"},
            {"code": 200, "dataId": "of-another", "taskId": "task-x"},
            {"code": 200, "url": "https://example.com/b.jpg?sig=s3cret", "taskId": "task-b"},
            null, 7, {"code": 588, "msg": "EXCEED_QUOTA", "dataId": "d"},
        ]}),
    )])
    .await;
    let submission = server
        .client()
        .submit(batch(&["a", "b", "c", "d", "e"]), &[Scene::Porn])
        .await
        .unwrap();
    let ids: Vec<_> = submission
        .entries()
        .iter()
        .map(|entry| entry.task_id().map(TaskId::as_str))
        .collect();
    assert_eq!(
        ids,
        [Some("task-a"), Some("task-b"), Some("task-c"), None, None]
    );
    let strays: Vec<_> = submission.strays().iter().map(TaskId::as_str).collect();
    assert_eq!(strays, ["task-a-again", "task-x"]);
    let refusal = |at: usize| submission.entries()[at].result().unwrap_err();
    assert!(matches!(refusal(3).retry(), Retry::After(_)));
    assert_eq!(refusal(4).retry(), Retry::Ambiguous);
}

#[tokio::test]
async fn no_task_id_in_an_odd_response_is_lost() {
    let element = r#"{"code": 200, "dataId": "a", "taskId": "task-a"}"#;
    let whole = format!(r#"{{"code": 200, "data": [{element}]}}"#);
    let answers: [(&str, Vec<u8>); 17] = [
        ("no code", format!(r#"{{"data": [{element}]}}"#).into()),
        (
            "no code, one element",
            format!(r#"{{"data": {element}}}"#).into(),
        ),
        (
            "a word for a code",
            format!(r#"{{"code": "OK", "data": [{element}]}}"#).into(),
        ),
        (
            "a code out of range",
            format!(r#"{{"code": -1, "data": [{element}]}}"#).into(),
        ),
        (
            "a gateway's code",
            format!(r#"{{"Code": "InternalError", "Data": [{element}]}}"#).into(),
        ),
        (
            "capitals",
            whole
                .replace("taskId", "TASKID")
                .replace("data\"", "Data\"")
                .into(),
        ),
        (
            "null beside it",
            whole.replace(r#""data""#, r#""data": null, "Data""#).into(),
        ),
        ("a list alone", format!("[{element}]").into()),
        ("a mark before it", format!("\u{feff}{whole}").into()),
        ("more after it", format!("{whole}<!-- proxied -->").into()),
        ("more before it", format!("\r\n{whole}").into()),
        (
            "white space in it",
            whole.replace("\"task-a\"", "\" task-a\\n\"").into(),
        ),
        (
            "cut off",
            format!(r#"{{"code": 200, "data": [{element}, {{"code": 200, "taskId": "ta"#).into(),
        ),
        (
            "cut off in a name",
            format!(r#"{{"code": 200, "data": [{element}, {{"co"#).into(),
        ),
        (
            "no end",
            format!(r#"{{"code": 200, "data": [{element}"#).into(),
        ),
        (
            "another element that is no JSON",
            format!(r#"{{"code": 200, "data": [{{"url": "\ud800"}}, {element}]}}"#).into(),
        ),
        ("not UTF-8", {
            let mut bytes = br#"{"code": 200, "msg": ""#.to_vec();
            bytes.extend(b"\xb3\xc9\xb9\xa6\xff");
            bytes.extend(format!(r#"", "data": [{element}]}}"#).bytes());
            bytes
        }),
    ];
    for (name, body) in answers {
        for status in [200, 500] {
            let server = Server::steps([Step::Answer(status, Vec::new(), body.clone())]).await;
            let submission = server
                .client()
                .submit(batch(&["a", "b"]), &[Scene::Porn])
                .await;
            let submission =
                submission.unwrap_or_else(|error| panic!("{name}: {}", error.report()));
            let ids: Vec<_> = submission.task_ids().map(TaskId::as_str).collect();
            assert_eq!(ids, ["task-a"], "{name}");
            // The other task's result is unknown.
            let other = submission.entries()[1].result().unwrap_err();
            assert_eq!(other.retry(), Retry::Ambiguous, "{name}");
            assert_eq!(server.requests().len(), 1, "{name}");
        }
    }
}

#[tokio::test]
async fn ids_may_be_numbers() {
    let server = Server::with(|request| match request.path.as_str() {
        "/green/image/asyncscan" => Step::json(
            200,
            &json!({"code": 200, "data": [{"code": 200, "dataId": 7, "taskId": 9_007_199_254_740_993_u64}]}),
        ),
        _ => Step::json(
            200,
            &json!({"code": 200, "data": [{"code": 594, "dataId": 7, "taskId": 9_007_199_254_740_993_u64}]}),
        ),
    })
    .await;
    let client = server.client();
    let submission = client.submit(batch(&["7"]), &[Scene::Porn]).await.unwrap();
    let ids: Vec<_> = submission.task_ids().map(TaskId::as_str).collect();
    assert_eq!(ids, ["9007199254740993"]);
    let reports = client.wait(&submission).await.unwrap();
    assert_eq!(reports[0].task_id().as_str(), "9007199254740993");
    assert_eq!(reports[0].data_id().unwrap().as_str(), "7");
}

/// The received part of a response is kept if the connection is lost or stalls.
#[tokio::test]
async fn ids_received_before_a_lost_connection_are_kept() {
    let body = r#"{"code": 200, "data": [{"code": 200, "dataId": "a", "taskId": "task-a"}, {"da"#;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{body}");
    for step in [
        Step::Raw(answer.clone().into_bytes()),
        Step::RawStall(answer.into_bytes(), Duration::from_secs(60)),
    ] {
        let server = Server::steps([step.clone()]).await;
        let time = Duration::from_millis(500);
        let client = server.builder().attempt_timeout(time).build().unwrap();
        let submission = client
            .submit(batch(&["a", "b"]), &[Scene::Porn])
            .await
            .unwrap();
        let ids: Vec<_> = submission.task_ids().map(TaskId::as_str).collect();
        assert_eq!(ids, ["task-a"], "{step:?}");
        let other = submission.entries()[1].result().unwrap_err();
        assert_eq!(other.retry(), Retry::Ambiguous, "{step:?}");
    }
}

/// A secret in a message, a code, a request id or an element's message, written in any way.
#[tokio::test]
async fn an_echoed_secret_is_redacted() {
    const TOKEN: &str = "CAIS+tok/en==of&a<session>";
    let each = |write: fn(char) -> String| TOKEN.chars().map(write).collect::<String>();
    let written = [
        TOKEN.to_owned(),
        each(|c| format!("\\u{:04x}", u32::from(c))),
        each(|c| format!("%{:02X}", u32::from(c))),
        each(|c| format!("&#{};", u32::from(c))),
        TOKEN
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('/', "&#x2F;"),
    ];
    for secret in written {
        let echo = format!("InvalidToken.{secret}");
        let gateway = json!({"Code": echo, "Message": echo, "RequestId": echo});
        let service = json!({"code": 400, "msg": echo, "requestId": echo});
        let task = json!({"code": 400, "msg": echo, "dataId": "a"});
        let mismatch = format!(
            "Specified signature is not matched. server string to sign is:POST\n{}{secret}\n{}",
            "x".repeat(100),
            "y".repeat(100)
        );
        let answers = [
            Step::json(400, &gateway),
            Step::json(200, &service),
            Step::json(
                200,
                &json!({"code": 200, "requestId": echo, "data": [task]}),
            ),
            Step::json(
                400,
                &json!({"Code": "SignatureDoesNotMatch", "Message": mismatch}),
            ),
            Step::text(502, &format!("<p>{echo}")),
            // As the raw JSON text.
            Step::text(200, &format!(r#"{{"code": 400, "msg": "{secret}"}}"#)),
        ];
        for step in answers {
            let server = Server::steps([step.clone()]).await;
            let client = server
                .builder()
                .credentials(
                    Credentials::new("LTAI", Secret::new("0123456789secret"))
                        .with_security_token(TOKEN),
                )
                .build()
                .unwrap();
            let result = client.submit(batch(&["a"]), &[Scene::Porn]).await;
            let report = result
                .as_ref()
                .map_or_else(greenlight::Error::report, |_| String::new());
            let shown = format!("{report} {result:?}");
            let half: String = secret.chars().take(secret.len() / 2).collect();
            for beginning in ["CAIS+tok", &half] {
                assert!(!shown.contains(beginning), "{step:?}: {shown}");
            }
            assert!(shown.contains("<redacted>"), "{step:?}: {shown}");
        }
    }
}

/// A server with a full connection queue: the next connection is never established.
#[expect(
    clippy::disallowed_methods,
    reason = "the test's own connections, on loopback"
)]
#[tokio::test]
async fn a_connection_that_hangs_is_not_ambiguous() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let time = Duration::from_millis(200);
        waiting.push(tokio::time::timeout(time, tokio::net::TcpStream::connect(address)).await);
    }
    assert!(waiting.iter().any(Result::is_err), "the queue is full");
    let client = Client::builder()
        .endpoint(&format!("http://{address}"))
        .credentials(Credentials::new("id", Secret::new("secret")))
        .attempt_timeout(Duration::from_millis(300))
        .max_attempts(2)
        .build()
        .unwrap();
    let error = client
        .submit(batch(&["a"]), &[Scene::Porn])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(
        matches!(error.retry(), Retry::After(_)),
        "{}",
        error.report()
    );
    assert!(
        error.to_string().contains("no connection within 0."),
        "{error}"
    );
    assert_eq!(error.attempts(), 2);
    assert!(error.data_ids().is_empty());
}

/// The server accepts the connection and never sends a TLS message.
#[tokio::test]
async fn a_handshake_that_hangs_is_not_ambiguous() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let client = Client::builder()
        .endpoint(&format!("https://{address}"))
        .credentials(Credentials::new("id", Secret::new("secret")))
        .attempt_timeout(Duration::from_millis(300))
        .max_attempts(1)
        .build()
        .unwrap();
    let error = client
        .submit(batch(&["a"]), &[Scene::Porn])
        .await
        .unwrap_err();
    assert!(
        matches!(error.retry(), Retry::After(_)),
        "{}",
        error.report()
    );
}

#[tokio::test]
async fn a_proxy_is_used_only_if_configured() {
    let proxy = Server::with(accepted).await;
    let address = proxy
        .url()
        .replacen("http://", "http://user:pr0xy-pass@", 1);
    let client = Client::builder()
        .endpoint("http://127.0.0.1:9")
        .credentials(Credentials::new("id", Secret::new("secret")))
        .proxy(&address)
        .build()
        .unwrap();
    client.submit(batch(&["a"]), &[Scene::Porn]).await.unwrap();
    assert_eq!(
        proxy.requests()[0].path,
        "http://127.0.0.1:9/green/image/asyncscan"
    );
    let builder = Client::builder().proxy(&address);
    assert!(!format!("{builder:?} {client:?}").contains("pr0xy"));
}

#[tokio::test]
async fn an_endless_response_is_bounded() {
    let server = Server::with(|_| Step::text(200, &" ".repeat((2 << 20) + 1))).await;
    let client = server.builder().max_attempts(1).build().unwrap();
    let error = client
        .results(&[TaskId::parse("a").unwrap()])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains("too long"), "{error}");
}

/// Compresses: 31 window bits for gzip, 15 for zlib, -15 for neither header.
fn compressed(text: &[u8], window_bits: i32) -> Vec<u8> {
    let config = zlib_rs::DeflateConfig {
        window_bits,
        ..zlib_rs::DeflateConfig::new(6)
    };
    let mut deflate = zlib_rs::Deflate::new_with_config(config);
    let mut out = vec![0; text.len() + 1_000];
    let status = deflate.compress(text, &mut out, zlib_rs::DeflateFlush::Finish);
    assert_eq!(status, Ok(zlib_rs::Status::StreamEnd));
    out.truncate(deflate.total_out().try_into().unwrap());
    out
}

#[tokio::test]
async fn an_unrequested_compressed_response_is_read() {
    let json = json!({"code": 200, "data": [{"code": 200, "dataId": "a", "taskId": "task-a"}]});
    let plain = json.to_string().into_bytes();
    for (coding, body) in [
        (Some("gzip"), compressed(&plain, 31)),
        (Some("GZIP"), compressed(&plain, 31)),
        (Some("x-gzip"), compressed(&plain, 31)),
        (None, compressed(&plain, 31)),
        (Some("deflate"), compressed(&plain, 15)),
        (Some("deflate"), compressed(&plain, -15)),
        // The header is wrong.
        (Some("gzip"), plain.clone()),
        (Some("br"), plain.clone()),
        (Some("identity"), plain.clone()),
        (Some("utf-8"), plain.clone()),
    ] {
        let mut step = Step::Answer(200, Vec::new(), body);
        if let Some(coding) = coding {
            step = step.with_header("content-encoding", coding);
        }
        let server = Server::steps([step]).await;
        let submission = server.client().submit(batch(&["a"]), &[Scene::Porn]).await;
        let ids: Vec<_> = submission
            .unwrap()
            .task_ids()
            .map(ToString::to_string)
            .collect();
        assert_eq!(ids, ["task-a"], "{coding:?}");
        let requests = server.requests();
        assert_eq!(requests[0].header("accept-encoding"), Some("identity"));
    }
}

#[tokio::test]
async fn the_ids_in_a_truncated_compressed_answer_are_kept() {
    let elements: Vec<_> = ["a", "b"]
        .iter()
        .map(|id| json!({"code": 200, "dataId": id, "taskId": format!("task-{id}"), "msg": id.repeat(40)}))
        .collect();
    let whole =
        json!({"code": 200, "data": elements, "requestId": "0123456789abcdefghijklmnopqrstuvwxyz"});
    let mut body = compressed(whole.to_string().as_bytes(), 31);
    body.truncate(body.len() - 20);
    let step = Step::Answer(200, Vec::new(), body).with_header("content-encoding", "gzip");
    let server = Server::steps([step]).await;
    let submission = server
        .client()
        .submit(batch(&["a", "b"]), &[Scene::Porn])
        .await;
    assert_eq!(submission.unwrap().task_ids().count(), 2);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_corrupt_compressed_response_is_ambiguous() {
    for coding in ["br", "zstd", "compress", "gzip, br"] {
        let step = Step::Answer(200, Vec::new(), vec![0x8b, 0x05, 0x80, 0x00, 0x03])
            .with_header("content-encoding", coding);
        let server = Server::steps([step]).await;
        let error = server
            .client()
            .submit(batch(&["a"]), &[Scene::Porn])
            .await
            .unwrap_err();
        assert_eq!(error.retry(), Retry::Ambiguous, "{coding}");
        assert_eq!(error.data_ids().len(), 1, "{coding}");
        let report = error.report();
        assert!(
            report.contains(&format!("compressed with {coding}")),
            "{report}"
        );
        assert_eq!(server.requests().len(), 1, "{coding}");
    }
}

#[tokio::test]
async fn a_decompressed_response_is_bounded() {
    let bomb = compressed(&vec![b' '; 64 << 20], 31);
    assert!(bomb.len() < 100_000);
    let server = Server::with(move |_| {
        Step::Answer(200, Vec::new(), bomb.clone()).with_header("content-encoding", "gzip")
    })
    .await;
    let client = server.builder().max_attempts(1).build().unwrap();
    let error = client
        .results(&[TaskId::parse("a").unwrap()])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
}
