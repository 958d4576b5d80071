//! The orientation tag in an APP1 segment (Exif 2.3, 4.5.4 and 4.6.4): only the 0th image file
//! directory is read, in order and in constant space. Sizes in it are never trusted, and those of
//! the thumbnail's directory are never reached.

use crate::format::Orientation;

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// Bytes of EXIF's and TIFF's headers.
const HEADER: usize = 14;

/// Bytes of a directory's entry.
const ENTRY: usize = 12;

/// The orientation in `body`, all of an APP1 segment, if that is EXIF and holds one.
pub(super) fn orientation(body: &[u8]) -> Option<Orientation> {
    let mut exif = Exif::new();
    let Step::Seek(gap) = exif.header(body) else {
        return None;
    };
    let directory = body.get(HEADER.saturating_add(gap.into())..)?;
    let (count, entries) = directory.split_first_chunk::<2>()?;
    let count = exif.short(count, 0).into();
    let mut entries = entries.chunks_exact(ENTRY).take(count);
    exif.entry(entries.find(|entry| exif.short(entry, 0) == ORIENTATION)?)
}

/// Where in the segment the reader is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exif {
    step: Step,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// `Exif`, two zero bytes, then the TIFF header.
    Header,
    /// Bytes up to the directory.
    Seek(u16),
    Count,
    Entry {
        left: u16,
    },
    Over,
}

/// What the reader needs of the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExifNeed {
    Field(u16),
    Skip(u16),
    Nothing,
}

impl Exif {
    pub(super) const fn new() -> Self {
        Self {
            step: Step::Header,
            big_endian: false,
        }
    }

    pub(super) const fn need(self) -> ExifNeed {
        match self.step {
            Step::Header => ExifNeed::Field(14),
            Step::Seek(bytes) => ExifNeed::Skip(bytes),
            Step::Count => ExifNeed::Field(2),
            Step::Entry { .. } => ExifNeed::Field(12),
            Step::Over => ExifNeed::Nothing,
        }
    }

    /// The same, with only so many bytes to skip.
    pub(super) const fn seek(self, bytes: u16) -> Self {
        Self {
            step: Step::Seek(bytes),
            ..self
        }
    }

    /// The bytes to skip were skipped.
    pub(super) const fn skipped(&mut self) {
        self.step = Step::Count;
    }

    /// Reads the field that was needed.
    pub(super) fn take(&mut self, field: &[u8; super::FIELD]) -> Option<Orientation> {
        let mut found = None;
        self.step = match self.step {
            Step::Header => self.header(field),
            Step::Count => match self.short(field, 0) {
                0 => Step::Over,
                left => Step::Entry { left },
            },
            Step::Entry { left } => {
                if self.short(field, 0) == ORIENTATION {
                    found = self.entry(field);
                    Step::Over
                } else {
                    match left.saturating_sub(1) {
                        0 => Step::Over,
                        left => Step::Entry { left },
                    }
                }
            }
            Step::Seek(_) | Step::Over => Step::Over,
        };
        found
    }

    fn header(&mut self, field: &[u8]) -> Step {
        self.big_endian = match field {
            // The sixth byte is padding, whose value is not checked.
            [b'E', b'x', b'i', b'f', 0, _, b'I', b'I', 42, 0, ..] => false,
            [b'E', b'x', b'i', b'f', 0, _, b'M', b'M', 0, 42, ..] => true,
            _ => return Step::Over,
        };
        let (first, second) = (self.short(field, 10), self.short(field, 12));
        let (high, low) = if self.big_endian {
            (first, second)
        } else {
            (second, first)
        };
        // A segment has less than 64 KB, so that the offset's upper half must be zero; the TIFF
        // header itself has eight bytes.
        match (high, low.checked_sub(8)) {
            (0, Some(gap)) => Step::Seek(gap),
            _ => Step::Over,
        }
    }

    /// The orientation in its entry, if that is of the right type.
    fn entry(self, entry: &[u8]) -> Option<Orientation> {
        let is_short = self.short(entry, 2) == SHORT;
        is_short
            .then(|| Orientation::new(self.short(entry, 8)))
            .flatten()
    }

    fn short(self, field: &[u8], at: usize) -> u16 {
        let bytes = field
            .get(at..at.saturating_add(2))
            .and_then(|bytes| bytes.try_into().ok())
            .unwrap_or_default();
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }
}
