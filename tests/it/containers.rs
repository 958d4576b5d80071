//! TIFF, HEIC, AVIF and ICO: generated containers without a picture, whose sizes are read.

use greenlight::{Depth, Dimensions, Format, Inspection, Inspector, Requirements};
use proptest::prelude::*;

fn boxed(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 8).expect("a short box");
    [&len.to_be_bytes()[..], &name, body].concat()
}

/// An image whose primary item, the second, has this size and turn.
fn heif(brand: [u8; 4], width: u32, height: u32, turn: u8) -> Vec<u8> {
    let size = |width: u32, height: u32| {
        let body = [[0; 4], width.to_be_bytes(), height.to_be_bytes()].concat();
        boxed(*b"ispe", &body)
    };
    let container = [size(64, 64), size(width, height), boxed(*b"irot", &[turn])].concat();
    let associations = [
        0, 0, 0, 0, 0, 0, 0, 2, // two items
        0, 1, 1, 1, // item 1: the first size
        0, 2, 2, 2, 0x83, // item 2: the second size, and the rotation
    ];
    let properties = [boxed(*b"ipco", &container), boxed(*b"ipma", &associations)].concat();
    let meta = [
        vec![0; 4],
        boxed(*b"pitm", &[0, 0, 0, 0, 0, 2]),
        boxed(*b"iprp", &properties),
    ];
    let file = [brand, [0; 4], brand, *b"mif1"].concat();
    [
        boxed(*b"ftyp", &file),
        boxed(*b"meta", &meta.concat()),
        boxed(*b"mdat", &[7; 40]),
    ]
    .concat()
}

fn tiff(width: u32, height: u32, is_big_endian: bool) -> Vec<u8> {
    let short = |value: u16| {
        if is_big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let long = |value: u32| {
        if is_big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let order = if is_big_endian { b"MM" } else { b"II" };
    let mut file = [&order[..], &short(42), &long(12), &[0; 4], &short(4)].concat();
    for (tag, value) in [(256, width), (257, height), (273, 66), (279, 20)] {
        file.extend([&short(tag)[..], &short(4), &long(1), &long(value)].concat());
    }
    file.extend([0; 24]); // the offset of the next directory, and the strip
    file
}

/// Two images, of which the last has this size.
fn ico(width: u32, height: u32) -> Vec<u8> {
    let entry = |offset: u32| {
        let len = 40_u32.to_le_bytes();
        [
            &[16, 16, 0, 0, 1, 0, 32, 0][..],
            &len,
            &offset.to_le_bytes(),
        ]
        .concat()
    };
    let image = |width: u32, height: u32| {
        let sides = [40, width, height * 2].map(u32::to_le_bytes);
        [&sides.concat()[..], &[0; 28]].concat()
    };
    let head = vec![0, 0, 1, 0, 2, 0];
    [
        head,
        entry(38),
        entry(78),
        image(16, 16),
        image(width, height),
    ]
    .concat()
}

fn files(width: u32, height: u32, turn: u8) -> [(Format, Vec<u8>); 5] {
    [
        (Format::Heic, heif(*b"heic", width, height, turn)),
        (Format::Avif, heif(*b"avif", width, height, turn)),
        (Format::Tiff, tiff(width, height, false)),
        (Format::Tiff, tiff(width, height, true)),
        (Format::Ico, ico(width, height)),
    ]
}

#[test]
fn containers_are_measured_and_accepted_by_choice_only() {
    for (format, file) in files(300, 400, 1) {
        for depth in [Depth::Header, Depth::Structure] {
            let inspection = Inspection::at(depth, &file);
            assert_eq!(inspection.format(), Some(format));
            assert_eq!(inspection.dimensions(), Some(Dimensions::new(300, 400)));
            assert!(inspection.defects().is_empty(), "{inspection:?}");
            assert!(!Requirements::V2.judge(inspection.clone()).is_accepted());
            let allowed = Requirements::V2.with_format(format);
            let verdict = allowed.judge(inspection.clone());
            assert!(verdict.is_accepted(), "{verdict:?}");
            if matches!(format, Format::Heic | Format::Avif) {
                let turned = inspection.orientation().unwrap();
                assert!(turned.tag() == 8 && turned.swaps_sides());
            }
        }
        for end in 8..file.len() {
            let cut = Inspection::of(&file[..end]);
            let verdict = Requirements::V2.with_format(format).judge(cut);
            assert!(
                !verdict.is_accepted() || format == Format::Heic || format == Format::Avif,
                "{format} {end}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_chunking_and_mutation_gives_the_same_facts(
        width in 0_u32..70_000, height in 0_u32..70_000, turn in 0_u8..4, which in 0_usize..5,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in 1_usize..40,
    ) {
        let mut file = files(width, height, turn)[which].1.clone();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        for depth in [Depth::Header, Depth::Structure, Depth::Payload] {
            let mut inspector = Inspector::new(depth);
            for chunk in file.chunks(cut) {
                inspector.push(chunk);
            }
            prop_assert_eq!(inspector.finish(), Inspection::at(depth, &file));
        }
    }
}
