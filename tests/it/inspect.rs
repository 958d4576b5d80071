//! The inspector: its facts about the fixtures, and properties for any bytes.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; what they unwrap is in the fixtures"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use greenlight::{
    ColorType, DefectKind, Depth, Dimensions, Enforcement, Format, Identity, Inspection, Inspector,
    Requirements,
};
use proptest::prelude::*;

const DEPTHS: [Depth; 3] = [Depth::Header, Depth::Structure, Depth::Payload];

struct Fixture {
    name: String,
    bytes: Vec<u8>,
}

/// Returns all fixture images in order of their names.
static FIXTURES: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    let fixtures = paths.into_iter().map(|path| Fixture {
        name: path.strip_prefix(&root).unwrap().display().to_string(),
        bytes: fs::read(path).unwrap(),
    });
    fixtures.collect()
});

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

fn fixture(name: &str) -> &'static [u8] {
    let found = FIXTURES.iter().find(|fixture| fixture.name == name);
    &found.unwrap_or_else(|| panic!("no fixture {name}")).bytes
}

pub(crate) fn in_chunks(
    depth: Depth,
    bytes: &[u8],
    mut cuts: impl Iterator<Item = usize>,
) -> Inspection {
    let mut inspector = Inspector::new(depth);
    let mut rest = bytes;
    while !rest.is_empty() {
        let cut = cuts.next().unwrap_or(rest.len()).min(rest.len());
        let (chunk, behind) = rest.split_at(cut);
        inspector.push(chunk);
        rest = behind;
    }
    inspector.finish()
}

/// Returns whether the format is scanned and has a size, and all defects are tolerated.
fn passes(inspection: &Inspection) -> bool {
    inspection.format().is_some()
        && inspection.dimensions().is_some()
        && !inspection
            .defects()
            .iter()
            .any(|(kind, _)| !kind.is_tolerated())
}

pub(crate) fn kinds(inspection: &Inspection) -> Vec<DefectKind> {
    inspection.defects().iter().map(|(kind, _)| kind).collect()
}

#[test]
fn single_bytes_give_the_same_facts_as_one_slice() {
    for fixture in FIXTURES.iter() {
        for depth in DEPTHS {
            assert_eq!(
                in_chunks(depth, &fixture.bytes, std::iter::repeat(1)),
                Inspection::at(depth, &fixture.bytes),
                "{}",
                fixture.name
            );
        }
    }
}

#[test]
fn a_reader_gives_the_same_facts_as_a_slice() {
    for fixture in FIXTURES.iter() {
        for depth in DEPTHS {
            assert_eq!(
                Inspection::read(depth, &fixture.bytes[..]).unwrap(),
                Inspection::at(depth, &fixture.bytes),
                "{}",
                fixture.name
            );
        }
    }
}

/// The end marks of images. Without one, all pixels are still present and viewers do not need it: an
/// animation truncated between two frames cannot be distinguished from one that only lacks its mark.
const END_MARKS: [DefectKind; 3] = [
    DefectKind::JpegNoEnd,
    DefectKind::GifNoTrailer,
    DefectKind::BmpRleNoEnd,
];

fn lacks_mark(inspection: &Inspection) -> bool {
    let defects = inspection.defects();
    END_MARKS.iter().any(|kind| defects.contains(*kind))
}

/// Returns the fixture's bytes up to the end of the image, without trailing bytes.
fn own_bytes(fixture: &Fixture) -> &[u8] {
    let trailing = Inspection::of(&fixture.bytes).trailing_bytes();
    let trailing = usize::try_from(trailing.unwrap_or_default()).unwrap();
    &fixture.bytes[..fixture.bytes.len() - trailing]
}

#[test]
fn a_truncated_image_does_not_pass() {
    // Headers and ends byte by byte, and 100 places between.
    no_prefix_passes(|len| {
        let between = (0..len).step_by(len / 100 + 1);
        (0..len.min(200))
            .chain(between)
            .chain(len.saturating_sub(50)..len)
            .collect()
    });
}

#[test]
#[ignore = "slow: every prefix of every fixture"]
fn no_prefix_of_an_image_passes() {
    no_prefix_passes(|len| (0..len).collect());
}

fn no_prefix_passes(cuts: fn(usize) -> Vec<usize>) {
    let strict = END_MARKS
        .iter()
        .fold(Requirements::ASYNC, |requirements, kind| {
            requirements.with_enforcement(*kind, Enforcement::Reject)
        });
    for fixture in FIXTURES.iter() {
        let bytes = own_bytes(fixture);
        for cut in cuts(bytes.len()) {
            let inspection = Inspection::of(&bytes[..cut]);
            if passes(&inspection) {
                let cut = format!("{} with {cut} bytes", fixture.name);
                assert!(lacks_mark(&inspection), "{cut} passes");
                assert!(!strict.judge(inspection).is_accepted(), "{cut} is accepted");
            }
        }
    }
}

#[test]
fn a_missing_end_mark_alone_is_a_warning() {
    let gif = fixture("gif/animated.gif");
    let bitmap = fixture("bmp/rle-8.bmp");
    let mut unstated = bitmap.to_vec();
    unstated[2..6].fill(0);
    unstated[34..38].fill(0);
    for (bytes, kind, missing) in [
        (gif, DefectKind::GifNoTrailer, 1),
        (&unstated, DefectKind::BmpRleNoEnd, 1),
        (&unstated, DefectKind::BmpRleNoEnd, 2),
        (bitmap, DefectKind::BmpRleNoEnd, 1),
        (bitmap, DefectKind::BmpRleNoEnd, 2),
    ] {
        let verdict = Requirements::ASYNC.judge(Inspection::of(&bytes[..bytes.len() - missing]));
        assert!(verdict.is_accepted(), "{kind}");
        assert_eq!(kinds(verdict.inspection().unwrap()), [kind]);
    }
}

