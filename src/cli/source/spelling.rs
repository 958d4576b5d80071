//! Classifies the text of a source: a URL, a path or standard input.

use std::path::Path;

/// Whether a path is one of the names that systems have for standard input.
pub(super) fn is_standard_input(path: &Path) -> bool {
    ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]
        .iter()
        .any(|name| path == Path::new(name))
}

/// Whether a source is meant as a URL: another scheme, or http without its slashes, is an invalid
/// URL rather than a path that does not exist.
pub(super) fn is_url(source: &str) -> bool {
    let begins_with = |scheme: &str| {
        source
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    source.contains("://") || ["http:", "https:", "data:"].into_iter().any(begins_with)
}

/// Divides a text into two URLs, as lists have them that were joined: the second one begins after a
/// comma, a semicolon, a letter or a digit. After other characters, such as `/` and `=`, it is a
/// part of the first one, which a proxy downloads.
pub(super) fn two_urls(text: &str) -> Option<(&str, &str)> {
    let scheme_at = |end: usize| {
        let start = |scheme: &str| {
            let start = end.checked_sub(scheme.len())?;
            let found = text.get(start..end)?;
            found.eq_ignore_ascii_case(scheme).then_some(start)
        };
        start("https").or_else(|| start("http"))
    };
    let ends = text.match_indices("://").map(|(end, _)| end);
    let mut schemes = ends.filter_map(scheme_at);
    if schemes.next()? != 0 {
        return None;
    }
    let (first, second) = text.split_at_checked(schemes.next()?)?;
    let separators = [',', ';', '\u{FF0C}', '\u{FF1B}', '\u{3001}'];
    match first.strip_suffix(separators) {
        Some(first) => Some((first, second)),
        None => first
            .ends_with(char::is_alphanumeric)
            .then_some((first, second)),
    }
}

/// Whether a line is written like the path of a local file. Decided by its text only: on Windows a
/// query for the file itself would already connect to another host.
pub(super) fn is_path(text: &str) -> bool {
    let has_drive =
        matches!(text.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic());
    let without_scheme = text
        .strip_prefix("//")
        .and_then(|rest| rest.split('/').next());
    if without_scheme.is_some_and(|host| host.contains('.')) {
        return false;
    }
    if has_drive || text.starts_with(['/', '\\', '.', '~']) {
        return true;
    }
    if is_url(text) || text.starts_with(['"', '\'', '<']) {
        return false;
    }
    // A misspelled scheme, such as `https;//` or `http//`, is not the name of a folder.
    if text.contains("//")
        && text
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("http"))
    {
        return false;
    }
    // `www.example.com/a.jpg` is a URL without its scheme; a folder's name seldom has a dot.
    match text.split_once(['/', '\\']) {
        Some((folder, _)) => !folder.contains('.'),
        None => greenlight::Claim::from_name(text).is_some(),
    }
}
