//! Header and structure depth take no memory from the heap, whatever the bytes say. A test of its
//! own binary: the allocator that counts is the whole program's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use allocation_counter::measure;
use greenlight::{Inspection, Inspector, inspect::Depth};

fn files_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is committed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_in(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn header_and_structure_depth_take_nothing_from_the_heap() {
    let mut paths = Vec::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    files_in(&fixtures.join("images"), &mut paths);
    assert!(paths.len() > 80, "{} fixtures", paths.len());
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        for depth in [Depth::Header, Depth::Structure] {
            let whole = measure(|| {
                let _ = Inspection::at(depth, &bytes);
            });
            assert_eq!(whole.count_total, 0, "{} at {depth:?}", path.display());
            let in_chunks = measure(|| {
                let mut inspector = Inspector::new(depth);
                for chunk in bytes.chunks(100) {
                    inspector.push(chunk);
                }
                let _ = inspector.finish();
            });
            assert_eq!(in_chunks.count_total, 0, "{} in chunks", path.display());
        }
    }
}

/// What payload depth takes does not grow with what a header declares.
#[test]
fn payload_depth_takes_the_same_for_any_size() {
    let mut paths = Vec::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    files_in(&fixtures.join("images"), &mut paths);
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let taken = measure(|| {
            let _ = Inspection::at(Depth::Payload, &bytes);
        });
        assert!(
            taken.bytes_max < 256 * 1024,
            "{}: {} bytes",
            path.display(),
            taken.bytes_max
        );
    }
}
