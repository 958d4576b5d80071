//! Redaction of secrets in untrusted text.

use std::ops::Range;

/// Replaces a secret.
const REDACTED: &str = "<redacted>";

/// How much of a text is kept, in characters: many times what is ever shown of one, and more than
/// the longest token takes when each of its characters is escaped.
const KEPT: usize = 16 << 10;

/// At the end of a truncated text, this many characters of a secret are redacted as well.
const MIN_PREFIX: usize = 8;

/// A character, and which characters of the text it is written with: several where it is escaped.
#[derive(Clone, Debug)]
struct Unit {
    char: char,
    place: Range<usize>,
}

/// Returns the text without the secrets, plain or escaped for JSON, a URL or HTML.
pub(super) fn redacted(text: &str, secrets: &[&str]) -> String {
    let text: Vec<char> = text.trim_start().chars().take(KEPT).collect();
    let mut is_secret = vec![false; text.len()];
    let mut units: Vec<Unit> = text
        .iter()
        .enumerate()
        .map(|(at, char)| Unit {
            char: *char,
            place: at..at + 1,
        })
        .collect();
    // Twice: a secret may contain text that looks like an escape, so it is searched before and
    // after one layer is decoded.
    for secret in secrets {
        mark(&units, secret, &mut is_secret);
    }
    units = unescaped(&units);
    for secret in secrets {
        mark(&units, secret, &mut is_secret);
    }
    without(&text, &is_secret)
}

/// Marks every place where the secret, or as much of it as the text's end leaves, is written.
fn mark(units: &[Unit], secret: &str, is_secret: &mut [bool]) {
    let length = secret.chars().count();
    let mut rest = units;
    while !rest.is_empty() {
        let pairs = rest.iter().zip(secret.chars());
        let alike = pairs.take_while(|(unit, char)| unit.char == *char).count();
        // A truncated echo may end inside of a secret.
        let cut_off = alike == rest.len() && alike >= MIN_PREFIX;
        let found = if alike == length || cut_off { alike } else { 0 };
        for unit in &rest[..found] {
            is_secret[unit.place.clone()].fill(true);
        }
        rest = &rest[found.max(1)..];
    }
}

fn without(text: &[char], is_secret: &[bool]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut was_secret = false;
    for (char, is_secret) in text.iter().zip(is_secret) {
        match (was_secret, *is_secret) {
            (false, true) => out.push_str(REDACTED),
            (true, true) => {}
            (_, false) => out.push(*char),
        }
        was_secret = *is_secret;
    }
    out
}

/// Decodes one layer of escapes, each of JSON, a URL or HTML. An echo of a header has one.
fn unescaped(units: &[Unit]) -> Vec<Unit> {
    let mut out = Vec::with_capacity(units.len());
    let mut rest = units;
    while let [first, ..] = rest {
        let (char, count) = escape(rest).unwrap_or((first.char, 1));
        out.push(Unit {
            char,
            place: first.place.start..rest[count - 1].place.end,
        });
        rest = &rest[count..];
    }
    out
}

/// The character that is escaped at the beginning, and how many characters that takes.
fn escape(units: &[Unit]) -> Option<(char, usize)> {
    let char = |at: usize| units.get(at).map(|unit| unit.char);
    match (char(0)?, char(1)?) {
        ('\\', 'u') => Some((number(units.get(2..6)?, 16)?, 6)),
        ('\\', literal) if literal.is_ascii_punctuation() => Some((literal, 2)),
        ('%', _) => Some((number(units.get(1..3)?, 16)?, 3)),
        ('&', _) => {
            let name = units.get(1..)?.iter().take(10);
            let length = name.clone().position(|unit| unit.char == ';')?;
            Some((reference(units.get(1..=length)?)?, length + 2))
        }
        _ => None,
    }
}

/// The character of an HTML reference, between `&` and `;`.
fn reference(name: &[Unit]) -> Option<char> {
    let text: String = name.iter().map(|unit| unit.char).collect();
    match text.as_str() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "equals" => Some('='),
        "plus" => Some('+'),
        "sol" => Some('/'),
        _ if text.starts_with("#x") || text.starts_with("#X") => number(name.get(2..)?, 16),
        _ if text.starts_with('#') => number(name.get(1..)?, 10),
        _ => None,
    }
}

fn number(digits: &[Unit], radix: u32) -> Option<char> {
    let mut value = 0_u32;
    for unit in digits {
        let digit = unit.char.to_digit(radix)?;
        value = value.checked_mul(radix)?.checked_add(digit)?;
    }
    char::from_u32(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Key/with+signs=&\"more\"<";

    #[test]
    fn a_secret_is_found_however_it_is_escaped() {
        let each = |write: fn(char) -> String| SECRET.chars().map(write).collect::<String>();
        let json = each(|c| format!("\\u{:04X}", u32::from(c)));
        let url = each(|c| format!("%{:02x}", u32::from(c)));
        let html = each(|c| format!("&#{};", u32::from(c)));
        let usual_html = SECRET
            .replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('<', "&lt;");
        for written in [
            SECRET.to_owned(),
            SECRET.replace('/', "\\/").replace('"', "\\\""),
            each(|c| format!("&#x{:X};", u32::from(c))),
            usual_html,
            json,
            url,
            html,
        ] {
            let text = format!("before {written} between {written}! 100% & after");
            assert_eq!(
                redacted(&text, &["other", SECRET]),
                "before <redacted> between <redacted>! 100% & after",
                "{written}"
            );
        }
    }

    #[test]
    fn a_secret_that_is_truncated_by_the_end_of_the_text_is_redacted() {
        for (text, left) in [
            ("it is Key/with+si", "it is <redacted>"),
            ("it is Key/with%2bsi", "it is <redacted>"),
            ("it is Key/", "it is Key/"),
        ] {
            assert_eq!(redacted(text, &[SECRET]), left);
        }
    }

    #[test]
    fn any_text_is_accepted() {
        for text in [
            "",
            "\\",
            "\\u",
            "\\u00",
            "%",
            "%z1",
            "&",
            "&;",
            "&#;",
            "&#xffffffffff;",
            "名\\u540d",
        ] {
            assert_eq!(redacted(text, &[SECRET, ""]), text);
        }
        let long = format!("{}{SECRET}", "é".repeat(KEPT));
        assert_eq!(redacted(&long, &[SECRET]), "é".repeat(KEPT));
    }
}
