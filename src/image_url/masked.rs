//! Masks user names and passwords in the text of a URL. This is the only place that does.

use std::borrow::Cow;

use url::Url;

/// Replaces the user name and password of a URL by `***`; any other text is returned unchanged.
///
/// Applied to every rejected text that is stored, printed or logged, because ledgers, results and
/// reports must not contain passwords.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    match authority(text).and_then(|(start, end)| Some((start, end, text.get(start..end)?))) {
        Some((start, end, authority)) => match authority.rfind('@') {
            Some(at) => {
                let (before, after) = (text.get(..start), text.get(start + at..end));
                let rest = text.get(end..);
                let parts = [before, Some("***"), after, rest];
                Cow::Owned(parts.into_iter().flatten().collect())
            }
            None => Cow::Borrowed(text),
        },
        None => Cow::Borrowed(text),
    }
}

/// Returns the range of user name, password, host and port. In a text that does not parse as a URL, it
/// covers everything that could be part of them: a password may contain an unencoded `/`.
fn authority(text: &str) -> Option<(usize, usize)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme
        .trim_start()
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let slashes = rest.len() - rest.trim_start_matches(['/', '\\']).len();
    let is_web = matches!(
        scheme.trim_start().to_ascii_lowercase().as_str(),
        "http" | "https"
    );
    if !is_scheme || (slashes < 2 && !is_web) {
        return None;
    }
    let start = scheme.len() + 1 + slashes;
    let rest = text.get(start..)?;
    let end = match Url::parse(text) {
        Ok(_) => rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()),
        Err(_) => rest.len(),
    };
    Some((start, start + end))
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
            "C:\\photos\\a@b.png",
            "mailto:me@host",
            ":@",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
