//! JPEG in all its processes (ITU-T T.81 | ISO/IEC 10918-1): segments walked by their length,
//! coded data walked from one 0xFF to the next.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod coded;
#[cfg(feature = "decode")]
mod effort;
mod exif;
mod frame;
mod glance;
mod leap;
mod marker;
mod mcu;
mod part;
mod payload;
mod scan;
mod scan_header;
mod segment;

use super::{
    DefectKind, Depth, Facts, Parser, Progress,
    bytes::{Cursor, Gather},
    walker,
};
use frame::Frame;
use marker::Marker;
use payload::Payload;
use scan_header::Scan;
use segment::Segment;

pub(crate) use glance::glance;

/// The longest field that is gathered at once: a Huffman table's class, number and code counts.
const FIELD: usize = 17;

#[derive(Debug)]
pub(crate) struct Jpeg {
    depth: Depth,
    state: State,
    gather: Gather<FIELD>,
    /// Which tables are defined, a bit for each number.
    tables: Tables,
    /// MCUs between restart markers; 0 for none (T.81 B.2.4.4).
    restart_interval: u16,
    app: AppSegments,
    frame: Option<Frame>,
    /// Scans so far.
    scans: u32,
    scan: Scan,
    /// Only at payload depth.
    payload: Option<Box<Payload>>,
}

/// A parser is held for every stream that is inspected.
const _: () = assert!(size_of::<Jpeg>() <= 300);

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before a marker's code. `fill` says that an 0xFF was seen.
    Marker { fill: bool },
    /// After TEM behind a scan, whose 0xFF is at `at`.
    Temporary { at: u64 },
    /// Before the length of the segment that `marker`, at `at`, begins.
    Length { marker: Marker, at: u64 },
    /// In a segment.
    Segment(Segment),
    /// In coded data. `fill` says that the last byte was an 0xFF.
    Coded { fill: bool },
    /// Terminal state.
    Over(Progress),
}

#[derive(Clone, Copy, Debug, Default)]
struct Tables {
    quantization: u8,
    dc: u8,
    ac: u8,
}

/// The contents of application segments that affect decoding.
#[derive(Clone, Copy, Debug, Default)]
struct AppSegments {
    jfif: bool,
    /// Motion JPEG (`AVI1`), whose frames mean the Huffman tables of T.81 annex K.
    motion: bool,
    /// The color transform of Adobe's APP14 segment.
    adobe_transform: Option<u8>,
    /// A multi-picture index (CIPA DC-007) was seen.
    multi_picture: bool,
}

impl AppSegments {
    /// Reads an APP0 segment, or its first five bytes.
    fn take_app0(&mut self, body: &[u8]) {
        self.jfif |= body.starts_with(b"JFIF\0");
        self.motion |= body.starts_with(b"AVI1");
    }

    /// Reads an APP14 segment, or its first twelve bytes.
    fn take_adobe(&mut self, body: &[u8]) {
        if let ([b'A', b'd', b'o', b'b', b'e', ..], Some(transform)) = (body, body.get(11)) {
            self.adobe_transform = Some(*transform);
        }
    }
}

impl Jpeg {
    pub(crate) fn new(depth: Depth) -> Self {
        Self {
            depth,
            state: State::Marker { fill: false },
            gather: Gather::new(),
            tables: Tables::default(),
            restart_interval: 0,
            app: AppSegments::default(),
            frame: None,
            scans: 0,
            scan: Scan::default(),
            payload: (cfg!(feature = "payload") && depth >= Depth::Payload).then(Payload::new),
        }
    }

    /// Skips to the next 0xFF. Decoders skip the bytes before it.
    fn skip_to_marker(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        let rest = cursor.rest();
        let junk = memchr::memchr(0xFF, rest).unwrap_or(rest.len());
        if junk > 0 {
            facts.defect(DefectKind::JpegJunk, cursor.offset());
            cursor.take_len(junk);
        }
        if cursor.byte().is_some() {
            self.state = State::Marker { fill: true };
        }
    }

    /// Reads a marker's code. Further 0xFF before it are legal fill (T.81 B.1.1.2).
    fn read_code(&mut self, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        let at = cursor.offset().saturating_sub(1);
        match cursor.byte() {
            None | Some(0xFF) => {}
            Some(0x00) => {
                // 0xFF 0x00 is a stuffed byte of coded data, which has no place between segments.
                facts.defect(DefectKind::JpegJunk, at);
                self.state = State::Marker { fill: false };
            }
            Some(code) => self.begin(Marker::new(code), at, facts),
        }
    }

