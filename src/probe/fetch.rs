//! One hop: rule, resolve, rule, connect, TLS, request, and the response head.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, HOST, RANGE, TRANSFER_ENCODING, USER_AGENT},
    response,
};
use hyper::body::Incoming;
use url::{Host, Position};

use super::{
    Inner, Mode, clock,
    connect::{self, Counters, Wire},
    connection::{Connection, Content, Transport},
    failure,
    policy::Vetted,
    pool::Origin,
    record::Record,
    resolve::Resolved,
    tls,
};
use crate::{
    download::{Ending, Phase, TlsFault},
    image_url::ImageUrl,
};

/// The limit of received bytes until a response head is complete: TLS, interim responses, and a
/// head of at most 400 KB.
pub(super) const HEAD_BYTES: u64 = 512 << 10;

/// The same over HTTP/2, once TLS is set up. Its smallest frames have 9 bytes, and each makes work.
/// nghttp2, with which curl speaks HTTP/2, accepts a head of at most 64 KB.
const H2_HEAD_BYTES: u64 = 160 << 10;

/// How much of one stream's body a server may send ahead over HTTP/2 (RFC 9113, 6.9.2), where the
/// whole is read: what a round trip of 200 ms takes at 20 MB a second.
const WHOLE_WINDOW: u32 = 4 << 20;
/// The same where little is read. With more, a body that is not read to its end has crossed the
/// wire in megabytes.
const HEADER_WINDOW: u32 = 65_535;

/// An answer whose body has not been read.
pub(super) struct Fetched {
    pub(super) origin: Origin,
    pub(super) head: response::Parts,
    pub(super) body: Incoming,
    pub(super) connection: Connection,
}

/// The requested bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// The target of a hop, and how it is requested.
pub(super) struct Hop<'a> {
    pub(super) url: &'a ImageUrl,
    pub(super) window: Option<Window>,
    /// Whether it leads to where the download began.
    pub(super) at_home: bool,
}

/// Requests a hop's URL. Without any response it is requested once more, on a new connection.
pub(super) async fn fetch(
    probe: &Inner,
    record: &mut Record,
    hop: &Hop<'_>,
) -> Result<Fetched, Ending> {
    let origin = origin(hop.url)?;
    // Pooled connections were opened without repairs.
    let mut fresh = record.leniency.repairs;
    loop {
        let pooled = if fresh {
            None
        } else {
            probe.pool.take(&origin)
        };
        let mut connection = match pooled {
            Some(connection) => {
                record.wire(connection.peer, &connection.counters);
                connection
            }
            None => match open(probe, record, hop.url, &origin).await {
                // One retry per download, of whatever kind: a server that fails every time must not
                // use up the deadline.
                Err(ending) if record.retries == 0 && nothing_answered(&ending) => {
                    record.retries += 1;
                    fresh = true;
                    continue;
                }
                opened => opened?,
            },
        };
        record.enter(Phase::FirstByte);
        let head_bytes = if connection.is_h2() {
            H2_HEAD_BYTES
        } else {
            HEAD_BYTES
        };
        connection.counters.allow(head_bytes);
        // A reused connection has read earlier responses, which are no part of this one.
        let before = connection.counters.read();
        match connection
            .send(request(probe, hop, connection.is_h2())?)
            .await
        {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                // hyper would read such a body to the end of the connection, where curl uses its
                // length.
                if has_no_transfer_coding(&head) && repair(record, &connection) {
                    fresh = true;
                    continue;
                }
                // Chunks and frames cost an honest server a few percent.
                let most = record.asked().max_bytes().saturating_mul(2);
                connection.counters.allow(most.saturating_add(HEAD_BYTES));
                record.hop(hop.url, &head);
                return Ok(Fetched {
                    origin,
                    head,
                    body,
                    connection,
                });
            }
            Err(error) => {
                // HTTP/2's settings come without a question.
                let silent = connection.counters.read() == before || connection.is_h2();
                // Each leniency is switched on once and stays on, so this loop ends.
                if failure::is_too_large(&error) && !record.leniency.many_headers {
                    record.leniency.many_headers = true;
                    fresh = true;
                    continue;
                }
                if failure::is_unreadable(&error) && repair(record, &connection) {
                    fresh = true;
                    continue;
                }
                if record.retries > 0 || !silent || !failure::is_unanswered(&error) {
                    return Err(failure::exchange(&error));
                }
                record.retries += 1;
                fresh = true;
            }
        }
    }
}

