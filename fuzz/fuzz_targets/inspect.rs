//! Any bytes at every depth: no panic, and a depth does not contradict a shallower one.

#![no_main]

use greenlight::{Depth, Format, Identity, Inspection};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut before = Inspection::at(Depth::Header, bytes);
    for depth in [Depth::Structure, Depth::Payload, Depth::Decode] {
        let now = Inspection::at(depth, bytes);
        // A TGA is named by its footer, which header depth does not read.
        let is_named_by_footer = before.identity() == Identity::NotAnImage
            && now.identity() == Identity::Format(Format::Tga);
        if !is_named_by_footer {
            assert_eq!(now.identity(), before.identity());
        }
        assert_eq!(now.dimensions(), before.dimensions(), "at {depth:?}");
        assert!(now.is_complete() || bytes.is_empty());
        before = now;
    }
});