    /// Acts on a marker outside of coded data, whose 0xFF is at `at`.
    fn begin(&mut self, marker: Marker, at: u64, facts: &mut Facts) {
        self.state = State::Marker { fill: false };
        match marker {
            Marker::Soi if at == 0 => {}
            Marker::Soi => facts.defect(DefectKind::JpegSecondStart, at),
            Marker::Eoi => self.end(at, facts),
            Marker::Restart(_) => facts.defect(DefectKind::JpegStrayMarker, at),
            Marker::Temporary if self.scans > 0 => self.state = State::Temporary { at },
            Marker::Temporary => facts.defect(DefectKind::JpegUnknownMarker, at),
            Marker::Reserved => self.fail(DefectKind::JpegUnknownMarker, at, facts),
            _ => self.state = State::Length { marker, at },
        }
    }

    /// Decoders skip TEM behind a scan. If no marker follows, it interrupts the scan.
    fn after_temporary(&mut self, at: u64, cursor: &Cursor<'_>, facts: &mut Facts) {
        let kind = match cursor.rest().first() {
            Some(0xFF) => DefectKind::JpegStrayMarker,
            _ => DefectKind::JpegUnknownMarker,
        };
        facts.defect(kind, at);
        self.state = State::Marker { fill: false };
    }

    fn read_length(&mut self, marker: Marker, at: u64, cursor: &mut Cursor<'_>, facts: &mut Facts) {
        let Some([high, low, ..]) = self.gather.fill(cursor, 2) else {
            return;
        };
        let length = u16::from_be_bytes([high, low]);
        // The length includes its own two bytes (T.81 B.1.1.4).
        if let Some(left) = length.checked_sub(2) {
            self.open(marker, at, left, facts);
        } else {
            facts.defect(DefectKind::JpegSegmentLength, at);
            self.state = State::Marker { fill: false };
        }
    }

    /// The end of the image, whose marker is at `at`.
    fn end(&mut self, at: u64, facts: &mut Facts) {
        self.state = State::Over(Progress::Done);
        facts.ends_at(at.saturating_add(2));
        match &self.frame {
            None => facts.defect(DefectKind::JpegNoFrame, at),
            Some(_) if self.scans == 0 => facts.defect(DefectKind::JpegNoScan, at),
            Some(frame) => {
                if !frame.is_covered() {
                    facts.defect(DefectKind::JpegComponentMissing, at);
                }
            }
        }
        // The other pictures follow this end marker and are not examined.
        if self.app.multi_picture {
            facts.defect(DefectKind::JpegMultiPicture, at);
        }
    }

    fn fail(&mut self, kind: DefectKind, at: u64, facts: &mut Facts) {
        facts.defect(kind, at);
        self.state = State::Over(Progress::Failed);
    }
}

impl Parser for Jpeg {
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        let mut cursor = Cursor::new(input, offset);
        loop {
            match self.state {
                State::Over(progress) => return progress,
                _ if cursor.rest().is_empty() => return Progress::More,
                State::Marker { fill: false } => {
                    self.leap(&mut cursor, facts);
                    if matches!(self.state, State::Marker { .. }) {
                        self.skip_to_marker(&mut cursor, facts);
                    }
                }
                State::Marker { fill: true } => self.read_code(&mut cursor, facts),
                State::Temporary { at } => self.after_temporary(at, &cursor, facts),
                State::Length { marker, at } => self.read_length(marker, at, &mut cursor, facts),
                State::Segment(segment) => self.read_segment(segment, &mut cursor, facts),
                State::Coded { fill } => self.walk_coded(fill, &mut cursor, facts),
            }
        }
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        let is_whole = match self.state {
            State::Coded { .. } => self.ends_whole(len, facts),
            // Between two segments, of which a scan was the last that the image needs.
            State::Marker { .. } | State::Temporary { .. } => {
                self.frame.as_ref().is_some_and(Frame::is_complete)
            }
            State::Length { .. } | State::Segment(_) | State::Over(_) => false,
        };
        let kind = if is_whole {
            DefectKind::JpegNoEnd
        } else {
            DefectKind::Truncated
        };
        facts.defect(kind, len);
    }
}
