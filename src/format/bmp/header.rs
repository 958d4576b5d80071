//! The file header and the image header in all its versions.

use std::num::NonZeroU8;

use super::{DefectKind, FIELD, Facts, rle::Rle};
use crate::format::{
    ColorType, Dimensions, Format, Glance,
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
    planes: u16,
    bits: u16,
    pub(super) compression: Compression,
    /// Bytes of compressed pixels as stated, or 0.
    stated_len: u32,
    /// Entries of the palette.
    colors: u32,
}

impl Header {
    /// The file header and the image header's size.
    #[inline]
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

    /// Whether the version is one that readers know. OS/2 2.x allows to cut its header anywhere
    /// from 16 bytes on, but readers accept 64 only.
    pub(super) const fn size_is_known(&self) -> bool {
        matches!(self.size, 12 | 40 | 52 | 56 | 64 | 108 | 124)
    }

    /// Bytes of width and height.
    pub(super) const fn sides_len(&self) -> usize {
        if self.is_core() { 4 } else { 8 }
    }

    /// Reads width and height.
    #[inline]
    pub(super) fn read_sides(&mut self, field: &[u8; FIELD]) {
        if self.is_core() {
            self.width = u32::from(le16(field, 0));
            self.height = u32::from(le16(field, 2));
        } else {
            let (width, height) = (le32(field, 0).cast_signed(), le32(field, 4).cast_signed());
            // Unlike a negative height, a negative width has no meaning.
            self.width = u32::try_from(width).unwrap_or_default();
            self.height = height.unsigned_abs();
            // Windows stores rows from bottom to top, unless the height is negative.
            self.top_down = height < 0;
        }
    }

    pub(super) fn dimensions(&self) -> Option<Dimensions> {
        (self.width > 0 && self.height > 0).then(|| Dimensions::new(self.width, self.height))
    }

    #[inline]
    pub(super) fn state_sides(&self, facts: &mut Facts) {
        facts.dimensions = self.dimensions();
        if facts.dimensions.is_none() {
            facts.defect(DefectKind::ZeroDimension, SIDES);
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

    /// Reads the fields after width and height; those that a short version lacks are zero.
    #[inline]
    pub(super) fn read_fields(&mut self, field: &[u8; FIELD]) {
        self.planes = le16(field, 0);
        self.bits = le16(field, 2);
        if !self.is_core() {
            self.compression = self.compression_of(le32(field, 4));
            self.stated_len = le32(field, 8);
            self.colors = le32(field, 20);
        }
    }

    fn fields_at(&self) -> u64 {
        SIDES.saturating_add(if self.is_core() { 4 } else { 8 })
    }

    #[inline]
    fn compression_of(&self, number: u32) -> Compression {
        let os2 = self.size == 64;
        match number {
            0 => Compression::None,
            1 => Compression::Rle8,
            2 => Compression::Rle4,
            // OS/2 2.x has numbers of its own: its 3 is Huffman 1D, where Windows has masks.
            3 if os2 && self.bits == 1 => Compression::Huffman,
            3 => Compression::Masks,
            _ => Compression::Other,
        }
    }

    #[inline]
    pub(super) fn state_fields(&self, facts: &mut Facts) {
        if self.bits_are_legal() {
            (facts.bit_depth, facts.color) = self.color();
        }
        self.faults(|kind, at| facts.defect(kind, at));
    }

    /// Passes the defects of the fields after width and height to `state`, with their offsets.
    fn faults(&self, mut state: impl FnMut(DefectKind, u64)) {
        let at = self.fields_at();
        if self.planes != 1 {
            state(DefectKind::BmpPlanes, at);
        }
        if self.compression == Compression::Other {
            state(DefectKind::BmpCompression, at);
        } else if !self.bits_are_legal() {
            state(DefectKind::BmpBitDepth, at);
        }
        if self.compression == Compression::Huffman {
            state(DefectKind::BmpRareCompression, at);
        }
        let is_run_length = matches!(self.compression, Compression::Rle4 | Compression::Rle8);
        if self.top_down && is_run_length {
            state(DefectKind::BmpTopDownRle, at);
        }
        if self.is_palette() && u64::from(self.colors) > self.most_colors() {
            state(DefectKind::BmpPaletteSize, at);
        }
        if u64::from(self.offset) < self.palette_start() {
            state(DefectKind::BmpPixelOffset, 10);
        } else if self.palette_end() > u64::from(self.offset) {
            state(DefectKind::BmpPaletteCut, 10);
        }
    }

    /// Bits of a channel or an index, and how a pixel's color is stored, where that is known: of
    /// a header whose bits are legal.
    #[inline]
    fn color(&self) -> (Option<u8>, Option<ColorType>) {
        match (self.bits, self.compression) {
            (1..=8, _) => (u8::try_from(self.bits).ok(), Some(ColorType::Palette)),
            // Without masks 16 bits are five for each channel (Win32, `BITMAPINFOHEADER`).
            (16, Compression::None) => (Some(5), Some(ColorType::Rgb)),
            // The masks decide, which are read later.
            (16, _) => (None, None),
            _ => (Some(8), Some(ColorType::Rgb)),
        }
    }

    /// Whether the compression is defined for the number of bits.
    #[inline]
    const fn bits_are_legal(&self) -> bool {
        // The numbers that are allowed, a bit for each.
        let allowed: u64 = match self.compression {
            Compression::None if self.is_core() => 1 << 1 | 1 << 4 | 1 << 8 | 1 << 24,
            Compression::None => 1 << 1 | 1 << 2 | 1 << 4 | 1 << 8 | 1 << 16 | 1 << 24 | 1 << 32,
            Compression::Rle8 => 1 << 8,
            Compression::Rle4 => 1 << 4,
            Compression::Masks => 1 << 16 | 1 << 32,
            Compression::Huffman => 1 << 1,
            Compression::Other => 0,
        };
        self.bits <= 32 && allowed >> self.bits & 1 != 0
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
            // Headers of 56 bytes and more include a mask for alpha.
            (Compression::Masks, 56..) => 16,
            (Compression::Masks, _) => 12,
            _ => 0,
        }
    }

    /// Where the palette starts, if there is one.
    #[inline]
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
        if stated >= self.palette_start() {
            return stated;
        }
        let core_colors = if self.is_core() && self.is_palette() {
            // Its entries have three bytes (`RGBTRIPLE`), those of other versions four.
            self.most_colors().saturating_mul(3)
        } else {
            0
        };
        self.palette_end().saturating_add(core_colors)
    }

