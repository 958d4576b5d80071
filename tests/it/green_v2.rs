//! Image Moderation 2.0: signatures, the client with the sandbox, codes, levels and callbacks.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use greenlight::{
    Accepted, DataId, ErrorKind, ImageUrl, Inspection, RefusalSubject as Subject, Requirements,
    Retry, Scene, TaskId,
    green::{
        Api, ApiReply, Batch, Callback, Client, ClientBuilder, Content, Credentials, CryptType,
        Network, OssName, OssObject,
        OutcomeDecision::{self, Block, Pass, Review},
        RiskLevel, Secret, Submission, Task, TaskReport, TaskState, Terms, Watch,
        callback::{self, Verifier},
        sign::{self, Parts},
        v2::{self, ServiceCode},
    },
    sandbox::{Fault, Operation, Sandbox, When},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    green_server::{Server, Step},
    green_sign::{credentials, pairs},
};

fn vectors() -> Value {
    let text = include_str!("../../fixtures/vectors/green-cip.json");
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_request_of_an_official_library_gets_the_same_signature() {
    let vectors = vectors();
    for group in ["acs3_minimal", "acs3_python", "acs3_node"] {
        let group = vectors[group].as_array().unwrap();
        assert_eq!(group.len(), 15);
        for vector in group {
            // The Python library signs every header that it sends, the other two do not.
            let authorization = vector["authorization"].as_str().unwrap();
            let (_, signed) = authorization.split_once("SignedHeaders=").unwrap();
            let (signed, _) = signed.split_once(',').unwrap();
            let mut headers = pairs(&vector["headers"]);
            headers.retain(|(name, _)| signed.split(';').any(|signed| signed == *name));
            let signature = sign::acs3(
                &Parts {
                    method: vector["method"].as_str().unwrap(),
                    path: "/",
                    query: &pairs(&vector["query"]),
                    headers: &headers,
                },
                &credentials(vector),
            );
            let id = &vector["id"];
            assert_eq!(signature.string_to_sign(), vector["string_to_sign"], "{id}");
            assert_eq!(signature.authorization(), vector["authorization"], "{id}");
            let body = vector["body_utf8"].as_str().unwrap();
            assert_eq!(
                sign::content_sha256(body.as_bytes()),
                vector["headers"]["x-acs-content-sha256"],
                "{id}"
            );
        }
    }
}

#[test]
fn an_upload_of_the_official_library_gets_the_same_signature() {
    let vectors = vectors();
    for vector in vectors["oss_v1_put"].as_array().unwrap() {
        let token = |name: &str| vector["token"][name].as_str().unwrap();
        let credentials =
            Credentials::new(token("AccessKeyId"), Secret::new(token("AccessKeySecret")))
                .with_security_token(token("SecurityToken"));
        let path = format!("/{}", vector["object_key"].as_str().unwrap());
        let parts = Parts {
            method: "PUT",
            path: &path,
            query: &[],
            headers: &pairs(&vector["headers"]),
        };
        let signature = sign::oss(&parts, token("BucketName"), &credentials);
        let id = &vector["id"];
        assert_eq!(signature.string_to_sign(), vector["string_to_sign"], "{id}");
        assert_eq!(
            signature.authorization(),
            vector["headers"]["authorization"],
            "{id}"
        );
    }
}

fn builder(endpoint: &str, sandbox: Option<&Sandbox>) -> ClientBuilder {
    let credentials = match sandbox.map(Sandbox::credentials) {
        Some(key) => {
            let credentials = Credentials::new(key.id(), Secret::new(key.secret()));
            match key.token() {
                Some(token) => credentials.with_security_token(token),
                None => credentials,
            }
        }
        None => Credentials::new("test-id", Secret::new("test-secret")),
    };
    Client::builder()
        .endpoint(endpoint)
        .credentials(credentials)
        .poll_interval(Duration::from_millis(5))
}

fn client(sandbox: &Sandbox) -> v2::Client {
    builder(&sandbox.endpoint(), Some(sandbox))
        .build_v2()
        .unwrap()
}

fn task(name: &str) -> Task {
    let url = ImageUrl::parse(&format!("https://images.example/{name}.png")).unwrap();
    Task::unchecked(url).with_data_id(DataId::parse(&format!("id-{name}")).unwrap())
}

fn service() -> ServiceCode {
    "baselineCheck".parse().unwrap()
}

async fn sandbox() -> Sandbox {
    Sandbox::builder().polls(1).start().await.unwrap()
}

#[tokio::test]
async fn an_image_is_submitted_and_polled() {
    for token in [None, Some("CAIS/token+with==")] {
        let mut sandbox = Sandbox::builder().polls(1);
        if let Some(token) = token {
            sandbox = sandbox.security_token(token);
        }
        let sandbox = sandbox.start().await.unwrap();
        let client = client(&sandbox);
        for (name, expected, level) in [
            ("a cat \u{e9} & ~*()'!", Pass, RiskLevel::None),
            ("porn", Block, RiskLevel::High),
            ("sexy", Review, RiskLevel::Medium),
        ] {
            let url = format!("https://images.example/{name}?a=b&c=d+e#f");
            let url = ImageUrl::parse(&url.replace(' ', "%20").replace('\u{e9}', "%C3%A9"));
            let submission = client
                .submit(Task::unchecked(url.unwrap()), &service(), None)
                .await
                .unwrap();
            let reports = client.wait(&submission).await.unwrap();
            let outcome = reports[0].outcome().unwrap();
            assert_eq!(outcome.decision(), expected, "{name}");
            let result = &outcome.results()[0];
            assert_eq!(result.scene().as_str(), "baselineCheck");
            assert_eq!(result.risk_level(), Some(&level));
            assert_eq!(result.labels().len(), 1);
        }
        assert_eq!((sandbox.paid(), sandbox.billed()), (3, 3));
    }
}

#[tokio::test]
async fn the_synchronous_scans_return_outcomes() {
    let sandbox = sandbox().await;
    let client = client(&sandbox);
    let scanned = client.scan(task("porn"), &service()).await.unwrap();
    assert_eq!(scanned.result().unwrap().decision(), Block);
    let id = scanned.task_id().unwrap();
    let details = client.details(id, &["customImage", "textInImage"]).await;
    let details: Value = serde_json::from_str(&details.unwrap().unwrap()).unwrap();
    assert!(details["TextInImage"].is_object());

    let services = [service(), "tonalityImprove".parse().unwrap()];
    let scanned = client.scan_with_all(task("sexy"), &services).await.unwrap();
    let outcome = scanned.result().unwrap();
    assert_eq!(outcome.decision(), Review);
    let names: Vec<_> = outcome
        .results()
        .iter()
        .map(|r| r.scene().as_str())
        .collect();
    assert_eq!(names, ["baselineCheck", "tonalityImprove"]);
    assert_eq!((sandbox.paid(), sandbox.billed()), (2, 3));
    let nothing = client.scan_with_all(task("a"), &[]).await.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Usage);
}

