//! Compares the inspector with similar crates and with lower bounds: `cargo bench --bench inspect
//! --features decode`.
//!
//! Header: the verdict on format and size. Structure: the walk to the end of the file, compared with
//! the one pass over the bytes that it requires. Payload: the walk of the coded pixels, compared
//! with decoders.
//!
//! The first output is a table of ratios, from alternating rounds, so that other load affects all
//! sides. Then criterion measures each side separately. With a filter as the argument, there is no
//! table.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark on generated pictures, which prints"
)]

#[path = "../fixtures/costly.rs"]
mod costly;
mod pictures;

use std::{
    hint::black_box,
    io::Cursor,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput};
use greenlight::{Depth, Format, Inspection};
use pictures::Picture;
use zune_jpeg::{JpegDecoder, zune_core::bytestream::ZCursor};

/// Minimum duration of one side's part of a round. Rounds are short and many, so that interrupted
/// ones do not affect the median.
const ROUND: Duration = Duration::from_micros(300);

fn main() {
    let pictures = [
        pictures::jpeg("jpeg-baseline-small", 600, false),
        pictures::jpeg("jpeg-baseline-large", 4200, false),
        pictures::jpeg("jpeg-progressive-small", 600, true),
        pictures::jpeg("jpeg-progressive-large", 3000, true),
        pictures::png("png-rgb", 1200, png::ColorType::Rgb),
        pictures::png("png-rgba", 900, png::ColorType::Rgba),
        pictures::png("png-palette", 1200, png::ColorType::Indexed),
        pictures::png("png-gray-16", 900, png::ColorType::Grayscale),
        pictures::gif("gif-animated", 400, 24),
        pictures::bmp("bmp-24", 1800),
    ];
    if std::env::args().any(|argument| argument == "cost") {
        return cost();
    }
    // `cargo bench` adds an argument of its own.
    if std::env::args().skip(1).eq(["--bench"]) {
        println!("| picture, depth | greenlight | compared with | ratio |");
        println!("|---|---|---|---|");
        for picture in &pictures {
            for level in levels(picture) {
                table(picture, level);
            }
        }
    }
    let mut criterion = Criterion::default().configure_from_args();
    for picture in &pictures {
        measure(&mut criterion, picture);
    }
    criterion.final_summary();
}

/// One implementation of the same work.
struct Side<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Side<'a> {
    fn new<T>(name: &'static str, mut run: impl FnMut() -> T + 'a) -> Self {
        let run = Box::new(move || {
            black_box(run());
        });
        Self { name, run }
    }
}

/// A depth and its implementations, the library first.
struct Level<'a> {
    name: &'static str,
    /// The throughput to report; none for headers.
    throughput: Option<usize>,
    sides: Vec<Side<'a>>,
}

fn levels(picture: &Picture) -> [Level<'_>; 3] {
    let bytes = &picture.bytes[..];
    let inspection = Inspection::at(Depth::Payload, bytes);
    assert!(
        inspection.is_complete() && inspection.defects().is_empty(),
        "{inspection:?}"
    );
    let at = |depth| {
        Side::new("greenlight", move || {
            Inspection::at(depth, black_box(bytes))
        })
    };
    let level = |name, throughput, depth, mut peers: Vec<_>| {
        peers.insert(0, at(depth));
        Level {
            name,
            throughput,
            sides: peers,
        }
    };
    let chunks = Side::new("greenlight in 8 KB chunks", move || {
        Inspection::read(Depth::Structure, Chunks(black_box(bytes)))
    });
    let (limits, decoders) = match inspection.format().unwrap() {
        Format::Jpeg => (vec![memchr(bytes), chunks], vec![zune_jpeg(bytes)]),
        Format::Png => (vec![crc32fast(bytes), chunks], vec![png(bytes)]),
        Format::Gif => (vec![sub_block_walk(bytes), chunks], vec![gif(bytes)]),
        _ => (vec![chunks], vec![]),
    };
    let len = Some(bytes.len());
    [
        level("header", None, Depth::Header, headers(bytes)),
        level("structure", len, Depth::Structure, limits),
        level("payload", len, Depth::Payload, decoders),
    ]
}