#[test]
fn at_payload_depth_no_truncated_image_passes() {
    for fixture in FIXTURES.iter() {
        let bytes = own_bytes(fixture);
        let cuts = (0..bytes.len()).step_by(bytes.len() / 40 + 1);
        for cut in cuts.chain(bytes.len().checked_sub(1)) {
            let inspection = Inspection::at(Depth::Payload, &bytes[..cut]);
            assert!(
                !passes(&inspection) || lacks_mark(&inspection),
                "{} passes with {cut} bytes",
                fixture.name
            );
        }
    }
}

#[test]
fn facts_of_a_growing_prefix_are_monotonic() {
    for fixture in FIXTURES.iter() {
        for depth in DEPTHS {
            let mut inspector = Inspector::new(depth);
            let mut before = inspector.inspection().clone();
            // Headers byte by byte.
            let (head, rest) = fixture.bytes.split_at(fixture.bytes.len().min(200));
            for chunk in head.chunks(1).chain(rest.chunks(23)) {
                inspector.push(chunk);
                let now = inspector.inspection();
                if *now != before {
                    assert_grows(&before, now, &fixture.name);
                    before = now.clone();
                }
            }
            assert_grows(&before, &inspector.finish(), &fixture.name);
        }
    }
}

fn assert_grows(before: &Inspection, now: &Inspection, name: &str) {
    if before.identity() != Identity::Undecided {
        assert_eq!(now.identity(), before.identity(), "{name}");
    }
    if before.dimensions().is_some() {
        assert_eq!(now.dimensions(), before.dimensions(), "{name}");
    }
    if before.frames().is_some() {
        assert_eq!(now.frames(), before.frames(), "{name}");
    }
    if before.bit_depth().is_some() {
        assert_eq!(now.bit_depth(), before.bit_depth(), "{name}");
    }
    if before.color_type().is_some() {
        assert_eq!(now.color_type(), before.color_type(), "{name}");
    }
    if before.orientation().is_some() {
        assert_eq!(now.orientation(), before.orientation(), "{name}");
    }
    assert!(!before.is_animated() || now.is_animated(), "{name}");
    assert!(!before.is_complete() || now.is_complete(), "{name}");
    let placed: Vec<_> = before.defects().iter().collect();
    for (kind, offset) in placed {
        assert!(
            now.defects().iter().any(|held| held == (kind, offset)),
            "{name}: {kind} is gone"
        );
    }
}

#[test]
fn an_inspector_is_small() {
    assert!(
        size_of::<Inspector>() < 512,
        "{} bytes",
        size_of::<Inspector>()
    );
}

#[test]
fn a_prefix_of_a_signature_is_undecided() {
    for (mark, format) in [
        (&b"\x89PNG\r\n\x1a\n"[..], Format::Png),
        (b"\xff\xd8\xff", Format::Jpeg),
        (b"GIF87a", Format::Gif),
        (b"GIF89a", Format::Gif),
        (b"RIFF\0\0\0\0WEBP", Format::Webp),
        (b"II*\0", Format::Tiff),
        (b"MM\0*", Format::Tiff),
        (b"II+\0\x08\0\0\0", Format::Tiff),
        (b"8BPS", Format::Psd),
        (b"%PDF-", Format::Pdf),
        (b"PK\x03\x04", Format::Zip),
        (b"\xff\x0a", Format::JpegXl),
        (b"\0\0\0\x0cJXL \r\n\x87\n", Format::JpegXl),
        (b"\0\0\x02\0\x01\0\x20\x20", Format::Ico),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Format::Heic),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", Format::Avif),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", Format::Avif),
        (b"\0\0\0\x0cjP  \r\n\x87\n", Format::Jpeg2000),
        (b"\xff\x4f\xff\x51", Format::Jpeg2000),
        (b"P6\n", Format::Pnm),
        (b"P1#", Format::Pnm),
        (b"qoif", Format::Qoi),
        (b"icns", Format::Icns),
        (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", Format::Mp4),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", Format::Mp4),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", Format::Mov),
        (b"\0\0\0\x08wide", Format::Mov),
    ] {
        let mut inspector = Inspector::new(Depth::Header);
        for (len, byte) in mark.iter().enumerate() {
            assert_eq!(
                inspector.inspection().identity(),
                Identity::Undecided,
                "{len} bytes of {mark:?}"
            );
            inspector.push(&[*byte]);
        }
        assert_eq!(inspector.inspection().format(), Some(format), "{mark:?}");
    }
}

#[test]
fn similar_signatures_are_not_an_image() {
    for bytes in [
        &b"\x89PNG\n\x1a\n and more"[..],
        b"GIF88a......",
        b"\xff\xd8 no marker",
        b"RIFF....WAVEfmt ",
        b"BMW is a maker of cars, and this is a text",
        b"BM",
        b"\n\x89PNG\r\n\x1a\n",
        b"\0\0\x02\0\0\0\0\0\0\0\0\0",
        b"P8 is a name",
        b"Peter",
        b"{\"json\": true}",
        b"   ",
        b"<",
        b"</html>",
        b"<?xml version='1.0'?><feed/>",
        &[0; 100],
    ] {
        let inspection = Inspection::of(bytes);
        assert_eq!(inspection.identity(), Identity::NotAnImage, "{bytes:?}");
    }
}

