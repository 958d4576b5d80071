//! Masks user names and passwords in the text of a URL. This is the only place that does.

use std::borrow::Cow;

use url::Url;

/// Replaces the user name and password of a URL by `***`; any other text is returned unchanged.
///
/// Applied to every rejected text that is stored, printed or logged, because ledgers, results and
/// reports must not contain passwords.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    let Some((start, end)) = authority(text) else {
        return Cow::Borrowed(text);
    };
    // The last `@`: user name and password may contain one.
    let at = text
        .get(start..end)
        .and_then(|authority| authority.rfind('@'));
    match at {
        Some(at) => {
            let (before, after) = (text.get(..start), text.get(start + at..));
            let parts = [before, Some("***"), after];
            Cow::Owned(parts.into_iter().flatten().collect())
        }
        None => Cow::Borrowed(text),
    }
}

/// Returns the range of user name, password, host and port. In a text that does not parse as a URL,
/// it covers everything that could be part of them: a password may contain an unencoded `/`.
fn authority(text: &str) -> Option<(usize, usize)> {
    match Url::parse(text) {
        Ok(url) if !url.cannot_be_a_base() => {
            if url.username().is_empty() && url.password().is_none() {
                return None;
            }
            let scheme = text.find(':')? + 1;
            let start = text.len() - text.get(scheme..)?.trim_start_matches(is_skipped).len();
            Some((start, end_of_authority(text, start)?))
        }
        // A URL without its scheme.
        _ if text.starts_with("//") => Some((2, end_of_authority(text, 2)?)),
        // A path on Windows has one backslash after its colon.
        _ => {
            let separated = |(at, _): (usize, &str)| {
                let rest = text.get(at + 1..)?;
                let start = text.len() - rest.trim_start_matches(is_skipped).len();
                let slashes = text.get(at + 1..start)?.matches(['/', '\\']).count();
                let is_web = || ends_with_web_scheme(text.get(..at).unwrap_or_default());
                (slashes > 1 || is_web()).then_some((start, text.len()))
            };
            let start = || Some((start_of_user(text)?, text.len()));
            text.match_indices(':').find_map(separated).or_else(start)
        }
    }
}

/// Where `user:password@host` begins, in a text without a scheme before it.
fn start_of_user(text: &str) -> Option<usize> {
    let (before, rest) = text.split_once(':')?;
    let start = before
        .rfind(|c: char| c.is_whitespace() || "\"'<([".contains(c))
        .map_or(0, |at| {
            at + before
                .get(at..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8)
        });
    let user = before.get(start..)?;
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    let is_other = ["", "mailto", "sip", "sips", "xmpp", "acct", "im", "data"]
        .iter()
        .any(|name| user.eq_ignore_ascii_case(name));
    let has_slash = user.contains(['/', '\\', '@', '?', '#']);
    (!is_other && !has_slash && authority.contains('@')).then_some(start)
}

fn end_of_authority(text: &str, start: usize) -> Option<usize> {
    let len = text.get(start..)?.find(['/', '\\', '?', '#']);
    Some(len.map_or(text.len(), |len| start + len))
}

/// Whether a parser of URLs skips the character before the authority: slashes, however many, and
/// the line ends and tabs that it removes everywhere (WHATWG URL, 4.4).
fn is_skipped(c: char) -> bool {
    matches!(c, '/' | '\\' | '\t' | '\n' | '\r')
}

fn ends_with_web_scheme(text: &str) -> bool {
    let scheme = text.rsplit(|c: char| !c.is_ascii_alphabetic()).next();
    matches!(scheme, Some(scheme) if ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web)))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn user_names_and_passwords_are_masked() {
        for (text, expected) in [
            (
                "https://me:secret@host.example/a.png?q=1#f",
                "https://***@host.example/a.png?q=1#f",
            ),
            ("http://me@host", "http://***@host"),
            ("HTTPS://me:s@host:8443/", "HTTPS://***@host:8443/"),
            ("ftp://me:secret@host/a", "ftp://***@host/a"),
            ("https://me:a@b@host/", "https://***@host/"),
            // Malformed URLs.
            ("https://me:se/cret@host/a.png", "https://***@host/a.png"),
            ("https:me:secret@host/a.png", "https:***@host/a.png"),
            ("http:\\\\me:secret@host/a.png", "http:\\\\***@host/a.png"),
            ("https://me:secret@ho st/", "https://***@ho st/"),
            // What a parser removes or skips.
            ("\u{1}https://me:secret@host/", "\u{1}https://***@host/"),
            ("ht\ttps://me:secret@host/", "ht\ttps://***@host/"),
            ("https:\t//me:secret@host/", "https:\t//***@host/"),
            ("https:/\t/me:secret@host/", "https:/\t/***@host/"),
            ("https://\n/me:secret@host/", "https://\n/***@host/"),
            ("https:////me:secret@host/", "https:////***@host/"),
            ("//me:secret@host/a.png", "//***@host/a.png"),
            // Other characters around a URL, or another scheme before it.
            ("\"https://me:secret@host/\"", "\"https://***@host/\""),
            ("<https://me:secret@host/>", "<https://***@host/>"),
            (
                "\u{feff}https://me:secret@host/",
                "\u{feff}https://***@host/",
            ),
            ("url=https:me:secret@host/", "url=https:***@host/"),
            // No scheme.
            ("me:secret@host/a.jpg", "***@host/a.jpg"),
            ("me:s@e@host", "***@host"),
            ("- me:secret@host/a.jpg", "- ***@host/a.jpg"),
            (
                "view-source:https://me:secret@host/",
                "view-source:https://***@host/",
            ),
            ("jdbc:ftp://me:secret@host/", "jdbc:ftp://***@host/"),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_left_unchanged() {
        for text in [
            "",
            "https://host/a@b.png",
            "https://host/?to=a@b",
            "https://host?a@b",
            "photos/a@b.png",
            "//photos/a@b.png",
            "C:\\photos\\a@b.png",
            "mailto:me@host",
            "me@host/a.png",
            "10:30/a@b.png",
            "https://host/?from=https://me:kept@host/",
            "data:image/png;base64,a@b",
            ":@",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
