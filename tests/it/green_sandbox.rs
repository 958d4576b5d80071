//! The client with the sandbox: for each failure the result for the caller, the number of billed
//! tasks, and that no task id is lost.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{path::Path, time::Duration};

use greenlight::{
    DataId, Error, ErrorKind, ImageUrl, Inspection, Requirements, Retry, Scene, TaskId,
    green::{
        Batch, Client, ClientBuilder, Content, Credentials, Feedback,
        OutcomeDecision::{Block, Pass, Review},
        ScanOptions, Secret, Submission, Suggestion, Task, TaskState,
    },
    sandbox::{Fault, Operation, Sandbox, Share, When},
};

async fn sandbox() -> Sandbox {
    Sandbox::builder()
        .serve("fixtures/images")
        .start()
        .await
        .unwrap()
}

fn builder(sandbox: &Sandbox) -> ClientBuilder {
    let key = sandbox.credentials();
    let mut credentials = Credentials::new(key.id(), Secret::new(key.secret()));
    if let Some(token) = key.token() {
        credentials = credentials.with_security_token(token);
    }
    Client::builder()
        .endpoint(&sandbox.endpoint())
        .credentials(credentials)
        .attempt_timeout(Duration::from_millis(400))
        .poll_interval(Duration::from_millis(5))
}

fn client(sandbox: &Sandbox) -> Client {
    builder(sandbox).build().unwrap()
}

/// Four images, whose names select the outcome: pass, block, review, pass.
fn four(sandbox: &Sandbox) -> Batch {
    let names = [
        "png/rgb.png",
        "jpeg/porn-in-its-name.jpg",
        "gif/sexy-in-its-name.gif",
        "bmp/v5.bmp",
    ];
    let tasks = names.iter().enumerate().map(|(number, name)| {
        let url = ImageUrl::parse(&sandbox.url_for(name).unwrap()).unwrap();
        Task::unchecked(url).with_data_id(DataId::parse(&format!("image-{number}")).unwrap())
    });
    Batch::new(tasks).unwrap()
}

async fn submit(sandbox: &Sandbox, client: &Client) -> Result<Submission, Error> {
    client.submit(four(sandbox), &[Scene::Porn]).await
}

/// The expected result for the caller.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// This many task ids.
    Taken(usize),
    /// Rejected permanently, with this kind of error.
    Refused(ErrorKind),
    /// Ambiguous, with all four data ids.
    Ambiguous,
}

/// A response of a server that cannot have forwarded the request.
const NOT_THE_SERVICE: Seen = Seen::Refused(ErrorKind::Answer);

