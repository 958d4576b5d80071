//! Who may use the server: tokens, rates, and which pages of a browser.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Uri, header, uri::Authority},
    middleware::Next,
    response::Response,
};

use super::{App, refusal::Refusal, tokens::Denied};

/// The number of the request's token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) usize);

/// Serves a request if its client may make it.
pub(super) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let admitted = admit(&app, request.uri(), request.headers());
    match admitted {
        Ok(client) => {
            let mut response = next.run(request).await;
            // For the log, whose layer is outside of this one and sees the response only.
            response.extensions_mut().insert(client);
            response
        }
        Err(refusal) => app.turn_away(request, refusal),
    }
}

fn admit(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Client, Refusal> {
    if !app.clients.are_known() {
        from_this_host(uri, headers)?;
    }
    match app.clients.admit(headers) {
        Ok(number) => Ok(Client(number)),
        Err(Denied::Unknown) => Err(Refusal::new(
            401,
            "request/token",
            "the request has no known token: send Authorization: Bearer TOKEN",
        )),
        Err(Denied::TooFast(time)) => Err(Refusal::new(
            429,
            "request/too-many",
            "the token's requests per second are used up: try again later",
        )
        .retry_after(time)),
    }
}

/// A server without tokens trusts every program of its host. A browser is one of them, and sends what
/// pages of other sites ask it to, so those are refused: by their origin, and by the name under which
/// they reach this server, which is one of theirs if they use DNS rebinding.
fn from_this_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let is_named = |host: &str| {
        let authority = host.parse::<Authority>().ok();
        let name = authority.as_ref().map_or("", Authority::host);
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
    };
    let hosts = headers.get_all(header::HOST).iter();
    let hosts = hosts.map(|host| host.to_str().unwrap_or_default());
    if !hosts
        .chain(uri.authority().map(Authority::as_str))
        .all(is_named)
    {
        return Err(Refusal::new(
            403,
            "request/host",
            "the request names another host than localhost or an address: with a token it may",
        ));
    }
    let (host, origin) = (text(headers, header::HOST), text(headers, header::ORIGIN));
    if let Some(origin) = origin
        && origin.strip_prefix("http://") != host
    {
        return Err(Refusal::new(
            403,
            "request/cross-site",
            "the request is of a page of another site: with a token it may be",
        ));
    }
    Ok(())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers
        .get(name)
        .map(|value| value.to_str().unwrap_or_default())
}
