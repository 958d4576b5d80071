//! Signatures: pure functions from the parts of a request and keys to a header.
//!
//! Three of them: [`roa`] for version 1.0 of the moderation service, [`acs3`] for 2.0 and for
//! gateways that require it, [`oss`] for uploads.
//!
//! The service's gateway takes the ROA style, version 1.0, with HMAC-SHA1 (request signatures page,
//! 53415). The formula on that page writes one newline more than its own example and every official
//! SDK sign; the example is right.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use sha2::Sha256;

use super::credentials::{Credentials, Secret};
use crate::sanitize::harmless;

/// The parts of a request that are signed.
///
/// ```
/// use greenlight::green::{Credentials, Secret, sign::{Parts, roa}};
///
/// let parts = Parts {
///     method: "POST",
///     path: "/green/image/results",
///     query: &[("clientInfo", "{}")],
///     headers: &[("Date", "Mon, 03 Feb 2025 10:00:00 GMT"), ("x-acs-version", "2018-05-09")],
/// };
/// let signature = roa(&parts, &Credentials::new("key-id", Secret::new("key-secret")));
/// assert!(signature.string_to_sign().ends_with("/green/image/results?clientInfo={}"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, not encoded.
    pub path: &'a str,
    /// Names and values of the query, not encoded, in any order.
    pub query: &'a [(&'a str, &'a str)],
    /// Names and values of the headers, in any order and capitals. Those that [`roa`] and [`oss`]
    /// do not sign may be among them.
    pub headers: &'a [(&'a str, &'a str)],
}

/// A signature and what it was made of.
///
/// ```
/// use greenlight::green::{Credentials, Secret, sign::{Parts, roa}};
///
/// let parts = Parts { method: "POST", path: "/green/image/scan", query: &[], headers: &[] };
/// let signature = roa(&parts, &Credentials::new("key-id", Secret::new("key-secret")));
/// assert!(signature.authorization().starts_with("acs key-id:"));
/// // The service reports the text that it signed: a proxy rewrote the path.
/// let theirs = signature.string_to_sign().replace("/green/", "/api/green/");
/// assert!(signature.difference(&theirs).contains("the service has `/api/green/image/scan`"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    string_to_sign: String,
    authorization: String,
}

impl Signature {
    /// The text that was signed. It holds the security token, if there is one.
    pub fn string_to_sign(&self) -> &str {
        &self.string_to_sign
    }

    /// The value of the `Authorization` header.
    pub fn authorization(&self) -> &str {
        &self.authorization
    }

    /// Describes how the text that the service signed differs from the one signed here, without
    /// the security token.
    pub fn difference(&self, theirs: &str) -> String {
        difference(&self.string_to_sign, theirs)
    }
}

/// Describes how two strings to sign differ.
pub(super) fn difference(ours: &str, theirs: &str) -> String {
    let theirs = theirs.trim_end();
    if theirs == ours {
        return "both sides signed the same text, so the secret does not belong to this access key id"
            .to_owned();
    }
    let (mut ours, mut theirs) = (ours.lines(), theirs.lines());
    let mut found = String::new();
    // The other text is the server's: a few differing lines explain the failure, thousands do not.
    for number in 1_u32..=64 {
        let (line, other) = (ours.next(), theirs.next());
        if line.is_none() && other.is_none() {
            break;
        }
        if line != other {
            let separator = if found.is_empty() { "" } else { "; " };
            let (line, other) = (shown(line), shown(other));
            let _ = write!(
                found,
                "{separator}line {number}: the service has {other}, the client signed {line}"
            );
            if found.len() > 600 {
                break;
            }
        }
    }
    if found.is_empty() {
        found.push_str("the two sides signed texts that differ in their line ends");
    }
    found
}

/// A line of a string to sign, fit to be shown.
fn shown(line: Option<&str>) -> String {
    match line {
        None => "no such line".to_owned(),
        Some("") => "an empty line".to_owned(),
        Some(line) => match line.split_once(':') {
            Some((name, _)) if name.trim().to_ascii_lowercase().ends_with("security-token") => {
                format!("`{}:<redacted>`", harmless(name, 40))
            }
            _ => format!("`{}`", harmless(line, 120)),
        },
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signature(<redacted>)")
    }
}

/// Signs a request to the moderation service: ROA style, version 1.0, HMAC-SHA1.
///
/// ```
/// use greenlight::green::{Credentials, Secret, sign};
///
/// let parts = sign::Parts {
///     method: "POST",
///     path: "/green/image/results",
///     query: &[],
///     headers: &[("accept", "application/json"), ("x-acs-version", "2018-05-09")],
/// };
/// let key = Credentials::new("key-id", Secret::new("key-secret"));
/// let signature = sign::roa(&parts, &key);
/// assert!(signature.authorization().starts_with("acs key-id:"));
/// assert!(signature.string_to_sign().ends_with("x-acs-version:2018-05-09\n/green/image/results"));
/// ```
pub fn roa(parts: &Parts<'_>, credentials: &Credentials) -> Signature {
    let string_to_sign = roa_string(parts);
    let mac = hmac_sha1(credentials.secret(), &string_to_sign);
    let authorization = format!("acs {}:{mac}", credentials.access_key_id());
    Signature {
        string_to_sign,
        authorization,
    }
}