#[tokio::test]
async fn no_submission_failure_is_billed_twice_or_loses_an_id() {
    use Seen::{Ambiguous, Refused, Taken};
    let wait = Some(Duration::from_millis(1));
    let cases = [
        // fault, expected result, billed tasks, requests
        (Fault::Service(588), Taken(4), 4, 2),
        (Fault::Service(500), Taken(4), 4, 2),
        (Fault::Service(580), Taken(4), 4, 2),
        (Fault::Service(581), Taken(4), 4, 2),
        (Fault::Service(585), Taken(4), 4, 2),
        (Fault::Service(591), Taken(4), 4, 2),
        (Fault::ServiceStatus(500), Taken(4), 4, 2),
        (Fault::ServiceStatus(588), Taken(4), 4, 2),
        (Fault::ServiceStatus(403), Refused(ErrorKind::Refused), 0, 1),
        (Fault::Capitalised, Taken(4), 4, 1),
        (Fault::Service(400), Refused(ErrorKind::Refused), 0, 1),
        (Fault::Service(596), Refused(ErrorKind::Refused), 0, 1),
        (Fault::Tasks(588, Share::Half), Taken(2), 2, 1),
        (Fault::Tasks(592, Share::First), Taken(3), 3, 1),
        (Fault::Tasks(588, Share::All), Taken(0), 0, 1),
        (Fault::Throttled(400, wait), Taken(4), 4, 2),
        (Fault::Throttled(429, wait), Taken(4), 4, 2),
        (Fault::Throttled(503, wait), Taken(4), 4, 2),
        (Fault::Gateway(503, When::Before), Taken(4), 4, 2),
        (Fault::Gateway(500, When::Before), Ambiguous, 0, 1),
        (Fault::Gateway(500, When::After), Ambiguous, 4, 1),
        (Fault::Html(502, When::Before), Ambiguous, 0, 1),
        (Fault::Html(502, When::After), Ambiguous, 4, 1),
        (Fault::Html(503, When::After), Ambiguous, 4, 1),
        (Fault::Html(302, When::After), Ambiguous, 4, 1),
        (Fault::Html(400, When::After), Ambiguous, 4, 1),
        (Fault::Html(403, When::After), Ambiguous, 4, 1),
        (Fault::Html(404, When::Before), NOT_THE_SERVICE, 0, 1),
        (Fault::Html(405, When::Before), NOT_THE_SERVICE, 0, 1),
        (Fault::Html(407, When::Before), NOT_THE_SERVICE, 0, 1),
        (Fault::Html(413, When::After), Ambiguous, 4, 1),
        (Fault::Html(429, When::After), Ambiguous, 4, 1),
        (Fault::Html(200, When::After), Ambiguous, 4, 1),
        (Fault::Delay(Duration::from_secs(2)), Ambiguous, 4, 1),
        (Fault::Empty, Ambiguous, 4, 1),
        // The part before the cut is kept.
        (Fault::CutBody, Taken(2), 4, 1),
        (Fault::ShortBody, Taken(2), 4, 1),
        (Fault::Close(When::Before), Ambiguous, 0, 1),
        (Fault::Close(When::After), Ambiguous, 4, 1),
        (Fault::Shuffled, Taken(4), 4, 1),
        (Fault::Missing(Share::Half), Taken(2), 4, 1),
        (Fault::Missing(Share::All), Taken(0), 4, 1),
    ];
    for (fault, seen, paid, requests) in cases {
        let sandbox = sandbox().await;
        sandbox.inject(Operation::AsyncScan, fault.clone());
        let client = client(&sandbox);
        let result = submit(&sandbox, &client).await;
        match (&result, seen) {
            (Ok(submission), Taken(taken)) => {
                assert_eq!(submission.task_ids().count(), taken, "{fault:?}");
                assert!(submission.strays().is_empty());
                for entry in submission.entries() {
                    let number = entry.data_id().as_str().strip_prefix("image-").unwrap();
                    let names = ["rgb.png", "porn-in", "sexy-in", "v5.bmp"];
                    let name = names[number.parse::<usize>().unwrap()];
                    assert!(entry.url().as_str().contains(name), "{fault:?}");
                }
            }
            (Err(error), Refused(kind)) => {
                assert_eq!(
                    (error.kind(), error.retry()),
                    (kind, Retry::Never),
                    "{fault:?}"
                );
                assert!(error.data_ids().is_empty(), "{fault:?}");
            }
            (Err(error), Ambiguous) => {
                assert_eq!(
                    error.retry(),
                    Retry::Ambiguous,
                    "{fault:?}: {}",
                    error.report()
                );
                assert_eq!(error.data_ids().len(), 4, "{fault:?}");
            }
            _ => panic!("{fault:?}: {result:?}"),
        }
        if matches!(fault, Fault::Delay(_)) {
            // The request was sent; the service may execute it at any time.
            assert!(sandbox.paid() <= paid);
        } else {
            assert_eq!(sandbox.paid(), paid, "{fault:?}");
        }
        assert_eq!(sandbox.requests(), requests, "{fault:?}");
    }
}

#[tokio::test]
async fn an_omitted_task_is_ambiguous_and_a_rejected_one_is_not() {
    let sandbox = sandbox().await;
    sandbox.inject(Operation::AsyncScan, Fault::Missing(Share::First));
    sandbox.inject(Operation::AsyncScan, Fault::Tasks(588, Share::First));
    let client = client(&sandbox);
    let first = |submission: &Submission| {
        let refusal = submission.entries()[0].result().unwrap_err();
        (refusal.retry(), refusal.is_ambiguous())
    };
    let left_out = submit(&sandbox, &client).await.unwrap();
    assert_eq!(first(&left_out), (Retry::Ambiguous, true));
    let refused = submit(&sandbox, &client).await.unwrap();
    assert!(matches!(first(&refused), (Retry::After(_), false)));
}

