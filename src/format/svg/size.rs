//! The size that the root element states (SVG 2, 8.2 and 8.12; lengths: CSS Values 4, 6.2).
//!
//! A length in an absolute unit counts as a browser counts it, at 96 pixels per inch. A length that is
//! relative to a font or to a page counts as absent, and the rectangle of `viewBox` replaces it.

/// Lengths are counted in millionths of a pixel.
const PIXEL: u64 = 1_000_000;

/// The largest length; nothing that is larger is measured more exactly.
const MAX: u64 = 1 << 52;

/// The units of a fixed length, and what each is in pixels, as a fraction.
const ABSOLUTE: [(&[u8], u64, u64); 8] = [
    (b"", 1, 1),
    (b"px", 1, 1),
    (b"pt", 4, 3),
    (b"pc", 16, 1),
    (b"in", 96, 1),
    // An inch is 2.54 cm; `q` is a quarter of a millimeter.
    (b"cm", 9_600, 254),
    (b"mm", 960, 254),
    (b"q", 240, 254),
];

/// The units that depend on a font or a page.
const RELATIVE: [&[u8]; 9] = [
    b"%", b"em", b"ex", b"ch", b"rem", b"vw", b"vh", b"vmin", b"vmax",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// Not stated, or relative to something that is not known here.
    Absent,
    Of(u64),
    /// Written with an entity, or not a length.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    width: Length,
    height: Length,
    view_box: Option<(u64, u64)>,
}

impl Size {
    pub(super) const fn new() -> Self {
        Self {
            width: Length::Absent,
            height: Length::Absent,
            view_box: None,
        }
    }

    pub(super) fn width(&mut self, value: &[u8]) {
        self.width = length(value);
    }

    pub(super) fn height(&mut self, value: &[u8]) {
        self.height = length(value);
    }

    /// Reads four numbers: the corner, the width and the height.
    pub(super) fn view_box(&mut self, value: &[u8]) {
        let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',');
        let mut numbers = value
            .split(is_between)
            .filter(|part| !part.is_empty())
            .map(|part| number(part).filter(|(_, unit)| unit.is_empty()));
        let mut next = || numbers.next().flatten().map(|(number, _)| number);
        self.view_box = match (next(), next(), next(), next()) {
            (Some(_), Some(_), Some(width), Some(height)) => Some((width, height)),
            _ => None,
        };
    }

    /// Whether the picture is not rendered, because a side of it is zero or negative.
    pub(super) fn is_zero(&self) -> bool {
        let is_zero = |length| length == Length::Of(0);
        is_zero(self.width)
            || is_zero(self.height)
            || self.view_box.is_some_and(|(w, h)| w == 0 || h == 0)
    }

    /// Width and height in whole pixels, at least one; `None` if they are not stated.
    pub(super) fn in_pixels(&self) -> Option<(u32, u32)> {
        let (width, height) = match (self.width, self.height, self.view_box) {
            (Length::Of(width), Length::Of(height), _) => (width, height),
            (Length::Of(width), Length::Absent, Some((w, h))) => (width, scaled(width, h, w)?),
            (Length::Absent, Length::Of(height), Some((w, h))) => (scaled(height, w, h)?, height),
            (Length::Absent, Length::Absent, Some(sides)) => sides,
            _ => return None,
        };
        Some((whole(width), whole(height)))
    }
}

/// `length * of / to`.
fn scaled(length: u64, of: u64, to: u64) -> Option<u64> {
    let scaled = (u128::from(length) * u128::from(of)).checked_div(u128::from(to))?;
    Some(u64::try_from(scaled).unwrap_or(MAX))
}

/// Rounds to the nearest pixel.
fn whole(length: u64) -> u32 {
    let pixels = length.saturating_add(PIXEL / 2) / PIXEL;
    u32::try_from(pixels).unwrap_or(u32::MAX).max(1)
}

fn length(value: &[u8]) -> Length {
    let value = value.trim_ascii();
    if value.is_empty() || value == b"auto" {
        return Length::Absent;
    }
    let Some((number, unit)) = number(value) else {
        return Length::Unknown;
    };
    if RELATIVE.iter().any(|name| unit.eq_ignore_ascii_case(name)) {
        return Length::Absent;
    }
    let mut absolute = ABSOLUTE.iter();
    match absolute.find(|(name, _, _)| unit.eq_ignore_ascii_case(name)) {
        Some((_, times, per)) => Length::Of(scaled(number, *times, *per).unwrap_or(MAX)),
        None => Length::Unknown,
    }
}

/// Reads a number (CSS Syntax 3, 4.3.12) in millionths, a negative one as zero, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (is_negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (integer, rest) = digits(text);
    let (fraction, rest) = match rest {
        [b'.', behind @ ..] => digits(behind),
        _ => (&[][..], rest),
    };
    if integer.is_empty() && fraction.is_empty() {
        return None;
    }
    let (exponent, rest) = exponent(rest);
    let mut value = 0_u64;
    // Six digits of the fraction count, more or fewer with an exponent.
    let places = exponent.saturating_add(6);
    let whole = i32::try_from(integer.len()).unwrap_or(i32::MAX);
    // An exponent may ask for a thousand zeros, but `MAX` has 16 digits.
    let count = whole.saturating_add(places).clamp(0, 40);
    let zeros = std::iter::repeat(&b'0');
    let shown = integer.iter().chain(fraction).chain(zeros);
    for digit in shown.take(usize::try_from(count).unwrap_or(0)) {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        value = value.saturating_mul(10).saturating_add(digit).min(MAX);
    }
    Some((if is_negative { 0 } else { value }, rest))
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(count)
}

/// Reads the exponent; `em` and `ex` begin with the same letter.
fn exponent(text: &[u8]) -> (i32, &[u8]) {
    let (sign, written) = match text {
        [b'e' | b'E', b'-', written @ ..] => (-1, written),
        [b'e' | b'E', b'+', written @ ..] | [b'e' | b'E', written @ ..] => (1, written),
        _ => return (0, text),
    };
    let (digits, rest) = digits(written);
    if digits.is_empty() {
        return (0, text);
    }
    let value = digits.iter().fold(0_i32, |value, digit| {
        let digit = i32::from(digit.wrapping_sub(b'0'));
        value.saturating_mul(10).saturating_add(digit).min(1_000)
    });
    (sign * value, rest)
}
