//! The readers that are compared.

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use greenlight::{Depth, Format, Inspection};
use zune_jpeg::zune_core::bytestream::ZCursor;

use crate::{
    command::{Ended, Program},
    truth::{File, format_name},
};

/// The formats that the service scans.
pub(crate) const ALL: &[&str] = &["png", "jpeg", "gif", "bmp"];

/// What a reader returned for a file.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) accepts: bool,
    pub(crate) format: Option<String>,
    pub(crate) dimensions: Option<(u32, u32)>,
}

/// How a reader ended for a file.
pub(crate) enum Outcome {
    Read(Reading),
    Panicked,
    /// A program did not end in time.
    TimedOut(Duration),
}

type Read = dyn Fn(&File) -> Result<Outcome, String>;

pub(crate) struct Reader {
    pub(crate) name: String,
    /// Returns an error if the reader cannot be run.
    pub(crate) read: Box<Read>,
    /// The only formats that the reader knows; empty if it identifies formats.
    formats: &'static [&'static str],
}

impl Reader {
    fn new(
        name: &str,
        formats: &'static [&'static str],
        read: impl Fn(&File) -> Reading + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            read: Box::new(move |file| {
                let reading = catch_unwind(AssertUnwindSafe(|| read(file)));
                Ok(reading.map_or(Outcome::Panicked, Outcome::Read))
            }),
            formats,
        }
    }

    pub(crate) fn is_for(&self, file: &File) -> bool {
        self.formats.is_empty() || file.has_format(self.formats)
    }
}

pub(crate) fn all() -> Vec<Reader> {
    vec![
        Reader::new("greenlight header", &[], |file| {
            greenlight(Depth::Header, file)
        }),
        Reader::new("greenlight structure", &[], |file| {
            greenlight(Depth::Structure, file)
        }),
        Reader::new("greenlight payload", &[], |file| {
            greenlight(Depth::Payload, file)
        }),
        #[cfg(feature = "decode")]
        Reader::new("greenlight decode", &[], |file| {
            greenlight(Depth::Decode, file)
        }),
        Reader::new("imagesize", &[], imagesize),
        Reader::new("imsz", &[], imsz),
        Reader::new("infer", &[], infer),
        Reader::new("image", &[], image),
        Reader::new("png", &["png"], png),
        Reader::new("zune-png", &["png"], zune_png),
        Reader::new("zune-jpeg", &["jpeg"], zune_jpeg),
        Reader::new("gif", &["gif"], gif),
        Reader::new("zune-bmp", &["bmp"], zune_bmp),
    ]
}

/// A program that accepts a file if its exit code is 0.
///
/// # Errors
///
/// If it is not a command with `{}` in an argument, which is replaced by the path.
pub(crate) fn command(text: &str, limit: Duration) -> Result<Reader, String> {
    let program = Program::parse(text)?;
    Ok(Reader {
        name: text.to_owned(),
        formats: ALL,
        read: Box::new(move |file| {
            Ok(match program.run(&file.path, limit)? {
                Ended::Exited { is_success } => Outcome::Read(Reading {
                    accepts: is_success,
                    ..Reading::default()
                }),
                Ended::Crashed => Outcome::Panicked,
                Ended::TimedOut(after) => Outcome::TimedOut(after),
            })
        }),
    })
}

/// Accepts what no defect rejects by default. No limit of the service counts here.
fn greenlight(depth: Depth, file: &File) -> Reading {
    let inspection = Inspection::at(depth, &file.bytes);
    let format = inspection.format();
    let is_scanned = matches!(
        format,
        Some(Format::Png | Format::Jpeg | Format::Gif | Format::Bmp)
    );
    let mut defects = inspection.defects().iter();
    let sides = inspection.dimensions().filter(|_| is_scanned);
    Reading {
        accepts: is_scanned && defects.all(|(kind, _)| kind.is_tolerated()),
        format: format.map(|format| format.name().to_owned()),
        dimensions: sides.map(|sides| (sides.width, sides.height)),
    }
}

