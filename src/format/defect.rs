//! What can be wrong with a file's bytes: one table of kinds, each with its default
//! enforcement.

mod set;

use std::fmt;

use crate::error::{from_name, serde_name};

pub use set::Defects;

/// The violation that a defect becomes.
///
/// ```
/// use greenlight::{DefectClass, DefectKind};
///
/// assert_eq!(DefectKind::PngCriticalCrc.class(), DefectClass::Corrupt);
/// assert_eq!(DefectKind::JpegNoEnd.class(), DefectClass::Truncated);
/// // Not a defect: an image that is too costly to examine is not reported as corrupt.
/// assert_eq!(DefectKind::NotWalked.class(), DefectClass::Unexamined);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefectClass {
    /// The bytes contradict the format: `image/corrupt`.
    Corrupt,
    /// The bytes end too early: `image/truncated`.
    Truncated,
    /// Bytes follow the image's own end: `image/trailing-bytes`.
    Trailing,
    /// Nothing was found; a part of the image was not examined: `image/not-examined`.
    Unexamined,
}

macro_rules! defect_kinds {
    ($($(#[$attr:meta])* $variant:ident, $name:literal, $class:ident, $tolerated:literal, $text:literal;)*) => {
        /// A kind of defect. Its name is stable.
        ///
        /// What decoders commonly tolerate is a warning by default, what most decoders reject is a
        /// rejection; [`Requirements::with_enforcement`](crate::Requirements::with_enforcement)
        /// changes either.
        ///
        /// ```
        /// use greenlight::{DefectKind, Enforcement, Inspection, Requirements};
        ///
        /// let bytes = std::fs::read("fixtures/images/png/wrong-crc.png")?;
        /// let inspection = Inspection::of(&bytes);
        /// assert!(inspection.defects().contains(DefectKind::PngCriticalCrc));
        /// assert!(!Requirements::ASYNC.judge(inspection.clone()).is_accepted());
        /// let lenient = Requirements::ASYNC
        ///     .with_enforcement(DefectKind::PngCriticalCrc, Enforcement::Warn);
        /// assert!(lenient.judge(inspection).is_accepted());
        /// # Ok::<(), std::io::Error>(())
        /// ```
        ///
        /// # Where the defaults come from
        ///
        /// About twelve independent readers read some thousand files with these defects, and files
        /// that were corrupted in one place each. A kind is rejected if most readers reject the
        /// files for this reason, and is a warning if most of them open these files or if they
        /// disagree. So a warning can be common among corrupt files: these have a second defect,
        /// which is rejected (`jpeg/junk`, `jpeg/zero-quantizer`, `jpeg/scan-parameters`,
        /// `gif/frame-outside`). Where the defaults differ from the majority, or rest on few files:
        ///
        /// * `any/trailing-bytes` is a warning, although some of the files that carry it are rejected
        ///   for other reasons: readers stop at the image's own end.
        /// * `any/not-walked` and `any/not-decoded` are not defects: a part of the file was not
        ///   examined, and nothing wrong was found in it. They have a separate code. What is not
        ///   walked is bounded by work: [`Depth::Payload`](crate::inspect::Depth::Payload).
        /// * `any/decoder-refused` becomes `any/decoder-strict`, a warning, if the walk of the payload
        ///   finds all coded data and a defect that is a warning: of the corpus's files for which that
        ///   holds, most readers open 6 and reject 5, and they disagree about 11. Without
        ///   such a defect, or where the coded data was not walked, the rejection is the only evidence.
        /// * `any/truncated` is rejected although browsers show a part of the image: the rest
        ///   would not be scanned.
        /// * `png/end-crc` and `jpeg/no-end` are warnings, although readers that verify the end reject
        ///   the files that carry nothing else (one PNG and three JPEG files of the corpus): all pixels
        ///   are there. Of six generated JPEG files without an end marker, Pillow and `OpenCV` reject
        ///   each, and Chromium shows a different picture. Enforce either as a rejection to exclude such
        ///   files. `png/end-not-empty` is a warning: readers disagree about a
        ///   correct checksum.
        /// * `png/palette-unused`, `png/animation` and `jpeg/stray-marker` are warnings: readers
        ///   disagree, and in most corrupt files that carry them something else is rejected.
        /// * `jpeg/default-tables` is a warning for motion JPEG only. A file without Huffman tables
        ///   that does not say `AVI1` is `jpeg/no-huffman-table`: three of five decoders reject it.
        /// * `gif/padding` and `gif/empty-extension` are rejected, although some readers skip such bytes:
        ///   27 and 8 corrupt files of the corpus carry them, and no good file does. Of generated files
        ///   `OpenCV` rejects 36 of 36 with zero bytes between blocks, and Chromium shows a different
        ///   picture for 15 of them; Pillow rejects 20 of 48 with an empty extension.
        /// * `jpeg/unknown-marker` includes TEM before the scans, although `OpenCV`, `ImageMagick` and
        ///   Chromium skip it: Pillow rejects 18 of 24 generated files that have one. Behind a scan
        ///   Pillow, too, skips it: `jpeg/stray-marker`.
        /// * A PNG whose IEND is missing, is truncated, has another name or declares bytes that are
        ///   not there is rejected, although Pillow shows all pixels: `OpenCV`, `ImageMagick` and
        ///   pngcheck reject 15 of 15 generated files, and most readers of the corpus 2 of 2.
        /// * `jpeg/frame-header` includes two components with one identifier, and `jpeg/scan-header` a
        ///   band beyond the block. Pillow, `OpenCV` and Chromium, which use one JPEG decoder, open such
        ///   files, but most readers of the corpus reject them: as warnings these two would let 4 more of
        ///   its 389 corrupt JPEG files pass.
        /// * `gif/zero-frame` is rejected, although readers disagree about the 24 files of the corpus that
        ///   carry nothing else: there is nothing to scan in such a frame.
        /// * `jpeg/unread-process` is rejected, although the corpus calls lossless files disputed: of ten
        ///   readers at most two open one.
        /// * `jpeg/no-quantization-table` and `bmp/palette-size` are rejected, although readers disagree
        ///   about two of three files and about one file that carry nothing else: the picture depends on
        ///   what a reader puts in the place of the missing table, or of the colors.
        /// * `gif/zero-screen` and `gif/unusual-code-size` are warnings: readers disagree, and frames
        ///   are complete.
        /// * `bmp/palette-cut` is rejected: the colors that are missing are read from the pixels. Some
        ///   readers open such files with wrong colors.
        /// * `png/ancillary-crc` and the other ancillary kinds of PNG are warnings: readers may skip
        ///   such chunks, and those that reject the files disagree about which.
        /// * `gif/image-data` and `gif/short-image-data` are rejected in every frame, although a
        ///   reader of the first frame alone opens some of the files: all frames can be scanned.
        /// * `bmp/top-down-rle` is a warning: readers disagree, and those that open such files show
        ///   all of their pixels.
        ///
        /// Two warnings concern files that may have been truncated: `gif/no-trailer` and
        /// `bmp/rle-no-end`. All announced pixels are there and only the end mark is missing, which
        /// viewers do not need. But an animated GIF does not announce how many frames it has:
        /// truncated between two of them it is a shorter animation; make the kind a rejection to
        /// exclude that. `bmp/rle-no-end` is also recorded for a bitmap that is shorter than its
        /// header declares: Pillow, `OpenCV` and Chromium show all pixels of the generated files.
        ///
        /// `png/chunk-order` is rejected where IDAT chunks are apart: Pillow, `OpenCV` and
        /// `ImageMagick` reject files in which another chunk divides the picture's data. At payload
        /// depth, IDAT chunks that follow a complete picture are `png/image-data-end`: Pillow,
        /// `OpenCV` and Chromium skip them (25 generated files).
        ///
        /// `jpeg/no-end` is recorded at payload depth, where the walk shows that every block of the last
        /// scan is there. At structure depth a JPEG that ends in coded data is
        /// `any/truncated`: of the 155 such files of the corpus 152 are truncated inside a scan, and
        /// only 3 lack nothing but the marker. Without the marker, a progressive image whose scans do
        /// not code every bit of every coefficient, and an image whose coded data continues after the
        /// last block (a tail of zeros), is `any/truncated`, too. Likewise a restart marker that was not announced is
        /// `jpeg/restart-count` where the blocks are not walked, but `jpeg/stray-marker` if the end
        /// marker follows it. At payload depth it is `jpeg/data-excess` after the last block and
        /// `jpeg/restart-order` before it.
        ///
        /// | name | becomes | by default | what it is |
        /// |---|---|---|---|
        $(#[doc = concat!("| `", $name, "` | ", stringify!($class), " | ", $tolerated, " | ", $text, " |")])*
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DefectKind {
            $($(#[$attr])* #[doc = concat!("`", $name, "`: ", $text, ".")] $variant,)*
        }

        impl DefectKind {
            /// Every kind, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub(crate) const COUNT: usize = Self::ALL.len();

            /// The stable name, `format/what`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The violation that it becomes.
            pub const fn class(self) -> DefectClass {
                match self { $(Self::$variant => DefectClass::$class,)* }
            }

            /// The description.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Whether it is a warning by default: decoders commonly tolerate it, or disagree about it.
            pub const fn is_tolerated(self) -> bool {
                match self { $(Self::$variant => matches!($tolerated.as_bytes(), b"warn"),)* }
            }

            /// Whether it is a legal coding that many decoders do not know: a warning by default,
            /// although decoders often reject it.
            pub(crate) const fn is_rare(self) -> bool {
                matches!(self, Self::JpegRareProcess | Self::BmpRareCompression)
            }
        }
    };
}

defect_kinds! {
    // Any format.
    Truncated, "any/truncated", Truncated, "reject", "the file ends before the image does";
    TrailingBytes, "any/trailing-bytes", Trailing, "warn", "bytes follow the image's own end";
    ZeroDimension, "any/zero-dimension", Corrupt, "reject", "width or height is zero or negative";
    NotWalked, "any/not-walked", Unexamined, "warn", "coded pixels were not examined: too many, compressed too highly, or in a coding that is not examined";
    DecoderRefused, "any/decoder-refused", Corrupt, "reject", "the `image` crate does not decode the picture";
    DecoderStrict, "any/decoder-strict", Corrupt, "warn", "the `image` crate does not decode the picture, whose coded data is complete and has a defect that most readers tolerate";
    NotDecoded, "any/not-decoded", Unexamined, "warn", "the picture was not decoded: it needs too much memory or work, has a process that the `image` crate lacks, or was not done in time";
    // PNG (W3C PNG, third edition).
    PngFirstChunk, "png/first-chunk", Corrupt, "reject", "the first chunk is not IHDR";
    PngApple, "png/apple", Corrupt, "reject", "the file is of Apple's own variant, which only iOS reads";
    PngHeaderLength, "png/header-length", Corrupt, "reject", "IHDR does not have 13 bytes";
    PngHeaderField, "png/header-field", Corrupt, "reject", "IHDR holds a size, depth, color type or method that is not allowed";
    PngCriticalCrc, "png/critical-crc", Corrupt, "reject", "the checksum of a chunk with pixels, palette or header is wrong";
    PngAncillaryCrc, "png/ancillary-crc", Corrupt, "warn", "the checksum of a chunk that decoders may skip is wrong";
    PngChunkLength, "png/chunk-length", Corrupt, "reject", "a chunk declares 2^31 bytes or more";
    PngChunkName, "png/chunk-name", Corrupt, "reject", "a chunk's name is not of four letters";
    PngUnknownCritical, "png/unknown-critical", Corrupt, "reject", "a chunk that may not be skipped is unknown";
    PngDuplicate, "png/duplicate", Corrupt, "reject", "there is a second IHDR or PLTE";
    PngChunkOrder, "png/chunk-order", Corrupt, "reject", "IDAT chunks are apart, or the PLTE that they need follows them";
    PngAncillaryOrder, "png/ancillary-order", Corrupt, "warn", "a chunk that decoders may skip is out of its place, or there twice";
    PngNoPalette, "png/no-palette", Corrupt, "reject", "an image of palette indices has no palette";
    PngPaletteLength, "png/palette-length", Corrupt, "reject", "PLTE does not hold 1 to 256 colors of three bytes each";
    PngPaletteUnused, "png/palette-unused", Corrupt, "warn", "a gray image has a palette, or the palette has more colors than there are indices";
    PngNoImageData, "png/no-image-data", Corrupt, "reject", "there is no IDAT, or nothing in it";
    PngShortImageData, "png/short-image-data", Corrupt, "reject", "there is less image data than the picture has pixels";
    PngImageData, "png/image-data", Corrupt, "reject", "the image data cannot be unpacked";
    PngFilter, "png/filter", Corrupt, "reject", "a row begins with an unknown filter type";
    PngImageDataChecksum, "png/image-data-checksum", Corrupt, "reject", "the checksum of the image data (Adler-32) is wrong";
    PngNoImageDataChecksum, "png/no-image-data-checksum", Corrupt, "warn", "the image data ends after the last row, without its checksum";
    PngImageDataEnd, "png/image-data-end", Corrupt, "warn", "the image data continues after the last row, or an empty IDAT is apart from the others";
    PngZlibHeader, "png/zlib-header", Corrupt, "reject", "the image data does not begin as a zlib stream";
    PngEndCrc, "png/end-crc", Corrupt, "warn", "the checksum of IEND is wrong";
    PngEndNotEmpty, "png/end-not-empty", Corrupt, "warn", "IEND holds bytes";
    PngAnimation, "png/animation", Corrupt, "warn", "the animation's frames and what is said of them disagree; viewers show the still image";
    // JPEG (ITU-T T.81).
    JpegJunk, "jpeg/junk", Corrupt, "warn", "there are bytes between two segments";
    JpegStrayMarker, "jpeg/stray-marker", Corrupt, "warn", "a restart marker is outside of coded data or ends it, or TEM follows a scan";
    JpegUnknownMarker, "jpeg/unknown-marker", Corrupt, "reject", "a marker is of a reserved code, or TEM, which only encoders use, before the scans or within one";
    JpegSecondStart, "jpeg/second-start", Corrupt, "reject", "an image starts inside the image";
    JpegSegmentLength, "jpeg/segment-length", Corrupt, "reject", "a segment is too short for what it holds";
    JpegSegmentExcess, "jpeg/segment-excess", Corrupt, "reject", "a segment is longer than what it holds";
    JpegFrameHeader, "jpeg/frame-header", Corrupt, "reject", "the frame's precision, components or sampling are not legal, or two components have one identifier";
    JpegNoFrame, "jpeg/no-frame", Corrupt, "reject", "a scan or the end comes before the frame header";
    JpegSecondFrame, "jpeg/second-frame", Corrupt, "reject", "there is a second frame header";
    JpegRareProcess, "jpeg/rare-process", Corrupt, "warn", "the coding is arithmetic, which half of the decoders know";
    JpegUnreadProcess, "jpeg/unread-process", Corrupt, "reject", "the coding is lossless or the samples are not of 8 bits, which almost no decoder knows";
    JpegUnsupportedProcess, "jpeg/unsupported-process", Corrupt, "reject", "the process is one that no common decoder knows: hierarchical or JPEG-LS";
    JpegLateHeight, "jpeg/late-height", Corrupt, "reject", "the height is stated after the first scan";
    JpegRepeatedHeight, "jpeg/repeated-height", Corrupt, "warn", "the height is stated again after a scan";
    JpegShortAdobe, "jpeg/short-adobe", Corrupt, "warn", "an APP14 segment is too short for what it holds";
    JpegQuantizationTable, "jpeg/quantization-table", Corrupt, "reject", "a quantization table's precision or number is not legal";
    JpegZeroQuantizer, "jpeg/zero-quantizer", Corrupt, "warn", "a quantiser is zero";
    JpegHuffmanTable, "jpeg/huffman-table", Corrupt, "reject", "a Huffman table is not a code or its number is not legal";
    JpegNoQuantizationTable, "jpeg/no-quantization-table", Corrupt, "reject", "a scan uses a quantization table that is not defined";
    JpegNoHuffmanTable, "jpeg/no-huffman-table", Corrupt, "reject", "a scan uses a Huffman table that is not defined";
    JpegDefaultTables, "jpeg/default-tables", Corrupt, "warn", "no Huffman table is defined, in a frame of motion JPEG (AVI1)";
    JpegScanHeader, "jpeg/scan-header", Corrupt, "reject", "a scan's components, tables or parameters are not legal";
    JpegScanParameters, "jpeg/scan-parameters", Corrupt, "warn", "a scan's band or point transform is not what its process demands";
    JpegNoScan, "jpeg/no-scan", Corrupt, "reject", "the end comes before any scan";
    JpegComponentMissing, "jpeg/component-missing", Corrupt, "warn", "no scan holds one of the components";
    JpegScanShort, "jpeg/scan-short", Corrupt, "reject", "a scan has fewer bits than its blocks need";
    JpegRestartOrder, "jpeg/restart-order", Corrupt, "reject", "a restart marker is out of order or not announced";
    JpegRestartCount, "jpeg/restart-count", Corrupt, "warn", "a scan has too few or too many restart markers";
    JpegHuffmanCode, "jpeg/huffman-code", Corrupt, "reject", "coded data holds bits that are no Huffman code";
    JpegBlockOverrun, "jpeg/block-overrun", Corrupt, "warn", "a block has more coefficients than there can be";
    JpegDataShort, "jpeg/data-short", Corrupt, "reject", "coded data ends before the last block does";
    JpegDataExcess, "jpeg/data-excess", Corrupt, "warn", "coded data continues after the last block";
    JpegNoEnd, "jpeg/no-end", Truncated, "warn", "the end marker is missing after complete scans";
    JpegMultiPicture, "jpeg/multi-picture", Trailing, "warn", "further pictures are announced to follow the first";
    // GIF (GIF89a specification).
    GifNoTrailer, "gif/no-trailer", Truncated, "warn", "the trailer is missing after whole frames";
    GifNoFrames, "gif/no-frames", Corrupt, "reject", "there is no frame";
    GifUnknownBlock, "gif/unknown-block", Corrupt, "reject", "a block begins with an unknown byte";
    GifPadding, "gif/padding", Corrupt, "reject", "zero bytes are between blocks";
    GifExtension, "gif/extension", Corrupt, "warn", "an extension is unknown or not of its length";
    GifEmptyExtension, "gif/empty-extension", Corrupt, "reject", "an extension other than a comment has no data";
    GifZeroScreen, "gif/zero-screen", Corrupt, "warn", "the screen has no pixels; the first frame is measured in its place";
    GifZeroFrame, "gif/zero-frame", Corrupt, "reject", "a frame has no pixels";
    GifFrameOutside, "gif/frame-outside", Corrupt, "warn", "a frame is not within the screen";
    GifNoColorTable, "gif/no-color-table", Corrupt, "reject", "there is no color table for the first frame";
    GifFrameNoColors, "gif/frame-no-colors", Corrupt, "warn", "there is no color table for a later frame";
    GifCodeSize, "gif/code-size", Corrupt, "reject", "a frame's code size is impossible";
    GifUnusualCodeSize, "gif/unusual-code-size", Corrupt, "warn", "a frame's code size is outside 2 to 8";
    GifNoImageData, "gif/no-image-data", Corrupt, "reject", "a frame has no data";
    GifShortImageData, "gif/short-image-data", Corrupt, "reject", "a frame has less data than pixels";
    GifImageData, "gif/image-data", Corrupt, "reject", "a frame's data holds a code that means nothing";
    GifImageDataEnd, "gif/image-data-end", Corrupt, "warn", "a frame's data continues after its last pixel, or lacks its end code";
    // BMP.
    BmpHeaderSize, "bmp/header-size", Corrupt, "reject", "the header's size is that of no version";
    BmpPlanes, "bmp/planes", Corrupt, "reject", "the number of planes is not one";
    BmpCompression, "bmp/compression", Corrupt, "reject", "the compression is one that most decoders do not know";
    BmpRareCompression, "bmp/rare-compression", Corrupt, "warn", "the compression is one that few decoders know: OS/2 Huffman";
    BmpBitDepth, "bmp/bit-depth", Corrupt, "reject", "the bits of a pixel are not those that the compression allows";
    BmpTopDownRle, "bmp/top-down-rle", Corrupt, "warn", "run lengths are stored from the top down";
    BmpPaletteSize, "bmp/palette-size", Corrupt, "reject", "the palette has more colors than a pixel can name";
    BmpPaletteCut, "bmp/palette-cut", Corrupt, "reject", "the palette does not fit before the pixels";
    BmpPixelOffset, "bmp/pixel-offset", Corrupt, "reject", "the pixels are said to start inside the header";
    BmpRleOverrun, "bmp/rle-overrun", Corrupt, "warn", "a run of pixels goes up to three pixels beyond its row, into its padding";
    BmpRleBeyondRow, "bmp/rle-beyond-row", Corrupt, "reject", "a run of pixels goes beyond its row and the row's padding";
    BmpRleOutside, "bmp/rle-outside", Corrupt, "reject", "a delta leads outside of the picture";
    BmpRleExcess, "bmp/rle-excess", Corrupt, "warn", "run lengths continue after the last row";
    BmpRleNoEnd, "bmp/rle-no-end", Truncated, "warn", "the run lengths' end code is missing after the last row";
    BmpMasks, "bmp/masks", Corrupt, "reject", "the channels' masks are empty, have holes or exceed a pixel";
    BmpMasksOverlap, "bmp/masks-overlap", Corrupt, "warn", "the channels' masks overlap";
    // WebP (RFC 9649).
    WebpRiffLength, "webp/riff-length", Corrupt, "reject", "a chunk goes beyond the length that the file declares";
    WebpFrameHeader, "webp/frame-header", Corrupt, "reject", "the image data does not begin as it should";
    WebpNoImage, "webp/no-image", Corrupt, "reject", "the file contains no image";
    // TIFF 6.0, HEIF (ISO/IEC 23008-12) with AVIF, icons, and SVG 2.
    TiffDirectory, "tiff/directory", Corrupt, "reject", "the first directory is not behind the header, is empty, or states no width and height";
    HeifBox, "heif/box", Corrupt, "reject", "a box is longer than the one that contains it, or too short for what it holds";
    HeifPrimaryItem, "heif/primary-item", Corrupt, "reject", "no primary item with width and height is stated";
    IcoDirectory, "ico/directory", Corrupt, "reject", "the directory is empty, or its last image is not where it says or not an image";
    SvgDocument, "svg/document", Corrupt, "reject", "the text is not XML, or its root is not `svg` of the SVG namespace";
}

impl DefectKind {
    #[expect(
        clippy::as_conversions,
        reason = "a fieldless enum's discriminant, in constant context"
    )]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

from_name!(DefectKind, "defect kind");
serde_name!(DefectKind);
