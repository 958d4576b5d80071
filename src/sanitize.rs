//! Escapes untrusted text for errors, logs and terminals. This is the only such rule of the crate.

use std::{borrow::Cow, fmt::Write};

/// Returns whether a terminal would interpret the character or display nothing: control characters
/// (C0, DEL and C1, which begin escape sequences or overwrite the line), characters that change the
/// direction of text or are invisible, and Unicode line ends.
///
/// ```
/// use greenlight::sanitize::is_harmful;
///
/// assert!(is_harmful('\u{1b}')); // begins an escape sequence
/// assert!(is_harmful('\u{202e}')); // shows `gpj.exe` as `exe.jpg`
/// assert!(!is_harmful('\u{e9}')); // é
/// ```
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Line and paragraph separator.
            '\u{2028}' | '\u{2029}'
            // Interlinear annotation.
            | '\u{FFF9}'..='\u{FFFB}'
            // Without a glyph, so that different names would look alike or hold hidden text:
            // Default_Ignorable_Code_Point (Unicode 16, DerivedCoreProperties.txt), which includes
            // the bidirectional controls (UAX 9, 2), variation selectors and tags.
            | '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Writes [harmful](is_harmful) characters as `\u{…}`.
///
/// ```
/// use greenlight::sanitize::sanitize;
///
/// assert_eq!(sanitize("red\u{1b}[31m.png"), r"red\u{1b}[31m.png");
/// ```
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len().saturating_add(16));
    for c in text.chars() {
        push(&mut safe, c);
    }
    Cow::Owned(safe)
}

/// Escapes harmful characters in JSON as `\uXXXX`, which does not change the value. `json` must be
/// one JSON text without line breaks between tokens.
///
/// ```
/// use greenlight::sanitize::sanitize_json;
///
/// assert_eq!(sanitize_json("[\"\u{9b}31m\"]"), r#"["\u009b31m"]"#);
/// ```
pub fn sanitize_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len().saturating_add(16));
    for c in json.chars() {
        if is_harmful(c) {
            // JSON escapes are UTF-16 code units (RFC 8259, 7).
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Returns the first `max` characters, [sanitized](sanitize), with an ellipsis if there are more.
pub(crate) fn harmless(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for (count, c) in text.chars().enumerate() {
        if count == max {
            out.push('\u{2026}');
            break;
        }
        push(&mut out, c);
    }
    out
}

fn push(out: &mut String, c: char) {
    if is_harmful(c) {
        out.extend(c.escape_unicode());
    } else {
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_everywhere_alike() {
        for (text, safe) in [
            ("plain.png", "plain.png"),
            (
                "caf\u{e9} \u{56fe}\u{50cf}.png",
                "caf\u{e9} \u{56fe}\u{50cf}.png",
            ),
            ("\u{1b}]0;title\u{7}x", r"\u{1b}]0;title\u{7}x"),
            ("\u{1b}[31mred", r"\u{1b}[31mred"),
            ("ok.png\rno", r"ok.png\u{d}no"),
            ("a\nb\tc", r"a\u{a}b\u{9}c"),
            ("\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}"),
            ("\u{80}\u{85}\u{9f}", r"\u{80}\u{85}\u{9f}"),
            ("gnp\u{202e}exe", r"gnp\u{202e}exe"),
            ("a\u{2066}b\u{2069}", r"a\u{2066}b\u{2069}"),
            ("\u{206a}\u{206f}\u{2065}", r"\u{206a}\u{206f}\u{2065}"),
            ("a\u{2028}b\u{2029}c", r"a\u{2028}b\u{2029}c"),
            ("a\u{200b}b\u{feff}", r"a\u{200b}b\u{feff}"),
            ("\u{fff9}\u{fffb}", r"\u{fff9}\u{fffb}"),
            ("a\u{e0041}", r"a\u{e0041}"),
            ("a\u{ad}b\u{3164}", r"a\u{ad}b\u{3164}"),
            ("a\u{fe0f}\u{e0100}", r"a\u{fe0f}\u{e0100}"),
        ] {
            assert_eq!(sanitize(text), safe);
            assert_eq!(harmless(text, 100), safe);
        }
        assert_eq!(harmless("abc", 2), "ab\u{2026}");
    }

    #[test]
    fn json_stays_the_same_value() {
        let safe = sanitize_json("\"a\u{9b}\u{7f}\u{e0041}\u{e9}\"");
        assert_eq!(safe, "\"a\\u009b\\u007f\\udb40\\udc41\u{e9}\"");
    }
}
