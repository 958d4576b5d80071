//! Any bytes at every depth: no panic, and no depth takes back what a shallower one says.

#![no_main]

use greenlight::{Inspection, inspect::Depth};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut before = Inspection::at(Depth::Header, bytes);
    for depth in [Depth::Structure, Depth::Payload, Depth::Decode] {
        let now = Inspection::at(depth, bytes);
        assert_eq!(now.identity(), before.identity());
        assert_eq!(now.dimensions(), before.dimensions(), "at {depth:?}");
        assert!(now.is_complete() || bytes.is_empty());
        before = now;
    }
});
