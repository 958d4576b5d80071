//! The gate over an upload in chunks of each size: the whole check of an upload at structure depth.

use std::hint::black_box;

use greenlight::{Gate, Requirements};

use crate::{
    harness::{Rounds, Scale, Side, Suite, Unit},
    pictures,
};

const CHUNKS: [(&str, usize); 5] = [
    ("64B", 64),
    ("1KB", 1 << 10),
    ("8KB", 8 << 10),
    ("64KB", 64 << 10),
    ("1MB", 1 << 20),
];

pub(crate) fn run(suite: &mut Suite) {
    for format in ["jpeg", "png", "gif", "bmp"] {
        let name = |chunk: &str| format!("gate/structure/{format}/5MB-in-{chunk}");
        let chunks = CHUNKS.iter().filter(|(chunk, _)| suite.wants(&name(chunk)));
        let chunks: Vec<_> = chunks
            .filter(|(chunk, _)| suite.scale > Scale::Quick || *chunk == "8KB")
            .collect();
        if chunks.is_empty() {
            continue;
        }
        let picture = pictures::picture(format, 5_000_000);
        let bytes = &picture[..];
        for (chunk, len) in chunks {
            let mut buffer = vec![0; *len];
            let sides = vec![
                Side::ours(|| {
                    let mut gate = Gate::new(Requirements::ASYNC);
                    for chunk in black_box(bytes).chunks(*len) {
                        gate.push(chunk).unwrap();
                    }
                    gate.finish().unwrap()
                }),
                match format {
                    "jpeg" => Side::limit("memchr", || {
                        let chunks = black_box(bytes).chunks(*len);
                        let hits = chunks.flat_map(|chunk| memchr::memchr_iter(0xff, chunk));
                        hits.fold(0_usize, usize::wrapping_add)
                    }),
                    _ => Side::limit("crc32fast", || {
                        let mut hasher = crc32fast::Hasher::new();
                        for chunk in black_box(bytes).chunks(*len) {
                            hasher.update(chunk);
                        }
                        hasher.finalize()
                    }),
                },
                Side::limit("memcpy", || {
                    for chunk in black_box(bytes).chunks(*len) {
                        buffer[..chunk.len()].copy_from_slice(chunk);
                        black_box(&buffer);
                    }
                }),
            ];
            suite.compare(
                &name(chunk),
                Unit::Nanoseconds,
                Some(bytes.len()),
                Rounds::Timed,
                sides,
            );
        }
    }
}
