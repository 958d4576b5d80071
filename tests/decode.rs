//! Memory and threads of `Depth::Decode`, counted for files that are generated to be expensive. A
//! separate test binary, because the counting allocator is the whole program's.
#![cfg(feature = "decode")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[cfg(target_os = "linux")]
use std::fs;
use std::{
    future::{pending, ready},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use allocation_counter::measure;
use greenlight::{DefectKind, Depth, Gate, Inspection, Inspector, Requirements};

/// The memory that one decode may use in addition to the file.
const MAX_MEMORY: u64 = 512 << 20;

/// The tables and the frame of a JPEG whose only code is a single 0, so that few bytes become many.
#[derive(Default)]
struct Jpeg(Vec<u8>);

impl Jpeg {
    fn segment(mut self, code: u8, body: &[u8]) -> Self {
        let len = u16::try_from(body.len() + 2).unwrap();
        self.0.extend_from_slice(&[0xff, code]);
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(body);
        self
    }

    fn new(process: u8, width: u16, height: u16, sampling: &[u8]) -> Self {
        let mut quantizers = vec![1; 65];
        quantizers[0] = 0;
        let mut frame = vec![8];
        frame.extend_from_slice(&height.to_be_bytes());
        frame.extend_from_slice(&width.to_be_bytes());
        frame.push(u8::try_from(sampling.len()).unwrap());
        for (id, sampling) in (1..).zip(sampling) {
            frame.extend_from_slice(&[id, *sampling, 0]);
        }
        Self(vec![0xff, 0xd8])
            .segment(0xdb, &quantizers)
            .segment(0xc0 | process, &frame)
            .code(0x00, 0)
            .code(0x10, 0)
    }

    fn code(self, class_and_number: u8, symbol: u8) -> Self {
        let mut body = [0; 18];
        body[0] = class_and_number;
        body[1] = 1;
        body[17] = symbol;
        self.segment(0xc4, &body)
    }

    /// A scan whose coded data are `bits` zeros.
    fn scan(self, components: &[u8], [first, last, bit]: [u8; 3], bits: usize) -> Self {
        let mut head = vec![u8::try_from(components.len()).unwrap()];
        for id in components {
            head.extend_from_slice(&[*id, 0]);
        }
        head.extend_from_slice(&[first, last, bit]);
        let mut jpeg = self.segment(0xda, &head);
        let padded = bits.div_ceil(8);
        jpeg.0.resize(jpeg.0.len() + padded, 0);
        if let (Some(last), fill @ 1..) = (jpeg.0.last_mut(), padded * 8 - bits) {
            *last |= (1 << fill) - 1;
        }
        jpeg
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0xff, 0xd9]);
        self.0
    }
}

/// A progressive JPEG: DC, and then `scans` scans of all AC coefficients of each component.
fn progressive(width: u16, height: u16, sampling: &[u8], scans: usize) -> Vec<u8> {
    let factor = |shift: u8, sampling: u8| usize::from(sampling >> shift & 15);
    let most = |shift| sampling.iter().map(|s| factor(shift, *s)).max().unwrap();
    let (most_across, most_down) = (most(4), most(0));
    let mcus =
        usize::from(width).div_ceil(8 * most_across) * usize::from(height).div_ceil(8 * most_down);
    let in_mcu: usize = sampling.iter().map(|s| factor(4, *s) * factor(0, *s)).sum();
    let all: Vec<_> = (1..).take(sampling.len()).collect();
    let dc_bits = if all.len() > 1 { mcus * in_mcu } else { mcus };
    let mut jpeg = Jpeg::new(2, width, height, sampling).scan(&all, [0, 0, 0], dc_bits);
    // A run of 2^14 blocks without coefficients: the symbol 0xE0 and 14 bits.
    jpeg = jpeg.code(0x10, 0xe0);
    for _ in 0..scans {
        for (id, sampling) in (1..).zip(sampling) {
            let side = |pixels: u16, factor: usize, most: usize| {
                (usize::from(pixels) * factor).div_ceil(most).div_ceil(8)
            };
            let blocks = side(width, factor(4, *sampling), most_across)
                * side(height, factor(0, *sampling), most_down);
            jpeg = jpeg.scan(&[id], [1, 63, 0], blocks.div_ceil(1 << 14) * 15);
        }
    }
    jpeg.end()
}

