//! Uploads with temporary credentials.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use greenlight::sandbox::{Fault, Operation, Sandbox, When};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha1::Sha1;

use super::{
    CREDENTIALS, RESULTS, SCAN, one, post,
    raw::{DATE, Request},
    sandbox, start, tasks,
};

const BYTES: &[u8] = b"\x89PNG and so on";

struct Grant {
    id: String,
    secret: String,
    token: String,
    bucket: String,
    folder: String,
}

async fn grant(sandbox: &Sandbox) -> Grant {
    let envelope = post(sandbox, CREDENTIALS, &json!({})).await;
    let data = &envelope["data"];
    let text = |name: &str| data[name].as_str().expect("text").to_owned();
    assert_eq!(text("ossEndpoint"), sandbox.endpoint());
    assert_eq!(text("ossInternalEndpoint"), sandbox.endpoint());
    assert_eq!(
        data["expiredTime"].as_i64().expect("a number") / 1000,
        1_484_648_196 + 3_600
    );
    Grant {
        id: text("accessKeyId"),
        secret: text("accessKeySecret"),
        token: text("securityToken"),
        bucket: text("uploadBucket"),
        folder: text("uploadFolder"),
    }
}

impl Grant {
    /// A signed PUT; the key's slashes are escaped, as the official client escapes them.
    fn put(&self, key: &str) -> Request {
        self.put_with(key, None)
    }

    fn put_with(&self, key: &str, md5: Option<&str>) -> Request {
        let target = format!("/{}/{}", self.bucket, key.replace('/', "%2F"));
        let mut request = Request::new("PUT", &target)
            .with("content-type", "image/png")
            .with("date", DATE)
            .with("x-oss-security-token", &self.token);
        if let Some(md5) = md5 {
            request = request.with("content-md5", md5);
        }
        request.body = BYTES.to_vec();
        let text = format!(
            "PUT\n{}\nimage/png\n{DATE}\nx-oss-security-token:{}\n/{}/{key}",
            md5.unwrap_or_default(),
            self.token,
            self.bucket
        );
        let mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes())
            .expect("HMAC takes keys of any length")
            .chain_update(text);
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        request.with("authorization", &format!("OSS {}:{signature}", self.id))
    }

    fn key(&self, name: &str) -> String {
        format!("{}/images/{name}", self.folder)
    }
}

#[tokio::test]
async fn uploads_go_to_the_sandbox_whatever_host_the_client_names() {
    let sandbox = sandbox().await;
    let request = Request::post(CREDENTIALS, "{}").with("host", "127.0.0.1");
    let answer = request.signed_for(&sandbox).ask(&sandbox).await;
    assert_eq!(answer.json()["data"]["ossEndpoint"], sandbox.endpoint());
}

#[tokio::test]
async fn an_uploaded_object_can_be_scanned() {
    let sandbox = sandbox().await;
    let grant = grant(&sandbox).await;
    let key = grant.key("sexy.png");
    let url = format!("oss://{}/{key}", grant.bucket);
    let before = post(&sandbox, SCAN, &tasks(&[&url])).await;
    assert_eq!(one(&before)["code"], 404);
    let answer = grant
        .put_with(&key, Some("uTDEXCuex59jFHj8GGEkWw=="))
        .ask(&sandbox)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.header("etag"),
        Some("\"B930C45C2B9EC79F631478FC1861245B\"")
    );
    assert_eq!(sandbox.object(&key).as_deref(), Some(BYTES));
    let after = post(&sandbox, SCAN, &tasks(&[&url])).await;
    assert_eq!(one(&after)["code"], 200);
    let done = post(&sandbox, RESULTS, &json!([one(&after)["taskId"]])).await;
    assert_eq!(one(&done)["results"][0]["suggestion"], "review");
    assert_eq!(sandbox.paid(), 1);
}

#[tokio::test]
async fn a_foreign_bucket_is_not_authorized() {
    let sandbox = sandbox().await;
    for url in [
        "oss://other/upload/a.png",
        "oss://sandbox-uploads",
        "oss://",
    ] {
        let envelope = post(&sandbox, SCAN, &tasks(&[url])).await;
        assert_eq!(one(&envelope)["code"], 403, "{url}");
    }
}

