//! WebP (RFC 9649): measured, and walked chunk by chunk. The coded pixels are not examined at any
//! depth.

use super::{
    ColorType, DefectKind, Depth, Dimensions, Facts, Parser, Progress,
    bytes::{Cursor, Gather, le24, le32},
};

/// How many bytes of a chunk's body are looked at.
const LOOKED_AT: usize = 10;

/// The least that a frame's chunk holds: place, sizes, duration, flags.
const FRAME_HEADER: u32 = 16;

#[derive(Debug)]
pub(crate) struct Webp {
    depth: Depth,
    state: State,
    field: Gather<12>,
    /// Offset where the RIFF chunk ends.
    end: u64,
    animated: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Riff,
    Chunk,
    Body { name: [u8; 4], size: u32 },
    Skip { left: u64 },
}

impl Webp {
    pub(crate) const fn new(depth: Depth) -> Self {
        Self {
            depth,
            state: State::Riff,
            field: Gather::new(),
            end: 0,
            animated: false,
        }
    }

    /// RFC 9649, 2.4.
    fn riff(&mut self, header: [u8; 12]) {
        let size = le32(&header, 4);
        // The length does not include `RIFF` and itself.
        self.end = u64::from(size).saturating_add(8);
        self.state = State::Chunk;
    }

    /// Whether the RIFF chunk has room for another chunk after `offset`.
    fn goes_on(&self, offset: u64) -> bool {
        offset.saturating_add(8) <= self.end
    }

    fn chunk(&mut self, header: [u8; 12], offset: u64, facts: &mut Facts) {
        let [a, b, c, d, ..] = header;
        let (name, size) = ([a, b, c, d], le32(&header, 4));
        if offset.saturating_add(u64::from(size)) > self.end {
            facts.defect(DefectKind::WebpRiffLength, offset);
        }
        self.state = State::Body { name, size };
    }

    fn body(&mut self, name: [u8; 4], size: u32, body: &[u8], offset: u64, facts: &mut Facts) {
        let found = match &name {
            b"VP8 " => lossy(body).map(|size| (size, ColorType::YCbCr)),
            b"VP8L" => lossless(body),
            b"VP8X" => {
                self.animated = body.first().is_some_and(|flags| flags & 0x02 != 0);
                extended(body)
            }
            // Without the flag, or without room for its header, it is not a frame (RFC 9649,
            // 2.7.1).
            b"ANMF" if self.animated && size >= FRAME_HEADER => {
                facts.frames = facts.frames.saturating_add(1);
                None
            }
            _ => None,
        };
        if !self.animated && matches!(&name, b"VP8 " | b"VP8L") {
            facts.frames = 1;
        }
        match found {
            // The canvas of VP8X comes first, and frames may be smaller (RFC 9649, 2.7).
            Some((dimensions, color)) if facts.dimensions.is_none() => {
                facts.dimensions = Some(dimensions);
                facts.bit_depth = Some(8);
                facts.color = Some(color);
            }
            None if matches!(&name, b"VP8 " | b"VP8L" | b"VP8X") => {
                facts.defect(DefectKind::WebpFrameHeader, offset);
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        let padded = u64::from(size).saturating_add(u64::from(size & 1));
        let looked_at = u64::try_from(body.len()).unwrap_or(u64::MAX);
        self.state = State::Skip {
            left: padded.saturating_sub(looked_at),
        };
    }

    /// The RIFF chunk is at its end.
    fn close(&self, offset: u64, facts: &mut Facts) -> Progress {
        if facts.frames == 0 {
            facts.defect(DefectKind::WebpNoImage, offset);
        }
        facts.frames_final = true;
        // A chunk may exceed the RIFF chunk (`webp/riff-length`): the image ends with the later of
        // both.
        facts.ends_at(self.end.max(offset));
        Progress::Done
    }
}

impl Parser for Webp {
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        let mut cursor = Cursor::new(input, offset);
        loop {
            let at = cursor.offset();
            match self.state {
                State::Riff => match self.field.fill(&mut cursor, 12) {
                    Some(header) => self.riff(header),
                    None => return Progress::More,
                },
                State::Chunk if self.field.held() == 0 && !self.goes_on(at) => {
                    return self.close(at, facts);
                }
                State::Chunk => match self.field.fill(&mut cursor, 8) {
                    Some(header) => self.chunk(header, cursor.offset(), facts),
                    None => return Progress::More,
                },
                State::Body { name, size } => {
                    let want = usize::try_from(size).unwrap_or(LOOKED_AT).min(LOOKED_AT);
                    let start = self.field.start(&cursor);
                    let Some(body) = self.field.fill(&mut cursor, want) else {
                        return Progress::More;
                    };
                    let body = body.get(..want).unwrap_or_default();
                    self.body(name, size, body, start, facts);
                    if self.depth == Depth::Header && facts.dimensions.is_some() {
                        return Progress::Done;
                    }
                }
                State::Skip { left } => {
                    let skipped = u64::try_from(cursor.take(left).len()).unwrap_or(left);
                    if skipped < left {
                        let left = left.saturating_sub(skipped);
                        self.state = State::Skip { left };
                        return Progress::More;
                    }
                    self.state = State::Chunk;
                }
            }
        }
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        facts.defect(DefectKind::Truncated, len);
    }
}

/// RFC 6386, 9.1: a frame tag whose first bit is 0 for a key frame, a start code, two sizes of 14
/// bits each with a scale.
fn lossy(body: &[u8]) -> Option<Dimensions> {
    let [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = *body else {
        return None;
    };
    if tag & 1 != 0 {
        return None;
    }
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    nonzero(side(w0, w1), side(h0, h1))
}

/// RFC 9649, 3.4: a signature byte, two sizes less one of 14 bits, a hint of transparency, three
/// bits of version.
fn lossless(body: &[u8]) -> Option<(Dimensions, ColorType)> {
    let [0x2f, a, b, c, d, ..] = *body else {
        return None;
    };
    let bits = u32::from_le_bytes([a, b, c, d]);
    let side = |shift: u32| ((bits >> shift) & 0x3fff).saturating_add(1);
    let color = if bits & (1 << 28) == 0 {
        ColorType::Rgb
    } else {
        ColorType::Rgba
    };
    (bits >> 29 == 0).then_some((Dimensions::new(side(0), side(14)), color))
}

/// RFC 9649, 2.7: flags, and the canvas' sizes less one of 24 bits.
fn extended(body: &[u8]) -> Option<(Dimensions, ColorType)> {
    let flags = *body.first()?;
    let width = le24(body, 4)?.saturating_add(1);
    let height = le24(body, 7)?.saturating_add(1);
    let color = if flags & 0x10 == 0 {
        ColorType::Rgb
    } else {
        ColorType::Rgba
    };
    Some((Dimensions::new(width, height), color))
}

fn nonzero(width: u32, height: u32) -> Option<Dimensions> {
    (width != 0 && height != 0).then_some(Dimensions::new(width, height))
}
