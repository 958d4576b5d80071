//! Generated pictures for benchmarks.

use std::borrow::Cow;

use gif::{Encoder as GifEncoder, Frame, Repeat};
use jpeg_encoder::{ColorType as JpegColor, Encoder as JpegEncoder, SamplingFactor};

/// The sizes in use, and their names.
pub(crate) const SIZES: [(&str, usize); 5] = [
    ("10KB", 10_000),
    ("100KB", 100_000),
    ("1MB", 1_000_000),
    ("5MB", 5_000_000),
    ("20MB", 19_500_000),
];

/// The formats and variants in use.
pub(crate) const FORMATS: [&str; 9] = [
    "jpeg",
    "png",
    "gif",
    "bmp",
    "jpeg-progressive",
    "png-rgba",
    "png-palette",
    "png-gray16",
    "png-graphic",
];

/// Returns a picture of a format from [`FORMATS`], of about `bytes` bytes.
pub(crate) fn picture(format: &str, bytes: usize) -> Vec<u8> {
    match format {
        "jpeg" => sized(bytes, |side| jpeg(side, false)),
        "jpeg-progressive" => sized(bytes, |side| jpeg(side, true)),
        "png" => sized(bytes, |side| png(photo, side, png::ColorType::Rgb)),
        "png-rgba" => sized(bytes, |side| png(photo, side, png::ColorType::Rgba)),
        "png-palette" => sized(bytes, |side| png(photo, side, png::ColorType::Indexed)),
        "png-gray16" => sized(bytes, |side| png(photo, side, png::ColorType::Grayscale)),
        "png-graphic" => sized(bytes, |side| png(graphic, side, png::ColorType::Rgb)),
        "gif" if bytes < 500_000 => sized(bytes, |side| gif(side, 1)),
        // Animations have frames of usual size.
        "gif" => gif(400, (bytes / gif(400, 1).len()).try_into().unwrap()),
        "bmp" => sized(bytes, bmp),
        other => panic!("no such format: {other}"),
    }
}

/// Finds the side from the bytes per pixel of a small picture, and again from the first result.
fn sized(bytes: usize, encode: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let mut side = 64;
    let mut file = encode(side);
    for _ in 0..2 {
        let factor = (bytes as f64 / file.len() as f64).sqrt();
        if (0.97..1.03).contains(&factor) {
            break;
        }
        side = (f64::from(side) * factor).round() as u32;
        file = encode(side);
    }
    file
}

