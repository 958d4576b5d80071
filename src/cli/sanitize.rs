//! Makes text from outside harmless for terminals.

use std::{borrow::Cow, fmt::Write};

/// Writes what a terminal would obey rather than show as `\u{…}`: control characters (escape
/// sequences begin with one, a carriage return overwrites the line), characters that turn the
/// direction of text or are invisible, and Unicode's own line ends.
pub(crate) fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len().saturating_add(16));
    for c in text.chars() {
        if is_harmful(c) {
            let _ = write!(safe, "{}", c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Bidirectional controls (Unicode 16, UAX 9, 2).
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separator.
            | '\u{2028}' | '\u{2029}'
            // Without width: names that look alike would not be.
            | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}'
            // Interlinear annotation, and tags, which carry hidden text.
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
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
            ("gnp\u{202e}exe", r"gnp\u{202e}exe"),
            ("a\u{2066}b\u{2069}", r"a\u{2066}b\u{2069}"),
            ("a\u{2028}b\u{2029}c", r"a\u{2028}b\u{2029}c"),
            ("a\u{200b}b\u{feff}", r"a\u{200b}b\u{feff}"),
            ("a\u{e0041}", r"a\u{e0041}"),
        ] {
            assert_eq!(sanitize(text), safe);
        }
    }
}
