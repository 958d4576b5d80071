//! Numbers and names for people, and the markup that several parts of the page use.

use maud::{Markup, html};

/// A number in groups of three digits, parted by narrow spaces.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A round number in few characters, for an axis.
pub(super) fn compact(number: u64) -> String {
    let units = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    let unit = units
        .into_iter()
        .find(|(unit, _)| number >= 10_000.max(*unit));
    match unit {
        Some((unit, name)) => match number % unit * 10 / unit {
            0 => format!("{}\u{202f}{name}", grouped(number / unit)),
            tenths => format!("{}.{tenths}\u{202f}{name}", grouped(number / unit)),
        },
        None => grouped(number),
    }
}

/// A number of bytes in decimal units, with one digit after the point.
pub(super) fn bytes(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < units.len() {
        tenths /= 1_000;
        unit += 1;
    }
    format!(
        "{}.{} {}",
        tenths / 10,
        tenths % 10,
        units.get(unit).unwrap_or(&"B")
    )
}

/// A part of a whole in percent, rounded to one digit after the point: 0 and 100 only for none and all.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(whole.max(1)));
    let rounded = (part * 2_000 + whole) / (whole * 2);
    let tenths = match part {
        0 => 0,
        part if part < whole => rounded.clamp(1, 999),
        _ => rounded,
    };
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// The tone of a word: good, bad or unsure.
pub(super) fn tone(word: &str) -> Option<&'static str> {
    match word {
        "accept" | "pass" => Some("good"),
        "reject" | "block" => Some("bad"),
        "inconclusive" | "review" | "undecided" => Some("unsure"),
        _ => None,
    }
}

/// A fact about the origin of the page.
pub(super) fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}