fn imagesize(file: &File) -> Reading {
    let size = imagesize::blob_size(&file.bytes).ok();
    let format = imagesize::image_type(&file.bytes).ok();
    let side = |side: usize| u32::try_from(side).unwrap_or_default();
    Reading {
        accepts: size.is_some(),
        format: format.map(|format| format_name(&format!("{format:?}"))),
        dimensions: size.map(|size| (side(size.width), side(size.height))),
    }
}

fn imsz(file: &File) -> Reading {
    let info = imsz::imsz(Cursor::new(&file.bytes[..])).ok();
    let side = |side: u64| u32::try_from(side).unwrap_or_default();
    Reading {
        accepts: info.is_some(),
        format: info.as_ref().map(|info| format_name(info.format.name())),
        dimensions: info.map(|info| (side(info.width), side(info.height))),
    }
}

fn infer(file: &File) -> Reading {
    let kind =
        infer::get(&file.bytes).filter(|kind| kind.matcher_type() == infer::MatcherType::Image);
    Reading {
        accepts: kind.is_some(),
        format: kind.map(|kind| format_name(kind.extension())),
        dimensions: None,
    }
}

fn image(file: &File) -> Reading {
    let reader = image::ImageReader::new(Cursor::new(&file.bytes)).with_guessed_format();
    let reader = reader.expect("memory can be read");
    let format = reader
        .format()
        .map(|format| format_name(&format!("{format:?}")));
    let picture = reader.decode().ok();
    Reading {
        accepts: picture.is_some(),
        format,
        dimensions: picture.map(|picture| (picture.width(), picture.height())),
    }
}

/// Reads all frames.
fn png(file: &File) -> Reading {
    let read = || -> Result<_, Box<dyn std::error::Error>> {
        let mut reader = png::Decoder::new(Cursor::new(&file.bytes)).read_info()?;
        let sides = reader.info().size();
        let mut pixels = vec![0; reader.output_buffer_size().ok_or("too large")?];
        let frames = reader
            .info()
            .animation_control()
            .map_or(1, |control| control.num_frames);
        for _ in 0..frames.max(1) {
            reader.next_frame(&mut pixels)?;
        }
        reader.finish()?;
        Ok(sides)
    };
    decoded(read().ok())
}

fn zune_png(file: &File) -> Reading {
    let mut decoder = zune_png::PngDecoder::new(ZCursor::new(&file.bytes));
    let is_decoded = decoder.decode_raw().is_ok();
    decoded(decoder.dimensions().and_then(sides).filter(|_| is_decoded))
}

fn zune_jpeg(file: &File) -> Reading {
    let mut decoder = zune_jpeg::JpegDecoder::new(ZCursor::new(&file.bytes));
    let is_decoded = decoder.decode().is_ok();
    decoded(decoder.dimensions().and_then(sides).filter(|_| is_decoded))
}

fn zune_bmp(file: &File) -> Reading {
    let mut decoder = zune_bmp::BmpDecoder::new(ZCursor::new(&file.bytes));
    let is_decoded = decoder.decode().is_ok();
    decoded(decoder.dimensions().and_then(sides).filter(|_| is_decoded))
}

/// Reads all frames.
fn gif(file: &File) -> Reading {
    let read = || {
        let mut decoder = gif::DecodeOptions::new()
            .read_info(Cursor::new(&file.bytes))
            .ok()?;
        let mut frames = 0;
        while decoder.read_next_frame().ok()?.is_some() {
            frames += 1;
        }
        (frames > 0).then(|| (decoder.width().into(), decoder.height().into()))
    };
    decoded(read())
}

fn sides((width, height): (usize, usize)) -> Option<(u32, u32)> {
    Some((width.try_into().ok()?, height.try_into().ok()?))
}

fn decoded(dimensions: Option<(u32, u32)>) -> Reading {
    Reading {
        accepts: dimensions.is_some(),
        format: None,
        dimensions,
    }
}
