//! Messages to the application about final scans, signed as the Standard Webhooks specification
//! 1.0.0 asks (<https://github.com/standard-webhooks/standard-webhooks>).

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::lines;
use crate::{
    error::{Error, ErrorKind},
    green::Secret,
    image_url::{ImageUrl, masked},
    probe::{Posted, Probe, ProbeBuilder},
};

/// The prefix of a secret.
const PREFIX: &str = "whsec_";

/// The fewest bytes of a secret, as in the specification. More than 64 are accepted.
const MIN_BYTES: usize = 24;

/// The delays before the attempts after the first, as the specification recommends.
const DELAYS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(5 * 60 * 60),
    Duration::from_secs(10 * 60 * 60),
    Duration::from_secs(14 * 60 * 60),
    Duration::from_secs(20 * 60 * 60),
    Duration::from_secs(24 * 60 * 60),
];

/// The time limit of an attempt.
const TIME: Duration = Duration::from_secs(15);

/// The longest `Retry-After` that is respected.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a server reports final scans, and how it signs the messages.
///
/// A message is a POST request with the scan as JSON, and with the headers `webhook-id`,
/// `webhook-timestamp` and `webhook-signature` of the Standard Webhooks specification, so that its
/// libraries verify it. An attempt succeeds with a status of 2xx. Others are repeated from the
/// ledger, also after a restart, with the same `webhook-id`; 410 and ten failed attempts end them.
///
/// ```
/// use greenlight::{green::Secret, probe::Probe, serve::Webhook};
///
/// let secrets = Secret::new("# of 2026\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
/// let webhook = Webhook::new("http://localhost:3000/scans", &secrets, Probe::builder())?;
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Clone)]
pub struct Webhook {
    url: ImageUrl,
    keys: Vec<Vec<u8>>,
    probe: Probe,
    time: Duration,
    delays: Arc<[Duration]>,
}

impl Webhook {
    /// Returns a webhook to `url`. `secrets` has one secret per line, `whsec_` and Base64; a
    /// message is signed with each, so that the receiver can change its secret. Blank lines and
    /// lines that begin with `#` are skipped.
    ///
    /// `connections` sets up how the receiver is reached. An address in the URL, and `localhost`,
    /// is allowed. A name must resolve to addresses that the policy allows, and redirects are not
    /// followed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an unusable URL, for a text without a secret, and for a secret that
    /// is not Base64 or has fewer than 24 bytes. The error names the line and not the secret.
    pub fn new(url: &str, secrets: &Secret, connections: ProbeBuilder) -> Result<Self, Error> {
        let wrong = |error: &dyn fmt::Display| {
            Error::new(
                ErrorKind::Usage,
                format_args!("webhook {}: {error}", masked(url)),
            )
        };
        let parsed = ImageUrl::parse(url).map_err(|error| wrong(&error))?;
        if parsed.has_credentials() {
            return Err(wrong(
                &"the signature identifies the sender: remove the user name and password",
            ));
        }
        let connections = connections.allow_named(&parsed);
        Ok(Self {
            keys: parse_secrets(secrets.expose())?,
            probe: connections.map_err(|error| wrong(&error))?.build()?,
            url: parsed,
            time: TIME,
            delays: DELAYS.into(),
        })
    }

    /// Sets the time limit of an attempt. Default: 15 seconds.
    #[must_use]
    pub const fn with_time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Sets the delays before the attempts after the first; a delivery is abandoned after the last
    /// attempt. Default: 5 seconds, 5 and 30 minutes, 2, 5, 10, 14, 20 and 24 hours.
    #[must_use]
    pub fn with_delays(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.delays = delays.into_iter().collect();
        self
    }

    pub(super) const fn time(&self) -> Duration {
        self.time
    }

    /// Makes an attempt.
    pub(super) async fn post(&self, id: &str, body: String, now: SystemTime) -> Attempt {
        let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // At each attempt, because receivers reject a timestamp that is too old (Standard
        // Webhooks).
        let signature = self.sign(id, timestamp, &body);
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(
            HeaderName::from_static("webhook-timestamp"),
            timestamp.into(),
        );
        for (name, value) in [("webhook-id", id), ("webhook-signature", &signature)] {
            let value = HeaderValue::from_str(value).expect("letters, digits and punctuation");
            headers.insert(HeaderName::from_static(name), value);
        }
        let body = Bytes::from(body);
        let posted = self.probe.post(&self.url, headers, body, self.time).await;
        Attempt::of(posted, now)
    }

