//! PNG (W3C Portable Network Graphics, third edition) with its animations.

mod animation;
mod chunk;
mod glance;
mod header;
mod order;
#[cfg(feature = "payload")]
mod payload;
#[cfg_attr(not(feature = "payload"), path = "pictures_unread.rs")]
mod pictures;
#[cfg(feature = "payload")]
mod replay;
#[cfg(feature = "payload")]
mod rows;

use crc32fast::Hasher;

use self::{
    animation::{Animation, FramePlace},
    chunk::Chunk,
    header::{HEAD, Header, read_fields, read_head},
    order::Order,
    pictures::Pictures,
};
use super::{
    DefectKind, Depth, Dimensions, Facts, Parser, Progress,
    bytes::{Cursor, Gather, be32},
};
pub(crate) use glance::glance;

/// Bytes of a chunk without its body: length, name, checksum.
const CHUNK: usize = 12;

/// How Apple's variant begins its first chunk.
const APPLE: &[u8] = b"\0\0\0\x04CgBI";

/// The same behind Apple's `CgBI` chunk of four bytes.
const APPLE_HEAD: usize = HEAD + 16;

/// The most bytes that deflate unpacks from one (two bits stand for 258 bytes).
const DEFLATE_RATIO: u64 = 1032;

/// Walks a PNG chunk by chunk, checking every checksum.
#[derive(Debug)]
pub(crate) struct Png {
    depth: Depth,
    state: State,
    field: Gather<APPLE_HEAD>,
    header: Header,
    crc: Hasher,
    chunk: Chunk,
    order: Order,
    animation: Animation,
    /// Bytes of image data so far.
    packed: u64,
    /// The first bytes of the image data.
    zlib: Gather<2>,
    pictures: Pictures,
    /// Whether every row of the still image is known to be there.
    is_complete: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    AppleHead,
    ChunkHeader,
    Body,
    Crc,
}

impl Png {
    pub(crate) fn new(depth: Depth) -> Self {
        Self {
            depth,
            state: State::Head,
            field: Gather::new(),
            header: Header::default(),
            crc: Hasher::new(),
            chunk: Chunk::default(),
            order: Order::default(),
            animation: Animation::default(),
            packed: 0,
            zlib: Gather::new(),
            pictures: Pictures::default(),
            is_complete: false,
        }
    }

    fn head(&mut self, head: &[u8; APPLE_HEAD], facts: &mut Facts) -> Progress {
        // Apple's tools write CgBI before IHDR, with deflate data that has no zlib header and with
        // other channels. No other reader shows it, so only the size is read.
        if head.get(8..16) == Some(APPLE) {
            facts.defect(DefectKind::PngApple, header::FIRST_CHUNK);
            self.field.hold(*head, HEAD);
            self.state = State::AppleHead;
            return Progress::More;
        }
        let Some(head) = head.first_chunk() else {
            return Progress::Failed;
        };
        let Some(header) = read_head(head, facts) else {
            return Progress::Failed;
        };
        self.header = header;
        self.state = State::ChunkHeader;
        if self.depth == Depth::Header {
            Progress::Done
        } else {
            Progress::More
        }
    }

    /// PNG 5.3: length and name.
    fn chunk_header(&mut self, header: &[u8], facts: &mut Facts, start: u64) -> Progress {
        let len = be32(header, 0);
        let name = be32(header, 4).to_be_bytes();
        // PNG 5.3: a name is four ASCII letters. Anything else means that a length was wrong and
        // the walk is between chunks; nothing after this can be trusted.
        if !name.iter().all(u8::is_ascii_alphabetic) {
            facts.defect(DefectKind::PngChunkName, start);
            return Progress::Failed;
        }
        // PNG 5.3 limits a length to 2^31 - 1. Trusting a longer one would skip the rest of any
        // file.
        if len > header::MAX {
            facts.defect(DefectKind::PngChunkLength, start);
            return Progress::Failed;
        }
        self.chunk = Chunk {
            name,
            start,
            len,
            left: len,
        };
        // All bytes of a file pay for work, not only its image data: an animation of small frames
        // has little else.
        self.pictures.earn(CHUNK);
        self.crc = Hasher::new();
        self.crc.update(&name);
        self.begin(facts);
        self.state = State::Body;
        Progress::More
    }

