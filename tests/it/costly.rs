//! The work at payload depth is bounded by the length of the file: it is counted, and excessive parts
//! are recorded as not examined.

#[path = "../../fixtures/costly.rs"]
mod files;

use greenlight::{DefectKind, Depth, Inspection, Inspector};

#[test]
fn excessive_work_is_not_done() {
    let mut wrong = Vec::new();
    for file in files::files() {
        let inspection = Inspection::at(Depth::Payload, &file.bytes);
        assert!(inspection.is_complete(), "{}", file.name);
        if inspection.is_payload_unchecked() == file.is_examined {
            wrong.push((file.name, *inspection.defects()));
        }
        let mut inspector = Inspector::new(Depth::Payload);
        for chunk in file.bytes.chunks(1_023) {
            inspector.push(chunk);
        }
        assert_eq!(inspector.finish(), inspection, "{}", file.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Unexamined parts are never reported as corrupt.
#[test]
fn an_unexamined_image_has_no_other_defect() {
    for file in files::files() {
        let inspection = Inspection::at(Depth::Payload, &file.bytes);
        if inspection.is_payload_unchecked() {
            let kinds: Vec<_> = inspection.defects().iter().map(|(kind, _)| kind).collect();
            assert_eq!(kinds, [DefectKind::NotWalked], "{}", file.name);
        }
    }
}

/// Many inspections may run at a time, so what one allocates is bounded as well.
#[test]
fn a_png_is_inspected_in_less_than_200_kb() {
    let files = files::files();
    let pngs = files.iter().filter(|file| file.name.contains("png"));
    let allocated = pngs.map(|file| {
        let allocated = allocation_counter::measure(|| {
            let mut inspector = Inspector::new(Depth::Payload);
            for chunk in file.bytes.chunks(1_023) {
                inspector.push(chunk);
            }
            inspector.finish();
        });
        (allocated.bytes_max, file.name)
    });
    let most = allocated.max().unwrap();
    assert!((150_000..200_000).contains(&most.0), "{most:?}");
}
