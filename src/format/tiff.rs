//! TIFF (revision 6.0) and `BigTIFF`: the first directory states the size. From structure depth on,
//! the other directories are counted as pages, and the file must contain the values of all entries
//! and the last strip or tile of each page. The file is read once from its start: what lies before
//! the directory that refers to it is not read.

mod strips;

use super::{
    ColorType, DefectKind, Depth, Dimensions, Facts, Orientation, Parser, Progress,
    bytes::{Cursor, Gather},
};
use strips::{Column, Strips, Values};

/// No writer comes near so many entries.
const MAX_ENTRIES: u64 = 65_535;

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent properties of the file, not states"
)]
pub(crate) struct Tiff {
    state: State,
    field: Gather<20>,
    is_big_endian: bool,
    /// `BigTIFF`: offsets and counts have 8 bytes.
    is_big: bool,
    /// Camera raw files have other version numbers, and often other tags.
    is_raw: bool,
    width: Option<u32>,
    height: Option<u32>,
    /// The picture is a smaller version of another one in the file.
    is_reduced: bool,
    depth: Depth,
    /// How many directories were read.
    directories: u32,
    strips: Strips,
    /// The offset of the next directory, or 0.
    next: u64,
    /// Where the pictures and the values of the entries end.
    end: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    BigHead,
    /// To the next directory.
    Seek {
        to: u64,
    },
    Count,
    Entry {
        left: u64,
    },
    /// The offset of the next directory.
    Next,
    /// To values of an entry, and through them.
    Values(Values),
    Rest,
}

/// The values of a directory entry's types that a size can have (TIFF 6.0, 2).
const BYTE: u16 = 1;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const IFD: u16 = 13;
const LONG8: u16 = 16;
const IFD8: u16 = 18;

impl Tiff {
    pub(crate) const fn new(depth: Depth) -> Self {
        Self {
            state: State::Head,
            field: Gather::new(),
            is_big_endian: false,
            is_big: false,
            is_raw: false,
            width: None,
            height: None,
            is_reduced: false,
            depth,
            directories: 0,
            strips: Strips::NONE,
            next: 0,
            end: 0,
        }
    }

    /// The number in the `N` bytes at `at`.
    fn number<const N: usize>(&self, field: &[u8], at: usize) -> u64 {
        let found = field.get(at..).and_then(<[u8]>::first_chunk::<N>);
        let bytes = found.copied().unwrap_or([0; N]);
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        if self.is_big_endian {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        }
    }

    /// The offset or count at `at`, which has 8 bytes in a `BigTIFF`.
    fn offset(&self, field: &[u8], at: usize) -> u64 {
        if self.is_big {
            self.number::<8>(field, at)
        } else {
            self.number::<4>(field, at)
        }
    }

    fn short(&self, field: &[u8], at: usize) -> u16 {
        u16::try_from(self.number::<2>(field, at)).unwrap_or(0)
    }

    fn head(&mut self, head: &[u8], facts: &mut Facts) -> Progress {
        self.is_big_endian = head.first() == Some(&b'M');
        let version = self.short(head, 2);
        if version == 43 {
            self.is_big = true;
            self.state = State::BigHead;
            return Progress::More;
        }
        self.is_raw = version != 42;
        self.seek(self.number::<4>(head, 4), 8, facts)
    }

    /// The directory follows the header, which ends at `least`.
    fn seek(&mut self, to: u64, least: u64, facts: &mut Facts) -> Progress {
        if to < least {
            facts.defect(DefectKind::TiffDirectory, 4);
            return Progress::Failed;
        }
        self.state = State::Seek { to };
        Progress::More
    }

    fn count(&mut self, count: u64, at: u64, facts: &mut Facts) -> Progress {
        // TIFF 6.0, 2: a directory has at least one entry.
        if count == 0 || count > MAX_ENTRIES {
            // A page that is not the first is not counted.
            if self.directories > 0 {
                self.state = State::Rest;
                return Progress::More;
            }
            facts.defect(DefectKind::TiffDirectory, at);
            return Progress::Failed;
        }
        self.strips = Strips::NONE;
        self.is_reduced = false;
        self.state = State::Entry { left: count };
        Progress::More
    }

