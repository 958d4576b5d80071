//! The fast path for headers of complete files returns the same facts as the parser reading byte by
//! byte, for generated headers whose fields are usual, on the edge of validity, or invalid.

use greenlight::{Depth, Inspection, Inspector};
use proptest::{prelude::*, sample::select};

/// The fast path is not used for single bytes.
fn parsed(file: &[u8]) -> Inspection {
    let mut inspector = Inspector::new(Depth::Header);
    for byte in file {
        inspector.push(&[*byte]);
    }
    inspector.finish()
}

fn side() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 1_u32..3000,
        1 => select(vec![0, 1, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, u32::MAX]),
        1 => any::<u32>(),
    ]
}

/// Mostly returns usual values, so that most headers with many fields are valid.
fn byte(usual: &'static [u8]) -> impl Strategy<Value = u8> + Clone {
    prop_oneof![30 => select(usual), 1 => any::<u8>()]
}

/// Bytes that follow a header, or none.
fn rest() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..40)
}

fn png() -> impl Strategy<Value = Vec<u8>> {
    let fields = (
        byte(&[1, 2, 4, 8, 8, 8, 16]),
        byte(&[0, 2, 2, 3, 4, 6, 6]),
        byte(&[0]),
        byte(&[0]),
        byte(&[0, 1]),
    );
    let crc_error = prop_oneof![4 => Just(0), 1 => (0_u32..32).prop_map(|bit| 1 << bit)];
    (side(), side(), fields, crc_error, rest()).prop_map(|(width, height, fields, error, rest)| {
        let (depth, color, compression, filter, interlace) = fields;
        let mut head = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        head.extend(width.to_be_bytes());
        head.extend(height.to_be_bytes());
        head.extend([depth, color, compression, filter, interlace]);
        let crc = crc32fast::hash(&head[12..]) ^ error;
        head.extend(crc.to_be_bytes());
        head.extend(rest);
        head
    })
}

fn gif() -> impl Strategy<Value = Vec<u8>> {
    let fields = (any::<u16>(), byte(&[0, 1]), any::<u16>(), any::<[u8; 3]>());
    (byte(b"79"), fields, rest()).prop_map(|(version, (width, zero, height, others), rest)| {
        let height = if zero == 0 { height } else { 0 };
        let mut head = b"GIF8".to_vec();
        head.extend([version, b'a']);
        head.extend(width.to_le_bytes());
        head.extend(height.to_le_bytes());
        head.extend(others);
        head.extend(rest);
        head
    })
}

fn bmp() -> impl Strategy<Value = Vec<u8>> {
    let number = |usual: &'static [u32]| prop_oneof![8 => select(usual), 1 => any::<u32>()];
    let fields = (
        number(&[40, 40, 108, 124, 12, 52, 56, 64, 16]),
        number(&[0]),
        number(&[54, 54, 66, 122, 138, 1078, 26, 0]),
        number(&[1]),
        number(&[24, 24, 32, 8, 16, 4, 1, 2, 0]),
        number(&[0, 0, 0, 1, 2, 3, 4]),
        number(&[0, 0, 256, 257, 16, 17, 2]),
    );
    (side(), side(), fields, rest()).prop_map(|(width, height, fields, rest)| {
        let (size, reserved, offset, planes, bits, compression, colors) = fields;
        let mut head = b"BM\0\0\0\0".to_vec();
        for field in [reserved, offset, size, width, height] {
            head.extend(field.to_le_bytes());
        }
        head.extend(&planes.to_le_bytes()[..2]);
        head.extend(&bits.to_le_bytes()[..2]);
        for field in [compression, 0, 0, 0, colors, 0] {
            head.extend(field.to_le_bytes());
        }
        head.extend(rest);
        head
    })
}

