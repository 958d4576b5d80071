//! Recognizing a format by the first bytes.

use super::{Format, targa};

/// More than this many bytes are never needed to name a binary format. Markup is read on by
/// [`Markup`](super::markup::Markup).
pub(crate) const SNIFF_BYTES: usize = 64;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sniffed {
    /// They are of this format.
    Is(Format),
    /// They begin as a text of tags does: its first tag will tell.
    Markup,
    /// They may begin a TGA: the file's last bytes decide.
    Footer,
    /// They are of no known format, whatever follows.
    Unknown,
    /// It takes more bytes to say.
    NeedMore,
}

const PNG: &[Magic] = &[(b"\x89PNG\r\n\x1a\n", Sniffed::Is(Format::Png))];
const GIF: &[Magic] = &[
    (b"GIF87a", Sniffed::Is(Format::Gif)),
    (b"GIF89a", Sniffed::Is(Format::Gif)),
];
const TIFF: &[Magic] = &[
    (b"II*\0", Sniffed::Is(Format::Tiff)),
    (b"MM\0*", Sniffed::Is(Format::Tiff)),
    // BigTIFF, with its offset size of 8.
    (b"II+\0\x08\0\0\0", Sniffed::Is(Format::Tiff)),
    (b"MM\0+\0\x08\0\0", Sniffed::Is(Format::Tiff)),
    // Panasonic's and Olympus's raw files are TIFF with other version numbers.
    (b"IIU\0", Sniffed::Is(Format::Tiff)),
    (b"IIRO", Sniffed::Is(Format::Tiff)),
    (b"IIRS", Sniffed::Is(Format::Tiff)),
];
const ZIP: &[Magic] = &[
    (b"PK\x03\x04", Sniffed::Is(Format::Zip)),
    (b"PK\x05\x06", Sniffed::Is(Format::Zip)),
    (b"PK\x07\x08", Sniffed::Is(Format::Zip)),
];
const PSD: &[Magic] = &[(b"8BPS", Sniffed::Is(Format::Psd))];
const QOI: &[Magic] = &[(b"qoif", Sniffed::Is(Format::Qoi))];
const ICNS: &[Magic] = &[(b"icns", Sniffed::Is(Format::Icns))];
const PDF: &[Magic] = &[(b"%PDF-", Sniffed::Is(Format::Pdf))];
const HIGH: &[Magic] = &[
    (b"\xff\xd8\xff", Sniffed::Is(Format::Jpeg)),
    (b"\xff\x0a", Sniffed::Is(Format::JpegXl)),
    (b"\xff\x4f\xff\x51", Sniffed::Is(Format::Jpeg2000)),
    // Byte order marks.
    (b"\xff\xfe", Sniffed::Markup),
    (b"\xfe\xff", Sniffed::Markup),
    (b"\xef\xbb\xbf", Sniffed::Markup),
];

/// Names the format of a file that begins with `head`. With [`SNIFF_BYTES`] or more the answer is
/// never `NeedMore`.
pub(crate) fn sniff(head: &[u8]) -> Sniffed {
    match signature(head) {
        Sniffed::Unknown => match targa::may_begin(head) {
            None => Sniffed::NeedMore,
            Some(true) => Sniffed::Footer,
            Some(false) => Sniffed::Unknown,
        },
        known => known,
    }
}

/// Names the format by the signature that `head` begins with.
fn signature(head: &[u8]) -> Sniffed {
    let Some(first) = head.first() else {
        return Sniffed::NeedMore;
    };
    match first {
        0x89 => any(head, PNG),
        0xef..=0xff => any(head, HIGH),
        b'G' => any(head, GIF),
        b'B' => bmp(head),
        b'R' => webp(head),
        b'I' | b'M' => any(head, TIFF),
        0 => boxed(head),
        b'8' => any(head, PSD),
        b'%' => any(head, PDF),
        b'P' => netpbm(head),
        b'q' => any(head, QOI),
        b'i' => any(head, ICNS),
        b'<' | b' ' | b'\t' | b'\r' | b'\n' => Sniffed::Markup,
        _ => Sniffed::Unknown,
    }
}

/// Names the format of a whole file, of which [`sniff`] still asked for more.
pub(crate) fn sniff_all(file: &[u8]) -> Option<Format> {
    if file.get(4..8) == Some(b"ftyp") {
        // A truncated list of brands still has its first one.
        return brand(file.get(8..12)?);
    }
    directory(file)
}

/// `P`, a digit and white space (Netpbm format specifications); else perhaps an archive.
fn netpbm(head: &[u8]) -> Sniffed {
    match head {
        [_, b'1'..=b'7'] => Sniffed::NeedMore,
        [_, b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..] => Sniffed::Is(Format::Pnm),
        _ => any(head, ZIP),
    }
}

