//! GIF, versions 87a and 89a. Numbers of clauses are those of the `GIF89a` specification.

mod frame;
mod glance;
mod lzw;
mod screen;

use self::{
    frame::Frame,
    lzw::{Lzw, Outcome},
    screen::{Screen, state_screen, table_bits, table_bytes},
};
use super::{
    DefectKind, Depth, Dimensions, Facts, Parser, Progress,
    bytes::{Cursor, Gather, le16},
    walker,
};
pub(crate) use glance::glance;

/// Signature, version and logical screen descriptor.
const HEADER: usize = 13;

/// Walks a GIF block by block. Sub-blocks are skipped by their lengths.
#[derive(Debug)]
pub(crate) struct Gif {
    depth: Depth,
    state: State,
    field: Gather<HEADER>,
    screen: Screen,
    frame: Frame,
    /// Bytes still to come of the color table or the sub-block that is being skipped.
    left: usize,
    /// At payload depth, once there is a frame.
    lzw: Option<Box<Lzw>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    GlobalTable,
    /// Before a block's first byte.
    Block,
    /// Before an extension's label.
    Label,
    /// Before an extension's first sub-block.
    Extension {
        label: u8,
    },
    ExtensionData,
    Descriptor,
    LocalTable,
    CodeSize,
    ImageData,
}

impl Gif {
    pub(crate) fn new(depth: Depth) -> Self {
        Self {
            depth,
            state: State::Header,
            field: Gather::new(),
            screen: Screen::default(),
            frame: Frame::default(),
            left: 0,
            lzw: None,
        }
    }

    fn header(&mut self, header: &[u8; HEADER], facts: &mut Facts) -> Progress {
        self.screen = Screen::new(header);
        state_screen(self.screen, facts);
        self.left = table_bytes(self.screen.flags);
        self.state = State::GlobalTable;
        if self.screen.is_zero() {
            // The first frame states what the screen lacks, so header depth reads on.
            facts.defect(DefectKind::GifZeroScreen, 6);
            return Progress::More;
        }
        if self.depth == Depth::Header {
            Progress::Done
        } else {
            Progress::More
        }
    }

    /// Reads a block's first byte, at `offset`.
    fn block(&mut self, introducer: u8, offset: u64, facts: &mut Facts) -> Progress {
        self.state = match introducer {
            0x21 => State::Label,
            0x2c => State::Descriptor,
            0x3b => {
                facts.ends_at(offset.saturating_add(1));
                close(offset, facts);
                return Progress::Done;
            }
            0 => {
                facts.defect(DefectKind::GifPadding, offset);
                State::Block
            }
            _ => {
                // The length of a block depends on its first byte: the next one cannot be found.
                facts.defect(DefectKind::GifUnknownBlock, offset);
                return Progress::Failed;
            }
        };
        Progress::More
    }

    /// Clause 20.
    fn descriptor(&mut self, descriptor: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        self.frame = Frame::new(descriptor);
        let Dimensions { width, height } = self.frame.dimensions;
        if width == 0 || height == 0 {
            facts.defect(DefectKind::GifZeroFrame, offset);
        } else if self.screen.is_zero() {
            // No screen bounds the frames: the first frame states what it lacks.
            let side = |screen: u16, frame| if screen == 0 { frame } else { screen.into() };
            if facts.frames == 0 {
                facts.dimensions = Some(Dimensions::new(
                    side(self.screen.width, width),
                    side(self.screen.height, height),
                ));
            }
        } else if !self.frame.is_within(self.screen.dimensions()) {
            facts.defect(DefectKind::GifFrameOutside, offset);
        }
        let flags = self.frame.flags;
        if flags & 0x80 != 0 {
            facts.bit_depth.get_or_insert(table_bits(flags));
        } else if facts.bit_depth.is_none() {
            facts.defect(DefectKind::GifNoColorTable, offset);
        } else if !self.screen.has_table() {
            facts.defect(DefectKind::GifFrameNoColors, offset);
        }
        self.left = table_bytes(flags);
        self.state = State::LocalTable;
        if self.depth == Depth::Header {
            Progress::Done
        } else {
            Progress::More
        }
    }

    fn code_size(&mut self, size: u8, offset: u64, facts: &mut Facts) {
        match size {
            2..=8 => {}
            // Appendix F describes 2 to 8. Codes begin with one bit more and have at most 12, so 11
            // is the most that can be decoded.
            1 | 9..=11 => facts.defect(DefectKind::GifUnusualCodeSize, offset),
            _ => facts.defect(DefectKind::GifCodeSize, offset),
        }
        self.frame.code_size = size;
        self.frame.start = offset.saturating_add(1);
        self.state = State::ImageData;
        if self.depth < Depth::Payload {
            return;
        }
        if cfg!(not(feature = "payload")) {
            facts.defect(DefectKind::NotWalked, self.frame.start);
            return;
        }
        if matches!(size, 1..=11) {
            let lzw = self.lzw.get_or_insert_with(|| Box::new(Lzw::new()));
            lzw.begin(size, self.frame.dimensions.pixels());
        } else {
            // No codes have this size, and the state of the previous frame must not continue.
            self.lzw = None;
        }
    }

    /// The frame's last sub-block was read; `offset` is just behind.
    fn end_frame(&mut self, offset: u64, facts: &mut Facts) {
        self.frame.check(offset, facts);
        if let Some(lzw) = walker(&mut self.lzw) {
            let kind = match lzw.finish() {
                Outcome::Going | Outcome::Whole => None,
                Outcome::Beyond => Some(DefectKind::GifImageDataEnd),
                Outcome::Short => Some(DefectKind::GifShortImageData),
                Outcome::Invalid => Some(DefectKind::GifImageData),
            };
            if let Some(kind) = kind {
                let terminator = offset.saturating_sub(1);
                facts.defect(kind, lzw.decided_at().unwrap_or(terminator));
            }
        }
        facts.frames = facts.frames.saturating_add(1);
        self.state = State::Block;
    }