    /// An entry is a tag, a type, a count, and the value if it fits.
    fn entry(&mut self, entry: &[u8], facts: &mut Facts) {
        let (tag, kind) = (self.short(entry, 0), self.short(entry, 2));
        let count = self.offset(entry, 4);
        let (at, room) = if self.is_big { (12, 8) } else { (8, 4) };
        let len = length(kind);
        let is_inline = count.saturating_mul(len) <= room;
        if !is_inline {
            let values = self.offset(entry, at);
            let end = values.saturating_add(count.saturating_mul(len));
            self.end = self.end.max(end);
            if let Some(column) = Column::of_tag(tag).filter(|_| is_whole(kind)) {
                self.strips.refer(Values {
                    column,
                    kind,
                    at: values,
                    count,
                });
            }
            return;
        }
        if let Some(column) = Column::of_tag(tag).filter(|_| is_whole(kind)) {
            let mut at = at;
            for _ in 0..count {
                let value = self.value(kind, entry, at);
                self.strips.add(column, value.unwrap_or(0));
                at = at.saturating_add(usize::try_from(len).unwrap_or(0));
            }
        }
        let value = self.value(kind, entry, at).filter(|_| count == 1);
        let Some(value) = value.and_then(|value| u32::try_from(value).ok()) else {
            return;
        };
        match tag {
            // A smaller version of another picture, or a mask of one.
            254 => self.is_reduced = value & 0b101 != 0,
            // The size is that of the first page.
            _ if self.directories > 0 => {}
            256 => self.width = self.width.or(Some(value)),
            257 => self.height = self.height.or(Some(value)),
            258 => facts.bit_depth = facts.bit_depth.or(u8::try_from(value).ok()),
            262 => facts.color = facts.color.or(color(value)),
            274 => {
                let tag = u16::try_from(value).ok().and_then(Orientation::new);
                facts.orientation = facts.orientation.or(tag);
            }
            _ => {}
        }
    }

    /// The number of this type at `at`.
    fn value(&self, kind: u16, field: &[u8], at: usize) -> Option<u64> {
        match kind {
            BYTE => Some(self.number::<1>(field, at)),
            SHORT => Some(self.number::<2>(field, at)),
            LONG | IFD => Some(self.number::<4>(field, at)),
            LONG8 | IFD8 => Some(self.number::<8>(field, at)),
            _ => None,
        }
    }

    /// The entries of a directory are over.
    fn close(&mut self, at: u64, facts: &mut Facts) -> Progress {
        let is_first = self.directories == 0;
        self.directories = self.directories.saturating_add(1);
        if is_first {
            match (self.width, self.height) {
                // The size of the picture itself is in another directory.
                _ if self.is_reduced => {}
                (Some(0), _) | (_, Some(0)) => facts.defect(DefectKind::ZeroDimension, at),
                (Some(width), Some(height)) => {
                    facts.dimensions = Some(Dimensions::new(width, height));
                }
                // Camera raw files often keep the size of the picture in a subdirectory or in tags
                // of their own.
                _ if self.is_raw => {}
                _ => facts.defect(DefectKind::TiffDirectory, at),
            }
        }
        if self.depth == Depth::Header {
            return Progress::Done;
        }
        if is_first || !self.is_reduced {
            facts.frames = facts.frames.saturating_add(1);
        }
        self.state = State::Next;
        Progress::More
    }

    /// Proceeds to what is next in the file: values of an entry, or a directory.
    fn proceed(&mut self, at: u64, facts: &mut Facts) {
        self.end = self.end.max(self.strips.end()).max(at);
        // Offsets that point back are not followed, so a chain of directories cannot loop.
        let directory = Some(self.next).filter(|next| *next >= at);
        self.state = match (self.strips.take_next(at), directory) {
            // What is first in the file is read first, because nothing can be read again.
            (Some(values), Some(to)) if to < values.at => State::Seek { to },
            (Some(values), _) => State::Values(values),
            (None, Some(to)) => State::Seek { to },
            (None, None) => {
                // A directory that was passed is a page that was not counted.
                facts.frames_final = self.next == 0;
                State::Rest
            }
        };
    }
}

