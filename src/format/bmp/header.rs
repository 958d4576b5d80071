//! The file header and the image header in all its versions.

use super::{DefectKind, FIELD, Facts, rle::Rle};
use crate::format::{
    ColorType, Dimensions,
    bytes::{le16, le32},
};

/// Bytes of the file header, before the image header.
pub(super) const FILE_HEADER: u64 = 14;

/// The offset of the channels' masks, inside the header or after it.
pub(super) const MASKS: u64 = 54;

/// The offset of width and height.
const SIDES: u64 = 18;

/// How the pixels are coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Compression {
    /// `BI_RGB`, and every `BITMAPCOREHEADER`.
    #[default]
    None,
    Rle8,
    Rle4,
    /// `BI_BITFIELDS`: masks say where the channels lie.
    Masks,
    /// OS/2: Huffman 1D (CCITT Group 3).
    Huffman,
    /// What most decoders refuse: OS/2 RLE24, embedded JPEG and PNG, `BI_ALPHABITFIELDS`, CMYK and
    /// numbers without a meaning.
    Other,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Header {
    /// Where the pixels start, as stated.
    offset: u32,
    /// The image header's size, which is its version.
    size: u32,
    width: u32,
    height: u32,
    top_down: bool,
    bits: u16,
    pub(super) compression: Compression,
    /// Bytes of compressed pixels as stated, or 0.
    stated_len: u32,
    /// Entries of the palette.
    colors: u32,
}

impl Header {
    /// The file header and the image header's size.
    pub(super) fn new(field: &[u8; FIELD]) -> Self {
        Self {
            offset: le32(field, 10),
            size: le32(field, 14),
            ..Self::default()
        }
    }

    const fn is_core(&self) -> bool {
        self.size == 12
    }

    /// Whether the version is `BITMAPINFOHEADER` cut or grown by OS/2 2.x (16 to 64 bytes), or one
    /// of Microsoft's.
    pub(super) const fn size_is_known(&self) -> bool {
        matches!(self.size, 12 | 16..=64 | 108 | 124)
    }

    /// Bytes of width and height.
    pub(super) const fn sides_len(&self) -> usize {
        if self.is_core() { 4 } else { 8 }
    }

    pub(super) fn set_sides(&mut self, field: &[u8; FIELD], facts: &mut Facts) {
        if self.is_core() {
            self.width = u32::from(le16(field, 0));
            self.height = u32::from(le16(field, 2));
        } else {
            let (width, height) = (le32(field, 0).cast_signed(), le32(field, 4).cast_signed());
            self.width = u32::try_from(width).unwrap_or_default();
            self.height = height.unsigned_abs();
            self.top_down = height < 0;
        }
        if self.width == 0 || self.height == 0 {
            facts.defect(DefectKind::ZeroDimension, SIDES);
        } else {
            facts.dimensions = Some(Dimensions::new(self.width, self.height));
        }
        facts.frames = 1;
        facts.frames_final = true;
    }

    /// Bytes of the fields after width and height, those that have a meaning here. Of a version
    /// that is not known, those of `BITMAPINFOHEADER`.
    pub(super) fn fields_len(&self) -> usize {
        match self.size {
            12 => 4,
            16..=40 => usize::try_from(self.size.saturating_sub(12)).unwrap_or(FIELD),
            _ => FIELD,
        }
    }

    /// Takes the fields after width and height; those that a short version lacks are zero.
    pub(super) fn set_fields(&mut self, field: &[u8; FIELD], facts: &mut Facts) {
        self.bits = le16(field, 2);
        if !self.is_core() {
            self.compression = self.compression_of(le32(field, 4));
            self.stated_len = le32(field, 8);
            self.colors = le32(field, 20);
        }
        if le16(field, 0) != 1 {
            facts.defect(DefectKind::BmpPlanes, self.fields_at());
        }
        self.state(facts);
    }

    fn fields_at(&self) -> u64 {
        SIDES.saturating_add(if self.is_core() { 4 } else { 8 })
    }

    fn compression_of(&self, number: u32) -> Compression {
        let os2 = self.size == 64;
        match number {
            0 => Compression::None,
            1 => Compression::Rle8,
            2 => Compression::Rle4,
            3 if os2 && self.bits == 1 => Compression::Huffman,
            3 => Compression::Masks,
            _ => Compression::Other,
        }
    }

    fn state(&self, facts: &mut Facts) {
        let at = self.fields_at();
        if self.compression == Compression::Other {
            facts.defect(DefectKind::BmpCompression, at);
        } else if !self.bits_are_legal() {
            facts.defect(DefectKind::BmpBitDepth, at);
        } else {
            self.state_color(facts);
        }
        if self.compression == Compression::Huffman {
            facts.defect(DefectKind::BmpRareCompression, at);
        }
        let is_run_length = matches!(self.compression, Compression::Rle4 | Compression::Rle8);
        if self.top_down && is_run_length {
            facts.defect(DefectKind::BmpTopDownRle, at);
        }
        if self.is_palette() && u64::from(self.colors) > self.most_colors() {
            facts.defect(DefectKind::BmpPaletteSize, at);
        }
        if u64::from(self.offset) < self.palette_start() {
            facts.defect(DefectKind::BmpPixelOffset, 10);
        }
    }