    /// Checks a chunk's position and length against the rules.
    fn begin(&mut self, facts: &mut Facts) {
        let Chunk {
            name, start, len, ..
        } = self.chunk;
        let mut defect = |kind| facts.defect(kind, start);
        match &name {
            // `head` has read the first one.
            b"IHDR" => defect(DefectKind::PngDuplicate),
            b"PLTE" => {
                if self.order.palette {
                    defect(DefectKind::PngDuplicate);
                }
                // PNG 5.6: the palette precedes the pixels that index it.
                if self.order.image && self.header.color == 3 {
                    defect(DefectKind::PngChunkOrder);
                } else if self.order.image || !self.order.allows_palette() {
                    // Without indices a palette is a suggestion (PNG 11.2.2), which readers skip.
                    defect(DefectKind::PngAncillaryOrder);
                }
                if let Some(kind) = self.header.palette_defect(len) {
                    defect(kind);
                }
                self.order.palette = true;
            }
            b"IDAT" => {
                if self.order.image && !self.order.image_open {
                    // Readers stop at the last row, so they skip what follows a complete picture.
                    defect(if self.is_complete || len == 0 {
                        DefectKind::PngImageDataEnd
                    } else {
                        DefectKind::PngChunkOrder
                    });
                    // It has no data to belong to the picture, which therefore stays closed.
                    if len == 0 {
                        return;
                    }
                }
                if self.header.color == 3 && !self.order.palette {
                    defect(DefectKind::PngNoPalette);
                }
                // The data of all IDAT chunks is one zlib stream (PNG 11.2.3): only the first
                // begins a picture.
                if !self.order.image {
                    self.begin_picture(self.header.dimensions(), facts);
                }
                self.order.image = true;
                self.order.image_open = true;
                self.packed = self.packed.saturating_add(len.into());
                self.animation.image_data();
                return;
            }
            b"IEND" if len != 0 => defect(DefectKind::PngEndNotEmpty),
            b"IEND" => {}
            _ if self.chunk.is_ancillary() => {
                if !self.order.allows(name) {
                    defect(DefectKind::PngAncillaryOrder);
                }
            }
            // PNG 5.4: a decoder cannot safely interpret a picture with such a chunk.
            _ => defect(DefectKind::PngUnknownCritical),
        }
        // IDAT chunks are consecutive (PNG 5.6): any other chunk ends the picture's data.
        if self.order.image_open {
            self.order.image_open = false;
            self.animation.close(facts);
            // The next frame begins, so the one before it is complete.
            self.is_complete |= self.end_picture(facts);
        }
    }

    /// Image data of `size` comes next.
    fn begin_picture(&mut self, size: Dimensions, facts: &mut Facts) {
        if self.depth >= Depth::Payload && self.header.is_legal() && size.pixels() != 0 {
            let start = self.chunk.start;
            let is_moving = self.animation.is_moving();
            self.pictures
                .begin(&self.header, size, start, is_moving, facts);
        }
    }

    /// The image data of a picture is complete. Returns whether it is known to have every row.
    fn end_picture(&mut self, facts: &mut Facts) -> bool {
        self.pictures.end(facts)
    }

    /// Reads more of a chunk's body. Returns whether that was the rest of it.
    fn body(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) -> bool {
        let start = cursor.offset();
        let body = cursor.take(self.chunk.left.into());
        self.crc.update(body);
        let len = u32::try_from(body.len()).unwrap_or(self.chunk.left);
        self.chunk.left = self.chunk.left.saturating_sub(len);
        let mut beginning = Cursor::new(body, start);
        let looked_at = self.field.gather(&mut beginning, self.chunk.looked_at());
        if self.chunk.is_image_data() {
            // The two bytes of the zlib header may be in different chunks.
            if self.zlib.held() < 2 {
                self.zlib_header(body, facts);
            }
            self.pictures.push(body, start);
        // The first four bytes of fdAT are a sequence number; the frame's data begins after them.
        } else if looked_at && &self.chunk.name == b"fdAT" {
            self.pictures.push(beginning.rest(), beginning.offset());
        }
        if self.chunk.left > 0 {
            return false;
        }
        self.pictures.end_chunk();
        // Image data is counted where it is decompressed, in `Payload::block`.
        if !self.chunk.is_image_data() && &self.chunk.name != b"fdAT" {
            self.pictures
                .earn(usize::try_from(self.chunk.len).unwrap_or(usize::MAX));
        }
        self.look(facts);
        self.state = State::Crc;
        true
    }

