//! Generated pictures for benchmarks.

use std::borrow::Cow;

use gif::{Encoder as GifEncoder, Frame, Repeat};
use jpeg_encoder::{ColorType as JpegColor, Encoder as JpegEncoder, SamplingFactor};

/// A file and its name in the report.
pub(crate) struct Picture {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
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
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (fx, fy) = (f64::from(x), f64::from(y));
            let wave = (fx * 0.021).sin() * (fy * 0.017).cos() * 60.0;
            let ripple = (fx * 0.31 + fy * 0.23).sin() * 12.0;
            let edge = if (x / 160 + y / 120) % 3 == 0 {
                40.0
            } else {
                0.0
            };
            for shift in [0.0, 25.0, 50.0] {
                let grain = noise.next(9) as f64 - 4.0;
                let slope = fx / f64::from(width) * 70.0 + shift;
                pixels.push((70.0 + wave + ripple + edge + slope + grain).clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}

pub(crate) fn jpeg(name: &'static str, side: u32, progressive: bool) -> Picture {
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
    Picture { name, bytes }
}

pub(crate) fn png(name: &'static str, side: u32, color: png::ColorType) -> Picture {
    let (width, height) = (side * 4 / 3, side);
    let photo = photo(width, height);
    let (depth, pixels): (_, Cow<'_, [u8]>) = match color {
        png::ColorType::Rgba => {
            let opaque = photo
                .chunks(3)
                .flat_map(|p| [p[0], p[1], p[2], p[0] | 0x80]);
            (png::BitDepth::Eight, opaque.collect())
        }
        png::ColorType::Grayscale => {
            let deep = photo.chunks(3).flat_map(|p| [p[0], p[1]]);
            (png::BitDepth::Sixteen, deep.collect())
        }
        png::ColorType::Indexed => {
            let indices = photo.chunks(3).map(|p| p[0] >> 4 << 4);
            (png::BitDepth::Eight, indices.collect())
        }
        _ => (png::BitDepth::Eight, photo.into()),
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
    Picture { name, bytes }
}

pub(crate) fn gif(name: &'static str, side: u16, frames: u16) -> Picture {
    let photo = photo(side.into(), side.into());
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
    Picture { name, bytes }
}

/// Returns a BMP with 24 bits per pixel, bottom up.
pub(crate) fn bmp(name: &'static str, side: u32) -> Picture {
    let rows = photo(side, side);
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
    Picture { name, bytes }
}
