//! Any chunking of the same bytes gives the same facts, and the facts of a prefix hold for the file.
//! The last bytes select the depth and the lengths of the chunks.

#![no_main]

use greenlight::{Depth, Identity, Inspection, Inspector};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((bytes, tail)) = input.split_last_chunk::<8>() else {
        return;
    };
    let [depth, cuts @ ..] = *tail;
    let depth = match depth % 3 {
        0 => Depth::Header,
        1 => Depth::Structure,
        _ => Depth::Payload,
    };
    let mut inspector = Inspector::new(depth);
    let mut rest = bytes;
    let mut before = inspector.inspection().clone();
    for cut in cuts.into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, behind) = rest.split_at(usize::from(cut).max(1).min(rest.len()));
        inspector.push(chunk);
        rest = behind;
        let now = inspector.inspection().clone();
        assert_holds(&before, &now);
        before = now;
    }
    let whole = inspector.finish();
    assert_holds(&before, &whole);
    assert_eq!(whole, Inspection::at(depth, bytes));
});

fn assert_holds(before: &Inspection, now: &Inspection) {
    if before.identity() != Identity::Undecided {
        assert_eq!(now.identity(), before.identity());
    }
    if before.dimensions().is_some() {
        assert_eq!(now.dimensions(), before.dimensions());
    }
    if before.frames().is_some() {
        assert_eq!(now.frames(), before.frames());
    }
    for (kind, _) in before.defects().iter() {
        assert!(now.defects().contains(kind), "{kind} is gone");
    }
}