fn roa_string(parts: &Parts<'_>) -> String {
    let mut text = String::with_capacity(512);
    text.push_str(parts.method);
    text.push('\n');
    // The order is fixed by the formula (page 53415); all other headers that are signed are sorted.
    for name in ["accept", "content-md5", "content-type", "date"] {
        // A header that is not sent leaves its line empty.
        text.push_str(header(parts.headers, name).unwrap_or_default());
        text.push('\n');
    }
    push_prefixed_headers(&mut text, parts.headers, "x-acs-");
    text.push_str(parts.path);
    let mut query: Vec<_> = parts.query.to_vec();
    // The query is signed without escapes, unlike in ACS3.
    query.sort_unstable();
    for (index, (name, value)) in query.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        let _ = write!(text, "{name}={value}");
    }
    text
}

/// All but the unreserved characters (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Signs a request with `ACS3-HMAC-SHA256` (signature page, V3, 159972).
///
/// Every header of `parts` is signed, so those that a proxy may rewrite must not be among them.
/// `host`, `x-acs-action`, `x-acs-version`, `x-acs-date`, `x-acs-signature-nonce` and
/// `x-acs-content-sha256` must be; the last is [`content_sha256`] of the body.
///
/// ```
/// use greenlight::green::{Credentials, Secret, sign::{Parts, acs3, content_sha256}};
///
/// let digest = content_sha256(b"");
/// let parts = Parts {
///     method: "POST",
///     path: "/",
///     query: &[],
///     headers: &[("host", "green-cip.cn-shanghai.aliyuncs.com"), ("x-acs-content-sha256", &digest)],
/// };
/// let signature = acs3(&parts, &Credentials::new("key-id", Secret::new("key-secret")));
/// assert!(signature.authorization().contains("SignedHeaders=host;x-acs-content-sha256,"));
/// ```
pub fn acs3(parts: &Parts<'_>, credentials: &Credentials) -> Signature {
    let mut headers: Vec<(String, &str)> = parts
        .headers
        .iter()
        // Canonical headers are in lower case without white space around their values (page
        // 159972).
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut query = parts.query.to_vec();
    query.sort_unstable();
    let escaped = |text| utf8_percent_encode(text, ESCAPED);
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect();

    let mut request = format!("{}\n{}\n{}\n", parts.method, parts.path, query.join("&"));
    for (name, value) in &headers {
        let _ = writeln!(request, "{name}:{value}");
    }
    let body = header(parts.headers, "x-acs-content-sha256").unwrap_or_default();
    // Each canonical header ends its own line, and an empty line follows them (page 159972).
    let _ = write!(request, "\n{names}\n{body}");

    let digest = content_sha256(request.as_bytes());
    let string_to_sign = format!("ACS3-HMAC-SHA256\n{digest}");
    let mac = hmac_sha256(credentials.secret(), &string_to_sign);
    let id = credentials.access_key_id();
    Signature {
        authorization: format!(
            "ACS3-HMAC-SHA256 Credential={id},SignedHeaders={names},Signature={mac}"
        ),
        string_to_sign,
    }
}

/// The value of `x-acs-content-sha256`, by which [`acs3`] covers the body.
///
/// ```
/// use greenlight::green::sign::content_sha256;
///
/// let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// assert_eq!(content_sha256(b""), of_nothing);
/// ```
pub fn content_sha256(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Signs the upload of an object to OSS: header signature, version 1, HMAC-SHA1.
///
/// `parts.path` is `/key`, not encoded; the query is not signed.
///
/// ```
/// use greenlight::green::{Credentials, Secret, sign::{Parts, oss}};
///
/// let parts = Parts {
///     method: "PUT",
///     path: "/upload/cat.png",
///     query: &[],
///     headers: &[("Date", "Mon, 03 Feb 2025 10:00:00 GMT"), ("Content-Type", "image/png")],
/// };
/// let signature = oss(&parts, "bucket", &Credentials::new("key-id", Secret::new("key-secret")));
/// assert!(signature.string_to_sign().ends_with("\n/bucket/upload/cat.png"));
/// ```
pub fn oss(parts: &Parts<'_>, bucket: &str, credentials: &Credentials) -> Signature {
    let mut text = String::with_capacity(256);
    text.push_str(parts.method);
    text.push('\n');
    for name in ["content-md5", "content-type", "date"] {
        text.push_str(header(parts.headers, name).unwrap_or_default());
        text.push('\n');
    }
    push_prefixed_headers(&mut text, parts.headers, "x-oss-");
    let _ = write!(text, "/{bucket}{}", parts.path);
    let mac = hmac_sha1(credentials.secret(), &text);
    let authorization = format!("OSS {}:{mac}", credentials.access_key_id());
    Signature {
        string_to_sign: text,
        authorization,
    }
}

/// The value of `Content-MD5`, by which [`roa`] covers the body.
///
/// ```
/// use greenlight::green::sign::content_md5;
///
/// assert_eq!(content_md5(b"{}"), "mZFLkyvTelC5g8XnyQrpOw==");
/// ```
pub fn content_md5(body: &[u8]) -> String {
    BASE64.encode(Md5::digest(body))
}

fn header<'a>(headers: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

/// The service's own headers, one per line, sorted by their names in lower case.
fn push_prefixed_headers(text: &mut String, headers: &[(&str, &str)], prefix: &str) {
    let mut own: Vec<(String, &str)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), *value))
        .filter(|(name, _)| name.starts_with(prefix))
        .collect();
    own.sort_unstable();
    for (name, value) in own {
        let _ = writeln!(text, "{name}:{value}");
    }
}

fn hmac_sha1(key: &Secret, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

fn hmac_sha256(key: &Secret, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}