#[tokio::test]
async fn no_poll_failure_loses_an_outcome() {
    let faults = [
        vec![Fault::Service(588)],
        vec![Fault::Service(500), Fault::Service(500)],
        vec![Fault::Throttled(400, None)],
        vec![Fault::Gateway(500, When::Before)],
        vec![Fault::Gateway(503, When::After)],
        vec![
            Fault::Html(502, When::Before),
            Fault::Html(200, When::After),
        ],
        vec![Fault::Delay(Duration::from_secs(2))],
        vec![Fault::Empty],
        vec![Fault::CutBody, Fault::ShortBody],
        vec![Fault::Close(When::Before), Fault::Close(When::After)],
        vec![Fault::Shuffled],
        vec![
            Fault::Missing(Share::Half),
            Fault::Missing(Share::All),
            Fault::Missing(Share::First),
        ],
        vec![
            Fault::Tasks(280, Share::All),
            Fault::Tasks(280, Share::Half),
        ],
    ];
    for faults in faults {
        let sandbox = Sandbox::builder()
            .polls(1)
            .serve("fixtures/images")
            .start()
            .await
            .unwrap();
        for fault in &faults {
            sandbox.inject(Operation::Results, fault.clone());
        }
        let client = client(&sandbox);
        let submission = submit(&sandbox, &client).await.unwrap();
        let reports = client.wait(&submission).await.unwrap();
        let decisions: Vec<_> = submission
            .task_ids()
            .map(|id| {
                let report = reports
                    .iter()
                    .find(|report| report.task_id() == id)
                    .unwrap();
                report.outcome().unwrap().decision()
            })
            .collect();
        assert_eq!(decisions, [Pass, Block, Review, Pass], "{faults:?}");
        assert_eq!(reports.len(), 4, "{faults:?}");
        assert_eq!(sandbox.paid(), 4, "{faults:?}");
    }
}

#[tokio::test]
async fn missing_tasks_are_reported() {
    let sandbox = sandbox().await;
    let client = client(&sandbox);
    let submission = submit(&sandbox, &client).await.unwrap();
    sandbox.inject(Operation::Results, Fault::Forgotten);
    let reports = client.wait(&submission).await.unwrap();
    assert_eq!(reports.len(), 4);
    assert!(
        reports
            .iter()
            .all(|report| matches!(report.state(), TaskState::Expired))
    );
}

#[tokio::test]
async fn a_failed_task_does_not_delay_others() {
    let sandbox = sandbox().await;
    let client = client(&sandbox);
    let submission = submit(&sandbox, &client).await.unwrap();
    sandbox.inject(Operation::Results, Fault::Tasks(592, Share::First));
    let reports = client.wait(&submission).await.unwrap();
    let failed: Vec<_> = reports
        .iter()
        .filter_map(|report| match report.state() {
            TaskState::Failed(refusal) => Some((report.task_id().clone(), refusal.code())),
            _ => None,
        })
        .collect();
    assert_eq!(
        failed,
        [(submission.task_ids().next().unwrap().clone(), 592)]
    );
    assert_eq!(reports.len(), 4);
}

#[tokio::test]
async fn clock_skew_of_hours_costs_one_request() {
    let hours = Duration::from_secs(5 * 3600);
    for late in [true, false] {
        let sandbox = sandbox().await;
        if late {
            sandbox.put_clock_forward(hours);
        } else {
            sandbox.put_clock_back(hours);
        }
        let client = client(&sandbox);
        for _ in 0..3 {
            assert_eq!(
                submit(&sandbox, &client).await.unwrap().task_ids().count(),
                4
            );
        }
        assert_eq!(sandbox.requests(), 4);
        assert_eq!(sandbox.paid(), 12);
    }
}