    /// Skips what is left of a color table. Returns whether all of it was skipped.
    fn skip(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let skipped = cursor.take_len(self.left).len();
        self.left = self.left.saturating_sub(skipped);
        self.left == 0
    }

    /// Skips sub-blocks (clause 15). Returns whether their terminator was read.
    fn skip_sub_blocks(&mut self, cursor: &mut Cursor<'_>) -> bool {
        // The cursor is moved once, not for each sub-block: these hold at most 255 bytes, and most
        // of a file consists of them.
        let input = cursor.rest();
        let mut left = self.left;
        let mut rest = input;
        let ended = loop {
            let Some((size, behind)) = rest.get(left..).and_then(<[u8]>::split_first) else {
                self.left = left.saturating_sub(rest.len());
                cursor.take_len(input.len());
                return false;
            };
            rest = behind;
            left = usize::from(*size);
            if left == 0 {
                break rest;
            }
        };
        self.left = 0;
        cursor.take_len(input.len().saturating_sub(ended.len()));
        true
    }

    /// Reads sub-blocks. Returns whether their terminator was read.
    fn read_sub_blocks(&mut self, cursor: &mut Cursor<'_>) -> bool {
        loop {
            let data = cursor.take_len(self.left);
            if let Some(lzw) = walker(&mut self.lzw) {
                lzw.push(data, cursor.offset());
            }
            self.left = self.left.saturating_sub(data.len());
            if self.left > 0 {
                return false;
            }
            match cursor.byte() {
                Some(0) => return true,
                Some(size) => self.left = size.into(),
                None => return false,
            }
        }
    }
}

impl Parser for Gif {
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        let mut cursor = Cursor::new(input, offset);
        loop {
            let at = cursor.offset();
            let progress = match self.state {
                State::Header => match self.field.fill(&mut cursor, HEADER) {
                    Some(header) => self.header(&header, facts),
                    None => return Progress::More,
                },
                State::GlobalTable => {
                    if !self.skip(&mut cursor) {
                        return Progress::More;
                    }
                    self.state = State::Block;
                    Progress::More
                }
                State::LocalTable => {
                    if !self.skip(&mut cursor) {
                        return Progress::More;
                    }
                    self.state = State::CodeSize;
                    Progress::More
                }
                State::Descriptor => {
                    let start = self.field.start(&cursor);
                    match self.field.fill(&mut cursor, 9) {
                        Some(descriptor) => self.descriptor(&descriptor, start, facts),
                        None => return Progress::More,
                    }
                }
                State::ExtensionData => {
                    if !self.skip_sub_blocks(&mut cursor) {
                        return Progress::More;
                    }
                    self.state = State::Block;
                    Progress::More
                }
                State::ImageData => {
                    let ended = if walker(&mut self.lzw).is_some() {
                        self.read_sub_blocks(&mut cursor)
                    } else {
                        self.skip_sub_blocks(&mut cursor)
                    };
                    if !ended {
                        return Progress::More;
                    }
                    self.end_frame(cursor.offset(), facts);
                    Progress::More
                }
                State::Block | State::Label | State::Extension { .. } | State::CodeSize => {
                    match cursor.byte() {
                        Some(byte) => self.byte(byte, at, facts),
                        None => return Progress::More,
                    }
                }
            };
            if progress != Progress::More {
                return progress;
            }
        }
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        match self.state {
            State::Header => {
                let partial = self.field.partial();
                let screen = Dimensions::new(le16(partial, 6).into(), le16(partial, 8).into());
                if partial.len() >= 10 && screen.pixels() != 0 {
                    facts.dimensions = Some(screen);
                }
                facts.defect(DefectKind::Truncated, len);
            }
            // Only the trailer is missing (clause 27); readers show every frame.
            State::Block if facts.frames > 0 => {
                facts.defect(DefectKind::GifNoTrailer, len);
                close(len, facts);
            }
            _ => facts.defect(DefectKind::Truncated, len),
        }
    }
}

impl Gif {
    /// Reads the one byte that the state requires.
    fn byte(&mut self, byte: u8, offset: u64, facts: &mut Facts) -> Progress {
        match self.state {
            State::Block => return self.block(byte, offset, facts),
            State::Label => self.state = State::Extension { label: byte },
            State::Extension { label } => {
                state_extension(label, byte, offset, facts);
                self.left = usize::from(byte);
                self.state = if byte == 0 {
                    State::Block
                } else {
                    State::ExtensionData
                };
            }
            State::CodeSize => self.code_size(byte, offset, facts),
            _ => {}
        }
        Progress::More
    }
}

/// The last frame was read.
fn close(offset: u64, facts: &mut Facts) {
    if facts.frames == 0 {
        facts.defect(DefectKind::GifNoFrames, offset);
    }
    facts.frames_final = true;
}

/// The first sub-block's length of the extensions that have a fixed one (clauses 23 to 26).
fn state_extension(label: u8, first: u8, offset: u64, facts: &mut Facts) {
    // A comment (clause 24) has no fixed part, so it may be empty.
    if first == 0 && label != 0xfe {
        return facts.defect(DefectKind::GifEmptyExtension, offset);
    }
    let fits = match label {
        0xf9 => first == 4,
        0x01 => first == 12,
        0xff => first == 11,
        0xfe => true,
        _ => false,
    };
    if !fits {
        facts.defect(DefectKind::GifExtension, offset);
    }
}