#[tokio::test]
async fn a_file_is_uploaded_and_submitted() {
    let sandbox = sandbox().await;
    let client = client(&sandbox);
    let bytes = std::fs::read("fixtures/images/png/rgb.png").unwrap();
    let inspection = Inspection::of(&bytes);
    let accepted = Requirements::ASYNC.judge(inspection).into_result().unwrap();
    let uploaded = client
        .upload(accepted, &Content::bytes(bytes.clone()))
        .await;
    let uploaded = uploaded.unwrap();
    let (_, key) = uploaded
        .subject()
        .as_str()
        .split_at("oss://sandbox-uploads/".len());
    assert_eq!(sandbox.object(key), Some(bytes));
    let submission = client.submit(Task::new(uploaded), &service(), None).await;
    let reports = client.wait(&submission.unwrap()).await.unwrap();
    assert_eq!(reports[0].outcome().unwrap().decision(), Pass);
}

/// The codes of the table in `docs/what-can-go-wrong.md`: what a submission with each comes to.
#[tokio::test]
async fn each_code_of_a_submission_has_its_meaning() {
    // code, requests, kind of the error or success at the second request, subject
    let cases = [
        (280, 1, Some(ErrorKind::Refused), Subject::Request),
        (400, 1, Some(ErrorKind::Refused), Subject::Image),
        (401, 1, Some(ErrorKind::Refused), Subject::Image),
        (402, 1, Some(ErrorKind::Refused), Subject::Image),
        (403, 2, None, Subject::Request),
        (404, 2, None, Subject::Download),
        (405, 2, None, Subject::Download),
        (406, 1, Some(ErrorKind::Refused), Subject::Image),
        (407, 1, Some(ErrorKind::Refused), Subject::Image),
        (408, 1, Some(ErrorKind::Refused), Subject::Request),
        (409, 1, Some(ErrorKind::Refused), Subject::Request),
        (500, 2, None, Subject::Request),
        (777, 1, Some(ErrorKind::Refused), Subject::Request),
    ];
    for (code, requests, kind, subject) in cases {
        let sandbox = sandbox().await;
        sandbox.inject(Operation::ImageAsyncModeration, Fault::Service(code));
        let submitted = client(&sandbox).submit(task("a"), &service(), None).await;
        match (submitted, kind) {
            (Ok(submission), None) => assert_eq!(submission.task_ids().count(), 1, "{code}"),
            (Err(error), Some(kind)) => {
                assert_eq!(error.kind(), kind, "{code}: {error}");
                assert_eq!(error.retry(), Retry::Never, "{code}");
                assert_eq!(error.service_code(), Some(code.to_string().as_str()));
                assert_eq!(error.subject(), subject, "{code}");
            }
            (result, _) => panic!("{code}: {result:?}"),
        }
        assert_eq!(
            sandbox.requests_of(Operation::ImageAsyncModeration),
            requests,
            "{code}"
        );
        assert_eq!(sandbox.paid(), u64::from(kind.is_none()), "{code}");
    }
}