#[tokio::test]
async fn the_sandbox_accepts_acs3_signatures() {
    use greenlight::green::{ClientInfo, SignatureStyle};
    for token in [None, Some("CAIS+token/with==specials")] {
        let mut sandbox = Sandbox::builder().serve("fixtures/images");
        if let Some(token) = token {
            sandbox = sandbox.security_token(token);
        }
        let sandbox = sandbox.start().await.unwrap();
        sandbox.put_clock_forward(Duration::from_secs(5 * 3600));
        let newer = builder(&sandbox)
            .signature(SignatureStyle::Acs3)
            .client_info(ClientInfo::new().with_user_nick("名 & nick=+%~*"));
        let client = newer.clone().build().unwrap();
        let submission = submit(&sandbox, &client).await.unwrap();
        let reports = client.wait(&submission).await.unwrap();
        assert_eq!(reports.len(), 4);
        // One was for the clock.
        assert_eq!((sandbox.requests(), sandbox.paid()), (3, 4));

        let key = sandbox.credentials();
        let wrong = Credentials::new(key.id(), Secret::new("an0ther-secret"));
        let client = newer.credentials(wrong).build().unwrap();
        let error = submit(&sandbox, &client).await.unwrap_err();
        assert_eq!(error.service_code(), Some("SignatureDoesNotMatch"));
        assert_eq!(sandbox.paid(), 4);
    }
}

#[tokio::test]
async fn a_wrong_secret_is_explained() {
    let sandbox = sandbox().await;
    let key = sandbox.credentials();
    let client = builder(&sandbox)
        .credentials(Credentials::new(key.id(), Secret::new("an0ther-secret")))
        .build()
        .unwrap();
    let error = submit(&sandbox, &client).await.unwrap_err();
    assert_eq!(error.service_code(), Some("SignatureDoesNotMatch"));
    let report = error.report();
    assert!(
        report.contains("both sides signed the same text"),
        "{report}"
    );
    assert!(!report.contains("an0ther"), "{report}");
}

#[tokio::test]
async fn requests_with_unicode_and_a_token_are_signed_correctly() {
    use greenlight::green::{Callback, ClientInfo, Secret};
    let sandbox = Sandbox::builder()
        .security_token("CAIS+token/with==specials")
        .serve("fixtures/images")
        .start()
        .await
        .unwrap();
    let info = ClientInfo::new()
        .with_user_nick("名 & nick=+%")
        .with_ip("127.0.0.2")
        .with_user_id("1");
    for builder in [
        builder(&sandbox).client_info(info.clone()),
        builder(&sandbox)
            .client_info(info.clone())
            .client_info_as_documented(),
    ] {
        let client = builder.biz_type("shop").build().unwrap();
        let mut extras = serde_json::Map::new();
        extras.insert("kind".into(), "卡".into());
        let options = ScanOptions::new(&[Scene::Porn, Scene::Ad])
            .with_callback(Callback::new("https://example.com/hook", Secret::new("seed")).unwrap())
            .with_near_line()
            .with_extras(extras);
        let url = sandbox.url_for("png/rgb.png").unwrap();
        let task = Task::unchecked(ImageUrl::parse(&url).unwrap())
            .with_interval(2)
            .with_max_frames(3)
            .with_time(std::time::UNIX_EPOCH + Duration::from_secs(1_500_000_000))
            .with_client_info(info.clone());
        let batch = Batch::new([task]).unwrap();
        let submission = client.submit_with(batch, &options).await.unwrap();
        assert_eq!(submission.task_ids().count(), 1);
    }
    assert_eq!((sandbox.paid(), sandbox.billed()), (2, 4));
}

#[tokio::test]
async fn a_synchronous_scan_returns_outcomes() {
    let sandbox = sandbox().await;
    let client = client(&sandbox);
    let options = ScanOptions::new(&[Scene::Porn]);
    let scanned = client.scan(four(&sandbox), &options).await.unwrap();
    let decisions: Vec<_> = scanned
        .iter()
        .map(|scanned| scanned.result().unwrap().decision())
        .collect();
    assert_eq!(decisions, [Pass, Block, Review, Pass]);

    sandbox.inject(Operation::SyncScan, Fault::Close(When::After));
    let error = client.scan(four(&sandbox), &options).await.unwrap_err();
    assert_eq!(
        (error.retry(), error.data_ids().len()),
        (Retry::Ambiguous, 4)
    );
    assert_eq!(sandbox.paid(), 8);
}