#[test]
fn markup_is_recognized_by_its_first_element() {
    let prolog = format!("<?xml version='1.0'?><!-- {} -->\r\n", "long ".repeat(1000));
    for (text, format) in [
        (
            "<svg xmlns='http://www.w3.org/2000/svg'/>".to_owned(),
            Format::Svg,
        ),
        ("\u{feff}<svg>".to_owned(), Format::Svg),
        ("<svg".to_owned(), Format::Svg),
        (format!("{prolog}<svg:svg>"), Format::Svg),
        (
            format!("{prolog}<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN'>"),
            Format::Svg,
        ),
        (
            "<!DOCTYPE note [<!ENTITY a '<html>'>]><svg >".to_owned(),
            Format::Svg,
        ),
        ("  <!doctype html>".to_owned(), Format::Html),
        (
            "<!-- > -- -><html> --><HTML lang=en>".to_owned(),
            Format::Html,
        ),
        ("<h1>404</h1>".to_owned(), Format::Html),
    ] {
        assert_eq!(
            Inspection::of(text.as_bytes()).format(),
            Some(format),
            "{text}"
        );
        let bare = text.trim_start_matches('\u{feff}');
        let utf16: Vec<_> = bare.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&b"\xff\xfe"[..], &utf16].concat();
        assert_eq!(
            Inspection::of(&marked).format(),
            Some(format),
            "{text} in UTF-16"
        );
    }
}

#[test]
fn facts_of_the_fixtures() {
    for (name, color, bits, frames) in [
        ("png/gray-1-bit.png", ColorType::Gray, 1, 1),
        ("png/gray-16-bit.png", ColorType::Gray, 16, 1),
        ("png/gray-alpha.png", ColorType::GrayAlpha, 8, 1),
        ("png/palette.png", ColorType::Palette, 8, 1),
        ("png/rgba.png", ColorType::Rgba, 8, 1),
        ("png/animated.png", ColorType::Rgb, 8, 3),
        ("png/interlaced.png", ColorType::Rgb, 8, 1),
        ("gif/87a.gif", ColorType::Palette, 4, 1),
        ("gif/animated.gif", ColorType::Palette, 4, 3),
        ("webp/lossless.webp", ColorType::Rgb, 8, 1),
        ("webp/lossy.webp", ColorType::YCbCr, 8, 1),
        ("webp/animated.webp", ColorType::Rgb, 8, 2),
    ] {
        let inspection = Inspection::of(fixture(name));
        assert_eq!(kinds(&inspection), [], "{name}");
        assert_eq!(inspection.color_type(), Some(color), "{name}");
        assert_eq!(inspection.bit_depth(), Some(bits), "{name}");
        assert_eq!(inspection.frames(), Some(frames), "{name}");
        assert_eq!(inspection.trailing_bytes(), Some(0), "{name}");
    }
}

#[test]
fn defects_of_the_fixtures() {
    for (name, expected) in [
        ("png/cut-in-data.png", &[DefectKind::Truncated][..]),
        ("png/cut-before-end.png", &[DefectKind::Truncated]),
        ("png/wrong-crc.png", &[DefectKind::PngCriticalCrc]),
        ("png/zero-width.png", &[DefectKind::ZeroDimension]),
        ("png/archive-appended.png", &[DefectKind::TrailingBytes]),
        ("gif/cut-in-frame.gif", &[DefectKind::Truncated]),
        ("gif/unknown-block.gif", &[DefectKind::GifUnknownBlock]),
        ("gif/text-appended.gif", &[DefectKind::TrailingBytes]),
    ] {
        assert_eq!(kinds(&Inspection::of(fixture(name))), expected, "{name}");
    }
}

#[test]
fn a_screen_without_pixels_has_the_first_frames_size() {
    let mut file = fixture("gif/89a.gif").to_vec();
    let whole = Inspection::of(&file);
    file[6..10].fill(0);
    let inspection = Inspection::at(Depth::Header, &file);
    assert_eq!(inspection.dimensions(), whole.dimensions());
    assert_eq!(kinds(&inspection), [DefectKind::GifZeroScreen]);
}

#[test]
fn a_header_truncated_after_the_size_gives_the_size() {
    let png = &fixture("png/rgb.png")[..24];
    let gif = &fixture("gif/89a.gif")[..10];
    for bytes in [png, gif] {
        let inspection = Inspection::at(Depth::Header, bytes);
        assert!(inspection.dimensions().is_some());
        assert_eq!(kinds(&inspection), [DefectKind::Truncated]);
    }
}

/// A PNG of one pixel's header and chunks that a test gives.
fn png_of(color: u8, chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    png_with(&[0, 0, 0, 1, 0, 0, 0, 1, 8, color, 0, 0, 0], chunks)
}

/// A PNG of a header and chunks that a test gives.
fn png_with(header: &[u8], chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let all = [(b"IHDR", header)]
        .into_iter()
        .chain(chunks.iter().copied());
    for (name, body) in all {
        file.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        file.extend(name);
        file.extend(body);
        file.extend(crc32fast::hash(&[&name[..], body].concat()).to_be_bytes());
    }
    file
}