    /// Reads what was held of the body, once all of it was passed.
    fn look(&mut self, facts: &mut Facts) {
        let Chunk { name, start, .. } = self.chunk;
        let body = self.field.partial();
        match &name {
            b"acTL" if self.order.image => facts.defect(DefectKind::PngAnimation, start),
            b"acTL" => self.animation.control(body, start, facts),
            b"fcTL" => {
                let place = FramePlace {
                    canvas: self.header.dimensions(),
                    before_image: !self.order.image,
                    offset: start,
                };
                self.end_picture(facts);
                let body = self.field.partial();
                let size = self.animation.frame(body, place, facts);
                // An fcTL before IDAT describes the still image, whose IDAT begins the picture.
                if let (Some(size), true) = (size, self.order.image) {
                    self.begin_picture(size, facts);
                }
            }
            b"fdAT" => self.animation.frame_data(body, start, facts),
            _ => {}
        }
        self.field.clear();
    }

    /// RFC 1950, 2.2: deflate, a window of at most 32 KB, no preset dictionary, a check.
    fn zlib_header(&mut self, body: &[u8], facts: &mut Facts) {
        if !self.zlib.gather(&mut Cursor::new(body, 0), 2) {
            return;
        }
        let [method, flags] = *self.zlib.partial() else {
            return;
        };
        let sum = u16::from_be_bytes([method, flags]);
        if method & 0x0f != 8 || method >> 4 > 7 || flags & 0x20 != 0 || sum % 31 != 0 {
            facts.defect(DefectKind::PngZlibHeader, self.chunk.start);
        }
    }

    fn crc(&mut self, expected: u32, end: u64, facts: &mut Facts) -> Progress {
        let crc = core::mem::replace(&mut self.crc, Hasher::new());
        if crc.finalize() != expected {
            let kind = match &self.chunk.name {
                // IEND states only that no chunk follows.
                b"IEND" => DefectKind::PngEndCrc,
                _ if self.chunk.is_ancillary() => DefectKind::PngAncillaryCrc,
                _ => DefectKind::PngCriticalCrc,
            };
            facts.defect(kind, self.chunk.start);
        }
        if &self.chunk.name == b"IEND" {
            self.end(end, facts);
            return Progress::Done;
        }
        self.state = State::ChunkHeader;
        Progress::More
    }

    fn end(&mut self, end: u64, facts: &mut Facts) {
        self.end_picture(facts);
        let unpacked = self.header.unpacked(self.header.dimensions());
        if self.packed == 0 {
            facts.defect(DefectKind::PngNoImageData, self.chunk.start);
        // Nothing is decompressed at structure depth, but so few bytes cannot hold all rows.
        } else if self.packed.saturating_mul(DEFLATE_RATIO) < unpacked {
            facts.defect(DefectKind::PngShortImageData, self.chunk.start);
        }
        self.animation.finish(self.chunk.start, facts);
        facts.ends_at(end);
    }
}

impl Parser for Png {
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        let mut cursor = Cursor::new(input, offset);
        loop {
            let progress = match self.state {
                State::Head => match self.field.fill(&mut cursor, HEAD) {
                    Some(head) => self.head(&head, facts),
                    None => return Progress::More,
                },
                State::AppleHead => match self.field.fill(&mut cursor, APPLE_HEAD) {
                    // The size is a fact; the pixels are not in PNG's encoding.
                    Some(head) => {
                        if head.get(28..32) == Some(b"IHDR") {
                            read_fields(&head, 32, facts);
                        }
                        return Progress::Failed;
                    }
                    None => return Progress::More,
                },
                State::ChunkHeader => {
                    let start = self.field.start(&cursor);
                    match self.field.fill(&mut cursor, 8) {
                        Some(header) => self.chunk_header(&header, facts, start),
                        None => return Progress::More,
                    }
                }
                State::Body => {
                    if !self.body(&mut cursor, facts) {
                        return Progress::More;
                    }
                    Progress::More
                }
                State::Crc => match self.field.fill(&mut cursor, 4) {
                    Some(crc) => self.crc(be32(&crc, 0), cursor.offset(), facts),
                    None => return Progress::More,
                },
            };
            if progress != Progress::More {
                return progress;
            }
        }
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        if matches!(self.state, State::Head) {
            // A truncated IHDR without its checksum can still state a size, and one that is too
            // small is worth reporting next to the truncation.
            let partial = self.field.partial();
            let size = Dimensions::new(be32(partial, 16), be32(partial, 20));
            if partial.get(12..16) == Some(b"IHDR") && partial.len() >= 24 && size.pixels() != 0 {
                facts.dimensions = Some(size);
            }
        }
        facts.defect(DefectKind::Truncated, len);
    }
}