/// Runs rounds of all sides and prints their durations relative to the library's: the median of
/// consecutive pairs.
fn table(picture: &Picture, mut level: Level<'_>) {
    let calls: Vec<u32> = level.sides.iter_mut().map(calls).collect();
    let longest = level.sides.iter_mut().map(|side| time(side, 1)).max();
    let rounds = if longest > Some(ROUND) { 21 } else { 301 };
    let mut times = vec![Vec::new(); level.sides.len()];
    for _ in 0..rounds {
        for ((side, calls), times) in level.sides.iter_mut().zip(&calls).zip(&mut times) {
            times.push(time(side, *calls).as_secs_f64() / f64::from(*calls));
        }
    }
    let shown = |times: &[f64]| {
        let time = median(times.to_vec());
        match level.throughput {
            Some(len) => format!("{:.0} MB/s", len as f64 / time / 1e6),
            None => format!("{:.1} ns", time * 1e9),
        }
    };
    let (ours, theirs) = times.split_first().unwrap();
    for (side, theirs) in level.sides.iter().skip(1).zip(theirs) {
        let ratios = theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours);
        println!(
            "| {}, {} | {} | {}: {} | {:.2} |",
            picture.name,
            level.name,
            shown(ours),
            side.name,
            shown(theirs),
            median(ratios.collect()),
        );
    }
}

/// Returns how many calls a round takes.
fn calls(side: &mut Side<'_>) -> u32 {
    let mut calls = 1;
    while time(side, calls) < ROUND {
        calls *= 2;
    }
    calls
}

fn time(side: &mut Side<'_>, calls: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        (side.run)();
    }
    start.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn measure(criterion: &mut Criterion, picture: &Picture) {
    let mut group = criterion.benchmark_group(picture.name);
    for level in levels(picture) {
        group.sample_size(if level.name == "payload" { 20 } else { 100 });
        group.throughput(match level.throughput {
            Some(len) => Throughput::Bytes(len as u64),
            None => Throughput::Elements(1),
        });
        for mut side in level.sides {
            let name = format!("{}/{}", level.name, side.name.replace(' ', "-"));
            group.bench_function(name, |b| b.iter(&mut side.run));
        }
    }
    group.finish();
}

/// Prints the time per byte at payload depth, for files that are generated to be expensive: `cargo
/// bench --bench inspect -- cost`. It is the minimum of many runs, because other processes only add
/// time.
fn cost() {
    println!("| file | bytes | ns/byte | examined |");
    println!("|---|---|---|---|");
    for file in costly::files() {
        let mut side = Side::new("greenlight", || {
            Inspection::at(Depth::Payload, black_box(&file.bytes))
        });
        let least = (0..100).map(|_| time(&mut side, 1)).min().unwrap();
        println!(
            "| {} | {} | {:.1} | {} |",
            file.name,
            file.bytes.len(),
            least.as_nanos() as f64 / file.bytes.len() as f64,
            if file.is_examined { "all" } else { "a part" },
        );
    }
}

fn headers(bytes: &[u8]) -> Vec<Side<'_>> {
    let imagesize = Side::new("imagesize", move || imagesize::blob_size(black_box(bytes)));
    let image = Side::new("image", move || {
        let reader = image::ImageReader::new(Cursor::new(black_box(bytes)));
        reader.with_guessed_format().unwrap().into_dimensions()
    });
    vec![imagesize, image]
}

fn memchr(bytes: &[u8]) -> Side<'_> {
    Side::new("memchr of 0xFF", move || {
        memchr::memchr_iter(0xff, black_box(bytes)).fold(0_usize, usize::wrapping_add)
    })
}

fn crc32fast(bytes: &[u8]) -> Side<'_> {
    Side::new("crc32fast", move || crc32fast::hash(black_box(bytes)))
}

fn sub_block_walk(bytes: &[u8]) -> Side<'_> {
    Side::new("sub-block walk", move || sub_blocks(black_box(bytes)))
}

fn zune_jpeg(bytes: &[u8]) -> Side<'_> {
    Side::new("zune-jpeg", move || {
        JpegDecoder::new(ZCursor::new(black_box(bytes))).decode()
    })
}

fn png(bytes: &[u8]) -> Side<'_> {
    Side::new("png", move || {
        let decoder = png::Decoder::new(Cursor::new(black_box(bytes)));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    })
}

fn gif(bytes: &[u8]) -> Side<'_> {
    Side::new("gif", move || {
        let mut decoder = gif::DecodeOptions::new()
            .read_info(Cursor::new(black_box(bytes)))
            .unwrap();
        while decoder.read_next_frame().unwrap().is_some() {}
    })
}

/// Returns the bytes in chunks, as a socket does.
struct Chunks<'a>(&'a [u8]);

impl std::io::Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(8192);
        self.0.read(&mut buffer[..most])
    }
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
