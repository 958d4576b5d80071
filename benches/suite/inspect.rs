//! Inspection of a complete file at each depth, and its peak memory.
//!
//! Header: format and size. Structure: the walk to the end of the file, compared with the one pass
//! over the bytes that it requires. Payload: the walk of the coded pixels, compared with decoders.
//! Decode: the same, and a decoder. `inspect/worst`: files that are generated to be expensive.

use std::{cell::RefCell, hint::black_box, io::Cursor, rc::Rc};

use greenlight::{Depth, Inspection};
use miniz_oxide::inflate::decompress_slice_iter_to_slice;
use zune_inflate::{DeflateDecoder, DeflateOptions};
use zune_jpeg::zune_core::bytestream::ZCursor;

use crate::{
    costly,
    harness::{Kind, Rounds, Scale, Side, Suite, Unit},
    pictures,
};

const DEPTHS: [(&str, Depth); 4] = [
    ("header", Depth::Header),
    ("structure", Depth::Structure),
    ("payload", Depth::Payload),
    ("decode", Depth::Decode),
];

pub(crate) fn run(suite: &mut Suite) {
    for (place, format) in pictures::FORMATS.into_iter().enumerate() {
        // Variants beyond the first of each format have one size.
        let is_variant = place >= 4;
        for (size, bytes) in pictures::SIZES {
            let is_quick = matches!(size, "10KB" | "1MB");
            if (is_variant && size != "1MB") || (suite.scale <= Scale::Quick && !is_quick) {
                continue;
            }
            let names = DEPTHS.map(|(depth, _)| {
                (
                    name("inspect", depth, format, size),
                    name("memory", depth, format, size),
                )
            });
            if names
                .iter()
                .any(|(time, memory)| suite.wants(time) || suite.wants(memory))
            {
                let picture = pictures::picture(format, bytes);
                let inspection = Inspection::at(Depth::Payload, &picture);
                assert!(
                    inspection.is_complete() && inspection.defects().is_empty(),
                    "{inspection:?}"
                );
                for ((depth, at), (time, memory)) in DEPTHS.into_iter().zip(&names) {
                    compare(suite, time, format, depth, at, &picture);
                    if !is_variant {
                        peak(suite, memory, format, depth, at, &picture);
                    }
                }
            }
        }
    }
    worst(suite);
}

fn name(area: &str, depth: &str, format: &str, size: &str) -> String {
    format!("{area}/{depth}/{format}/{size}")
}

/// What is compared: its name, what it is, and the work.
type Contender<'a> = (&'static str, Kind, Box<dyn Fn() + 'a>);

fn contender<'a, T>(who: &'static str, kind: Kind, run: impl Fn() -> T + 'a) -> Contender<'a> {
    let run = move || {
        black_box(run());
    };
    (who, kind, Box::new(run))
}

fn contenders<'a>(format: &str, depth: &str, at: Depth, bytes: &'a [u8]) -> Vec<Contender<'a>> {
    let format = format.split('-').next().unwrap_or_default();
    let mut all = vec![contender("greenlight", Kind::Ours, move || {
        Inspection::at(at, black_box(bytes))
    })];
    match depth {
        "header" => all.extend(headers(bytes)),
        "structure" => {
            all.extend(pass(format, bytes));
            all.push(memcpy(bytes));
        }
        _ => {
            all.extend(decoders(format, bytes));
            if (format, depth) == ("png", "payload") {
                all.extend(inflaters(bytes));
            }
            all.push(memcpy(bytes));
        }
    }
    all
}

fn compare(suite: &mut Suite, name: &str, format: &str, depth: &str, at: Depth, bytes: &[u8]) {
    // The time for a header does not depend on the file's length.
    if depth == "header" && !name.ends_with("/1MB") {
        return;
    }
    let all = contenders(format, depth, at, bytes).into_iter();
    let sides = all
        .map(|(who, kind, run)| Side::timed(who, kind, run))
        .collect();
    let len = (depth != "header").then_some(bytes.len());
    suite.compare(name, Unit::Nanoseconds, len, Rounds::Timed, sides);
}

/// The most memory that is allocated at one time; the file itself is not counted.
fn peak(suite: &mut Suite, name: &str, format: &str, depth: &str, at: Depth, bytes: &[u8]) {
    if !matches!(depth, "structure" | "payload") {
        return;
    }
    let all = contenders(format, depth, at, bytes).into_iter();
    let sides = all
        .filter(|(_, kind, _)| *kind != Kind::Limit)
        .map(|(who, kind, run)| {
            let measure = move || allocation_counter::measure(&run).bytes_max as f64;
            Side::new(who, kind, measure)
        });
    let sides = sides.collect();
    suite.compare(
        name,
        Unit::Bytes,
        Some(bytes.len()),
        Rounds::Exactly(1),
        sides,
    );
}

/// Readers of format and size. `infer` reads the format only.
fn headers(bytes: &[u8]) -> Vec<Contender<'_>> {
    vec![
        contender("imagesize", Kind::Peer, move || {
            imagesize::blob_size(black_box(bytes))
        }),
        contender("imsz", Kind::Peer, move || {
            imsz::imsz(Cursor::new(black_box(bytes)))
        }),
        contender("infer", Kind::Peer, move || infer::get(black_box(bytes))),
        contender("image", Kind::Peer, move || {
            let reader = image::ImageReader::new(Cursor::new(black_box(bytes)));
            reader.with_guessed_format().unwrap().into_dimensions()
        }),
    ]
}

