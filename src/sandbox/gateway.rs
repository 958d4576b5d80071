//! The gateway (POP) in front of the service: authentication, integrity and age of requests. It
//! shares no code with the signer of this package, so that each verifies the other.
//!
//! Sources: the common parameters, signature and public error code pages of the service (2018-05-09
//! version; read in 2026-03), and requests recorded from the official clients.

use std::{
    collections::{HashSet, VecDeque},
    sync::Mutex,
};

use axum::http::{HeaderName, StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use md5::Md5;
use sha1::{Digest as _, Sha1};

use super::{
    AccessKey, acs3,
    clock::parse_http_date,
    error_reply::{ErrorReply, Request, check_age, text},
    rpc,
};

/// Nonces that are remembered; the oldest is forgotten first.
const MAX_NONCES: usize = 100_000;

/// The only version of 1.0 that is still served; an earlier one answers `InvalidAction.NotFound`.
const VERSION: &str = "2018-05-09";
const VERSION_2: &str = "2022-03-02";

/// The gateway's memory.
#[derive(Debug, Default)]
pub(super) struct Gateway {
    nonces: Mutex<Nonces>,
}

#[derive(Debug, Default)]
struct Nonces {
    used: HashSet<[u8; 20]>,
    order: VecDeque<[u8; 20]>,
}

impl Gateway {
    /// Authorizes a request, or returns why not.
    pub(super) fn admit(
        &self,
        request: &Request<'_>,
        key: &AccessKey,
        now: Timestamp,
    ) -> Result<(), ErrorReply> {
        let header = text(request, "authorization")?;
        if header.is_none() && request.is_v2 {
            // 2.0 also accepts the RPC style, whose signature is a parameter.
            let nonce = rpc::check(request, key, VERSION_2, now)?;
            return self.check_nonce(&nonce);
        }
        let header = header.ok_or_else(|| ErrorReply::missing("Authorization"))?;
        match header
            .strip_prefix(acs3::ALGORITHM)
            .and_then(|rest| rest.strip_prefix(' '))
        {
            Some(parameters) => {
                let authorization = acs3::Authorization::parse(parameters)?;
                check_caller(request, key, authorization.id)?;
                authorization.check(request, key, now)?;
            }
            None if request.is_v2 => {
                return Err(ErrorReply::bad(
                    "InvalidAuthorization",
                    "Specified authorization is not of the form ACS3-HMAC-SHA256.",
                ));
            }
            None => check_roa(request, key, header, now)?,
        }
        check_token(request, key)?;
        // The official Python and Java clients of 1.0 send no nonce, so its absence is tolerated.
        match text(request, "x-acs-signature-nonce")? {
            Some(nonce) => self.check_nonce(nonce),
            None => Ok(()),
        }
    }

    fn check_nonce(&self, nonce: &str) -> Result<(), ErrorReply> {
        // Hashed, so that a long nonce takes no more memory than a short one.
        let hash: [u8; 20] = Sha1::digest(nonce).into();
        let mut nonces = self.nonces.lock().expect("no holder panics");
        if !nonces.used.insert(hash) {
            return Err(ErrorReply::bad(
                "SignatureNonceUsed",
                "Specified signature nonce was used already.",
            ));
        }
        // Only a request whose signature is right gets here, so strangers cannot fill the memory.
        nonces.order.push_back(hash);
        if nonces.order.len() > MAX_NONCES
            && let Some(oldest) = nonces.order.pop_front()
        {
            nonces.used.remove(&oldest);
        }
        Ok(())
    }
}

/// Checks the key's ID and the version.
fn check_caller(request: &Request<'_>, key: &AccessKey, id: &str) -> Result<(), ErrorReply> {
    if id != key.id() {
        return Err(ErrorReply::new(
            StatusCode::NOT_FOUND,
            "InvalidAccessKeyId.NotFound",
            "Specified access key is not found.",
        ));
    }
    let version = if request.is_v2 { VERSION_2 } else { VERSION };
    required(request, "x-acs-version", "Version", version, || {
        ErrorReply::bad(
            "InvalidAction.NotFound",
            "Specified api is not found, please check your url and method.",
        )
    })
}

/// Checks the ROA signature, which the service's pages describe.
fn check_roa(
    request: &Request<'_>,
    key: &AccessKey,
    header: &str,
    now: Timestamp,
) -> Result<(), ErrorReply> {
    let (id, signature) = authorization(header)?;
    check_caller(request, key, id)?;
    required(
        request,
        "x-acs-signature-method",
        "SignatureMethod",
        "HMAC-SHA1",
        || {
            ErrorReply::bad(
                "InvalidSignatureMethod",
                "Specified signature method is not valid.",
            )
        },
    )?;
    required(
        request,
        "x-acs-signature-version",
        "SignatureVersion",
        "1.0",
        || {
            ErrorReply::bad(
                "InvalidSignatureVersion",
                "Specified signature version is not valid.",
            )
        },
    )?;
    // Age before signature, as for version 3: a client with a wrong clock gets the error that it
    // can correct.
    check_date(request, now)?;
    check_md5(request)?;
    check_signature(request, key, &signature)
}

/// `acs ID:SIGNATURE`.
fn authorization(header: &str) -> Result<(&str, Vec<u8>), ErrorReply> {
    header
        .strip_prefix("acs ")
        .and_then(|rest| rest.split_once(':'))
        .and_then(|(id, signature)| Some((id, STANDARD.decode(signature).ok()?)))
        .ok_or_else(|| {
            ErrorReply::bad(
                "InvalidAuthorization",
                "Specified authorization is not of the form acs ID:SIGNATURE.",
            )
        })
}

fn required(
    request: &Request<'_>,
    name: &str,
    parameter: &str,
    value: &str,
    otherwise: impl FnOnce() -> ErrorReply,
) -> Result<(), ErrorReply> {
    match text(request, name)? {
        None => Err(ErrorReply::missing(parameter)),
        Some(found) if found == value => Ok(()),
        Some(_) => Err(otherwise()),
    }
}

fn check_date(request: &Request<'_>, now: Timestamp) -> Result<(), ErrorReply> {
    let date = text(request, "date")?.ok_or_else(|| ErrorReply::missing("Date"))?;
    let date = parse_http_date(date).ok_or_else(|| {
        ErrorReply::bad(
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        )
    })?;
    check_age(date, now)
}

/// Checks `Content-MD5`. Some official clients send none, so the signature does not cover the body.
fn check_md5(request: &Request<'_>) -> Result<(), ErrorReply> {
    match text(request, "content-md5")? {
        Some(said) if said != STANDARD.encode(Md5::digest(request.body)) => Err(ErrorReply::bad(
            "ContentMD5NotMatched",
            "Specified content md5 is not matched with your request body.",
        )),
        Some(_) | None => Ok(()),
    }
}

fn check_signature(
    request: &Request<'_>,
    key: &AccessKey,
    signature: &[u8],
) -> Result<(), ErrorReply> {
    // Clients differ in how they sign a parameter without a value: `k=` or `k`.
    let candidates = [string_to_sign(request, "="), string_to_sign(request, "")];
    let matches = candidates.iter().any(|candidate| {
        Hmac::<Sha1>::new_from_slice(key.secret().as_bytes())
            .expect("HMAC takes keys of any length")
            .chain_update(candidate)
            .verify_slice(signature)
            .is_ok()
    });
    if matches {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&candidates[0]);
    Err(ErrorReply::bad(
        "SignatureDoesNotMatch",
        format!(
            "Specified signature is not matched with our calculation. server string to sign is:{text}"
        ),
    ))
}

/// The text that the caller should have signed, from the received request. `unset` follows the name
/// of a parameter without a value.
fn string_to_sign(request: &Request<'_>, unset: &str) -> Vec<u8> {
    let mut text = request.method.as_str().as_bytes().to_vec();
    text.push(b'\n');
    for name in ["accept", "content-md5", "content-type", "date"] {
        if let Some(value) = request.headers.get(name) {
            text.extend(value.as_bytes());
        }
        text.push(b'\n');
    }
    let mut names: Vec<&str> = request
        .headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| name.starts_with("x-acs-"))
        .collect();
    names.sort_unstable();
    for name in names {
        for value in request.headers.get_all(name) {
            text.extend(name.as_bytes());
            text.push(b':');
            text.extend(value.as_bytes());
            text.push(b'\n');
        }
    }
    text.extend(request.uri.path().as_bytes());
    let query = request.uri.query().unwrap_or_default();
    let mut pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    // Parameters are signed decoded, in the order of their names (page 53415).
    pairs.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    for (index, (name, value)) in pairs.iter().enumerate() {
        text.push(if index == 0 { b'?' } else { b'&' });
        text.extend(name.as_bytes());
        let joint = if value.is_empty() { unset } else { "=" };
        text.extend(joint.as_bytes());
        text.extend(value.as_bytes());
    }
    text
}

/// Temporary credentials carry a token, permanent ones none.
fn check_token(request: &Request<'_>, key: &AccessKey) -> Result<(), ErrorReply> {
    match (text(request, "x-acs-security-token")?, key.token()) {
        (None, Some(_)) => Err(ErrorReply::missing("SecurityToken")),
        (Some(given), Some(held)) if given == held => Ok(()),
        (None, None) => Ok(()),
        (Some(_), _) => Err(ErrorReply::bad(
            "InvalidSecurityToken.MismatchWithAccessKey",
            "Specified SecurityToken mismatch with the AccessKey.",
        )),
    }
}