    fn state_color(&self, facts: &mut Facts) {
        let (depth, color) = match (self.bits, self.compression) {
            (1..=8, _) => (self.bits, ColorType::Palette),
            (16, Compression::None) => (5, ColorType::Rgb),
            (16, _) => return,
            _ => (8, ColorType::Rgb),
        };
        facts.bit_depth = u8::try_from(depth).ok();
        facts.color = Some(color);
    }

    /// Whether the compression is defined for the number of bits.
    const fn bits_are_legal(&self) -> bool {
        match self.compression {
            Compression::None if self.is_core() => matches!(self.bits, 1 | 4 | 8 | 24),
            Compression::None => matches!(self.bits, 1 | 2 | 4 | 8 | 16 | 24 | 32),
            Compression::Rle8 => self.bits == 8,
            Compression::Rle4 => self.bits == 4,
            Compression::Masks => matches!(self.bits, 16 | 32),
            Compression::Huffman => self.bits == 1,
            Compression::Other => false,
        }
    }

    pub(super) const fn bits(&self) -> u16 {
        self.bits
    }

    const fn is_palette(&self) -> bool {
        matches!(self.bits, 1..=8)
    }

    fn most_colors(&self) -> u64 {
        1_u64.checked_shl(u32::from(self.bits)).unwrap_or(u64::MAX)
    }

    /// Masks follow the fields of `BITMAPINFOHEADER`, in its larger versions as part of the header.
    pub(super) const fn masks_len(&self) -> usize {
        match (self.compression, self.size) {
            (Compression::Masks, 56..) => 16,
            (Compression::Masks, _) => 12,
            _ => 0,
        }
    }

    /// Where the palette starts, if there is one.
    fn palette_start(&self) -> u64 {
        let separate_masks = if self.compression == Compression::Masks && self.size == 40 {
            12
        } else {
            0
        };
        FILE_HEADER
            .saturating_add(u64::from(self.size))
            .saturating_add(separate_masks)
    }

    /// Where the pixels start: as stated, or after the palette when that cannot be.
    pub(super) fn pixels_start(&self) -> u64 {
        let stated = u64::from(self.offset);
        let start = self.palette_start();
        if stated >= start {
            return stated;
        }
        let entry = if self.is_core() { 3 } else { 4 };
        let colors = match (self.is_palette(), self.colors) {
            (false, _) => 0,
            (true, 0) => self.most_colors(),
            (true, colors) => u64::from(colors).min(self.most_colors()),
        };
        start.saturating_add(colors.saturating_mul(entry))
    }

    /// The walk through run lengths, if these are some.
    pub(super) fn runs(&self) -> Option<Rle> {
        let is_legal = self.bits_are_legal();
        (is_legal && matches!(self.compression, Compression::Rle4 | Compression::Rle8))
            .then(|| Rle::new(self.width, self.height, self.compression))
    }

    /// Where pixels that are not compressed end: rows are padded to four bytes.
    pub(super) fn pixels_end(&self) -> Option<u64> {
        if !matches!(self.compression, Compression::None | Compression::Masks) {
            return None;
        }
        let row = u64::from(self.width)
            .saturating_mul(u64::from(self.bits))
            .div_ceil(32)
            .saturating_mul(4);
        let pixels = row.saturating_mul(u64::from(self.height));
        Some(self.pixels_start().saturating_add(pixels))
    }
}

/// Where the channels lie in a pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    color: [u32; 3],
    alpha: u32,
    bits: u16,
}

impl Masks {
    pub(super) fn new(field: &[u8; FIELD], bits: u16) -> Self {
        Self {
            color: [le32(field, 0), le32(field, 4), le32(field, 8)],
            alpha: le32(field, 12),
            bits,
        }
    }

    pub(super) fn check(&self) -> Result<(), DefectKind> {
        let all = [self.color[0], self.color[1], self.color[2], self.alpha];
        let mut taken = 0_u32;
        let overlap = all.iter().any(|mask| {
            let overlaps = taken & mask != 0;
            taken |= mask;
            overlaps
        });
        let holes = all.iter().any(|mask| {
            let shifted = mask.checked_shr(mask.trailing_zeros()).unwrap_or_default();
            shifted & shifted.wrapping_add(1) != 0
        });
        let too_wide = self.bits == 16 && taken > 0xFFFF;
        let empty = self.color.contains(&0);
        if overlap || holes || too_wide || empty {
            Err(DefectKind::BmpMasks)
        } else {
            Ok(())
        }
    }
}