#[test]
fn png_chunks_out_of_order_are_defects() {
    /// One gray or indexed pixel: a zlib stream of one stored block.
    const PIXEL: &[u8] = b"\x78\x01\x01\x02\0\xfd\xff\0\0\0\x02\0\x01";
    let image: (&[u8; 4], &[u8]) = (b"IDAT", PIXEL);
    let end: (&[u8; 4], &[u8]) = (b"IEND", b"");
    let palette: (&[u8; 4], &[u8]) = (b"PLTE", b"rgb");
    let gamma: (&[u8; 4], &[u8]) = (b"gAMA", &[0, 1, 0, 0]);
    for (color, chunks, expected) in [
        (0, &[image, end][..], &[][..]),
        (0, &[gamma, image, (b"tEXt", b"a\0b"), end], &[]),
        (3, &[palette, image, end], &[]),
        (3, &[image, end], &[DefectKind::PngNoPalette]),
        (
            3,
            &[(b"PLTE", b"rgbr"), image, end],
            &[DefectKind::PngPaletteLength],
        ),
        (
            3,
            &[palette, palette, image, end],
            &[DefectKind::PngDuplicate],
        ),
        (0, &[palette, image, end], &[DefectKind::PngPaletteUnused]),
        (
            0,
            &[(b"PLTE", b""), image, end],
            &[DefectKind::PngPaletteLength],
        ),
        (
            2,
            &[(b"PLTE", b"rgbr"), image, end],
            &[DefectKind::PngPaletteLength],
        ),
        (
            6,
            &[(b"PLTE", &[0; 771]), image, end],
            &[DefectKind::PngPaletteLength],
        ),
        (2, &[palette, (b"tRNS", &[0; 6]), image, end], &[]),
        (0, &[image, (b"IDAT", b""), end], &[]),
        (2, &[image, palette, end], &[DefectKind::PngAncillaryOrder]),
        (
            3,
            &[image, palette, end],
            &[DefectKind::PngNoPalette, DefectKind::PngChunkOrder],
        ),
        (0, &[image, gamma, end], &[DefectKind::PngAncillaryOrder]),
        (
            0,
            &[gamma, gamma, image, end],
            &[DefectKind::PngAncillaryOrder],
        ),
        (
            2,
            &[(b"tRNS", &[0; 6]), palette, image, end],
            &[DefectKind::PngAncillaryOrder],
        ),
        (
            0,
            &[image, (b"tIME", &[0; 7]), image, end],
            &[DefectKind::PngChunkOrder],
        ),
        (0, &[image, image, end], &[]),
        (0, &[end], &[DefectKind::PngNoImageData]),
        (0, &[(b"IDAT", b""), end], &[DefectKind::PngNoImageData]),
        (0, &[(b"IDAT", b"abc"), end], &[DefectKind::PngZlibHeader]),
        (
            0,
            &[(b"ABCD", b""), image, end],
            &[DefectKind::PngUnknownCritical],
        ),
        (
            0,
            &[(b"AB1D", b""), image, end],
            &[DefectKind::PngChunkName],
        ),
        (0, &[image, (b"IEND", b"x")], &[DefectKind::PngEndNotEmpty]),
        (0, &[image], &[DefectKind::Truncated]),
        (4, &[image, end], &[]),
        (5, &[image, end], &[DefectKind::PngHeaderField]),
        (
            0,
            &[(b"acTL", &[0; 8]), image, end],
            &[DefectKind::PngAnimation],
        ),
    ] {
        let file = png_of(color, chunks);
        let inspection = Inspection::of(&file);
        assert_eq!(
            kinds(&inspection),
            expected,
            "color type {color}, {chunks:?}"
        );
        assert_eq!(inspection.dimensions(), Some(Dimensions::new(1, 1)));
        let in_bytes = in_chunks(Depth::Structure, &file, std::iter::repeat(1));
        assert_eq!(in_bytes, inspection, "in single bytes");
    }
}

/// A GIF with a screen of one pixel, and blocks that a test gives.
fn gif_of(blocks: &[&[u8]]) -> Vec<u8> {
    let screen: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0rgbRGB";
    let mut file = screen.to_vec();
    file.extend(blocks.concat());
    file
}

#[test]
fn malformed_gif_blocks_are_defects() {
    let frame: &[u8] = b",\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    let wide: &[u8] = b",\0\0\0\0\x02\0\x01\0\0\x02\x02\x04\x0a\0";
    let empty: &[u8] = b",\0\0\0\0\0\0\x01\0\0\x02\x02\x44\x01\0";
    let no_data: &[u8] = b",\0\0\0\0\x01\0\x01\0\0\x02\0";
    let huge: &[u8] = b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0";
    let wrong_size: &[u8] = b",\0\0\0\0\x01\0\x01\0\0\x0d\x02\x44\x01\0";
    let odd_size: &[u8] = b",\0\0\0\0\x01\0\x01\0\0\x01\x01\x0e\0";
    let control: &[u8] = b"!\xf9\x04\0\0\0\0\0";
    let comment: &[u8] = b"!\xfe\x02ab\x01c\0";
    for (blocks, expected) in [
        (&[control, comment, frame, b";"][..], &[][..]),
        (&[frame, frame, b";", b"more"], &[DefectKind::TrailingBytes]),
        (&[b"!\xfe\0", frame, b";"], &[]),
        (&[frame], &[DefectKind::GifNoTrailer]),
        (&[frame, b"\0\0;"], &[DefectKind::GifPadding]),
        (&[b"!\xff\0", frame, b";"], &[DefectKind::GifEmptyExtension]),
        (&[b"!\0\0", frame, b";"], &[DefectKind::GifEmptyExtension]),
        (&[b"!\xf9\0", frame, b";"], &[DefectKind::GifEmptyExtension]),
        (&[frame, b"x;"], &[DefectKind::GifUnknownBlock]),
        (&[frame, b","], &[DefectKind::Truncated]),
        (&[comment], &[DefectKind::Truncated]),
        (&[comment, b";"], &[DefectKind::GifNoFrames]),
        (
            &[b"!\xf9\x03\0\0\0\0", frame, b";"],
            &[DefectKind::GifExtension],
        ),
        (
            &[b"!\x33\x01\0\0", frame, b";"],
            &[DefectKind::GifExtension],
        ),
        (&[wide, b";"], &[DefectKind::GifFrameOutside]),
        (&[empty, b";"], &[DefectKind::GifZeroFrame]),
        (&[no_data, b";"], &[DefectKind::GifNoImageData]),
        (
            &[huge, b";"],
            &[DefectKind::GifFrameOutside, DefectKind::GifShortImageData],
        ),
        (&[wrong_size, b";"], &[DefectKind::GifCodeSize]),
        (&[odd_size, b";"], &[DefectKind::GifUnusualCodeSize]),
    ] {
        let file = gif_of(blocks);
        let inspection = Inspection::of(&file);
        assert_eq!(kinds(&inspection), expected, "{blocks:?}");
        for depth in DEPTHS {
            let in_bytes = in_chunks(depth, &file, std::iter::repeat(1));
            assert_eq!(in_bytes, Inspection::at(depth, &file), "in single bytes");
        }
    }
}