#[tokio::test]
async fn each_code_of_a_result_has_its_meaning() {
    let sandbox = sandbox().await;
    let client = client(&sandbox);
    let submission = client.submit(task("a"), &service(), None).await.unwrap();
    let id = submission.task_ids().next().unwrap();
    let polled = async |code| {
        let operation = Operation::DescribeImageModerationResult;
        sandbox.inject(operation, Fault::Service(code));
        let before = sandbox.requests_of(operation);
        let report = client.result(id).await;
        (report, sandbox.requests_of(operation) - before)
    };
    let (report, _) = polled(280).await;
    assert!(matches!(
        report.unwrap().unwrap().state(),
        TaskState::Processing
    ));
    // Too early, or no longer kept: nothing is known of the task.
    let (report, requests) = polled(409).await;
    assert!(report.unwrap().is_none());
    assert_eq!(requests, 1);
    for (code, subject, retry) in [
        (404, Subject::Download, true),
        (405, Subject::Download, true),
        (406, Subject::Image, false),
        (407, Subject::Image, false),
    ] {
        let (report, requests) = polled(code).await;
        let report = report.unwrap().unwrap();
        let TaskState::Failed(refusal) = report.state() else {
            panic!("{code}: {report:?}");
        };
        assert_eq!(i64::from(refusal.code()), code);
        assert_eq!(refusal.subject(), subject, "{code}");
        assert_eq!(matches!(refusal.retry(), Retry::After(_)), retry, "{code}");
        assert_eq!(requests, 1, "{code}");
    }
    // These are of the request, not of the task.
    for (code, requests) in [(403, 2), (500, 2)] {
        let (report, made) = polled(code).await;
        assert!(report.unwrap().is_some(), "{code}");
        assert_eq!(made, requests, "{code}");
    }
    for code in [400, 401, 402, 408] {
        let (report, made) = polled(code).await;
        assert_eq!(report.unwrap_err().kind(), ErrorKind::Refused, "{code}");
        assert_eq!(made, 1, "{code}");
    }
}