    /// Returns the header with a signature by each key.
    fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let sign = |key: &Vec<u8>| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys may have any length");
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body.as_bytes());
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        let signatures: Vec<String> = self.keys.iter().map(sign).collect();
        signatures.join(" ")
    }

    /// Returns the time until the next attempt after so many failed ones, `None` if there is none.
    /// `jitter` is from 0 to 1.
    pub(super) fn delay(
        &self,
        failed: u32,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> Option<Duration> {
        let index = usize::try_from(failed).ok()?.checked_sub(1)?;
        // From 0.9 to 1.1 times the delay, so that the messages of an outage do not arrive
        // together.
        let delay = self.delays.get(index)?.mul_f64(0.9 + jitter / 5.0);
        Some(delay.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &masked(self.url.as_str()))
            .field("time", &self.time)
            .field("delays", &self.delays)
            .finish_non_exhaustive()
    }
}

fn parse_secrets(text: &str) -> Result<Vec<Vec<u8>>, Error> {
    // Generators of secrets differ in whether they pad.
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    lines::parse("webhook secrets", text, |secret| {
        let encoded = secret.strip_prefix(PREFIX);
        let encoded = encoded.ok_or("a secret begins with whsec_")?;
        let key = BASE64.decode(encoded);
        let key = key.map_err(|_| "the text after whsec_ is not Base64")?;
        if key.len() < MIN_BYTES {
            return Err("fewer than 24 bytes after whsec_");
        }
        Ok(key)
    })
}

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Delivered,
    /// It can be repeated, not before this time has passed.
    Failed {
        reason: String,
        retry_after: Option<Duration>,
    },
    /// The receiver wants no more messages.
    Gone,
}

impl Attempt {
    fn of(posted: Result<Posted, String>, now: SystemTime) -> Self {
        match posted {
            Ok(posted) if (200..300).contains(&posted.status) => Self::Delivered,
            // The specification asks senders to stop at this status.
            Ok(Posted { status: 410, .. }) => Self::Gone,
            Ok(posted) => Self::Failed {
                reason: format!("status {}", posted.status),
                retry_after: posted.retry_after.and_then(|text| until(&text, now)),
            },
            Err(reason) => Self::Failed {
                reason,
                retry_after: None,
            },
        }
    }
}

/// Reads `Retry-After`, which is in seconds or a date (RFC 9110, 10.2.3).
fn until(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
    Some(
        SystemTime::from(date.ok()?)
            .duration_since(now)
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(secrets: &str) -> Result<Webhook, Error> {
        Webhook::new(
            "http://localhost:1/",
            &Secret::new(secrets),
            Probe::builder(),
        )
    }

    /// The example of the specification's libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let webhook = webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = webhook.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_message_is_signed_with_each_secret() {
        let two = "# old\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\n whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA== \n";
        let signature = webhook(two).unwrap().sign("a", 1, "{}");
        let signatures: Vec<_> = signature.split(' ').collect();
        assert_eq!(signatures.len(), 2, "{signature}");
        assert_ne!(signatures[0], signatures[1]);
    }

    #[test]
    fn unusable_secrets_are_reported_by_line_and_not_repeated() {
        for (text, line) in [
            ("", "there is none"),
            ("# none\n", "there is none"),
            ("\nMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "line 2"),
            ("whsec_MfKQ", "line 1"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!!", "line 1"),
        ] {
            let error = webhook(text).unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
            assert!(!error.contains("MfKQ"), "{error}");
        }
    }

    #[test]
    fn unusable_urls_are_errors() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        for url in ["", "ftp://example.com/", "http://u:secret@example.com/"] {
            let error = Webhook::new(url, &secret, Probe::builder()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{url}");
            assert!(!error.to_string().contains("secret@"), "{error}");
        }
    }

    #[test]
    fn delays_are_those_of_the_table_with_jitter() {
        let webhook = webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let delay = |failed, after, jitter| webhook.delay(failed, after, jitter);
        let seconds = Duration::from_secs;
        assert_eq!(delay(1, None, 0.5), Some(seconds(5)));
        assert_eq!(delay(1, None, 0.0), Some(Duration::from_millis(4_500)));
        assert_eq!(delay(1, Some(seconds(60)), 0.5), Some(seconds(60)));
        assert_eq!(delay(2, Some(seconds(60)), 0.5), Some(seconds(300)));
        assert_eq!(delay(1, Some(Duration::MAX), 0.5), Some(MAX_RETRY_AFTER));
        assert_eq!(delay(9, None, 0.5), Some(seconds(86_400)));
        assert_eq!(delay(10, None, 0.5), None);
    }

    #[test]
    fn retry_after_is_in_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        assert_eq!(until(" 120 ", now), Some(Duration::from_secs(120)));
        let date = until("Sun, 13 Sep 2020 12:27:40 GMT", now);
        assert_eq!(date, Some(Duration::from_secs(60)));
        let past = until("Sun, 13 Sep 2015 12:27:40 GMT", now);
        assert_eq!(past, Some(Duration::ZERO));
        assert_eq!(until("soon", now), None);
    }
}