#[test]
fn gif_codes_are_compared_with_the_pixel_count() {
    let head: &[u8] = b",\0\0\0\0\x01\0\x01\0\0\x02";
    for (data, expected) in [
        // Codes of three bits, the lowest first: clear 4, pixel 0, end 5.
        (&b"\x02\x44\x01\0"[..], None),
        // The same across sub-blocks.
        (b"\x01\x44\x01\x01\0", None),
        // Without the clear code before.
        (b"\x01\x28\0", None),
        // Without the end code.
        (b"\x01\x04\0", Some(DefectKind::GifImageDataEnd)),
        // Two pixels.
        (b"\x02\x04\x0a\0", Some(DefectKind::GifImageDataEnd)),
        // None.
        (b"\x01\x2c\0", Some(DefectKind::GifShortImageData)),
        (b"\x01\x04", Some(DefectKind::Truncated)),
        // 6 before there is such an entry.
        (b"\x01\x34\0", Some(DefectKind::GifImageData)),
    ] {
        let file = gif_of(&[head, data, b";"]);
        let inspection = Inspection::at(Depth::Payload, &file);
        assert_eq!(kinds(&inspection), Vec::from_iter(expected), "{data:?}");
    }
}

#[test]
fn png_image_data_is_compared_with_its_rows() {
    let end: (&[u8; 4], &[u8]) = (b"IEND", b"");
    for (data, expected) in [
        // A stored block: the filter type and one pixel; then Adler-32.
        (&b"\x78\x01\x01\x02\0\xfd\xff\0\0\0\x02\0\x01"[..], None),
        (
            b"\x78\x01\x01\x02\0\xfd\xff\x05\0\0\x0c\0\x06",
            Some(DefectKind::PngFilter),
        ),
        (
            b"\x78\x01\x01\x01\0\xfe\xff\0\0\x01\0\x01",
            Some(DefectKind::PngShortImageData),
        ),
        (
            b"\x78\x01\x01\x02\0\xfd\xff\0",
            Some(DefectKind::PngShortImageData),
        ),
        (
            b"\x78\x01\x01\x02\0\xfd\xfe\0\0",
            Some(DefectKind::PngImageData),
        ),
        (b"\x78\x01\x07\0\0", Some(DefectKind::PngImageData)),
        (
            b"\x78\x01\x01\x02\0\xfd\xff\0\0\0\x02\0\x02",
            Some(DefectKind::PngImageDataChecksum),
        ),
        (
            b"\x78\x01\x01\x02\0\xfd\xff\0\0",
            Some(DefectKind::PngNoImageDataChecksum),
        ),
        (
            b"\x78\x01\x01\x02\0\xfd\xff\0\0\0\x02",
            Some(DefectKind::PngNoImageDataChecksum),
        ),
        (
            b"\x78\x01\x01\x03\0\xfc\xff\0\0\0\0\x03\0\x01",
            Some(DefectKind::PngImageDataEnd),
        ),
    ] {
        let whole: (&[u8; 4], &[u8]) = (b"IDAT", data);
        let inspection = Inspection::at(Depth::Payload, &png_of(0, &[whole, end]));
        assert_eq!(kinds(&inspection), Vec::from_iter(expected), "{data:?}");
        let apart: Vec<(&[u8; 4], &[u8])> = data.chunks(1).map(|byte| (b"IDAT", byte)).collect();
        let chunks = [&apart[..], &[end]].concat();
        let inspection = Inspection::at(Depth::Payload, &png_of(0, &chunks));
        assert_eq!(
            kinds(&inspection),
            Vec::from_iter(expected),
            "{data:?}, a byte in each chunk"
        );
    }
}

#[test]
fn image_data_after_a_complete_picture_is_a_warning() {
    let whole: (&[u8; 4], &[u8]) = (b"IDAT", b"\x78\x01\x01\x02\0\xfd\xff\0\0\0\x02\0\x01");
    let part: (&[u8; 4], &[u8]) = (b"IDAT", &whole.1[..9]);
    let rest: (&[u8; 4], &[u8]) = (b"IDAT", &whole.1[9..]);
    let more: (&[u8; 4], &[u8]) = (b"IDAT", b"more");
    let empty: (&[u8; 4], &[u8]) = (b"IDAT", b"");
    let text: (&[u8; 4], &[u8]) = (b"tEXt", b"a\0b");
    let end: (&[u8; 4], &[u8]) = (b"IEND", b"");
    let excess = &[DefectKind::PngImageDataEnd][..];
    let apart = &[DefectKind::PngChunkOrder][..];
    let both = &[DefectKind::PngImageDataEnd, DefectKind::PngChunkOrder][..];
    let cut = &[
        DefectKind::PngNoImageDataChecksum,
        DefectKind::PngChunkOrder,
    ][..];
    let cut_twice = &[
        DefectKind::PngNoImageDataChecksum,
        DefectKind::PngImageDataEnd,
        DefectKind::PngChunkOrder,
    ][..];
    for (chunks, structure, payload) in [
        (&[whole, more, end][..], &[][..], excess),
        (&[whole, empty, end], &[], &[]),
        (&[whole, text, empty, end], excess, excess),
        (&[part, text, empty, rest, end], both, cut_twice),
        (&[whole, text, more, text, more, end], apart, excess),
        (&[part, text, rest, end], apart, cut),
    ] {
        let file = png_of(0, chunks);
        for (depth, expected) in [(Depth::Structure, structure), (Depth::Payload, payload)] {
            let one = Inspection::at(depth, &file);
            assert_eq!(kinds(&one), expected, "{depth:?}: {chunks:?}");
            assert_eq!(in_chunks(depth, &file, std::iter::repeat(1)), one);
        }
    }
}

