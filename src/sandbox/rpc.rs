//! The signature of the RPC style, version 1.0 with HMAC-SHA1: what the official libraries call V2,
//! in which clients without a library often call 2.0 (signature page, RPC, 30563). Everything is a
//! parameter, in the query or in a form, and every parameter is signed.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::utf8_percent_encode;
use sha1::Sha1;

use super::{
    AccessKey,
    acs3::UNRESERVED,
    error_reply::{ErrorReply, Request, check_age},
};

/// Authorizes a request of this version and returns its nonce, or returns why not.
pub(super) fn check(
    request: &Request<'_>,
    key: &AccessKey,
    version: &str,
    now: Timestamp,
) -> Result<String, ErrorReply> {
    let mut parameters = parameters(request);
    let signature = parameters.remove("Signature");
    let signature = signature.ok_or_else(|| ErrorReply::missing("Authorization"))?;
    let value = |name: &str| match parameters.get(name) {
        Some(value) => Ok(value.as_str()),
        None => Err(ErrorReply::missing(name)),
    };
    if value("AccessKeyId")? != key.id() {
        return Err(ErrorReply::new(
            StatusCode::NOT_FOUND,
            "InvalidAccessKeyId.NotFound",
            "Specified access key is not found.",
        ));
    }
    for (name, expected, code) in [
        ("Version", version, "InvalidVersion"),
        ("SignatureMethod", "HMAC-SHA1", "InvalidSignatureMethod"),
        ("SignatureVersion", "1.0", "InvalidSignatureVersion"),
    ] {
        if value(name)? != expected {
            return Err(ErrorReply::bad(
                code,
                format!("Specified {name} is not valid."),
            ));
        }
    }
    let date = value("Timestamp")?.parse().map_err(|_| {
        ErrorReply::bad(
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        )
    })?;
    check_age(date, now)?;
    let text = string_to_sign(request, &parameters);
    // The RPC style appends `&` to the secret.
    let mac = Hmac::<Sha1>::new_from_slice(format!("{}&", key.secret()).as_bytes())
        .expect("HMAC takes keys of any length")
        .chain_update(&text);
    let signed = STANDARD.decode(&signature).unwrap_or_default();
    mac.verify_slice(&signed).map_err(|_| {
        ErrorReply::bad(
            "SignatureDoesNotMatch",
            format!("Specified signature is not matched with our calculation. server string to sign is:{text}"),
        )
    })?;
    if parameters.get("SecurityToken").map(String::as_str) != key.token() {
        return Err(ErrorReply::bad(
            "InvalidSecurityToken.MismatchWithAccessKey",
            "Specified SecurityToken mismatch with the AccessKey.",
        ));
    }
    value("SignatureNonce").map(str::to_owned)
}

fn parameters(request: &Request<'_>) -> BTreeMap<String, String> {
    let query = request.uri.query().unwrap_or_default().as_bytes();
    // In a `BTreeMap`, because the parameters are signed in the order of their names.
    let pairs = url::form_urlencoded::parse(query).chain(url::form_urlencoded::parse(request.body));
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn string_to_sign(request: &Request<'_>, parameters: &BTreeMap<String, String>) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| escaped(name) + "=" + &escaped(value))
        .collect();
    format!(
        "{}&{}&{}",
        request.method,
        escaped(request.uri.path()),
        escaped(&pairs.join("&"))
    )
}