#[tokio::test]
async fn no_sync_scan_failure_is_billed_twice_or_loses_an_outcome() {
    use Seen::{Ambiguous, Refused, Taken};
    let cases = [
        // fault, outcomes, billed tasks, requests
        (Fault::Service(588), Taken(4), 4, 2),
        (Fault::Service(500), Taken(4), 4, 2),
        (Fault::ServiceStatus(580), Taken(4), 4, 2),
        (Fault::Service(590), Refused(ErrorKind::Refused), 0, 1),
        (Fault::Capitalised, Taken(4), 4, 1),
        (Fault::Tasks(592, Share::Half), Taken(2), 2, 1),
        (Fault::Throttled(400, None), Taken(4), 4, 2),
        (Fault::Gateway(503, When::Before), Taken(4), 4, 2),
        (Fault::Gateway(500, When::After), Ambiguous, 4, 1),
        (Fault::Html(502, When::After), Ambiguous, 4, 1),
        (Fault::Html(403, When::After), Ambiguous, 4, 1),
        (Fault::Html(429, When::After), Ambiguous, 4, 1),
        (Fault::Empty, Ambiguous, 4, 1),
        // The part before the cut is kept.
        (Fault::CutBody, Taken(2), 4, 1),
        (Fault::ShortBody, Taken(2), 4, 1),
        (Fault::Close(When::Before), Ambiguous, 0, 1),
        (Fault::Close(When::After), Ambiguous, 4, 1),
        (Fault::Shuffled, Taken(4), 4, 1),
        (Fault::Missing(Share::Half), Taken(2), 4, 1),
    ];
    for (fault, seen, paid, requests) in cases {
        let sandbox = sandbox().await;
        sandbox.inject(Operation::SyncScan, fault.clone());
        let options = ScanOptions::new(&[Scene::Porn]);
        let result = client(&sandbox).scan(four(&sandbox), &options).await;
        match (&result, seen) {
            (Ok(scanned), Taken(taken)) => {
                assert_eq!(scanned.len(), 4, "{fault:?}");
                let found = scanned.iter().filter(|scanned| scanned.result().is_ok());
                assert_eq!(found.count(), taken, "{fault:?}");
                let right = [Pass, Block, Review, Pass];
                for (scanned, right) in scanned.iter().zip(right) {
                    match scanned.result() {
                        Ok(outcome) => {
                            assert_eq!(outcome.decision(), right, "{fault:?}");
                            assert!(scanned.task_id().is_some(), "{fault:?}");
                        }
                        Err(refusal) => assert_ne!(refusal.retry(), Retry::Never, "{fault:?}"),
                    }
                }
            }
            (Err(error), Refused(kind)) => assert_eq!(error.kind(), kind, "{fault:?}"),
            (Err(error), Ambiguous) => {
                assert_eq!(error.retry(), Retry::Ambiguous, "{fault:?}");
                assert_eq!(error.data_ids().len(), 4, "{fault:?}");
            }
            _ => panic!("{fault:?}: {result:?}"),
        }
        assert_eq!(sandbox.paid(), paid, "{fault:?}");
        assert_eq!(sandbox.requests(), requests, "{fault:?}");
    }
}