#[test]
fn a_wrong_checksum_of_the_end_chunk_is_a_warning() {
    let mut file = fixture("png/rgb.png").to_vec();
    let last = file.len() - 1;
    file[last] ^= 1;
    for depth in [Depth::Structure, Depth::Payload] {
        let inspection = Inspection::at(depth, &file);
        assert_eq!(kinds(&inspection), [DefectKind::PngEndCrc]);
        let strict =
            Requirements::ASYNC.with_enforcement(DefectKind::PngEndCrc, Enforcement::Reject);
        assert!(!strict.judge(inspection.clone()).is_accepted());
        assert!(Requirements::ASYNC.judge(inspection).is_accepted());
    }
}

#[test]
fn an_end_chunk_that_most_readers_miss_is_rejected() {
    let whole = fixture("png/rgb.png");
    let (image, end) = whole.split_at(whole.len() - 12);
    let with = |end: &[u8]| [image, end].concat();
    let [_, _, _, _, name_and_checksum @ ..] = end else {
        panic!("IEND has 12 bytes")
    };
    for cut in 0..12 {
        let inspection = Inspection::of(&with(&end[..cut]));
        assert_eq!(kinds(&inspection), [DefectKind::Truncated], "{cut}");
        assert!(!Requirements::ASYNC.judge(inspection).is_accepted());
    }
    for bytes in [
        [&[0, 0, 0, 4][..], name_and_checksum].concat(),
        [&[0xff; 4][..], name_and_checksum].concat(),
        end.iter()
            .map(|byte| if *byte == b'D' { b'E' } else { *byte })
            .collect(),
        vec![0; 12],
        vec![0xaa; 12],
    ] {
        let inspection = Inspection::of(&with(&bytes));
        assert!(
            !Requirements::ASYNC.judge(inspection).is_accepted(),
            "{bytes:?}"
        );
    }
    // Readers open these.
    let filled = [
        &[0, 0, 0, 4][..],
        b"IENDabcd",
        &crc32fast::hash(b"IENDabcd").to_be_bytes(),
    ]
    .concat();
    for bytes in [filled, [end, b"more"].concat()] {
        let inspection = Inspection::of(&with(&bytes));
        assert!(
            Requirements::ASYNC.judge(inspection).is_accepted(),
            "{bytes:?}"
        );
    }
}

/// A gray PNG of 8 bits whose image data is `rows`, in stored blocks of up to 65,535 bytes.
fn stored_png(width: u32, height: u32, rows: &[u8]) -> Vec<u8> {
    let mut data = b"\x78\x01".to_vec();
    let mut blocks = rows.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).unwrap();
        data.push(u8::from(blocks.peek().is_none()));
        data.extend(len.to_le_bytes());
        data.extend((!len).to_le_bytes());
        data.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in rows {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    data.extend((b << 16 | a).to_be_bytes());
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]);
    png_with(&header, &[(b"IDAT", &data), (b"IEND", b"")])
}

#[test]
fn offsets_of_payload_defects_are_near_the_damage() {
    let near = |file: &[u8], kind, damage: usize| {
        let inspection = Inspection::at(Depth::Payload, file);
        let found = inspection
            .defects()
            .iter()
            .find(|(found, _)| *found == kind);
        let offset = found
            .unwrap_or_else(|| panic!("{kind} is not among {:?}", inspection.defects()))
            .1
            .unwrap();
        let damage = u64::try_from(damage).unwrap();
        assert!(
            offset.abs_diff(damage) <= 64,
            "{kind}: {offset}, damage at {damage}"
        );
        let in_bytes = in_chunks(Depth::Payload, file, std::iter::repeat(7));
        assert_eq!(in_bytes, inspection, "{kind} in chunks of 7 bytes");
    };
    // 300 rows of 300 pixels: image data from byte 41 on, zlib's header of 2 bytes and 5 of the block.
    let mut rows = vec![0; 301 * 300];
    // Rows of the first stored block.
    for row in (0..217).step_by(12) {
        rows[301 * row] = 5;
        near(
            &stored_png(300, 300, &rows),
            DefectKind::PngFilter,
            41 + 2 + 5 + 301 * row,
        );
        rows[301 * row] = 0;
    }
    let short = stored_png(300, 300, &rows[..301 * 150]);
    near(
        &short,
        DefectKind::PngShortImageData,
        41 + 2 + 5 + 301 * 150,
    );
    let intact = stored_png(300, 300, &vec![0; 301 * 300]);
    // The second stored block begins with its kind and its length, twice.
    let second = 41 + 2 + 5 + 0xffff;
    near(
        &with_crc_of_image_data(&intact, second, 6),
        DefectKind::PngImageData,
        second,
    );
    let checksum = intact.len() - 12 - 4 - 4;
    near(
        &with_crc_of_image_data(&intact, checksum, 9),
        DefectKind::PngImageDataChecksum,
        checksum,
    );

    // A GIF of 40,000 pixels, a code of 9 bits for each, cleared before the codes get longer.
    let mut codes = Bits::default();
    let mut at = 0;
    for pixel in 0..40_000 {
        if pixel % 200 == 0 {
            codes.push(256, 9);
        }
        if pixel == 30_000 {
            at = codes.bytes.len();
        }
        codes.push(if pixel == 30_001 { 500 } else { 7 }, 9);
    }
    let mut frame = b",\0\0\0\0\xc8\0\xc8\0\0\x08".to_vec();
    let start = 13 + 6 + frame.len();
    for block in codes.bytes.chunks(255) {
        frame.push(u8::try_from(block.len()).unwrap());
        frame.extend(block);
    }
    frame.push(0);
    near(
        &gif_of(&[&frame, b";"]),
        DefectKind::GifImageData,
        start + at + at / 255 + 1,
    );
}

