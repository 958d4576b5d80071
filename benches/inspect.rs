//! The inspector against its peers, and against what the machine can do: `cargo bench --bench
//! inspect --features decode`.
//!
//! Header: the verdict on format and size. Structure: the walk to the file's end, beside the one
//! pass over the bytes that it cannot do without. Payload: the walk of the coded pixels, beside
//! decoders that make pixels of them.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    reason = "a benchmark on pictures of its own making"
)]

mod pictures;

use std::{hint::black_box, io::Cursor};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use greenlight::{Inspection, inspect::Depth};
use pictures::Picture;
use zune_jpeg::{JpegDecoder, zune_core::bytestream::ZCursor};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for picture in [
        pictures::jpeg("jpeg-baseline-small", 600, false),
        pictures::jpeg("jpeg-baseline-large", 4200, false),
        pictures::jpeg("jpeg-progressive-small", 600, true),
        pictures::jpeg("jpeg-progressive-large", 3000, true),
    ] {
        jpeg(&mut criterion, &picture);
    }
    for picture in [
        pictures::png("png-rgb", 1200, png::ColorType::Rgb),
        pictures::png("png-rgba", 900, png::ColorType::Rgba),
        pictures::png("png-palette", 1200, png::ColorType::Indexed),
        pictures::png("png-gray-16", 900, png::ColorType::Grayscale),
    ] {
        png(&mut criterion, &picture);
    }
    gif(&mut criterion, &pictures::gif("gif-animated", 400, 24));
    bmp(&mut criterion, &pictures::bmp("bmp-24", 1800));
    criterion.final_summary();
}

/// A group of measures on one picture, with those that every format has.
fn group<'a>(criterion: &'a mut Criterion, picture: &Picture) -> BenchmarkGroup<'a, WallTime> {
    let bytes = &picture.bytes[..];
    let inspection = Inspection::at(Depth::Payload, bytes);
    assert!(
        inspection.is_complete() && inspection.defects().is_empty(),
        "{inspection:?}"
    );
    let mut group = criterion.benchmark_group(picture.name);
    group.throughput(Throughput::Elements(1));
    group.bench_function("header/greenlight", |b| {
        b.iter(|| Inspection::at(Depth::Header, black_box(bytes)).dimensions());
    });
    group.bench_function("header/imagesize", |b| {
        b.iter(|| imagesize::blob_size(black_box(bytes)));
    });
    group.bench_function("header/image", |b| {
        b.iter(|| {
            let reader = image::ImageReader::new(Cursor::new(black_box(bytes)));
            reader.with_guessed_format().unwrap().into_dimensions()
        });
    });
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("structure/greenlight", |b| {
        b.iter(|| Inspection::at(Depth::Structure, black_box(bytes)));
    });
    group.bench_function("structure/greenlight-in-8-kb-chunks", |b| {
        b.iter(|| Inspection::read(Depth::Structure, Chunks(black_box(bytes))));
    });
    group.bench_function("payload/greenlight", |b| {
        b.iter(|| Inspection::at(Depth::Payload, black_box(bytes)));
    });
    group
}

/// Bytes as a socket gives them.
struct Chunks<'a>(&'a [u8]);

impl std::io::Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(8192);
        self.0.read(&mut buffer[..most])
    }
}

fn jpeg(criterion: &mut Criterion, picture: &Picture) {
    let bytes = &picture.bytes[..];
    let mut group = group(criterion, picture);
    group.bench_function("structure/limit-memchr-0xff", |b| {
        b.iter(|| memchr::memchr_iter(0xff, black_box(bytes)).fold(0_usize, usize::wrapping_add));
    });
    group.sample_size(20);
    group.bench_function("payload/zune-jpeg", |b| {
        b.iter(|| JpegDecoder::new(ZCursor::new(black_box(bytes))).decode());
    });
    group.finish();
}

fn png(criterion: &mut Criterion, picture: &Picture) {
    let bytes = &picture.bytes[..];
    let mut group = group(criterion, picture);
    group.bench_function("structure/limit-crc32fast", |b| {
        b.iter(|| crc32fast::hash(black_box(bytes)));
    });
    group.sample_size(20);
    group.bench_function("payload/png", |b| {
        b.iter(|| {
            let decoder = png::Decoder::new(Cursor::new(black_box(bytes)));
            let mut reader = decoder.read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            pixels
        });
    });
    group.finish();
}

fn gif(criterion: &mut Criterion, picture: &Picture) {
    let bytes = &picture.bytes[..];
    let mut group = group(criterion, picture);
    group.bench_function("structure/limit-sub-blocks", |b| {
        b.iter(|| sub_blocks(black_box(bytes)));
    });
    group.sample_size(20);
    group.bench_function("payload/gif", |b| {
        b.iter(|| {
            let mut decoder = gif::DecodeOptions::new()
                .read_info(Cursor::new(black_box(bytes)))
                .unwrap();
            while decoder.read_next_frame().unwrap().is_some() {}
        });
    });
    group.finish();
}

fn bmp(criterion: &mut Criterion, picture: &Picture) {
    group(criterion, picture).finish();
}

/// The bare walk over a GIF's sub-blocks by their lengths, with as little else as it takes to find
/// them.
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
