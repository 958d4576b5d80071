//! BMP: all headers, the valid values of their fields, and the end of the pixels.

use greenlight::{ColorType, DefectKind, Depth, Dimensions, Format, Inspection, Inspector};
use proptest::prelude::*;

use crate::{
    fixtures::images_of,
    inspect::{in_chunks, kinds},
};

/// The fields of a bitmap.
#[derive(Clone)]
struct Bmp {
    header: u32,
    width: i32,
    height: i32,
    planes: u16,
    bits: u16,
    compression: u32,
    colors: u32,
    masks: Vec<u32>,
    /// The offset of the pixels; by default directly after the headers and the palette.
    offset: Option<u32>,
    pixels: usize,
}

impl Bmp {
    /// 5 by 3 pixels without compression.
    fn new(header: u32, bits: u16) -> Self {
        let row = (5 * usize::from(bits)).div_ceil(32) * 4;
        Self {
            header,
            width: 5,
            height: 3,
            planes: 1,
            bits,
            compression: 0,
            colors: 0,
            masks: Vec::new(),
            offset: None,
            pixels: row * 3,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = self.header.to_le_bytes().to_vec();
        if self.header == 12 {
            let side = |side: i32| u16::try_from(side).expect("a small number").to_le_bytes();
            head.extend_from_slice(&side(self.width));
            head.extend_from_slice(&side(self.height));
            head.extend_from_slice(&self.planes.to_le_bytes());
            head.extend_from_slice(&self.bits.to_le_bytes());
        } else {
            head.extend_from_slice(&self.width.to_le_bytes());
            head.extend_from_slice(&self.height.to_le_bytes());
            head.extend_from_slice(&self.planes.to_le_bytes());
            head.extend_from_slice(&self.bits.to_le_bytes());
            for field in [self.compression, 0, 0, 0, self.colors, 0] {
                head.extend_from_slice(&field.to_le_bytes());
            }
            head.extend(self.masks.iter().flat_map(|mask| mask.to_le_bytes()));
            let masks = if self.header == 40 {
                self.masks.len() * 4
            } else {
                0
            };
            head.resize(
                usize::try_from(self.header).expect("a small number") + masks,
                0,
            );
        }
        if self.bits <= 8 {
            let entry = if self.header == 12 { 3 } else { 4 };
            let colors = if self.colors == 0 {
                1 << self.bits
            } else {
                self.colors
            };
            head.resize(
                head.len()
                    + usize::try_from(colors.min(1 << self.bits)).expect("a small number") * entry,
                0,
            );
        }
        let start = u32::try_from(14 + head.len()).expect("a small number");
        let mut file = b"BM\0\0\0\0\0\0\0\0".to_vec();
        file.extend_from_slice(&self.offset.unwrap_or(start).to_le_bytes());
        file.extend(head);
        file.resize(file.len() + self.pixels, 0);
        file
    }
}

fn defects(bytes: &[u8]) -> Vec<DefectKind> {
    kinds(&Inspection::of(bytes))
}

fn assert_refused(kind: DefectKind, bytes: &[u8]) {
    assert_eq!(defects(bytes).first(), Some(&kind));
    assert!(!kind.is_tolerated(), "{kind}");
}

#[test]
fn every_header_gives_size_depth_and_color() {
    for header in [12, 40, 52, 56, 64, 108, 124] {
        for (bits, depth, color) in [
            (1, 1, ColorType::Palette),
            (4, 4, ColorType::Palette),
            (8, 8, ColorType::Palette),
            (24, 8, ColorType::Rgb),
        ] {
            let bytes = Bmp::new(header, bits).bytes();
            let inspection = Inspection::of(&bytes);
            assert_eq!(inspection.dimensions(), Some(Dimensions::new(5, 3)));
            assert_eq!(inspection.bit_depth(), Some(depth));
            assert_eq!(inspection.color_type(), Some(color));
            assert_eq!(inspection.frames(), Some(1));
            assert_eq!(inspection.trailing_bytes(), Some(0));
            assert_eq!(defects(&bytes), [], "{header} {bits}");
            assert!(inspection.is_complete());
        }
    }
}

#[test]
fn a_header_verdict_needs_26_bytes() {
    let bytes = Bmp::new(40, 24).bytes();
    let mut inspector = Inspector::new(Depth::Header);
    inspector.push(&bytes[..25]);
    assert_eq!(inspector.inspection().dimensions(), None);
    inspector.push(&bytes[25..26]);
    let dimensions = inspector.inspection().dimensions();
    assert_eq!(dimensions, Some(Dimensions::new(5, 3)));
}

#[test]
fn a_negative_height_means_rows_from_the_top() {
    let bmp = Bmp {
        height: -3,
        ..Bmp::new(40, 24)
    };
    assert_eq!(defects(&bmp.bytes()), []);
    let dimensions = Inspection::of(&bmp.bytes()).dimensions();
    assert_eq!(dimensions, Some(Dimensions::new(5, 3)));
    let lowest = Bmp {
        height: i32::MIN,
        ..bmp
    };
    let dimensions = Inspection::of(&lowest.bytes()).dimensions();
    assert_eq!(dimensions, Some(Dimensions::new(5, 1 << 31)));
    assert_eq!(defects(&lowest.bytes()), [DefectKind::Truncated]);
}

#[test]
fn masks_may_be_in_the_header_or_after_it() {
    let rgb = vec![0xf800, 0x07e0, 0x001f];
    for header in [40, 52, 56, 108, 124] {
        let mut masks = rgb.clone();
        if header > 52 {
            masks.push(0);
        }
        let bmp = Bmp {
            compression: 3,
            masks,
            ..Bmp::new(header, 16)
        };
        assert_eq!(defects(&bmp.bytes()), [], "{header}");
        let wrong = DefectKind::BmpMasks;
        for (masks, kind) in [
            (vec![0, 0x07e0, 0x001f], wrong),
            (vec![0xf800, 0x0760, 0x001f], wrong),
            (vec![0x000f_0000, 0x07e0, 0x001f], wrong),
            (vec![0xf800, 0xffe0, 0x001f], DefectKind::BmpMasksOverlap),
        ] {
            let bmp = Bmp {
                masks,
                ..bmp.clone()
            };
            assert_eq!(defects(&bmp.bytes()), [kind], "{header}");
        }
    }
}

#[test]
fn defects_that_decoders_reject_are_reported() {
    let plain = Bmp::new(40, 24);
    for (kind, bmp) in [
        (
            DefectKind::BmpHeaderSize,
            Bmp {
                header: 66,
                ..plain.clone()
            },
        ),
        (DefectKind::BmpHeaderSize, Bmp::new(16, 24)),
        (DefectKind::BmpHeaderSize, Bmp::new(41, 24)),
        (
            DefectKind::BmpPlanes,
            Bmp {
                planes: 0,
                ..plain.clone()
            },
        ),
        (
            DefectKind::BmpPlanes,
            Bmp {
                planes: 3,
                ..plain.clone()
            },
        ),
        (
            DefectKind::BmpPixelOffset,
            Bmp {
                offset: Some(0),
                ..Bmp::new(40, 8)
            },
        ),
        (
            DefectKind::BmpPaletteSize,
            Bmp {
                colors: 70_000,
                ..Bmp::new(40, 8)
            },
        ),
        (
            DefectKind::BmpPaletteCut,
            Bmp {
                offset: Some(54 + 255 * 4),
                ..Bmp::new(40, 8)
            },
        ),
        (
            DefectKind::BmpHeaderSize,
            Bmp {
                header: 168,
                ..plain.clone()
            },
        ),
        (
            DefectKind::BmpCompression,
            Bmp {
                compression: 4,
                bits: 0,
                ..plain.clone()
            },
        ),
        (
            DefectKind::BmpCompression,
            Bmp {
                compression: 5,
                bits: 0,
                ..plain.clone()
            },
        ),
        (
            DefectKind::BmpCompression,
            Bmp {
                compression: 99,
                ..plain.clone()
            },
        ),
        (DefectKind::BmpBitDepth, Bmp::new(40, 5)),
        (DefectKind::BmpBitDepth, Bmp::new(12, 16)),
        (
            DefectKind::BmpBitDepth,
            Bmp {
                compression: 1,
                ..plain.clone()
            },
        ),
        (
            DefectKind::BmpBitDepth,
            Bmp {
                compression: 2,
                ..Bmp::new(40, 8)
            },
        ),
    ] {
        assert_refused(kind, &bmp.bytes());
    }
}

#[test]
fn zero_sides_and_truncated_pixels_are_defects() {
    let plain = Bmp::new(40, 24);
    for (kind, bmp) in [
        (
            DefectKind::ZeroDimension,
            Bmp {
                width: 0,
                ..plain.clone()
            },
        ),
        (
            DefectKind::ZeroDimension,
            Bmp {
                width: -5,
                ..plain.clone()
            },
        ),
        (
            DefectKind::ZeroDimension,
            Bmp {
                height: 0,
                ..plain.clone()
            },
        ),
        (
            DefectKind::Truncated,
            Bmp {
                pixels: 47,
                ..plain.clone()
            },
        ),
        (
            DefectKind::Truncated,
            Bmp {
                offset: Some(5000),
                ..plain.clone()
            },
        ),
        (
            DefectKind::Truncated,
            Bmp {
                width: 100_000,
                height: 100_000,
                ..plain.clone()
            },
        ),
    ] {
        assert_refused(kind, &bmp.bytes());
    }
}

#[test]
fn defects_that_decoders_tolerate_are_warnings() {
    let plain = Bmp::new(40, 8);
    for (kind, bmp) in [
        (
            DefectKind::TrailingBytes,
            Bmp {
                pixels: plain.pixels + 2,
                ..plain.clone()
            },
        ),
        (
            DefectKind::BmpTopDownRle,
            Bmp {
                compression: 1,
                height: -3,
                ..plain.clone()
            },
        ),
    ] {
        let mut found = defects(&bmp.bytes());
        // The generated pixels, read as runs, have no end code.
        found.retain(|found| *found != DefectKind::BmpRleNoEnd);
        assert_eq!(found, [kind]);
        assert!(kind.is_tolerated(), "{kind}");
    }
}

#[test]
fn no_prefix_of_plain_pixels_is_accepted() {
    for (header, bits) in [(12, 1), (40, 8), (124, 24)] {
        let bytes = Bmp::new(header, bits).bytes();
        for len in 14..bytes.len() {
            let kinds = defects(&bytes[..len]);
            let has_format = Inspection::of(&bytes[..len]).format().is_some();
            assert!(
                !has_format || kinds == [DefectKind::Truncated],
                "{header} {len}"
            );
        }
    }
}

/// 5 by 3 pixels in run lengths: RLE8 for 8 bits, RLE4 for 4.
fn runs(bits: u16, coded: &[u8]) -> Inspection {
    let bmp = Bmp {
        compression: if bits == 8 { 1 } else { 2 },
        pixels: 0,
        ..Bmp::new(40, bits)
    };
    Inspection::at(Depth::Payload, &[bmp.bytes(), coded.to_vec()].concat())
}

#[test]
fn run_lengths_are_walked_to_their_end() {
    let rows = [5, 7, 0, 0, 5, 7, 0, 0, 5, 7, 0, 0];
    // Absolute runs are padded to two bytes; a delta skips pixels; the last row need not be ended.
    for coded in [
        [rows.as_slice(), &[0, 1]].concat(),
        vec![5, 7, 0, 0, 0, 2, 2, 1, 3, 7, 0, 1],
        vec![0, 1],
    ] {
        for bits in [8, 4] {
            let inspection = runs(bits, &coded);
            assert!(inspection.defects().is_empty(), "{coded:?}");
            assert_eq!(inspection.trailing_bytes(), Some(0), "{coded:?}");
        }
    }
    assert!(
        runs(8, &[0, 5, 1, 2, 3, 4, 5, 0, 0, 1])
            .defects()
            .is_empty()
    );
    assert!(
        runs(4, &[0, 5, 0x12, 0x34, 0x50, 0, 0, 1])
            .defects()
            .is_empty()
    );
}

#[test]
fn wrong_run_lengths_are_defects() {
    let rows = [5, 7, 0, 0, 5, 7, 0, 0, 5, 7, 0, 0];
    for (kind, coded) in [
        (DefectKind::BmpRleNoEnd, rows.to_vec()),
        (DefectKind::BmpRleOverrun, vec![6, 7, 0, 1]),
        (DefectKind::BmpRleOverrun, vec![8, 7, 0, 1]),
        (DefectKind::BmpRleBeyondRow, vec![9, 7, 0, 1]),
        (DefectKind::BmpRleBeyondRow, vec![0, 9, 7, 0, 1]),
        (DefectKind::BmpRleExcess, [&rows[..], &[1, 7]].concat()),
        (
            DefectKind::BmpRleExcess,
            [&rows[..], &[0, 3, 1, 2, 3, 0]].concat(),
        ),
        (DefectKind::BmpRleOutside, vec![0, 2, 0, 4, 0, 1]),
        (DefectKind::Truncated, rows[..8].to_vec()),
        (DefectKind::Truncated, vec![5, 7, 0, 0, 0, 5, 1, 2]),
        (DefectKind::TrailingBytes, vec![0, 1, 0]),
    ] {
        let found: Vec<_> = runs(8, &coded).defects().iter().collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, kind, "{coded:?}");
    }
}