#[tokio::test]
async fn an_upload_with_another_signature_is_rejected() {
    let sandbox = sandbox().await;
    let grant = grant(&sandbox).await;
    let good = || grant.put(&grant.key("a.png"));
    let mut other_key = good();
    other_key.target.push('x');
    let mut other_bucket = good();
    other_bucket.target = other_bucket.target.replace("/sandbox", "/other");
    let table = [
        (
            "no authorization",
            good().without("authorization"),
            403,
            "AccessDenied",
        ),
        (
            "unknown key",
            good().with("authorization", "OSS x:aaaa"),
            403,
            "InvalidAccessKeyId",
        ),
        (
            "bad signature",
            good().with("authorization", &format!("OSS {}:aaaa", grant.id)),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            "other type",
            good().with("content-type", "image/gif"),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            "other token",
            good().with("x-oss-security-token", "x"),
            403,
            "SignatureDoesNotMatch",
        ),
        ("other key", other_key, 403, "SignatureDoesNotMatch"),
        ("other bucket", other_bucket, 404, "NoSuchBucket"),
        ("no date", good().without("date"), 403, "AccessDenied"),
        (
            "late",
            good().with("date", "Tue, 17 Jan 2017 11:16:36 GMT"),
            403,
            "RequestTimeTooSkewed",
        ),
        (
            "wrong digest",
            grant.put_with(&grant.key("a.png"), Some("1B2M2Y8AsgTpgAmY7PhCfg==")),
            400,
            "InvalidDigest",
        ),
        (
            "outside the folder",
            grant.put("elsewhere/a.png"),
            403,
            "AccessDenied",
        ),
    ];
    for (name, request, status, code) in table {
        let answer = request.ask(&sandbox).await;
        let shown = answer.text().to_owned();
        assert_eq!(answer.status, status, "{name}: {shown}");
        assert!(
            shown.contains(&format!("<Code>{code}</Code>")),
            "{name}: {shown}"
        );
    }
    assert_eq!(sandbox.object(&grant.key("a.png")), None);
}

#[tokio::test]
async fn upload_credentials_expire() {
    let builder = Sandbox::builder().upload_lifetime(Duration::from_secs(60));
    let sandbox = start(builder).await;
    let envelope = post(&sandbox, CREDENTIALS, &json!({})).await;
    let text = |name: &str| envelope["data"][name].as_str().unwrap().to_owned();
    let grant = Grant {
        id: text("accessKeyId"),
        secret: text("accessKeySecret"),
        token: text("securityToken"),
        bucket: text("uploadBucket"),
        folder: text("uploadFolder"),
    };
    let request = grant.put(&grant.key("a.png"));
    assert_eq!(request.ask(&sandbox).await.status, 200);
    sandbox.put_clock_forward(Duration::from_secs(61));
    let answer = request.ask(&sandbox).await;
    assert!(answer.text().contains("has expired"), "{}", answer.text());
    let again: Value = post(&sandbox, CREDENTIALS, &json!({})).await;
    assert_ne!(
        again["data"]["accessKeyId"],
        envelope["data"]["accessKeyId"]
    );
}

#[tokio::test]
async fn faults_apply_to_uploads() {
    let sandbox = sandbox().await;
    let grant = grant(&sandbox).await;
    let key = |name: &str| grant.key(name);
    let put = async |name: &str, fault: Fault| {
        sandbox.inject(Operation::Upload, fault);
        grant.put(&key(name)).send(sandbox.address()).await
    };
    let failed = put("a", Fault::Gateway(503, When::Before)).await.unwrap();
    assert_eq!(failed.status, 503);
    assert!(failed.text().contains("<Code>InternalError</Code>"));
    assert!(put("b", Fault::Close(When::Before)).await.is_none());
    assert!(put("c", Fault::Close(When::After)).await.is_none());
    assert_eq!(
        put("d", Fault::Gateway(500, When::After))
            .await
            .unwrap()
            .status,
        500
    );
    assert_eq!(
        put("e", Fault::Delay(Duration::from_millis(1)))
            .await
            .unwrap()
            .status,
        200
    );
    let kept = ["a", "b", "c", "d", "e"].map(|name| sandbox.object(&key(name)).is_some());
    assert_eq!(kept, [false, false, true, true, true]);
    assert_eq!(sandbox.requests_of(Operation::Upload), 5);
}