/// Whether the response can be requested once more and repaired.
pub(super) fn repair(record: &mut Record, connection: &Connection) -> bool {
    !connection.is_h2() && !std::mem::replace(&mut record.leniency.repairs, true)
}

/// Whether the head has a Transfer-Encoding that names no coding. hyper ignores the length then.
fn has_no_transfer_coding(head: &response::Parts) -> bool {
    let mut values = head.headers.get_all(TRANSFER_ENCODING).iter().peekable();
    values.peek().is_some()
        && values
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
}

/// Whether the failure is one that a second try may not meet.
const fn nothing_answered(ending: &Ending) -> bool {
    matches!(ending, Ending::Connect(_) | Ending::Tls(TlsFault::Cut, _))
}

pub(super) fn origin(url: &ImageUrl) -> Result<Origin, Ending> {
    let parsed = url.parsed();
    let port = parsed
        .port_or_known_default()
        .filter(|port| *port > 0)
        .ok_or_else(|| Ending::Connect("the URL names port 0".to_owned()))?;
    Ok(Origin {
        https: url.is_https(),
        host: url.host().into(),
        port,
    })
}

/// Opens a connection to the URL's host: only to addresses that the policy lets through.
pub(super) async fn open(
    probe: &Inner,
    record: &mut Record,
    url: &ImageUrl,
    origin: &Origin,
) -> Result<Connection, Ending> {
    let addresses = vetted(probe, record, url, origin).await?;
    record.enter(Phase::Connect);
    let (tcp, peer) = connect::dial(&addresses)
        .await
        .map_err(|error| failure::connect(&error))?;
    // The system takes some addresses for others: 0.0.0.0 for 127.0.0.1.
    probe
        .policy
        .check(peer)
        .map_err(|refusal| Ending::Blocked {
            target: peer.to_string(),
            reason: refusal.to_string(),
        })?;
    let counters = Arc::new(Counters::default());
    record.wire(peer, &counters);
    counters.allow(HEAD_BYTES);
    let wire = Wire::new(tcp, Arc::clone(&counters));
    let transport = if origin.https {
        record.enter(Phase::Tls);
        secure(probe, url, wire).await?
    } else {
        Transport::Plain(wire)
    };
    // Without TLS nothing is negotiated: HTTP/2 needs prior knowledge (RFC 9113, 3.3).
    let h2 = transport.agreed_on_h2() || probe.versions.is_h2_only();
    // The server fills the stream's window before this client reads: it is what a stopped download
    // costs.
    let window = match probe.mode {
        Mode::Full => WHOLE_WINDOW,
        Mode::Header => HEADER_WINDOW,
    };
    let http2 = h2.then_some(window);
    Connection::new(transport, http2, record.leniency, counters, peer)
        .await
        .map_err(|error| failure::exchange(&error))
}

/// The addresses of the URL's host that may be connected to.
async fn vetted(
    probe: &Inner,
    record: &mut Record,
    url: &ImageUrl,
    origin: &Origin,
) -> Result<Vec<Vetted>, Ending> {
    record.enter(Phase::Resolve);
    let (name, addresses) = match url.parsed_host() {
        // A literal address reaches no resolver, so the rule is applied here and not in one.
        Some(Host::Ipv4(v4)) => (None, vec![IpAddr::V4(v4)]),
        Some(Host::Ipv6(v6)) => (None, vec![IpAddr::V6(v6)]),
        Some(Host::Domain(name)) => {
            let addresses = look_up(probe, record, url, name).await?;
            (Some(name), addresses)
        }
        None => return Err(Ending::Dns("the URL has no host".to_owned())),
    };
    let mut vetted = Vec::with_capacity(addresses.len());
    let mut refusal = None;
    for address in addresses {
        match probe.policy.vet(SocketAddr::new(address, origin.port)) {
            Ok(address) => vetted.push(address),
            // Not the end: a name may have public addresses as well.
            Err(refused) => refusal = refusal.or(Some(refused)),
        }
    }
    connect::in_turn(&mut vetted);
    match refusal {
        Some(refusal) if vetted.is_empty() => Err(Ending::Blocked {
            target: name.map_or_else(|| refusal.target().to_string(), str::to_owned),
            reason: refusal.to_string(),
        }),
        _ => Ok(vetted),
    }
}