/// An asynchronous submission has no body, so a lost response must not look like one that was never
/// sent.
#[tokio::test]
async fn a_submission_without_a_response_is_ambiguous_and_made_once() {
    for fault in [
        Fault::Close(When::After),
        Fault::Close(When::Before),
        Fault::Html(502, When::After),
        Fault::CutBody,
        Fault::Empty,
        Fault::Gateway(500, When::After),
    ] {
        let sandbox = sandbox().await;
        sandbox.inject(Operation::ImageAsyncModeration, fault.clone());
        let submitted = client(&sandbox).submit(task("a"), &service(), None).await;
        let made = sandbox.requests_of(Operation::ImageAsyncModeration);
        assert_eq!(made, 1, "{fault:?}");
        match submitted {
            Err(error) => {
                assert_eq!(error.retry(), Retry::Ambiguous, "{fault:?}: {error}");
                assert_eq!(error.data_ids(), [DataId::parse("id-a").unwrap()]);
            }
            // The id may be in the part that arrived.
            Ok(submission) => assert_eq!(submission.task_ids().count(), 1, "{fault:?}"),
        }
    }
    let nothing_listens = builder("http://127.0.0.1:9", None).build_v2().unwrap();
    let error = nothing_listens.submit(task("a"), &service(), None).await;
    let error = error.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error}");
}

#[tokio::test]
async fn a_response_without_an_id_is_ambiguous() {
    let sandbox = sandbox().await;
    let missing = Fault::Missing(greenlight::sandbox::Share::All);
    sandbox.inject(Operation::ImageAsyncModeration, missing);
    let submission = client(&sandbox).submit(task("a"), &service(), None).await;
    let submission = submission.unwrap();
    let refusal = submission.entries()[0].result().unwrap_err();
    assert!(refusal.is_ambiguous());
    assert_eq!(refusal.retry(), Retry::Ambiguous);
}

#[tokio::test]
async fn the_request_is_what_the_minimal_vectors_have() {
    let response = json!({"RequestId": "r", "Code": 200, "Msg": "OK", "Data": {"ReqId": "q-1"}});
    let server = Server::with(move |_| Step::json(200, &response)).await;
    let client = builder(&server.url(), None).build_v2().unwrap();
    client.submit(task("a"), &service(), None).await.unwrap();
    client.scan(task("a"), &service()).await.unwrap();
    let requests = server.requests();
    let names = |at: usize| {
        let mut names: Vec<_> = requests[at]
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.retain(|name| name.starts_with("x-acs-") || matches!(*name, "content-type" | "host"));
        names.sort_unstable();
        names.join(";")
    };
    let minimal =
        "x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";
    assert_eq!(names(0), format!("host;{minimal}"));
    assert_eq!(names(1), format!("content-type;host;{minimal}"));
    assert!(requests[0].body.is_empty());
    for (at, signed) in [(0, names(0)), (1, names(1))] {
        let headers = &requests[at].headers;
        let (_, authorization) = headers
            .iter()
            .find(|(name, _)| name == "authorization")
            .unwrap();
        let signed = format!("SignedHeaders={signed},");
        assert!(authorization.contains(&signed), "{authorization}");
    }
    let (_, length) = requests[0]
        .headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .unwrap();
    assert_eq!(length, "0");
}

