//! Results that the service sends to the URL of a [`Callback`].
//!
//! It posts a form of two fields: `content`, the JSON of one task's result, and `checksum`, the hex
//! of SHA-256 (or SM3) over the account's UID, the seed and the content, one after the other
//! (callback pages, 70436 and 130313). The checksum is all that proves who sent it.
//!
//! 2.0 posts the same with capitals, `Content` and `Checksum`, and a third field, `ReqId`; the
//! content is what the poll of a result returns as `Data`. Its pages describe this for videos and
//! URLs; that it holds for images is not documented.
//!
//! It repeats a callback that is not answered with 200, up to sixteen times, and may repeat one
//! that is: a handler must remember the task's id and handle each task once. With the features
//! `axum` and `client` a handler that does so is `greenlight::axum::callbacks`.

use std::fmt;

use percent_encoding::percent_decode;
use sha2::{Digest, Sha256};
use sm3::Sm3;
use subtle::ConstantTimeEq;

use super::{
    credentials::Secret,
    object::Object,
    options::{Callback, CryptType},
    report::TaskReport,
    v1, v2,
};
use crate::error::{Error, ErrorKind};

fn digest<D: Digest>(parts: [&[u8]; 3]) -> Vec<u8> {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().to_vec()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

/// Parses one task's result from the form's field `content`.
///
/// ```
/// use greenlight::green::callback;
///
/// // Verify the checksum before: `Verifier::open` does both.
/// let report = callback::parse(
///     br#"{"code": 200, "taskId": "img-1", "dataId": "photo-1",
///         "results": [{"scene": "porn", "label": "porn", "suggestion": "block", "rate": 99.9}]}"#,
/// )?;
/// assert_eq!(report.data_id().expect("it was sent").as_str(), "photo-1");
/// assert_eq!(report.outcome().expect("the task is done").decision().name(), "block");
/// # Ok::<(), greenlight::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Answer`] when it is not a JSON object with a task id.
pub fn parse(content: &[u8]) -> Result<TaskReport, Error> {
    Object::parse(content)
        .and_then(|object| {
            // A result of 1.0 has a `taskId`, one of 2.0 a `ReqId`.
            match object.word("taskId") {
                Some(_) => v1::reply::report(&object),
                None => v2::reply::callback(&object),
            }
        })
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Answer,
                "callback is not the result of a task: no JSON object with a task id",
            )
        })
}

/// Verifies and parses callbacks.
///
/// ```
/// use greenlight::{ErrorKind, green::{Callback, Secret, callback::Verifier}};
///
/// let callback = Callback::new("https://example.com/results", Secret::new("random_seed_1"))?;
/// let verifier = Verifier::new("1234567890123456", &callback);
/// let forged = b"checksum=00&content=%7B%22taskId%22%3A%22t%22%7D";
/// assert_eq!(verifier.open(forged).unwrap_err().kind(), ErrorKind::Credentials);
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    uid: String,
    seed: Secret,
    crypt_type: CryptType,
}

impl Verifier {
    /// Returns a verifier of the results that are sent to `callback`. `uid` is the UID of the
    /// Alibaba Cloud account, never of a RAM user.
    pub fn new(uid: &str, callback: &Callback) -> Self {
        Self {
            uid: uid.to_owned(),
            seed: callback.seed.clone(),
            crypt_type: callback.crypt_type,
        }
    }

    /// Verifies and parses the body of a callback: the form as it was posted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Credentials`] when the checksum is missing or wrong.
    /// [`ErrorKind::Answer`] when it is not the result of a task.
    pub fn open(&self, form: &[u8]) -> Result<TaskReport, Error> {
        let forged = || {
            Error::new(
                ErrorKind::Credentials,
                "callback is not from the service: its checksum is wrong",
            )
        };
        let content = field(form, "content").unwrap_or_default();
        let checksum = field(form, "checksum").ok_or_else(forged)?;
        let checksum = str::from_utf8(&checksum).map_err(|_| forged())?;
        // Before the content is parsed: JSON from another sender does not reach the parser.
        if !self.verify(&content, checksum) {
            return Err(forged());
        }
        parse(&content)
    }

    /// Returns whether `checksum` is the one of `content`: the decoded bytes of the form's field,
    /// not JSON written again.
    ///
    /// The comparison takes the same time wherever the two differ. Capitals in the checksum do not
    /// matter: the documentation does not specify the case.
    pub fn verify(&self, content: &[u8], checksum: &str) -> bool {
        let Some(given) = unhex(checksum) else {
            return false;
        };
        let parts = [self.uid.as_bytes(), self.seed.expose().as_bytes(), content];
        let right = match self.crypt_type {
            CryptType::Sha256 => digest::<Sha256>(parts),
            CryptType::Sm3 => digest::<Sm3>(parts),
        };
        right.as_slice().ct_eq(&given).into()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("uid", &self.uid)
            .field("seed", &self.seed)
            .field("crypt_type", &self.crypt_type)
            .finish()
    }
}

/// The bytes of a form's first field of this name, in any case. Decoded here, because the usual
/// decoders repair bytes that are not UTF-8, and the checksum is over the bytes that were sent.
fn field(form: &[u8], name: &str) -> Option<Vec<u8>> {
    form.split(|byte| *byte == b'&').find_map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let found = unquote(halves.next()?);
        found
            .eq_ignore_ascii_case(name.as_bytes())
            .then(|| unquote(halves.next().unwrap_or_default()))
    })
}

/// Decodes `application/x-www-form-urlencoded` (WHATWG URL, 5.1): `+` is a space, `%XX` a byte.
fn unquote(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).collect()
}