/// The one pass over the bytes that the format requires.
fn pass<'a>(format: &str, bytes: &'a [u8]) -> Option<Contender<'a>> {
    Some(match format {
        "jpeg" => contender("memchr", Kind::Limit, move || {
            memchr::memchr_iter(0xff, black_box(bytes)).fold(0_usize, usize::wrapping_add)
        }),
        "png" => contender("crc32fast", Kind::Limit, move || {
            crc32fast::hash(black_box(bytes))
        }),
        "gif" => contender("sub-block-walk", Kind::Limit, move || {
            sub_blocks(black_box(bytes))
        }),
        // A BMP has neither markers nor checksums.
        _ => return None,
    })
}

fn memcpy(bytes: &[u8]) -> Contender<'_> {
    let target = RefCell::new(vec![0; bytes.len()]);
    contender("memcpy", Kind::Limit, move || {
        target.borrow_mut().copy_from_slice(black_box(bytes));
    })
}

fn decoders<'a>(format: &str, bytes: &'a [u8]) -> Vec<Contender<'a>> {
    let mut all = vec![contender("image", Kind::Peer, move || {
        image::load_from_memory(black_box(bytes)).unwrap()
    })];
    match format {
        "jpeg" => all.push(contender("zune-jpeg", Kind::Peer, move || {
            zune_jpeg::JpegDecoder::new(ZCursor::new(black_box(bytes)))
                .decode()
                .unwrap()
        })),
        "png" => {
            all.push(contender("png", Kind::Peer, move || png(black_box(bytes))));
            all.push(contender("zune-png", Kind::Peer, move || {
                let mut decoder = zune_png::PngDecoder::new(ZCursor::new(black_box(bytes)));
                decoder.decode_raw().unwrap()
            }));
        }
        // `image` decodes one frame only; this is all of them.
        "gif" => all.push(contender("gif", Kind::Peer, move || gif(black_box(bytes)))),
        _ => all.push(contender("zune-bmp", Kind::Peer, move || {
            zune_bmp::BmpDecoder::new(ZCursor::new(black_box(bytes)))
                .decode()
                .unwrap()
        })),
    }
    all
}

/// Decompression of a PNG's image data alone, in one call into one buffer. It shows what payload
/// depth could reach with each decompressor, except for pictures that decompress to much more than
/// the cache holds: for these a small buffer is faster.
fn inflaters(bytes: &[u8]) -> Vec<Contender<'_>> {
    let packed = image_data(bytes);
    let len = DeflateDecoder::new(&packed).decode_zlib().unwrap().len();
    let data: Rc<[u8]> = packed.into();
    let limit = |who, inflate: fn(&[u8], &mut [u8])| {
        let (data, target) = (data.clone(), RefCell::new(vec![0; len]));
        let run = move || inflate(black_box(&data), &mut target.borrow_mut());
        contender(who, Kind::Limit, run)
    };
    vec![
        limit("inflate-zlib-rs", |data, target| {
            let mut inflate = zlib_rs::Inflate::new(true, 15);
            let status = inflate.decompress(data, target, zlib_rs::InflateFlush::Finish);
            assert_eq!(status, Ok(zlib_rs::Status::StreamEnd));
        }),
        limit("inflate-fdeflate", |data, target| {
            let mut inflate = fdeflate::Decompressor::new();
            inflate.read(data, target, 0, true).unwrap();
            assert!(inflate.is_done());
        }),
        limit("inflate-miniz_oxide", |data, target| {
            let data = std::iter::once(data);
            decompress_slice_iter_to_slice(target, data, true, false).unwrap();
        }),
        limit("inflate-zune-inflate", |data, target| {
            let options = DeflateOptions::default().set_size_hint(target.len());
            let mut inflate = DeflateDecoder::new_with_options(data, options);
            black_box(inflate.decode_zlib().unwrap());
        }),
    ]
}

/// The contents of the IDAT chunks.
fn image_data(file: &[u8]) -> Vec<u8> {
    let mut rest = &file[8..];
    let mut data = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk() {
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap();
        if after.starts_with(b"IDAT") {
            data.extend_from_slice(&after[4..][..len]);
        }
        rest = &after[4 + len + 4..];
    }
    data
}

fn png(bytes: &[u8]) -> Vec<u8> {
    let decoder = png::Decoder::new(Cursor::new(bytes));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    pixels
}

fn gif(bytes: &[u8]) {
    let mut decoder = gif::DecodeOptions::new()
        .read_info(Cursor::new(bytes))
        .unwrap();
    while decoder.read_next_frame().unwrap().is_some() {}
}

/// Walks over a GIF's sub-blocks by their lengths, with the minimum of code to find them.
fn sub_blocks(file: &[u8]) -> usize {
    let mut at = 13 + 3 * 256;
    let mut blocks = 0;
    loop {
        at += match file[at] {
            b',' => 11,
            b'!' => 2,
            _ => return blocks,
        };
        while file[at] != 0 {
            at += usize::from(file[at]) + 1;
            blocks += 1;
        }
        at += 1;
    }
}

/// Files with the highest cost per byte at payload depth, compared with a copy of their bytes.
fn worst(suite: &mut Suite) {
    if !suite.wants("inspect/payload/worst") && suite.scale <= Scale::Quick {
        return;
    }
    for file in costly::files() {
        let name = format!("inspect/payload/worst/{}", file.name);
        let bytes = &file.bytes[..];
        let ours = Side::ours(move || Inspection::at(Depth::Payload, black_box(bytes)));
        let (who, kind, copy) = memcpy(bytes);
        let sides = vec![ours, Side::timed(who, kind, copy)];
        suite.compare(
            &name,
            Unit::Nanoseconds,
            Some(bytes.len()),
            Rounds::Timed,
            sides,
        );
    }
}
