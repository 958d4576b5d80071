//! The version 3 signature, `ACS3-HMAC-SHA256` (signature page, V3, 159972; read in 2026-03), which
//! the newest official library uses for 1.0 as well. It shares no code with the signer of this
//! package.

use axum::http::{HeaderMap, HeaderName};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::{
    AccessKey,
    error_reply::{ErrorReply, Request, check_age, text},
    ids::lower_hex,
};

/// The beginning of `Authorization`.
pub(super) const ALGORITHM: &str = "ACS3-HMAC-SHA256";

pub(super) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `Credential=ID,SignedHeaders=a;b,Signature=HEX`.
pub(super) struct Authorization<'a> {
    pub(super) id: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn parse(parameters: &'a str) -> Result<Self, ErrorReply> {
        let value = |name: &str| {
            parameters.split(',').find_map(|parameter| {
                let (found, value) = parameter.trim().split_once('=')?;
                (found == name).then_some(value)
            })
        };
        match (
            value("Credential"),
            value("SignedHeaders"),
            value("Signature"),
        ) {
            (Some(id), Some(signed), Some(signature)) => Ok(Self {
                id,
                signed: signed.split(';').collect(),
                signature,
            }),
            _ => Err(ErrorReply::bad(
                "InvalidAuthorization",
                "Specified authorization lacks Credential, SignedHeaders or Signature.",
            )),
        }
    }

    /// Checks that the request is complete, recent, and signed with this key.
    pub(super) fn check(
        &self,
        request: &Request<'_>,
        key: &AccessKey,
        now: Timestamp,
    ) -> Result<(), ErrorReply> {
        let date = text(request, "x-acs-date")?.ok_or_else(|| ErrorReply::missing("Date"))?;
        let date = date.parse().map_err(|_| {
            ErrorReply::bad(
                "InvalidTimeStamp.Format",
                "Specified time stamp or date value is not well formatted.",
            )
        })?;
        // Age before signature, as the gateway does: a client with a wrong clock gets the error
        // that it can correct.
        check_age(date, now)?;
        text(request, "x-acs-action")?.ok_or_else(|| ErrorReply::missing("Action"))?;
        let body = lower_hex(&Sha256::digest(request.body));
        if text(request, "x-acs-content-sha256")? != Some(body.as_str()) {
            return Err(ErrorReply::bad(
                "InvalidContentSha256",
                "Specified content sha256 is not matched with your request body.",
            ));
        }
        if let Some(unsigned) =
            must_be_signed(request.headers).find(|name| !self.signed.contains(name))
        {
            return Err(ErrorReply::bad(
                "IncompleteSignature",
                format!("Specified header is not signed: {unsigned}."),
            ));
        }
        let canonical = self.canonical(request, &body)?;
        let string = format!("{ALGORITHM}\n{}", lower_hex(&Sha256::digest(&canonical)));
        let right = Hmac::<Sha256>::new_from_slice(key.secret().as_bytes())
            .expect("HMAC takes keys of any length")
            .chain_update(&string);
        if lower_hex(&right.finalize().into_bytes()) == self.signature {
            return Ok(());
        }
        Err(ErrorReply::bad(
            "SignatureDoesNotMatch",
            format!(
                "Specified signature is not matched with our calculation. server string to sign is:{string}"
            ),
        ))
    }

    fn canonical(&self, request: &Request<'_>, body: &str) -> Result<String, ErrorReply> {
        let query = request.uri.query().unwrap_or_default();
        let mut pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        pairs.sort();
        let escaped = |text| utf8_percent_encode(text, UNRESERVED).to_string();
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| escaped(name) + "=" + &escaped(value))
            .collect();
        let mut lines = vec![
            request.method.to_string(),
            request.uri.path().to_owned(),
            pairs.join("&"),
        ];
        // In the client's order: it is part of what was signed.
        for name in &self.signed {
            let value = text(request, name)?.unwrap_or_default();
            lines.push(format!("{name}:{}", value.trim()));
        }
        lines.extend([String::new(), self.signed.join(";"), body.to_owned()]);
        Ok(lines.join("\n"))
    }
}

/// The names of the headers that must be signed according to the page.
fn must_be_signed(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let names = headers.keys().map(HeaderName::as_str);
    names.filter(|name| name.starts_with("x-acs-") || matches!(*name, "host" | "content-type"))
}