fn segment() -> impl Strategy<Value = Vec<u8>> {
    let exif = |order: &[u8; 8], tag: [u8; 12]| {
        [&b"Exif\0\0"[..], order, &[0, 1, 0, 1], &tag, &[0; 4]].concat()
    };
    let big = b"MM\0*\0\0\0\x08";
    let bodies = vec![
        b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0".to_vec(),
        b"Adobe\0\x64\0\0\0\0\0".to_vec(),
        b"Adobe\0\x64\0\0\0\0\x02".to_vec(),
        b"Adobe\0".to_vec(),
        exif(big, [1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]),
        exif(big, [1, 0x12, 0, 3, 0, 0, 0, 1, 0, 9, 0, 0]),
        exif(big, [1, 0x12, 0, 4, 0, 0, 0, 1, 0, 6, 0, 0]),
        exif(b"MM\0*\0\0\0\x09", [0; 12]),
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0".to_vec(),
        b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01".to_vec(),
        Vec::new(),
    ];
    let usual = select(bodies).prop_map(|body| match body.first() {
        Some(b'J') => (0xe0, body),
        Some(b'A') => (0xee, body),
        _ => (0xe1, body),
    });
    let other = (
        byte(&[0xe0, 0xe1, 0xee, 0xe2, 0xdb, 0xc4, 0xdd, 0xfe]),
        rest(),
    );
    prop_oneof![3 => usual, 1 => other]
        .prop_map(|(code, body)| [&marker(code, body.len())[..], &body].concat())
}

/// Returns a marker and the length of a segment with such a body.
fn marker(code: u8, body: usize) -> [u8; 4] {
    let [high, low] = u16::try_from(body + 2)
        .expect("a small number")
        .to_be_bytes();
    [0xff, code, high, low]
}

fn jpeg() -> impl Strategy<Value = Vec<u8>> {
    let component = (
        byte(&[1, 2, 3]),
        byte(&[0x11, 0x21, 0x22, 0x44]),
        byte(&[0, 1, 3]),
    );
    let components = prop_oneof![
        6 => select(vec![1_usize, 3, 3, 4])
            .prop_flat_map(move |count| prop::collection::vec(component.clone(), count)),
        1 => Just(vec![(b'R', 0x11, 0), (b'G', 0x11, 0), (b'B', 0x11, 0)]),
        1 => prop::collection::vec((1_u8..3, Just(0x11), Just(0)), 0..6),
    ];
    let frame = (
        prop_oneof![
            9 => byte(&[0xc0, 0xc1, 0xc2]),
            1 => select(vec![0xc3, 0xc9, 0xda, 0xd9, 0xff]),
        ],
        prop_oneof![9 => Just(8_u8), 1 => select(vec![0, 7, 12, 16])],
        any::<[u16; 2]>(),
        byte(&[0]),
        components,
        byte(&[0]),
    );
    (prop::collection::vec(segment(), 0..5), frame, rest()).prop_map(|(segments, frame, rest)| {
        let (code, precision, [width, height], flat, components, excess) = frame;
        let height = if flat == 0 { height } else { 0 };
        let mut body = vec![precision];
        body.extend(height.to_be_bytes());
        body.extend(width.to_be_bytes());
        body.push(u8::try_from(components.len()).expect("a small number"));
        for (id, sampling, table) in components {
            body.extend([id, sampling, table]);
        }
        body.resize(body.len() + usize::from(excess), 0);
        [
            &[0xff, 0xd8][..],
            &segments.concat(),
            &marker(code, body.len()),
            &body,
            &rest,
        ]
        .concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_header_fast_path_agrees_with_the_parser(
        file in prop_oneof![png(), gif(), bmp(), jpeg()],
        cut in any::<prop::sample::Index>(),
    ) {
        prop_assert_eq!(Inspection::at(Depth::Header, &file), parsed(&file));
        let file = &file[..cut.index(file.len() + 1)];
        prop_assert_eq!(Inspection::at(Depth::Header, file), parsed(file));
    }
}
