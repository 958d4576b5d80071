//! TIFF, HEIC, AVIF, ICO and SVG: generated files, whose sizes are read.

use greenlight::{
    Code, DefectKind, Depth, Dimensions, Enforcement, Format, Inspection, Inspector, Requirements,
    Violation,
};
use proptest::prelude::*;

use crate::fixtures::{
    bytes,
    catalogue::containers::{Order, big_tiff, heif, icon, icon_bitmap, pages, utf_16},
};

fn svg(attributes: &str) -> Vec<u8> {
    svg_text(attributes).into_bytes()
}

fn svg_text(attributes: &str) -> String {
    format!(r#"<svg xmlns="http://www.w3.org/2000/svg" {attributes}><path d="M0,0"/></svg>"#)
}

/// A file of each kind. The size of an icon is that of the last of its two images.
fn files(width: u32, height: u32, turn: u8) -> [(Format, Vec<u8>); 8] {
    // The bitmap has no pixels, so that it can be of any size.
    let header = |width: u32, height: u32| icon_bitmap(width, height)[..40].to_vec();
    let mut last = header(0, 0);
    last[4..8].copy_from_slice(&width.to_le_bytes());
    last[8..12].copy_from_slice(&height.saturating_mul(2).to_le_bytes());
    let sides = format!(r#"width="{width}" height="{height}""#);
    [
        (Format::Heic, heif(*b"heic", width, height, turn)),
        (Format::Avif, heif(*b"avif", width, height, turn)),
        (
            Format::Tiff,
            pages(Order::Little, width.min(900), height.min(900), 1),
        ),
        (
            Format::Tiff,
            pages(Order::Big, width.min(900), height.min(900), 1),
        ),
        (
            Format::Tiff,
            big_tiff(Order::Big, width.min(900), height.min(900)),
        ),
        (Format::Ico, icon(&[(16, header(16, 16)), (0, last)])),
        (Format::Svg, svg(&sides)),
        (Format::Svg, utf_16(&svg_text(&sides))),
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
        // The first bytes, the last, and some between: headers of boxes and entries are among them.
        let step = file.len() / 400 + 1;
        for end in (8..file.len()).filter(|end| *end < 300 || end % step == 0) {
            let cut = Inspection::of(&file[..end]);
            let verdict = Requirements::V2.with_format(format).judge(cut);
            assert!(!verdict.is_accepted(), "{format} {end}");
        }
    }
}

/// The fixtures of these formats, by the requirements of 2.0 that allow them.
#[test]
fn the_fixtures_of_containers_have_their_verdicts_in_2_0() {
    type Case = (&'static str, Format, Option<(u32, u32)>, &'static [Code]);
    let cases: [Case; 12] = [
        ("picture.tiff", Format::Tiff, Some((256, 256)), &[]),
        (
            "pages.tiff",
            Format::Tiff,
            Some((320, 256)),
            &[Code::ImageFramesUnseen],
        ),
        (
            "cut-in-strip.tiff",
            Format::Tiff,
            Some((320, 256)),
            &[Code::ImageTruncated],
        ),
        ("big.tiff", Format::Tiff, Some((264, 256)), &[]),
        ("picture.heic", Format::Heic, Some((400, 300)), &[]),
        (
            "side-8192.heic",
            Format::Heic,
            Some((8_192, 300)),
            &[Code::ImageSideTooLong],
        ),
        ("picture.avif", Format::Avif, Some((8_192, 300)), &[]),
        ("picture.ico", Format::Ico, Some((256, 256)), &[]),
        (
            "last-is-small.ico",
            Format::Ico,
            Some((16, 16)),
            &[Code::ImageTooSmall],
        ),
        ("picture.svg", Format::Svg, Some((256, 256)), &[]),
        ("drawing.svg", Format::Svg, Some((400, 300)), &[]),
        ("not-drawn.svg", Format::Svg, None, &[Code::ImageCorrupt]),
    ];
    // That a long image is scanned in parts is of 1.0.
    let requirements = Requirements::V2.with_enforcement(Code::ImageTooSmall, Enforcement::Reject);
    for (name, format, size, codes) in cases {
        let inspection = Inspection::of(bytes(&format!("other/{name}")));
        assert_eq!(inspection.format(), Some(format), "{name}");
        let size = size.map(|(width, height)| Dimensions::new(width, height));
        assert_eq!(inspection.dimensions(), size, "{name}");
        let verdict = requirements.clone().with_format(format).judge(inspection);
        let found: Vec<_> = verdict.violations().iter().map(Violation::code).collect();
        let found: Vec<_> = found
            .into_iter()
            .filter(|code| codes.contains(code) || *code != Code::ImageFramesUnseen)
            .collect();
        assert_eq!(found, codes, "{name}: {verdict:?}");
        let is_rejected = codes.iter().any(|code| *code != Code::ImageFramesUnseen);
        assert_eq!(verdict.is_accepted(), !is_rejected, "{name}: {verdict:?}");
    }
}

/// The pages name this limit for HEIF, and list AVIF separately.
#[test]
fn a_heic_has_a_limit_of_its_own() {
    let heic = |side| Inspection::of(&heif(*b"heic", side, 300, 0));
    let allowed = Requirements::V2_MAINLAND.with_format(Format::Heic);
    assert!(allowed.judge(heic(8_191)).is_accepted());
    let verdict = allowed.judge(heic(8_192));
    let [violation, ..] = verdict.violations() else {
        panic!("{verdict:?}")
    };
    assert_eq!(violation.code(), Code::ImageSideTooLong);
    assert_eq!(
        violation.message().split(':').next().unwrap(),
        "8192x300 pixels, at most 8191 in width or height"
    );
    let raised = allowed.clone().with_max_heic_side(10_000);
    assert!(raised.judge(heic(8_192)).is_accepted());
    let lowered = allowed.with_max_side(4_000);
    assert!(
        !lowered.judge(heic(8_000)).is_accepted(),
        "the smaller limit counts"
    );
    assert_eq!(Requirements::V2.max_heic_side(), 8_191);
}

#[test]
fn the_pages_of_a_tiff_are_counted_and_the_last_strip_of_each_must_be_there() {
    for order in [Order::Big, Order::Little] {
        let file = pages(order, 320, 256, 3);
        let inspection = Inspection::of(&file);
        assert_eq!(inspection.frames(), Some(3));
        assert!(inspection.defects().is_empty(), "{inspection:?}");
        // The header says nothing of further pages.
        assert_eq!(Inspection::at(Depth::Header, &file).frames(), None);
        for end in (8..file.len()).step_by(23).chain([file.len() - 1]) {
            let cut = Inspection::of(&file[..end]);
            assert!(cut.defects().contains(DefectKind::Truncated), "{end}");
        }
        // A page that refers back ends the count: no loop.
        let mut loops = file.clone();
        let next = 8 + 2 + 8 * 12;
        loops[next..next + 4].copy_from_slice(&match order {
            Order::Big => 8_u32.to_be_bytes(),
            Order::Little => 8_u32.to_le_bytes(),
        });
        let inspection = Inspection::of(&loops);
        assert_eq!(
            (inspection.frames(), inspection.is_animated()),
            (None, false)
        );
        assert!(inspection.defects().is_empty(), "{inspection:?}");
    }
}

#[test]
fn entries_with_absurd_counts_cost_nothing() {
    let file = big_tiff(Order::Little, 264, 256);
    for kind in [0_u16, 1, 2, 7, 16, 99, 0xFFFF] {
        for tag in [256_u16, 273, 279, 324] {
            let mut odd = file.clone();
            odd[24..26].copy_from_slice(&tag.to_le_bytes());
            odd[26..28].copy_from_slice(&kind.to_le_bytes());
            odd[28..36].copy_from_slice(&u64::MAX.to_le_bytes());
            let inspection = Inspection::of(&odd);
            assert_eq!(inspection.format(), Some(Format::Tiff), "{kind} {tag}");
        }
    }
}

#[test]
fn the_size_of_an_svg_is_that_of_its_root() {
    for (attributes, size) in [
        ("width='300' height='200'", Some((300, 200))),
        (r#"width="300px" height="200PX""#, Some((300, 200))),
        (
            r#" height = "1in"  width	=
            ' 72pt '"#,
            Some((96, 96)),
        ),
        (r#"width="25.4mm" height="2.54cm""#, Some((96, 96))),
        (r#"width="101.6q" height="6pc""#, Some((96, 96))),
        (r#"width="1e3" height="12.5E+1px""#, Some((1_000, 125))),
        (r#"width="+2000e-1" height=".5e3""#, Some((200, 500))),
        (r#"width="0.2" height="299.5""#, Some((1, 300))),
        (
            r#"width="1e400" height="9999999999999999999999""#,
            Some((u32::MAX, u32::MAX)),
        ),
        (r#"viewBox="0 0 640 480""#, Some((640, 480))),
        (r#"viewBox="-5.5,-5 , 640.4	480.6""#, Some((640, 481))),
        (
            r#"width="100%" height="auto" viewBox="0 0 640 480""#,
            Some((640, 480)),
        ),
        (
            r#"width="20em" height="50vh" viewBox="0 0 640 480""#,
            Some((640, 480)),
        ),
        (r#"width="320" viewBox="0 0 640 480""#, Some((320, 240))),
        (r#"height="960" viewBox="0 0 640 480""#, Some((1_280, 960))),
        (
            r#"version="1.1" xml:space="preserve" data-width="1" width="300" height="200""#,
            Some((300, 200)),
        ),
        ("", None),
        (r#"width="300""#, None),
        (r#"width="100%" height="100%""#, None),
        (r#"width="300" height="tall" viewBox="0 0 640 480""#, None),
        (r#"width="&w;" height="300" viewBox="0 0 640 480""#, None),
        (
            r#"width="300 200" height="300" viewBox="0 0 640 480""#,
            None,
        ),
        (r#"viewBox="0 0 640""#, None),
        (r#"viewBox="0 0 640px 480px""#, None),
        (r#"WIDTH="300" HEIGHT="200""#, None),
        // Other attributes of the same name are not of the root.
        (r#"x:width="300" x:height="200""#, None),
        (r#"><rect width="300" height="200"/><g "#, None),
    ] {
        for depth in [Depth::Header, Depth::Structure] {
            let inspection = Inspection::at(depth, &svg(attributes));
            let size = size.map(|(width, height)| Dimensions::new(width, height));
            assert_eq!(inspection.dimensions(), size, "{attributes}");
        }
        // Without a size it is not accepted, and not called corrupt either.
        if size.is_none() {
            let allowed = Requirements::V2.with_format(Format::Svg);
            let verdict = allowed.judge(Inspection::at(Depth::Header, &svg(attributes)));
            assert_eq!(verdict.decision().name(), "inconclusive", "{attributes}");
        }
    }
    for attributes in [
        "width='0' height='200'",
        "width='-3' height='200'",
        "viewBox='0 0 0 200'",
    ] {
        let inspection = Inspection::of(&svg(attributes));
        assert!(
            inspection.defects().contains(DefectKind::ZeroDimension),
            "{attributes}"
        );
        assert_eq!(inspection.dimensions(), None);
    }
    let long = format!("width='{}' height='200' viewBox='0 0 9 9'", "1".repeat(100));
    assert_eq!(Inspection::of(&svg(&long)).dimensions(), None);
}

const ROOT: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300""#;

fn is_svg(text: &str) -> bool {
    let inspection = Inspection::of(text.as_bytes());
    let allowed = Requirements::V2.with_format(Format::Svg);
    allowed.judge(inspection).is_accepted()
}

#[test]
fn text_that_is_not_an_svg_is_rejected() {
    let root = |rest: &str| format!("{ROOT}{rest}");
    for (text, is_accepted) in [
        (root("/>"), true),
        (root("></svg>"), true),
        (root("></svg  >\n<!-- end --><?end?>\n"), true),
        (
            root("><a/><b c='d>'/>text ]] &amp; <e><f></f></e></svg>"),
            true,
        ),
        (
            root("><!-- </svg> - -- --><![CDATA[</svg>]]]]><?p </svg>?></svg>"),
            true,
        ),
        (
            format!("\u{feff}<?xml version='1.0'?>\n{}", root("/>")),
            true,
        ),
        (
            format!(
                "<!DOCTYPE svg [<!ENTITY a \"]><b\"><!-- it's ]> --><?p ']>?>]>{}",
                root("/>")
            ),
            true,
        ),
        (root(" style='a' A_b-c.9:d='é' é='x'/>"), true),
        // Decoders read the image before these bytes.
        (root("/>trailing"), true),
        (root("/><svg/>"), true),
        (root("></svg></svg>"), true),
        ("<svg>an SVG of no namespace</svg>".to_owned(), false),
        (
            "<svg xmlns='http://www.w3.org/1999/xhtml' width='300' height='300'/>".to_owned(),
            false,
        ),
        (ROOT.replace("<svg", "<SVG") + "/>", false),
        (root(""), false),
        (root(">"), false),
        (root("><g></svg>"), false),
        (root("></svg"), false),
        (root("><!-- </svg>"), false),
        (root("><![CDATA[</svg>"), false),
        (root(" a=b/>"), false),
        (root(" a/>"), false),
        (root(" a='<'/>"), false),
        (root("><g a=\"b></svg>"), false),
        (root("><1/></svg>"), false),
        (root("><!ELEMENT a></svg>"), false),
        (root(">\0</svg>"), false),
        (root("/ >"), false),
        (format!("text {}", root("/>")), false),
        (format!("<!DOCTYPE svg>text {}", root("/>")), false),
        (format!("<html>{}</html>", root("/>")), false),
    ] {
        assert_eq!(is_svg(&text), is_accepted, "{text}");
    }
    assert!(
        !is_svg(&format!("<!--{}-->{}", "x".repeat(70_000), root("/>"))),
        "the tag is too far"
    );
    // Neither depth nor length costs memory.
    let deep = format!(
        "{}>{}{}</svg>",
        ROOT,
        "<g>".repeat(100_000),
        "</g>".repeat(100_000)
    );
    assert!(is_svg(&deep));
    let bomb =
        format!("<!DOCTYPE svg [<!ENTITY a 'aa'><!ENTITY b '&a;&a;&a;'>]>{ROOT}>&b;&b;</svg>");
    assert!(is_svg(&bomb));
}

#[test]
fn what_follows_an_svg_is_noticed() {
    let file = format!("{ROOT}/>\n<!-- a -->\n");
    let end = u64::try_from(file.len()).unwrap();
    let inspection = Inspection::of(file.as_bytes());
    assert_eq!(inspection.trailing_bytes(), Some(0));
    for (more, len) in [
        ("PK\x03\x04", 4),
        ("<html/>", 7),
        ("<!-- open", 9),
        ("<", 1),
    ] {
        let inspection = Inspection::of(format!("{file}{more}").as_bytes());
        let mut defects = inspection.defects().iter();
        assert_eq!(
            defects.next(),
            Some((DefectKind::TrailingBytes, Some(end))),
            "{more}"
        );
        assert_eq!(inspection.trailing_bytes(), Some(len), "{more}");
    }
}

/// 2.0 looks at the first frame of a GIF and the last image of an icon by default.
#[test]
fn the_frames_of_2_0_are_configurable() {
    let gif = Inspection::of(bytes("gif/animated.gif"));
    let unseen = |requirements: &Requirements| {
        let verdict = requirements.judge(gif.clone());
        let codes: Vec<_> = verdict.violations().iter().map(Violation::code).collect();
        (
            verdict.is_accepted(),
            codes.contains(&Code::ImageFramesUnseen),
        )
    };
    assert_eq!(unseen(&Requirements::V2), (true, true));
    assert_eq!(unseen(&Requirements::V2.with_frame_cap(3)), (true, false));
    let strict = Requirements::V2.with_enforcement(Code::ImageFramesUnseen, Enforcement::Reject);
    assert_eq!(unseen(&strict), (false, true));
    // Of an icon, all images but the last are unseen.
    let icon = Inspection::of(bytes("other/last-is-small.ico"));
    assert_eq!(
        (icon.frames(), icon.dimensions()),
        (Some(2), Some(Dimensions::new(16, 16)))
    );
    let verdict = strict.with_format(Format::Ico).judge(icon);
    assert!(!verdict.is_accepted(), "{verdict:?}");
}

proptest! {
    #[test]
    fn any_chunking_and_mutation_gives_the_same_facts(
        width in 0_u32..70_000, height in 0_u32..70_000, turn in 0_u8..4, which in 0_usize..8,
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

    /// Texts of markup, of which some are complete.
    #[test]
    fn any_chunking_of_markup_gives_the_same_facts(
        parts in prop::collection::vec(0_usize..16, 1..12), cut in 1_usize..9, is_wide: bool,
    ) {
        const PARTS: [&str; 16] = [
            ROOT, "<svg ", "<!DOCTYPE svg [", "]>", "<!-- ", " -->", "<![CDATA[", "]]>", "<?xml ", "?>",
            ">", "/>", "</svg>", " width='3' ", "é\"", "\n",
        ];
        let text: String = parts.iter().map(|part| PARTS[*part]).collect();
        let file = if is_wide { utf_16(&text) } else { text.into_bytes() };
        for depth in [Depth::Header, Depth::Structure] {
            let mut inspector = Inspector::new(depth);
            for chunk in file.chunks(cut) {
                inspector.push(chunk);
            }
            prop_assert_eq!(inspector.finish(), Inspection::at(depth, &file));
        }
    }
}
