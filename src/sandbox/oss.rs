//! A mock object store for uploads with temporary credentials: PUT only, signature version 1.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use sha1::Sha1;

use super::{
    clock::parse_http_date,
    error_reply::ErrorReply,
    ids::{Ids, upper_hex},
    status::Status,
};

pub(super) const BUCKET: &str = "sandbox-uploads";
const FOLDER: &str = "upload/sandbox";

/// Maximum number of bytes of stored objects; the oldest are removed first.
const MAX_BYTES: usize = 64 << 20;
/// Maximum number of stored temporary credentials.
const MAX_CREDENTIALS: usize = 64;
/// Maximum difference between a request's date and the store's clock.
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug)]
pub(super) struct Oss {
    lifetime: SignedDuration,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    credentials: VecDeque<Credential>,
    objects: HashMap<String, Bytes>,
    order: VecDeque<String>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Credential {
    id: String,
    secret: String,
    token: String,
    expires: Timestamp,
}

impl Oss {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime: SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX),
            inner: Mutex::default(),
        }
    }

    /// Issues temporary credentials, in the form of 1.0.
    pub(super) fn issue(&self, now: Timestamp, ids: &Ids, endpoint: &str) -> Value {
        let credential = self.lend(now, ids);
        json!({
            "accessKeyId": &credential.id,
            "accessKeySecret": &credential.secret,
            "securityToken": &credential.token,
            // In milliseconds; 2.0 has seconds.
            "expiredTime": credential.expires.as_millisecond(),
            "ossEndpoint": endpoint,
            "ossInternalEndpoint": endpoint,
            "uploadBucket": BUCKET,
            "uploadFolder": FOLDER,
        })
    }

    /// Issues temporary credentials, in the form of 2.0.
    pub(super) fn issue_v2(&self, now: Timestamp, ids: &Ids, endpoint: &str) -> Value {
        let credential = self.lend(now, ids);
        json!({
            "AccessKeyId": &credential.id,
            "AccessKeySecret": &credential.secret,
            "SecurityToken": &credential.token,
            "Expiration": credential.expires.as_second(),
            "OssInternetEndPoint": endpoint,
            "OssInternalEndPoint": endpoint,
            "BucketName": BUCKET,
            "FileNamePrefix": format!("{FOLDER}/"),
        })
    }

    fn lend(&self, now: Timestamp, ids: &Ids) -> Credential {
        let expires = now.saturating_add(self.lifetime).unwrap_or(now);
        let credential = Credential {
            id: format!("STS.{}", ids.alphanumeric()),
            secret: ids.alphanumeric(),
            token: format!("CAIS{}==", ids.alphanumeric()),
            expires,
        };
        let mut inner = self.inner.lock().expect("no holder panics");
        inner.credentials.push_back(credential.clone());
        if inner.credentials.len() > MAX_CREDENTIALS {
            inner.credentials.pop_front();
        }
        credential
    }

    /// Whether an `oss://` task can be fetched: `object` is `bucket/key`.
    pub(super) fn check(&self, object: &str) -> Result<(), Status> {
        match object.split_once('/') {
            Some((BUCKET, key)) => {
                let inner = self.inner.lock().expect("no holder panics");
                if inner.objects.contains_key(key) {
                    Ok(())
                } else {
                    Err(Status::of(404))
                }
            }
            _ => Err(Status::new(403, "FORBIDDEN: the bucket is not authorised")),
        }
    }

    pub(super) fn object(&self, key: &str) -> Option<Vec<u8>> {
        let inner = self.inner.lock().expect("no holder panics");
        inner.objects.get(key).map(|bytes| bytes.to_vec())
    }

    /// Authorizes an upload by its head alone: by temporary credentials that have not expired.
    pub(super) fn admit(
        &self,
        bucket: &str,
        key: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<(), ErrorReply> {
        if bucket != BUCKET {
            return Err(ErrorReply::new(
                StatusCode::NOT_FOUND,
                "NoSuchBucket",
                "The specified bucket does not exist.",
            ));
        }
        let inner = self.inner.lock().expect("no holder panics");
        // By the head alone: the body of an unauthorized upload is not read.
        verify(&inner.credentials, key, headers, now)?;
        if !key.starts_with(&format!("{FOLDER}/")) {
            return Err(ErrorReply::new(
                StatusCode::FORBIDDEN,
                "AccessDenied",
                "You have no right to access this object.",
            ));
        }
        Ok(())
    }

    /// Stores an object that was authorized and returns its tag.
    pub(super) fn keep(
        &self,
        key: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<String, ErrorReply> {
        let digest = Md5::digest(&body);
        if let Some(said) = headers.get("content-md5")
            && said.as_bytes() != STANDARD.encode(digest).as_bytes()
        {
            return Err(ErrorReply::new(
                StatusCode::BAD_REQUEST,
                "InvalidDigest",
                "The Content-MD5 you specified is not valid.",
            ));
        }
        self.inner.lock().expect("no holder panics").keep(key, body);
        Ok(format!("\"{}\"", upper_hex(&digest)))
    }
}

impl Inner {
    fn keep(&mut self, key: &str, body: Bytes) {
        self.bytes += body.len();
        match self.objects.insert(key.to_owned(), body) {
            Some(replaced) => self.bytes -= replaced.len(),
            None => self.order.push_back(key.to_owned()),
        }
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if let Some(object) = self.objects.remove(&oldest) {
                self.bytes -= object.len();
            }
        }
    }
}