/// Codes of a GIF, the lowest bit first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, code: u32, width: u32) {
        self.held |= code << self.count;
        self.count += width;
        while self.count >= 8 {
            self.bytes.push(u8::try_from(self.held & 0xff).unwrap());
            self.held >>= 8;
            self.count -= 8;
        }
    }
}

/// The file with another byte in its only IDAT chunk, which is the first chunk after IHDR.
fn with_crc_of_image_data(file: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at] = byte;
    let end = file.len() - 12 - 4;
    let crc = crc32fast::hash(&file[37..end]);
    file[end..end + 4].copy_from_slice(&crc.to_be_bytes());
    file
}

#[test]
fn a_gif_needs_colors_for_its_first_frame() {
    let frame: &[u8] = b",\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    let colored: &[u8] = b",\0\0\0\0\x01\0\x01\0\x80rgbRGB\x02\x02\x44\x01\0";
    for (frames, expected) in [
        (&[frame][..], &[DefectKind::GifNoColorTable][..]),
        (&[colored], &[]),
        (&[colored, frame], &[DefectKind::GifFrameNoColors]),
        (&[frame, colored], &[DefectKind::GifNoColorTable]),
    ] {
        let screen: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0";
        let file = [screen, &frames.concat(), b";"].concat();
        assert_eq!(kinds(&Inspection::of(&file)), expected);
    }
    assert!(!DefectKind::GifNoColorTable.is_tolerated());
    assert!(DefectKind::GifFrameNoColors.is_tolerated());
}

/// 18 bytes of a TGA header: 2x1 pixels of 24 bits.
const TGA: &[u8] = b"\0\0\x02\0\0\0\0\0\0\0\0\0\x02\0\x01\0\x18\0";

#[test]
fn a_tga_is_recognized_by_its_footer() {
    let footer: &[u8] = b"\0\0\0\0\0\0\0\0TRUEVISION-XFILE.\0";
    let file = [TGA, b"rgbrgb", footer].concat();
    for size in [1, 7, 1000] {
        let inspection = in_chunks(Depth::Structure, &file, std::iter::repeat(size));
        assert_eq!(
            inspection.format(),
            Some(Format::Tga),
            "in chunks of {size}"
        );
    }
    let without = [TGA, b"rgbrgb"].concat();
    assert_eq!(Inspection::of(&without).identity(), Identity::NotAnImage);
    // A text is known not to be an image from its second byte, regardless of its last bytes.
    let mut inspector = Inspector::new(Depth::Structure);
    inspector.push(b"te");
    assert_eq!(inspector.inspection().identity(), Identity::NotAnImage);
}

fn message_of(inspection: Inspection) -> String {
    let verdict = Requirements::ASYNC.judge(inspection);
    verdict.violations()[0].to_string()
}

#[test]
fn remedies_suggest_conversion_for_images_only() {
    for (file, words) in [
        (&b"<!doctype html>"[..], "a web page, not an image"),
        (b"PK\x03\x04", "a ZIP archive, not an image"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video, not an image"),
        (b"qoif", "convert it to"),
    ] {
        let message = message_of(Inspection::of(file));
        assert!(message.contains(words), "{message}");
        assert_eq!(
            message.contains("convert"),
            words.contains("convert"),
            "{message}"
        );
    }
}

#[test]
fn a_still_image_of_an_animation_is_counted_too() {
    let control: (&[u8; 4], &[u8]) = (b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0]);
    let mut frame = [0; 26];
    frame[7] = 1;
    frame[11] = 1;
    let chunks: [(&[u8; 4], &[u8]); 5] = [
        control,
        (b"IDAT", b"\x78\x01\x03\0"),
        (b"fcTL", &frame),
        (b"fdAT", b"\0\0\0\x01\x78\x01\x03\0"),
        (b"IEND", b""),
    ];
    let inspection = Inspection::of(&png_of(0, &chunks));
    assert_eq!(inspection.frames(), Some(2));
    assert_eq!(kinds(&inspection), []);
}

/// A fixture with some changed bytes, or bytes that begin like a format.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12);
    let damaged = (any::<prop::sample::Index>(), damage).prop_map(|(which, damage)| {
        let mut bytes = which.get(&FIXTURES[..]).bytes.clone();
        bytes.truncate(40_000);
        if !bytes.is_empty() {
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        bytes
    });
    let marks = prop::sample::select(vec![
        &b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"[..],
        b"\xff\xd8\xff",
        b"GIF89a",
        b"BM",
        b"RIFF\xff\0\0\0WEBP",
        b"<",
        b"",
    ]);
    let noise = prop::collection::vec(any::<u8>(), 0..2000);
    let begun = (marks, noise).prop_map(|(mark, noise)| [mark, &noise].concat());
    prop_oneof![3 => damaged, 1 => begun]
}

/// A zlib stream without a checksum that decompresses to `258 * matches + 1` zeros: a byte, then
/// matches of the longest length, two bits each.
fn zeros(matches: usize) -> Vec<u8> {
    // A block with dynamic codes (RFC 1951, 3.2.7): literal 0 and the end of the block have two bits,
    // length 258 has one, and so has distance 1.
    let mut bits = Bits::default();
    bits.push(0b101, 3);
    bits.push(286 - 257, 5);
    bits.push(0, 5);
    bits.push(18 - 4, 4);
    // Code lengths in their order: 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1.
    // Of 18 (a run of zeros) one bit; of 1 and 2 two bits.
    for length in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2] {
        bits.push(length, 3);
    }
    let (run, one, two) = ((0, 1), (0b01, 2), (0b11, 2));
    let mut lengths = vec![two, run, (138 - 11, 7), run, (117 - 11, 7), two];
    lengths.extend([run, (28 - 11, 7), one, one]);
    for (code, width) in lengths {
        bits.push(code, width);
    }
    // Codes in order of length: 258 is 0, then literal 0 is 10 and the end 11, sent from the top bit.
    bits.push(0b01, 2);
    for _ in 0..matches {
        bits.push(0, 2);
    }
    bits.push(0b11, 2);
    bits.push(0, 7);
    [b"\x78\x9c", &bits.bytes[..]].concat()
}