/// The bytes of a value of each type (TIFF 6.0, 2; `BigTIFF`).
const fn length(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 0,
    }
}

/// Whether values of the type are whole numbers.
const fn is_whole(kind: u16) -> bool {
    matches!(kind, BYTE | SHORT | LONG | IFD | LONG8 | IFD8)
}

/// TIFF 6.0, 8 and 20 to 23: what the values of `PhotometricInterpretation` are.
const fn color(photometric: u32) -> Option<ColorType> {
    match photometric {
        0 | 1 => Some(ColorType::Gray),
        2 => Some(ColorType::Rgb),
        3 => Some(ColorType::Palette),
        5 => Some(ColorType::Cmyk),
        6 => Some(ColorType::YCbCr),
        _ => None,
    }
}

impl Parser for Tiff {
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        let mut cursor = Cursor::new(input, offset);
        loop {
            let at = self.field.start(&cursor);
            let progress = match self.state {
                State::Head => match self.field.fill(&mut cursor, 8) {
                    Some(head) => self.head(&head, facts),
                    None => return Progress::More,
                },
                State::BigHead => match self.field.fill(&mut cursor, 8) {
                    Some(head) => self.seek(self.number::<8>(&head, 0), 16, facts),
                    None => return Progress::More,
                },
                State::Seek { to } => {
                    cursor.take(to.saturating_sub(at));
                    if cursor.offset() < to {
                        return Progress::More;
                    }
                    self.state = State::Count;
                    Progress::More
                }
                State::Count => {
                    let want = if self.is_big { 8 } else { 2 };
                    match self.field.fill(&mut cursor, want) {
                        Some(field) if self.is_big => {
                            self.count(self.number::<8>(&field, 0), at, facts)
                        }
                        Some(field) => self.count(self.number::<2>(&field, 0), at, facts),
                        None => return Progress::More,
                    }
                }
                State::Values(Values { count: 0, .. }) => {
                    self.proceed(at, facts);
                    Progress::More
                }
                State::Values(values) if at < values.at => {
                    cursor.take(values.at.saturating_sub(at));
                    if cursor.offset() < values.at {
                        return Progress::More;
                    }
                    Progress::More
                }
                State::Values(values) => {
                    let len = length(values.kind);
                    let want = usize::try_from(len).unwrap_or(0);
                    let Some(field) = self.field.fill(&mut cursor, want) else {
                        return Progress::More;
                    };
                    let value = self.value(values.kind, &field, 0);
                    self.strips.add(values.column, value.unwrap_or(0));
                    self.state = State::Values(Values {
                        at: values.at.saturating_add(len),
                        count: values.count.saturating_sub(1),
                        ..values
                    });
                    Progress::More
                }
                State::Next => {
                    let want = if self.is_big { 8 } else { 4 };
                    let Some(field) = self.field.fill(&mut cursor, want) else {
                        return Progress::More;
                    };
                    self.next = self.offset(&field, 0);
                    self.proceed(cursor.offset(), facts);
                    Progress::More
                }
                State::Rest => {
                    cursor.take(self.end.saturating_sub(at));
                    if cursor.offset() < self.end {
                        return Progress::More;
                    }
                    Progress::Done
                }
                State::Entry { left: 0 } => self.close(at, facts),
                State::Entry { left } => {
                    let want = if self.is_big { 20 } else { 12 };
                    let Some(entry) = self.field.fill(&mut cursor, want) else {
                        return Progress::More;
                    };
                    self.entry(&entry, facts);
                    let left = left.saturating_sub(1);
                    self.state = State::Entry { left };
                    Progress::More
                }
            };
            if progress != Progress::More {
                return progress;
            }
        }
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        // `push` ends with the last byte of a complete file, so this file is not complete.
        facts.defect(DefectKind::Truncated, len);
    }
}
