//! Inputs that the fuzzer found: every file in `fixtures/crashes` is read at every depth, as one
//! slice and byte by byte.

use std::{fs, path::Path};

use greenlight::{Depth, Inspection, Inspector};

#[test]
fn earlier_crash_inputs_are_read_to_their_end() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/crashes");
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("the folder is committed") {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let header = Inspection::at(Depth::Header, &bytes);
        for depth in [Depth::Header, Depth::Structure, Depth::Payload] {
            let whole = Inspection::at(depth, &bytes);
            assert!(
                whole.is_complete() || bytes.is_empty(),
                "{}",
                path.display()
            );
            assert_eq!(
                whole.dimensions(),
                header.dimensions(),
                "{}",
                path.display()
            );
            let mut inspector = Inspector::new(depth);
            for byte in &bytes {
                inspector.push(&[*byte]);
            }
            assert_eq!(inspector.finish(), whole, "{} at {depth:?}", path.display());
        }
        files += 1;
    }
    assert!(files > 0);
}
