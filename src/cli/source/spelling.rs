//! What the text of a source looks like: a URL, a path or standard input.

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

/// Whether a line is written like the path of a local file. Only its text is looked at: on Windows
/// looking for the file itself would already connect to another machine.
pub(super) fn is_path(text: &str) -> bool {
    let has_drive =
        matches!(text.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic());
    if has_drive || text.starts_with(['/', '\\', '.', '~']) {
        return true;
    }
    if is_url(text) || text.starts_with(['"', '\'', '<']) {
        return false;
    }
    // `www.example.com/a.jpg` is a URL without its scheme; a folder's name seldom has a dot.
    match text.split_once(['/', '\\']) {
        Some((folder, _)) => !folder.contains('.'),
        None => greenlight::Claim::from_name(text).is_some(),
    }
}