#[test]
fn offsets_of_wrong_run_lengths_are_exact() {
    let row = [5, 7, 0, 0];
    for (kind, wrong) in [
        (DefectKind::BmpRleBeyondRow, [100, 7]),
        (DefectKind::BmpRleOverrun, [7, 7]),
    ] {
        let bmp = Bmp {
            compression: 1,
            height: 1000,
            pixels: 0,
            ..Bmp::new(40, 8)
        };
        let head = bmp.bytes();
        let file = [&head[..], &row.repeat(999), &wrong, &[0, 1]].concat();
        let inspection = Inspection::at(Depth::Payload, &file);
        let damage = u64::try_from(head.len() + 4 * 999 + 1).expect("a small number");
        let found: Vec<_> = inspection.defects().iter().collect();
        assert_eq!(found, [(kind, Some(damage))]);
    }
}

#[test]
fn unsupported_codings_are_recorded_as_not_walked() {
    let at = |bmp: &Bmp, depth| Inspection::at(depth, &bmp.bytes()).is_payload_unchecked();
    let huffman = Bmp {
        compression: 3,
        ..Bmp::new(64, 1)
    };
    assert_eq!(defects(&huffman.bytes()), [DefectKind::BmpRareCompression]);
    assert!(at(&huffman, Depth::Payload));
    assert!(!at(&huffman, Depth::Structure));
    assert!(!at(&Bmp::new(40, 24), Depth::Payload));
}

proptest! {
    #[test]
    fn any_chunking_of_a_corrupt_file_gives_the_same_facts(
        file in any::<prop::sample::Index>(),
        damage in prop::collection::vec((0_usize..140, any::<u8>()), 0..6),
        cuts in prop::collection::vec(1_usize..70, 1..40),
        depth in prop::sample::select(vec![Depth::Header, Depth::Structure, Depth::Payload]),
    ) {
        let files = images_of(Format::Bmp);
        let (_, mut bytes) = file.get(&files).clone();
        for (place, value) in damage {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
        }
        let whole = Inspection::at(depth, &bytes);
        prop_assert_eq!(in_chunks(depth, &bytes, cuts.into_iter().cycle()), whole);
    }
}