#[test]
fn a_region_has_the_host_and_the_scans_that_are_documented() {
    let builder = |region: &str| {
        let credentials = Credentials::new("test-id", Secret::new("test-secret"));
        Client::builder().region(region).credentials(credentials)
    };
    let host =
        |region: &str| Ok::<_, greenlight::Error>(builder(region).build_v2()?.host().to_owned());
    assert_eq!(
        host("cn-shanghai").unwrap(),
        "green-cip.cn-shanghai.aliyuncs.com"
    );
    let vpc = |region: &str| builder(region).network(Network::Vpc).build_v2();
    assert_eq!(
        vpc("us-east-1").unwrap().host(),
        "green-cip-vpc.us-east-1.aliyuncs.com"
    );
    let error = vpc("cn-chengdu").unwrap_err().to_string();
    assert!(
        error.contains("cn-shanghai") && !error.contains("eu-west-1"),
        "{error}"
    );
    let error = host("cn-nowhere").unwrap_err().to_string();
    assert!(error.contains("us-west-1"), "{error}");
    let client = builder("us-east-1").build_v2().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime
        .block_on(client.submit(task("a"), &service(), None))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    for region in ["ap-southeast-1", "cn-beijing", "cn-shanghai"] {
        assert!(error.to_string().contains(region), "{error}");
    }
    let error = builder("cn-shanghai")
        .biz_type("avatars")
        .build_v2()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[tokio::test]
async fn a_data_id_has_at_most_64_characters() {
    let sandbox = sandbox().await;
    let client = client(&sandbox);
    for (len, is_accepted) in [(64, true), (65, false)] {
        let data_id = DataId::parse(&"x".repeat(len)).unwrap();
        let submitted = client
            .submit(task("a").with_data_id(data_id), &service(), None)
            .await;
        assert_eq!(submitted.is_ok(), is_accepted, "{len}");
    }
    assert_eq!(sandbox.requests(), 1);
}

fn decision(data: &Value) -> OutcomeDecision {
    let mut data = data.clone();
    data["ReqId"] = json!("q-1");
    let report = callback::parse(data.to_string().as_bytes()).unwrap();
    let report = report.require_scenes(&[Scene::Other("baselineCheck".to_owned())]);
    report.outcome().unwrap().decision()
}

#[test]
fn only_a_level_that_is_none_passes() {
    for (level, expected) in [
        (json!("high"), Block),
        (json!("HIGH"), Block),
        (json!("medium"), Review),
        (json!("low"), Review),
        (json!("none"), Pass),
        (json!("extreme"), Review),
        (json!(""), Review),
        (json!(7), Review),
        (Value::Null, Review),
    ] {
        let data = json!({"RiskLevel": level, "Result": [{"Label": "nonLabel"}]});
        assert_eq!(decision(&data), expected, "{level}");
        let data = json!({"riskLevel": level, "result": [{"label": "nonLabel"}]});
        assert_eq!(decision(&data), expected, "{level}");
    }
    assert_eq!(decision(&json!({})), Review);
    let unreadable = json!({"RiskLevel": "none", "Result": ["nonLabel"]});
    assert_eq!(decision(&unreadable), Review);
}

#[test]
fn labels_and_frames_count_too() {
    let frame =
        |text: &str| json!({"RiskLevel": "none", "Result": [], "FrameNum": 2, "Frame": text});
    for (data, expected) in [
        (
            json!({"RiskLevel": "none", "Result": [{"Label": "a_b", "Confidence": 81.2, "RiskLevel": "high"}]}),
            Block,
        ),
        // Nothing says that the label matters: the account may only observe it.
        (
            json!({"RiskLevel": "none", "Result": [{"Label": "a_b", "Confidence": 81.2}]}),
            Pass,
        ),
        (
            frame(r#"[{"result":[{"confidence":81.22,"label":"violent_explosion"}]}]"#),
            Review,
        ),
        (
            frame(r#"[{"result":[{"confidence":81.22,"label":"a","riskLevel":"high"}]}]"#),
            Block,
        ),
        (
            frame(r#"[{"result":[{"label":"nonLabel"}]},{"result":[{"label":"nonLabel_lib"}]}]"#),
            Pass,
        ),
        (frame("[]"), Pass),
        (frame(""), Pass),
        (frame("[{"), Review),
    ] {
        assert_eq!(decision(&data), expected, "{data}");
    }
}

#[tokio::test]
async fn callbacks_are_verified_whatever_their_capitals() {
    let (uid, seed) = ("1234567890", "seed_1");
    for crypt_type in [CryptType::Sha256, CryptType::Sm3] {
        let receiver = Server::with(|_| Step::text(200, "")).await;
        let sandbox = Sandbox::start().await.unwrap();
        let callback = Callback::new(&format!("{}/results", receiver.url()), Secret::new(seed))
            .unwrap()
            .with_crypt_type(crypt_type);
        let submitted = client(&sandbox)
            .submit(task("porn"), &service(), Some(&callback))
            .await;
        let id = submitted.unwrap().task_ids().next().unwrap().clone();
        let mut waits = 0;
        while receiver.requests().is_empty() {
            waits += 1;
            assert!(waits < 1_000, "no callback");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let form = receiver.requests()[0].body.clone();
        let text = String::from_utf8(form.clone()).unwrap();
        assert!(
            text.starts_with("ReqId=") && text.contains("&Checksum="),
            "{text}"
        );
        let verifier = Verifier::new(sandbox.uid(), &callback);
        for form in [
            form,
            text.replace("Checksum", "checksum")
                .replace("&Content=", "&CONTENT=")
                .into(),
        ] {
            let report = verifier.open(&form).unwrap();
            assert_eq!(report.task_id(), &id);
            assert_eq!(report.outcome().unwrap().decision(), Block);
        }
        let forged = Verifier::new(uid, &callback).open(text.as_bytes());
        assert_eq!(forged.unwrap_err().kind(), ErrorKind::Credentials);
    }
}

#[tokio::test]
async fn both_clients_are_used_through_one_trait() {
    let sandbox = Sandbox::start().await.unwrap();
    let builder = || builder(&sandbox.endpoint(), Some(&sandbox));
    let apis: [(Box<dyn Api>, Scene, Terms); 2] = [
        (Box::new(builder().build().unwrap()), Scene::Porn, Terms::V1),
        (Box::new(client(&sandbox)), service().to_scene(), Terms::V2),
    ];
    let mut names = Vec::new();
    for (api, scene, terms) in apis {
        assert_eq!(api.terms(), terms);
        names.push(api.service());
        let batch = Batch::new([task("porn")]).unwrap();
        let scenes = [scene];
        let submission = api.submit(batch, &scenes, None).await.unwrap();
        let ids: Vec<TaskId> = submission.task_ids().cloned().collect();
        let reports = api.results(&ids).await.unwrap();
        let report = reports[0].clone().require_scenes(&scenes);
        assert_eq!(report.outcome().unwrap().decision(), Block);
    }
    assert_ne!(
        names[0], names[1],
        "a ledger of one is not that of the other"
    );
    let two = Batch::new([task("a"), task("b")]).unwrap();
    let error = Api::submit(&client(&sandbox), two, &[service().to_scene()], None).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Usage);
}

/// The `ServiceParameters` of a request, from its query or its form.
fn parameters(request: &crate::green_server::Request) -> Value {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let text = if query.is_empty() {
        String::from_utf8(request.body.clone()).unwrap()
    } else {
        query.to_owned()
    };
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    let (_, value) = pairs
        .into_iter()
        .find(|(name, _)| name == "ServiceParameters")
        .unwrap();
    serde_json::from_str(&value).unwrap()
}

async fn mock() -> (Server, v2::Client) {
    let response = json!({"RequestId": "r", "Code": 200, "Msg": "OK", "Data": {"ReqId": "q-1"}});
    let server = Server::with(move |_| Step::json(200, &response)).await;
    let client = builder(&server.url(), None).build_v2().unwrap();
    (server, client)
}

#[tokio::test]
async fn points_that_are_not_documented_are_settings() {
    let (server, client) = mock().await;
    let client = client
        .with_referer("https://shop.example/")
        .and_then(|client| client.with_parameter("maxFrames", 3))
        .and_then(|client| client.with_parameter("infoType", "customImage,textInImage"))
        .unwrap();
    client.submit(task("a"), &service(), None).await.unwrap();
    client.scan(task("a"), &service()).await.unwrap();
    let expected = json!({
        "imageUrl": "https://images.example/a.png", "dataId": "id-a",
        "referer": "https://shop.example/", "maxFrames": 3, "infoType": "customImage,textInImage",
    });
    for request in server.requests() {
        assert_eq!(parameters(&request), expected);
    }
    // A parameter that the client sets itself would be there twice.
    for name in ["imageUrl", "dataid", "seed", "Referer"] {
        let error = client.clone().with_parameter(name, "x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{name}");
    }
    for referer in ["", "https://shop.example/\r\nHost: x", "\u{e9}"] {
        assert!(client.clone().with_referer(referer).is_err(), "{referer}");
    }
    let long = task("a").with_data_id(DataId::parse(&"x".repeat(100)).unwrap());
    assert!(client.submit(long.clone(), &service(), None).await.is_err());
    let patient = client.with_max_data_id(100);
    patient.submit(long, &service(), None).await.unwrap();
}

#[tokio::test]
async fn a_submission_may_carry_its_parameters_in_a_form() {
    let (server, client) = mock().await;
    let client = client.with_submissions_in_form();
    client.submit(task("a"), &service(), None).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.path, "/");
    assert_eq!(parameters(request)["dataId"], "id-a");
    let (_, media_type) = request
        .headers
        .iter()
        .find(|(name, _)| name == "content-type")
        .unwrap();
    assert_eq!(media_type, "application/x-www-form-urlencoded");
}

/// All three parameters, as in every sample of the vendor that uses the caller's own bucket.
#[tokio::test]
async fn an_object_of_the_own_bucket_replaces_the_url() {
    let name = OssName {
        region: "cn-shanghai",
        bucket: "photos",
        key: "2026/a b.jpg",
    };
    let object = OssObject::new(name).unwrap();
    let task = task("a").with_object(object);
    let (server, client) = mock().await;
    client.submit(task.clone(), &service(), None).await.unwrap();
    let expected = json!({
        "ossRegionId": "cn-shanghai", "ossBucketName": "photos", "ossObjectName": "2026/a b.jpg",
        "dataId": "id-a",
    });
    assert_eq!(parameters(&server.requests()[0]), expected);
    let sandbox = sandbox().await;
    let scanned = self::client(&sandbox).scan(task.clone(), &service()).await;
    assert_eq!(scanned.unwrap().result().unwrap().decision(), Pass);
    // 1.0 has no such parameter.
    let v1 = builder(&sandbox.endpoint(), Some(&sandbox))
        .build()
        .unwrap();
    let batch = Batch::new([task]).unwrap();
    let error = v1.submit(batch, &[Scene::Porn]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    for (region, bucket, key) in [
        ("", "photos", "a"),
        ("oss-cn-shanghai", "photos", "a"),
        ("cn-shanghai", "Photos", "a"),
        ("cn-shanghai", "ph", "a"),
        ("cn-shanghai", "photos", ""),
        ("cn-shanghai", "photos", "/a"),
        ("cn-shanghai", "photos", "a\n"),
    ] {
        let name = OssName {
            region,
            bucket,
            key,
        };
        assert!(OssObject::new(name).is_err(), "{name:?}");
    }
}

/// An API whose results never come.
#[derive(Debug)]
struct Silent {
    terms: Terms,
    /// Whether the service reports the task as running; otherwise it does not know the task.
    is_known: bool,
    polls: Mutex<Vec<Instant>>,
}

impl Api for Silent {
    fn terms(&self) -> Terms {
        self.terms
    }

    fn host(&self) -> &'static str {
        ""
    }

    fn service(&self) -> String {
        String::new()
    }

    fn submit<'a>(
        &'a self,
        _: Batch,
        _: &'a [Scene],
        _: Option<&'a Callback>,
    ) -> ApiReply<'a, Submission> {
        unreachable!("nothing is submitted")
    }

    fn results<'a>(&'a self, tasks: &'a [TaskId]) -> ApiReply<'a, Vec<TaskReport>> {
        self.polls.lock().unwrap().push(Instant::now());
        let running = tasks.iter().map(|id| {
            let content = json!({"Code": 280, "ReqId": id.as_str()});
            callback::parse(content.to_string().as_bytes()).unwrap()
        });
        let reports = running.filter(|_| self.is_known).collect();
        Box::pin(std::future::ready(Ok(reports)))
    }

    fn upload<'a>(&'a self, _: Accepted, _: &'a Content) -> ApiReply<'a, Accepted<ImageUrl>> {
        unreachable!("nothing is uploaded")
    }
}

/// Returns how long after the submission each poll was made, how the task ended, and when.
async fn polls(terms: Terms, is_known: bool) -> (Vec<Duration>, TaskState, Duration) {
    let (_server, client) = mock().await;
    let submission = client.submit(task("a"), &service(), None).await.unwrap();
    tokio::time::pause();
    let start = Instant::now();
    let api = Arc::new(Silent {
        terms,
        is_known,
        polls: Mutex::default(),
    });
    let report = Watch::from_submission(Arc::<Silent>::clone(&api), &submission)
        .next()
        .await;
    let end = start.elapsed();
    tokio::time::resume();
    let polls = api.polls.lock().unwrap();
    let polls = polls.iter().map(|at| at.duration_since(start)).collect();
    (polls, report.unwrap().unwrap().into_state(), end)
}

fn gaps(polls: &[Duration]) -> Vec<u64> {
    polls
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]).as_secs())
        .collect()
}

