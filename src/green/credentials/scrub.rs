//! Secrets taken out of texts from outside, however they are written there.

use std::ops::Range;

/// What stands in a secret's place.
const REDACTED: &str = "<redacted>";

/// How much of a text is kept, in characters: many times what is ever shown of one, and more than
/// the longest token takes when each of its characters is escaped.
const KEPT: usize = 16 << 10;

/// How many times over a secret may be escaped: JSON in a URL in HTML, and once more.
const LAYERS: usize = 4;

/// Where a text ends within a secret, this many of its characters give it away.
const TELLING: usize = 8;

/// A character, and which characters of the text it is written with: several where it is escaped.
#[derive(Clone, Debug)]
struct Unit {
    char: char,
    place: Range<usize>,
}

/// The text without the secrets: as they are, or escaped for JSON, a URL or HTML.
pub(super) fn scrubbed(text: &str, secrets: &[&str]) -> String {
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
    for _ in 0..LAYERS {
        for secret in secrets {
            mark(&units, secret, &mut is_secret);
        }
        let decoded = unescaped(&units);
        if decoded.len() == units.len() {
            break;
        }
        units = decoded;
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
        let cut_off = alike == rest.len() && alike >= TELLING;
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

/// One layer of escapes less.
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
        ('\\', 'x') => Some((number(units.get(2..4)?, 16)?, 4)),
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
            url.replace('%', "%25"),
            json.replace('\\', "\\\\"),
            html.replace('&', "&amp;"),
            each(|c| format!("\\x{:02x}", u32::from(c))),
            each(|c| format!("&#x{:X};", u32::from(c))),
            usual_html,
            json,
            url,
            html,
        ] {
            let text = format!("before {written} between {written}! 100% & after");
            assert_eq!(
                scrubbed(&text, &["other", SECRET]),
                "before <redacted> between <redacted>! 100% & after",
                "{written}"
            );
        }
    }

    #[test]
    fn what_the_end_of_a_text_leaves_of_a_secret_is_taken_out_too() {
        for (text, left) in [
            ("it is Key/with+si", "it is <redacted>"),
            ("it is Key/with%2bsi", "it is <redacted>"),
            ("it is Key/", "it is Key/"),
        ] {
            assert_eq!(scrubbed(text, &[SECRET]), left);
        }
    }

    #[test]
    fn texts_of_any_kind_and_length_are_borne() {
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
            assert_eq!(scrubbed(text, &[SECRET, ""]), text);
        }
        let long = format!("{}{SECRET}", "é".repeat(KEPT));
        assert_eq!(scrubbed(&long, &[SECRET]), "é".repeat(KEPT));
    }
}
