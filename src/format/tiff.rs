//! TIFF (revision 6.0) and `BigTIFF`: the first directory is read. From structure depth on, the file
//! must contain the values of its entries and a picture in one strip. Other strips and tiles are not
//! looked for, and further pages are not counted.

use super::{
    ColorType, DefectKind, Depth, Dimensions, Facts, Orientation, Parser, Progress,
    bytes::{Cursor, Gather},
};

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
    /// The offset and the length of the only strip.
    strip: [u64; 2],
    /// Where the values of the entries end.
    values_end: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    BigHead,
    Seek { to: u64 },
    Count,
    Entry { left: u64 },
    Rest { to: u64 },
}

/// The values of a directory entry's types that a size can have (TIFF 6.0, 2).
const BYTE: u16 = 1;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const LONG8: u16 = 16;

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
            strip: [0; 2],
            values_end: 0,
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
        if count == 0 || count > MAX_ENTRIES {
            facts.defect(DefectKind::TiffDirectory, at);
            return Progress::Failed;
        }
        self.state = State::Entry { left: count };
        Progress::More
    }

    /// An entry is a tag, a type, a count, and the value if it fits.
    fn entry(&mut self, entry: &[u8], facts: &mut Facts) {
        let (tag, kind) = (self.short(entry, 0), self.short(entry, 2));
        let count = self.offset(entry, 4);
        let (at, room) = if self.is_big { (12, 8) } else { (8, 4) };
        let len = count.saturating_mul(length(kind));
        if len > room {
            let end = self.offset(entry, at).saturating_add(len);
            self.values_end = self.values_end.max(end);
        }
        if count != 1 {
            return;
        }
        let value = match kind {
            BYTE => self.number::<1>(entry, at),
            SHORT => self.number::<2>(entry, at),
            LONG => self.number::<4>(entry, at),
            LONG8 if self.is_big => self.number::<8>(entry, at),
            _ => return,
        };
        match tag {
            273 => self.strip[0] = value,
            279 => self.strip[1] = value,
            _ => {}
        }
        let Ok(value) = u32::try_from(value) else {
            return;
        };
        match tag {
            254 => self.is_reduced = value & 1 != 0,
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

    fn end(&mut self, at: u64, facts: &mut Facts) -> Progress {
        match (self.width, self.height) {
            // The size of the picture itself is in another directory.
            _ if self.is_reduced => {}
            (Some(0), _) | (_, Some(0)) => facts.defect(DefectKind::ZeroDimension, at),
            (Some(width), Some(height)) => {
                facts.dimensions = Some(Dimensions::new(width, height));
            }
            _ if self.is_raw => {}
            _ => facts.defect(DefectKind::TiffDirectory, at),
        }
        if self.depth == Depth::Header {
            return Progress::Done;
        }
        let [offset, len] = self.strip;
        // The offset of the next directory follows the entries.
        let next = at.saturating_add(if self.is_big { 8 } else { 4 });
        let to = next.max(self.values_end).max(offset.saturating_add(len));
        self.state = State::Rest { to };
        Progress::More
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
                State::Rest { to } => {
                    cursor.take(to.saturating_sub(at));
                    if cursor.offset() < to {
                        return Progress::More;
                    }
                    Progress::Done
                }
                State::Entry { left: 0 } => self.end(at, facts),
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
        facts.defect(DefectKind::Truncated, len);
    }
}
