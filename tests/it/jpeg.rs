//! JPEG: facts of the header, the structure, and defects.

use std::fs;

use greenlight::{
    ColorType, DefectKind, Depth, Dimensions, Format, Inspection, Inspector, Orientation,
};
use proptest::prelude::*;

use crate::{
    fixtures::images_of,
    inspect::{in_chunks, kinds},
};

/// A builder of a JPEG.
#[derive(Clone, Default)]
struct Jpeg(Vec<u8>);

impl Jpeg {
    fn new() -> Self {
        Self(vec![0xff, 0xd8])
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn segment(self, code: u8, body: &[u8]) -> Self {
        let [high, low] = u16::try_from(body.len() + 2)
            .expect("a small number")
            .to_be_bytes();
        self.raw(&[0xff, code, high, low]).raw(body)
    }

    /// A quantization table of ones.
    fn quantizers(self, number: u8) -> Self {
        let mut body = vec![1; 65];
        body[0] = number;
        self.segment(0xdb, &body)
    }

    /// A Huffman table whose one code, a single 0, means `symbol`.
    fn huffman(self, class_and_number: u8, symbol: u8) -> Self {
        let mut body = vec![0; 18];
        body[0] = class_and_number;
        body[1] = 1;
        body[17] = symbol;
        self.segment(0xc4, &body)
    }

    fn tables(self) -> Self {
        self.quantizers(0).huffman(0x00, 0).huffman(0x10, 0)
    }

    fn frame(self, code: u8, width: u16, height: u16, components: &[[u8; 3]]) -> Self {
        self.frame_of(code, 8, width, height, components)
    }

    fn frame_of(self, code: u8, bits: u8, width: u16, height: u16, components: &[[u8; 3]]) -> Self {
        let mut body = vec![bits];
        body.extend_from_slice(&height.to_be_bytes());
        body.extend_from_slice(&width.to_be_bytes());
        body.push(u8::try_from(components.len()).expect("a small number"));
        body.extend_from_slice(&components.concat());
        self.segment(code, &body)
    }

    fn scan(self, components: &[u8], parameters: [u8; 3], coded: &[u8]) -> Self {
        let mut body = vec![u8::try_from(components.len()).expect("a small number")];
        body.extend(components.iter().flat_map(|id| [*id, 0]));
        body.extend_from_slice(&parameters);
        self.segment(0xda, &body).raw(coded)
    }

    fn end(self) -> Vec<u8> {
        self.raw(&[0xff, 0xd9]).0
    }
}

const GRAY: &[[u8; 3]] = &[[1, 0x11, 0]];
const COLOR: &[[u8; 3]] = &[[1, 0x22, 0], [2, 0x11, 0], [3, 0x11, 0]];

/// The parameters of a sequential scan.
const WHOLE: [u8; 3] = [0, 63, 0];

/// Coded data of one gray 8x8 block: DC and end of block, one bit each.
const BLOCK: &[u8] = &[0x3f];

/// A valid gray JPEG of 8x8 pixels.
fn smallest() -> Vec<u8> {
    Jpeg::new()
        .tables()
        .frame(0xc0, 8, 8, GRAY)
        .scan(&[1], WHOLE, BLOCK)
        .end()
}

fn defects(bytes: &[u8]) -> Vec<DefectKind> {
    kinds(&Inspection::of(bytes))
}

fn assert_refused(kind: DefectKind, bytes: &[u8]) {
    assert_eq!(defects(bytes).first(), Some(&kind));
    assert!(!kind.is_tolerated(), "{kind}");
}

fn is_refused(inspection: &Inspection) -> bool {
    inspection
        .defects()
        .iter()
        .any(|(kind, _)| !kind.is_tolerated())
}

#[test]
fn every_start_of_frame_gives_the_size_at_header_depth() {
    for code in [
        0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf, 0xf7, 0xde,
    ] {
        let bytes = Jpeg::new().frame(code, 640, 480, COLOR).0;
        let mut inspector = Inspector::new(Depth::Header);
        inspector.push(&bytes);
        let inspection = inspector.inspection();
        assert_eq!(
            inspection.dimensions(),
            Some(Dimensions::new(640, 480)),
            "{code:x}"
        );
        assert!(inspector.is_settled(), "{code:x}");
    }
}

#[test]
fn frame_markers_inside_segments_are_ignored() {
    let bytes = Jpeg::new()
        .segment(
            0xfe,
            b"\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00",
        )
        .segment(0xe5, &vec![0xff; 60_000])
        .frame(0xc0, 300, 200, GRAY)
        .0;
    for chunk in [1, 2, 3, 1000, 100_000] {
        let mut inspector = Inspector::new(Depth::Header);
        for chunk in bytes.chunks(chunk) {
            inspector.push(chunk);
        }
        let inspection = inspector.finish();
        assert_eq!(inspection.dimensions(), Some(Dimensions::new(300, 200)));
        assert!(inspection.defects().is_empty());
    }
}

/// An APP1 segment's body: `entries` in the 0th directory, `gap` bytes before it.
fn exif(order: [u8; 2], gap: u32, entries: &[(u16, u16, u16)]) -> Vec<u8> {
    let big = order == *b"MM";
    let short = |value: u16| {
        if big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let long = |value: u32| {
        if big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let mut body = b"Exif\0\0".to_vec();
    body.extend_from_slice(&order);
    body.extend_from_slice(&short(42));
    body.extend_from_slice(&long(8 + gap));
    body.extend(vec![0xAA; usize::try_from(gap).expect("a small number")]);
    body.extend_from_slice(&short(
        u16::try_from(entries.len()).expect("a small number"),
    ));
    for (tag, kind, value) in entries {
        body.extend_from_slice(&short(*tag));
        body.extend_from_slice(&short(*kind));
        body.extend_from_slice(&long(1));
        body.extend_from_slice(&short(*value));
        body.extend_from_slice(&[0, 0]);
    }
    body
}

#[test]
fn orientation_is_read_in_both_byte_orders_and_any_chunking() {
    let others = [(0x010f, 2, 9), (0x0112, 3, 6), (0x0128, 3, 2)];
    for order in [*b"II", *b"MM"] {
        for gap in [0, 7, 300] {
            let bytes = Jpeg::new()
                .segment(0xe1, &exif(order, gap, &others))
                .frame(0xc0, 300, 200, GRAY)
                .0;
            for chunk in [1, 5, 64, 4096] {
                let mut inspector = Inspector::new(Depth::Header);
                for chunk in bytes.chunks(chunk) {
                    inspector.push(chunk);
                }
                let orientation = inspector.inspection().orientation();
                assert_eq!(orientation.map(Orientation::tag), Some(6));
                let dimensions = inspector.inspection().dimensions();
                assert_eq!(dimensions, Some(Dimensions::new(300, 200)));
            }
        }
    }
}

#[test]
fn an_invalid_orientation_is_none() {
    for entry in [
        (0x0112, 3, 0),
        (0x0112, 3, 9),
        (0x0112, 4, 6),
        (0x0113, 3, 6),
    ] {
        let bytes = Jpeg::new()
            .segment(0xe1, &exif(*b"MM", 0, &[entry]))
            .frame(0xc0, 300, 200, GRAY)
            .0;
        let inspection = Inspection::at(Depth::Header, &bytes);
        assert_eq!(inspection.orientation(), None, "{entry:?}");
    }
}

#[test]
fn a_truncated_directory_is_neither_a_defect_nor_a_size() {
    let mut body = exif(*b"II", 0, &[(0x0100, 3, 4000), (0x0101, 3, 3000)]);
    body.extend_from_slice(&smallest());
    for len in 0..body.len() {
        let bytes = Jpeg::new()
            .segment(0xe1, &body[..len])
            .frame(0xc0, 300, 200, GRAY)
            .0;
        let inspection = Inspection::at(Depth::Header, &bytes);
        assert_eq!(inspection.dimensions(), Some(Dimensions::new(300, 200)));
        assert!(inspection.defects().is_empty());
    }
}

#[test]
fn color_type_agrees_with_decoders() {
    let adobe = |transform: u8| [b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat();
    let inks: &[[u8; 3]] = &[[1, 0x11, 0], [2, 0x11, 0], [3, 0x11, 0], [4, 0x11, 0]];
    let letters: &[[u8; 3]] = &[[b'R', 0x11, 0], [b'G', 0x11, 0], [b'B', 0x11, 0]];
    let plain = Jpeg::new;
    let jfif = || Jpeg::new().segment(0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
    let marked = |transform| Jpeg::new().segment(0xee, &adobe(transform));
    for (head, components, color) in [
        (plain(), GRAY, ColorType::Gray),
        (plain(), COLOR, ColorType::YCbCr),
        (plain(), letters, ColorType::Rgb),
        (jfif(), letters, ColorType::YCbCr),
        (marked(0), COLOR, ColorType::Rgb),
        (marked(1), COLOR, ColorType::YCbCr),
        (plain(), inks, ColorType::Cmyk),
        (marked(0), inks, ColorType::Cmyk),
        (marked(2), inks, ColorType::Ycck),
    ] {
        let bytes = head.frame(0xc0, 16, 16, components).0;
        let inspection = Inspection::at(Depth::Header, &bytes);
        assert_eq!(inspection.color_type(), Some(color));
        assert_eq!(inspection.bit_depth(), Some(8));
        assert_eq!(inspection.frames(), Some(1));
    }
}

#[test]
fn the_smallest_jpeg_has_no_defect() {
    let inspection = Inspection::of(&smallest());
    assert_eq!(inspection.format(), Some(Format::Jpeg));
    assert_eq!(inspection.dimensions(), Some(Dimensions::new(8, 8)));
    assert!(inspection.defects().is_empty());
    assert!(inspection.is_complete());
    assert_eq!(inspection.trailing_bytes(), Some(0));
}

#[test]
fn defects_that_decoders_tolerate_are_warnings() {
    let head = || Jpeg::new().tables().frame(0xc0, 8, 8, GRAY);
    let zeros = {
        let mut body = vec![0; 65];
        body[0] = 0;
        body
    };
    let cases = [
        (
            DefectKind::JpegJunk,
            head().raw(b"junk").scan(&[1], WHOLE, BLOCK).end(),
        ),
        (
            DefectKind::JpegJunk,
            head().raw(&[0xff, 0x00]).scan(&[1], WHOLE, BLOCK).end(),
        ),
        (
            DefectKind::JpegStrayMarker,
            head().raw(&[0xff, 0xd3]).scan(&[1], WHOLE, BLOCK).end(),
        ),
        (
            DefectKind::JpegStrayMarker,
            head()
                .scan(&[1], WHOLE, BLOCK)
                .raw(&[0xff, 0x01, 0xff])
                .end(),
        ),
        (
            DefectKind::JpegStrayMarker,
            head()
                .scan(&[1], WHOLE, BLOCK)
                .raw(&[0xff, 0x01])
                .segment(0xfe, b"comment")
                .end(),
        ),
        (
            DefectKind::JpegScanParameters,
            head().scan(&[1], [0, 0, 0], BLOCK).end(),
        ),
        (
            DefectKind::JpegZeroQuantizer,
            head().segment(0xdb, &zeros).scan(&[1], WHOLE, BLOCK).end(),
        ),
        (
            DefectKind::JpegDefaultTables,
            Jpeg::new()
                .segment(0xe0, b"AVI1\0\0\0\0")
                .quantizers(0)
                .frame(0xc0, 8, 8, GRAY)
                .scan(&[1], WHOLE, BLOCK)
                .end(),
        ),
        (
            DefectKind::JpegComponentMissing,
            Jpeg::new()
                .tables()
                .frame(0xc0, 8, 8, COLOR)
                .scan(&[1], WHOLE, BLOCK)
                .end(),
        ),
        (
            DefectKind::JpegRepeatedHeight,
            head().scan(&[1], WHOLE, BLOCK).segment(0xdc, &[0, 8]).end(),
        ),
        (
            DefectKind::JpegShortAdobe,
            head()
                .segment(0xee, b"Adobe")
                .scan(&[1], WHOLE, BLOCK)
                .end(),
        ),
        (
            DefectKind::JpegMultiPicture,
            Jpeg::new()
                .segment(0xe2, b"MPF\0II*\0")
                .tables()
                .frame(0xc0, 8, 8, GRAY)
                .scan(&[1], WHOLE, BLOCK)
                .end(),
        ),
        (DefectKind::TrailingBytes, [smallest(), vec![0; 3]].concat()),
    ];
    for (kind, bytes) in cases {
        assert_eq!(defects(&bytes), [kind]);
        assert!(kind.is_tolerated(), "{kind}");
        let inspection = Inspection::of(&bytes);
        assert_eq!(
            inspection.dimensions(),
            Some(Dimensions::new(8, 8)),
            "{kind}"
        );
        assert!(inspection.is_complete(), "{kind}");
    }
}

#[test]
fn fill_bytes_before_markers_are_legal() {
    let bytes = Jpeg::new()
        .raw(&[0xff, 0xff])
        .tables()
        .raw(&[0xff])
        .frame(0xc0, 8, 8, GRAY)
        .raw(&[0xff; 5])
        .scan(&[1], WHOLE, BLOCK)
        .raw(&[0xff, 0xff])
        .end();
    assert_eq!(defects(&bytes), []);
}

#[test]
fn segment_defects_that_decoders_reject_are_reported() {
    let head = || Jpeg::new().tables().frame(0xc0, 8, 8, GRAY);
    let scan = |jpeg: Jpeg| jpeg.scan(&[1], WHOLE, BLOCK).end();
    let cases = [
        (
            DefectKind::JpegUnknownMarker,
            head().raw(&[0xff, 0x3a]).end(),
        ),
        (
            DefectKind::JpegUnknownMarker,
            head().raw(&[0xff, 0x01]).end(),
        ),
        (
            DefectKind::JpegUnknownMarker,
            scan(head().raw(&[0xff, 0x01])),
        ),
        (
            DefectKind::JpegUnknownMarker,
            head()
                .scan(&[1], WHOLE, BLOCK)
                .raw(&[0xff, 0x01])
                .raw(BLOCK)
                .end(),
        ),
        (DefectKind::JpegSecondStart, scan(head().raw(&[0xff, 0xd8]))),
        (
            DefectKind::JpegSegmentLength,
            scan(head().raw(&[0xff, 0xfe, 0, 1])),
        ),
        (
            DefectKind::JpegSegmentLength,
            scan(head().segment(0xdb, &[1; 30])),
        ),
        (
            DefectKind::JpegSegmentExcess,
            scan(head().segment(0xdd, &[0, 0, 0])),
        ),
        (
            DefectKind::JpegFrameHeader,
            Jpeg::new().frame_of(0xc0, 12, 8, 8, GRAY).end(),
        ),
        (
            DefectKind::JpegFrameHeader,
            Jpeg::new().frame(0xc0, 8, 8, &[[1, 0x51, 0]]).end(),
        ),
        (
            DefectKind::JpegFrameHeader,
            Jpeg::new()
                .frame(0xc0, 8, 8, &[[1, 0x11, 0], [2, 0x11, 0], [1, 0x11, 0]])
                .end(),
        ),
        (
            DefectKind::JpegFrameHeader,
            Jpeg::new().frame(0xc0, 8, 8, &[[1, 0x11, 0]; 9]).end(),
        ),
        (
            DefectKind::JpegFrameHeader,
            Jpeg::new().frame(0xc0, 8, 8, &[]).end(),
        ),
    ];
    for (kind, bytes) in cases {
        assert_refused(kind, &bytes);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_most_decoders_refuse_in_frames_and_scans_is_named() {
    let head = || Jpeg::new().tables().frame(0xc0, 8, 8, GRAY);
    let scan = |jpeg: Jpeg| jpeg.scan(&[1], WHOLE, BLOCK).end();
    let mut oversubscribed = vec![0; 20];
    oversubscribed[1] = 3;
    let cases = [
        (DefectKind::JpegNoFrame, scan(Jpeg::new().tables())),
        (DefectKind::JpegNoFrame, Jpeg::new().tables().end()),
        (
            DefectKind::JpegSecondFrame,
            scan(head().frame(0xc0, 8, 8, GRAY)),
        ),
        (
            DefectKind::JpegUnsupportedProcess,
            scan(Jpeg::new().tables().frame(0xc5, 8, 8, GRAY)),
        ),
        (
            DefectKind::JpegQuantizationTable,
            scan(head().segment(0xdb, &[0x24; 65])),
        ),
        (
            DefectKind::JpegHuffmanTable,
            scan(head().segment(0xc4, &oversubscribed)),
        ),
        (
            DefectKind::JpegNoQuantizationTable,
            scan(
                Jpeg::new()
                    .huffman(0x00, 0)
                    .huffman(0x10, 0)
                    .frame(0xc0, 8, 8, GRAY),
            ),
        ),
        (
            DefectKind::JpegNoHuffmanTable,
            scan(
                Jpeg::new()
                    .quantizers(0)
                    .huffman(0x10, 0)
                    .frame(0xc0, 8, 8, GRAY),
            ),
        ),
        (
            // Only motion JPEG omits its tables.
            DefectKind::JpegNoHuffmanTable,
            scan(Jpeg::new().quantizers(0).frame(0xc0, 8, 8, GRAY)),
        ),
        (
            DefectKind::JpegScanHeader,
            head().scan(&[1], [0, 64, 0], BLOCK).end(),
        ),
        (
            DefectKind::JpegScanHeader,
            head().scan(&[1], [64, 63, 0], BLOCK).end(),
        ),
        (
            DefectKind::JpegScanHeader,
            head().scan(&[2], WHOLE, BLOCK).end(),
        ),
        (
            DefectKind::JpegScanHeader,
            head().scan(&[1, 1], WHOLE, BLOCK).end(),
        ),
        (
            DefectKind::JpegScanHeader,
            head().scan(&[], WHOLE, BLOCK).end(),
        ),
        (
            DefectKind::JpegScanHeader,
            Jpeg::new()
                .tables()
                .frame(0xc2, 8, 8, GRAY)
                .scan(&[1], [1, 0, 0], BLOCK)
                .end(),
        ),
        (DefectKind::JpegNoScan, head().end()),
        (
            DefectKind::JpegLateHeight,
            Jpeg::new()
                .tables()
                .frame(0xc0, 8, 0, GRAY)
                .scan(&[1], WHOLE, BLOCK)
                .segment(0xdc, &[0, 8])
                .end(),
        ),
        (
            DefectKind::JpegUnreadProcess,
            Jpeg::new().frame(0xc3, 8, 8, GRAY).end(),
        ),
        (
            DefectKind::JpegUnreadProcess,
            Jpeg::new().frame_of(0xc1, 12, 8, 8, GRAY).end(),
        ),
        (
            DefectKind::JpegScanShort,
            head().scan(&[1], WHOLE, &[]).end(),
        ),
        (
            DefectKind::JpegScanShort,
            Jpeg::new()
                .tables()
                .frame(0xc0, 65_500, 65_500, GRAY)
                .scan(&[1], WHOLE, &[0; 9000])
                .end(),
        ),
        (
            DefectKind::ZeroDimension,
            Jpeg::new()
                .tables()
                .frame(0xc0, 8, 0, GRAY)
                .scan(&[1], WHOLE, BLOCK)
                .end(),
        ),
        (
            DefectKind::ZeroDimension,
            Jpeg::new().frame(0xc0, 0, 8, GRAY).end(),
        ),
        (DefectKind::Truncated, head().scan(&[1], WHOLE, BLOCK).0),
    ];
    for (kind, bytes) in cases {
        assert_refused(kind, &bytes);
    }
}

#[test]
fn restart_markers_count_from_zero_and_are_counted() {
    // Two blocks across and two down, one to an interval.
    let head = || {
        Jpeg::new()
            .tables()
            .frame(0xc0, 16, 16, GRAY)
            .segment(0xdd, &[0, 1])
    };
    let coded = |order: &[u8]| {
        let mut bytes = BLOCK.to_vec();
        for code in order {
            bytes.extend_from_slice(&[0xff, *code]);
            bytes.extend_from_slice(BLOCK);
        }
        head().scan(&[1], WHOLE, &bytes).end()
    };
    assert_eq!(defects(&coded(&[0xd0, 0xd1, 0xd2])), []);
    let unannounced = |rest: &[u8]| {
        Jpeg::new()
            .tables()
            .frame(0xc0, 8, 8, GRAY)
            .scan(&[1], WHOLE, &[0x3f, 0xff, 0xd0])
            .raw(rest)
            .end()
    };
    // Only the walk determines whether blocks are missing. If the end follows, readers skip it.
    for fill in [&[][..], &[0xff]] {
        let bytes = unannounced(fill);
        let wanted = if fill.is_empty() {
            DefectKind::JpegStrayMarker
        } else {
            DefectKind::JpegRestartCount
        };
        assert_eq!(defects(&bytes), [wanted]);
        assert_eq!(payload_defects(&bytes), [DefectKind::JpegDataExcess]);
    }
    assert_eq!(defects(&unannounced(BLOCK)), [DefectKind::JpegRestartCount]);
    assert_eq!(
        defects(&unannounced(&[0xff, 0xd1])),
        [DefectKind::JpegRestartCount, DefectKind::JpegStrayMarker]
    );
    let extra = head()
        .scan(
            &[1],
            WHOLE,
            &[
                0x3f, 0xff, 0xd0, 0x3f, 0xff, 0xd1, 0x3f, 0xff, 0xd2, 0x3f, 0xff, 0xd3,
            ],
        )
        .end();
    assert_eq!(defects(&extra), [DefectKind::JpegStrayMarker]);
    let mut inspector = Inspector::new(Depth::Structure);
    for byte in &extra {
        inspector.push(&[*byte]);
    }
    assert_eq!(
        inspector.finish().defects(),
        Inspection::of(&extra).defects()
    );
    // The last interval is missing.
    let missing = head()
        .scan(
            &[1],
            WHOLE,
            &[0x3f, 0xff, 0xd0, 0x3f, 0xff, 0xd1, 0x3f, 0xff, 0xd2],
        )
        .end();
    assert_eq!(defects(&missing), [DefectKind::JpegRestartCount]);
    assert_eq!(
        defects(&coded(&[0xd0, 0xd2, 0xd1])),
        [DefectKind::JpegRestartOrder]
    );
    assert_eq!(
        defects(&coded(&[0xd0, 0xd1])),
        [DefectKind::JpegRestartCount]
    );
}

#[test]
fn the_size_of_a_thumbnail_is_ignored() {
    let oriented = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/images/jpeg/exif-orientation-6.jpg"
    );
    let inspection = Inspection::of(&fs::read(oriented).unwrap());
    assert_eq!(inspection.orientation().map(Orientation::tag), Some(6));
    assert_eq!(inspection.dimensions(), Some(Dimensions::new(320, 256)));
}

/// Gray 16x16 pixels in four blocks. In their coded data 0 is a code and 1 is not.
fn four_blocks(coded: &[u8]) -> Vec<u8> {
    Jpeg::new()
        .tables()
        .frame(0xc0, 16, 16, GRAY)
        .scan(&[1], WHOLE, coded)
        .end()
}

fn payload_defects(bytes: &[u8]) -> Vec<DefectKind> {
    Inspection::at(Depth::Payload, bytes)
        .defects()
        .iter()
        .map(|(kind, _)| kind)
        .collect()
}

#[test]
fn every_block_is_walked_at_payload_depth() {
    assert_eq!(payload_defects(&four_blocks(&[0x00])), []);
    for (coded, kind) in [
        (vec![0x80, 0x00, 0x00], DefectKind::JpegHuffmanCode),
        (vec![0x08, 0x00, 0x00], DefectKind::JpegHuffmanCode),
        (vec![0x00; 3], DefectKind::JpegDataExcess),
        (vec![0x00; 50_000], DefectKind::JpegDataExcess),
    ] {
        assert_eq!(payload_defects(&four_blocks(&coded)), [kind], "{coded:?}");
    }
}

#[test]
fn a_scan_without_data_is_reported_where_it_is() {
    let file = four_blocks(&[]);
    let inspection = Inspection::at(Depth::Payload, &file);
    let mut defects = inspection.defects().iter();
    let short = defects.find(|(kind, _)| *kind == DefectKind::JpegDataShort);
    let at = short.and_then(|(_, at)| at).unwrap();
    let end = u64::try_from(file.len() - 2).unwrap();
    assert!(at.abs_diff(end) <= 64, "{at} of {end}");
}

#[test]
fn a_missing_end_marker_differs_from_truncated_data() {
    let whole = four_blocks(&[0x00]);
    let (no_end, truncated) = ([DefectKind::JpegNoEnd], [DefectKind::Truncated]);
    for cut in [1, 2] {
        let cut = &whole[..whole.len() - cut];
        assert_eq!(payload_defects(cut), no_end);
        assert_eq!(defects(cut), truncated);
    }
    // No coded data is left.
    assert_eq!(payload_defects(&whole[..whole.len() - 3]), truncated);
    // A comment ends the scan at any depth; a trailer that is none is excess.
    let body = Jpeg(whole[..whole.len() - 2].to_vec());
    let commented = body.clone().segment(0xfe, b"done").0;
    assert_eq!(payload_defects(&commented), no_end);
    assert_eq!(defects(&commented), no_end);
    // Data after the last block do not show where the scan ends.
    for rest in [&[0; 700][..], b"a trailer of another program"] {
        let rest = payload_defects(&body.clone().raw(rest).0);
        assert_eq!(rest, truncated);
    }
}

/// Scans of DC and of all AC coefficients, with a last bit each that later scans add.
#[test]
fn a_progressive_image_truncated_between_scans_is_truncated() {
    let scans: [([u8; 3], &[u8]); 4] = [
        ([0, 0, 0x01], &[0x00]),
        ([1, 63, 0x01], &[0x00]),
        ([0, 0, 0x10], &[0x00]),
        ([1, 63, 0x10], &[0x00]),
    ];
    let start = Jpeg::new().quantizers(0).huffman(0x00, 0).huffman(0x10, 0);
    let mut image = start.frame(0xc2, 16, 16, GRAY);
    for (number, (parameters, coded)) in scans.into_iter().enumerate() {
        image = image.scan(&[1], parameters, coded);
        let expected = if number == 3 {
            DefectKind::JpegNoEnd
        } else {
            DefectKind::Truncated
        };
        assert_eq!(payload_defects(&image.0), [expected], "{number}");
        // Between two segments, at any depth.
        let commented = image.clone().segment(0xfe, b"done").0;
        assert_eq!(payload_defects(&commented), [expected], "{number}");
        assert_eq!(defects(&commented), [expected], "{number}");
    }
    assert_eq!(payload_defects(&image.end()), []);
}

#[test]
fn a_stray_restart_marker_is_tolerated_after_the_last_block_only() {
    let excess = [DefectKind::JpegDataExcess];
    for after in [
        &b"\xff\xd1"[..],
        b"stray\xff\xd1",
        b"stray\xff\xd1more\xff\xd5",
    ] {
        let coded = [&[0x00], after].concat();
        assert_eq!(payload_defects(&four_blocks(&coded)), excess, "{after:?}");
    }
    // Four blocks of two bytes each, of which two came before the marker.
    let early = Jpeg::new()
        .quantizers(0)
        .huffman(0x00, 11)
        .huffman(0x10, 0)
        .frame(0xc0, 16, 16, GRAY)
        .scan(&[1], WHOLE, &[0, 0, 0, 0, 0xff, 0xd0, 0, 0, 0, 0])
        .end();
    let found = Inspection::at(Depth::Payload, &early);
    assert!(is_refused(&found), "{found:?}");
}

/// Gray pixels in 40,000 blocks whose code is a single 0, coded data with many stuffed zeros.
#[test]
fn payload_defect_offsets_are_within_64_bytes() {
    // DC differences have seven bits: 0 and seven bits, and 0 for the end of the block.
    let head = |side: u16| {
        Jpeg::new()
            .quantizers(0)
            .huffman(0x00, 7)
            .huffman(0x10, 0)
            .frame(0xc0, side, side, GRAY)
            .segment(0xda, &[1, 1, 0, WHOLE[0], WHOLE[1], WHOLE[2]])
    };
    // Nine bits per block: 0, seven bits, 0. 1600 by 1600 pixels have 40,000 blocks.
    let blocks = 200 * 200;
    let mut bits = Vec::new();
    for block in 0..blocks {
        let value: u8 = if block % 3 == 0 { 0x7f } else { 0x15 };
        bits.push(false);
        bits.extend((0..7).rev().map(|bit| value >> bit & 1 == 1));
        bits.push(false);
    }
    let stuffed = |bits: &[bool]| {
        let mut bytes = Vec::new();
        for bits in bits.chunks(8) {
            let byte = bits
                .iter()
                .fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit));
            bytes.push(byte << (8 - bits.len()));
            if bytes.last() == Some(&0xff) {
                bytes.push(0);
            }
        }
        bytes
    };
    let start = u64::try_from(head(1600).0.len()).unwrap();
    let place = |bits: &[bool], kind: DefectKind| {
        let file = head(1600).raw(&stuffed(bits)).end();
        let mut places = Vec::new();
        for chunk in [file.len(), 1000, 7] {
            let mut inspector = Inspector::new(Depth::Payload);
            for chunk in file.chunks(chunk) {
                inspector.push(chunk);
            }
            let inspection = inspector.finish();
            let found = inspection
                .defects()
                .iter()
                .find(|(found, _)| *found == kind);
            places.push(found.and_then(|(_, place)| place).expect("it is found"));
        }
        assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
        places[0]
    };
    for block in (0..blocks).step_by(3_997) {
        let at = start + u64::try_from(stuffed(&bits[..block * 9]).len()).unwrap();
        // A 1 is not a code.
        let mut damaged = bits.clone();
        damaged[block * 9] = true;
        let found = place(&damaged, DefectKind::JpegHuffmanCode);
        assert!(found.abs_diff(at) <= 64, "{found}, but damaged at {at}");
    }
    let end = start + u64::try_from(stuffed(&bits).len()).unwrap();
    let mut long = bits.clone();
    long.resize(bits.len() + 160_000, false);
    let found = place(&long, DefectKind::JpegDataExcess);
    assert!(found.abs_diff(end) <= 64, "{found}, but ended at {end}");
    let short = &bits[..20_000 * 9];
    let end = start + u64::try_from(stuffed(short).len()).unwrap();
    let found = place(short, DefectKind::JpegDataShort);
    assert!(found.abs_diff(end) <= 64, "{found}, but ended at {end}");
}

#[test]
fn data_that_ends_before_the_last_block_is_truncated() {
    // Every DC coefficient has eleven bits: two bytes a block, four blocks.
    let of_length = |len: usize| {
        let bytes = Jpeg::new()
            .quantizers(0)
            .huffman(0x00, 11)
            .huffman(0x10, 0)
            .frame(0xc0, 16, 16, GRAY)
            .scan(&[1], WHOLE, &vec![0; len])
            .end();
        payload_defects(&bytes)
    };
    assert_eq!(of_length(7), []);
    assert_eq!(of_length(6), [DefectKind::JpegDataShort]);
    assert_eq!(of_length(1), [DefectKind::JpegDataShort]);
}

#[test]
fn a_block_with_more_than_63_coefficients_is_tolerated() {
    // The one AC code means: four zeros, then a coefficient of one bit. Twelve of them are 60, the
    // thirteenth ends beyond the block.
    let bytes = Jpeg::new()
        .quantizers(0)
        .huffman(0x00, 0)
        .huffman(0x10, 0x41)
        .frame(0xc0, 8, 8, GRAY)
        .scan(&[1], WHOLE, &[0; 4])
        .end();
    assert_eq!(payload_defects(&bytes), [DefectKind::JpegBlockOverrun]);
}

#[test]
fn a_restart_interval_must_be_complete() {
    let coded = |intervals: [&[u8]; 2]| {
        let coded = [intervals[0], &[0xff, 0xd0], intervals[1]].concat();
        let bytes = Jpeg::new()
            .tables()
            .frame(0xc0, 80, 16, GRAY)
            .segment(0xdd, &[0, 10])
            .scan(&[1], WHOLE, &coded)
            .end();
        payload_defects(&bytes)
    };
    let whole: &[u8] = &[0, 0, 0x0f];
    assert_eq!(coded([whole, whole]), []);
    assert_eq!(coded([&[0, 0, 0, 0], whole]), [DefectKind::JpegDataExcess]);
    assert_eq!(coded([&[0, 0], whole]), [DefectKind::JpegDataShort]);
}

#[test]
fn progressive_scans_must_follow_in_order() {
    // DC of four blocks; then in the band 1 to 5 the first block has a coefficient at place 1 and
    // the code that ends a block comes next.
    let head = || {
        Jpeg::new()
            .quantizers(0)
            .huffman(0x00, 0)
            .segment(0xc4, &ac_table([0x01, 0x00, 0x10, 0x20]))
            .frame(0xc2, 16, 16, GRAY)
            .scan(&[1], [0, 0, 0x01], &[0x0f])
            .scan(&[1], [0, 0, 0x10], &[0x5f])
    };
    // 00 is a coefficient of one bit, 01 the block's end, 10 the end of two or three blocks, 110
    // that of four to seven.
    let first = |jpeg: Jpeg| jpeg.scan(&[1], [1, 5, 0x01], &[0b0010_1101]);
    let defects = |jpeg: Jpeg| payload_defects(&jpeg.end());
    assert_eq!(defects(first(head())), []);
    // A refinement reads a bit for the known coefficient: end of four blocks, that bit.
    let refine = |coded: &[u8]| defects(first(head()).scan(&[1], [1, 5, 0x10], coded));
    assert_eq!(refine(&[0b1100_0111]), []);
    assert_eq!(refine(&[0b1110_0000, 0, 0]), [DefectKind::JpegHuffmanCode]);
    // A coefficient of two bits cannot be refined into being.
    let wrong = head()
        .segment(0xc4, &ac_table([0x02, 0x00, 0x10, 0x20]))
        .scan(&[1], [1, 5, 0x10], &[0x00; 8]);
    assert_eq!(defects(wrong), [DefectKind::JpegHuffmanCode]);
}

/// The body of a table of AC codes: 00, 01, 10 and 110 for these symbols.
fn ac_table(symbols: [u8; 4]) -> Vec<u8> {
    let mut body = vec![0; 17];
    body[0] = 0x10;
    body[2] = 3;
    body[3] = 1;
    body.extend_from_slice(&symbols);
    body
}

#[test]
fn an_unsupported_process_is_recorded_as_not_walked() {
    for (code, unchecked) in [(0xc0, false), (0xc1, false), (0xc3, true), (0xc9, true)] {
        let parameters = if code == 0xc3 { [1, 0, 0] } else { WHOLE };
        let bytes = Jpeg::new()
            .tables()
            .frame(code, 8, 8, GRAY)
            .scan(&[1], parameters, BLOCK)
            .end();
        let at = |depth| Inspection::at(depth, &bytes).is_payload_unchecked();
        assert_eq!(at(Depth::Payload), unchecked, "{code:x}");
        assert!(!at(Depth::Structure));
    }
}

#[test]
fn arithmetic_coding_is_a_warning() {
    for (code, parameters) in [(0xc9, WHOLE), (0xca, [0, 0, 0])] {
        let bytes = Jpeg::new()
            .tables()
            .frame(code, 8, 8, GRAY)
            .scan(&[1], parameters, BLOCK)
            .end();
        assert_eq!(defects(&bytes), [DefectKind::JpegRareProcess], "{code:x}");
    }
    assert!(DefectKind::JpegRareProcess.is_tolerated());
}

#[test]
fn an_invalid_table_gives_the_same_facts_in_chunks() {
    // Two codes, the second of which means 17 bits.
    let mut table = vec![0; 19];
    table[2] = 2;
    table[18] = 17;
    let bytes = Jpeg::new()
        .tables()
        .segment(0xc4, &table)
        .frame(0xc0, 8, 8, GRAY)
        .scan(&[1], WHOLE, BLOCK)
        .end();
    let whole = Inspection::at(Depth::Payload, &bytes);
    assert!(whole.defects().contains(DefectKind::JpegHuffmanTable));
    assert!(whole.is_payload_unchecked());
    for size in 1..40 {
        let mut inspector = Inspector::new(Depth::Payload);
        for chunk in bytes.chunks(size) {
            inspector.push(chunk);
        }
        assert_eq!(inspector.finish(), whole, "chunks of {size}");
    }
}

#[test]
fn excessive_work_on_a_file_is_skipped() {
    let bomb = |scans: usize| {
        let refinement = Jpeg::default()
            .scan(&[1], [1, 5, 0x10], &[0b1100_0111])
            .0
            .repeat(scans);
        let bytes = Jpeg::new()
            .quantizers(0)
            .huffman(0x00, 0)
            .segment(0xc4, &ac_table([0x01, 0x00, 0x10, 0x20]))
            .frame(0xc2, 16, 16, GRAY)
            .scan(&[1], [0, 0, 0x01], &[0x0f])
            .scan(&[1], [1, 5, 0x01], &[0b0010_1101])
            .raw(&refinement)
            .end();
        Inspection::at(Depth::Payload, &bytes)
    };
    assert!(bomb(900).defects().is_empty());
    assert!(!bomb(900).is_payload_unchecked());
    let unwalked: Vec<_> = bomb(1100).defects().iter().map(|(kind, _)| kind).collect();
    assert_eq!(unwalked, [DefectKind::NotWalked]);
    assert!(bomb(1100).is_payload_unchecked());
}

/// A gray progressive JPEG of `side` pixels squared, whose AC code is one symbol of one bit.
fn blank(side: u16, symbol: u8) -> Jpeg {
    Jpeg::new()
        .quantizers(0)
        .huffman(0x00, 0)
        .huffman(0x10, symbol)
        .frame(0xc2, side, side, GRAY)
}

#[test]
fn tiny_scans_over_many_blocks_are_counted_work() {
    // 4 million blocks; each scan refines none of them, and runs of 2^14 blocks pass them: the
    // symbol 0xE0 and 14 bits, all of them zeros.
    let side = 16_000_u16;
    let blocks = usize::from(side / 8).pow(2);
    let coded = vec![0; (blocks.div_ceil(1 << 14) * 15).div_ceil(8)];
    let refinement = Jpeg::default().scan(&[1], [1, 5, 0x10], &coded).0;
    let inspect = |scans: usize| {
        let bytes = blank(side, 0xe0).raw(&refinement.repeat(scans)).end();
        Inspection::at(Depth::Payload, &bytes)
    };
    // 62,500 groups of 64 blocks are visited in each scan, which is worth a few hundred visits.
    assert!(inspect(1).is_payload_unchecked());
    assert!(!inspect(0).is_payload_unchecked());
}

#[test]
fn blocks_of_one_bit_are_counted_work() {
    let inspect = |side: u16| {
        let bytes = usize::from(side / 8).pow(2).div_ceil(8);
        let bytes = blank(side, 0)
            .scan(&[1], [1, 5, 1], &vec![0; bytes])
            // A refinement of what was not walked is not evaluated either.
            .scan(&[1], [1, 5, 0x10], &[0xaa; 100])
            .end();
        let whole = Inspection::at(Depth::Payload, &bytes);
        let mut inspector = Inspector::new(Depth::Payload);
        for chunk in bytes.chunks(4_099) {
            inspector.push(chunk);
        }
        assert_eq!(inspector.finish(), whole, "{side}");
        whole
    };
    // 4,096 blocks, which any file may have; and 4 million, of which 500 KB are worth 2 million.
    assert!(!inspect(512).is_payload_unchecked());
    let kinds: Vec<_> = inspect(16_000)
        .defects()
        .iter()
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(kinds, [DefectKind::NotWalked]);
}

#[test]
fn complete_files_have_no_payload_defect() {
    let mut whole = 0;
    for (path, bytes) in images_of(Format::Jpeg) {
        let structure = Inspection::of(&bytes);
        if structure.defects().is_empty() {
            whole += 1;
            let payload = Inspection::at(Depth::Payload, &bytes);
            assert!(
                payload.defects().is_empty(),
                "{path}: {:?}",
                payload.defects()
            );
        }
    }
    assert!(whole >= 5);
}

#[test]
fn no_prefix_is_accepted() {
    let files = images_of(Format::Jpeg);
    let whole = files
        .iter()
        .filter(|(_, bytes)| Inspection::of(bytes).defects().is_empty());
    let mut seen = 0;
    for (path, bytes) in whole {
        seen += 1;
        for len in 4..bytes.len() {
            let inspection = Inspection::of(&bytes[..len]);
            assert!(is_refused(&inspection), "{path} cut to {len} bytes");
        }
    }
    assert!(seen >= 5);
}

#[test]
fn facts_of_a_growing_prefix_are_monotonic() {
    for (path, bytes) in images_of(Format::Jpeg) {
        let mut inspector = Inspector::new(Depth::Structure);
        let mut before = inspector.inspection().clone();
        for byte in &bytes {
            inspector.push(&[*byte]);
            let now = inspector.inspection().clone();
            let kept = before
                .defects()
                .iter()
                .all(|(kind, _)| now.defects().contains(kind));
            assert!(kept, "{path}");
            for (was, is) in [
                (
                    before.dimensions().map(|value| value.to_string()),
                    now.dimensions().map(|value| value.to_string()),
                ),
                (
                    before.color_type().map(|value| format!("{value:?}")),
                    now.color_type().map(|value| format!("{value:?}")),
                ),
                (
                    before.orientation().map(|value| value.tag().to_string()),
                    now.orientation().map(|value| value.tag().to_string()),
                ),
                (
                    before.frames().map(|value| value.to_string()),
                    now.frames().map(|value| value.to_string()),
                ),
            ] {
                assert!(was.is_none() || was == is, "{path}: {was:?} became {is:?}");
            }
            before = now;
        }
    }
}

proptest! {
    #[test]
    fn any_chunking_of_a_corrupt_file_gives_the_same_facts(
        file in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cuts in prop::collection::vec(1_usize..700, 1..40),
        depth in prop::sample::select(vec![Depth::Header, Depth::Structure, Depth::Payload]),
    ) {
        let files = images_of(Format::Jpeg);
        let (_, mut bytes) = file.get(&files).clone();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let whole = Inspection::at(depth, &bytes);
        prop_assert_eq!(in_chunks(depth, &bytes, cuts.into_iter().cycle()), whole);
    }
}