/// A xorshift generator, for the same noise on every machine.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// Returns a picture similar to a photograph: slopes, waves, edges and grain, three bytes per pixel.
fn photo(width: u32, height: u32) -> Vec<u8> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let columns: Vec<_> = (0..width).map(f64::from).collect();
    let columns: Vec<_> = columns
        .iter()
        .map(|x| ((x * 0.021).sin(), (x * 0.31).sin_cos()))
        .collect();
    let mut pixels = Vec::with_capacity(3 * width as usize * height as usize);
    for y in 0..height {
        let fy = f64::from(y);
        let (wave_y, ripple_y) = ((fy * 0.017).cos(), (fy * 0.23).sin_cos());
        for (x, (wave_x, ripple_x)) in (0..width).zip(&columns) {
            let wave = wave_x * wave_y * 60.0;
            // The sine of a sum.
            let ripple = (ripple_x.0 * ripple_y.1 + ripple_x.1 * ripple_y.0) * 12.0;
            let edge = if (x / 160 + y / 120) % 3 == 0 {
                40.0
            } else {
                0.0
            };
            let slope = f64::from(x) / f64::from(width) * 70.0;
            for shift in [0.0, 25.0, 50.0] {
                let grain = noise.next(9) as f64 - 4.0;
                let level = 70.0 + wave + ripple + edge + slope + shift + grain;
                pixels.push(level.clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}

/// Returns a picture similar to a page of text: marks from a set of forty, with flat areas between
/// them, three bytes per pixel.
fn graphic(width: u32, height: u32) -> Vec<u8> {
    let (across, down) = (9, 18);
    let mut noise = Noise(77);
    let marks: Vec<u64> = (0..40).map(|_| noise.next(u64::MAX)).collect();
    // One for each place of the page; a sixth of the places is blank.
    let places = (width / across + 1) * (height / down + 1);
    let page: Vec<u64> = (0..places)
        .map(|_| match noise.next(6) {
            0 => 0,
            _ => marks[noise.next(40) as usize],
        })
        .collect();
    let mut pixels = Vec::with_capacity(3 * width as usize * height as usize);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let mark = page[(y / down * (width / across + 1) + x / across) as usize];
        let is_dark =
            x % across < 8 && y % down < 8 && mark >> (y % down * 8 + x % across) & 1 == 1;
        let warm = if y / down % 7 == 0 { 160 } else { 30 };
        pixels.extend(if is_dark { [20, 20, warm] } else { [245; 3] });
    }
    pixels
}

fn jpeg(side: u32, progressive: bool) -> Vec<u8> {
    let (width, height) = (side * 4 / 3, side);
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new(&mut bytes, 88);
    encoder.set_progressive(progressive);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode(
            &photo(width, height),
            width.try_into().unwrap(),
            height.try_into().unwrap(),
            JpegColor::Rgb,
        )
        .unwrap();
    bytes
}

fn png(draw: fn(u32, u32) -> Vec<u8>, side: u32, color: png::ColorType) -> Vec<u8> {
    let (width, height) = (side * 4 / 3, side);
    let drawn = draw(width, height);
    let (depth, pixels): (_, Cow<'_, [u8]>) = match color {
        png::ColorType::Rgba => {
            let opaque = drawn
                .chunks(3)
                .flat_map(|p| [p[0], p[1], p[2], p[0] | 0x80]);
            (png::BitDepth::Eight, opaque.collect())
        }
        png::ColorType::Grayscale => {
            let deep = drawn.chunks(3).flat_map(|p| [p[0], p[1]]);
            (png::BitDepth::Sixteen, deep.collect())
        }
        png::ColorType::Indexed => {
            let indices = drawn.chunks(3).map(|p| p[0] >> 4 << 4);
            (png::BitDepth::Eight, indices.collect())
        }
        _ => (png::BitDepth::Eight, drawn.into()),
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(
            (0..=255)
                .flat_map(|i| [i, i / 2, 255 - i])
                .collect::<Vec<u8>>(),
        );
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

fn gif(side: u32, frames: u16) -> Vec<u8> {
    let photo = photo(side, side);
    let side = u16::try_from(side).unwrap();
    let palette: Vec<u8> = (0..=255).flat_map(|i| [i, i, 255 - i]).collect();
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes, side, side, &palette).unwrap();
    encoder.set_repeat(Repeat::Infinite).unwrap();
    for frame in 0..frames {
        let indices: Vec<u8> = photo
            .chunks(3)
            .map(|p| (p[0] >> 2).wrapping_add(frame as u8))
            .collect();
        encoder
            .write_frame(&Frame::from_indexed_pixels(side, side, indices, None))
            .unwrap();
    }
    drop(encoder);
    bytes
}

/// Returns a BMP with 24 bits per pixel, bottom up.
fn bmp(side: u32) -> Vec<u8> {
    let row = usize::try_from(side).unwrap() * 3;
    // Rows are padded to whole groups of four bytes.
    let rows: Vec<u8> = photo(side, side)
        .chunks(row)
        .flat_map(|pixels| {
            pixels
                .iter()
                .copied()
                .chain([0; 3].into_iter().take(row.wrapping_neg() % 4))
        })
        .collect();
    let len = u32::try_from(rows.len()).unwrap();
    let mut bytes = b"BM".to_vec();
    for field in [54 + len, 0, 54, 40, side, side] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend([1, 0, 24, 0]);
    for field in [0, len, 2835, 2835, 0, 0] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(rows);
    bytes
}