fn verify(
    credentials: &VecDeque<Credential>,
    key: &str,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<(), ErrorReply> {
    let denied = |code: &str, message: &str| {
        ErrorReply::new(StatusCode::FORBIDDEN, code, message.to_owned())
    };
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    };
    let (id, signature) = header("authorization")
        .strip_prefix("OSS ")
        .and_then(|rest| rest.split_once(':'))
        .ok_or_else(|| denied("AccessDenied", "AccessDenied"))?;
    let credential = credentials
        .iter()
        .find(|credential| credential.id == id)
        .ok_or_else(|| {
            denied(
                "InvalidAccessKeyId",
                "The OSS Access Key Id you provided does not exist in our records.",
            )
        })?;
    let date = parse_http_date(header("date"))
        .ok_or_else(|| denied("AccessDenied", "OSS authentication requires a valid Date."))?;
    if now.duration_since(date).abs() > MAX_SKEW {
        return Err(denied(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ));
    }
    let text = string_to_sign(Method::PUT.as_str(), &format!("/{BUCKET}/{key}"), headers);
    let mac = Hmac::<Sha1>::new_from_slice(credential.secret.as_bytes())
        .expect("HMAC takes keys of any length")
        .chain_update(&text);
    let signed = STANDARD.decode(signature).unwrap_or_default();
    mac.verify_slice(&signed).map_err(|_| {
        denied(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    })?;
    // After the signature: an expired key with a wrong signature is reported as the latter.
    if header("x-oss-security-token") != credential.token || now > credential.expires {
        return Err(denied(
            "InvalidAccessKeyId",
            "The security token you provided has expired or is not valid.",
        ));
    }
    Ok(())
}

/// Verb, three headers, the `x-oss-*` headers in order, and the resource un-encoded (object store
/// documentation, signature in the Authorization header).
fn string_to_sign(method: &str, resource: &str, headers: &HeaderMap) -> Vec<u8> {
    let mut text = method.as_bytes().to_vec();
    text.push(b'\n');
    for name in ["content-md5", "content-type", "date"] {
        if let Some(value) = headers.get(name) {
            text.extend(value.as_bytes());
        }
        text.push(b'\n');
    }
    let mut extension: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-oss-"))
        .collect();
    extension.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in extension {
        text.extend(name.as_str().as_bytes());
        text.push(b':');
        text.extend(value.as_bytes());
        text.push(b'\n');
    }
    text.extend(resource.as_bytes());
    text
}
