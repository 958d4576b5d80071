//! Recognising a format by the first bytes.

use super::Format;

/// More than this many bytes are never needed to name a format.
pub(crate) const SNIFF_BYTES: usize = 64;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sniffed {
    /// They are of this format.
    Is(Format),
    /// They are of no known format, whatever follows.
    Unknown,
    /// It takes more bytes to say.
    NeedMore,
}

/// Names the format of a file that begins with `head`. With [`SNIFF_BYTES`] or more the answer is
/// never `NeedMore`.
pub(crate) fn sniff(head: &[u8]) -> Sniffed {
    if head.starts_with(b"BM") {
        return Sniffed::Is(Format::Bmp);
    }
    if head.len() < SNIFF_BYTES {
        Sniffed::NeedMore
    } else {
        Sniffed::Unknown
    }
}

/// Names the format of a whole file of less than [`SNIFF_BYTES`] bytes.
pub(crate) fn sniff_all(file: &[u8]) -> Option<Format> {
    match sniff(file) {
        Sniffed::Is(format) => Some(format),
        Sniffed::Unknown | Sniffed::NeedMore => None,
    }
}
