//! Files that are held for decoding share one budget of bytes. A test of its own binary: the budget
//! and the allocator that counts are the whole program's.
#![cfg(feature = "decode")]

use allocation_counter::measure;
use greenlight::{DefectKind, Depth, Inspector};

/// A PNG's beginning, so that the rest is held.
const PNG: &[u8] = include_bytes!("../fixtures/images/png/rgb.png");

#[test]
fn concurrent_uploads_use_bounded_memory() {
    let chunk = vec![0; 1 << 20];
    let mut inspectors = Vec::new();
    let taken = measure(|| {
        for _ in 0..64 {
            let mut inspector = Inspector::new(Depth::Decode);
            inspector.push(&PNG[..60]);
            inspectors.push(inspector);
        }
        // 64 uploads of 16 MB each, which take turns.
        for _ in 0..16 {
            for inspector in &mut inspectors {
                inspector.push(&chunk);
            }
        }
    });
    assert!(taken.bytes_max < 290 << 20, "{} bytes", taken.bytes_max);
    assert!(
        taken.bytes_max > 100 << 20,
        "{} bytes, held?",
        taken.bytes_max
    );
    drop(inspectors);
    // The budget is free again; before, the file would not have been held.
    let mut inspector = Inspector::new(Depth::Decode);
    inspector.push(PNG);
    let inspection = inspector.finish();
    assert!(!inspection.defects().contains(DefectKind::NotDecoded));
}