#[tokio::test]
async fn temporary_failures_of_free_calls_are_retried() {
    let faults = [
        Fault::Service(500),
        Fault::Throttled(429, None),
        Fault::Gateway(500, When::Before),
        Fault::Gateway(503, When::After),
        Fault::Close(When::Before),
        Fault::Close(When::After),
        Fault::Html(502, When::After),
        Fault::Empty,
        Fault::CutBody,
        Fault::ShortBody,
        Fault::Delay(Duration::from_millis(600)),
    ];
    let bytes = std::fs::read("fixtures/images/png/rgb.png").unwrap();
    let content = Content::bytes(bytes.clone());
    for fault in faults {
        let sandbox = sandbox().await;
        let client = client(&sandbox);
        let accepted = Requirements::ASYNC.judge(Inspection::of(&bytes));
        for operation in [
            Operation::UploadCredentials,
            Operation::Upload,
            Operation::Feedback,
        ] {
            sandbox.inject(operation, fault.clone());
        }
        let receipt = client
            .upload(accepted.into_result().unwrap(), &content)
            .await;
        let url = receipt.unwrap().subject().as_str().to_owned();
        let (_, key) = url.strip_prefix("oss://").unwrap().split_once('/').unwrap();
        assert_eq!(sandbox.object(key).unwrap(), bytes, "{fault:?}");
        let submission = submit(&sandbox, &client).await.unwrap();
        let task = submission.task_ids().next().unwrap().clone();
        let feedback = Feedback::new(task).with_suggestion(Suggestion::Pass, &[Scene::Porn]);
        client.feedback(&feedback).await.unwrap();
        assert_eq!(
            sandbox.requests_of(Operation::UploadCredentials),
            2,
            "{fault:?}"
        );
        assert_eq!(sandbox.requests_of(Operation::Feedback), 2, "{fault:?}");
        assert_eq!(sandbox.paid(), 4, "{fault:?}");
    }
}

#[tokio::test]
async fn polls_do_not_wait_behind_submissions() {
    let sandbox = sandbox().await;
    let one = std::num::NonZeroU32::MIN;
    let client = builder(&sandbox).requests_per_second(one).build().unwrap();
    let submission = submit(&sandbox, &client).await.unwrap();
    let tasks: Vec<TaskId> = submission.task_ids().cloned().collect();
    let more = submit(&sandbox, &client);
    let asked = client.results(&tasks);
    tokio::select! {
        biased;
        submission = Box::pin(more) => panic!("submitted first: {submission:?}"),
        reports = Box::pin(asked) => assert_eq!(reports.unwrap().len(), 4),
    }
}

#[tokio::test]
async fn a_local_image_is_uploaded_submitted_and_decided() {
    let sandbox = sandbox().await;
    let client = client(&sandbox);
    let path = Path::new("fixtures/images/gif/animated.gif");
    let bytes = std::fs::read(path).unwrap();
    let accepted = Requirements::ASYNC
        .judge(Inspection::of(&bytes))
        .into_result()
        .unwrap();
    let frames = accepted.inspection().unwrap().frames().unwrap();
    sandbox.inject(Operation::UploadCredentials, Fault::Close(When::After));
    let receipt = client.upload(accepted, &Content::file(path)).await.unwrap();
    let key = receipt.subject().as_str().to_owned();
    let key = key
        .strip_prefix("oss://")
        .unwrap()
        .split_once('/')
        .unwrap()
        .1;
    assert_eq!(sandbox.object(key).unwrap(), bytes);
    assert_eq!(sandbox.paid(), 0);

    let task = Task::new(receipt);
    assert_eq!(task.max_frames(), Some(frames));
    let submission = client
        .submit(Batch::new([task]).unwrap(), &[Scene::Porn])
        .await
        .unwrap();
    let reports = client.wait(&submission).await.unwrap();
    assert_eq!(reports[0].outcome().unwrap().decision(), Pass);
    let feedback = Feedback::new(reports[0].task_id().clone())
        .with_suggestion(Suggestion::Block, &[Scene::Porn])
        .with_note("a note, 注");
    client.feedback(&feedback).await.unwrap();
}

#[tokio::test]
async fn outcomes_of_many_requests_are_returned_as_they_arrive() {
    let sandbox = Sandbox::builder()
        .polls(1)
        .serve("fixtures/images")
        .start()
        .await
        .unwrap();
    let client = client(&sandbox);
    let mut ids: Vec<TaskId> = Vec::new();
    for _ in 0..30 {
        let batch = four(&sandbox);
        let submission = client.submit(batch, &[Scene::Porn]).await.unwrap();
        ids.extend(submission.task_ids().cloned());
    }
    let before = sandbox.requests();
    let mut watch = client.watch(ids.clone());
    let mut found = Vec::new();
    while let Some(report) = watch.next().await.unwrap() {
        found.push(report.task_id().clone());
    }
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
    // 120 tasks: two requests a round, two rounds.
    assert_eq!(sandbox.requests() - before, 4);
}

