//! Compares the text of a URL with its parsed form.

use std::fmt::Write as _;

use url::{Position, Url};

use super::surroundings;
use crate::sanitize::is_harmful;

/// Maximum length of a host or path in a message.
const SHOWN_CHARS: usize = 100;

/// Returns how the text differs from its parsed form, with a remedy; `None` if it does not. `text` was
/// parsed to `parsed`, has `//` after its scheme and no backslash.
pub(super) fn fault(text: &str, parsed: &Url) -> Option<String> {
    // RFC 3986, 2: neither reserved nor unreserved. The parser keeps some of them and encodes others.
    let unfit = |c: &char| matches!(c, '<' | '>' | '"' | '{' | '|' | '}' | '^' | '`');
    if let Some(found) = text.chars().find(unfit) {
        return Some(format!("it holds {found}, which must be percent-encoded"));
    }
    let (_, rest) = text.split_once("//")?;
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    // The colons of an IPv6 address are within its brackets.
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (place, None),
    };
    user_fault(user, parsed)
        .or_else(|| scheme_fault(place, tail))
        .or_else(|| host_fault(host, parsed))
        .or_else(|| port_fault(port, parsed))
        .or_else(|| tail_fault(tail, parsed))
}

/// The message does not contain the user information, which may be secret.
fn user_fault(user: Option<&str>, parsed: &Url) -> Option<String> {
    let user_end = match parsed.password() {
        Some(_) => Position::AfterPassword,
        None => Position::AfterUsername,
    };
    let read = &parsed[Position::BeforeUsername..user_end];
    let same = user.map_or(read.is_empty(), |user| user == read && !user.is_empty());
    (!same).then(|| {
        "a user name or password before the host is empty or needs percent-encoding: remove it"
            .to_owned()
    })
}

/// A second scheme where the host and its port belong.
fn scheme_fault(place: &str, tail: &str) -> Option<String> {
    let before = place.strip_suffix(':').filter(|_| tail.starts_with("//"))?;
    let is_scheme = |text: &str| {
        ["http", "https"]
            .iter()
            .any(|scheme| text.eq_ignore_ascii_case(scheme))
    };
    if is_scheme(before) {
        return Some("its scheme is written twice; write it once".to_owned());
    }
    let ends_with_scheme = (4..=5)
        .filter_map(|length| before.get(before.len().checked_sub(length)?..))
        .any(is_scheme);
    ends_with_scheme.then(|| "another URL begins in its host; write each URL alone".to_owned())
}

fn host_fault(host: &str, parsed: &Url) -> Option<String> {
    let read = parsed.host_str().unwrap_or_default();
    let same = host.split('.').count() == read.split('.').count()
        && host.split('.').zip(read.split('.')).all(same_label);
    if let Some(found) = host.chars().find(|c| is_harmful(*c)) {
        let name = surroundings::name_of(found);
        return Some(format!(
            "its host holds {name}, which is invisible; remove that"
        ));
    }
    (!same).then(|| {
        format!(
            "its host reads as {}: write it in this usual notation",
            shown(read)
        )
    })
}

fn same_label((written, read): (&str, &str)) -> bool {
    if written.is_ascii() {
        return written.eq_ignore_ascii_case(read);
    }
    let lower: String = written.chars().flat_map(char::to_lowercase).collect();
    url::quirks::domain_to_unicode(read) == lower
}

fn port_fault(port: Option<&str>, parsed: &Url) -> Option<String> {
    let port = port?;
    let read = parsed.port_or_known_default()?.to_string();
    (port != read).then(|| format!("its port reads as {read}: write it like that"))
}

fn tail_fault(tail: &str, parsed: &Url) -> Option<String> {
    if encoded(tail) == parsed[Position::BeforePath..] {
        return None;
    }
    // The message quotes the path but not the query, which may contain secrets.
    let (path, _) = tail.split_at(tail.find(['?', '#']).unwrap_or(tail.len()));
    Some(if encoded(path) == parsed.path() {
        "its query or fragment holds what must be percent-encoded".to_owned()
    } else {
        let read = shown(parsed.path());
        format!("its path reads as {read}: write it like that, without `.` and `..`")
    })
}

/// Truncates a text for a message.
fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(SHOWN_CHARS).collect();
    if chars.next().is_some() {
        shown.push('\u{2026}');
    }
    shown
}

/// Returns path, query and fragment with a non-empty path and with the encoding that every client does.
fn encoded(tail: &str) -> String {
    let mut encoded = String::with_capacity(tail.len() + 1);
    if !tail.starts_with('/') {
        encoded.push('/');
    }
    let (mut in_query, mut in_fragment) = (false, false);
    for c in tail.chars() {
        in_fragment |= c == '#';
        in_query |= c == '?';
        if c.is_ascii() && !(c == '\'' && in_query && !in_fragment) {
            encoded.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