    /// Where the palette ends that the header states. `BITMAPCOREHEADER` states none: what is
    /// before the pixels is the palette, often less than there are indices.
    fn palette_end(&self) -> u64 {
        let colors = match (self.is_palette() && !self.is_core(), self.colors) {
            (false, _) => 0,
            (true, 0) => self.most_colors(),
            (true, colors) => u64::from(colors).min(self.most_colors()),
        };
        self.palette_start()
            .saturating_add(colors.saturating_mul(4))
    }

    /// The walk through run lengths, if these are some.
    pub(super) fn runs(&self) -> Option<Rle> {
        let is_packed = match self.compression {
            Compression::Rle4 => true,
            Compression::Rle8 => false,
            _ => return None,
        };
        self.bits_are_legal()
            .then(|| Rle::new(self.width, self.height, is_packed))
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

/// The header of a Windows bitmap that is not compressed, complete and without a defect.
#[inline]
pub(crate) fn glance(file: &[u8]) -> Option<Glance> {
    let head: &[u8; 54] = file.first_chunk()?;
    let mut header = Header::new(head.first_chunk()?);
    // `BM` with zeros in the reserved fields is a bitmap, whatever else it has.
    let is_usual =
        head.starts_with(b"BM") && le32(head, 6) == 0 && matches!(header.size, 40 | 108 | 124);
    let is_compressed = le32(head, 30) != 0;
    if !is_usual || is_compressed {
        return None;
    }
    header.read_sides(head.get(18..)?.first_chunk()?);
    header.read_fields(head.last_chunk()?);
    let dimensions = header.dimensions()?;
    let mut is_sound = true;
    header.faults(|_, _| is_sound = false);
    if !is_sound {
        return None;
    }
    let (bit_depth, color) = header.color();
    Some(Glance {
        format: Format::Bmp,
        dimensions,
        bit_depth: bit_depth.and_then(NonZeroU8::new),
        color,
        orientation: None,
    })
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
        let mut overlap = false;
        for mask in all {
            overlap |= taken & mask != 0;
            taken |= mask;
        }
        let holes = all.iter().any(|mask| {
            let shifted = mask.checked_shr(mask.trailing_zeros()).unwrap_or_default();
            shifted & shifted.wrapping_add(1) != 0
        });
        let too_wide = self.bits == 16 && taken > 0xFFFF;
        let empty = self.color.contains(&0);
        if holes || too_wide || empty {
            Err(DefectKind::BmpMasks)
        } else if overlap {
            Err(DefectKind::BmpMasksOverlap)
        } else {
            Ok(())
        }
    }
}