/// The addresses of a host: those that were looked up before the download began, or new ones.
async fn look_up(
    probe: &Inner,
    record: &mut Record,
    url: &ImageUrl,
    name: &str,
) -> Result<Vec<IpAddr>, Ending> {
    if let Some(addresses) = record.resolved.take()
        && record.route.first() == Some(url)
    {
        return Ok(addresses);
    }
    let latest = record.deadline();
    let limit = latest.saturating_duration_since(clock::now());
    let resolved = probe.resolver.resolve(name, limit, Some(latest)).await;
    resolved.addresses
}

/// Resolves the host of a download's first URL, unless a connection to it is idle.
pub(super) async fn resolve_first(
    probe: &Inner,
    url: &ImageUrl,
    limit: Duration,
) -> Option<Resolved> {
    let Some(Host::Domain(name)) = url.parsed_host() else {
        return None;
    };
    if probe.pool.has(&origin(url).ok()?) {
        return None;
    }
    Some(probe.resolver.resolve(name, limit, None).await)
}

async fn secure(probe: &Inner, url: &ImageUrl, wire: Wire) -> Result<Transport, Ending> {
    let host = url
        .parsed_host()
        .ok_or_else(|| Ending::Dns("the URL has no host".to_owned()))?;
    // rustls has no name for a label that ends with a hyphen; other clients have.
    let name =
        tls::server_name(&host).map_err(|reason| Ending::Tls(TlsFault::Unsupported, reason))?;
    match probe.tls.connect(name, wire).await {
        Ok(secured) => Ok(Transport::Tls(Box::new(secured))),
        Err(error) => Err(match tls::fault(&error) {
            Some((fault, reason)) => Ending::Tls(fault, reason),
            None => match failure::stream(&error) {
                Ending::Reset(reason) | Ending::Incomplete(reason) => {
                    Ending::Tls(TlsFault::Cut, reason)
                }
                other => other,
            },
        }),
    }
}

/// Replaces the headers with these names. A name may occur several times, as some headers do.
fn replace<'a>(
    headers: &mut HeaderMap,
    others: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) {
    let others: Vec<_> = others.collect();
    for (name, _) in &others {
        headers.remove(*name);
    }
    for (name, value) in others {
        headers.append(name, value.clone());
    }
}

/// The request for a hop.
pub(super) fn request(probe: &Inner, hop: &Hop<'_>, h2: bool) -> Result<Request<Content>, Ending> {
    let unsendable = |what: &str| Ending::Local(format!("cannot send the URL's {what}"));
    let parsed = hop.url.parsed();
    // HTTP/2 sends the authority instead of `Host` (RFC 9113, 8.3.1).
    let text = if h2 {
        format!(
            "{}://{}{}",
            parsed.scheme(),
            &parsed[Position::BeforeHost..Position::AfterPort],
            &parsed[Position::BeforePath..Position::AfterQuery]
        )
    } else {
        parsed[Position::BeforePath..Position::AfterQuery].to_owned()
    };
    let uri = Uri::try_from(text).map_err(|_invalid| unsendable("path"))?;
    let mut request = Request::new(Content::default());
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if h2 {
        *request.version_mut() = http::Version::HTTP_2;
    } else {
        let host = HeaderValue::from_str(&parsed[Position::BeforeHost..Position::AfterPort])
            .map_err(|_invalid| unsendable("host"))?;
        headers.insert(HOST, host);
    }
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, probe.user_agent.clone());
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    // The service scans the file, and its size on the wire has to be that of the file.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let for_all = probe
        .headers
        .iter()
        .filter(|(name, _)| hop.at_home || super::request_header::is_harmless_elsewhere(name));
    replace(headers, for_all);
    let host = &parsed[Position::BeforeHost..Position::AfterPort];
    let bound = probe.bound_headers.iter();
    let bound = bound.filter(|(bound, ..)| hop.at_home && **bound == *host);
    replace(headers, bound.map(|(_, name, value)| (name, value)));
    if let Some(Window { first, last }) = hop.window {
        let range = HeaderValue::try_from(format!("bytes={first}-{last}"))
            .map_err(|_invalid| unsendable("range"))?;
        headers.insert(RANGE, range);
    }
    Ok(request)
}
