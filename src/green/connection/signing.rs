//! The headers of an attempt, signed.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Call, Connection};
use crate::green::{
    clock,
    credentials::Credentials,
    ids::Nonce,
    sign::{self, Parts, Signature},
};

/// The version of the signature of requests.
///
/// ```
/// use greenlight::green::{Client, Credentials, Secret, SignatureStyle};
///
/// // For a gateway that refuses HMAC-SHA1.
/// let client = Client::builder()
///     .region("ap-southeast-1")
///     .signature(SignatureStyle::Acs3)
///     .credentials(Credentials::new("key-id", Secret::new("key-secret")))
///     .build()?;
/// # Ok::<(), greenlight::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureStyle {
    /// As the service's pages document: ROA style, version 1.0, HMAC-SHA1.
    #[default]
    Roa,
    /// `ACS3-HMAC-SHA256`, which is to replace it (signature page, V3, 159972). That the moderation
    /// service accepts it is not documented; its newest official library sends it.
    Acs3,
}

impl Connection {
    /// The full documented set of headers, with a nonce and a date of this attempt's own.
    pub(super) fn sign(
        &self,
        call: &Call<'_>,
        credentials: &Credentials,
    ) -> (HeaderMap, Signature) {
        match self.settings.signature {
            SignatureStyle::Roa => self.sign_roa(call, credentials),
            SignatureStyle::Acs3 => self.sign_acs3(call, credentials),
        }
    }

    fn sign_roa(&self, call: &Call<'_>, credentials: &Credentials) -> (HeaderMap, Signature) {
        let nonce = Nonce::random();
        let date = clock::http_date(self.clock.now());
        let md5 = sign::content_md5(&call.body.bytes);
        let mut headers = vec![
            ("accept", "application/json"),
            ("content-md5", &md5),
            ("date", &date),
            ("x-acs-signature-method", "HMAC-SHA1"),
            ("x-acs-signature-nonce", nonce.as_str()),
            ("x-acs-signature-version", "1.0"),
            ("x-acs-version", &self.api_version),
        ];
        if let Some(media_type) = call.body.media_type {
            headers.push(("content-type", media_type));
        }
        if let Some(token) = credentials.token() {
            headers.push(("x-acs-security-token", token.expose()));
        }
        let query = query(call);
        let signature = sign::roa(&parts(call, &query, &headers), credentials);
        headers.push(("authorization", signature.authorization()));
        (header_map(&headers), signature)
    }

    fn sign_acs3(&self, call: &Call<'_>, credentials: &Credentials) -> (HeaderMap, Signature) {
        let nonce = Nonce::random();
        let date = clock::iso_date(self.clock.now());
        let host = self.endpoint.authority();
        let sha256 = sign::content_sha256(&call.body.bytes);
        let mut headers = vec![
            ("host", host.as_str()),
            ("x-acs-action", call.action),
            ("x-acs-content-sha256", &sha256),
            ("x-acs-date", &date),
            ("x-acs-signature-nonce", nonce.as_str()),
            ("x-acs-version", &self.api_version),
        ];
        if let Some(token) = credentials.token() {
            headers.push(("x-acs-accesskey-id", credentials.access_key_id()));
            headers.push(("x-acs-security-token", token.expose()));
        }
        if let Some(media_type) = call.body.media_type {
            headers.push(("content-type", media_type));
        }
        let query = query(call);
        let signature = sign::acs3(&parts(call, &query, &headers), credentials);
        // A proxy may rewrite this header, so it is not signed.
        headers.push(("accept", "application/json"));
        headers.push(("authorization", signature.authorization()));
        if call.body.bytes.is_empty() {
            // RFC 9110, 8.6: a POST without content says so.
            headers.push(("content-length", "0"));
        }
        (header_map(&headers), signature)
    }
}

fn query<'a>(call: &'a Call<'_>) -> Vec<(&'a str, &'a str)> {
    let query = call.query.iter();
    query.map(|(name, value)| (*name, value.as_str())).collect()
}

const fn parts<'a>(
    call: &Call<'a>,
    query: &'a [(&'a str, &'a str)],
    headers: &'a [(&'a str, &'a str)],
) -> Parts<'a> {
    Parts {
        method: "POST",
        path: call.path,
        query,
        headers,
    }
}

fn header_map(headers: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let mut value = HeaderValue::from_str(value)
            .expect("credentials and settings were checked to print as ASCII");
        // HPACK must not index it (RFC 7541, 7.1.3), and `Debug` does not print it.
        value.set_sensitive(matches!(*name, "authorization" | "x-acs-security-token"));
        map.insert(HeaderName::from_static(name), value);
    }
    map
}