/// A run-length coded BMP that ends immediately.
fn bmp(width: i32, height: i32) -> Vec<u8> {
    let mut file = b"BM".to_vec();
    let palette = [0_u8; 8];
    let offset = 14 + 40 + 8_u32;
    file.extend_from_slice(&(offset + 2).to_le_bytes());
    file.extend_from_slice(&[0; 4]);
    file.extend_from_slice(&offset.to_le_bytes());
    file.extend_from_slice(&40_u32.to_le_bytes());
    file.extend_from_slice(&width.to_le_bytes());
    file.extend_from_slice(&height.to_le_bytes());
    file.extend_from_slice(&[1, 0, 8, 0, 1, 0, 0, 0]);
    file.extend_from_slice(&2_u32.to_le_bytes());
    file.extend_from_slice(&[0; 8]);
    file.extend_from_slice(&2_u32.to_le_bytes());
    file.extend_from_slice(&[0; 4]);
    file.extend_from_slice(&palette);
    file.extend_from_slice(&[0, 1]);
    file
}

/// Returns the memory that decoding adds to the walk at payload depth, on the calling thread.
fn cost(file: &[u8]) -> (Inspection, u64) {
    let walk = measure(|| {
        let _ = Inspection::at(Depth::Payload, file);
    });
    let mut inspection = None;
    let decode = measure(|| inspection = Some(Inspection::at(Depth::Decode, file)));
    (
        inspection.unwrap(),
        decode.bytes_max.saturating_sub(walk.bytes_max),
    )
}

fn is_decoded(inspection: &Inspection) -> bool {
    !inspection.defects().contains(DefectKind::NotDecoded)
}

fn inspector(file: &[u8]) -> Inspector {
    let mut inspector = Inspector::new(Depth::Decode);
    inspector.push(file);
    inspector
}

const YCBCR: &[u8] = &[0x11, 0x11, 0x11];

#[test]
fn a_picture_that_fits_is_decoded_in_bounded_memory() {
    for (name, file) in [
        ("progressive", progressive(800, 800, YCBCR, 1)),
        ("4:2:0", progressive(800, 800, &[0x22, 0x11, 0x11], 1)),
        ("wide", progressive(65_500, 16, &[0x41, 0x11, 0x11], 1)),
        ("run lengths", bmp(3_000, 2_000)),
    ] {
        let (inspection, taken) = cost(&file);
        assert!(taken <= MAX_MEMORY, "{name}: {taken} bytes");
        assert!(taken >= 1 << 20, "{name}: {taken} bytes, decoded?");
        assert!(inspection.defects().is_empty(), "{name}: {inspection:?}");
    }
}

#[test]
fn a_picture_that_needs_more_memory_is_not_decoded() {
    for (name, file) in [
        ("four inks", progressive(8000, 8000, &[0x11; 4], 1)),
        ("gray", progressive(60_000, 5_000, &[0x11], 1)),
        ("run lengths", bmp(12_800, 12_800)),
    ] {
        let (inspection, taken) = cost(&file);
        assert!(taken < 4 << 20, "{name}: {taken} bytes");
        assert!(!is_decoded(&inspection), "{name}: {inspection:?}");
        let refused = DefectKind::DecoderRefused;
        assert!(!inspection.defects().contains(refused), "{name}");
    }
}

