//! The encoding of a list, found from its first bytes.

use std::io;

/// The longest byte order mark, in bytes.
const MARK: usize = 4;

/// Number of bytes that decide on the encoding of a text without a mark, unless its first line is
/// enough.
const HEAD: usize = 8 * 1024;

/// One unit of UTF-16 in so many may be damaged.
const DAMAGED: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16(Order),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// First bytes of files that are not lists of text, and what these are.
const NOT_TEXT: [(&[u8], &str); 11] = [
    (b"\x1F\x8B", "it is gzip: decompress it with gzip -d"),
    (
        b"\x28\xB5\x2F\xFD",
        "it is zstd: decompress it with zstd -d",
    ),
    (b"BZh", "it is bzip2: decompress it with bzip2 -d"),
    (b"\xFD7zXZ\x00", "it is xz: decompress it with xz -d"),
    (
        b"PK\x03\x04",
        "it is a ZIP archive, perhaps of a spreadsheet: save the table as CSV in UTF-8",
    ),
    (b"%PDF-", "it is PDF: save the list as text in UTF-8"),
    (b"{\\rtf", "it is RTF: save the list as text in UTF-8"),
    (
        b"\xD0\xCF\x11\xE0",
        "it is a document of an office program, perhaps a spreadsheet: save the table as CSV in UTF-8",
    ),
    (
        b"ARROW1\0",
        "it is Arrow: write the table as Parquet or CSV",
    ),
    (b"Obj\x01", "it is Avro: write the records as JSON lines"),
    (
        b"SQLite format 3\0",
        "it is an SQLite database: write the table as CSV",
    ),
];

/// Whether no further byte is needed to decide. A list from a pipe is processed while it is
/// written, so that usually the first line has to be enough.
pub(super) fn is_enough(head: &[u8]) -> bool {
    if head.len() >= HEAD || head.len() >= MARK && marked(head).is_some() {
        return true;
    }
    let is_line = matches!(head.last(), Some(b'\n' | b'\r'));
    is_line && head.len() >= MARK && is_plain(head)
}

fn is_plain(head: &[u8]) -> bool {
    // A zero is rare in text, and one half of each ASCII character in UTF-16.
    !head.contains(&0) && std::str::from_utf8(head).is_ok()
}

/// Returns the encoding, and the length of the byte order mark.
///
/// # Errors
///
/// When it is UTF-32, or not text at all.
pub(super) fn encoding(head: &[u8]) -> io::Result<(Encoding, usize)> {
    let error = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    if let Some((_, why)) = NOT_TEXT.iter().find(|(start, _)| head.starts_with(start)) {
        return error(why);
    }
    // Before UTF-16, whose mark is the beginning of that of UTF-32 in little-endian order.
    if is_utf_32(head) {
        return error("it is UTF-32: save it as UTF-8");
    }
    if let Some(marked) = marked(head) {
        return Ok(marked);
    }
    if is_plain(head) {
        return Ok((Encoding::Utf8, 0));
    }
    let found = [Order::Little, Order::Big]
        .into_iter()
        .find(|order| is_utf_16(head, *order));
    Ok((found.map_or(Encoding::Utf8, Encoding::Utf16), 0))
}

const fn marked(head: &[u8]) -> Option<(Encoding, usize)> {
    match head {
        [0xEF, 0xBB, 0xBF, ..] => Some((Encoding::Utf8, 3)),
        [0xFF, 0xFE, ..] => Some((Encoding::Utf16(Order::Little), 2)),
        [0xFE, 0xFF, ..] => Some((Encoding::Utf16(Order::Big), 2)),
        _ => None,
    }
}

/// Whether it has the mark of UTF-32, or is characters of four bytes, more than one.
fn is_utf_32(head: &[u8]) -> bool {
    if matches!(head, [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..]) {
        return true;
    }
    let (units, _) = head.as_chunks::<4>();
    let is_text = |order: fn([u8; 4]) -> u32| {
        let is_character = |unit: &[u8; 4]| char::from_u32(order(*unit)).is_some_and(is_written);
        units.len() > 1 && units.iter().all(is_character)
    };
    is_text(u32::from_le_bytes) || is_text(u32::from_be_bytes)
}

fn is_written(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0C')
}

/// Whether a text without a mark is UTF-16. Some bytes of another text decode to letters, too. So
/// the units have to be text, and of those many ASCII, as URLs are: most if the bytes are UTF-8
/// with zeros in it, and half of them, or a third and the line ends, if they are not.
fn is_utf_16(head: &[u8], order: Order) -> bool {
    let (pairs, _) = head.as_chunks::<2>();
    let units = pairs.iter().map(|pair| match order {
        Order::Little => u16::from_le_bytes(*pair),
        Order::Big => u16::from_be_bytes(*pair),
    });
    let (mut damaged, mut printed, mut ends, mut all) = (0_usize, 0_usize, 0_usize, 0_usize);
    let count = |number: &mut usize, is_counted: bool| {
        *number = number.saturating_add(usize::from(is_counted));
    };
    for c in char::decode_utf16(units) {
        let c = c.unwrap_or('\0');
        count(&mut all, true);
        count(&mut damaged, !is_written(c));
        count(&mut printed, c.is_ascii_graphic());
        count(&mut ends, matches!(c, '\n' | '\r'));
    }
    // A character that the head's end divides is no damage.
    if printed < 2 || damaged.saturating_sub(1).saturating_mul(DAMAGED) > all {
        return false;
    }
    let ascii = printed.saturating_add(ends);
    let share = |of: usize, least: usize| ascii.saturating_mul(of) >= all.saturating_mul(least);
    if std::str::from_utf8(head).is_ok() {
        return share(4, 3);
    }
    let line_bytes = head.iter().filter(|byte| b"\n\r".contains(byte)).count();
    share(2, 1) || share(3, 1) && ends > 0 && ends.saturating_mul(2) >= line_bytes
}
