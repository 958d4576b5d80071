//! Names: of files, which may not be UTF-8, and mistyped ones.

use std::{fmt::Write as _, path::Path};

/// The name for people: bytes that are not UTF-8 as `\\xE9`.
pub(crate) fn shown(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let mut shown = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        shown.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02X}");
        }
    }
    shown
}

/// The bytes of a name that is not UTF-8, in base64, so that programs find the file.
#[cfg(unix)]
pub(crate) fn encoded(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.to_str()
        .is_none()
        .then(|| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes))
}

/// Elsewhere names are not bytes.
#[cfg(not(unix))]
pub(crate) fn encoded(_: &Path) -> Option<String> {
    None
}

/// The candidate that a mistyped word most likely means, measured as clap does. That measure also
/// finds words similar that share few letters, `violence` and `live`; so one must begin with the
/// other, or at least half of the letters must be the same.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let scored = candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate));
    let near = scored.filter(|(score, candidate)| *score > 0.7 && share_letters(word, candidate));
    let best = near.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.map(|(_, candidate)| candidate)
}

fn share_letters(one: &str, other: &str) -> bool {
    let letters = one.chars().count().max(other.chars().count());
    one.starts_with(other)
        || other.starts_with(one)
        || strsim::damerau_levenshtein(one, other) <= letters / 2
}
