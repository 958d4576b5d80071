//! The image header, IHDR (PNG 11.2.1).

use crate::format::{ColorType, DefectKind, Dimensions, Facts, bytes::be32};

/// The signature and the complete IHDR: length, name, 13 bytes, checksum.
pub(super) const HEAD: usize = 33;

/// Offset of the first chunk.
pub(super) const FIRST_CHUNK: u64 = 8;

/// The largest number that a four-byte field may hold (PNG 7.1).
pub(super) const MAX: u32 = 0x7fff_ffff;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bit_depth: u8,
    pub(super) color: u8,
    compression: u8,
    filter: u8,
    pub(super) interlace: u8,
}

/// For each byte of IHDR what each of its values adds to the checksum (PNG annex D: a remainder of
/// polynomials, in which every byte has its part by itself).
static PARTS: [[u32; 256]; 13] = parts();

/// The checksum of IHDR with these fields, which are legal: compression and filter are zero and add
/// nothing. A sum of what one look-up a byte finds, none of which waits for another: for so few
/// bytes this takes a fraction of what a general checksum does.
#[inline]
pub(super) fn legal_checksum(fields: &[u8; 13]) -> u32 {
    let part = |place: usize| PARTS[place][usize::from(fields[place])];
    let [w3, w2, _, _, h3, h2, ..] = *fields;
    let lower = part(2) ^ part(3) ^ part(6) ^ part(7);
    let sum = EMPTY ^ lower ^ part(8) ^ part(9) ^ part(12);
    if w3 | w2 | h3 | h2 == 0 {
        // Fewer than 65 536 pixels across and down.
        return sum;
    }
    sum ^ part(0) ^ part(1) ^ part(4) ^ part(5)
}

/// The checksum of IHDR with zeros for fields.
const EMPTY: u32 = !zeros(named(), 13);

/// The checksum's register behind the name.
const fn named() -> u32 {
    let mut register = u32::MAX;
    let mut name = u32::from_le_bytes(*b"IHDR");
    while name != 0 {
        register = zeros(register ^ (name & 0xFF), 1);
        name >>= 8;
    }
    register
}

/// The register after so many bytes of zero.
const fn zeros(mut register: u32, bytes: u32) -> u32 {
    let mut bit = 0;
    while bit < bytes * 8 {
        let carry = if register & 1 == 0 { 0 } else { 0xEDB8_8320 };
        register = (register >> 1) ^ carry;
        bit += 1;
    }
    register
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "small indices, in constant context"
)]
const fn parts() -> [[u32; 256]; 13] {
    let mut parts = [[0; 256]; 13];
    let mut place = 0;
    while place < 13 {
        let mut byte = 0;
        while byte < 256 {
            parts[place][byte] = zeros(byte as u32, 13 - place as u32);
            byte += 1;
        }
        place += 1;
    }
    parts
}

impl Header {
    #[inline]
    pub(super) fn new(fields: &[u8; 13]) -> Self {
        let [.., bit_depth, color, compression, filter, interlace] = *fields;
        Self {
            width: be32(fields, 0),
            height: be32(fields, 4),
            bit_depth,
            color,
            compression,
            filter,
            interlace,
        }
    }

    pub(super) const fn dimensions(&self) -> Dimensions {
        Dimensions::new(self.width, self.height)
    }

    /// Whether every field, and bit depth and color type together, are allowed.
    #[inline]
    pub(super) const fn is_legal(&self) -> bool {
        // Of each color type the depths that it allows, a bit for each.
        let depths: u32 = match self.color {
            0 => 1 << 1 | 1 << 2 | 1 << 4 | 1 << 8 | 1 << 16,
            2 | 4 | 6 => 1 << 8 | 1 << 16,
            3 => 1 << 1 | 1 << 2 | 1 << 4 | 1 << 8,
            _ => 0,
        };
        self.bit_depth <= 16
            && depths >> self.bit_depth & 1 != 0
            && self.width <= MAX
            && self.height <= MAX
            && self.compression == 0
            && self.filter == 0
            && self.interlace <= 1
    }

    #[inline]
    pub(super) const fn color_type(&self) -> Option<ColorType> {
        match self.color {
            0 => Some(ColorType::Gray),
            2 => Some(ColorType::Rgb),
            3 => Some(ColorType::Palette),
            4 => Some(ColorType::GrayAlpha),
            6 => Some(ColorType::Rgba),
            _ => None,
        }
    }