/// 90 scans of 1.4 million blocks each.
#[test]
fn a_picture_that_needs_more_work_is_not_decoded() {
    let file = progressive(9600, 9600, &[0x11], 90);
    assert!(file.len() < 600_000, "{}", file.len());
    let (inspection, taken) = cost(&file);
    assert!(!is_decoded(&inspection), "{inspection:?}");
    assert!(taken < 4 << 20, "{taken} bytes");
    // The same scans over few blocks are within the bound.
    let (inspection, _) = cost(&progressive(80, 80, &[0x11], 90));
    assert!(is_decoded(&inspection), "{inspection:?}");
    // Tables count as work even if no scan uses them.
    let mut jpeg = Jpeg::new(0, 8, 8, &[0x11]);
    for _ in 0..600_000 {
        jpeg = jpeg.code(0x01, 0);
    }
    let (inspection, _) = cost(&jpeg.scan(&[1], [0, 63, 0], 2).end());
    assert!(!is_decoded(&inspection), "{inspection:?}");
}

#[test]
fn pictures_with_too_many_scans_are_not_decoded() {
    let (inspection, _) = cost(&progressive(80, 80, &[0x11], 101));
    assert!(!is_decoded(&inspection), "{inspection:?}");
}

#[test]
fn processes_that_the_decoder_lacks_are_not_decoded() {
    for process in [1, 3, 9, 10, 11] {
        let bits = if process == 1 { 12 } else { 8 };
        let mut file = Jpeg::new(process, 8, 8, &[0x11]);
        let precision = file.0.iter().position(|byte| *byte == 0xc0 | process);
        file.0[precision.unwrap() + 3] = bits;
        let parameters = match process {
            3 | 11 => [1, 0, 0],
            10 => [0, 0, 0],
            _ => [0, 63, 0],
        };
        let file = file.scan(&[1], parameters, 64).end();
        let (inspection, _) = cost(&file);
        assert!(!is_decoded(&inspection), "{process}: {inspection:?}");
        let refused = DefectKind::DecoderRefused;
        assert!(!inspection.defects().contains(refused), "{process}");
    }
}

#[test]
fn asynchronous_decoding_uses_another_thread() {
    let file = progressive(800, 800, YCBCR, 1);
    let expected = Inspection::at(Depth::Decode, &file);
    let mut held = Some(inspector(&file));
    let mut inspection = None;
    let taken = measure(|| {
        let inspector = held.take().unwrap();
        inspection = Some(block_on(inspector.finish_until(pending())));
    });
    assert_eq!(inspection, Some(expected.clone()));
    assert!(taken.bytes_max < 1 << 20, "{} bytes here", taken.bytes_max);
    // The gate reports the same.
    let mut gate = Gate::at(Depth::Decode, Requirements::ASYNC);
    gate.push(&file).unwrap();
    let accepted = block_on(gate.finish_until(pending())).unwrap();
    assert_eq!(accepted.inspection(), Some(&expected));
}

#[test]
fn a_picture_that_is_not_decoded_in_time_is_accepted_with_a_warning() {
    let mut gate = Gate::at(Depth::Decode, Requirements::ASYNC);
    gate.push(&progressive(800, 800, YCBCR, 1)).unwrap();
    let accepted = block_on(gate.finish_until(ready(()))).unwrap();
    assert!(!is_decoded(accepted.inspection().unwrap()));
    let warnings = accepted.warnings();
    assert!(
        warnings[0].message().contains("not decoded"),
        "{warnings:?}"
    );
}

/// Returns the peak memory of all threads.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let words = line.unwrap().split_whitespace();
    words
        .skip(1)
        .map(|kb| kb.parse::<u64>().unwrap())
        .next()
        .unwrap()
        << 10
}

#[test]
#[cfg(target_os = "linux")]
fn decodes_at_a_time_share_the_memory_of_one() {
    // 150 MB each, and 200 MB by the estimate for any BMP.
    let file = bmp(10_000, 5_000);
    let decodes: Vec<_> = (0..8)
        .map(|_| {
            let inspector = inspector(&file);
            thread::spawn(move || block_on(inspector.finish_until(pending())))
        })
        .collect();
    for decode in decodes {
        assert!(is_decoded(&decode.join().unwrap()));
    }
    assert!(peak() < MAX_MEMORY + (100 << 20), "{} MB", peak() >> 20);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
