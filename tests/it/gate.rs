//! The gate: rejection at the first byte that proves an image invalid.

use greenlight::{Claim, Code, Decision, Gate, Requirements, Violation};

use crate::requirements::bmp;

/// Pushes `bytes` in chunks of `size` and returns after how many bytes they were rejected, and why.
fn refusal(mut gate: Gate, bytes: &[u8], size: usize) -> Option<(usize, Code)> {
    let mut pushed = 0;
    for chunk in bytes.chunks(size) {
        pushed += chunk.len();
        if let Err(rejected) = gate.push(chunk) {
            return Some((pushed, rejected.violations()[0].code()));
        }
    }
    gate.finish()
        .err()
        .map(|rejected| (pushed, rejected.violations()[0].code()))
}

#[test]
fn a_small_image_is_rejected_by_its_header() {
    let image = bmp(255, 300);
    for size in [1, 7, 4096, image.len()] {
        let (pushed, code) =
            refusal(Gate::new(Requirements::ASYNC), &image, size).expect("it is refused");
        assert_eq!(code, Code::ImageTooSmall);
        assert!(
            pushed <= 64 + size,
            "refused only after {pushed} bytes in chunks of {size}"
        );
    }
}

#[test]
fn a_rejection_names_what_the_end_shows_once_all_is_received() {
    let image = bmp(255, 300);
    let cut = &image[..image.len() - 1];
    for (announced, codes) in [
        (cut.len(), &[Code::ImageTooSmall, Code::ImageTruncated][..]),
        (image.len(), &[Code::ImageTooSmall]),
    ] {
        let mut gate = Gate::new(Requirements::ASYNC);
        gate.announce_len(u64::try_from(announced).unwrap())
            .expect("it is small");
        let rejected = gate.push(cut).expect_err("it is refused");
        let found = rejected.violations().iter().map(Violation::code);
        assert_eq!(found.collect::<Vec<_>>(), codes);
        assert!(gate.push(b"more than was announced").is_err());
        assert!(gate.finish().is_err());
    }
}

#[test]
fn a_valid_image_passes_in_any_chunking() {
    let image = bmp(300, 300);
    for size in [1000, 4096, image.len()] {
        assert_eq!(refusal(Gate::new(Requirements::ASYNC), &image, size), None);
    }
}

#[test]
fn a_file_one_byte_above_the_limit_is_rejected() {
    let image = bmp(300, 300);
    let limit = image.len() - 5000;
    let requirements = Requirements::ASYNC.with_max_bytes(u64::try_from(limit).unwrap());
    let (pushed, code) = refusal(Gate::new(requirements), &image, 1).expect("it is refused");
    assert_eq!((pushed, code), (limit + 1, Code::ImageTooLarge));
}

#[test]
fn a_truncated_upload_is_rejected_at_its_end() {
    let image = bmp(300, 300);
    let cut = &image[..image.len() - 1];
    let (pushed, code) = refusal(Gate::new(Requirements::ASYNC), cut, 4096).expect("it is refused");
    assert_eq!((pushed, code), (cut.len(), Code::ImageTruncated));
}

#[test]
fn no_bytes_are_an_empty_image() {
    let rejected = Gate::new(Requirements::ASYNC)
        .finish()
        .expect_err("an empty upload is rejected");
    assert_eq!(rejected.decision(), Decision::Reject);
    assert_eq!(rejected.violations()[0].code(), Code::ImageEmpty);
}

#[test]
fn a_claim_that_the_bytes_contradict_is_a_warning() {
    let mut gate = Gate::new(Requirements::ASYNC);
    gate.claim(Claim::from_content_type("image/png; charset=x").expect("it claims PNG"));
    gate.push(&bmp(300, 300))
        .expect("a warning does not stop it");
    let accepted = gate.finish().expect("a warning does not stop it");
    assert_eq!(accepted.warnings()[0].code(), Code::ImageTypeMismatch);
}