    /// How many indices there are.
    fn indices(&self) -> u32 {
        1_u32.checked_shl(self.bit_depth.into()).unwrap_or(u32::MAX)
    }

    /// Returns what is wrong with a palette of `len` bytes (PNG 11.2.2).
    pub(super) fn palette_defect(&self, len: u32) -> Option<DefectKind> {
        let colors = len / 3;
        match self.color {
            _ if !len.is_multiple_of(3) || !(1..=256).contains(&colors) => {
                Some(DefectKind::PngPaletteLength)
            }
            3 if colors <= self.indices() => None,
            2 | 6 => None,
            _ => Some(DefectKind::PngPaletteUnused),
        }
    }

    pub(super) fn bits_per_pixel(&self) -> u64 {
        let channels: u64 = match self.color {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        };
        channels.saturating_mul(self.bit_depth.into())
    }

    /// The bytes that a picture of this size unpacks to: for each row of each pass (PNG 8) a filter
    /// type and its pixels, whole bytes.
    pub(super) fn unpacked(&self, size: Dimensions) -> u64 {
        self.passes(size)
            .map(|(row, rows)| row.saturating_mul(rows))
            .fold(0, u64::saturating_add)
    }

    /// For each pass, the length of its rows in bytes, filter types included, and their number.
    /// Passes without pixels are left out.
    pub(super) fn passes(&self, size: Dimensions) -> impl Iterator<Item = (u64, u64)> + use<> {
        /// Where the passes of Adam7 begin and how far apart their pixels are: columns, then rows.
        const ADAM7: &[[u32; 4]] = &[
            [0, 8, 0, 8],
            [4, 8, 0, 8],
            [0, 4, 4, 8],
            [2, 4, 0, 4],
            [0, 2, 2, 4],
            [1, 2, 0, 2],
            [0, 1, 1, 2],
        ];
        const WHOLE: &[[u32; 4]] = &[[0, 1, 0, 1]];
        let bits = self.bits_per_pixel();
        let passes = if self.interlace == 1 { ADAM7 } else { WHOLE };
        passes
            .iter()
            .map(move |[x, x_step, y, y_step]| {
                let columns = u64::from(size.width.saturating_sub(*x).div_ceil(*x_step));
                let rows = u64::from(size.height.saturating_sub(*y).div_ceil(*y_step));
                let row = columns.saturating_mul(bits).div_ceil(8).saturating_add(1);
                // A pass without columns has no filter types either.
                if columns == 0 { (row, 0) } else { (row, rows) }
            })
            .filter(|(_, rows)| *rows != 0)
    }
}

/// Reads the signature and the complete IHDR; `None` if the rest cannot be read.
pub(super) fn read_head(head: &[u8; HEAD], facts: &mut Facts) -> Option<Header> {
    if head.get(12..16) != Some(b"IHDR") {
        facts.defect(DefectKind::PngFirstChunk, FIRST_CHUNK);
        return None;
    }
    let header = read_fields(head, 16, facts);
    if be32(head, 8) != 13 {
        // With another length the checksum and the next chunk are at unknown offsets. Without it
        // the walk continues, whatever the checksum is.
        facts.defect(DefectKind::PngHeaderLength, FIRST_CHUNK);
        return None;
    }
    if crc32fast::hash(head.get(12..29).unwrap_or_default()) != be32(head, 29) {
        facts.defect(DefectKind::PngCriticalCrc, FIRST_CHUNK);
    }
    Some(header)
}

/// Reads the fields of IHDR, which are at `at`.
pub(super) fn read_fields(head: &[u8], at: usize, facts: &mut Facts) -> Header {
    let fields = head.get(at..).and_then(<[u8]>::first_chunk);
    let header = Header::new(&fields.copied().unwrap_or_default());
    let at = u64::try_from(at).unwrap_or_default();
    let dimensions = header.dimensions();
    if dimensions.pixels() == 0 {
        facts.defect(DefectKind::ZeroDimension, at);
    } else {
        facts.dimensions = Some(dimensions);
    }
    if !header.is_legal() {
        facts.defect(DefectKind::PngHeaderField, at);
    }
    facts.color = header.color_type();
    facts.bit_depth = Some(header.bit_depth);
    header
}
