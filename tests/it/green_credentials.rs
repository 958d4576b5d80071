//! Sources of credentials, and their redaction.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use greenlight::{
    Error, ErrorKind, TaskId,
    green::{
        Chain, Credentials, FromCliProfile, FromEcsRole, FromIniProfile, FromUri,
        ProvideCredentials, Provided, Secret,
        sign::{self, Parts},
    },
};
use serde_json::json;

use crate::green_server::{Server, Step};

/// A file that is removed with its folder.
struct TempFile(PathBuf);

impl TempFile {
    fn new(text: &str) -> Self {
        let name = format!("greenlight-{}", greenlight::DataId::random());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A value that differs for different credentials, without their secrets.
fn fingerprint(credentials: &Credentials) -> (String, bool) {
    let parts = Parts {
        method: "POST",
        path: "/",
        query: &[],
        headers: &[],
    };
    let signature = sign::roa(&parts, credentials);
    (
        signature.authorization().to_owned(),
        credentials.is_temporary(),
    )
}

async fn same(source: &impl ProvideCredentials, expected: &Credentials) {
    let found = source.provide().await.unwrap().unwrap();
    assert_eq!(fingerprint(&found), fingerprint(expected));
}

async fn fails(source: &impl ProvideCredentials, with: &str) {
    let error = source.provide().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    let report = error.report();
    assert!(report.contains(with), "{report}");
    assert!(!report.contains("secret-of"), "{report}");
}

#[tokio::test]
async fn the_command_line_tools_profiles_are_read() {
    let file = TempFile::new(
        &json!({"current": "work", "profiles": [
            {"name": "default", "mode": "AK", "access_key_id": "LTAId", "access_key_secret": "secret-of-d"},
            {"name": "work", "mode": "StsToken", "access_key_id": "STS.w",
             "access_key_secret": "secret-of-w", "sts_token": "token"},
            {"name": "role", "mode": "RamRoleArn", "access_key_secret": "secret-of-r"},
            {"name": "empty", "mode": "AK", "access_key_id": "LTAIe", "access_key_secret": ""},
        ]})
        .to_string(),
    );
    let source = FromCliProfile::new().with_path(file.path());
    let work = Credentials::new("STS.w", Secret::new("secret-of-w")).with_security_token("token");
    same(&source, &work).await;
    let named = |name: &str| source.clone().with_profile(name);
    same(
        &named("default"),
        &Credentials::new("LTAId", Secret::new("secret-of-d")),
    )
    .await;
    fails(&named("role"), "mode RamRoleArn is not read").await;
    fails(&named("none"), "no profile none").await;
    fails(&named("empty"), "secret").await;
}

#[tokio::test]
async fn credential_file_sections_are_read() {
    let file = TempFile::new(
        "# keys\n[default]\ntype = access_key # the usual\naccess_key_id=LTAId\n\
         access_key_secret = secret-of-d#1\n\n[s]\ntype=sts\naccess_key_id=STS.s\n\
         access_key_secret=secret-of-s\nsecurity_token=token==\n[r]\ntype=ram_role_arn\n",
    );
    let source = FromIniProfile::new().with_path(file.path());
    let named = |name: &str| source.clone().with_profile(name);
    same(
        &named("default"),
        &Credentials::new("LTAId", Secret::new("secret-of-d#1")),
    )
    .await;
    let sts = Credentials::new("STS.s", Secret::new("secret-of-s")).with_security_token("token==");
    same(&named("s"), &sts).await;
    fails(&named("r"), "type ram_role_arn is not read").await;
    fails(&named("none"), "no profile none").await;
}

#[tokio::test]
async fn a_file_argument_must_be_an_existing_file() {
    let nowhere = Path::new("/nonexistent/credentials");
    fails(&FromIniProfile::new().with_path(nowhere), "cannot be read").await;
    fails(&FromCliProfile::new().with_path(nowhere), "cannot be read").await;
    let file = TempFile::new("[");
    fails(
        &FromCliProfile::new().with_path(file.path()),
        "not a JSON object",
    )
    .await;
}

#[tokio::test]
async fn temporary_credentials_are_fetched_from_a_uri() {
    let answer = json!({"Code": "Success", "AccessKeyId": "STS.u", "AccessKeySecret": "secret-of-u",
        "SecurityToken": "token", "Expiration": "2099-01-01T00:00:00Z"});
    let server = Server::steps([
        Step::json(200, &answer),
        Step::json(
            200,
            &json!({"Code": "Failed", "AccessKeySecret": "secret-of-u"}),
        ),
        Step::json(404, &answer),
        Step::text(200, "<html>"),
    ])
    .await;
    let source = FromUri::new().with_uri(&format!("{}/keys?key=secret-of-uri", server.url()));
    let expected =
        Credentials::new("STS.u", Secret::new("secret-of-u")).with_security_token("token");
    let found = source.provide().await.unwrap().unwrap();
    assert_eq!(fingerprint(&found), fingerprint(&expected));
    assert!(found.expiry().unwrap() > SystemTime::UNIX_EPOCH);
    fails(&source, "not a success").await;
    fails(&source, "HTTP 404").await;
    fails(&source, "not a JSON object").await;
    fails(
        &FromUri::new().with_uri("http://example.com/keys"),
        "neither https nor",
    )
    .await;
    assert!(!format!("{source:?}").contains("secret-of"));
}

#[tokio::test]
async fn the_role_of_an_ecs_instance_is_requested_with_a_token() {
    let server = Server::with(|request| {
        let authorized = request.header("x-aliyun-ecs-metadata-token") == Some("meta-token");
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token") => Step::text(200, "meta-token"),
            ("GET", "/latest/meta-data/ram/security-credentials/") if authorized => {
                Step::text(200, "my-role\n")
            }
            ("GET", "/latest/meta-data/ram/security-credentials/my-role") if authorized => {
                Step::json(
                    200,
                    &json!({"Code": "Success", "AccessKeyId": "STS.e",
                        "AccessKeySecret": "secret-of-e", "SecurityToken": "token",
                        "Expiration": "2099-01-01T00:00:00Z"}),
                )
            }
            _ => Step::text(403, ""),
        }
    })
    .await;
    let source = FromEcsRole::new().with_endpoint(&server.url()).unwrap();
    let expected =
        Credentials::new("STS.e", Secret::new("secret-of-e")).with_security_token("token");
    same(&source, &expected).await;
    assert_eq!(server.requests().len(), 3);
    same(&source.clone().with_role("my-role"), &expected).await;
    assert_eq!(server.requests().len(), 5);
    fails(&source.with_role("../other"), "no role").await;
}

/// Provides numbered credentials with the given lifetime, and counts the requests.
#[derive(Clone, Debug)]
struct Numbered {
    asked: Arc<AtomicUsize>,
    lasting: Option<Duration>,
    failing: bool,
}

impl Numbered {
    fn new(lasting: Option<Duration>) -> Self {
        Self {
            asked: Arc::default(),
            lasting,
            failing: false,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl ProvideCredentials for Numbered {
    fn provide(&self) -> Provided<'_> {
        Box::pin(async {
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            if self.failing {
                return Credentials::new("", Secret::new("")).provide().await;
            }
            let credentials =
                Credentials::new(&format!("LTAI{number}"), Secret::new("secret-of-n"));
            Ok(Some(match self.lasting {
                Some(time) => credentials.with_expiry(std::time::UNIX_EPOCH + since_epoch() + time),
                None => credentials,
            }))
        })
    }
}

fn since_epoch() -> Duration {
    Duration::from_secs(jiff::Timestamp::now().as_second().try_into().unwrap())
}

#[tokio::test]
async fn absent_credentials_are_skipped_but_failures_are_not() {
    let none = Chain::new();
    assert!(none.provide().await.unwrap().is_none());
    let chain = Chain::new()
        .then(none)
        .then(Credentials::new("LTAIx", Secret::new("secret-of-x")));
    same(
        &chain,
        &Credentials::new("LTAIx", Secret::new("secret-of-x")),
    )
    .await;
    let missing = FromIniProfile::new().with_path(Path::new("/nonexistent"));
    let chain = Chain::new()
        .then(missing)
        .then(Credentials::new("LTAIx", Secret::new("secret-of-x")));
    fails(&chain, "cannot be read").await;
}

async fn asked_by(source: Numbered, calls: usize) -> (usize, Vec<Result<(), Error>>) {
    let server = Server::with(|_| Step::json(200, &json!({"code": 200, "data": []}))).await;
    let client = server
        .builder()
        .credentials(source.clone())
        .build()
        .unwrap();
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..calls {
        let client = client.clone();
        set.spawn(async move {
            client
                .results(&[TaskId::parse("a").unwrap()])
                .await
                .map(drop)
        });
    }
    let results = set.join_all().await;
    (source.asked(), results)
}

#[tokio::test]
async fn credentials_are_shared_and_refreshed_before_they_expire() {
    let (asked, results) = asked_by(Numbered::new(None), 10).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(asked, 1);
    // Credentials valid for an hour are kept; those valid for ten minutes are fetched again per call.
    let (asked, _) = asked_by(Numbered::new(Some(Duration::from_secs(3600))), 10).await;
    assert_eq!(asked, 1);
    let (asked, results) = asked_by(Numbered::new(Some(Duration::from_secs(600))), 3).await;
    assert_eq!(asked, 3);
    assert!(results.iter().all(Result::is_ok));
}

#[tokio::test]
async fn expired_credentials_are_not_used() {
    let server = Server::with(|_| Step::text(404, "")).await;
    let expired =
        Credentials::new("LTAIx", Secret::new("secret-of-x")).with_expiry(SystemTime::UNIX_EPOCH);
    let client = server.builder().credentials(expired).build().unwrap();
    let error = client
        .results(&[TaskId::parse("a").unwrap()])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_rejected_key_is_fetched_once_more() {
    for code in [
        "InvalidAccessKeyId.Inactive",
        "InvalidSecurityToken.Expired",
    ] {
        let refuse_the_first = move |request: &crate::green_server::Request| {
            if request.header("authorization").unwrap().contains("LTAI0:") {
                Step::json(404, &json!({"Code": code, "Message": "no"}))
            } else {
                Step::json(200, &json!({"code": 200, "data": []}))
            }
        };
        let task = [TaskId::parse("a").unwrap()];
        let server = Server::with(refuse_the_first).await;
        // The source provides another key at the next request.
        let source = Numbered::new(None);
        let client = server
            .builder()
            .credentials(source.clone())
            .build()
            .unwrap();
        client.results(&task).await.unwrap();
        client.results(&task).await.unwrap();
        assert_eq!((server.requests().len(), source.asked()), (3, 2), "{code}");
        // The source always provides the same key.
        let server = Server::with(refuse_the_first).await;
        let same = Credentials::new("LTAI0", Secret::new("secret-of-0"));
        let client = server.builder().credentials(same).build().unwrap();
        let error = client.results(&task).await.unwrap_err();
        assert_eq!(error.retry(), greenlight::Retry::Never, "{code}");
        assert_eq!(server.requests().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_failure_to_fetch_credentials_is_not_cached() {
    let failing = Numbered {
        failing: true,
        ..Numbered::new(None)
    };
    let (asked, results) = asked_by(failing, 3).await;
    assert_eq!(asked, 3);
    assert!(results.iter().all(|result| {
        result
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::Credentials)
    }));
}

#[tokio::test]
async fn a_key_that_is_not_a_valid_header_is_rejected_redacted() {
    for (id, secret) in [
        ("", "x"),
        ("a b", "x"),
        ("id", ""),
        ("id", "secret-of\n"),
        ("id", "secret-of\u{e9}"),
    ] {
        fails(&Credentials::new(id, Secret::new(secret)), "cannot be used").await;
    }
}

/// A custom source, which validates nothing.
#[derive(Debug)]
struct Unchecked(Credentials);

impl ProvideCredentials for Unchecked {
    fn provide(&self) -> Provided<'_> {
        Box::pin(async { Ok(Some(self.0.clone())) })
    }
}

#[tokio::test]
async fn an_unusable_key_of_a_custom_source_is_an_error() {
    let server = Server::with(|_| Step::json(200, &json!({"code": 200, "data": []}))).await;
    for (id, secret, token, expected) in [
        (
            "LTAIx\n",
            "secret-of-x",
            None,
            "access key id from the provider ends with white space",
        ),
        (
            " LTAIx",
            "secret-of-x",
            None,
            "access key id from the provider begins with white space",
        ),
        (
            "LTAIx",
            "\tsecret-of-x ",
            None,
            "access key secret from the provider begins and ends with white space",
        ),
        (
            "LTAIx",
            " ",
            None,
            "access key secret from the provider is empty",
        ),
        (
            "LTAIx",
            "secret-of-x",
            Some("secret-of-token\r\n"),
            "security token from the provider ends with white space",
        ),
        (
            "LTAIx",
            "secret-of-x",
            Some("secret-of\u{7f}"),
            "security token from the provider holds characters that are not printable ASCII",
        ),
    ] {
        let mut credentials = Credentials::new(id, Secret::new(secret));
        if let Some(token) = token {
            credentials = credentials.with_security_token(token);
        }
        let client = server
            .builder()
            .credentials(Unchecked(credentials))
            .build()
            .unwrap();
        let error = client
            .results(&[TaskId::parse("a").unwrap()])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        let report = error.report();
        assert!(report.contains(expected), "{report}");
        assert!(!report.contains("secret-of"), "{report}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn files_with_a_byte_order_mark_are_read() {
    let expected = Credentials::new("LTAId", Secret::new("secret-of-d"));
    let ini = TempFile::new(
        "\u{feff}[default]\r\ntype=access_key\r\naccess_key_id=LTAId \r\naccess_key_secret=secret-of-d\r\n",
    );
    same(&FromIniProfile::new().with_path(ini.path()), &expected).await;
    let profile = |id: &str| {
        json!({"profiles": [{"name": "default", "mode": "AK", "access_key_id": id,
        "access_key_secret": "secret-of-d"}]})
        .to_string()
    };
    let cli = TempFile::new(&format!("\u{feff}{}", profile("LTAId")));
    same(&FromCliProfile::new().with_path(cli.path()), &expected).await;
    let blank = TempFile::new(&profile("LTAId "));
    fails(
        &FromCliProfile::new().with_path(blank.path()),
        "ends with white space",
    )
    .await;
}