/// A run of bytes at the start, and what it says.
type Magic = (&'static [u8], Sniffed);

/// What the first of `magics` says that `head` begins with.
fn any(head: &[u8], magics: &[Magic]) -> Sniffed {
    let mut otherwise = Sniffed::Unknown;
    for (magic, says) in magics {
        if head.starts_with(magic) {
            return *says;
        }
        if magic.starts_with(head) {
            otherwise = Sniffed::NeedMore;
        }
    }
    otherwise
}

/// RFC 9649, 2.4: `RIFF`, a length, `WEBP`.
fn webp(head: &[u8]) -> Sniffed {
    match any(head, &[(b"RIFF", Sniffed::Is(Format::Webp))]) {
        Sniffed::Is(format) => any(
            head.get(8..).unwrap_or_default(),
            &[(b"WEBP", Sniffed::Is(format))],
        ),
        other => other,
    }
}

/// Many texts begin with `BM`. A bitmap has an information header of a plausible length, or at
/// least nothing in the fields that are reserved.
fn bmp(head: &[u8]) -> Sniffed {
    const LONGEST_HEADER: u32 = 0xffff;
    match any(head, &[(b"BM", Sniffed::Is(Format::Bmp))]) {
        Sniffed::Is(format) => match (number(head, 6), number(head, 14)) {
            (Some(0), Some(_)) | (Some(_), Some(..=LONGEST_HEADER)) => Sniffed::Is(format),
            (Some(_), Some(_)) => Sniffed::Unknown,
            _ => Sniffed::NeedMore,
        },
        other => other,
    }
}

fn number(head: &[u8], at: usize) -> Option<u32> {
    let bytes = head.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

/// What begins with a zero: icons, cursors, and boxes with their length first.
fn boxed(head: &[u8]) -> Sniffed {
    // Undecided before the box type: a box length may look like an icon.
    let Some(name) = head.get(4..8) else {
        return Sniffed::NeedMore;
    };
    if name == b"ftyp" {
        return isobmff(head);
    }
    if matches!(name, b"JXL " | b"jP  ") {
        return any(
            head,
            &[
                (b"\0\0\0\x0cJXL \r\n\x87\n", Sniffed::Is(Format::JpegXl)),
                (b"\0\0\0\x0cjP  \r\n\x87\n", Sniffed::Is(Format::Jpeg2000)),
            ],
        );
    }
    // QuickTime files that are older than `ftyp` begin with one of these.
    if matches!(
        name,
        b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot"
    ) {
        return Sniffed::Is(Format::Mov);
    }
    directory(head).map_or(Sniffed::Unknown, Sniffed::Is)
}

/// A directory of icons, or of at least one cursor: a Targa image begins like a cursor, with none.
fn directory(head: &[u8]) -> Option<Format> {
    match head {
        [0, 0, 1, 0, ..] => Some(Format::Ico),
        [0, 0, 2, 0, low, high, ..] if (*low, *high) != (0, 0) => Some(Format::Ico),
        _ => None,
    }
}

/// ISO/IEC 14496-12, 4.3: the `ftyp` box names a major brand, then the compatible ones.
fn isobmff(head: &[u8]) -> Sniffed {
    const SHORTEST: usize = 16;
    let declared = head.first_chunk().copied().map_or(0, u32::from_be_bytes);
    let end = usize::try_from(declared)
        .unwrap_or(SNIFF_BYTES)
        .clamp(SHORTEST, SNIFF_BYTES);
    let Some(brands) = head.get(8..end) else {
        return Sniffed::NeedMore;
    };
    // The minor version, in the four bytes after the major brand, is not a brand.
    let (major, rest) = brands.split_at(4);
    let compatible = rest.chunks_exact(4).skip(1);
    match brand(major) {
        // Brands that any HEIF file may lead with: the compatible ones say how it is coded.
        Some(_)
            if matches!(major, b"mif1" | b"mif2" | b"msf1") && compatible.clone().any(is_avif) =>
        {
            Sniffed::Is(Format::Avif)
        }
        Some(format) => Sniffed::Is(format),
        // Images name the brands of videos too, as what they are built on.
        None => {
            let formats = || compatible.clone().filter_map(brand);
            formats()
                .find(|format| !format.is_video())
                .or_else(|| formats().next())
                .map_or(Sniffed::Unknown, Sniffed::Is)
        }
    }
}

fn is_avif(name: &[u8]) -> bool {
    brand(name) == Some(Format::Avif)
}

/// The formats of the brands of HEIF (ISO/IEC 23008-12), AVIF (AV1 Image File Format, 6) and videos
/// (the MP4 registration authority's list).
fn brand(name: &[u8]) -> Option<Format> {
    match name {
        b"avif" | b"avis" => Some(Format::Avif),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" | b"mif1"
        | b"mif2" | b"msf1" => Some(Format::Heic),
        b"qt  " => Some(Format::Mov),
        b"mmp4"
        | b"avc1"
        | b"M4V "
        | b"M4VH"
        | b"M4VP"
        | b"MSNV"
        | b"dash"
        | b"f4v "
        | [b'i', b's', b'o', _]
        | [b'm', b'p', b'4', b'1' | b'2']
        | [b'3', b'g', ..] => Some(Format::Mp4),
        _ => None,
    }
}