#[tokio::test]
async fn polls_of_2_0_become_rarer_and_those_of_1_0_do_not() {
    let (at, state, end) = polls(Terms::V2, true).await;
    let gaps_v2 = gaps(&at);
    assert_eq!(gaps_v2[..2], [5, 5], "{gaps_v2:?}");
    assert!(gaps_v2.is_sorted(), "{gaps_v2:?}");
    assert_eq!(gaps_v2[12..20], [30; 8], "{gaps_v2:?}");
    assert!(matches!(state, TaskState::Expired), "{state:?}");
    assert_eq!(
        end.as_secs().div_ceil(3600),
        72,
        "results are kept for three days"
    );
    let (at, ..) = polls(Terms::V1, true).await;
    assert!(gaps(&at).iter().all(|gap| *gap == 5), "{at:?}");
}

/// 409: asked too early, or no longer kept.
#[tokio::test]
async fn a_task_that_2_0_does_not_know_for_an_hour_is_expired() {
    let (_, state, end) = polls(Terms::V2, false).await;
    assert!(matches!(state, TaskState::Expired), "{state:?}");
    assert!((3_600..3_640).contains(&end.as_secs()), "{end:?}");
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn callbacks_of_2_0_reach_the_route_over_a_socket() {
    use tokio::sync::mpsc;

    for crypt_type in [CryptType::Sha256, CryptType::Sm3] {
        let sandbox = Sandbox::start().await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/results", listener.local_addr().unwrap());
        let callback = Callback::new(&url, Secret::new("seed_1")).unwrap();
        let callback = callback.with_crypt_type(crypt_type);
        let (sender, mut received) = mpsc::unbounded_channel();
        let verifier = Verifier::new(sandbox.uid(), &callback);
        let route = greenlight::axum::callbacks(verifier, move |report: TaskReport| {
            std::future::ready(sender.send(report))
        });
        let forged = Verifier::new("1", &callback);
        let refusing = greenlight::axum::callbacks(forged, |_: TaskReport| {
            std::future::ready(Err::<(), _>("a forged callback is handled"))
        });
        let app: axum::Router = axum::Router::new()
            .route("/results", route)
            .route("/other-account", refusing);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = client(&sandbox);
        let submitted = client
            .submit(task("porn"), &service(), Some(&callback))
            .await;
        let id = submitted.unwrap().task_ids().next().unwrap().clone();
        let wait = tokio::time::timeout(Duration::from_secs(20), received.recv());
        let report = wait.await.unwrap().unwrap();
        assert_eq!(report.task_id(), &id);
        assert_eq!(report.data_id(), Some(&DataId::parse("id-porn").unwrap()));
        let report = report.require_scenes(&[service().to_scene()]);
        assert_eq!(report.outcome().unwrap().decision(), Block);
        // The service repeats what is not answered with 200: the account's UID is part of the checksum.
        let other = Callback::new(
            &url.replace("results", "other-account"),
            Secret::new("seed_1"),
        );
        let other = other.unwrap().with_crypt_type(crypt_type);
        let submitted = client.submit(task("b"), &service(), Some(&other)).await;
        assert_eq!(submitted.unwrap().task_ids().count(), 1);
        assert!(received.try_recv().is_err());
    }
}