#[tokio::test]
async fn waiting_ends_in_time_and_lists_unfinished_tasks() {
    let sandbox = Sandbox::builder()
        .polls(u32::MAX)
        .serve("fixtures/images")
        .start()
        .await
        .unwrap();
    let client = builder(&sandbox)
        .wait_at_most(Duration::from_millis(60))
        .build()
        .unwrap();
    let submission = submit(&sandbox, &client).await.unwrap();
    let reports = client.wait(&submission).await.unwrap();
    assert_eq!(reports.len(), 4);
    assert!(
        reports
            .iter()
            .all(|report| matches!(report.state(), TaskState::Processing))
    );
}

#[tokio::test]
async fn a_dropped_poll_loses_nothing() {
    let sandbox = Sandbox::builder()
        .polls(2)
        .serve("fixtures/images")
        .start()
        .await
        .unwrap();
    let client = client(&sandbox);
    let submission = submit(&sandbox, &client).await.unwrap();
    let mut watch = client.watch(submission.task_ids().cloned());
    let mut found = 0;
    loop {
        match tokio::time::timeout(Duration::from_millis(3), watch.next()).await {
            Err(_) => {}
            Ok(next) => match next.unwrap() {
                Some(_) => found += 1,
                None => break,
            },
        }
    }
    assert_eq!(found, 4);
}

/// A client's request: parameters and headers in any order, text in any script.
fn any_request() -> impl proptest::strategy::Strategy<Value = (Vec<(String, String)>, Vec<usize>)> {
    use proptest::prelude::*;
    let parameters = prop::collection::btree_map("[a-zA-Z\u{e9}\u{4e2d}]{1,8}", "\\PC{1,12}", 0..5)
        .prop_map(|map| map.into_iter().collect::<Vec<_>>())
        .prop_shuffle();
    let order = Just((0..9).collect::<Vec<usize>>()).prop_shuffle();
    (parameters, order)
}

#[test]
fn the_sandbox_computes_the_same_signature() {
    use greenlight::green::sign::{self, Parts};
    use proptest::test_runner::{Config, TestRunner};

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    let key = sandbox.credentials();
    let credentials = Credentials::new(key.id(), Secret::new(key.secret()));
    let body = br#"["no-such-task"]"#;
    let md5 = sign::content_md5(body);
    let check = |(parameters, order): (Vec<(String, String)>, Vec<usize>)| {
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&jiff::Timestamp::now())
            .unwrap();
        let nonce = DataId::random();
        let known = [
            ("accept", "application/json"),
            ("content-md5", &md5),
            ("Content-Type", "application/json"),
            ("date", &date),
            ("x-acs-signature-method", "HMAC-SHA1"),
            ("X-Acs-Signature-Nonce", nonce.as_str()),
            ("x-acs-signature-version", "1.0"),
            ("x-acs-version", "2018-05-09"),
            ("x-not-signed", "1"),
        ];
        let headers: Vec<(&str, &str)> = order.iter().map(|at| known[*at]).collect();
        let query: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let signature = sign::roa(
            &Parts {
                method: "POST",
                path: "/green/image/results",
                query: &query,
                headers: &headers,
            },
            &credentials,
        );
        let encoded = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&query)
            .finish();
        let target = format!("/green/image/results?{encoded}");
        let mut request = crate::sandbox::raw::Request::new("POST", target.trim_end_matches('?'));
        request.body = body.to_vec();
        for (name, value) in headers {
            request = request.with(name, value);
        }
        let request = request.with("authorization", signature.authorization());
        let answer = runtime.block_on(request.ask(&sandbox));
        assert_eq!(answer.json()["code"], 200, "{}", answer.text());
        Ok(())
    };
    TestRunner::new(Config::with_cases(48))
        .run(&any_request(), check)
        .unwrap();
}