/// A gray 8-bit PNG with `width` pixels per row, many bytes of zeros and a filter type of 7.
fn blank_png(width: u32, len: usize) -> Vec<u8> {
    let matches = len / 258;
    let rows = u32::try_from((matches * 258 + 1) / (usize::try_from(width).unwrap() + 1)).unwrap();
    let mut header = [width.to_be_bytes(), rows.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]);
    png_with(&header, &[(b"IDAT", &zeros(matches)), (b"IEND", b"")])
}

#[test]
fn work_on_a_png_is_proportional_to_its_length() {
    // Small blank pictures are decompressed to their end, where the checksum is missing.
    for width in [1, 15, 64, 5000] {
        let inspection = Inspection::at(Depth::Payload, &blank_png(width, 500 << 10));
        let shown = [
            DefectKind::PngNoImageDataChecksum,
            DefectKind::PngImageDataEnd,
        ];
        assert!(!inspection.is_payload_unchecked(), "{width}");
        assert!(
            kinds(&inspection).iter().all(|kind| shown.contains(kind)),
            "{width}"
        );
    }
    // A byte that is decompressed costs 105 ps, a byte of the file is worth 40,000 and a file 80
    // million more: of 1,032 bytes for a byte that is used up after little more than a kilobyte.
    for width in [1, 5000] {
        let file = blank_png(width, 300 << 20);
        let inspection = Inspection::at(Depth::Payload, &file);
        assert!(inspection.is_payload_unchecked());
        let (_, offset) = inspection.defects().iter().next().unwrap();
        let cost = 105 * 1032 * offset.unwrap();
        // A call decompresses up to 128 KB, a block of 1 KB is allowed for before it is read.
        let allowed = 80_000_000 + 40_000 * (offset.unwrap() + 1024) + 105 * (256 << 10);
        assert!(cost <= allowed, "{cost} ps, {allowed} allowed");
        let in_chunks = in_chunks(Depth::Payload, &file, std::iter::repeat(1000));
        assert_eq!(in_chunks, inspection, "in chunks of 1,000 bytes");
    }
}

#[test]
fn work_on_apng_frames_is_proportional_to_their_length() {
    let data = zeros(10_000_000 / 258);
    let rows = u32::try_from(data.len() * 400).unwrap();
    let mut header = [1_u32.to_be_bytes(), rows.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]);
    let mut frame = vec![0; 26];
    frame[4..12].copy_from_slice(&header[..8]);
    let mut chunks: Vec<([u8; 4], Vec<u8>)> = Vec::new();
    chunks.push((*b"acTL", [3_u32.to_be_bytes(), [0; 4]].concat()));
    for number in 0..3_u32 {
        frame[..4].copy_from_slice(
            &number
                .saturating_sub(1)
                .wrapping_mul(2)
                .wrapping_add(u32::from(number > 0))
                .to_be_bytes(),
        );
        chunks.push((*b"fcTL", frame.clone()));
        chunks.push(if number == 0 {
            (*b"IDAT", data.clone())
        } else {
            (*b"fdAT", [&(number * 2).to_be_bytes()[..], &data].concat())
        });
    }
    chunks.push((*b"IEND", Vec::new()));
    let borrowed: Vec<(&[u8; 4], &[u8])> = chunks.iter().map(|(n, b)| (n, &b[..])).collect();
    let inspection = Inspection::at(Depth::Payload, &png_with(&header, &borrowed));
    assert!(
        inspection.is_payload_unchecked(),
        "{:?}",
        inspection.defects()
    );
    assert_eq!(inspection.frames(), Some(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_chunking_of_any_bytes_gives_the_same_facts(
        bytes in hostile(),
        cuts in prop::collection::vec(0_usize..600, 0..40),
    ) {
        for depth in DEPTHS {
            let whole = Inspection::at(depth, &bytes);
            prop_assert_eq!(&in_chunks(depth, &bytes, cuts.iter().copied()), &whole);
            prop_assert_eq!(whole.bytes_seen(), u64::try_from(bytes.len()).unwrap());
            prop_assert!(whole.is_complete() || bytes.is_empty());
        }
    }

    #[test]
    fn facts_of_a_prefix_hold_for_the_file(bytes in hostile(), at in any::<prop::sample::Index>()) {
        let (head, tail) = bytes.split_at(at.index(bytes.len() + 1));
        for depth in DEPTHS {
            let mut inspector = Inspector::new(depth);
            inspector.push(head);
            let before = inspector.inspection().clone();
            inspector.push(tail);
            assert_grows(&before, inspector.inspection(), "after the rest");
            assert_grows(&before, &inspector.finish(), "at the end");
        }
    }
}

#[cfg(not(feature = "payload"))]
#[test]
fn pixels_not_examined_without_payload_are_recorded() {
    let mut examined = 0;
    for fixture in FIXTURES.iter() {
        let structure = Inspection::of(&fixture.bytes);
        let is_coded = matches!(
            structure.format(),
            Some(Format::Png | Format::Jpeg | Format::Gif)
        );
        if is_coded && structure.defects().iter().next().is_none() {
            let payload = Inspection::at(Depth::Payload, &fixture.bytes);
            let kinds: Vec<_> = payload.defects().iter().map(|(kind, _)| kind).collect();
            assert_eq!(kinds, [DefectKind::NotWalked], "{}", fixture.name);
            examined += 1;
        }
    }
    assert!(examined > 10, "{examined} fixtures");
}
