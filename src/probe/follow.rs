//! Redirects. Every hop starts with the address rule.

use std::borrow::Cow;

use http::{header, response};
use percent_encoding::CONTROLS;

use super::{
    Inner,
    fetch::{self, Fetched, Hop, Window},
    record::{self, Record},
};
use crate::{
    download::Ending,
    image_url::{ImageUrl, UrlError},
};

/// Maximum length of a redirect target. Servers accept at most 8 to 16 KB in a request line.
const MAX_URL_BYTES: usize = 16_384;

/// Requests the last URL of the record's route and follows redirects.
///
/// The route is that of the whole download: a second request continues at the last URL of the
/// first. Its origin is still that of the first URL, and redirects of both requests are counted.
pub(super) async fn follow(
    probe: &Inner,
    record: &mut Record,
    window: Option<Window>,
) -> Result<Fetched, Ending> {
    loop {
        let [home, ..] = record.route.as_slice() else {
            return Err(Ending::Redirects("there is no URL".to_owned()));
        };
        let current = record.route.last().unwrap_or(home).clone();
        let hop = Hop {
            url: &current,
            window,
            at_home: current.parsed().origin() == home.parsed().origin(),
        };
        let answer = fetch::fetch(probe, record, &hop).await?;
        if !is_redirect(&answer.head) {
            return Ok(answer);
        }
        let next = location(&current, &answer.head)?;
        // Counted over the whole download: a second request with a range continues the same route.
        if record.route.len() > probe.max_redirects {
            let most = probe.max_redirects;
            let times = if most == 1 { "redirect" } else { "redirects" };
            return Err(Ending::Redirects(format!("more than {most} {times}")));
        }
        // A loop would use up all redirects; reporting it names the cause.
        if record.route.contains(&next) {
            let back = record::shortened(next.to_string());
            return Err(Ending::Redirects(format!("redirects lead back to {back}")));
        }
        let has_credentials = next.has_credentials();
        // Recorded before it is rejected: the verdict names the URL that carried the password.
        record.route.push(next);
        if has_credentials {
            let status = answer.head.status.as_u16();
            return Err(Ending::Redirects(format!(
                "{status} leads to a URL with a user name or password"
            )));
        }
        let Fetched {
            origin,
            body,
            connection,
            ..
        } = answer;
        if probe.reuses_connections() {
            probe.pool.settle(origin, connection, body);
        }
    }
}

/// Whether the response is a redirect (RFC 9110, 15.4). Any other 3xx is one if it has a Location,
/// as it is for curl.
fn is_redirect(head: &response::Parts) -> bool {
    matches!(head.status.as_u16(), 301 | 302 | 303 | 307 | 308)
        || head.status.is_redirection() && head.headers.contains_key(header::LOCATION)
}

/// The target of a redirect.
fn location(from: &ImageUrl, head: &response::Parts) -> Result<ImageUrl, Ending> {
    let status = head.status.as_u16();
    let nowhere = |reason: &str| Ending::Redirects(format!("{status} {reason}"));
    let mut locations = head.headers.get_all(header::LOCATION).iter();
    let location = locations
        .next()
        .ok_or_else(|| nowhere("without a Location leads nowhere"))?;
    // As Chromium does. curl follows one of them; which one the service follows is unknown.
    if locations.any(|other| other != location) {
        return Err(nowhere("with two Locations leads nowhere"));
    }
    // Some servers send characters beyond ASCII unescaped, in UTF-8 or in a legacy encoding. As
    // curl and browsers do, the bytes of the latter are percent-encoded: the server knows its
    // encoding.
    let text = str::from_utf8(location.as_bytes()).map_or_else(
        |_legacy| percent_encoding::percent_encode(location.as_bytes(), CONTROLS).into(),
        Cow::Borrowed,
    );
    let mut next = from
        .parsed()
        .join(&text)
        .map_err(|_invalid| nowhere("with a Location that is not a URL leads nowhere"))?;
    // A fragment is not sent, and two URLs that differ only in it are one resource.
    next.set_fragment(None);
    if next.as_str().len() > MAX_URL_BYTES {
        return Err(nowhere(&format!(
            "leads to a URL of more than {MAX_URL_BYTES} bytes"
        )));
    }
    ImageUrl::parse_repaired(next.as_str()).map_err(|error| match error {
        UrlError::Scheme { scheme } => nowhere(&format!(
            "leads to scheme `{}`, which is not http or https",
            scheme.chars().take(20).collect::<String>()
        )),
        UrlError::Malformed { .. } => {
            nowhere("with a Location that is not a usable URL leads nowhere")
        }
    })
}
