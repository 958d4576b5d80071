//! Text around a URL, as copying from other documents leaves it, and characters that no URL holds.

use crate::sanitize::is_harmful;

/// Pairs of characters around a URL.
const PAIRS: [(char, char, &str); 7] = [
    ('"', '"', "quotes"),
    ('\'', '\'', "quotes"),
    ('\u{201C}', '\u{201D}', "quotes"),
    ('`', '`', "backquotes"),
    ('<', '>', "angle brackets"),
    ('(', ')', "parentheses"),
    ('[', ']', "brackets"),
];

const SURROUNDED: &str = "text surrounds it; write the URL alone";

/// Returns what a text holds other than a URL, with a remedy.
pub(super) fn fault(text: &str) -> Option<String> {
    let (first, last) = (text.chars().next()?, text.chars().next_back()?);
    let pair = PAIRS
        .iter()
        .find(|(begin, end, _)| (*begin, *end) == (first, last));
    if let Some((_, _, name)) = pair {
        return Some(format!("it is in {name}; write it without them"));
    }
    if is_windows_path(text) {
        return Some("it is the path of a file on Windows, not a URL".to_owned());
    }
    if is_misspelled(text) {
        return Some("its scheme is misspelled; write http:// or https://".to_owned());
    }
    let before = text.get(..start_of_url(text)?).unwrap_or_default();
    if let Some(found) = before.chars().find(|c| is_harmful(*c) && !c.is_control()) {
        let name = name_of(found);
        return Some(format!(
            "{name}, which is invisible, precedes it; remove that"
        ));
    }
    let is_text = before.trim().contains(char::is_whitespace)
        || before.ends_with(' ') && !before.trim().is_empty()
        || before.starts_with(['"', '\'', '<', '(', '[', '!', '-', '*', '|']);
    is_text.then(|| SURROUNDED.to_owned())
}

/// Returns what a text without a scheme has in its place, with a remedy.
pub(super) fn without_scheme(text: &str) -> &'static str {
    let before = start_of_url(text).and_then(|start| text.get(..start));
    if text.starts_with("//") {
        "it has no scheme; write http: or https: first"
    } else if before.is_some_and(|before| !before.contains('/')) {
        SURROUNDED
    } else {
        "it has no scheme; write http:// or https:// first"
    }
}

/// Whether a text begins with a scheme whose `://` is misspelled: `https;//`, `http //`, `http//`.
fn is_misspelled(text: &str) -> bool {
    let Some((start, _)) = text.split_once("//") else {
        return false;
    };
    let letters = start.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_scheme = ["http", "https"]
        .iter()
        .any(|scheme| letters.eq_ignore_ascii_case(scheme));
    is_scheme && start.get(letters.len()..) != Some(":")
}

/// Returns the first character that no URL holds, with a remedy.
pub(super) fn unfit(text: &str) -> Option<String> {
    let found = text
        .chars()
        .find(|c| c.is_control() || c.is_whitespace() || *c == '\\')?;
    let name = name_of(found);
    Some(match found {
        ' ' => format!("it holds {name}; write the URL alone, or %20 if the blank belongs to it"),
        _ => format!("it holds {name}; remove or percent-encode that"),
    })
}

/// The name of a character that would not be seen in a message, or is taken for part of it.
pub(super) fn name_of(c: char) -> String {
    match c {
        ' ' => "a blank".to_owned(),
        '\t' => "a tab".to_owned(),
        '\n' | '\r' => "a line end".to_owned(),
        '\\' => "a backslash".to_owned(),
        c => format!("the character U+{:04X}", u32::from(c)),
    }
}

fn is_windows_path(text: &str) -> bool {
    text.starts_with("\\\\")
        || matches!(text.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic())
}

fn start_of_url(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let starts = ["http://", "https://"].map(|scheme| lower.find(scheme));
    starts.into_iter().flatten().min()
}
